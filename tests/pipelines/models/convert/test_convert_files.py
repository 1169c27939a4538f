"""Converting what PyTorch wrote: the same numbers under the same names, and nothing else."""

from __future__ import annotations

import shutil
import sys
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import spandrel
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact

from pipelines.errors import (
    AlreadyConverted,
    Cancelled,
    ConversionFailed,
    ConversionUnneeded,
    DiskFull,
    ModelMissing,
)
from pipelines.graph.node import FlagToken
from pipelines.models.convert.conversion import convert, target_of
from pipelines.models.files.header import read_header
from pipelines.models.probing.probe import probe_file


def same(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Equal bit for bit, in types that can't be compared as well."""
    if first.dtype != second.dtype or first.shape != second.shape:
        return False
    if first.dtype.is_floating_point and first.dtype.itemsize == 1:
        return torch.equal(first.view(torch.uint8), second.view(torch.uint8))
    return torch.equal(first, second)


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    """Every way a tensor can lie in its storage, and the types in use."""
    base = torch.arange(42, dtype=torch.float32).reshape(6, 7)
    return OrderedDict(
        whole=base, tied=base, transposed=base.t(), cut=base[2:4, 1:], strided=base[::2, ::3],
        expanded=torch.tensor([[1.0], [2.0]]).expand(2, 5), scalar=torch.tensor(3.5), empty=torch.zeros(0, 3),
        half=torch.ones(5, dtype=torch.float16), brain=torch.linspace(0, 1, 6, dtype=torch.bfloat16),
        counts=torch.arange(3), flags=torch.tensor([True, False, True]),
        parameter=torch.nn.Parameter(torch.tensor([1.0, 2.0])), complex=torch.tensor([1 + 2j]),
    )  # fmt: skip


@pytest.mark.parametrize(
    "options", [{}, {"pickle_protocol": 4}, {"_use_new_zipfile_serialization": False}],
    ids=["archive", "protocol 4", "before 1.6"],
)  # fmt: skip
def test_every_tensor_arrives_as_it_was(
    tmp_path: Path, tensors: dict[str, torch.Tensor], options: dict[str, Any]
) -> None:
    if "_use_new_zipfile_serialization" not in options:
        tensors["eight"] = torch.tensor([0.5, -3.0]).to(torch.float8_e4m3fn)
        tensors["unsigned"] = torch.tensor([1, 60_000], dtype=torch.uint16)
    source = tmp_path / "model.pth"
    torch.save(tensors, source, **options)
    before = source.read_bytes()
    made = convert(source)
    found = load_file(made.path)
    assert made.path == tmp_path / "model.safetensors"
    assert made.doubtful == 0
    assert found.keys() == tensors.keys()
    assert [name for name in tensors if not same(found[name], tensors[name].detach())] == []
    assert source.read_bytes() == before
    with safe_open(made.path, "pt") as file:
        assert file.metadata() == {"format": "pt", "converted_from": "model.pth"}


def weights(**values: float) -> dict[str, torch.Tensor]:
    return {name.replace("__", "."): torch.tensor([value]) for name, value in values.items()}


ONE, TWO = weights(w=1.0), weights(w=2.0)


@pytest.mark.parametrize(
    ("saved", "names", "dropped"),
    [
        ({"params": ONE, "params_ema": TWO}, {"w": 2}, ("params",)),
        ({"state_dict": ONE, "optimizer": {"state": {0: TWO}}, "epoch": 3}, {"w": 1}, ("optimizer", "epoch")),
        ({"model": {"net": ONE}}, {"w": 1}, ()),
        ({"image_proj": ONE, "ip_adapter": TWO}, {"image_proj.w": 1, "ip_adapter.w": 2}, ()),
        ({"string_to_param": {"*": ONE["w"]}, "step": 9}, {"emb_params": 1}, ("step",)),
        (
            weights(model__diffusion_model__w=1, model_ema__w=2),
            {"model.diffusion_model.w": 1},
            ("model_ema",),
        ),
        ({"w": ONE["w"], "pro": True, "comment": "hello"}, {"w": 1, "pro": True}, ("comment",)),
    ],
    ids=["moving average", "training", "nested", "ip-adapter", "embedding", "stable diffusion", "flag"],
)
def test_the_weights_are_found_in_what_programs_save(
    tmp_path: Path, saved: Any, names: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    torch.save(saved, tmp_path / "m.ckpt")
    made = convert(tmp_path / "m.ckpt")
    assert {name: tensor.item() for name, tensor in load_file(made.path).items()} == names
    assert made.dropped == dropped


def test_an_upscaler_is_recognised_and_draws_the_same(tmp_path: Path) -> None:
    network = SRVGGNetCompact(num_feat=8, num_conv=2, upscale=2).eval()
    torch.save({"params": network.state_dict()}, tmp_path / "x2.pth")
    made = convert(tmp_path / "x2.pth")
    assert probe_file(read_header(made.path)).kind == "upscale"
    descriptor = spandrel.ModelLoader().load_from_state_dict(load_file(made.path))
    picture = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(descriptor(picture), network(picture).clamp(0, 1))


def test_a_module_with_more_than_its_items_on_it(tmp_path: Path) -> None:
    """A state dict carries ``_metadata``, which is set on it and holds no weights."""
    layer = torch.nn.BatchNorm2d(3)
    torch.save(layer.state_dict(), tmp_path / "m.pt")
    assert load_file(convert(tmp_path / "m.pt").path).keys() == layer.state_dict().keys()


def test_names_of_the_target() -> None:
    assert target_of(Path("a/x4plus.pth")) == Path("a/x4plus.safetensors")
    assert target_of(Path("a/pytorch_model.bin")) == Path("a/model.safetensors")
    assert (
        target_of(Path("a/diffusion_pytorch_model.fp16.bin")).name
        == "diffusion_pytorch_model.fp16.safetensors"
    )


def test_nothing_is_replaced_and_nothing_is_converted_twice(tmp_path: Path) -> None:
    source = tmp_path / "m.pth"
    torch.save({"a": torch.zeros(2)}, source)
    made = convert(source).path
    made.write_bytes(b"mine")
    with pytest.raises(AlreadyConverted):
        convert(source)
    assert made.read_bytes() == b"mine"
    save_file({"a": torch.zeros(2)}, tmp_path / "disguised.pth")
    with pytest.raises(ConversionUnneeded):
        convert(tmp_path / "disguised.pth")
    with pytest.raises(ModelMissing):
        convert(tmp_path / "none.pth")


def test_progress_and_cancel(tmp_path: Path) -> None:
    source = tmp_path / "m.pth"
    torch.save({str(number): torch.zeros(2**20) for number in range(4)}, source)
    token, seen = FlagToken(), []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))
        token.cancel()

    with pytest.raises(Cancelled):
        convert(source, cancel=token, progress=progress)
    assert seen == [(4 * 2**20, 16 * 2**20)]
    assert list(tmp_path.iterdir()) == [source]


