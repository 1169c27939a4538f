"""What can be wrong with one node of a document: its params, its links, its missing inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pipelines.errors import (
    BothLiteralAndLink,
    DanglingLink,
    ErrorInfo,
    IncompatibleLink,
    InvalidParameter,
    MissingInput,
    UnknownInput,
    UnknownNodeType,
    UnknownOutput,
    UnknownParameter,
)
from pipelines.graph import types
from pipelines.graph.node import Input
from pipelines.graph.registry import NodeSchema
from pipelines.graph.types import connects

if TYPE_CHECKING:
    from pipelines.graph.plan import PlannedNode


def check_params(planned: PlannedNode) -> None:
    """Fill in ``literals``, ``inputs``, ``outputs`` and ``ports`` of a node, and note what is wrong with its
    values."""
    schema, record = planned.schema, planned.record
    if schema is None:
        planned.problems.append(UnknownNodeType(type=record.type).info().at(planned.id))
        return
    literals = {**defaults(schema), **record.params}
    planned.inputs = schema.inputs(literals)
    declared = {port.name: port for port in planned.inputs}
    for name in planned.links:
        literals.pop(name, None)
        if name in record.params:
            title = declared[name].label if name in declared else name
            planned.problems.append(BothLiteralAndLink(port_title=title).info().at(planned.id, name))
    given = {}
    for name, value in literals.items():
        if name in schema.params_by_name:
            given[name] = value
        elif name in declared and declared[name].takes_literal:
            _check_literal(planned, declared[name], value)
        else:
            known = _known(schema, declared)
            problem = UnknownParameter(node_title=planned.title, name=name, known=known).info()
            planned.problems.append(replace(problem, severity="warning").at(planned.id, name))
    for problem in parameter_problems(schema, given, partial=bool(planned.links)):
        planned.problems.append(problem.at(planned.id))
    for port in planned.inputs:
        if port.name not in literals and port.name not in planned.links and not port.required:
            literals[port.name] = port.default
    planned.literals = literals
    planned.outputs = schema.outputs(literals)
    linked = {name: schema.port(name, literals) for name in planned.links}
    planned.ports = {name: found for name, found in linked.items() if found is not None}


def defaults(schema: NodeSchema) -> dict[str, Any]:
    """The params' default values, as JSON."""
    return {param.name: param.default for param in schema.params}


def parameter_problems(
    schema: NodeSchema, values: Mapping[str, Any], partial: bool = False
) -> list[ErrorInfo]:
    """What pydantic has to say about ``values``, in our words; ``partial``: missing ones will come over
    links."""
    try:
        schema.node.Params.model_validate(values)
    except ValidationError as error:
        problems = []
        for item in error.errors(include_url=False, include_context=False):
            name = str(item["loc"][0]) if item["loc"] else ""
            if partial and item["type"] == "missing":
                continue
            param = schema.params_by_name.get(name)
            title = param.title if param else name or schema.title
            shown = str(item["input"])[:80]
            reason = _reason(param.minimum if param else None, param.maximum if param else None, item)
            problems.append(
                InvalidParameter(title=title, value=shown, reason=reason, port=name or None).info()
            )
        return problems
    return []


def _reason(low: float | None, high: float | None, item: Any) -> str:
    if item["type"] in ("greater_than_equal", "less_than_equal", "greater_than", "less_than"):
        if low is not None and high is not None:
            return f"It must be between {low:g} and {high:g}."
        return f"It must be at least {low:g}." if low is not None else f"It must be at most {high:g}."
    return f"{item['msg']}."


def _check_literal(planned: PlannedNode, port: Input, value: Any) -> None:
    reason = literal_problem(port, value)
    if reason:
        problem = InvalidParameter(title=port.label, value=str(value)[:80], reason=reason).info()
        planned.problems.append(problem.at(planned.id, port.name))


def literal_problem(port: Input, value: Any) -> str:
    """Why ``value`` can't be the literal of an input port; empty if it can."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    whole = number and isinstance(value, int)
    match port.type:
        case types.Text | types.Choice if not isinstance(value, str):
            return "It must be text."
        case types.Number if not number:
            return "It must be a number."
        case types.Integer if not whole:
            return "It must be a whole number."
        case types.Boolean if not isinstance(value, bool):
            return "It must be true or false."
        case types.Seed if value is not None and not (whole and 0 <= value < 2**64):
            return (
                "A seed is a whole number from 0 to 18446744073709551615, or empty for a new one each time."
            )
    return ""


def _known(schema: NodeSchema, declared: Mapping[str, Input]) -> str:
    return ", ".join(
        [*schema.params_by_name, *(name for name in declared if name not in schema.params_by_name)]
    )


def check_links(planned: PlannedNode, nodes: Mapping[str, PlannedNode]) -> None:
    """Note dangling links, unknown ports, types that don't fit, and required inputs that nothing feeds."""
    schema = planned.schema
    if schema is None:
        return
    for name, link in planned.links.items():
        port = planned.ports.get(name)
        if port is None:
            known = _known(schema, {item.name: item for item in planned.inputs})
            planned.problems.append(UnknownInput(name=name, known=known).info().at(planned.id, name))
            continue
        source = nodes.get(link.node)
        if source is None:
            problem = DanglingLink(port_title=port.label, source=link.node).info()
            planned.problems.append(problem.at(planned.id, name))
            continue
        if source.schema is None:
            continue  # the unknown type is reported at its own node
        output = next((made for made in source.outputs if made.name == link.output), None)
        if output is None:
            known = ", ".join(made.name for made in source.outputs) or "nothing"
            problem = UnknownOutput(
                source=source.title, output=link.output, port_title=port.label, known=known
            ).info()
            planned.problems.append(problem.at(planned.id, name))
        elif not connects(output.type, port.type):
            problem = IncompatibleLink(
                port_title=port.label, expected=str(port.type), found=str(output.type)
            ).info()
            planned.problems.append(problem.at(planned.id, name))
    wanted = schema.node.wanted(planned.literals) if not planned.linked_params else frozenset()
    for item in planned.inputs:
        if item.lazy and item.name not in wanted:
            continue
        if item.required and item.name not in planned.links and item.name not in planned.literals:
            problem = MissingInput(port_title=item.label, type=str(item.type)).info()
            planned.problems.append(problem.at(planned.id, item.name))
