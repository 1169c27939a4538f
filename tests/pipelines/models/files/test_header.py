"""The bounded check of a safetensors header, against files made to break it."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipelines.errors import ModelFormatUnsupported, ModelMissing, ModelUnreadable, ModelUnsafe
from pipelines.models.files.header import MAX_HEADER, read_header
from pipelines.models.files.safety import check_file
from tests.helpers.model_files import raw, sparse


def entry(start: int, end: int, shape: list[int] | None = None, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape or [(end - start) // 4], "data_offsets": [start, end]}


class Canary:
    """Unpickling it writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def test_true_file(tmp_path: Path) -> None:
    tensors = {"a": torch.zeros(3, 5), "b": torch.ones(7, dtype=torch.bfloat16), "empty": torch.zeros(0)}
    save_file(tensors, tmp_path / "m.safetensors", {"by": "test"})
    header = read_header(tmp_path / "m.safetensors")
    assert {name: facts.shape for name, facts in header.tensors.items()} == {
        "a": (3, 5), "b": (7,), "empty": (0,),
    }  # fmt: skip
    assert header.metadata == {"by": "test"}
    assert header.elements() == 22


@pytest.mark.parametrize("protocol", range(2, 6))
def test_renamed_pickle_is_refused_unopened(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(pickle.dumps(Canary(tmp_path / "ran"), protocol))
    with pytest.raises(ModelUnsafe, match="pickle"):
        check_file(path)
    assert not (tmp_path / "ran").exists()


def test_other_formats_by_their_bytes(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "zip.safetensors")
    assert zipfile.is_zipfile(tmp_path / "zip.safetensors")
    with pytest.raises(ModelUnsafe):
        read_header(tmp_path / "zip.safetensors")
    (tmp_path / "g.safetensors").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelFormatUnsupported, match="GGUF"):
        read_header(tmp_path / "g.safetensors")
    (tmp_path / "text.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n" * 3)
    with pytest.raises(ModelUnreadable, match="not a safetensors"):
        read_header(tmp_path / "text.safetensors")
    with pytest.raises(ModelMissing):
        read_header(tmp_path / "none.safetensors")


def test_truncated_anywhere(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(64), "b": torch.zeros(64)}, tmp_path / "whole.safetensors")
    whole = (tmp_path / "whole.safetensors").read_bytes()
    for length in (0, 5, 8, 20, len(whole) - 300, len(whole) - 1):
        path = tmp_path / f"{length}.safetensors"
        path.write_bytes(whole[:length])
        with pytest.raises(ModelUnreadable):
            read_header(path)
    (tmp_path / "longer.safetensors").write_bytes(whole + b"x")
    with pytest.raises(ModelUnreadable, match="belong to no tensor"):
        read_header(tmp_path / "longer.safetensors")


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, MAX_HEADER + 1, 10**9])
def test_absurd_header_length(tmp_path: Path, length: int) -> None:
    with pytest.raises(ModelUnreadable):
        read_header(raw(tmp_path / "m.safetensors", b"{}" + bytes(50), length=length))


@pytest.mark.parametrize(
    ("header", "data_bytes", "reason"),
    [
        ({"a": entry(0, 8), "b": entry(4, 12)}, 12, "overlaps"),
        ({"a": entry(0, 8), "b": entry(12, 16)}, 16, "gap"),
        ({"a": entry(8, 16)}, 16, "gap"),
        ({"a": entry(0, 400)}, 40, "truncated"),
        ({"a": entry(8, 0, [2])}, 8, "byte range"),
        ({"a": entry(0, 8, [3])}, 8, "doesn't fit"),
        ({"a": entry(0, 8, [2**40, 2**40])}, 8, "doesn't fit"),
        ({"a": entry(0, 8, [-2])}, 8, "no usable shape"),
        ({"a": entry(0, 8, [True, 2])}, 8, "no usable shape"),
        ({"a": entry(0, 8, dtype="PICKLE")}, 8, "unknown type"),
        ({"a": {**entry(0, 8), "data_offsets": [0, 8.0]}}, 8, "byte range"),
        ({"a": [0, 8]}, 8, "not described"),
        ({"__metadata__": {"a": 1}}, 0, "metadata"),
        ({str(index): entry(0, 0, [0]) for index in range(50_001)}, 0, "50,001"),
    ],
)
def test_broken_rules(tmp_path: Path, header: dict[str, object], data_bytes: int, reason: str) -> None:
    for separators in (None, (",", ":")):  # the second is how the library writes them, which is read in bulk
        text = json.dumps(header, separators=separators).encode()
        with pytest.raises(ModelUnreadable, match=reason):
            read_header(raw(tmp_path / "m.safetensors", text, data_bytes))


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": NaN}',
        b'{"a"',
        b"{\xff\xfe}",
        b'{"a":{"dtype":"F32","shape":[' + b"9" * 5_000 + b'],"data_offsets":[0,8]}}',
        b'{"a":{"dtype":"F32","shape":[02],"data_offsets":[0,8]}}',
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[00,8]}}',
        b'{"a\n":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
        b'{"\\":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
        b'{"\xff":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}}',
        b'{"a":{"shape":"F32","dtype":[2],"data_offsets":[0,8]}}',
        b'{"__metadata__":{"x":"y","x":"y"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
        b'{"__metadata__":{"x":"y"},"__metadata__":{},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
    ],
    ids=["duplicate", "deep", "nan", "cut", "not utf-8", "huge number", "zero first", "zeros", "line end",
         "escape", "latin", "brace", "swapped", "metadata twice", "two metadata"],
)  # fmt: skip
def test_broken_json(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(ModelUnreadable):
        read_header(raw(tmp_path / "m.safetensors", text, 8))


def test_the_form_of_the_text_changes_nothing(tmp_path: Path) -> None:
    """Read in bulk or tensor by tensor: in another order, with spaces, with escapes, with odd metadata."""
    tensors = {"a.b": entry(0, 8), "ü": entry(8, 24, [2, 2]), "half": entry(24, 28, [2], "F16"),
               "none": entry(28, 28, [0, 5])}  # fmt: skip
    notes = {"ss_tag_frequency": json.dumps({"a": {"1girl": 3}}), "title": 'Ü \\ "'}
    compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
    texts = [
        compact({"__metadata__": notes, **tensors}),
        compact({"__metadata__": notes, **tensors}) + "   ",
        json.dumps({**tensors, "__metadata__": notes}),
        compact({"__metadata__": notes, **dict(reversed(tensors.items()))}),
    ]
    headers = [read_header(raw(tmp_path / "m.safetensors", text.encode(), 28)) for text in texts]
    assert headers[0].tensors["ü"].shape == (2, 2)
    assert headers[0].numbers == {"F32": 6, "F16": 2}
    for header in headers:
        assert (header.metadata, dict(header.tensors)) == (notes, dict(headers[0].tensors))
        assert header.numbers == headers[0].numbers


def test_huge_metadata_within_the_bound_is_read(tmp_path: Path) -> None:
    path = sparse(tmp_path / "m.safetensors", {"a": (1,)}, metadata={"note": "x" * 8_000_000})
    assert len(read_header(path).metadata["note"]) == 8_000_000
    path = sparse(tmp_path / "n.safetensors", {"a": (1,)}, metadata={"note": "x" * MAX_HEADER})
    with pytest.raises(ModelUnreadable, match="header"):
        read_header(path)


def test_safetensors_under_another_name_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadable, match="Rename"):
        check_file(sparse(tmp_path / "m.ckpt", {"a": (1,)}))
