"""ES modules joined into one classic script, because browsers load no modules from a disk.

A module here has its imports at its top, one a line and by name, and exports what it declares.
Joined, they share one scope, so no two may declare the same name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lstm_jax.models.storage import ModelError

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w.]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)
_DECLARED = re.compile(
    r"^(?:export )?(?:async )?(?:const|let|class|function\*?) (\w+|\[[^\]]*\])", re.MULTILINE
)


def bundle(modules: Mapping[str, str], entry: str) -> str:
    """Join a module with all that it imports.

    Args:
        modules: source of each module by its file's name.
        entry: the module that starts.

    Returns:
        A script in a scope of its own, what is imported before what imports it.

    Raises:
        ModelError: two modules declare the same name.
    """
    names = _in_order(modules, entry)
    declared: dict[str, str] = {}
    for name in names:
        for found in _DECLARED.findall(modules[name]):
            for one in re.findall(r"\w+", found):
                if one in declared:
                    raise ModelError(f"{declared[one]} and {name} both declare {one}")
                declared[one] = name
    parts = [_EXPORT.sub("", _IMPORT.sub("", modules[name])) for name in names]
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n"


def _in_order(modules: Mapping[str, str], entry: str) -> list[str]:
    order: list[str] = []

    def visit(name: str) -> None:
        for other in _IMPORT.findall(modules[name]):
            if other not in order:
                visit(other)
        order.append(name)

    visit(entry)
    return order
