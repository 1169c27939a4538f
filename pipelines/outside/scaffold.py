"""Writes a new file of nodes with its test: one node that works, to be changed into one's own."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from pipelines.errors import NodeFileThere, NodeNameUnusable, TextNotSaved
from pipelines.files import atomic_write, is_there
from pipelines.paths import RESOURCES

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,47}")


def check_name(name: str) -> None:
    """Raise :class:`NodeNameUnusable` if no module of nodes should be called so."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise NodeNameUnusable(name=name[:80], reason="Python could not import a file of this name.")
    if name.startswith("test_") or name == "conftest":
        raise NodeNameUnusable(name=name, reason="Files of this name are tests, and are not looked at.")
    if name in sys.stdlib_module_names or find_spec(name) is not None:
        raise NodeNameUnusable(name=name, reason="A Python module of this name is there already.")


def new_node(name: str, folder: Path) -> tuple[Path, Path]:
    """Write ``NAME.py`` and ``test_NAME.py`` into ``folder``; gives their paths.

    Raises:
        NodeNameUnusable: as :func:`check_name`.
        NodeFileThere: one of them is there; nothing is written.
        TextNotSaved, DiskFull: the folder can't be written to.
    """
    name = name.removesuffix(".py")
    check_name(name)
    goals = folder / f"{name}.py", folder / f"test_{name}.py"
    for goal in goals:
        if is_there(goal):
            raise NodeFileThere(path=str(goal))
    for goal, template in zip(goals, ("node.py.txt", "test_node.py.txt"), strict=True):
        atomic_write(goal, _filled(template, name), failure=TextNotSaved)
    return goals


def _filled(template: str, name: str) -> str:
    text = (RESOURCES / "nodes" / template).read_text(encoding="utf-8")
    words = [word for word in name.split("_") if word]
    slots = {
        "__NAME__": name,
        "__CLASS__": "".join(word.capitalize() for word in words),
        "__TITLE__": " ".join(words).capitalize(),
    }
    for slot, value in slots.items():
        text = text.replace(slot, value)
    return text
