"""Pictures that steer a drawing, as Create shows them: a list of references, and a list of control pictures.

Pure functions, no Qt. In the graph each is a small branch: a picture is opened, perhaps turned into lines,
and made a layer; the layers pass each other on, and the last goes into all nodes that draw with the model.
What is arranged in another way has no list, and is left as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pipelines.graph.document import Graph, Link, NodeRecord
from pipelines.graph.registry import Registry
from studio.graph.edits import input_port, with_positions, without_nodes
from studio.graph.model_changes import free_place, users_of
from studio.graph.rewiring import healed, with_links
from studio.graph.waypoints import End

LOAD: Final = "image.load"
METHOD: Final = "control.preprocess"
_LAYERS: Final = "layers"
_COLUMN: Final = 260.0
"""Between two columns on the canvas."""


@dataclass(frozen=True, slots=True)
class LayerSort:
    """What differs between the two: the type of the layer's node, the port it ends in, and its own model."""

    layer: str
    port: str
    model: str
    """The layer's port for what reads it."""
    model_type: str
    kind: str
    """What the catalogue calls such models."""


REFERENCES: Final = LayerSort("control.reference", "references", "adapter", "model.adapter", "adapter")
CONTROLS: Final = LayerSort("control.layer", "controls", "model", "model.control", "control")


@dataclass(frozen=True, slots=True)
class PictureLayer:
    """One of a list.

    ``load`` is the node that opens ``path``; empty where another node makes the picture, which ``source``
    names then. ``method`` and ``model`` are the nodes of those kinds, empty where there is none. ``linked``:
    params of the layer that other nodes give.
    """

    node: str
    params: Mapping[str, Any]
    linked: frozenset[str]
    on: bool
    source: str = ""
    load: str = ""
    path: str = ""
    method: str = ""
    method_params: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    model_id: str = ""


@dataclass(frozen=True, slots=True)
class LayerList:
    """Layers in their order; ``before``: another node whose layers come first, empty for none."""

    items: tuple[PictureLayer, ...] = ()
    before: str = ""


def drawing_nodes(graph: Graph, registry: Registry, model: str, sort: LayerSort) -> tuple[str, ...]:
    """The nodes that draw with a model and take such layers."""
    found = [node for node, port in users_of(graph, model) if port == "model"]
    return tuple(node for node in found if input_port(graph, registry, node, sort.port) is not None)


def layers(graph: Graph, draws: Collection[str], sort: LayerSort) -> LayerList | None:
    """What steers all of ``draws``; None where there are none, or where it is no list."""
    links = {graph.nodes[node].inputs.get(sort.port) for node in draws}
    if len(links) != 1:
        return None
    link, users = next(iter(links)), {(node, sort.port) for node in draws}
    found: list[PictureLayer] = []
    while link is not None and link.node in graph.nodes and graph.nodes[link.node].type == sort.layer:
        if _users(graph, link.node) != users or link.node in (item.node for item in found):
            return None
        found.append(_described(graph, link.node, sort))
        users = {(link.node, _LAYERS)}
        link = graph.nodes[link.node].inputs.get(_LAYERS)
    return LayerList(tuple(reversed(found)), link.node if link is not None else "")


def _users(graph: Graph, source: str) -> set[End]:
    return {(node, port) for node, port, link in graph.links() if link.node == source}


def _described(graph: Graph, node: str, sort: LayerSort) -> PictureLayer:
    record = graph.nodes[node]
    source = _source(graph, node, "image")
    method = source if _is(graph, source, METHOD) else ""
    if method:
        source = _source(graph, method, "image")
    load = source if _is(graph, source, LOAD) and "path" not in graph.nodes[source].inputs else ""
    model = _source(graph, node, sort.model)
    known = _is(graph, model, sort.model_type)
    return PictureLayer(
        node, record.params, frozenset(record.inputs) - {"image", "mask", _LAYERS, sort.model},
        record.mode == "active", source, load, _text(graph, load, "path"),
        method, graph.nodes[method].params if method else {},
        model if known else "", _text(graph, model, "model") if known else "",
    )  # fmt: skip


def _is(graph: Graph, node: str, kind: str) -> bool:
    return node in graph.nodes and graph.nodes[node].type == kind


def _source(graph: Graph, node: str, port: str) -> str:
    link = graph.nodes[node].inputs.get(port)
    return link.node if link is not None and link.node in graph.nodes else ""


def _text(graph: Graph, node: str, param: str) -> str:
    value = graph.nodes[node].params.get(param, "") if node else ""
    return value if isinstance(value, str) else ""


# --- changes -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewLayer:
    """A picture that is to steer: its file, the layer's params, the method's (None: as it is) and the model's
    (None: the layer has none of its own)."""

    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    method: Mapping[str, Any] | None = None
    model: Mapping[str, Any] | None = None
    on: bool = True


