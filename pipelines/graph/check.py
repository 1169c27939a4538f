"""What can be wrong with one node of a document: its params, its links, its missing inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError

from pipelines.errors import (
    BothLiteralAndLink,
    DanglingLink,
    ErrorInfo,
    IncompatibleLink,
    InvalidParameter,
    MissingInput,
    NodeFromTheFuture,
    UnknownInput,
    UnknownNodeType,
    UnknownOutput,
    UnknownParameter,
)
from pipelines.graph import types
from pipelines.graph.node import Input
from pipelines.graph.planned import PlannedNode
from pipelines.graph.registry import NodeSchema, ParamSchema
from pipelines.graph.types import connects

SEED_RANGE = "A seed is a whole number from 0 to 18446744073709551615, or empty for a new one each time."

_REASONS: Final[Mapping[str, str]] = {
    "int_": "It must be a whole number.",
    "float_": "It must be a number.",
    "finite_number": "It must be a finite number.",
    "bool_": "It must be true or false.",
    "string_type": "It must be text.",
    "string_unicode": "It holds half a character, which is no text.",
    "string_too_long": "It is too long.",
}
"""Beginnings of pydantic's names for what is wrong -> the same in our words."""


def check_params(planned: PlannedNode) -> None:
    """Fill in ``literals``, ``inputs``, ``outputs`` and ``ports`` of a node, and note what is wrong with its
    values.

    A wrong param counts as its default in the rest of the check, since ports can depend on it.
    """
    schema, record = planned.schema, planned.record
    if schema is None:
        planned.problems.append(UnknownNodeType(type=record.type).info().at(planned.id))
        return
    if record.version > schema.node.version:
        newer = NodeFromTheFuture(title=planned.title, found=record.version, known=schema.node.version)
        planned.problems.append(newer.info().at(planned.id))
        planned.schema = None  # what its ports are isn't known either
        return
    base = schema.defaults
    complete = {**base, **{name: record.params[name] for name in record.params if name not in planned.links}}
    given = {name: complete[name] for name in base if name not in planned.links}
    problems = parameter_problems(schema, given, partial=bool(planned.links))
    wrong = {problem.port for problem in problems}
    complete |= {name: value for name, value in base.items() if name in wrong}
    planned.problems += [problem.at(planned.id) for problem in problems]
    planned.inputs = schema.inputs(complete)
    declared = {port.name: port for port in planned.inputs}
    for name in planned.links:
        if name in record.params:
            port = schema.port(name, complete)
            problem = BothLiteralAndLink(port_title=port.label if port else name).info()
            planned.problems.append(problem.at(planned.id, name))
    planned.literals = _literals(planned, complete, declared)
    planned.outputs = schema.outputs(planned.literals)
    linked = {name: declared.get(name) or schema.param_port(name) for name in planned.links}
    planned.ports = {name: found for name, found in linked.items() if found is not None}


def _literals(
    planned: PlannedNode, complete: Mapping[str, Any], declared: Mapping[str, Input]
) -> dict[str, Any]:
    """The values that are not linked, completed with the defaults of inputs; names nobody knows are left
    out."""
    schema = planned.schema
    assert schema is not None
    literals = {}
    for name, value in complete.items():
        if name in planned.links:
            continue
        if name in schema.params_by_name:
            literals[name] = value
        elif name in declared and declared[name].takes_literal:
            literals[name] = value
            _check_literal(planned, declared[name], value)
        else:
            known = _known(schema, declared)
            problem = UnknownParameter(node_title=planned.title, name=name, known=known).info()
            planned.problems.append(replace(problem, severity="warning").at(planned.id, name))
    for port in declared.values():
        if port.name not in literals and port.name not in planned.links and not port.required:
            literals[port.name] = port.default
    return literals


def parameter_problems(
    schema: NodeSchema, values: Mapping[str, Any], partial: bool = False
) -> list[ErrorInfo]:
    """What pydantic has to say about ``values``, in our words; ``partial``: missing ones will come over
    links."""
    problems = []
    try:
        schema.node.Params.model_validate(values)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_context=False):
            name = str(item["loc"][0]) if item["loc"] else ""
            if partial and item["type"] == "missing":
                continue
            param = schema.params_by_name.get(name)
            title = param.title if param else name or schema.title
            shown = str(item["input"])[:80]
            reason = _reason(param, item)
            problems.append(
                InvalidParameter(title=title, value=shown, reason=reason, port=name or None).info()
            )
        return problems
    for param in schema.params:
        if param.type == types.Seed and param.name in values:
            reason = literal_problem(Input(param.name, types.Seed), values[param.name])
            if reason:
                shown = str(values[param.name])[:80]
                wrong = InvalidParameter(title=param.title, value=shown, reason=reason, port=param.name)
                problems.append(wrong.info())
    return problems


