"""Hooks of MkDocs: the folder of the site, the generated reference, links between notebooks."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))

import reference

LOG = logging.getLogger("mkdocs.hooks.lstm_jax")
LINK = re.compile(r'(href|src)="([\w./-]+\.(?:ipynb|md|png))(#[^"]*)?"')


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Read pages from the folder of mkdocs.yml, which MkDocs itself does not accept."""
    config.docs_dir = str(Path(config.config_file_path).parent)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each group of public names."""
    for path, text in reference.pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn a notebook's links to files into links to pages, as MkDocs does for Markdown."""

    def resolved(match: re.Match[str]) -> str:
        attribute, path, anchor = match.groups(default="")
        target = files.get_file_from_path(path)
        if target is None:
            LOG.warning("%s links to %s, which is not a page", page.file.src_uri, path)
            return match[0]
        return f'{attribute}="{target.url_relative_to(page.file)}{anchor}"'

    return LINK.sub(resolved, html) if page.file.src_uri.endswith(".ipynb") else html
