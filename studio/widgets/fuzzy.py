"""Fuzzy search: which of many titles a few typed letters mean. Pure functions, no Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def score(query: str, text: str) -> float | None:
    """How well ``query`` matches ``text``; ``None`` if its letters aren't all there in order.

    Each letter counts 1, at the start of a word 4 more, right behind the letter before it 3 more; letters
    skipped
    cost a little. Words of the query may come in any order.
    """
    total = 0.0
    for word in query.casefold().split():
        found = _word(word, text.casefold())
        if found is None:
            return None
        total += found
    return total - len(text) * 0.01


def _word(word: str, text: str) -> float | None:
    at = text.find(word)
    if at >= 0:
        starts = at == 0 or not text[at - 1].isalnum()
        return len(word) * 4 + (6.0 if starts else 0.0) - at * 0.01
    points, position = 0.0, -1
    for letter in word:
        found = text.find(letter, position + 1)
        if found < 0:
            return None
        points += 1
        if found == 0 or not text[found - 1].isalnum():
            points += 4
        elif found == position + 1:
            points += 3
        points -= (found - position - 1) * 0.05
        position = found
    return points


def search(query: str, items: Iterable[T], text: Callable[[T], str]) -> list[T]:
    """The items that match, best first; all of them, in their order, for an empty query."""
    listed = list(items)
    if not query.strip():
        return listed
    scored = [(found, item) for item in listed if (found := score(query, text(item))) is not None]
    return [item for _, item in sorted(scored, key=lambda pair: -pair[0])]
