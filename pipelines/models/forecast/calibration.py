"""How fast this computer is, measured once in less than a minute: products, copies, and the disk."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, Final

from pipelines.files import atomic_write

if TYPE_CHECKING:
    import torch

NAME: Final = "calibration.json"
SIDE: Final = 2048
"""Of the matrices multiplied; on a processor a quarter of it."""
CHUNK: Final = 64 * 2**20
SECONDS: Final = 2.0
"""For each measurement."""
QUICK: Final = 0.3
"""The same where an estimate will do."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """``products``: operations a second by precision; ``copy`` and ``disk`` in bytes a second.

    ``device`` is what it was measured on; empty if it wasn't, and then no seconds can be said. ``openvino``
    is how many times as fast as torch OpenVINO was on a processor; 0 where it isn't installed. ``quick``:
    it was measured for a moment only, without OpenVINO.
    """

    device: str = ""
    products: Mapping[str, float] = field(default_factory=dict)
    copy: float = 0.0
    disk: float = 0.0
    openvino: float = 0.0
    quick: bool = False


def read_calibration(folder: Path, device: str = "") -> Calibration:
    """What was measured before, for ``device`` (any, if none is named)."""
    try:
        data = json.loads((folder / NAME).read_bytes())
        found = Calibration(
            str(data["device"]), {str(k): float(v) for k, v in data["products"].items()},
            float(data["copy"]), float(data["disk"]), float(data.get("openvino", 0.0)),
            bool(data.get("quick", False)),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Calibration()
    return found if not device or device == found.device else Calibration()


def calibrate(device: str, folder: Path, *, quick: bool = False) -> Calibration:
    """Measure, and keep it in ``folder``. Takes about ten seconds on a processor, one or two if it is to be
    ``quick``."""
    import torch

    from pipelines.models.device import DTYPES, capabilities

    kinds = ["fp32", capabilities(device, torch).dtype]
    place, seconds = torch.device(device), QUICK if quick else SECONDS
    made = Calibration(
        device,
        {name: _products(getattr(torch, DTYPES[name]), place, seconds) for name in dict.fromkeys(kinds)},
        _copies(place, seconds),
        _disk(folder),
        0.0 if quick else _openvino(device, getattr(torch, DTYPES[kinds[-1]])),
        quick,
    )
    atomic_write(folder / NAME, json.dumps(asdict(made), indent=2, sort_keys=True))
    return made


def _openvino(device: str, dtype: torch.dtype) -> float:
    from pipelines.models.openvino import available

    if device != "cpu" or not available():
        return 0.0
    from pipelines.models.openvino.trial import speedup

    return speedup(dtype)


def _rate(work: Callable[[], float], wait: Callable[[], None], seconds: float) -> float:
    """The best rate over some time; ``work`` says how much it did."""
    work()
    wait()
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        done = work()
        wait()
        best = max(best, done / (time.perf_counter() - started))
    return best


def _wait(device: torch.device) -> Callable[[], None]:
    import torch

    if device.type == "cpu":
        return lambda: None
    return lambda: torch.accelerator.synchronize(device)


def _products(dtype: torch.dtype, device: torch.device, seconds: float) -> float:
    import torch

    side = SIDE // 4 if device.type == "cpu" else 2 * SIDE
    first, second = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))

    def work() -> float:
        torch.mm(first, second)
        return 2.0 * side**3

    with torch.inference_mode():
        return _rate(work, _wait(device), seconds)


def _copies(device: torch.device, seconds: float) -> float:
    import torch

    source = torch.empty(CHUNK, dtype=torch.uint8)
    if device.type in ("cuda", "xpu"):
        source = source.pin_memory()
    target = torch.empty(CHUNK, dtype=torch.uint8, device=device)

    def work() -> float:
        target.copy_(source, non_blocking=True)
        return float(CHUNK)

    return _rate(work, _wait(device), seconds)


def _disk(folder: Path) -> float:
    """Bytes a second of a file that isn't in the system's cache, where the system lets one be dropped."""
    folder.mkdir(parents=True, exist_ok=True)
    block = os.urandom(2**20)
    with NamedTemporaryFile(dir=folder) as file:
        for _ in range(CHUNK // len(block)):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        advise: Any = getattr(os, "posix_fadvise", None)
        if advise is not None:
            advise(file.fileno(), 0, 0, getattr(os, "POSIX_FADV_DONTNEED", 4))
        started = time.perf_counter()
        file.seek(0)
        while file.read(2**20):
            pass
        return CHUNK / (time.perf_counter() - started)
