"""Which node types, and which of their ports, could take the wire that is being drawn."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.graph.node import Input, Output
from pipelines.graph.registry import NodeSchema
from pipelines.graph.types import PortType, connects
from studio.graph.edits import new_ports


def fitting_port(schema: NodeSchema, kind: PortType, *, from_output: bool) -> str | None:
    """The port of a new node that a wire should end in; the same type before a converted one.

    Args:
        schema: the type of the new node.
        kind: the type of the port the wire starts from.
        from_output: the wire starts from an output, so that an input is wanted.
    """
    inputs, outputs = new_ports(schema)
    if not from_output:
        return _best(outputs, kind, from_output=False)
    found = _best(inputs, kind, from_output=True)
    if found is not None:
        return found
    params = [Input(param.name, param.type, param.title) for param in schema.params if param.type == kind]
    return params[0].name if params else None


def _best(ports: Iterable[Input | Output], kind: PortType, *, from_output: bool) -> str | None:
    def rank(port: Input | Output) -> int:
        pair = (kind, port.type) if from_output else (port.type, kind)
        if not connects(*pair):
            return 0
        if port.type == kind:
            return 4
        if port.type.name == kind.name:
            return 3
        return 1 if port.type.name == "Any" else 2

    ranked = [(rank(port), port.name) for port in ports]
    best = max((score for score, _ in ranked), default=0)
    return next((name for score, name in ranked if score == best), None) if best else None
