"""A forecast for a graph: each node that works with a model, what it needs, and what would make it fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, cast

from pipelines.diffusion.any_size import plan_size
from pipelines.diffusion.size_limits import limits_for
from pipelines.errors import DiptychError
from pipelines.graph.document import Graph
from pipelines.graph.plan import plan
from pipelines.graph.planned import PlannedNode
from pipelines.graph.registry import Registry
from pipelines.models.abilities import why_not
from pipelines.models.automatic import resolved
from pipelines.models.catalogue import Catalogue, Entry
from pipelines.models.device import BYTES
from pipelines.models.forecast.activations import fit_of
from pipelines.models.forecast.changes import Change, change
from pipelines.models.forecast.components import Component, components_of
from pipelines.models.forecast.history import History, Ran
from pipelines.models.forecast.options import described, speed_of
from pipelines.models.forecast.verdict import (
    VERDICTS,
    Assessment,
    Drawing,
    Machine,
    Verdict,
    assess,
    bytes_of,
    least_of,
)
from pipelines.models.gguf_language import method_for, room_of
from pipelines.models.parts.files import is_packed
from pipelines.models.probe import Kind

_CHANGES: Final = frozenset(
    {"model.lora", "model.embedding", "model.vae", "model.text_encoder", "model.speed"}
)
LONG: Final = 120.0
"""Seconds from which a run says beforehand that it will take long."""
_LOADERS: Final[Mapping[str, Kind]] = {
    "model.diffusion": "diffusion", "model.language": "language", "model.upscale": "upscale",
    "model.control": "control", "model.inpaint": "inpaint", "model.adapter": "adapter",
}  # fmt: skip
_STEERING: Final = frozenset({"control.layer", "control.reference"})
"""Nodes of layers, which may bring the model that reads them."""


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
            "vae_tiled": needs.tiled, "peak": needs.peak, "resident": needs.resident,
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
        self._catalogue, self._registry, self._history = catalogue, registry, history
        self._components = lru_cache(maxsize=64)(self._read)

    def _read(self, kind: Kind, model: str, fingerprint: str) -> tuple[Component, ...]:
        entry = self._catalogue.find(kind, model)
        parts = self._catalogue.parts_of(entry).parts
        return components_of(entry, {part.name: Path(part.path) for part in parts})

    def forecast(self, graph: Graph, machine: Machine) -> Forecast:
        """What the graph's nodes need, each for itself."""
        planned = plan(graph, self._registry)
        made, problems = [], {}
        for name in planned.order:
            node = planned.nodes[name]
            loader = _loader(node, planned.nodes)
            if loader is None or node.idle:
                continue
            refiner = _loader(node, planned.nodes, "refiner") if "refiner" in node.links else None
            switch = _share(node.literals.get("switch")) if refiner is not None else 1.0
            try:
                made.append(self._of(node, loader, planned.nodes, machine, switch))
                if refiner is not None and switch < 1:
                    made.append(self._of(node, refiner, planned.nodes, machine, 1 - switch))
            except DiptychError as error:
                problems[name] = str(error)
        return Forecast(machine, tuple(made), problems)

    def _of(
        self, node: PlannedNode, loader: PlannedNode, nodes: Mapping[str, PlannedNode], machine: Machine,
        share: float = 1.0,
    ) -> ModelForecast:  # fmt: skip
        """``share``: the part of the steps that this model has."""
        entry, parts = self._model(loader)
        values = loader.literals
        dtype = str(values.get("dtype", "auto"))
        dtype = machine.dtype if dtype == "auto" else dtype
        packed = str(values.get("quantization", "none"))
        if (text := str(values.get("text_quantization", "none"))) != "none":
            packed = f"{packed},text={text}"
        packed = resolved(
            packed, parts, entry.info.kind, device=machine.device, total=machine.total or machine.memory,
            packs=machine.quantization, dtype=dtype,
        )  # fmt: skip
        if entry.info.kind == "language" and is_packed(entry.weights):
            room = room_of(machine.total or machine.memory, machine.memory)
            packed = method_for(str(values.get("quantization", "none")), entry.probe.elements, room, dtype)
            parts = parts if packed == "gguf" else tuple(replace(part, packed=0) for part in parts)
        if entry.info.kind != "diffusion":
            return _other(node.id, entry, parts, machine, dtype, packed)
        drawing = self._drawing(node, entry, (*parts, *self._readers(node, nodes)), nodes)
        drawing = replace(drawing, steps=max(round(drawing.steps * share), 1))
        if (vae := str(values.get("vae_dtype", "auto"))) in BYTES:
            drawing = replace(drawing, vae_dtype=vae)
        needs = assess(drawing, machine, dtype, packed)
        better = None
        if needs.verdict != "fits":
            better = change(node, loader, entry, drawing, machine, needs, dtype, packed)
        main = [part for part in parts if part.stage == "main"]
        error = max((fit_of(part, entry.info.family).error for part in main), default=0.0)
        ran = Ran(
            entry.info.id, machine.device, drawing.pixels, drawing.pictures, f"{dtype}/{packed}",
            drawing.steps, described(drawing.speed),
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

    def _model(self, loader: PlannedNode) -> tuple[Entry, tuple[Component, ...]]:
        kind = _LOADERS[loader.record.type]
        entry = self._catalogue.find(kind, str(loader.literals.get("model", "")))
        entry.check(kind)
        return entry, self._components(kind, entry.info.path, entry.fingerprint)

    def _drawing(
        self,
        node: PlannedNode,
        entry: Entry,
        parts: tuple[Component, ...],
        nodes: Mapping[str, PlannedNode],
    ) -> Drawing:
        info = entry.info
        native = info.native_size or (512, 512)
        width = _number(node.literals.get("width"), native[0])
        height = _number(node.literals.get("height"), native[1])
        card = {"family": info.family, "native_size": native, "size_multiple": info.size_multiple}
        if node.literals.get("sizes", "exact") == "auto":
            sizes = plan_size(width, height, limits_for(card))
            first = sizes.second or sizes.first  # the second pass is the larger one, drawn in pieces
            limit = limits_for(card).max_pixels
            pixels = max(sizes.first[0] * sizes.first[1], min(first[0] * first[1], limit))
        elif node.literals.get("sizes") == "reference":
            pixels = native[0] * native[1]
        else:
            pixels = width * height
        pictures = max(_number(node.literals.get("batch"), 1), 1)
        scale = node.literals.get("guidance_scale", info.defaults.get("guidance_scale", 7.0))
        guided = not isinstance(scale, int | float) or scale > 1
        return Drawing(
            parts, info.family, pixels, _number(node.literals.get("steps"), 1), pictures, pictures,
            guided and not why_not("negative", info.family, info.variant),
            sum(part.elements for part in self._beside(node, nodes)), info.bytes, speed_of(node, nodes),
        )  # fmt: skip

    def _beside(self, node: PlannedNode, nodes: Mapping[str, PlannedNode]) -> Iterator[Component]:
        """Networks of the control models that steer a node."""
        for found in _steering(node, nodes, "model.control"):
            yield from self._model(found)[1]

    def _readers(self, node: PlannedNode, nodes: Mapping[str, PlannedNode]) -> Iterator[Component]:
        """Networks that read references before anything is drawn, and leave again as text encoders do."""
        for found in _steering(node, nodes, "model.adapter"):
            entry, parts = self._model(found)
            facts = entry.probe.facts
            wanted = {"width" if facts.get("sees") == "hidden" else "projection": facts.get("width")}
            vision = self._catalogue.fitting("vision", wanted)
            seeing = self._components("vision", vision.info.path, vision.fingerprint) if vision else ()
            for name, networks in (("adapter", parts), ("vision", seeing)):
                yield from (replace(part, name=f"{name}_{found.id}", stage="encode") for part in networks)


def forecast(
    graph: Graph, registry: Registry, catalogue: Catalogue, machine: Machine, history: History | None = None
) -> Forecast:
    """One forecast; keep a :class:`Forecaster` for several."""
    return Forecaster(catalogue, registry, history).forecast(graph, machine)


def _steering(node: PlannedNode, nodes: Mapping[str, PlannedNode], kind: str) -> Iterator[PlannedNode]:
    """The nodes of a kind that name models which read a node's layers, each once."""
    seen, open_ends = {node.id}, [node]
    while open_ends:
        for source, _ in open_ends.pop().links.values():
            found = nodes.get(source)
            if found is None or source in seen:
                continue
            seen.add(source)
            if found.record.type == kind:
                yield found
            elif found.record.type in _STEERING:
                open_ends.append(found)


def _share(value: Any) -> float:
    """A part of the steps, 0..1, with what the node itself says where the value isn't known."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return min(max(float(value), 0.0), 1.0) if known else 0.8


def _loader(node: PlannedNode, nodes: Mapping[str, PlannedNode], port: str = "model") -> PlannedNode | None:
    """The node that names the model a node works with; what changes it on the way counts little."""
    found: PlannedNode | None = node
    while found is not None and (found is node or found.record.type in _CHANGES):
        link = found.links.get(port if found is node else "model")
        found = nodes.get(link[0]) if link and node.record.type not in _CHANGES else None
    return found if found is not None and found.record.type in _LOADERS else None


def _number(value: Any, otherwise: int) -> int:
    """A literal; what comes over a link isn't known before the run."""
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


def _other(
    node: str, entry: Entry, parts: tuple[Component, ...], machine: Machine, dtype: str, packed: str
) -> ModelForecast:
    """Models that write, enlarge or fill: their weights, and what a text's tokens keep of themselves."""
    weights = {part.name: bytes_of(part, dtype, packed) for part in parts}
    kept = sum(_kept_per_token(part, dtype) for part in parts) * 4096
    whole = sum(weights.values()) + kept
    least = sum(least_of(part, weights[part.name]) for part in parts) + kept
    verdict: Verdict = "fits"
    if whole + machine.spare > machine.room:
        streams = machine.device != "cpu" and sum(weights.values()) <= machine.host
        verdict = "offload" if streams and least + machine.spare <= machine.room else "too_large"
    resident = min(sum(weights.values()), max(machine.room - machine.spare - kept, 0))
    moved = sum(weights.values()) - resident if verdict == "offload" else 0
    needs = Assessment(
        verdict, weights, kept, 0, min(whole, machine.room) if moved else whole, resident, moved, False, None,
        None,
    )  # fmt: skip
    return ModelForecast(node, entry.info.id, entry.info.family, dtype, packed, needs)


def _kept_per_token(part: Component, dtype: str) -> int:
    """Bytes of keys and values that a language model keeps for each token it has read."""
    config = part.config
    layers, heads = config.get("num_hidden_layers"), config.get("num_attention_heads")
    size = config.get("hidden_size")
    if not all(isinstance(value, int) and value > 0 for value in (layers, heads, size)):
        return 0
    layers, heads, size = cast("tuple[int, int, int]", (layers, heads, size))
    pairs = config.get("num_key_value_heads") or heads
    return 2 * layers * int(pairs) * int(config.get("head_dim") or size // heads) * BYTES[dtype]
