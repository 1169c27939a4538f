"""What the cache keeps of one node, and how that looks in a file: JSON and raw arrays, never pickle.

A file is a magic word, a BLAKE3 digest of the rest, the length of a JSON header, the header, then the arrays
it describes. Texts, numbers, booleans, images, masks, layers and lists of such can be written; anything else
can't.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3

from pipelines.graph.node import file_fingerprint
from pipelines.graph.values import Array, Image, Layer, ListValue, Mask

MAGIC = b"DIPTYCH\x01"
ALIGNMENT = 64
"""Arrays start at multiples of this many bytes."""
_PREFIX = len(MAGIC) + 32 + 8
_DTYPES = ("uint8", "float32")


@dataclass(frozen=True, slots=True)
class Entry:
    """What one node made: its outputs, how long it took, and the files it wrote (path -> fingerprint)."""

    outputs: Mapping[str, Any]
    seconds: float = 0.0
    files: Mapping[str, str] = field(default_factory=dict)
    shown: Any = None
    """The input that the node shows, where it has no such output (a save node's picture)."""

    def is_valid(self) -> bool:
        """Whether every file it wrote is still there, unchanged."""
        return all(file_fingerprint(Path(path)) == stamp for path, stamp in self.files.items())


def encode(entry: Entry, key: bytes) -> bytes:
    """An entry as the bytes of a file.

    Raises:
        TypeError, ValueError: it holds something that isn't kept.
    """
    arrays: list[Array] = []
    header = {
        "key": key.hex(),
        "seconds": entry.seconds,
        "files": dict(entry.files),
        "outputs": {name: _pack(value, arrays) for name, value in entry.outputs.items()},
        "shown": None if entry.shown is None else _pack(entry.shown, arrays),
        "arrays": [{"dtype": array.dtype.name, "shape": array.shape} for array in arrays],
    }
    text = json.dumps(header, allow_nan=False).encode()
    text += b" " * (-(_PREFIX + len(text)) % ALIGNMENT)
    parts = [len(text).to_bytes(8, "little"), text]
    for array in arrays:
        parts += [array.tobytes(), bytes(-array.nbytes % ALIGNMENT)]
    rest = b"".join(parts)
    return MAGIC + blake3(rest).digest() + rest


def decode(data: bytes, key: bytes) -> Entry:
    """The inverse of :func:`encode`.

    Raises:
        ValueError: it is damaged, or another entry's. What a forged header raises is in
            :data:`pipelines.graph.disk_cache.BROKEN`.
    """
    start = len(MAGIC)
    rest = memoryview(data)[start + 32 :]
    if data[:start] != MAGIC or blake3(rest).digest() != data[start : start + 32]:
        raise ValueError("damaged")
    length = int.from_bytes(rest[:8], "little")
    header = json.loads(bytes(rest[8 : 8 + length]))
    if header["key"] != key.hex():
        raise ValueError("another entry")
    arrays = _arrays(header["arrays"], data, _PREFIX + length)
    outputs = {name: _unpack(value, arrays) for name, value in header["outputs"].items()}
    shown = None if header["shown"] is None else _unpack(header["shown"], arrays)
    return Entry(outputs, float(header["seconds"]), dict(header["files"]), shown)


def _arrays(described: list[Mapping[str, Any]], data: bytes, at: int) -> list[Array]:
    """Read-only views of the arrays behind the header."""
    arrays: list[Array] = []
    for item in described:
        dtype, shape = np.dtype(str(item["dtype"])), [int(side) for side in item["shape"]]
        if dtype.name not in _DTYPES or min(shape, default=0) < 0:
            raise ValueError(item)
        count = int(np.prod(shape, dtype=np.int64))
        arrays.append(np.frombuffer(data, dtype, count, at).reshape(shape))
        size = count * dtype.itemsize
        at += size + -size % ALIGNMENT
    if at != len(data):
        raise ValueError("wrong length")
    return arrays


def _pack(value: Any, arrays: list[Array]) -> list[Any]:
    """A value as JSON ``[kind, …]``; its arrays are added to ``arrays``."""
    match value:
        case ListValue():
            return ["list", [_pack(item, arrays) for item in value]]
        case bool() | str():
            return ["plain", value]
        case int():
            return ["integer", str(int(value))]
        case float():
            return ["number", float(value).hex()]
        case Image():
            arrays.append(value.pixels)
            return ["image", len(arrays) - 1, _json(value.info), value.colour_space]
        case Mask():
            arrays.append(value.values)
            return ["mask", len(arrays) - 1]
        case Layer():
            parts = [None if part is None else _pack(part, arrays) for part in (value.image, value.mask)]
            return ["layer", value.kind, value.name, *parts, _json(value.info)]
        case _:
            raise TypeError(type(value).__name__)


def _json(value: Any) -> Any:
    """An image's history with its read-only parts made plain; raises for what JSON can't say."""
    if isinstance(value, Mapping):
        return {str(name): _json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(type(value).__name__)


def _unpack(packed: list[Any], arrays: list[Array]) -> Any:
    kind, content, *rest = packed
    match kind:
        case "list":
            return ListValue(_unpack(item, arrays) for item in content)
        case "plain":
            return content
        case "integer":
            return int(content)
        case "number":
            return float.fromhex(content)
        case "image":
            return Image(arrays[content], *rest)
        case "mask":
            return Mask(arrays[content])
        case "layer":
            name, image, mask, info = rest
            image, mask = (None if part is None else _unpack(part, arrays) for part in (image, mask))
            return Layer(content, name, image, mask, info)
        case _:
            raise ValueError(kind)
