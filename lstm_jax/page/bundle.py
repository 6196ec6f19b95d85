"""ES modules joined into one classic script, because browsers do not load modules from a disk.

Every module has its imports at the top, by name and one per line, and exports its declarations.
Joined, the modules share one scope, so no two may declare the same name.
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
    """Join a module with everything that it imports.

    Args:
        modules: file name -> source of the module.
        entry: the module to start with.

    Returns:
        A script with its own scope, in which every module comes after its imports.

    Raises:
        ModelError: if two modules declare the same name.
    """
    names = _in_order(modules, entry)
    declared: dict[str, str] = {}
    for name in names:
        for declaration in _DECLARED.findall(modules[name]):
            for identifier in re.findall(r"\w+", declaration):
                if identifier in declared:
                    raise ModelError(f"{declared[identifier]} and {name} both declare {identifier}")
                declared[identifier] = name
    parts = [_EXPORT.sub("", _IMPORT.sub("", modules[name])) for name in names]
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n"


def _in_order(modules: Mapping[str, str], entry: str) -> list[str]:
    order: list[str] = []

    def visit(name: str) -> None:
        for imported in _IMPORT.findall(modules[name]):
            if imported not in order:
                visit(imported)
        order.append(name)

    visit(entry)
    return order
