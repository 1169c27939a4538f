"""The part of a graph that the canvas works on: which nodes it is, how it is added, and what a task changes.

Plain functions on immutable graphs; the workspace turns their results into undo steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from pipelines.graph.document import Graph, NodeRecord
from pipelines.paths import RESOURCES
from studio.graph import edits as graph_edits
from studio.graph import fragments
from studio.graph.loras import base_of
from studio.inpaint.tasks import task

CANVAS, MASK = "image.canvas", "mask.paint"
DRAW, REMOVE, MODEL, SAVE = "diffusion.inpaint", "image.remove", "model.diffusion", "image.save"
CONTROL: Final = "model.control"
ADAPTER: Final = "model.adapter"
SIDES: Final = ("left", "top", "right", "bottom")
_BELOW: Final = 80.0


@dataclass(frozen=True, slots=True)
class CanvasParts:
    """Ids of the nodes that make up a canvas; empty where there is none.

    ``canvas`` holds the layers (``image.canvas``, or a ``mask.paint`` of a graph of one's own), ``draw``
    repaints, ``remove`` takes away, ``save`` keeps what either of them made.
    """

    canvas: str
    draw: str = ""
    remove: str = ""
    model: str = ""
    save: str = ""


def canvases(graph: Graph) -> list[str]:
    """The nodes whose editor is the canvas, those with pictures first."""
    return [node for kind in (CANVAS, MASK) for node, record in graph.nodes.items() if record.type == kind]


def find_parts(graph: Graph, canvas: str = "") -> CanvasParts | None:
    """The canvas of a graph (the first, or ``canvas``) with the nodes that use it."""
    known = canvases(graph)
    if not known:
        return None
    canvas = canvas if canvas in known else known[0]
    draw = _user(graph, canvas, DRAW)
    remove = _user(graph, canvas, REMOVE)
    link = graph.nodes[draw].inputs.get("model") if draw else None
    model = base_of(graph, link.node) if link is not None and link.node in graph.nodes else ""
    save = next((node for made in (draw, remove) if made for node in _users(graph, made, SAVE)), "")
    return CanvasParts(canvas, draw, remove, model, save)


def _users(graph: Graph, source: str, kind: str) -> Iterator[str]:
    """Nodes of a type that ``source`` feeds directly."""
    for node, _, link in graph.links():
        if link.node == source and graph.nodes[node].type == kind:
            yield node


def _user(graph: Graph, source: str, kind: str) -> str:
    """The node of a type that ``source`` feeds; one that runs before one that is muted."""
    found = sorted(set(_users(graph, source, kind)), key=lambda node: graph.nodes[node].mode == "muted")
    return found[0] if found else ""


@lru_cache(maxsize=1)
def template() -> Graph:
    """The template *Inpaint*."""
    return Graph.loads((RESOURCES / "templates" / "inpaint.json").read_bytes(), "Inpaint")


def with_template(graph: Graph) -> Graph:
    """The graph with the template below what is there, drawing with the same model if there is one."""
    if not graph.nodes:
        return template()
    model = next((node for node, record in graph.nodes.items() if record.type == MODEL), "")
    lowest = max((place[1] for node in graph.nodes if (place := graph.position(node))), default=0.0)
    first = min((place[0] for node in graph.nodes if (place := graph.position(node))), default=0.0)
    result, ids, _ = fragments.pasted(graph, template(), (first, lowest + 3 * _BELOW))
    if not model:
        return result
    mine = next(node for node in ids if result.nodes[node].type == MODEL)
    drawn = next(node for node in ids if result.nodes[node].type == DRAW)
    return graph_edits.without_nodes(result, [mine]).with_link(drawn, "model", (model, "model"))


def with_task(graph: Graph, parts: CanvasParts, name: str) -> Graph:
    """The graph set for a task: the node that does it is active and saved, the other is muted."""
    wanted = task(name)
    makes, rests = (parts.remove, parts.draw) if name == "remove" else (parts.draw, parts.remove)
    if makes and makes in graph.nodes:
        graph = _in_mode(graph, makes, "active")
        if rests:
            graph = _in_mode(graph, rests, "muted")
        if parts.save:
            link = graph.nodes[parts.save].inputs.get("image")
            if link is None or link.node != makes:
                graph = graph.with_link(parts.save, "image", (makes, "image"))
    if parts.draw:
        graph = with_params(graph, parts.draw, wanted.values)
    record = graph.nodes[parts.canvas]
    if record.type == CANVAS:
        graph = with_params(graph, parts.canvas, {"whole": name == "refine"})
        if name != "expand":
            graph = with_params(graph, parts.canvas, dict.fromkeys(SIDES, 0))
    return graph


def with_params(graph: Graph, node: str, values: Mapping[str, Any]) -> Graph:
    """The graph with several params set; params that have their value already stay as they are written."""
    for name, value in values.items():
        record = graph.nodes[node]
        if name in record.inputs:
            continue
        before = record.params.get(name, _DEFAULTS.get(name, _NOTHING))
        if before != value or type(before) is not type(value):
            graph = graph.with_param(node, name, value)
    return graph


_NOTHING: Final = object()
_DEFAULTS: Final[Mapping[str, Any]] = {"whole": False, **dict.fromkeys(SIDES, 0)}


def _in_mode(graph: Graph, node: str, mode: str) -> Graph:
    record = graph.nodes[node]
    return graph if record.mode == mode else graph.with_node(node, record.with_mode(mode))


def task_of(graph: Graph, parts: CanvasParts) -> str:
    """The task that a graph is set for, as far as it shows it; *fill* otherwise."""
    draws = bool(parts.draw) and graph.nodes[parts.draw].mode == "active"
    if parts.remove and graph.nodes[parts.remove].mode == "active" and not draws:
        return "remove"
    canvas = graph.nodes[parts.canvas].params
    if any(canvas.get(side) for side in SIDES):
        return "expand"
    if canvas.get("whole"):
        return "refine"
    params: Mapping[str, Any] = graph.nodes[parts.draw].params if parts.draw else {}
    if params.get("fill") == "neutral":
        return "add"
    if params.get("fill") == "noise" and params.get("context", 0) >= 1024:
        return "background"
    return "fill"


def task_after(graph: Graph, parts: CanvasParts, shown: str) -> str:
    """The task to show after an edit: the one that is shown, unless the graph is set for another now."""
    found = task_of(graph, parts)
    if found == shown:
        return shown
    record = graph.nodes[parts.canvas]
    refines = record.type == CANVAS and (shown == "refine") != bool(record.params.get("whole"))
    if found in ("remove", "expand") or shown == "remove" or refines:
        return found
    return found if _is_set_for(graph, parts, found) and not _is_set_for(graph, parts, shown) else shown


def _is_set_for(graph: Graph, parts: CanvasParts, name: str) -> bool:
    params: Mapping[str, Any] = graph.nodes[parts.draw].params if parts.draw else {}
    return all(params.get(key, value) == value for key, value in task(name).values.items())


def targets(graph: Graph, parts: CanvasParts) -> tuple[str, ...]:
    """What Generate runs: the last nodes that the canvas feeds, those of muted branches left out."""
    fed = graph_edits.downstream(graph, [parts.canvas]) - {parts.canvas}
    linked = {link.node for node, _, link in graph.links() if node in fed}
    return tuple(
        node
        for node in graph.nodes
        if node in fed and node not in linked and graph.nodes[node].mode != "muted"
    )


def with_control(graph: Graph, parts: CanvasParts, *, wanted: bool, by_model: bool = True) -> Graph:
    """The graph with a control model at the node that draws, if layers of the canvas want one.

    Args:
        by_model: whether one is needed; the model that draws may see control pictures itself.
    """
    record: NodeRecord | None = graph.nodes.get(parts.draw)
    if wanted and record is not None and not by_model:
        graph = graph.without_link(parts.draw, "control")
        return graph.with_link(parts.draw, "controls", (parts.canvas, "controls"))
    if not wanted or record is None or "control" in record.inputs:
        return graph
    node = graph.free_id(CONTROL)
    x, y = graph.position(parts.draw) or (0.0, 0.0)
    graph = graph.with_node(node, NodeRecord.new(CONTROL, params={"model": ""}))
    graph = graph.with_position(node, x - 360.0, y + 360.0)
    graph = graph.with_link(parts.draw, "control", (node, "model"))
    return graph.with_link(parts.draw, "controls", (parts.canvas, "controls"))


def with_references(graph: Graph, parts: CanvasParts, *, wanted: bool, adapter: str = "") -> Graph:
    """The graph with the canvas's references at the node that draws, if there are any, and with ``adapter``
    (an id of the catalogue) to read them if the model doesn't itself.
    """
    record: NodeRecord | None = graph.nodes.get(parts.draw)
    if not wanted or record is None:
        return graph
    if "references" not in record.inputs:
        graph = graph.with_link(parts.draw, "references", (parts.canvas, "references"))
    if not adapter or "adapter" in record.inputs:
        return graph
    node = graph.free_id(ADAPTER)
    x, y = graph.position(parts.draw) or (0.0, 0.0)
    graph = graph.with_node(node, NodeRecord.new(ADAPTER, params={"model": adapter}))
    graph = graph.with_position(node, x - 360.0, y + 480.0)
    return graph.with_link(parts.draw, "adapter", (node, "model"))
