"""The header of a safetensors file, read by our own bounded code before any library sees the file.

Layout (safetensors specification): eight bytes of little-endian header length, a JSON object that names
every tensor with its dtype, shape and byte range, then the bytes of the tensors without holes. No torch
import here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from pipelines.errors import DiptychError, ModelFormatUnsupported, ModelMissing, ModelUnreadable, ModelUnsafe
from pipelines.files import open_file

MAX_HEADER: Final = 16 * 2**20
"""Bytes of JSON that are read at most."""

MAX_TENSORS: Final = 50_000

DTYPE_BITS: Final[Mapping[str, int]] = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip

FLOAT_DTYPES: Final = frozenset({"F16", "BF16", "F32", "F64"})

_ZIP = "It is a zip archive as PyTorch writes it; what is inside can run any program when it is opened."
_PICKLE = "It is a Python pickle, which can run any program when it is opened, whatever its name ends in."
_HDF5 = "It is an HDF5 file."
_GGUF = "It is a GGUF file."
_SIGNATURES: Final[tuple[tuple[bytes, type[DiptychError], str], ...]] = (
    (b"PK\x03\x04", ModelUnsafe, _ZIP),
    (b"PK\x05\x06", ModelUnsafe, _ZIP),
    *((bytes((0x80, protocol)), ModelUnsafe, _PICKLE) for protocol in range(2, 6)),
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


@dataclass(frozen=True, slots=True)
class Header:
    """All tensors of a file by name, and the free-text metadata beside them."""

    tensors: Mapping[str, TensorFacts]
    metadata: Mapping[str, str]
    file_bytes: int

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a tensor, or ``None`` if there is none of this name."""
        facts = self.tensors.get(name)
        return facts.shape if facts else None

    def elements(self) -> int:
        """How many numbers all tensors hold."""
        return sum(facts.elements for facts in self.tensors.values())


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
    try:
        with open_file(path) as file:
            size = file.seek(0, 2)
            file.seek(0)
            _refuse_other_formats(file, size, name)
            text = _header_text(file, size, name)
    except FileNotFoundError as error:
        raise ModelMissing(model=name) from error
    except OSError as error:
        raise ModelUnreadable(model=name, reason=f"{error.strerror or error}.") from error
    return _checked(_parsed(text, name), size - 8 - len(text), size, name)


def _refuse_other_formats(file: BinaryIO, size: int, name: str) -> None:
    start = file.read(512)
    file.seek(0)
    for signature, kind, reason in _SIGNATURES:
        if start.startswith(signature):
            raise kind(model=name, reason=reason)
    if start[257:262] == b"ustar":
        raise ModelUnsafe(model=name, reason="It is an archive as old versions of PyTorch wrote it.")
    if size < 10:
        raise ModelUnreadable(model=name, reason=f"The file ends after {size} bytes.")


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
    return Header(tensors, metadata, file_bytes)


def _tensor(key: str, entry: Any, name: str) -> tuple[TensorFacts, int, int]:
    def fault(reason: str) -> ModelUnreadable:
        return ModelUnreadable(model=name, reason=f"The tensor {key[:80]} {reason}.")

    if not isinstance(entry, dict):
        raise fault("is not described by an object")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in DTYPE_BITS:
        raise fault(f"has the unknown type {str(dtype)[:20]}")
    if not isinstance(shape, list) or len(shape) > 16 or not all(_is_count(side) for side in shape):
        raise fault("has no usable shape")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(_is_count(at) for at in offsets):
        raise fault("has no usable byte range")
    start, end = offsets
    if math.prod(shape) * DTYPE_BITS[dtype] != (end - start) * 8:
        raise fault("has a byte range that doesn't fit its shape")
    return TensorFacts(dtype, tuple(shape), end - start), start, end


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63
