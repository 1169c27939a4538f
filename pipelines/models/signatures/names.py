"""Searching the names of thousands of tensors for words.

Blocks repeat: without their numbers, most names are the same. What isn't in the few that remain is in none,
and most words that are looked for aren't there.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Final

_DIGITS: Final = b"0123456789"


class Names:
    """Names of tensors, each between line ends; ``\\n`` in a word is the beginning or the end of a name."""

    def __init__(self, text: str) -> None:
        self.text = text

    def holds(self, *words: str) -> bool:
        """Whether a name contains one of the words."""
        kinds, text = self._kinds, self.text
        return any(_bare_word(word) in kinds and word in text for word in words)

    @cached_property
    def flat(self) -> Names:
        """The same with the dots turned to underscores, as kohya's trainer writes them."""
        flat = Names(self.text.replace(".", "_"))
        flat._kinds = self._kinds.replace(b".", b"_")
        return flat

    @cached_property
    def firsts(self) -> frozenset[bytes]:
        """The :func:`first_word` of every name."""
        return frozenset(kind.partition(b".")[0] for kind in self._kinds.split(b"\n"))

    @cached_property
    def _kinds(self) -> bytes:
        """The names without digits, each once."""
        return b"\n".join(dict.fromkeys(_bare(self.text).split(b"\n"))) + b"\n"


@lru_cache(maxsize=16)
def names_in(text: str) -> Names:
    """The names in a text; what was found out of them is kept for the files of the same trainer."""
    return Names(text)


def first_word(name: str) -> bytes:
    """What stands before the first dot, without digits."""
    return _bare(name).partition(b".")[0]


def _bare(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass").translate(None, _DIGITS)


_bare_word = lru_cache(maxsize=2048)(_bare)
