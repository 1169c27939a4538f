"""The header of a safetensors file, read by our own bounded code before any library sees the file.

Layout (safetensors specification): eight bytes of little-endian header length, a JSON object that names
every tensor with its dtype, shape and byte range, then the bytes of the tensors without holes. No torch
import here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, chain, compress, repeat
from operator import eq, mul
from pathlib import Path
from typing import Any, BinaryIO, Final

from pydantic_core import from_json

from pipelines.errors import (
    DiptychError,
    ModelFormatUnsupported,
    ModelMissing,
    ModelPickled,
    ModelUnreadable,
    ModelUnsafe,
)
from pipelines.files import open_file
from pipelines.models.pickles import names_code

MAX_HEADER: Final = 16 * 2**20
"""Bytes of JSON that are read at most."""

MAX_TENSORS: Final = 50_000

MAX_DIMENSIONS: Final = 16

_PROTOCOLS: Final = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_BEHIND: Final = 64 * 2**10
"""Bytes behind the header that are looked at for a pickle that began before it."""

DTYPE_BITS: Final[Mapping[str, int]] = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip

FLOAT_DTYPES: Final = frozenset({"F16", "BF16", "F32", "F64"})

_ZIP = "It is a zip archive as PyTorch writes it; what is inside can run any program when it is opened."
_PICKLE = "It is a Python pickle, which can run any program when it is opened, whatever its name ends in."
_BOTH = "It can be read as a safetensors file and as a Python pickle, which can run any program."
_HDF5 = "It is an HDF5 file."
_GGUF = "It is a GGUF file."
_SIGNATURES: Final[tuple[tuple[bytes, type[DiptychError], str], ...]] = (
    (b"PK\x03\x04", ModelPickled, _ZIP),
    (b"PK\x05\x06", ModelUnsafe, _ZIP),
    (b"\x93NUMPY", ModelUnsafe, "It is a NumPy file, which can hold a pickle."),
    (b"GGUF", ModelFormatUnsupported, _GGUF),
    (b"\x89HDF\r\n\x1a\n", ModelFormatUnsupported, _HDF5),
)


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


class Tensors(Mapping[str, TensorFacts]):
    """The tensors of a header by name. Their facts are made when they are asked for: a catalogue looks at a
    handful of thousands.
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: dict[str, dict[str, Any]]) -> None:
        self._entries = entries

    def __getitem__(self, name: str) -> TensorFacts:
        entry = self._entries[name]
        start, end = entry["data_offsets"]
        return TensorFacts(entry["dtype"], tuple(entry["shape"]), end - start)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


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


def read_header(path: Path, model: str = "") -> Header:
    """Read and check the header of ``path``; nothing of the tensors is read.

    Args:
        path: the file.
        model: what to call it in an error; its file name by default.

    Raises:
        ModelMissing: there is no such file.
        ModelUnsafe: it is a pickle (or a zip of one), whatever its name.
        ModelFormatUnsupported: it is another known format.
        ModelUnreadable: it is no safetensors file, it is truncated, or its header breaks the rules or the
            bounds.
    """
    name = model or path.name
    return header_of(*read_text(path, name), name)


def read_text(path: Path, model: str = "") -> tuple[bytes, int]:
    """The JSON of the header of ``path``, unchecked, and the file's size; raises as :func:`read_header`."""
    name = model or path.name
    try:
        with open_file(path) as file:
            size = file.seek(0, 2)
            file.seek(0)
            _refuse_other_formats(file, size, name, str(path))
            text = _header_text(file, size, name)
    except FileNotFoundError as error:
        raise ModelMissing(model=name) from error
    except OSError as error:
        raise ModelUnreadable(model=name, reason=f"{error.strerror or error}.") from error
    return text, size


def header_of(text: bytes, file_bytes: int, name: str) -> Header:
    """The header whose JSON is ``text``, of a file of ``file_bytes``; see :func:`read_header`.

    Everything is checked in bulk first, at a few hundred nanoseconds a tensor; only a header that doesn't
    pass is gone through tensor by tensor, to say what is wrong with it.
    """
    data_bytes = file_bytes - 8 - len(text)
    return _sound(text, data_bytes, file_bytes) or _checked(_parsed(text, name), data_bytes, file_bytes, name)


