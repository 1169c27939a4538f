"""Fuzzy search: which of many titles a few typed letters mean. Pure functions, no Qt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

T = TypeVar("T")

DENSE: Final = 0.6
"""Letters skipped within a word are forgiven as long as this share of them was typed."""
WEAK: Final = 0.5
"""What scores less than this share of the best is left out."""
TITLE: Final = 60
"""Letters from the beginning, within which an earlier place is a better one: titles come first."""


def score(query: str, text: str) -> float | None:
    """How well ``query`` matches ``text``; ``None`` if one of its words isn't there.

    A word is there, best first, if it begins a word of the text, stands inside one, is made of words'
    initials in order, or is a word of the text with a few letters left out.
    Words of the query may come in any order; longer texts and later places cost a little.
    """
    text = text.casefold()
    words = re.findall(r"\w+", text)
    total = 0.0
    for word in query.casefold().split():
        found = _word(word, text, words)
        if found is None:
            return None
        total += found
    return total - len(text) * 0.01


def _word(word: str, text: str, words: list[str]) -> float | None:
    at = text.find(word)
    if at >= 0:
        begins = any(item.startswith(word) for item in words) or not text[at - 1 : at].isalnum()
        late = min(at, TITLE) * 0.05
        return (len(word) * 4.0 + 6.0 if begins else len(word) * 3.0) - late
    if _is_sequence(word, [item[0] for item in words]):
        return len(word) * 3.0
    if any(_is_dense(word, item) for item in words):
        return len(word) * 2.0
    return None


def _is_sequence(letters: str, among: Iterable[str]) -> bool:
    """Whether all letters come in this order."""
    rest = iter(among)
    return all(any(letter == other for other in rest) for letter in letters)


def _is_dense(word: str, whole: str) -> bool:
    """Whether ``word`` is the beginning of ``whole`` with few letters left out."""
    if word[0] != whole[0]:
        return False
    at = -1
    for letter in word:
        at = whole.find(letter, at + 1)
        if at < 0:
            return False
    return len(word) / (at + 1) >= DENSE


def search(query: str, items: Iterable[T], text: Callable[[T], str]) -> list[T]:
    """The items that match, best first, without those that match far worse than the best; all of them, in
    their order, for an empty query."""
    listed = list(items)
    if not query.strip():
        return listed
    scored = [(found, item) for item in listed if (found := score(query, text(item))) is not None]
    best = max((found for found, _ in scored), default=0.0)
    return [item for found, item in sorted(scored, key=lambda pair: -pair[0]) if found >= best * WEAK]
