"""What can be done about a problem, one click each. Nothing is ever done, or replaced, without that click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pipelines.errors import ErrorInfo
from pipelines.graph.document import Graph
from pipelines.graph.registry import Registry
from studio.graph.places import Place, place_of, value_place
from studio.problems.book import model_kind

What = Literal["convert", "choose_model", "open_models", "outside_nodes", "disconnect", "reset", "remove"]

_MODELS: Final = frozenset(
    {"ModelMissing", "ModelUnreadable", "ModelUnsafe", "ModelUnsuitable", "UnknownModelFamily",
     "ModelPickled",
     "ModelFormatUnsupported", "StarterTextModelMissing", "ControlModelMissing", "InpaintModelMissing"}
)  # fmt: skip
_PICKLED: Final = "ModelPickled"
_LINKS: Final = frozenset(
    {"DanglingLink", "UnknownOutput", "UnknownInput", "IncompatibleLink", "CycleFound", "BothLiteralAndLink"}
)
_TYPES: Final = frozenset({"UnknownNodeType", "NodePackageNotHere", "NodeFileNotHere"})
_VALUES: Final = frozenset({"InvalidParameter", "UnknownParameter"})
TITLES: Final[dict[What, str]] = {
    "convert": "Convert it…",
    "choose_model": "Choose another model…",
    "open_models": "Open the folder of models",
    "outside_nodes": "Nodes from outside…",
    "disconnect": "Remove the link",
    "reset": "Reset the setting",
    "remove": "Remove the node",
}
"""Source texts of the buttons."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing to do. ``node`` is a flattened id; ``port`` the input or param that it is about, where it is
    about one: of a value that a group hands down, node and port are the group's. ``file``: one to convert."""

    what: What
    node: str = ""
    port: str = ""
    file: str = ""

    @property
    def title(self) -> str:
        """The button's source text."""
        return TITLES[self.what]


def offers(problem: ErrorInfo, graph: Graph, registry: Registry) -> list[Offer]:
    """What can be done about a problem of a node of the document, on whatever level it is."""
    node = problem.node or ""
    if problem.code in _MODELS:
        port = _model_param(problem, graph, registry)
        found = value_place(graph, node, port) if port else None
        choose = [Offer("choose_model", found[0].id, found[1])] if found is not None else []
        file = str(problem.arguments.get("file") or "") if problem.code == _PICKLED else ""
        return [*_conversion(file, found), *choose, Offer("open_models", node)]
    if place_of(graph, node) is None:
        return []
    if problem.code in _TYPES:
        return [Offer("outside_nodes", node), Offer("remove", node)]
    if problem.code == "NodeFromTheFuture":
        return [Offer("remove", node)]
    given = value_place(graph, node, problem.port or "")
    if given is None:
        return []
    place, port = given
    if problem.code in _LINKS and port in place.record.inputs:
        return [Offer("disconnect", place.id, port)]
    if problem.code in _VALUES and port in place.record.params:
        return [Offer("reset", place.id, port)]
    return []


def _conversion(file: str, found: tuple[Place, str] | None) -> list[Offer]:
    """A pickle can be converted; where a param named it, that takes the result."""
    if not file:
        return []
    node, port = (found[0].id, found[1]) if found is not None else ("", "")
    return [Offer("convert", node, port, file)]


def _model_param(problem: ErrorInfo, graph: Graph, registry: Registry) -> str:
    """The param of the problem's node that names a model."""
    place = place_of(graph, problem.node or "")
    schema = registry.get(place.record.type) if place is not None else None
    names = [param.name for param in schema.params if model_kind(param)] if schema is not None else []
    return problem.port if problem.port in names else next(iter(names), "")
