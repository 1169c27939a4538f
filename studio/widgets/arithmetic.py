"""Arithmetic in number fields: ``512*1.5``, ``(3+4)/2``. A bounded grammar of its own, never Python's.

::

    sum     = product {("+" | "-") product}
    product = factor {("*" | "/") factor}
    factor  = {"+" | "-"} (number | "(" sum ")")

Whole numbers stay exact (a seed has 64 bits); a division that leaves no remainder stays whole.
"""

from __future__ import annotations

import math
import re
from typing import Final

MAX_LENGTH: Final = 100
MAX_DEPTH: Final = 20
MAX_MAGNITUDE: Final = 10**40
_TOKEN = re.compile(
    r"\s*(?:(\d+(?:\.\d*)?(?:[eE][+-]?\d{1,3})?|\.\d+(?:[eE][+-]?\d{1,3})?)|([-+*/()]))", re.ASCII
)
_ALIASES = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", ",": ".", "\u00a0": " ", "\u202f": " "})


class NotArithmetic(ValueError):
    """The text is no expression of this grammar, or its value is out of all bounds."""


def evaluate(text: str) -> int | float:
    """The value of an expression.

    Raises:
        NotArithmetic: not in the grammar, longer than :data:`MAX_LENGTH`, nested deeper than
        :data:`MAX_DEPTH`, a
            division by zero, or a value that is not finite or beyond :data:`MAX_MAGNITUDE`.
    """
    if len(text) > MAX_LENGTH:
        raise NotArithmetic("too long")
    parser = _Parser(_tokens(text.translate(_ALIASES)))
    value = parser.sum(0)
    if not parser.at_end:
        raise NotArithmetic("something is left over")
    return value


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotArithmetic(f"unexpected {text[at]!r}")
        found.append(match[1] or match[2])
        at = match.end()
    return found


def _bounded(value: int | float) -> int | float:
    if not math.isfinite(value) or abs(value) > MAX_MAGNITUDE:
        raise NotArithmetic("out of bounds")
    return value


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._at = tokens, 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._tokens)

    def _take(self, choices: str) -> str:
        if not self.at_end and self._tokens[self._at] in tuple(choices):
            self._at += 1
            return self._tokens[self._at - 1]
        return ""

    def sum(self, depth: int) -> int | float:
        value = self._product(depth)
        while sign := self._take("+-"):
            right = self._product(depth)
            value = _bounded(value + right if sign == "+" else value - right)
        return value

    def _product(self, depth: int) -> int | float:
        value = self._factor(depth)
        while sign := self._take("*/"):
            right = self._factor(depth)
            value = _bounded(value * right) if sign == "*" else _divide(value, right)
        return value

    def _factor(self, depth: int) -> int | float:
        if depth > MAX_DEPTH:
            raise NotArithmetic("nested too deeply")
        negative = False
        while sign := self._take("+-"):
            negative ^= sign == "-"
        if self._take("("):
            value = self.sum(depth + 1)
            if not self._take(")"):
                raise NotArithmetic("a bracket is open")
        else:
            value = self._number()
        return -value if negative else value

    def _number(self) -> int | float:
        if self.at_end or not (self._tokens[self._at][0].isdigit() or self._tokens[self._at][0] == "."):
            raise NotArithmetic("a number is missing")
        self._at += 1
        literal = self._tokens[self._at - 1]
        return _bounded(int(literal) if literal.isdigit() else float(literal))


def _divide(left: int | float, right: int | float) -> int | float:
    if right == 0:
        raise NotArithmetic("division by zero")
    if isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return left // right
    return _bounded(left / right)
