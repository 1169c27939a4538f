"""From a preset to the graph that is shown: one edit, and words for what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from pydantic import ValidationError

from pipelines.engine.protocol import ModelInfo
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.registry import NodeSchema, Registry
from studio.create.binding import Binding
from studio.create.prompt_words import with_word
from studio.graph import model_changes, picture_layers
from studio.graph.picture_layers import CONTROLS, REFERENCES, LayerSort, NewLayer
from studio.graph.refiner import SWITCH, refined_nodes, refining, with_refiner
from studio.models.choices import ModelChoices
from studio.presets.preset import Change, ModelName, Preset, SteeringPicture
from studio.translate import tr


@dataclass(slots=True)
class Applied:
    """The graph as it is to be; ``missing`` says in sentences what was left out."""

    graph: Graph
    missing: list[str] = field(default_factory=list)


def applied(preset: Preset, binding: Binding, models: ModelChoices, picture: Callable[[str], str]) -> Applied:
    """The graph of ``binding`` with everything a preset says.

    Args:
        picture: the path of a picture by its hash; empty if it isn't there.
    """
    return _Apply(preset, binding, models, picture).all()


def found_again(name: ModelName, models: list[ModelInfo]) -> ModelInfo | None:
    """The model that a preset means: the same bytes, else the same id, else a file of that name and
    family."""
    if name.sha256:
        same = next((info for info in models if info.sha256 == name.sha256), None)
        if same is not None:
            return same
    same = next((info for info in models if name.id and info.id == name.id), None)
    if same is not None:
        return same
    file = _file(name.id)
    named = [info for info in models if file and _file(info.id) == file]
    return next((info for info in named if not name.family or info.family == name.family), None)


def _file(id: str) -> str:
    return PurePath(id.replace("\\", "/")).name.casefold()


def sound(kind: NodeSchema, params: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``params`` that a node type knows, with values it takes."""
    found: dict[str, Any] = {}
    for name, value in params.items():
        if name not in kind.params_by_name:
            continue
        try:
            kind.node.Params.model_validate({name: value})
        except ValidationError:
            continue
        found[name] = value
    return found


