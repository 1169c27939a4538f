"""What a plan says of the models a node works with: which, how they are changed, and what steers them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pipelines.graph.planned import PlannedNode
from pipelines.models.probing.probe import Kind

Nodes = Mapping[str, PlannedNode]

LOADERS: Final[Mapping[str, Kind]] = {
    "model.diffusion": "diffusion", "model.language": "language", "model.upscale": "upscale",
    "model.control": "control", "model.inpaint": "inpaint", "model.adapter": "adapter",
}  # fmt: skip
"""Nodes that name a model, and its kind."""
PARTS: Final[Mapping[str, Kind]] = {"model.vae": "vae", "model.text_encoder": "text_encoder"}
"""Nodes that give a model a part; its kind is the param's name, too."""
_CHANGES: Final = frozenset({*PARTS, "model.lora", "model.embedding", "model.speed"})
_JOINS: Final = frozenset({"logic.switch", "list.collect", "list.item"})
"""Nodes that hand layers and models on."""
_LAYERS: Final[Mapping[str, str]] = {
    "control.region": "region", "control.layer": "control", "control.reference": "reference"
}  # fmt: skip
CANVAS: Final = "image.canvas"
REMOVE: Final = "image.remove"
PREPROCESS: Final = "control.preprocess"
BY_PARAMS: Final = frozenset({REMOVE, PREPROCESS})
"""Nodes whose params name models."""


def loader_of(node: PlannedNode, nodes: Nodes, port: str = "model") -> PlannedNode | None:
    """The node that names the model a node works with; None for nodes that only change one."""
    if node.record.type in _CHANGES:
        return None
    chain = _chain(node, nodes, port)
    return chain[-1] if chain and chain[-1].record.type in LOADERS else None


def changes_of(node: PlannedNode, nodes: Nodes, port: str = "model") -> tuple[PlannedNode, ...]:
    """What changes that model on the way, in the order in which it does, but for what is switched off."""
    changes = reversed(_chain(node, nodes, port)[:-1])
    return tuple(change for change in changes if not change.idle)


def _chain(node: PlannedNode, nodes: Nodes, port: str) -> Sequence[PlannedNode]:
    """From what is next to a node to what doesn't change a model."""
    chain: list[PlannedNode] = []
    link = node.links.get(port)
    while link is not None and (found := nodes.get(link[0])) is not None and found not in chain:
        chain.append(found)
        link = found.links.get("model") if found.record.type in _CHANGES else None
    return chain


def steering(node: PlannedNode, nodes: Nodes, kind: str) -> Iterator[PlannedNode]:
    """The nodes of a kind that name models which read a node's layers, each once."""
    seen, open_ends = {node.id}, [node]
    while open_ends:
        for source, _ in open_ends.pop().links.values():
            found = nodes.get(source)
            if found is None or source in seen or found.idle:
                continue
            seen.add(source)
            if found.record.type == kind:
                yield found
            elif found.record.type in _LAYERS or found.record.type in _JOINS:
                open_ends.append(found)


def count_layers(node: PlannedNode, nodes: Nodes, port: str, kind: str) -> int:
    """How many layers of a kind come in at a port, as far as that is known before the run."""
    count, seen, open_ends = 0, set(), [node.links.get(port)]
    while open_ends:
        link = open_ends.pop()
        found = nodes.get(link[0]) if link is not None else None
        if found is None or found.id in seen or found.muted:
            continue
        seen.add(found.id)
        if found.record.type == CANVAS:
            count += sum(_counts(layer, kind) for layer in found.literals.get("layers") or ())
        elif found.record.type in _LAYERS:
            count += (
                _LAYERS[found.record.type] == kind and not found.idle and found.literals.get("weight") != 0
            )
            open_ends.append(found.links.get("layers"))
        elif found.record.type in _JOINS:
            open_ends += found.links.values()
        else:
            count += 1
    return count


def _counts(layer: Any, kind: str) -> bool:
    """Whether a layer of the canvas is used: as a document keeps it, or read."""
    fields = layer if isinstance(layer, Mapping) else vars(layer) if hasattr(layer, "__dict__") else {}
    if fields.get("kind") != kind or not fields.get("counts", True) or fields.get("weight", 1) == 0:
        return False
    return bool(fields.get("asset")) and (kind != "region" or bool(str(fields.get("prompt", "")).strip()))


def number(value: Any, otherwise: int) -> int:
    """A literal; what comes over a link isn't known before the run."""
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


def share(value: Any, otherwise: float) -> float:
    """A literal in 0..1."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return min(max(float(value), 0.0), 1.0) if known else otherwise
