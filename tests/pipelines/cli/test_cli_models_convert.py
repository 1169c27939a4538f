"""``diptych models convert``, as a user types it."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from tests.helpers.hostile_models import Canary


def test_files_are_converted_and_what_could_not_be_is_said(diptych, tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.ones(3)}, "epoch": 1}, tmp_path / "good one.pth")
    torch.save({"a": torch.ones(3), "x": Canary(tmp_path / "canary")}, tmp_path / "bad.ckpt")
    done = diptych("models", "convert", "good one.pth", "bad.ckpt", "--json")
    good, bad = done.json["conversions"]
    assert done.code == 1
    assert good["left_out"] == ["epoch"]
    assert torch.equal(load_file(good["path"])["a"], torch.ones(3))
    assert bad["error"]["code"] == "ConversionRefused"
    assert "mkdir" in done.err
    again = diptych("models", "convert", "good one.pth")
    assert again.code == 1
    assert "good one.safetensors is there already" in again.err
    other = diptych("models", "convert", "good one.pth", "-o", "sub/other.safetensors")
    assert other.code == 0
    assert "Left out: epoch" in other.out
    assert load_file(tmp_path / "sub" / "other.safetensors").keys() == {"a"}
    assert not (tmp_path / "canary").exists()
