"""The header of a GGUF file, read by our own bounded code before any library parses the file.

Format (GGUF specification, version 3, in the ggml repository): magic, version, number of tensors, number of
metadata values; the metadata values; a name, shape, type and offset for each tensor; then the aligned tensor
data. Every count is checked against the bytes that are really there before anything is made of it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipelines.errors import FileMissing, ModelUnreadable, ModelUnsuitable
from pipelines.files import open_file
from pipelines.models.files.header import Header, TensorFacts

MAX_HEADER: Final = 32 * 2**20
"""Bytes of header that are read at most. More than for safetensors, since the vocabulary is in it."""

MAX_TENSORS: Final = 50_000
MAX_VALUES: Final = 10_000
MAX_NAME: Final = 1024
MAX_TEXT: Final = 2**20
"""Bytes of one text value that are kept (a chat template is a few thousand)."""
MAX_DIMENSIONS: Final = 4
MAX_SIDE: Final = 2**40

_VERSIONS: Final = (2, 3)
_STRING: Final = 8
_ARRAY: Final = 9
_SCALARS: Final[Mapping[int, str]] = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor: ``shape`` fastest axis first as GGUF has it, ``type`` in ggml's spelling (``Q4_1``)."""

    shape: tuple[int, ...]
    type: str
    offset: int
    bytes: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """All that the header says. An array's value is its length; text and numbers are themselves."""

    version: int
    values: Mapping[str, Any]
    tensors: Mapping[str, GgufTensor]
    data_start: int
    file_bytes: int

    @property
    def architecture(self) -> str:
        return str(self.values.get("general.architecture", ""))

    @property
    def elements(self) -> int:
        """How many numbers all tensors hold."""
        return sum(tensor.elements for tensor in self.tensors.values())

    def number(self, name: str) -> int:
        """A whole number under the architecture's own prefix (``block_count``…); 0 if there is none."""
        value = self.values.get(f"{self.architecture}.{name}", 0)
        return value if type(value) is int else 0


def as_header(gguf: GgufHeader) -> Header:
    """The same in the terms of safetensors: shapes slowest axis first, so that one set of signatures serves
    both formats.
    """
    tensors = {
        name: TensorFacts(tensor.type, tensor.shape[::-1], tensor.bytes)
        for name, tensor in gguf.tensors.items()
    }
    numbers: dict[str, int] = {}
    for tensor in gguf.tensors.values():
        numbers[tensor.type] = numbers.get(tensor.type, 0) + tensor.elements
    metadata = {name: value for name, value in gguf.values.items() if isinstance(value, str)}
    return Header(tensors, metadata, gguf.file_bytes, numbers)


class _Cursor:
    """Reads from the start of a file without ever going past its end."""

    def __init__(self, data: bytes, file_bytes: int, name: str) -> None:
        self.data, self.at, self.file_bytes, self.name = data, 0, file_bytes, name

    def fault(self, reason: str) -> ModelUnreadable:
        return ModelUnreadable(model=self.name, reason=reason)

    def skip(self, count: int) -> int:
        """Move on by ``count`` bytes; where they began."""
        start, end = self.at, self.at + count
        if end > len(self.data):
            if end > self.file_bytes:
                raise self.fault("It is truncated: it ends within its header.")
            raise self.fault(f"Its header is longer than the {MAX_HEADER:,} bytes that are read at most.")
        self.at = end
        return start

    def scalar(self, layout: str) -> Any:
        return struct.unpack_from(layout, self.data, self.skip(struct.calcsize(layout)))[0]

    def text(self, limit: int, what: str) -> str:
        length = self.scalar("<Q")
        if length > limit:
            raise self.fault(f"{what} claims {length:,} bytes; at most {limit:,} are read.")
        start = self.skip(length)
        try:
            return self.data[start : start + length].decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.fault(f"{what} is not UTF-8 text.") from error


def read_header(path: Path) -> GgufHeader:
    """Read and check the header of ``path``; nothing of the tensors is read.

    Raises:
        FileMissing: there is no such file.
        ModelUnreadable: it is no GGUF file, it is truncated, or its header breaks the rules or the bounds
            above.
        ModelUnsuitable: a tensor's type is not known here.
    """
    try:
        with open_file(path) as file:
            size = file.seek(0, 2)
            file.seek(0)
            data = file.read(min(size, MAX_HEADER))
    except FileNotFoundError as error:
        raise FileMissing(path=str(path)) from error
    except OSError as error:
        raise ModelUnreadable(model=path.name, reason=f"{error.strerror or error}.") from error
    return _read(_Cursor(data, size, path.name))


