"""Answers :class:`Forecast`: what a graph will need here. Keeps how long drawings took, for the next ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.engine.protocol import (
    Calibrate,
    Calibrated,
    Forecast,
    ForecastChange,
    Forecasted,
    ForecastModel,
    Message,
    NodeFinished,
    NodeProgress,
    NodeStarted,
)
from pipelines.errors import DiptychError
from pipelines.graph.document import Graph
from pipelines.graph.registry import Registry
from pipelines.models.catalogue.catalogue import Catalogue

if TYPE_CHECKING:
    from pipelines.models.forecast import Forecast as Made
    from pipelines.models.forecast import Forecaster, History, Machine, ModelForecast

MOST_CLOCKS: Final = 1000
"""Nodes at work whose time is taken; those of runs that never ended are forgotten."""


class ForecastService:
    """``device`` gives the torch device that draws; ``reserve`` bytes of it are left to other programs."""

    def __init__(
        self,
        catalogue: Catalogue,
        registry: Registry,
        device: Callable[[], str],
        cache_dir: Path,
        reserve: int = 0,
    ) -> None:
        self._device, self._cache_dir, self._reserve = device, cache_dir, reserve
        self._catalogue, self._registry = catalogue, registry
        self._made: tuple[Forecaster, History] | None = None
        self._lock = threading.Lock()
        self._clocks: dict[tuple[str, str], float | None] = {}
        """When each node at work began with something else than reading; None: it makes several."""
        self._took: dict[tuple[str, str], float] = {}

    # --- forecasts -----------------------------------------------------------------------------------------

    def answer(self, request: Forecast) -> Forecasted:
        """The forecast for a graph.

        Raises:
            GraphUnreadable, GraphFromTheFuture: there is no graph.
        """
        forecaster, _ = self._tools()
        made = forecaster.forecast(Graph.loads(request.graph, "The graph"), self.machine())
        return Forecasted(
            request=request.request,
            device=made.machine.device,
            memory_bytes=made.machine.room,
            verdict=made.verdict,
            peak_bytes=made.peak,
            seconds=made.seconds,
            long=made.long,
            change=_change(made),
            openvino=_openvino(made),
            models=tuple(_model(item) for item in made.models),
            problems=dict(made.problems),
        )

    def calibrate(self, request: Calibrate) -> Calibrated:
        """Measure the device, and keep it. Takes some seconds; for the device's lane. A quick measurement
        never takes the place of a better one."""
        from pipelines.models.forecast.calibration import calibrate, read_calibration

        device = self._device()
        if not request.quick or not read_calibration(self._cache_dir, device).products:
            calibrate(device, self._cache_dir, quick=request.quick)
        return Calibrated(request=request.request, device=self._device())

    def _tools(self) -> tuple[Forecaster, History]:
        """Made when they are first needed, so that the engine starts without them."""
        from pipelines.models.forecast import Forecaster, History

        with self._lock:
            if self._made is None:
                history = History(self._cache_dir)
                self._made = Forecaster(self._catalogue, self._registry, history), history
            return self._made

    def machine(self) -> Machine:
        """The device with what other programs leave of it now."""
        import torch

        from pipelines.models.device import capabilities, memory
        from pipelines.models.forecast import Machine, read_calibration
        from pipelines.models.memory import host_memory

        device = self._device()
        able, now = capabilities(device, torch), memory(device, torch)
        room = min(now.free + now.used, now.total) if now.total else now.free
        return Machine(
            device, room, host_memory().total, able.dtype, able.quantization, self._reserve,
            read_calibration(self._cache_dir, device), now.total,
        )  # fmt: skip

    # --- times ---------------------------------------------------------------------------------------------

    def hear(self, message: Message) -> None:
        """Take the time of what the engine tells: of a drawing, from when its model is read to its end."""
        match message:
            case NodeStarted():
                with self._lock:
                    while len(self._clocks) > MOST_CLOCKS:
                        del self._clocks[next(iter(self._clocks))]
                    self._clocks[message.job, message.node] = time.monotonic()
            case NodeProgress(phase="reading"):
                with self._lock:
                    if self._clocks.get((message.job, message.node)) is not None:
                        self._clocks[message.job, message.node] = time.monotonic()
            case NodeProgress() if message.items > 1:
                with self._lock:
                    self._clocks[message.job, message.node] = None
            case NodeFinished():
                with self._lock:
                    began = self._clocks.pop((message.job, message.node), None)
                    if began is not None and message.status == "executed":
                        self._took[message.job, message.node] = time.monotonic() - began

    def times(self, job: str) -> dict[str, float]:
        """Seconds of a run's nodes, told once."""
        with self._lock:
            took = {node: seconds for (of, node), seconds in self._took.items() if of == job}
            self._took = {key: seconds for key, seconds in self._took.items() if key[0] != job}
        return took

    def note(self, graph: Graph, took: Mapping[str, float]) -> None:
        """Keep the times of a run's drawings; of a graph that nothing can be said of any more, none."""
        if not any(record.type == "model.diffusion" for record in graph.nodes.values()):
            return
        forecaster, history = self._tools()
        try:
            made = forecaster.forecast(graph, self.machine())
        except (DiptychError, OSError, ValueError):
            return
        for item in made.models:
            if item.ran is not None and item.node in took:
                history.note(item.ran, took[item.node])


def _model(item: ModelForecast) -> ForecastModel:
    needs = item.needs
    return ForecastModel(
        node=item.node,
        model=item.model,
        precision=item.dtype if item.quantization == "none" else f"{item.quantization}, {item.dtype}",
        verdict=needs.verdict,
        reason=needs.reason,
        weights=needs.weights,
        activations=needs.activations,
        decoding=needs.decoding,
        tiled=needs.tiled,
        peak_bytes=needs.peak,
        moved_bytes=needs.moved,
        seconds=needs.seconds,
        seen=item.seen,
        plain_seconds=item.plain,
        error=item.error,
    )


def _change(made: Made) -> ForecastChange | None:
    """The changes of all models that don't fit, as one."""
    from pipelines.models.forecast.verdict import VERDICTS

    if not any(item.change for item in made.models):
        return None
    params: dict[str, dict[str, Any]] = {}
    after = [item.change or item.needs for item in made.models]
    for item in made.models:
        for node, values in item.change.params.items() if item.change else ():
            params.setdefault(node, {}).update(values)
    known = [needs.seconds for needs in after if needs.seconds is not None]
    return ForecastChange(
        params=params,
        verdict=max((needs.verdict for needs in after), key=VERDICTS.index),
        peak_bytes=max(needs.peak for needs in after),
        seconds=(sum(least for least, _ in known), sum(most for _, most in known)) if known else None,
    )


def _openvino(made: Made) -> float:
    """How many times as fast OpenVINO would be, where it wins enough, and could compute all that is drawn."""
    from pipelines.models.openvino.trial import WINS

    times = made.machine.calibration.openvino
    drawn = [(item.quantization, item.ran.speed) for item in made.models if item.ran is not None]
    free = all(packed == "none" and "runtime=" not in speed for packed, speed in drawn)
    return times if drawn and free and times >= WINS else 0.0