def _reason(param: ParamSchema | None, item: Any) -> str:
    if param is not None and param.type == types.Seed:
        return SEED_RANGE
    low, high = (param.minimum, param.maximum) if param else (None, None)
    if item["type"] in ("greater_than_equal", "less_than_equal", "greater_than", "less_than"):
        if low is not None and high is not None:
            return f"It must be between {_plain(low)} and {_plain(high)}."
        if low is not None:
            return (
                f"It must be {'more than' if item['type'] == 'greater_than' else 'at least'} {_plain(low)}."
            )
        if high is not None:
            return f"It must be {'less than' if item['type'] == 'less_than' else 'at most'} {_plain(high)}."
    if param is not None and param.choices:
        return f"It must be one of: {', '.join(param.choices)}."
    known = next((text for start, text in _REASONS.items() if item["type"].startswith(start)), "")
    return known or f"{item['msg'].removeprefix('Value error, ').rstrip('.')}."


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else f"{number:g}"


def _check_literal(planned: PlannedNode, port: Input, value: Any) -> None:
    reason = literal_problem(port, value)
    if reason:
        problem = InvalidParameter(title=port.label, value=str(value)[:80], reason=reason).info()
        planned.problems.append(problem.at(planned.id, port.name))


def literal_problem(port: Input, value: Any) -> str:
    """Why ``value`` can't be the literal of an input port; empty if it can."""
    if value is None and port.default is None:
        return ""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    whole = number and isinstance(value, int)
    match port.type:
        case types.Text | types.Choice if not isinstance(value, str):
            return "It must be text."
        case types.Number if not number or not _is_double(value):
            return "It must be a finite number of at most 308 digits." if number else "It must be a number."
        case types.Integer if not whole:
            return "It must be a whole number."
        case types.Boolean if not isinstance(value, bool):
            return "It must be true or false."
        case types.Seed if value is not None and not (whole and 0 <= value < 2**64):
            return SEED_RANGE
        case types.Size if not _is_size(value):
            return "It must be two whole numbers: width and height."
    return ""


def _is_double(value: float) -> bool:
    """Whether a number (any integer too) has a finite counterpart in float64."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _is_size(value: Any) -> bool:
    parts = value if isinstance(value, list | tuple) else ()
    return len(parts) == 2 and all(type(part) is int and part > 0 for part in parts)


def _known(schema: NodeSchema, declared: Mapping[str, Input]) -> str:
    return ", ".join(
        [*schema.params_by_name, *(name for name in declared if name not in schema.params_by_name)]
    )


def check_links(planned: PlannedNode, nodes: Mapping[str, PlannedNode]) -> None:
    """Note dangling links, unknown ports, types that don't fit, and required inputs that nothing feeds."""
    schema = planned.schema
    # Links into a subgraph that were already found to lead nowhere.
    told = {item.port for item in planned.problems if item.code == "UnknownOutput"}
    for name, link in planned.links.items():
        port = planned.ports.get(name)
        if schema is None:  # its ports aren't known, but where its links come from is
            if link.node not in nodes and name not in told:
                problem = DanglingLink(port_title=name, source=link.node).info()
                planned.problems.append(problem.at(planned.id, name))
            continue
        if port is None:
            known = _known(schema, {item.name: item for item in planned.inputs})
            planned.problems.append(UnknownInput(name=name, known=known).info().at(planned.id, name))
            continue
        source = nodes.get(link.node)
        if source is None and name in told:
            continue
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
    if schema is None:
        return
    wanted = schema.node.wanted(planned.literals) if not planned.linked_params else frozenset()
    for item in planned.inputs:
        if item.lazy and item.name not in wanted:
            continue
        if item.required and item.name not in planned.links and item.name not in planned.literals:
            problem = MissingInput(port_title=item.label, type=str(item.type)).info()
            planned.problems.append(problem.at(planned.id, item.name))