def test_a_full_disk_is_seen_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"a": torch.zeros(2**20)}, tmp_path / "m.pth")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(DiskFull, match="4"):
        convert(tmp_path / "m.pth")
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("lost", [1, 5_000, 40_000])
def test_a_file_that_is_cut_off(tmp_path: Path, old: bool, lost: int) -> None:
    source = tmp_path / "m.pth"
    torch.save({"a": torch.zeros(10_000)}, source, _use_new_zipfile_serialization=not old)
    with source.open("r+b") as file:
        file.truncate(source.stat().st_size - lost)
    with pytest.raises(ConversionFailed, match="damaged"):
        convert(source)
    assert len(list(tmp_path.iterdir())) == 1


def test_numbers_that_changed_on_the_way_are_told(tmp_path: Path) -> None:
    source = tmp_path / "m.pth"
    torch.save({"a": torch.full((1000,), 7.0), "b": torch.zeros(1000)}, source)
    data = bytearray(source.read_bytes())
    data[data.index(torch.full((1000,), 7.0).numpy().tobytes()) + 100] ^= 1
    source.write_bytes(data)
    assert convert(source).doubtful == 1


@pytest.mark.posix
def test_memory_is_bounded(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(5_000, 6_000).t()}, tmp_path / "m.pth")
    with pytest.raises(ConversionFailed, match="memory"):
        convert(tmp_path / "m.pth", memory=250 * 2**20)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.posix
def test_a_reader_that_ends_by_itself_is_an_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "m.pth")
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(ConversionFailed, match="ended with code 1"):
        convert(tmp_path / "m.pth")
    assert len(list(tmp_path.iterdir())) == 1
