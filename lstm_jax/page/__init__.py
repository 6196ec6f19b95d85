"""The web page on which the model of Tang poems writes in the visitor's own browser.

build           the files of the page, as text
serve           show a folder on 127.0.0.1
command         `lstm-jax page`

The page is made of `index.html`, `style.css`, the modules in `js/` and a file of texts for each
language. All computation is in `js/`, where each module names its Python twin.
"""
