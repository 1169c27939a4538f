"""A file that ``torch.save`` wrote: what it describes, and where its numbers lie.

Two formats: since PyTorch 1.6 a zip archive (``data.pkl``, and an entry for each storage); before that, five
pickles one after another (a magic number, the version, the system, the object, the storages' keys) and then
the storages, each with its count in eight bytes before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from pipelines.models.convert.archive import Extent, entries
from pipelines.models.convert.faults import Damaged, Refused, TooLarge
from pipelines.models.convert.machine import Machine
from pipelines.models.convert.names import Name
from pipelines.models.convert.tensors import STORAGES, Storage, is_count

MAX_PICKLE: Final = 64 * 2**20
"""Bytes of pickle that are read at most; a model of 50,000 tensors has about 8 MB."""

MAGIC: Final = 0x1950A86A20F9469CFC6C
PROTOCOL: Final = 1001


@dataclass(frozen=True, slots=True)
class TorchFile:
    """``root`` is the object that was saved, with records for its tensors; ``extents`` say where each
    storage lies, by its key."""

    root: Any
    extents: Mapping[str, Extent]
    big_endian: bool = False


def read(file: BinaryIO, size: int) -> TorchFile:
    """Read what a file of ``size`` bytes describes; of the numbers, nothing is read.

    Raises:
        Refused: it describes more than a plain state dict, or is no file of PyTorch's.
        Damaged: it is broken.
        TooLarge: it claims more than is read.
    """
    file.seek(0)
    start = file.read(512)
    if start[:4] == b"PK\x03\x04":
        return _from_archive(file, size)
    if start[257:262] == b"ustar":
        raise Refused("an archive of PyTorch before version 0.4")
    return _from_pickles(file, size)


class _Storages:
    """The storages that a pickle names; each key has one size in bytes."""

    def __init__(self) -> None:
        self.bytes: dict[str, int] = {}
        self.widths: dict[str, int] = {}

    def __call__(self, identity: Any) -> Storage:
        if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
            raise Refused("a persistent id that isn't a storage's")
        _, kind, key, place, count, *rest = identity
        name = kind.text.rsplit(".", 1)[-1] if isinstance(kind, Name) else ""
        if name not in STORAGES or not isinstance(key, str) or not isinstance(place, str):
            raise Refused(f"a storage of the kind {name or '?'}")
        if not is_count(count):
            raise Damaged("a storage has no usable size")
        whole = Storage(key, STORAGES[name], count)
        if self.bytes.setdefault(key, whole.bytes) != whole.bytes:
            raise Damaged("a storage has two sizes")
        self.widths[key] = whole.bytes // count if count else 1
        return _part(whole, rest[0]) if rest and rest[0] is not None else whole


def _part(whole: Storage, part: Any) -> Storage:
    """A view of a storage, as old files have them: its own key, where it begins, and its count."""
    if not isinstance(part, tuple) or len(part) != 3 or not all(is_count(number) for number in part[1:]):
        raise Refused("a view of a storage of another form than PyTorch writes")
    _, start, count = part
    if start + count > whole.count:
        raise Damaged("a view of a storage reaches outside it")
    return Storage(whole.key, whole.dtype, count, start)


def _from_archive(file: BinaryIO, size: int) -> TorchFile:
    found = entries(file, size)
    pickles = [name for name in found if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise Refused("an archive of something else than a model of PyTorch")
    base = pickles[0].removesuffix("data.pkl")
    if f"{base}constants.pkl" in found or any(name.startswith(f"{base}code/") for name in found):
        raise Refused("a TorchScript program")
    storages = _Storages()
    root = Machine(_read(file, found[pickles[0]]), storages).run()
    extents: dict[str, Extent] = {}
    for key, count in storages.bytes.items():
        extent = found.get(f"{base}data/{key}")
        if extent is None or extent.bytes != count:
            held = "nothing" if extent is None else f"{extent.bytes:,} bytes"
            raise Damaged(f"a storage of {count:,} bytes has {held} in the file")
        extents[key] = extent
    order = found.get(f"{base}byteorder")
    return TorchFile(root, extents, order is not None and _read(file, order).strip() == b"big")


def _read(file: BinaryIO, extent: Extent) -> bytes:
    if extent.bytes > MAX_PICKLE:
        raise TooLarge(f"what describes its tensors has {extent.bytes:,} bytes")
    file.seek(extent.start)
    return file.read(extent.bytes)


def _from_pickles(file: BinaryIO, size: int) -> TorchFile:
    file.seek(0)
    data = file.read(min(size, MAX_PICKLE))
    storages = _Storages()
    machine = Machine(data, storages)
    if machine.run() != MAGIC:
        raise Refused("a pickle that PyTorch didn't write")
    version, system = _next(data, machine, storages), _next(data, machine, storages)
    if version != PROTOCOL or not isinstance(system, dict):
        raise Refused("a pickle of another version of PyTorch's format")
    root = _next(data, machine, storages)
    keys = _next(data, machine, storages)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise Damaged("the list of its storages is no list of names")
    extents: dict[str, Extent] = {}
    at = machine.at
    for key in keys:
        if key in extents or key not in storages.bytes:
            raise Damaged("the list of its storages names one twice, or one that nothing uses")
        file.seek(at)
        count = int.from_bytes(file.read(8), "little" if system.get("little_endian", True) else "big")
        if count * storages.widths[key] != storages.bytes[key]:
            raise Damaged(f"a storage of {storages.bytes[key]:,} bytes has another size in the file")
        extents[key] = Extent(at + 8, storages.bytes[key])
        at += 8 + storages.bytes[key]
    if at != size or len(extents) != len(storages.bytes):
        raise Damaged("it is cut off, or goes on behind its last number")
    return TorchFile(root, extents, system.get("little_endian") is False)


def _next(data: bytes, machine: Machine, storages: _Storages) -> Any:
    """The pickle behind the last one."""
    following = Machine(data, storages, machine.at)
    value = following.run()
    machine.at = following.at
    return value
