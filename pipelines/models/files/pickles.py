"""The opcodes that pickles are made of, and how to know a pickle by its bytes. Nothing is built or run here.

Source of the opcodes: the Python standard library's documentation of :mod:`pickletools`, protocols 0 to 5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Argument = Literal["", "1", "2", "4", "8", "n1", "n4", "n8", "line", "lines"]
"""What follows an opcode: nothing, so many bytes, a length of so many bytes and what it counts, or text to
the end of one line or of two."""


class Opcode(NamedTuple):
    """One opcode by its name in the standard library, and what follows it."""

    name: str
    argument: Argument = ""


OPCODES: Final[Mapping[int, Opcode]] = {
    ord("("): Opcode("MARK"), ord("."): Opcode("STOP"), ord("0"): Opcode("POP"),
    ord("1"): Opcode("POP_MARK"), ord("2"): Opcode("DUP"), ord("F"): Opcode("FLOAT", "line"),
    ord("I"): Opcode("INT", "line"), ord("J"): Opcode("BININT", "4"), ord("K"): Opcode("BININT1", "1"),
    ord("L"): Opcode("LONG", "line"), ord("M"): Opcode("BININT2", "2"), ord("N"): Opcode("NONE"),
    ord("P"): Opcode("PERSID", "line"), ord("Q"): Opcode("BINPERSID"), ord("R"): Opcode("REDUCE"),
    ord("S"): Opcode("STRING", "line"), ord("T"): Opcode("BINSTRING", "n4"),
    ord("U"): Opcode("SHORT_BINSTRING", "n1"), ord("V"): Opcode("UNICODE", "line"),
    ord("X"): Opcode("BINUNICODE", "n4"), ord("a"): Opcode("APPEND"), ord("b"): Opcode("BUILD"),
    ord("c"): Opcode("GLOBAL", "lines"), ord("d"): Opcode("DICT"), ord("}"): Opcode("EMPTY_DICT"),
    ord("e"): Opcode("APPENDS"), ord("g"): Opcode("GET", "line"), ord("h"): Opcode("BINGET", "1"),
    ord("i"): Opcode("INST", "lines"), ord("j"): Opcode("LONG_BINGET", "4"), ord("l"): Opcode("LIST"),
    ord("]"): Opcode("EMPTY_LIST"), ord("o"): Opcode("OBJ"), ord("p"): Opcode("PUT", "line"),
    ord("q"): Opcode("BINPUT", "1"), ord("r"): Opcode("LONG_BINPUT", "4"), ord("s"): Opcode("SETITEM"),
    ord("t"): Opcode("TUPLE"), ord(")"): Opcode("EMPTY_TUPLE"), ord("u"): Opcode("SETITEMS"),
    ord("G"): Opcode("BINFLOAT", "8"), ord("B"): Opcode("BINBYTES", "n4"),
    ord("C"): Opcode("SHORT_BINBYTES", "n1"), 0x80: Opcode("PROTO", "1"), 0x81: Opcode("NEWOBJ"),
    0x82: Opcode("EXT1", "1"), 0x83: Opcode("EXT2", "2"), 0x84: Opcode("EXT4", "4"),
    0x85: Opcode("TUPLE1"), 0x86: Opcode("TUPLE2"), 0x87: Opcode("TUPLE3"), 0x88: Opcode("NEWTRUE"),
    0x89: Opcode("NEWFALSE"), 0x8A: Opcode("LONG1", "n1"), 0x8B: Opcode("LONG4", "n4"),
    0x8C: Opcode("SHORT_BINUNICODE", "n1"), 0x8D: Opcode("BINUNICODE8", "n8"),
    0x8E: Opcode("BINBYTES8", "n8"), 0x8F: Opcode("EMPTY_SET"), 0x90: Opcode("ADDITEMS"),
    0x91: Opcode("FROZENSET"), 0x92: Opcode("NEWOBJ_EX"), 0x93: Opcode("STACK_GLOBAL"),
    0x94: Opcode("MEMOIZE"), 0x95: Opcode("FRAME", "8"), 0x96: Opcode("BYTEARRAY8", "n8"),
    0x97: Opcode("NEXT_BUFFER"), 0x98: Opcode("READONLY_BUFFER"),
}  # fmt: skip

_WIDTHS: Final[Mapping[Argument, int]] = {"": 0, "1": 1, "2": 2, "4": 4, "8": 8}
_LENGTHS: Final[Mapping[Argument, int]] = {"n1": 1, "n4": 4, "n8": 8}
_TEXTS: Final = frozenset(
    {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
)
_UNSEEN: Final = frozenset({"MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"})
_FREE_LINES: Final = frozenset({"STRING", "UNICODE"})
_NAME: Final = re.compile(rb"[A-Za-z_][\w.]*")


class NoPickle(Exception):
    """What is read is no pickle: there is no such opcode."""


class CutShort(Exception):
    """The bytes end within an opcode."""


def read_opcode(data: bytes, at: int) -> tuple[Opcode, bytes, int]:
    """The opcode at a position, what follows it (lines with their end), and where the next one begins.

    Raises:
        NoPickle: there is no such opcode.
        CutShort: it isn't all there.
    """
    if at >= len(data):
        raise CutShort
    opcode = OPCODES.get(data[at])
    if opcode is None:
        raise NoPickle(f"byte 0x{data[at]:02x} at {at:,} is no opcode")
    start = at + 1
    if opcode.argument in _LENGTHS:
        width = _LENGTHS[opcode.argument]
        count = int.from_bytes(data[start : start + width], "little")
        start += width
        end = start + count
    elif opcode.argument in _WIDTHS:
        end = start + _WIDTHS[opcode.argument]
    else:
        end = start
        for _ in range(1 if opcode.argument == "line" else 2):
            end = data.find(b"\n", end) + 1
            if not end:
                raise CutShort
    if end > len(data):
        raise CutShort
    return opcode, data[start:end], end


def names_code(data: bytes) -> bool | None:
    """Whether bytes, read as a pickle from the first one, come to an opcode that imports something by name.

    Made for telling a model file that is a pickle too: of a true safetensors file no more than a few bytes
    make sense as opcodes.

    Returns:
        ``None`` if they could be a pickle that goes on behind ``data``.
    """
    at, texts = 0, 0
    while True:
        try:
            opcode, argument, following = read_opcode(data, at)
        except NoPickle:
            return False
        except CutShort:
            return None if _may_go_on(data, at) else False
        if opcode.name in ("GLOBAL", "INST"):
            module, name, _ = argument.split(b"\n")
            return bool(_NAME.fullmatch(module) and _NAME.fullmatch(name))
        if opcode.name == "STACK_GLOBAL":
            return texts >= 2
        if opcode.name == "STOP" or (opcode.argument == "line" and not _is_line(opcode, argument)):
            return False
        if opcode.name in _TEXTS:
            texts += 1
        elif opcode.name not in _UNSEEN:
            texts = 0
        at = following


def _may_go_on(data: bytes, at: int) -> bool:
    """Whether what is cut off at the end can be an opcode: a line of numbers or names holds no zero bytes."""
    opcode = OPCODES.get(data[at]) if at < len(data) else None
    return opcode is None or "line" not in opcode.argument or _is_line(opcode, data[at + 1 :])


_PLAIN: Final = bytes((0x0A, *range(0x20, 0x7F)))


def _is_line(opcode: Opcode, text: bytes) -> bool:
    return opcode.name in _FREE_LINES or not text.translate(None, _PLAIN)
