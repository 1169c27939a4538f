"""The engine process: how fast it is there, how fast it draws, cancels and shows, and what it needs."""

from __future__ import annotations

import queue
import statistics
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.bench.report import MeasurementFailed, Row, resident_bytes, seconds
from pipelines.engine.client import EngineClient, HostFactory, default_settings
from pipelines.engine.hosts import ProcessHost
from pipelines.engine.protocol import Device, Message, NodeProgress, Prepare, RunFinished
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.storage import read_document
from pipelines.paths import RESOURCES


class Drive:
    """An engine process and the times at which its events arrived."""

    def __init__(self, folder: Path, host: HostFactory = ProcessHost) -> None:
        self.events: queue.SimpleQueue[tuple[float, Message]] = queue.SimpleQueue()
        settings = default_settings(output_dir=str(folder / "pictures"), cache_dir=str(folder / "cache"))
        self.client = EngineClient(
            settings, lambda event: self.events.put((time.perf_counter(), event)), host
        )

    def wait(self, kind: type[Message], timeout: float = 300) -> tuple[float, Message]:
        """The next event of a kind, and when it came."""
        until = time.perf_counter() + timeout
        while True:
            when, event = self.events.get(timeout=max(0.01, until - time.perf_counter()))
            if isinstance(event, kind):
                return when, event

    def run(self, graph: Graph) -> list[tuple[float, Message]]:
        """All events of a run, the time of submission first."""
        seen: list[tuple[float, Message]] = []
        job = self.client.submit(graph)
        while True:
            item = self.events.get(timeout=300)
            seen.append(item)
            if isinstance(item[1], RunFinished) and item[1].job == job:
                if item[1].status != "finished":
                    raise MeasurementFailed(
                        f"{item[1].status}: {[error.message for error in item[1].errors]}"
                    )
                return seen


def starter_graph(seed: int, **params: object) -> Graph:
    """The default graph (16 steps, 4× upscale, saved) with a seed."""
    graph = read_document(RESOURCES / "templates" / "prompt_to_image.json").with_param("draw", "seed", seed)
    for name, value in params.items():
        graph = graph.with_param("draw", name, value)
    return graph


def measure() -> Iterator[Row]:
    """Start, memory, warm image, first preview, cancel, embedding cache."""
    with TemporaryDirectory() as folder:
        drive = Drive(Path(folder))
        started = time.perf_counter()
        drive.client.start()
        number = Graph().with_node("a", NodeRecord.new("number.constant", params={"value": 1.0}))
        drive.run(number)
        yield Row(
            "engine", "process ready, first graph without a model done", time.perf_counter() - started, "s", 1
        )
        drive.client.send(Prepare())
        when, _ = drive.wait(Device)
        yield Row("engine", "torch and diffusers imported (background)", when - started, "s")
        first = seconds(lambda: drive.run(starter_graph(0)))
        yield Row("engine", "starter image, cold model", first, "s")
        warm = [seconds(lambda i=index: drive.run(starter_graph(i))) for index in range(1, 6)]  # type: ignore[misc]
        yield Row(
            "engine", "starter image, 16 steps, 4× upscale, saved, warm", statistics.median(warm), "s", 3
        )
        fp32 = [seconds(lambda i=index: drive.run(_fp32(i))) for index in range(6)][1:]  # type: ignore[misc]
        ratio = statistics.median(fp32) / statistics.median(warm)
        yield Row("engine", "the same in fp32, against the default precision", ratio, "×")
        yield from _previews(drive)
        yield from _cancel(drive)
        host = drive.client._host
        pid = host.pid if isinstance(host, ProcessHost) else 0
        yield Row("engine", "memory with the starter", resident_bytes(pid) / 2**20, "MB", 1536)
        drive.client.close()


def _fp32(seed: int) -> Graph:
    return starter_graph(1000 + seed).with_param("model", "dtype", "fp32")


def _previews(drive: Drive) -> Iterator[Row]:
    """From the first step's progress message: how long after a step's length is its picture there."""
    events = drive.run(starter_graph(50))
    steps = [
        (when, event)
        for when, event in events
        if isinstance(event, NodeProgress) and event.phase == "denoising"
    ]
    shown = [when for when, event in steps if event.preview is not None]
    begun = next((when for when, event in steps if event.step == 0), None)
    if len(shown) < 3:
        return
    step = statistics.median(b - a for a, b in pairwise(shown))
    yield Row("engine", "steps with a preview", len(shown), "of 16", 16, at_least=True)
    yield Row("engine", "a step", step * 1000, "ms")
    if begun is not None:
        late = (shown[0] - begun - step) * 1000
        yield Row("engine", "first preview, later than one step by", late, "ms", 30)


def _cancel(drive: Drive) -> Iterator[Row]:
    """Cancel in the middle of a long run: how many steps' time passes until it has ended."""
    step = 0.05
    delays: list[float] = []
    for index in range(5):
        job = drive.client.submit(starter_graph(60 + index, steps=400))
        times: list[float] = []
        while len(times) < 20:
            when, event = drive.events.get(timeout=300)
            if isinstance(event, NodeProgress) and event.phase == "denoising" and event.job == job:
                times.append(when)
        step = statistics.median(b - a for a, b in pairwise(times))
        asked = time.perf_counter()
        drive.client.cancel(job)
        when, _ = drive.wait(RunFinished)
        delays.append((when - asked) / step)
    note = f"a step takes {step * 1000:.0f} ms; median of 5"
    yield Row("engine", "cancel to end of run", statistics.median(delays), "steps", 1, note=note)