class _Apply:
    """One use of a preset: the graph grows step by step, and what is left out is noted."""

    def __init__(
        self, preset: Preset, binding: Binding, models: ModelChoices, picture: Callable[[str], str]
    ) -> None:
        self._preset, self._binding, self._models, self._picture = preset, binding, models, picture
        self._registry: Registry = binding.registry
        self._node = binding.node_of("model")
        self._done = Applied(binding.graph)
        self._words: list[str] = []

    def all(self) -> Applied:
        """Everything, in the order in which the parts depend on each other."""
        if self._node:
            self._model()
        if model_changes.is_source(self._done.graph, self._registry, self._node):
            self._changes()
            for sort in (REFERENCES, CONTROLS):
                self._pictures(sort)
            self._refiner()
            self._drawing()
        self._values()
        self._trigger_words()
        return self._done

    def _lack(self, text: str) -> None:
        if text not in self._done.missing:
            self._done.missing.append(text)

    def _find(self, name: ModelName, kind: str) -> ModelInfo | None:
        info = found_again(name, self._models.of_kind(kind))
        if info is None:
            self._lack(tr("{title} is not among your models.", title=name.title or name.id))
        return info

    # --- the model and what changes it -----------------------------------------------------------------

    def _model(self) -> None:
        name, place = self._preset.model, self._binding.names["model"]
        if name is None or not self._binding.has("model"):
            return
        info = self._find(name, "diffusion")
        graph, record = self._done.graph, self._done.graph.nodes[place.node]
        if info is not None:
            value = self._models.listed_value(info.id)
            record = record.with_param(place.param, value)
        if (kind := self._registry.get(record.type)) is not None:
            for key, value in sound(kind, self._preset.settings).items():
                if key != place.param and key not in record.inputs:
                    record = _set(record, key, value, kind)
        self._done.graph = graph.with_node(place.node, record)

    def _changes(self) -> None:
        graph = self._done.graph
        nodes = model_changes.chain(graph, self._node)
        if nodes is None:
            self._lack(
                tr("This graph uses its model with and without changes; LoRAs and VAE are left as they are.")
            )
            return
        wanted = [made for change in self._preset.changes if (made := self._change(change)) is not None]
        present = [
            (graph.nodes[node].type, dict(graph.nodes[node].params), graph.nodes[node].mode == "active")
            for node in nodes
        ]
        if wanted == present:
            return
        for node in nodes:
            graph = model_changes.without_change(graph, self._registry, node)
        for kind, params, on in wanted:
            graph, node = model_changes.with_change(graph, self._registry, self._node, kind, params)
            if not on:
                graph = graph.with_node(node, graph.nodes[node].with_mode("bypassed"))
        self._done.graph = graph

    def _change(self, change: Change) -> tuple[str, dict[str, Any], bool] | None:
        """A node of the chain with the models it names here; None if one of them is missing."""
        kind = self._registry.get(change.type)
        if kind is None or change.type not in model_changes.CHANGES:
            self._lack(tr("This Diptych has no node {type}.", type=change.type))
            return None
        params = sound(kind, change.params)
        for name, model in change.models.items():
            schema = kind.params_by_name.get(name)
            if schema is None or not schema.dynamic_choices.startswith("models:"):
                continue
            info = self._find(model, schema.dynamic_choices.removeprefix("models:"))
            if info is None:
                return None
            params[name] = info.id
        if change.on:  # one that is left out needs no words
            self._words += change.words
        return change.type, params, change.on

    # --- pictures --------------------------------------------------------------------------------------

    def _pictures(self, sort: LayerSort) -> None:
        wanted = [item for item in self._preset.pictures if item.port == sort.port]
        graph = self._done.graph
        draws: tuple[str, ...] = ()
        if model_changes.chain(graph, self._node) is not None:
            draws = picture_layers.drawing_nodes(graph, self._registry, self._node, sort)
        found = picture_layers.layers(graph, draws, sort)
        if found is None:
            if wanted:
                self._lack(
                    tr("What steers this drawing is set in the graph; its pictures are left as they are.")
                )
            return
        for item in found.items:
            graph = picture_layers.without_layer(graph, self._registry, sort, item.node)
        for each in wanted:
            new = self._layer(each, sort)
            if new is not None:
                graph, _ = picture_layers.with_layer(graph, self._registry, draws, sort, new)
        self._done.graph = graph

    def _layer(self, item: SteeringPicture, sort: LayerSort) -> NewLayer | None:
        layer, method = self._registry.get(sort.layer), self._registry.get(picture_layers.METHOD)
        path = self._picture(item.picture) if item.picture else ""
        if not path:
            self._lack(tr("The picture {name} is gone.", name=item.name))
            return None
        if layer is None:
            return None
        model: dict[str, Any] | None = None
        if item.model is not None and self._registry.get(sort.model_type) is not None:
            info = self._find(item.model, sort.kind) if item.model.id else None
            chooser = model_changes.chooser(self._registry, sort.model_type)
            model = {chooser: info.id if info is not None else ""}
        made = self._method(method, item.method) if method is not None and item.method is not None else None
        return NewLayer(path, sound(layer, item.params), made, model, item.on)

    def _method(self, kind: NodeSchema, params: Mapping[str, Any]) -> dict[str, Any]:
        """How a picture is made ready, with a model that is here; else the first there is does it."""
        found = sound(kind, params)
        for name in [name for name in found if kind.params_by_name[name].dynamic_choices]:
            models = self._models.of_kind(kind.params_by_name[name].dynamic_choices.removeprefix("models:"))
            info = found_again(ModelName(id=str(found.pop(name))), models)
            if info is not None:
                found[name] = info.id
        return found

    # --- the refiner -----------------------------------------------------------------------------------

    def _refiner(self) -> None:
        wanted, graph = self._preset.refiner, self._done.graph
        draws: tuple[str, ...] = ()
        if model_changes.chain(graph, self._node) is not None:
            draws = refined_nodes(graph, self._registry, self._node)
        if refining(graph, draws) is None:
            if wanted is not None:
                self._lack(tr("What refines this drawing is set in the graph; it is left as it is."))
            return
        info = self._find(wanted.model, "diffusion") if wanted is not None else None
        graph = with_refiner(graph, self._registry, draws, info.id if info is not None else "")
        if wanted is not None and info is not None:
            for draw in draws:
                kind = self._registry[graph.nodes[draw].type]
                if SWITCH not in graph.nodes[draw].inputs:
                    record = _set(graph.nodes[draw], SWITCH, wanted.switch, kind)
                    graph = graph.with_node(draw, record)
        self._done.graph = graph

    # --- how it samples --------------------------------------------------------------------------------

    def _drawing(self) -> None:
        graph = self._done.graph
        for node in picture_layers.drawing_nodes(graph, self._registry, self._node, CONTROLS):
            record = graph.nodes[node]
            kind = self._registry[record.type]
            for name, value in sound(kind, self._preset.drawing).items():
                if name not in record.inputs:
                    record = _set(record, name, value, kind)
            graph = graph.with_node(node, record)
        self._done.graph = graph

    # --- arguments -------------------------------------------------------------------------------------

    def _values(self) -> None:
        graph, names = self._done.graph, self._binding.names
        for name, value in self._preset.values.items():
            place = names.get(name)
            record = graph.nodes.get(place.node) if place is not None else None
            if place is None or record is None or place.param in record.inputs:
                continue
            kind, schema = self._registry.get(record.type), self._binding.schema(name)
            if kind is not None and place.param in kind.params_by_name:
                if sound(kind, {place.param: value}):
                    graph = graph.with_node(place.node, _set(record, place.param, value, kind))
            elif schema is not None and isinstance(value, type(schema.default)):
                graph = graph.with_param(place.node, place.param, value)
        self._done.graph = graph

    def _trigger_words(self) -> None:
        """The words of the LoRAs, behind what the prompt says; those that it has aren't added again."""
        graph, place = self._done.graph, self._binding.names.get("prompt")
        record, schema = (graph.nodes.get(place.node) if place else None), self._binding.schema("prompt")
        if place is None or record is None or schema is None or place.param in record.inputs:
            return
        before = text = str(record.params.get(place.param, schema.default) or "")
        for word in self._words:
            text = with_word(text, word)
        if text != before:
            self._done.graph = graph.with_param(place.node, place.param, text)


def _set(record: NodeRecord, name: str, value: Any, kind: NodeSchema) -> NodeRecord:
    """A record with a param, written only if it says something new."""
    before = record.params.get(name, kind.params_by_name[name].default)
    return record if before == value and type(before) is type(value) else record.with_param(name, value)
