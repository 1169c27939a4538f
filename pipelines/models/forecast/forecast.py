"""A forecast for a graph: each node that works with a model, what it needs, and what would make it fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pipelines.errors import DiptychError
from pipelines.graph.document import Graph
from pipelines.graph.plan import plan
from pipelines.graph.planned import PlannedNode
from pipelines.graph.registry import Registry
from pipelines.models.catalogue.catalogue import Catalogue, Entry
from pipelines.models.device import BYTES
from pipelines.models.forecast.activations import fit_of
from pipelines.models.forecast.changes import Change, change
from pipelines.models.forecast.components import Component
from pipelines.models.forecast.drawings import drawing_of, enlarges
from pipelines.models.forecast.graphs import Nodes, changes_of, loader_of, share
from pipelines.models.forecast.history import History, Ran
from pipelines.models.forecast.opened import Opener
from pipelines.models.forecast.options import described
from pipelines.models.forecast.others import error_of, other
from pipelines.models.forecast.verdict import VERDICTS, Assessment, Drawing, Machine, Verdict, assess
from pipelines.models.parts.files import is_packed
from pipelines.models.probing.gguf_language import method_for, room_of
from pipelines.models.quantized.automatic import resolved

LONG: Final = 120.0
"""Seconds from which a run says beforehand that it will take long."""


@dataclass(frozen=True, slots=True)
class ModelForecast:
    """What one node needs. Sizes in bytes; see :class:`pipelines.models.forecast.verdict.Assessment`."""

    node: str
    model: str
    family: str
    dtype: str
    quantization: str
    needs: Assessment
    error: float = 0.0
    """How far the activations may be off, as a share."""
    change: Change | None = None
    ran: Ran | None = None
    """What its time is kept under, of a drawing."""
    seen: bool = False
    """Whether its seconds are those of earlier runs."""
    plain: tuple[float, float] | None = None
    """What earlier runs took without the settings for speed, where there are some."""

    def to_json(self) -> dict[str, Any]:
        """As one JSON object."""
        needs, change = self.needs, self.change
        return {
            "node": self.node, "model": self.model, "family": self.family, "dtype": self.dtype,
            "quantization": self.quantization, "verdict": needs.verdict, "reason": needs.reason,
            "weights": needs.weights, "activations": needs.activations, "vae": needs.decoding,
            "vae_tiled": needs.tiled, "kept": needs.kept, "peak": needs.peak, "resident": needs.resident,
            "moved_per_step": needs.moved, "seconds": needs.seconds, "loading_seconds": needs.loading,
            "seconds_from": "history" if self.seen else "calibration" if needs.seconds else None,
            "seconds_plain": self.plain, "activation_error": self.error,
            "change": None if change is None else {
                "params": {node: dict(params) for node, params in change.params.items()},
                "verdict": change.verdict, "peak": change.peak, "seconds": change.seconds,
            },
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a graph needs on a machine."""

    machine: Machine
    models: tuple[ModelForecast, ...]
    problems: Mapping[str, str]
    """Nodes that nothing can be said of, and why."""

    @property
    def verdict(self) -> Verdict:
        return max((item.needs.verdict for item in self.models), key=VERDICTS.index, default="fits")

    @property
    def peak(self) -> int:
        """Most bytes at a time: models that aren't in use make room."""
        return max((item.needs.peak for item in self.models), default=0)

    @property
    def seconds(self) -> tuple[float, float] | None:
        """The least and the most of what is drawn, without reading files; None before anything was
        measured. What is written or enlarged isn't in it.
        """
        known = [item.needs.seconds for item in self.models if item.needs.seconds is not None]
        if not known:
            return None
        return sum(least for least, _ in known), sum(most for _, most in known)

    @property
    def long(self) -> bool:
        """Whether it is expected to take over two minutes."""
        return self.seconds is not None and sum(self.seconds) / 2 > LONG

    def to_json(self) -> dict[str, Any]:
        """As one JSON object."""
        return {
            "device": self.machine.device, "device_memory": self.machine.memory,
            "host_memory": self.machine.host, "verdict": self.verdict, "peak": self.peak,
            "seconds": self.seconds, "long": self.long,
            "models": [item.to_json() for item in self.models], "problems": dict(self.problems),
        }  # fmt: skip


