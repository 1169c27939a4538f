"""What can be done about a problem, one click each. Nothing is ever done, or replaced, without that click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pipelines.errors import ErrorInfo
from pipelines.graph.document import Graph
from pipelines.graph.registry import Registry
from studio.problems.book import model_kind

What = Literal["choose_model", "open_models", "open_nodes", "disconnect", "reset", "remove"]

_MODELS: Final = frozenset(
    {"ModelMissing", "ModelUnreadable", "ModelUnsafe", "ModelUnsuitable", "UnknownModelFamily",
     "ModelFormatUnsupported", "StarterTextModelMissing", "ControlModelMissing", "InpaintModelMissing"}
)  # fmt: skip
_LINKS: Final = frozenset(
    {"DanglingLink", "UnknownOutput", "UnknownInput", "IncompatibleLink", "CycleFound", "BothLiteralAndLink"}
)
_VALUES: Final = frozenset({"InvalidParameter", "UnknownParameter"})
TITLES: Final[dict[What, str]] = {
    "choose_model": "Choose another model…",
    "open_models": "Open the folder of models",
    "open_nodes": "Open the folder of node types",
    "disconnect": "Remove the link",
    "reset": "Reset the setting",
    "remove": "Remove the node",
}
"""Source texts of the buttons."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing to do. ``port`` is the input or param that it is about, where it is about one."""

    what: What
    node: str = ""
    port: str = ""

    @property
    def title(self) -> str:
        """The button's source text."""
        return TITLES[self.what]


def offers(problem: ErrorInfo, graph: Graph, registry: Registry) -> list[Offer]:
    """What can be done about a problem of a node of the document; of one inside a subgraph, nothing here."""
    node = problem.node or ""
    record = graph.nodes.get(node)
    if problem.code in _MODELS:
        port = _model_param(problem, graph, registry)
        choose = [Offer("choose_model", node, port)] if port else []
        return [*choose, Offer("open_models", node)]
    if record is None:
        return []
    if problem.code == "UnknownNodeType":
        return [Offer("open_nodes", node), Offer("remove", node)]
    if problem.code == "NodeFromTheFuture":
        return [Offer("remove", node)]
    port = problem.port or ""
    if problem.code in _LINKS and port in record.inputs:
        return [Offer("disconnect", node, port)]
    if problem.code in _VALUES and port in record.params:
        return [Offer("reset", node, port)]
    return []


def _model_param(problem: ErrorInfo, graph: Graph, registry: Registry) -> str:
    """The param of the problem's node that names a model."""
    record = graph.nodes.get(problem.node or "")
    schema = registry.get(record.type) if record is not None else None
    names = [param.name for param in schema.params if model_kind(param)] if schema is not None else []
    return problem.port if problem.port in names else next(iter(names), "")
