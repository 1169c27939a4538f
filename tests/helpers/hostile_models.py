"""Files that try to run something when they are opened. Each would make a folder, the canary."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from pathlib import Path

import torch


class Canary:
    """Unpickling it makes a folder."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def polyglot(path: Path, canary: Path, start: bytes = b"\x80\x02G") -> Path:
    """A whole safetensors file that is a pickle as well, by its first bytes (the length of its header).

    ``start`` ends with BINFLOAT, which takes eight bytes: the zeros of the length and the beginning of the
    JSON. A line of text (UNICODE) hides the rest of the header; the program is in the tensor.
    """
    program = f"cos\nmkdir\n(S'{canary}'\ntR.".encode()
    program += bytes(-len(program) % 4)
    length = int.from_bytes(start, "little")
    name = b"a" * (len(start) - 2) + b"V"
    entry = b'":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]' % (len(program) // 4, len(program))
    text = b'{"' + name + entry
    text += b" " * (length - len(text) - 3) + b"\n}}"
    path.write_bytes(length.to_bytes(8, "little") + text + program)
    return path


def shown(text: str) -> bytes:
    """Text as a pickle has it."""
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def archive(
    path: Path, pickled: bytes, storages: dict[str, bytes] | None = None, packed: bool = False
) -> Path:
    """A file of PyTorch's around a pickle of one's own."""
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as made:
        made.writestr("archive/data.pkl", pickled)
        for key, data in (storages or {}).items():
            made.writestr(f"archive/data/{key}", data)
        made.writestr("archive/version", "3\n")
    return path


def tensor(
    count: int, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0, key: str = "0"
) -> bytes:
    """The opcodes of one tensor of 32-bit floats in a storage of ``count`` numbers."""

    def numbers(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"

    identity = b"(" + shown("storage") + b"ctorch\nFloatStorage\n" + shown(key) + shown("cpu")
    identity += b"J" + struct.pack("<i", count) + b"tQ"
    hooks = b"ccollections\nOrderedDict\n)R"
    made = b"ctorch._utils\n_rebuild_tensor_v2\n(" + identity + b"J" + struct.pack("<i", offset)
    return made + numbers(shape) + numbers(strides) + b"\x89" + hooks + b"tR"


def state(**values: bytes) -> bytes:
    """A pickle of a dict of values given as opcodes."""
    return b"\x80\x02}(" + b"".join(shown(name) + value for name, value in values.items()) + b"u."


def hostile_forms(folder: Path, canary: Path) -> dict[str, Path]:
    """The same program in every form that PyTorch's loader would run."""
    trap = Canary(canary)
    torch.save({"weight": torch.zeros(2), "x": trap}, folder / "zip.pth")
    torch.save(
        {"weight": torch.zeros(2), "x": trap}, folder / "legacy.pth", _use_new_zipfile_serialization=False
    )
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (folder / f"bare{protocol}.ckpt").write_bytes(pickle.dumps(trap, protocol))
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