class Forecaster:
    """Makes forecasts, and remembers what each model is made of: only the first look at one reads files.

    ``history``: times of earlier runs, which go before computed ones.
    """

    def __init__(self, catalogue: Catalogue, registry: Registry, history: History | None = None) -> None:
        self._registry, self._history = registry, history
        self._opener = Opener(catalogue)

    def forecast(self, graph: Graph, machine: Machine) -> Forecast:
        """What the graph's nodes need, each for itself."""
        planned = plan(graph, self._registry)
        made: list[ModelForecast] = []
        problems = {}
        for name in planned.order:
            node = planned.nodes[name]
            if node.idle:
                continue
            try:
                made += self._of_node(node, planned.nodes, machine)
            except DiptychError as error:
                problems[name] = str(error)
        return Forecast(machine, tuple(made), problems)

    def _of_node(self, node: PlannedNode, nodes: Nodes, machine: Machine) -> Iterator[ModelForecast]:
        """For each model that a node works with, in the order in which it does."""
        for entry, dtype in self._opener.by_params(node):
            dtype = machine.dtype if dtype == "auto" else dtype
            needs = other(entry, self._opener.parts(entry), machine, dtype, "none", node.literals)
            yield _plain(node, entry, dtype, "none", needs)
        loader = loader_of(node, nodes)
        if loader is None:
            return
        refiner = loader_of(node, nodes, "refiner")
        switch = share(node.literals.get("switch"), 0.8) if refiner is not None else 1.0
        yield self._of(node, loader, "model", nodes, machine, switch)
        upscaler = loader_of(node, nodes, "upscaler")
        if upscaler is not None and enlarges(node, self._opener.model(loader)[0]):
            yield self._of(node, upscaler, "upscaler", nodes, machine)
        if refiner is not None and switch < 1:
            yield self._of(node, refiner, "refiner", nodes, machine, 1 - switch)

    def _of(
        self, node: PlannedNode, loader: PlannedNode, port: str, nodes: Nodes, machine: Machine,
        part_of_steps: float = 1.0,
    ) -> ModelForecast:  # fmt: skip
        """``part_of_steps``: of the drawing, those that this model has."""
        changes = changes_of(node, nodes, port)
        entry, parts = self._opener.model(loader, changes)
        dtype, packed = _precision(loader, entry, parts, machine)
        if entry.info.kind == "language" and is_packed(entry.weights):
            parts = parts if packed == "gguf" else tuple(replace(part, packed=0) for part in parts)
        if entry.info.kind != "diffusion" and not (entry.info.kind == "upscale" and entry.weights.is_dir()):
            params = node.literals if port == "model" else {}
            return _plain(node, entry, dtype, packed, other(entry, parts, machine, dtype, packed, params))
        made = drawing_of(node, nodes, entry, parts, self._opener, machine.dtype, changes)
        drawing = replace(made, steps=max(round(made.steps * part_of_steps), 1))
        if (vae := str(loader.literals.get("vae_dtype", "auto"))) in BYTES:
            drawing = replace(drawing, vae_dtype=vae)
        return self._drawn(node, loader, entry, drawing, machine, dtype, packed)

    def _drawn(
        self, node: PlannedNode, loader: PlannedNode, entry: Entry, drawing: Drawing, machine: Machine,
        dtype: str, packed: str,
    ) -> ModelForecast:  # fmt: skip
        needs = assess(drawing, machine, dtype, packed)
        better = None
        if needs.verdict != "fits":
            better = change(node, loader, entry, drawing, machine, needs, dtype, packed)
        main = [part for part in drawing.components if part.stage == "main"]
        error = max((fit_of(part, entry.info.family).error for part in main), default=0.0)
        if not main:  # times of prompts and of decoding alone aren't those of drawings
            return replace(_plain(node, entry, dtype, packed, needs), change=better)
        ran = Ran(
            entry.info.id, machine.device, drawing.pixels, drawing.pictures, f"{dtype}/{packed}",
            drawing.steps, described(drawing.speed), drawing.steered,
        )  # fmt: skip
        seen = self._history.find(ran) if self._history is not None else None
        plain = None
        if self._history is not None and ran.speed:
            plain = self._history.find(replace(ran, speed=""))
        if seen is not None and needs.verdict != "too_large":
            needs = replace(needs, seconds=seen)
        return ModelForecast(
            node.id, entry.info.id, entry.info.family, dtype, packed, needs, error, better, ran,
            seen is not None, plain,
        )  # fmt: skip


def forecast(
    graph: Graph, registry: Registry, catalogue: Catalogue, machine: Machine, history: History | None = None
) -> Forecast:
    """One forecast; keep a :class:`Forecaster` for several."""
    return Forecaster(catalogue, registry, history).forecast(graph, machine)


def _precision(
    loader: PlannedNode, entry: Entry, parts: tuple[Component, ...], machine: Machine
) -> tuple[str, str]:
    """The precision of a model and its quantization, with what “auto” stands for."""
    values = loader.literals
    dtype = str(values.get("dtype", "auto"))
    dtype = machine.dtype if dtype == "auto" else dtype
    chosen = str(values.get("quantization", "none"))
    packed = chosen
    if (text := str(values.get("text_quantization", "none"))) != "none":
        packed = f"{packed},text={text}"
    total = machine.total or machine.memory
    packed = resolved(
        packed, parts, entry.info.kind, device=machine.device, total=total, packs=machine.quantization,
        dtype=dtype,
    )  # fmt: skip
    if entry.info.kind == "language" and is_packed(entry.weights):
        packed = method_for(chosen, entry.probe.elements, room_of(total, machine.memory), dtype)
    return dtype, packed


def _plain(node: PlannedNode, entry: Entry, dtype: str, packed: str, needs: Assessment) -> ModelForecast:
    """Of a model that doesn't draw, or of a part of one that does."""
    error = error_of(entry) if needs.activations else 0.0
    return ModelForecast(node.id, entry.info.id, entry.info.family, dtype, packed, needs, error)
