"""From the graph that is shown to a preset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

from pipelines.engine.protocol import ModelInfo
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.registry import NodeSchema, Registry
from studio.create.binding import Binding
from studio.create.prompt_words import has_word
from studio.graph import model_changes, picture_layers
from studio.graph.picture_layers import CONTROLS, REFERENCES, LayerSort, PictureLayer
from studio.graph.refiner import SWITCH, refined_nodes, refining
from studio.models.choices import ModelChoices
from studio.presets.preset import (
    MAX_WORD,
    MAX_WORDS,
    Change,
    ModelName,
    Preset,
    Refiner,
    SteeringPicture,
    plain,
)

SORTS: Final = (REFERENCES, CONTROLS)
PROMPTS: Final = ("prompt", "negative", "idea", "system")
"""Arguments that belong to one picture rather than to a way of drawing; kept if that is wished."""
_NEVER: Final = ("seed", "batch")


def captured(
    binding: Binding, models: ModelChoices, name: str, *, prompts: bool
) -> tuple[Preset, dict[int, str]]:
    """What the form shows, under a name, and the files of its pictures by their place in ``pictures``;
    whoever keeps the preset reads them and fills in their hashes.

    Args:
        prompts: whether the texts are part of it.
    """
    graph, registry, node = binding.graph, binding.registry, binding.node_of("model")
    node = node if model_changes.is_source(graph, registry, node) else ""
    pictures: list[SteeringPicture] = []
    files: dict[int, str] = {}
    for sort in SORTS:
        for item in _layers(graph, registry, node, sort):
            if item.load:
                files[len(pictures)] = item.path
                pictures.append(_picture(item, sort, registry, models))
    preset = Preset(
        name=name,
        model=_model(binding, models),
        settings=_settings(graph, registry, node),
        changes=tuple(_changes(graph, registry, models, node, str(binding.value("prompt") or ""))),
        pictures=tuple(pictures),
        refiner=_refiner(graph, registry, models, node),
        drawing=_drawing(graph, registry, node),
        values=_values(binding, prompts),
    )
    return preset, files


def name_of(value: str, info: ModelInfo | None) -> ModelName:
    """A model by its id and hash; of one outside the known folders only the name of its file."""
    id = value if info is None else info.id
    file = PurePath(id.replace("\\", "/"))
    inside = not (file.is_absolute() or ":" in id or id.startswith(("~", ".")))
    named = ModelName(id=id if inside else file.name, title=file.stem)
    if info is None:
        return named
    return named.model_copy(update=info.model_dump(include={"title", "family", "sha256"}))


def _model(binding: Binding, models: ModelChoices) -> ModelName | None:
    if not binding.has("model"):
        return None
    value = str(binding.value("model") or "")
    info = models.find(value)
    return name_of(value, info) if value or info is not None else None


def _settings(graph: Graph, registry: Registry, node: str) -> dict[str, Any]:
    record = graph.nodes.get(node)
    kind = registry.get(record.type) if record is not None else None
    if record is None or kind is None or record.type != "model.diffusion":
        return {}
    chooser = model_changes.chooser(registry, record.type)
    return {
        name: plain(record.params.get(name, param.default))
        for name, param in kind.params_by_name.items()
        if name != chooser and name not in record.inputs
    }


def _changes(graph: Graph, registry: Registry, models: ModelChoices, model: str, prompt: str) -> list[Change]:
    nodes = model_changes.chain(graph, model) if model else ()
    found: list[Change] = []
    for node in nodes or ():
        record = graph.nodes[node]
        kind = registry.get(record.type)
        if kind is not None:
            params, named = _split(kind, record.params, models)
            words = _words(record, models, prompt) if record.type == model_changes.LORA else ()
            on = record.mode == "active"
            found.append(Change(type=record.type, params=params, models=named, words=words, on=on))
    return found


def _words(record: NodeRecord, models: ModelChoices, prompt: str) -> tuple[str, ...]:
    """Those of a LoRA's trigger words that the prompt has, in its maker's order."""
    info = models.find(str(record.params.get("lora", "")), "lora")
    found = info.trigger_words if info is not None else ()
    return tuple(word for word in found if 0 < len(word) <= MAX_WORD and has_word(prompt, word))[:MAX_WORDS]


def _split(
    kind: NodeSchema, params: Mapping[str, Any], models: ModelChoices
) -> tuple[dict[str, Any], dict[str, ModelName]]:
    """Params that mean the same everywhere, and those that name models; paths of this machine are left
    out."""
    others: dict[str, Any] = {}
    named: dict[str, ModelName] = {}
    for name, value in params.items():
        schema = kind.params_by_name.get(name)
        if schema is not None and schema.dynamic_choices.startswith("models:"):
            if isinstance(value, str) and value:
                named[name] = name_of(
                    value, models.find(value, schema.dynamic_choices.removeprefix("models:"))
                )
        elif schema is None or schema.widget not in ("file", "folder", "save", "model"):
            others[name] = plain(value)
    return others, named


def _refiner(graph: Graph, registry: Registry, models: ModelChoices, model: str) -> Refiner | None:
    if not model or model_changes.chain(graph, model) is None:
        return None
    draws = refined_nodes(graph, registry, model)
    known = refining(graph, draws)
    if known is None or not known.model:
        return None
    switch = graph.nodes[draws[0]].params.get(SWITCH)
    named = name_of(known.model, models.find(known.model))
    return Refiner(model=named, switch=switch) if isinstance(switch, int | float) else Refiner(model=named)


def _drawing(graph: Graph, registry: Registry, model: str) -> dict[str, Any]:
    """How the nodes that draw sample, as far as all of them do it alike."""
    draws = picture_layers.drawing_nodes(graph, registry, model, CONTROLS) if model else ()
    kinds = {graph.nodes[node].type for node in draws}
    kind = registry.get(next(iter(kinds))) if len(kinds) == 1 else None
    if kind is None:
        return {}
    records = [graph.nodes[node] for node in draws]
    names = [name for name in kind.params_by_name if name not in (*_NEVER, SWITCH)]
    return {
        name: plain(records[0].params[name])
        for name in names
        if all(name in each.params and each.params[name] == records[0].params[name] for each in records)
    }


def _layers(graph: Graph, registry: Registry, model: str, sort: LayerSort) -> tuple[PictureLayer, ...]:
    if not model or model_changes.chain(graph, model) is None:
        return ()
    draws = picture_layers.drawing_nodes(graph, registry, model, sort)
    found = picture_layers.layers(graph, draws, sort)
    return found.items if found is not None else ()


def _picture(
    item: PictureLayer, sort: LayerSort, registry: Registry, models: ModelChoices
) -> SteeringPicture:
    model = None
    if item.model:
        info = models.find(item.model_id, sort.kind) if item.model_id else None
        model = name_of(item.model_id, info) if item.model_id else ModelName()
    return SteeringPicture(
        port="controls" if sort is CONTROLS else "references",
        name=PurePath(item.path.replace("\\", "/")).name, params=plain(item.params),
        method=_method(item, registry, models) if item.method else None, model=model, on=item.on,
    )  # fmt: skip


def _method(item: PictureLayer, registry: Registry, models: ModelChoices) -> dict[str, Any]:
    """How a picture is made ready; what finds depth in it by its id."""
    kind = registry.get(picture_layers.METHOD)
    params, named = _split(kind, item.method_params, models) if kind is not None else ({}, {})
    return {**params, **{name: model.id for name, model in named.items()}}


def _values(binding: Binding, prompts: bool) -> dict[str, Any]:
    """The arguments as they are; what chooses a model or a file of this machine is none of them."""
    found: dict[str, Any] = {}
    for name in binding.names:
        schema = binding.schema(name)
        left_out = name in _NEVER or name == "model" or (name in PROMPTS and not prompts)
        if schema is None or left_out or not binding.has(name) or name in _taken(binding):
            continue
        if schema.widget not in ("file", "folder", "save", "model", "canvas") and not schema.dynamic_choices:
            found[name] = plain(binding.value(name))
    return found


def _taken(binding: Binding) -> set[str]:
    """Arguments of nodes that are kept as parts of their own."""
    node = binding.node_of("model")
    parts = {node, *(model_changes.chain(binding.graph, node) or ())} if node else set()
    return {name for name, place in binding.names.items() if place.node in parts}
