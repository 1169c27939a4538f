"""From tokens to text while they arrive: whole characters only, and nothing of a stop text.

A token can end in the middle of a character or of a stop text, so what can be shown lags behind what was
written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

_BROKEN: Final = "\ufffd"
"""What a tokenizer decodes incomplete UTF-8 to."""


class IncrementalDecoder:
    """Decodes token by token; :attr:`text` only ever grows, by whole characters.

    The newest tokens are decoded together with those of the last step, since many tokenizers write a word's
    leading space only when something stands before it; tokens that end inside a character wait for the rest
    of it.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._context = 0
        self._done = 0
        self.text = ""

    def _decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _pending(self) -> str:
        known = self._decode(self._ids[self._context : self._done])
        return self._decode(self._ids[self._context :])[len(known) :]

    def push(self, token: int) -> str:
        """Add a token; returns :attr:`text`."""
        self._ids.append(token)
        pending = self._pending()
        if pending and not pending.endswith(_BROKEN):
            self.text += pending
            self._context, self._done = self._done, len(self._ids)
        return self.text

    def finish(self) -> str:
        """No more tokens: the whole text, without a character that was left incomplete at its end."""
        self.text += self._pending().rstrip(_BROKEN)
        self._context = self._done = len(self._ids)
        return self.text


class StopTexts:
    """Finds the first of several stop texts, and what can be shown while one could still begin."""

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)

    def find(self, text: str) -> int | None:
        """Where the earliest stop text begins in ``text``; ``None`` if there is none."""
        found = [at for at in (text.find(stop) for stop in self._stops) if at >= 0]
        return min(found, default=None)

    def shown(self, text: str) -> str:
        """``text`` without an end that could be the beginning of a stop text."""
        held = 0
        for stop in self._stops:
            for length in range(min(len(stop) - 1, len(text)), held, -1):
                if text.endswith(stop[:length]):
                    held = length
                    break
        return text[: len(text) - held]
