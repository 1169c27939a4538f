"""Devices on hardware that isn't there: a torch that answers as told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pipelines.models import device as module
from pipelines.models.device import (
    capabilities,
    default_dtype,
    driver_version,
    dtype_name,
    find_problem,
    library_versions,
    memory,
    missing_architecture,
    pick,
    report,
    resolve_dtype,
)
from pipelines.models.memory import host_memory

GB = 2**30


def fake(
    cuda: bool = False, built: str | None = "13.0", arch: tuple[str, ...] = ("sm_75", "sm_80", "compute_120"),
    capability: tuple[int, int] = (8, 9), count: int = 1, mps: bool = False, xpu: bool = False,
    processor: dict[str, Any] | None = None, hip: str | None = None,
) -> Any:  # fmt: skip
    """A torch with the given hardware."""
    return SimpleNamespace(
        __version__="2.14.1", float32="f32", bfloat16="b16", float16="f16",
        version=SimpleNamespace(cuda=built, hip=hip),
        cuda=SimpleNamespace(
            is_available=lambda: cuda, device_count=lambda: count, get_arch_list=lambda: list(arch),
            get_device_capability=lambda index: capability, get_device_name=lambda index: f"Card {index}",
            get_device_properties=lambda index: SimpleNamespace(gcnArchName="gfx1100:sramecc-"),
            mem_get_info=lambda index: (3 * GB, 8 * GB), memory_reserved=lambda index: 2 * GB,
        ),
        xpu=SimpleNamespace(
            is_available=lambda: xpu, device_count=lambda: 1, get_device_name=lambda index: "Arc",
            mem_get_info=lambda index: (1 * GB, 2 * GB), memory_reserved=lambda index: 0,
        ),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)),
        mps=SimpleNamespace(recommended_max_memory=lambda: 10 * GB, driver_allocated_memory=lambda: 4 * GB),
        cpu=SimpleNamespace(get_capabilities=lambda: processor or {}),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "hardware", "device"),
    [
        ("auto", {}, "cpu"),
        ("auto", {"cuda": True}, "cuda:0"),
        ("auto", {"mps": True}, "mps"),
        ("auto", {"xpu": True}, "xpu:0"),
        ("cpu", {"cuda": True}, "cpu"),
        ("cuda:1", {"cuda": True, "count": 2}, "cuda:1"),
        ("cuda:1", {"cuda": True}, "cpu"),
        ("cuda", {}, "cpu"),
        ("mps", {"cuda": True}, "cpu"),
        ("auto", {"cuda": True, "capability": (6, 1)}, "cpu"),
        ("nonsense", {"cuda": True}, "cpu"),
    ],
)
def test_pick(setting: str, hardware: dict[str, Any], device: str) -> None:
    assert pick(setting, fake(**hardware)) == device


@pytest.mark.parametrize(
    ("device", "hardware", "dtype"),
    [
        ("cuda:0", {"capability": (7, 5)}, "fp16"),
        ("cuda:0", {"capability": (8, 0)}, "bf16"),
        ("cuda:0", {"capability": (12, 0)}, "bf16"),
        ("mps", {}, "fp16"),
        ("xpu:0", {}, "bf16"),
        ("cpu", {}, "fp32"),
        ("cpu", {"processor": {"avx512_f": True, "avx2": True}}, "fp32"),
        ("cpu", {"processor": {"avx512_bf16": True}}, "bf16"),
        ("cpu", {"processor": {"amx_bf16": True}}, "bf16"),
    ],
)
def test_default_precision(device: str, hardware: dict[str, Any], dtype: str) -> None:
    assert capabilities(device, fake(**hardware)).dtype == dtype
    assert dtype_name("auto", device, fake(**hardware)) == dtype
    assert dtype_name("fp32", device, fake(**hardware)) == "fp32"


def test_resolve_dtype() -> None:
    assert resolve_dtype("fp16", "cpu", torch) is torch.float16
    assert resolve_dtype("bf16", "cpu", torch) is torch.bfloat16
    assert default_dtype("cpu") in (torch.float32, torch.bfloat16)


@pytest.mark.parametrize(
    ("capability", "arch", "missing"),
    [
        ((8, 6), ("sm_80",), ""),
        ((8, 0), ("sm_86",), "sm_80"),
        ((6, 1), ("sm_75", "sm_80"), "sm_61"),
        ((12, 0), ("sm_90", "compute_90"), ""),
        ((12, 0), ("sm_90",), "sm_120"),
        ((12, 1), ("sm_120",), ""),
        ((9, 0), ("sm_90a", "sm_80"), "sm_90"),
        ((9, 0), (), ""),
    ],
)
def test_architectures(capability: tuple[int, int], arch: tuple[str, ...], missing: str) -> None:
    assert missing_architecture(0, fake(cuda=True, capability=capability, arch=arch)) == missing


def test_rocm_compares_names() -> None:
    assert missing_architecture(0, fake(cuda=True, hip="6.4", arch=("gfx1100", "gfx90a"))) == ""
    assert missing_architecture(0, fake(cuda=True, hip="6.4", arch=("gfx90a",))) == "gfx1100"


def test_a_card_that_is_there_but_unused_is_explained() -> None:
    assert find_problem("cpu", fake(), None) is None
    assert find_problem("cuda:0", fake(cuda=True), "580.1") is None
    cpu_build = find_problem("cpu", fake(built=None), "580.1")
    assert cpu_build is not None
    assert "for processors only" in cpu_build.text()
    old_driver = find_problem("cpu", fake(), "390.5")
    assert old_driver is not None
    assert "390.5" in old_driver.text()
    assert "CUDA 13.0" in old_driver.text()
    old_card = find_problem("cpu", fake(cuda=True, capability=(6, 1)), "580.1")
    assert old_card is not None
    assert "sm_61" in old_card.text()
    assert "Card 0" in old_card.text()
    for problem in (cpu_build, old_driver, old_card):
        assert problem.code == "DeviceUnused"
        assert all(problem.sentences())
        assert "{" not in problem.text()


def test_the_driver_is_found_in_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    assert driver_version(tmp_path) is None
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidia0").touch()
    assert driver_version(tmp_path) == ""
    version = tmp_path / "proc" / "driver" / "nvidia"
    version.mkdir(parents=True)
    (version / "version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27\n"
    )
    assert driver_version(tmp_path) == "580.65.06"


def test_memory() -> None:
    assert memory("cuda:0", fake()).free == 3 * GB
    assert memory("xpu:0", fake()).total == 2 * GB
    assert memory("mps", fake()).free == 6 * GB
    now = host_memory()
    assert 0 < now.used < now.total
    assert 0 < now.free <= now.total


def test_report() -> None:
    message = report("cuda:0", fake(cuda=True))
    assert (message.device, message.name, message.dtype) == ("cuda:0", "Card 0", "bf16")
    assert (message.free_bytes, message.total_bytes, message.used_bytes) == (3 * GB, 8 * GB, 2 * GB)
    assert message.problem is None
    assert message.versions["torch"] == torch.__version__.split("+")[0]
    unused = report("cpu", fake(built=None), "580.1")
    assert unused.problem is not None
    assert unused.problem.code == "DeviceUnused"
    assert unused.name
    assert set(library_versions()) >= {"torch", "diffusers", "transformers"}
