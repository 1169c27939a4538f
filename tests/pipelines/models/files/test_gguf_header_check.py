from __future__ import annotations

import struct
import time
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import DiptychError, FileMissing, ModelUnreadable, ModelUnsuitable
from pipelines.models.files.gguf_header import MAX_HEADER, read_header


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def setting(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def tensor(key: str, shape: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    return text(key) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def gguf(
    settings: tuple[bytes, ...] = (), tensors: tuple[bytes, ...] = (), data: int = 0, **counts: int
) -> bytes:
    head = struct.pack(
        "<4sIQQ", b"GGUF", counts.get("version", 3), counts.get("tensor_count", len(tensors)),
        counts.get("setting_count", len(settings)),
    )  # fmt: skip
    head += b"".join(settings) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + bytes(data)


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def make(content: bytes) -> Path:
        path = tmp_path / "model.gguf"
        path.write_bytes(content)
        return path

    return make


def test_what_a_header_says(write: Any) -> None:
    settings = (
        setting("general.architecture", 8, text("llama")),
        setting("llama.block_count", 4, struct.pack("<I", 3)),
        setting("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 2) + text("a") + text("é")),
        setting("tokenizer.ggml.scores", 9, struct.pack("<IQ2f", 6, 2, 0.5, 1.5)),
    )
    tensors = (tensor("a", (4, 2)), tensor("b", (32,), kind=3, offset=32))
    header = read_header(write(gguf(settings, tensors, data=32 + 20)))
    assert header.architecture == "llama"
    assert header.number("block_count") == 3
    assert header.values["tokenizer.ggml.tokens"] == 2
    assert header.tensors["a"].shape == (4, 2)
    assert (header.tensors["b"].type, header.tensors["b"].bytes) == ("Q4_1", 20)
    assert header.elements == 40
    assert header.data_start % 32 == 0


ONE = (tensor("a", (8,)),)
HOSTILE = {
    "empty": b"",
    "another format": b"PK\x03\x04" + bytes(100),
    "magic only": b"GGUF",
    "version 1": gguf(version=1),
    "byte-swapped version": gguf(version=0x03000000),
    "absurd number of tensors": gguf(tensor_count=2**60),
    "absurd number of settings": gguf(setting_count=2**63),
    "more tensors than there are": gguf(tensor_count=9),
    "absurd text": gguf((setting("k", 8, struct.pack("<Q", 2**62)),)),
    "absurd name": gguf((struct.pack("<Q", 2**40),)),
    "absurd list of numbers": gguf((setting("k", 9, struct.pack("<IQ", 6, 2**62)),)),
    "absurd list of texts": gguf((setting("k", 9, struct.pack("<IQ", 8, 2**61)),)),
    "a text in a list that is too long": gguf((setting("k", 9, struct.pack("<IQQ", 8, 1, 2**50)),)),
    "lists in lists": gguf((setting("k", 9, struct.pack("<IQ", 9, 1)),)),
    "unknown kind of setting": gguf((setting("k", 77, b""),)),
    "text that is no UTF-8": gguf((setting("k", 8, text(b"\xff\xfe")),)),
    "a setting twice": gguf((setting("k", 0, b"a"), setting("k", 0, b"b"))),
    "a tensor twice": gguf((), (*ONE, tensor("a", (8,), offset=32)), data=64),
    "no dimensions": gguf((), (tensor("a", ()),)),
    "too many dimensions": gguf((), (tensor("a", (1,) * 9),)),
    "a side of zero": gguf((), (tensor("a", (8, 0)),)),
    "an absurd side": gguf((), (tensor("a", (2**62, 2**62)),)),
    "not whole blocks": gguf((), (tensor("a", (33,), kind=3),), data=100),
    "an offset beyond the end": gguf((), (tensor("a", (8,), offset=2**50),), data=64),
    "an offset that is not aligned": gguf((), (tensor("a", (8,), offset=4),), data=64),
    "tensors on top of each other": gguf((), (*ONE, tensor("b", (8,))), data=64),
    "truncated data": gguf((), ONE, data=31),
    "alignment of zero": gguf((setting("general.alignment", 4, struct.pack("<I", 0)),), ONE, data=64),
    "alignment of text": gguf((setting("general.alignment", 8, text("32")),), ONE, data=64),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_header_is_refused_at_once(write: Any, content: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(ModelUnreadable) as caught:
        read_header(write(content))
    assert caught.value.arguments["reason"].endswith(".")
    assert time.monotonic() - started < 1


def test_every_truncation_of_a_good_file_is_refused(write: Any) -> None:
    whole = gguf((setting("general.architecture", 8, text("llama")),), ONE, data=32)
    for length in range(len(whole)):
        with pytest.raises(ModelUnreadable):
            read_header(write(whole[:length]))
    assert read_header(write(whole)).elements == 8


def test_an_unknown_type_of_tensor_is_unsuitable(write: Any) -> None:
    with pytest.raises(ModelUnsuitable):
        read_header(write(gguf((), (tensor("a", (8,), kind=9999),), data=64)))


def test_a_header_without_end_is_refused(write: Any) -> None:
    path = write(b"")
    start = struct.pack("<4sIQQ", b"GGUF", 3, 0, 2) + setting("k", 9, struct.pack("<IQ", 0, MAX_HEADER * 2))
    with path.open("wb") as file:
        file.write(start)
        file.truncate(MAX_HEADER * 3)
    with pytest.raises(DiptychError, match="longer than"):
        read_header(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        read_header(tmp_path / "none.gguf")