def _sound(text: bytes, data_bytes: int, file_bytes: int) -> Header | None:
    """The header if it is beyond doubt; None for :func:`_checked` to look at."""
    try:
        data = from_json(text, allow_inf_nan=False)
        metadata = data.pop("__metadata__", None)
        # A name that is there twice replaces the first one, and leaves one mark too many in the text.
        marks = 4 * len(data) + (0 if metadata is None else len(metadata) + 1)
        if not 0 < len(data) <= MAX_TENSORS or text.count(b'":') != marks:
            return None
        if metadata and set(map(type, metadata.values())) != {str}:
            return None
        numbers = _numbers_of(list(data.values()), data_bytes)
    except (ValueError, TypeError, AttributeError, LookupError):
        return None
    return None if numbers is None else Header(Tensors(data), metadata or {}, file_bytes, numbers)


def _numbers_of(entries: list[dict[str, Any]], data_bytes: int) -> dict[str, int] | None:
    """How many numbers of each type there are; None unless they fill ``data_bytes`` without a fault."""
    shapes = [entry["shape"] for entry in entries]
    offsets = [entry["data_offsets"] for entry in entries]
    dtypes = [entry["dtype"] for entry in entries]
    sides, ends = list(chain.from_iterable(shapes)), list(chain.from_iterable(offsets))
    if set(map(type, sides)) - {int} or set(map(type, ends)) != {int} or set(map(len, offsets)) != {2}:
        return None
    least = min(sides, default=1)
    if least < 0 or max(map(len, shapes)) > MAX_DIMENSIONS or (least == 0 and max(sides) >= 2**63):
        return None
    starts, stops = ends[::2], ends[1::2]
    counts = list(map(math.prod, shapes))
    kinds = set(dtypes)
    if len(kinds) == 1:
        numbers = {dtypes[0]: sum(counts)}
        bits: Iterable[int] = [count * DTYPE_BITS[dtypes[0]] for count in counts]
    else:
        numbers = {kind: sum(compress(counts, map(eq, dtypes, repeat(kind)))) for kind in kinds}
        bits = map(mul, counts, map(DTYPE_BITS.__getitem__, dtypes))
    taken = [8 * stop for stop in stops]
    if list(accumulate(bits)) == taken and starts[1:] == stops[:-1]:  # in order, as nearly all are
        return numbers if starts[0] == 0 and stops[-1] == data_bytes else None
    sizes = [8 * (stop - start) for start, stop in offsets]
    if list(map(mul, counts, map(DTYPE_BITS.__getitem__, dtypes))) != sizes:
        return None
    ordered = sorted(offsets)
    starts, stops = [start for start, _ in ordered], [stop for _, stop in ordered]
    return numbers if starts[0] == 0 and stops[-1] == data_bytes and starts[1:] == stops[:-1] else None


def _refuse_other_formats(file: BinaryIO, size: int, name: str, place: str) -> None:
    start = file.read(512)
    file.seek(0)
    for signature, kind, reason in _SIGNATURES:
        if start.startswith(signature):
            raise kind(model=name, reason=reason, file=place)
    if start[257:262] == b"ustar":
        raise ModelUnsafe(model=name, reason="It is an archive as old versions of PyTorch wrote it.")
    # The first bytes of a pickle (0x80, and the protocol) are a usual length of a header, too.
    length = int.from_bytes(start[:8], "little")
    if start[8:9] == b"{" and 2 <= length <= min(MAX_HEADER, size - 8):
        _refuse_both(file, start, 8 + length, name)
    elif start[:2] in _PROTOCOLS or names_code(start):
        raise ModelPickled(model=name, reason=_PICKLE, file=place)
    if size < 10:
        raise ModelUnreadable(model=name, reason=f"The file ends after {size} bytes.")


def _refuse_both(file: BinaryIO, start: bytes, end: int, name: str) -> None:
    """Refuse what looks like safetensors with a header up to ``end``, and is a program for a pickle, too."""
    found = names_code(start)
    if found is None:
        found = names_code(file.read(end + _BEHIND))
        file.seek(0)
    if found:
        raise ModelUnsafe(model=name, reason=_BOTH)


def _header_text(file: BinaryIO, size: int, name: str) -> bytes:
    length = int.from_bytes(file.read(8), "little")
    if file.read(1) != b"{":
        raise ModelUnreadable(model=name, reason="It is not a safetensors file.")
    if length > MAX_HEADER:
        raise ModelUnreadable(
            model=name, reason=f"It claims a header of {length:,} bytes; at most {MAX_HEADER:,} are read."
        )
    if length < 2 or 8 + length > size:
        raise ModelUnreadable(model=name, reason="It is truncated: it ends within its header.")
    file.seek(8)
    return file.read(length)


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
    return type(value) is int and 0 <= value < 2**63
