"""The JSON of a safetensors header: read in bulk as safetensors' own library writes it, and gone through
tensor by tensor where it looks otherwise, to say what is wrong with it. No torch import here.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from operator import add
from typing import Any, Final

from pipelines.errors import ModelUnreadable

MAX_TENSORS: Final = 50_000
MAX_DIMENSIONS: Final = 16
MAX_COUNT: Final = 2**63

DTYPE_BITS: Final[Mapping[str, int]] = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip

_METADATA: Final = b'{"__metadata__":'
_STARTS: Final = (b'{"', b',"')
_PIECES: Final = 10
"""How many pieces the description of one tensor makes, cut at its quotes."""
_ODD: Final = b"\\" + bytes(range(32))
"""What isn't within a name, or only as part of an escape."""
_COUNT: Final = r"(?:0|[1-9]\d{0,18})"
_KIND: Final = re.compile(rf"([A-Z0-9_]{{1,16}}):\[((?:{_COUNT}(?:,{_COUNT})*)?)\],", re.ASCII)


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """One tensor as the header states it: ``dtype`` in safetensors' spelling, ``bytes`` as it lies in the
    file.
    """

    dtype: str
    shape: tuple[int, ...]
    bytes: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Header:
    """All tensors of a file by name, and the free-text metadata beside them.

    ``numbers`` says how many numbers there are of each type, in safetensors' spelling.
    """

    tensors: Mapping[str, TensorFacts]
    metadata: Mapping[str, str]
    file_bytes: int
    numbers: Mapping[str, int] = field(default_factory=dict)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a tensor, or ``None`` if there is none of this name."""
        facts = self.tensors.get(name)
        return facts.shape if facts else None

    def elements(self) -> int:
        """How many numbers all tensors hold."""
        return sum(self.numbers.values())


def header_of(
    text: bytes, file_bytes: int, name: str, parts: tuple[Mapping[str, str], bytes] | None = None
) -> Header:
    """The header whose JSON is ``text``, of a file of ``file_bytes``.

    A text as the library writes it is checked in bulk, in less than a microsecond a tensor; any other one
    tensor by tensor. The rules are the same.

    Args:
        text: the JSON, without the eight bytes of its length.
        file_bytes: the size of the whole file.
        name: what to call the model in an error.
        parts: what :func:`parted` made of the text, if that is known.

    Raises:
        ModelUnreadable: it is not valid JSON, or breaks the rules or the bounds.
    """
    data_bytes = file_bytes - 8 - len(text)
    found = parts or parted(text)
    if found is not None:
        metadata, rest = found
        tensors = _in_bulk(rest, data_bytes)
        if tensors is not None:
            return Header(tensors[0], metadata, file_bytes, tensors[1])
    return _checked(_parsed(text, name), data_bytes, file_bytes, name)


def parted(text: bytes) -> tuple[Mapping[str, str], bytes] | None:
    """The metadata at the head of a header, and the rest; None where they stand elsewhere or are odd."""
    if not text.startswith(_METADATA):
        return None if b'"__metadata__"' in text else ({}, text)
    try:
        plain = text.decode()
        metadata, end = _DECODER.raw_decode(plain, len(_METADATA))
    except (ValueError, RecursionError):
        return None
    if not isinstance(metadata, dict) or any(type(value) is not str for value in metadata.values()):
        return None
    rest = text[end:] if plain.isascii() else plain[end:].encode()
    return None if b'"__metadata__"' in rest else (metadata, rest)


def _in_bulk(rest: bytes, data_bytes: int) -> tuple[dict[str, TensorFacts], dict[str, int]] | None:
    """All tensors of a header behind its metadata, and how many numbers there are of each type; None unless
    they are written as the library does (without spaces and escapes, in the order in which they lie in the
    file) and fill ``data_bytes`` without a fault.

    The text is taken apart at its quotes, and proven by writing it anew from what was found.
    """
    if rest[:2] not in _STARTS or len(rest.translate(None, _ODD)) != len(rest):
        return None
    try:
        text = rest[2:].rstrip(b" ").decode()
    except UnicodeDecodeError:
        return None
    pieces = text.split('"')
    names, kinds = pieces[::_PIECES], list(map(add, pieces[4::_PIECES], pieces[7::_PIECES]))
    if len(pieces) != _PIECES * len(names) or len(names) > MAX_TENSORS:
        return None
    counts = Counter(kinds)
    facts = {kind: found for kind in counts if (found := _facts(kind)) is not None}
    if len(facts) != len(counts):
        return None
    sizes = {kind: found.bytes for kind, found in facts.items()}
    ends = list(accumulate(map(sizes.__getitem__, kinds)))
    tensors = dict(zip(names, map(facts.__getitem__, kinds), strict=True))
    if ends[-1] != data_bytes or len(tensors) != len(names) or _written(pieces, ends) != text:
        return None
    numbers: dict[str, int] = {}
    for kind, count in counts.items():
        dtype = facts[kind].dtype
        numbers[dtype] = numbers.get(dtype, 0) + count * facts[kind].elements
    return tensors, numbers


def _written(pieces: list[str], ends: list[int]) -> str:
    """The text that names, types and shapes among the pieces make when the tensors lie at ``ends``."""
    stops = list(map(str, ends))
    text = ["", '":{"dtype":"', "", '","shape"', "", '"data_offsets":[', "", ",", "", ']},"'] * len(ends)
    text[::10], text[2::10], text[4::10] = pieces[::_PIECES], pieces[4::_PIECES], pieces[7::_PIECES]
    text[6::10], text[8::10], text[-1] = ["0", *stops[:-1]], stops, "]}}"
    return "".join(text)


def _facts(kind: str) -> TensorFacts | None:
    """Type and shape written as ``F16:[320,768],``; None if they break a rule."""
    found = _KIND.fullmatch(kind)
    if found is None:
        return None
    dtype, sides = found.groups()
    shape = tuple(map(int, sides.split(","))) if sides else ()
    bits = math.prod(shape) * DTYPE_BITS.get(dtype, 0)
    sound = dtype in DTYPE_BITS and len(shape) <= MAX_DIMENSIONS and max(shape, default=0) < MAX_COUNT
    return TensorFacts(dtype, shape, bits // 8) if sound and bits % 8 == 0 else None


def _parsed(text: bytes, name: str) -> dict[str, Any]:
    try:
        data = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ModelUnreadable(
            model=name, reason=f"Its header is no valid JSON ({str(error)[:200]})."
        ) from error
    if not isinstance(data, dict):
        raise ModelUnreadable(model=name, reason="Its header is not a JSON object.")
    return data


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"{key[:80]!r} is named twice")
        result[key] = value
    return result


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _checked(data: dict[str, Any], data_bytes: int, file_bytes: int, name: str) -> Header:
    metadata = data.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ModelUnreadable(model=name, reason="The metadata in its header is not text.")
    if len(data) > MAX_TENSORS:
        raise ModelUnreadable(
            model=name, reason=f"Its header names {len(data):,} tensors; at most {MAX_TENSORS:,} are read."
        )
    tensors: dict[str, TensorFacts] = {}
    ranges: list[tuple[int, int, str]] = []
    for key, entry in data.items():
        facts, start, end = _tensor(key, entry, name)
        tensors[key] = facts
        ranges.append((start, end, key))
    position = 0
    for start, end, key in sorted(ranges):
        if start != position:
            fault = "overlaps another one" if start < position else "leaves a gap before it"
            raise ModelUnreadable(model=name, reason=f"The tensor {key[:80]} {fault}.")
        position = end
    if position > data_bytes:
        missing = position - data_bytes
        raise ModelUnreadable(model=name, reason=f"It is truncated: the last {missing:,} bytes are missing.")
    if position < data_bytes:
        extra = data_bytes - position
        raise ModelUnreadable(model=name, reason=f"{extra:,} bytes at its end belong to no tensor.")
    numbers: dict[str, int] = {}
    for facts in tensors.values():
        numbers[facts.dtype] = numbers.get(facts.dtype, 0) + facts.elements
    return Header(tensors, metadata, file_bytes, numbers)


def _tensor(key: str, entry: Any, name: str) -> tuple[TensorFacts, int, int]:
    def fault(reason: str) -> ModelUnreadable:
        return ModelUnreadable(model=name, reason=f"The tensor {key[:80]} {reason}.")

    if not isinstance(entry, dict):
        raise fault("is not described by an object")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in DTYPE_BITS:
        raise fault(f"has the unknown type {str(dtype)[:20]}")
    if (
        not isinstance(shape, list)
        or len(shape) > MAX_DIMENSIONS
        or not all(_is_count(side) for side in shape)
    ):
        raise fault("has no usable shape")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(_is_count(at) for at in offsets):
        raise fault("has no usable byte range")
    start, end = offsets
    if math.prod(shape) * DTYPE_BITS[dtype] != (end - start) * 8:
        raise fault("has a byte range that doesn't fit its shape")
    return TensorFacts(dtype, tuple(shape), end - start), start, end


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < MAX_COUNT