def with_layer(
    graph: Graph, registry: Registry, draws: Sequence[str], sort: LayerSort, new: NewLayer
) -> tuple[Graph, str]:
    """The graph with one more layer behind those there are, and the id of its node.

    Raises:
        KeyError: there is no list of such layers, or a type isn't known.
    """
    known = layers(graph, draws, sort)
    if known is None:
        raise KeyError(sort.port)
    before = graph.nodes[draws[0]].inputs.get(sort.port)
    beside = draws[0]
    graph, node = _added(graph, registry, sort.layer, new.params, beside, 1)
    graph, load = _added(graph, registry, LOAD, {"path": new.path}, beside, 3)
    graph = graph.with_link(node, "image", Link(load, "image"))
    if before is not None:
        graph = graph.with_link(node, _LAYERS, before)
    for draw in draws:
        graph = graph.with_link(draw, sort.port, Link(node, _LAYERS))
    if new.method is not None:
        graph = with_method(graph, registry, node, new.method)
    if new.model is not None:
        graph = with_layer_model(graph, registry, node, sort, new.model)
    if not new.on:
        graph = graph.with_node(node, graph.nodes[node].with_mode("bypassed"))
    return graph, node


def _added(
    graph: Graph, registry: Registry, kind: str, params: Mapping[str, Any], beside: str, columns: float
) -> tuple[Graph, str]:
    """One more node, ``columns`` to the left of ``beside``."""
    node = graph.free_id(kind)
    record = NodeRecord.new(kind, registry[kind].node.version, params=params)
    place = free_place(graph, beside, -columns * _COLUMN)
    return with_positions(graph.with_node(node, record), {node: place} if place else {}), node


def with_method(graph: Graph, registry: Registry, layer: str, params: Mapping[str, Any] | None) -> Graph:
    """The graph with a layer's picture turned into lines by a method; ``None``: taken as it is."""
    link = graph.nodes[layer].inputs.get("image")
    if link is None:
        return graph
    if not _is(graph, link.node, METHOD):
        if params is None:
            return graph
        graph, node = _added(graph, registry, METHOD, params, layer, 1)
        return graph.with_link(node, "image", link).with_link(layer, "image", Link(node, "image"))
    if params is not None:
        for name, value in params.items():
            graph = graph.with_param(link.node, name, value)
        return graph
    before = graph.nodes[link.node].inputs.get("image")
    graph = (
        graph.with_link(layer, "image", before) if before is not None else graph.without_link(layer, "image")
    )
    return without_nodes(graph, _idle(graph, [link.node]))


def with_layer_model(
    graph: Graph, registry: Registry, layer: str, sort: LayerSort, params: Mapping[str, Any] | None
) -> Graph:
    """The graph with a model of its own for a layer, chosen by these params; ``None``: without one."""
    link = graph.nodes[layer].inputs.get(sort.model)
    if params is None:
        if link is None:
            return graph
        graph = graph.without_link(layer, sort.model)
        return without_nodes(graph, _idle(graph, [link.node]))
    own = link is not None and _is(graph, link.node, sort.model_type)
    if link is None or not own or _users(graph, link.node) != {(layer, sort.model)}:
        graph, node = _added(graph, registry, sort.model_type, params, layer, 0.9)
        output = registry[sort.model_type].outputs({})[0].name
        return graph.with_link(layer, sort.model, Link(node, output))
    for name, value in params.items():
        graph = graph.with_param(link.node, name, value)
    return graph


def with_picture(graph: Graph, registry: Registry, layer: PictureLayer, path: str) -> Graph:
    """The graph with another file for a layer's picture."""
    if layer.load and len(_users(graph, layer.load)) == 1:
        return graph.with_param(layer.load, "path", path)
    graph, load = _added(graph, registry, LOAD, {"path": path}, layer.node, 2)
    end = (layer.method or layer.node, "image")
    graph = graph.with_link(*end, Link(load, "image"))
    return without_nodes(graph, _idle(graph, [layer.load])) if layer.load else graph


def without_layer(graph: Graph, registry: Registry, sort: LayerSort, node: str) -> Graph:
    """The graph without a layer, and without what only served it; the others go on as they are."""
    item = _described(graph, node, sort)
    before = graph.nodes[node].inputs.get(_LAYERS)
    links = healed(graph, registry, {node})
    if before is None:
        links = dict.fromkeys(links, None)
    graph = without_nodes(with_links(graph, links), {node})
    for helper in (item.method, item.load, item.model):
        graph = without_nodes(graph, _idle(graph, [helper]))
    return graph


def _idle(graph: Graph, nodes: Collection[str]) -> set[str]:
    """Those of ``nodes`` that feed nothing and stand for no argument of the graph."""
    used = {link.node for _, _, link in graph.links()} | {entry.node for entry in graph.exposed.values()}
    return {node for node in nodes if node and node not in used}
