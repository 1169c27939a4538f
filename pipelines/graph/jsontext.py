"""JSON as documents need it: number literals and key order survive, NaN and duplicate keys are refused, depth
is bounded.

Python's own ``json`` turns ``1e5`` into ``100000.0``, accepts ``NaN`` and lets the last of two equal keys
win.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.errors import GraphUnreadable

MAX_DEPTH = 200
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
"""A string (an unfinished one to its end, so that broken text takes linear time too) or a bracket."""
_SURROGATE = re.compile("[\ud800-\udfff]")
INLINE_WIDTH = 100


class LiteralFloat(float):
    """A float that remembers how it was written."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> LiteralFloat:
        number = super().__new__(cls, text)
        number.text = text
        return number


class LiteralInt(int):
    """An integer that remembers how it was written (``-0``)."""

    text: str

    def __new__(cls, text: str) -> LiteralInt:
        number = super().__new__(cls, text)
        number.text = text
        return number


def loads(text: str | bytes, name: str = "The graph") -> Any:
    """Parse JSON. ``name`` is the file's name for the message.

    Raises:
        GraphUnreadable: not UTF-8, not JSON, NaN or infinity, a duplicate key, more than :data:`MAX_DEPTH`
        levels.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise GraphUnreadable(name=name, reason=f"It is not UTF-8 text (byte {error.start}).") from error
    _check_depth(text, name)

    def constant(word: str) -> Any:
        raise GraphUnreadable(name=name, reason=f"It holds {word}, which is not a number.")

    def floating(literal: str) -> float:
        value = float(literal)
        if not math.isfinite(value):
            raise GraphUnreadable(name=name, reason=f"The number {literal[:40]} is too large.")
        return value if repr(value) == literal else LiteralFloat(literal)

    def integer(literal: str) -> int:
        if len(literal) > 400:
            raise GraphUnreadable(name=name, reason=f"A number has {len(literal)} digits.")
        return LiteralInt(literal) if literal == "-0" else int(literal)

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(items)
        if len(result) != len(items):
            twice = Counter(key for key, _ in items).most_common(1)[0][0]
            raise GraphUnreadable(name=name, reason=f"The name “{twice[:80]}” is there twice in one place.")
        return result

    try:
        return json.loads(
            text, parse_constant=constant, parse_float=floating, parse_int=integer, object_pairs_hook=pairs
        )
    except json.JSONDecodeError as error:
        reason = f"Line {error.lineno}, column {error.colno}: {error.msg}."
        raise GraphUnreadable(name=name, reason=reason) from error


def _check_depth(text: str, name: str) -> None:
    depth = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in ("[", "{"):
            depth += 1
            if depth > MAX_DEPTH:
                raise GraphUnreadable(name=name, reason=f"It is nested more than {MAX_DEPTH} levels deep.")
        elif token in ("]", "}"):
            depth -= 1


def dumps(value: Any) -> str:
    """JSON in the layout of our files: two spaces, one entry a line, short lists of plain values in one line.

    Keys are written in the order of the mapping; whoever makes a new mapping sorts it.
    """
    return _write(value, "") + "\n"


def canonical(value: Any) -> str:
    """JSON in one line with sorted keys, for hashing: ``1``, ``1.0`` and ``true`` stay three different
    texts."""
    return json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return float(value)
    return int(value)


def _scalar(value: Any) -> str:
    if isinstance(value, LiteralFloat | LiteralInt):
        return value.text
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)  # UTF-8 can't say half a pair


def _write(value: Any, indent: str) -> str:
    inner = indent + "  "
    if isinstance(value, Mapping):
        if not value:
            return "{}"
        lines = [f"{inner}{_scalar(str(key))}: {_write(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        if not value:
            return "[]"
        if not any(isinstance(item, Mapping | list | tuple) for item in value):
            line = "[" + ", ".join(_scalar(item) for item in value) + "]"
            if len(line) <= INLINE_WIDTH:
                return line
        return "[\n" + ",\n".join(inner + _write(item, inner) for item in value) + f"\n{indent}]"
    return _scalar(value)
