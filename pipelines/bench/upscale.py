"""Super-resolution: speed and memory in one tile and in many beside the bare model, and 8192² saved."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from pipelines.bench.engine import Drive
from pipelines.bench.report import MeasurementFailed, Row, resident_bytes, seconds
from pipelines.engine.host import set_environment
from pipelines.engine.hosts import ProcessHost
from pipelines.engine.protocol import Device, Prepare
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.values import Array, Image, ModelHandle
from pipelines.metadata import write_image
from pipelines.models.libraries import go_offline
from pipelines.paths import RESOURCES

ROUNDS: Final = 5
SIDE: Final = 500
LARGE: Final = 2048
"""Side of the picture that becomes 8192²."""
WEIGHTS: Final = RESOURCES / "starter" / "upscaler" / "upscaler_4x.safetensors"
_GIGABYTE: Final = 1e9
_EVERY: Final = 0.01
"""Seconds between two looks at a process's memory."""


def measure() -> Iterator[Row]:
    """The starter upscaler on 512², then a graph that opens 2048², enlarges it to 8192² and saves it."""
    set_environment()
    go_offline()
    yield from _beside_bare()
    yield from _large()


class Peak:
    """The most memory a process had while the block ran (Linux)."""

    def __init__(self, pid: int | None = None) -> None:
        self._pid = pid
        self.before = self.bytes = resident_bytes(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="diptych-memory", daemon=True)

    @property
    def above(self) -> int:
        """Bytes above what it had at the beginning."""
        return self.bytes - self.before

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_EVERY):
            self.bytes = max(self.bytes, resident_bytes(self._pid))


def _beside_bare() -> Iterator[Row]:
    """Alternating runs of the same picture; what is compared is the quickest of each, the rest is noise."""
    import torch
    from spandrel import ImageModelDescriptor, ModelLoader

    from pipelines.models.loaded import LoadedUpscale
    from pipelines.upscale import upscale

    descriptor = ModelLoader().load_from_file(WEIGHTS)
    assert isinstance(descriptor, ImageModelDescriptor)
    descriptor.float().eval()
    handle = ModelHandle("upscale", "starter/upscaler", str(WEIGHTS), "Compact")
    loaded = LoadedUpscale(handle, descriptor, torch.device("cpu"), torch.float32)
    image = Image(_picture(SIDE))
    ways: dict[str, Callable[[], object]] = {
        "bare spandrel call": lambda: _bare(descriptor, image.pixels),
        "untiled": lambda: upscale(loaded, image, tile=SIDE * 2),
        "tiled": lambda: upscale(loaded, image),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    peaks: dict[str, list[int]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name in list(ways) if round_ % 2 else reversed(ways):  # whoever comes first is never the same
            with Peak() as peak:
                took = seconds(ways[name])
            if round_:  # the first one warms up
                times[name].append(took)
                peaks[name].append(peak.above)
    best = {name: min(taken) for name, taken in times.items()}
    pixels = (SIDE * int(descriptor.scale)) ** 2 / 1e6
    for name, taken in best.items():
        memory = statistics.median(peaks[name]) / 1e6
        note = f"{SIDE}² to {SIDE * 4}², peak memory {memory:.0f} MB above idle"
        yield Row("upscale", f"starter upscaler, {name}", pixels / taken, "MP/s", note=note)
    ratio = best["bare spandrel call"] / best["untiled"]
    yield Row("upscale", "untiled against the bare call", ratio, "×", 0.95, at_least=True)
    yield Row("upscale", "tiled against the bare call", best["bare spandrel call"] / best["tiled"], "×")


def _bare(descriptor: Any, pixels: Array) -> Array:
    """What anyone must do: bytes to a tensor, through the model, and back to bytes."""
    import torch

    batch = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].contiguous().float() / 255
    with torch.inference_mode():
        result = descriptor(batch)[0]
        return (result.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def _large() -> Iterator[Row]:
    """In a process of its own, as in use: memory above what the engine has with its libraries imported."""
    with TemporaryDirectory() as folder:
        drive = Drive(Path(folder))
        drive.client.start()
        drive.client.send(Prepare())
        drive.wait(Device)
        host = drive.client._host
        if not isinstance(host, ProcessHost) or not resident_bytes(host.pid):
            raise MeasurementFailed("the memory of another process can't be read here")
        source = write_image(Image(_picture(LARGE)), Path(folder) / "in.png")
        time.sleep(0.5)
        with Peak(host.pid) as peak:
            took = seconds(lambda: drive.run(_graph(source, Path(folder))))
        saved = next((Path(folder)).glob("out*.png"), None)
        with suppress(OSError):
            drive.client.close()
        if saved is None:
            raise MeasurementFailed("nothing was saved")
        size = LARGE * 4
        note = (
            f"idle {peak.before / _GIGABYTE:.2f} GB, file {saved.stat().st_size / 1e6:.0f} MB, {took:.0f} s"
        )
    yield Row(
        "upscale",
        f"{LARGE}² to {size}², saved: peak memory above idle",
        peak.above / _GIGABYTE,
        "GB",
        2,
        note=note,
    )
    yield Row("upscale", f"{LARGE}² to {size}², opened, enlarged, saved", size**2 / 1e6 / took, "MP/s")


def _graph(source: Path, folder: Path) -> Graph:
    inputs = {"model": ("model", "model"), "image": ("open", "image")}
    save = {"folder": str(folder), "name": "out"}
    return (
        Graph()
        .with_node("open", NodeRecord.new("image.load", params={"path": str(source)}))
        .with_node("model", NodeRecord.new("model.upscale"))
        .with_node("enlarge", NodeRecord.new("upscale.model", inputs=inputs))
        .with_node("save", NodeRecord.new("image.save", params=save, inputs={"image": ("enlarge", "image")}))
    )


def _picture(side: int) -> Array:
    """Soft shapes and some grain, side×side×3 uint8: about as hard to compress as a photograph."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side].astype(np.float32) / np.float32(side)
    waves = [np.sin(9 * (a * rows + b * columns)) for a, b in ((1, 2), (2, -1), (3, 1))]
    pixels = 0.5 + 0.3 * np.stack(waves, axis=2) + random.normal(0, 0.02, (side, side, 3))
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
