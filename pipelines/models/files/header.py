"""The header of a safetensors file, read by our own bounded code before any library sees the file.

Layout (safetensors specification): eight bytes of little-endian header length, a JSON object that names
every tensor with its dtype, shape and byte range, then the bytes of the tensors without holes. No torch
import here.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Final

from pipelines.errors import (
    DiptychError,
    ModelFormatUnsupported,
    ModelMissing,
    ModelPickled,
    ModelUnreadable,
    ModelUnsafe,
)
from pipelines.files import open_file
from pipelines.models.files.header_text import DTYPE_BITS, MAX_TENSORS, Header, TensorFacts, header_of
from pipelines.models.files.pickles import names_code

__all__ = ["DTYPE_BITS", "MAX_HEADER", "MAX_TENSORS", "Header", "TensorFacts", "read_header", "read_text"]

MAX_HEADER: Final = 16 * 2**20
"""Bytes of JSON that are read at most."""

_PROTOCOLS: Final = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_BEHIND: Final = 64 * 2**10
"""Bytes behind the header that are looked at for a pickle that began before it."""

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
