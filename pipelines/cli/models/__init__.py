"""``diptych models``: what is there, what a file is, hashes, and keeping a collection in order.

Each module of ``GROUPS`` holds some words and adds them with its ``add(words)``; what does the work is
imported only when a word is used.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    Words = argparse._SubParsersAction[Any]

GROUPS: Final = ("listing", "keeping", "convert", "download")
"""The modules of this package that bring words."""


def add(words: Words) -> None:
    """Add ``models`` and its words; without one, it lists."""
    text = "list, examine and keep the models on this computer"
    made = words.add_parser("models", help=text, description=f"{text[:1].upper()}{text[1:]}.")
    made.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    made.set_defaults(function="models.listing:list_models")
    actions = made.add_subparsers(dest="action", metavar="WORD", parser_class=type(made))
    for group in GROUPS:
        import_module(f"{__name__}.{group}").add(actions)


def word(words: Words, name: str, function: str, text: str) -> argparse.ArgumentParser:
    """Add one word that calls ``function`` (``module:function`` below this package). ``--json`` may stand
    before or after it.
    """
    made: argparse.ArgumentParser = words.add_parser(
        name, help=text, description=f"{text[:1].upper()}{text[1:]}."
    )
    made.set_defaults(function=f"models.{function}")
    # Without a default of its own: it would overrule what stands before the word.
    made.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object")
    return made
