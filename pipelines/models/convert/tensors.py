"""What a state dict holds, as data: storages, and tensors that are views of them. No torch.

``storage`` is PyTorch's word for a run of numbers in the file; a tensor is a storage, an offset, a shape and
strides, all counted in numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.models.convert.faults import Damaged, Refused
from pipelines.models.files.header import DTYPE_BITS

MAX_DIMENSIONS: Final = 16
MAX_COUNT: Final = 2**48

STORAGES: Final[Mapping[str, str]] = {
    "FloatStorage": "F32", "DoubleStorage": "F64", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8",
    "ByteStorage": "U8", "BoolStorage": "BOOL", "ComplexFloatStorage": "C64", "UntypedStorage": "U8",
}  # fmt: skip
"""PyTorch's classes of storages -> safetensors' dtypes. An untyped one is counted in bytes."""

DTYPES: Final[Mapping[str, str]] = {
    "float32": "F32", "float64": "F64", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32",
    "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL", "uint16": "U16", "uint32": "U32",
    "uint64": "U64", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e8m0fnu": "F8_E8M0",
    "complex64": "C64",
}  # fmt: skip
"""PyTorch's dtypes -> safetensors'."""


def item_bytes(dtype: str) -> int:
    """Bytes of one number."""
    return DTYPE_BITS[dtype] // 8


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of ``count`` numbers, kept in the file under ``key``.

    ``start`` is where it begins within what is kept, in numbers (old files keep views that way).
    """

    key: str
    dtype: str
    count: int
    start: int = 0

    @property
    def bytes(self) -> int:
        return self.count * item_bytes(self.dtype)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A view of a storage. ``offset`` and ``strides`` are in numbers of ``dtype``, from the start of what is
    kept under the storage's key."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes of it when it is written out in order."""
        return self.elements * item_bytes(self.dtype)

    @property
    def span(self) -> int:
        """How many numbers lie between its first and behind its last one."""
        if not self.elements:
            return 0
        return 1 + sum((side - 1) * step for side, step in zip(self.shape, self.strides, strict=True))

    @property
    def contiguous(self) -> bool:
        """Whether its numbers lie in the file as they are to be written: in order, without gaps."""
        step = 1
        for side, stride in reversed(tuple(zip(self.shape, self.strides, strict=True))):
            if side != 1 and stride != step:
                return not self.elements
            step *= side
        return True


def view(storage: Any, offset: Any, shape: Any, strides: Any, dtype: str | None = None) -> Tensor:
    """A tensor, after checking that all of it lies within its storage.

    Raises:
        Refused: an argument is of a kind that PyTorch doesn't write.
        Damaged: it reaches outside its storage.
    """
    sides, steps = _counts(shape), _counts(strides)
    if not isinstance(storage, Storage) or sides is None or steps is None or len(sides) != len(steps):
        raise Refused("a tensor that isn't made of a storage, a shape and strides")
    if not is_count(offset) or math.prod(sides) >= MAX_COUNT:
        raise Refused("a tensor of impossible size")
    kind = dtype or storage.dtype
    start = storage.start * item_bytes(storage.dtype) // item_bytes(kind) + offset
    tensor = Tensor(storage, kind, start, sides, steps)
    if (offset + tensor.span) * item_bytes(kind) > storage.bytes:
        raise Damaged("a tensor reaches outside the numbers that are kept for it")
    return tensor


def is_count(value: object) -> bool:
    """Whether a value is a usable number of things."""
    return type(value) is int and 0 <= value < MAX_COUNT


def _counts(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, tuple) or len(value) > MAX_DIMENSIONS:
        return None
    return value if all(is_count(side) for side in value) else None
