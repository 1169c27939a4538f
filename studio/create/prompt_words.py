"""Words that a prompt must say for something to work: whether they are there, and putting them there."""

from __future__ import annotations

import re


def has_word(text: str, word: str) -> bool:
    """Whether a word or phrase stands in a text, in whatever case; a part of a longer word doesn't count."""
    before = r"(?<!\w)" if re.match(r"\w", word) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", word) else ""
    return re.search(f"{before}{re.escape(word)}{after}", text, re.IGNORECASE) is not None


def with_word(text: str, word: str) -> str:
    """The text with a word at its end; the same where it has it."""
    if has_word(text, word):
        return text
    return f"{text.rstrip().rstrip(',')}, {word}" if text.strip() else word
