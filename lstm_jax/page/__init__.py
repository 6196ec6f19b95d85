"""The web page on which the model of Tang poems writes, in the visitor's own browser.

build           the page's files, as text and bytes
serve           show a folder on 127.0.0.1
command         `lstm-jax page`

The page is made of `index.html`, `style.css`, the modules of `js/` and a file of texts for each
language. What it computes is in `js/`; each module names its Python twin.
"""