def _read(cursor: _Cursor) -> GgufHeader:
    if cursor.data[:4] != b"GGUF":
        raise cursor.fault("It is not a GGUF file.")
    cursor.skip(4)
    version = cursor.scalar("<I")
    if version not in _VERSIONS:
        raise cursor.fault(f"It has version {version} of the format; versions 2 and 3 are read.")
    tensor_count, value_count = cursor.scalar("<Q"), cursor.scalar("<Q")
    if tensor_count > MAX_TENSORS:
        raise cursor.fault(f"It claims {tensor_count:,} tensors; at most {MAX_TENSORS:,} are read.")
    if value_count > MAX_VALUES:
        raise cursor.fault(f"It claims {value_count:,} settings; at most {MAX_VALUES:,} are read.")
    values: dict[str, Any] = {}
    for _ in range(value_count):
        key = cursor.text(MAX_NAME, "The name of a setting")
        if key in values:
            raise cursor.fault(f"It sets {key[:80]} twice.")
        values[key] = _value(cursor, key)
    tensors: dict[str, GgufTensor] = {}
    for _ in range(tensor_count):
        key = cursor.text(MAX_NAME, "The name of a tensor")
        if key in tensors:
            raise cursor.fault(f"It has the tensor {key[:80]} twice.")
        tensors[key] = _tensor(cursor, key)
    start = _check_layout(cursor, values, tensors)
    return GgufHeader(version, values, tensors, start, cursor.file_bytes)


def _value(cursor: _Cursor, key: str) -> Any:
    kind = cursor.scalar("<I")
    if kind in _SCALARS:
        return cursor.scalar(_SCALARS[kind])
    if kind == _STRING:
        return cursor.text(MAX_TEXT, f"The setting {key[:80]}")
    if kind != _ARRAY:
        raise cursor.fault(f"The setting {key[:80]} has the unknown type {kind}.")
    item, count = cursor.scalar("<I"), cursor.scalar("<Q")
    if item in _SCALARS:
        cursor.skip(count * struct.calcsize(_SCALARS[item]))
    elif item == _STRING:
        if count * 8 > len(cursor.data) - cursor.at:  # each text has at least its length
            raise cursor.fault(
                f"The setting {key[:80]} claims {count:,} texts, more than the header can hold."
            )
        for _ in range(count):
            cursor.skip(cursor.scalar("<Q"))
    else:
        raise cursor.fault(f"The setting {key[:80]} is a list of the unknown type {item}.")
    return count


def _tensor(cursor: _Cursor, key: str) -> GgufTensor:
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    dimensions = cursor.scalar("<I")
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise cursor.fault(f"The tensor {key[:80]} has {dimensions:,} dimensions.")
    shape = tuple(cursor.scalar("<Q") for _ in range(dimensions))
    kind, offset = cursor.scalar("<I"), cursor.scalar("<Q")
    try:
        name = GGMLQuantizationType(kind)
        block, block_bytes = GGML_QUANT_SIZES[name]
    except (ValueError, KeyError) as error:
        raise ModelUnsuitable(
            model=cursor.name,
            reason=f"Its tensors have the type {kind}, which is not known here.",
            task="text",
        ) from error
    elements = math.prod(shape)
    if not 0 < elements <= MAX_SIDE or elements % block:
        raise cursor.fault(f"The tensor {key[:80]} has no usable shape.")
    return GgufTensor(shape, name.name, offset, elements // block * block_bytes)


def _check_layout(cursor: _Cursor, values: Mapping[str, Any], tensors: Mapping[str, GgufTensor]) -> int:
    """Where the tensor data begins; every tensor lies within the file, aligned, and none overlaps another."""
    alignment = values.get("general.alignment", 32)
    if type(alignment) is not int or not 1 <= alignment <= 2**16:
        raise cursor.fault("Its alignment is no usable number.")
    start = -(-cursor.at // alignment) * alignment
    position = 0
    for key, tensor in sorted(tensors.items(), key=lambda entry: entry[1].offset):
        if tensor.offset % alignment or tensor.offset < position:
            raise cursor.fault(f"The tensor {key[:80]} overlaps another one or is not aligned.")
        position = tensor.offset + tensor.bytes
    if start + position > cursor.file_bytes:
        missing = start + position - cursor.file_bytes
        raise cursor.fault(f"It is truncated: the last {missing:,} bytes are missing.")
    return start
