"""The check of a card: measured beside foreseen, on a card that is main memory; a card's own counters."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from pipelines.models.forecast import Machine
from tests.helpers import tiny_pipelines

SCRIPT = Path(__file__).parents[2] / "packaging" / "gpu_check.py"
SMALL = ("--device", "cpu", "--steps", "3", "--side", "64")


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_check", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gpu_check"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline whose denoiser is larger than its text encoder, so that it has to stream."""
    folder = tmp_path_factory.mktemp("model")
    pipeline = tiny_pipelines.sd1()
    pipeline.unet = tiny_pipelines.unet(block_out_channels=(64, 192), layers_per_block=2)
    pipeline.save_pretrained(folder)
    return folder


def test_a_model_is_measured_where_it_fits_and_where_it_streams(
    check: ModuleType, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "figures.json"
    assert check.main([str(model), *SMALL, "--json", str(target)]) == 0
    printed = capsys.readouterr().out
    assert "no card that torch can use" in printed
    whole, small = json.loads(target.read_text())
    assert (whole["problem"], whole["moved"], whole["forecast_moved"]) == ("", 0, 0)
    assert small["moved"] > 0
    assert small["moved"] == pytest.approx(small["forecast_moved"], rel=0.2)
    assert small["offload"].startswith("streams")
    for row in (whole, small):
        assert row["step_seconds"] > 0
        assert row["allocated"] == pytest.approx(row["forecast_peak"], rel=0.35)
        assert row["reserved"] is None
    assert small["allocated"] < whole["allocated"]
    assert printed.count(str(model)) == 2


def test_what_can_not_be_drawn_with_is_a_line_too(
    check: ModuleType, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main([str(model), "nowhere", *SMALL, "--device-memory", "920MiB"]) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert "nowhere" in lines[-1]
    assert len({line.count("|") for line in lines}) == 1


def test_a_card_tells_its_own_peaks(check: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: calls.append("reset"))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 5)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 7)
    monkeypatch.setattr(torch.accelerator, "synchronize", lambda: calls.append("wait"))
    memory = check.Memory(check.Card(Machine("cuda:0", 1, 1)))
    memory.settle()
    assert (calls, memory.peak()) == (["reset", "wait"], (5, 7))
    looks: Any = iter((3, 9, 4))
    monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: next(looks))
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 10)
    apple = check.Memory(check.Card(Machine("mps", 1, 1)))
    for _ in range(3):
        apple.settle()
    assert apple.peak() == (9, 10)
