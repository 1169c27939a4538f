"""One node's call: converted inputs, validated params, once or once per item of the lists it was given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from pipelines.errors import (
    DiptychError,
    IncompatibleLink,
    InvalidParameter,
    ListLengthMismatch,
    MissingInput,
)
from pipelines.graph import types
from pipelines.graph.check import parameter_problems
from pipelines.graph.conversions import convert
from pipelines.graph.foreign import is_foreign
from pipelines.graph.node import Context, Input
from pipelines.graph.planned import PlannedNode
from pipelines.graph.returned import checked_outputs
from pipelines.graph.values import ListValue

MakeContext = Callable[[str, int, int], Context]
"""(node id, item, items) -> the context of one call."""


class BadOutput(TypeError):
    """A node type broke its own contract: a bug in the node, named as such."""


def invoke(planned: PlannedNode, linked: Mapping[str, Any], make_context: MakeContext) -> dict[str, Any]:
    """Run a node with the values that came over its links.

    A list arriving at a single-value port maps the node over its items: lists zip (lengths equal, or 1),
    seeds count up by one per item, an empty list gives empty lists, and lists made by an item are joined.

    Raises:
        DiptychError: bad values, a length mismatch, or whatever the node raises.
    """
    ports = {**{port.name: port for port in planned.inputs}, **planned.ports}
    lists: dict[str, ListValue] = {}
    single = {name: _literal(value, ports.get(name)) for name, value in planned.literals.items()}
    for name, value in linked.items():
        kind = ports[name].type
        value = converted(planned, name, value)
        if isinstance(value, ListValue) and not kind.is_list and kind != types.Any:
            lists[name] = value
        else:
            single[name] = value
    if not lists:
        return _call(planned, single, make_context(planned.id, 0, 1))
    return _map(planned, single, lists, ports, make_context)


def converted(planned: PlannedNode, name: str, value: Any) -> Any:
    """A value that came over a link as the port takes it, item by item if it is a list.

    Raises:
        IncompatibleLink: naming the port.
    """
    port = planned.ports[name]
    if isinstance(value, ListValue):
        return ListValue(_convert(item, port) for item in value)
    value = _convert(value, port)
    return ListValue([value]) if port.type.is_list else value


def _literal(value: Any, port: Input | None) -> Any:
    """The literal of an input port as if it had come over a link; params are pydantic's affair."""
    if port is None or not port.takes_literal or value is None:
        return value
    return _convert(value, port)


def _fresh(value: Any) -> Any:
    """A copy of JSON, the only kind of value that a node could change for others."""
    if isinstance(value, ListValue):
        return (
            ListValue(map(_fresh, value)) if any(isinstance(item, dict | list) for item in value) else value
        )
    return deepcopy(value) if isinstance(value, dict | list) else value


def _convert(value: Any, port: Input) -> Any:
    try:
        return convert(value, port.type)
    except IncompatibleLink as error:
        error.arguments["port_title"] = port.label
        raise IncompatibleLink(**error.arguments, port=port.name) from error


def _map(
    planned: PlannedNode, single: Mapping[str, Any], lists: Mapping[str, ListValue], ports: Mapping[str,
    Input], make_context: MakeContext,
) -> dict[str, Any]:  # fmt: skip
    longest = max(lists, key=lambda name: len(lists[name]))
    count = 0 if any(not items for items in lists.values()) else len(lists[longest])
    for name, items in lists.items():
        if count and len(items) not in (1, count):
            raise ListLengthMismatch(
                first=ports[longest].label,
                first_length=count,
                second=ports[name].label,
                second_length=len(items),
                port=name,
            )
    full = {name: items for name, items in lists.items() if len(items) == count}
    single = {**single, **{name: items[0] for name, items in lists.items() if count and name not in full}}
    seeds = [
        name for name, value in single.items()
        if isinstance(value, int) and not isinstance(value, bool) and _is_seed(planned, name)
    ]  # fmt: skip
    collected: dict[str, list[Any]] = {port.name: [] for port in planned.outputs}
    for index in range(count):
        context = make_context(planned.id, index, count)
        context.cancel.check()
        values = dict(single)
        values.update({name: items[index] for name, items in full.items()})
        values.update({name: (single[name] + index) % 2**64 for name in seeds})
        for name, value in _call(planned, values, context).items():
            collected[name] += value if isinstance(value, ListValue) else [value]
    return {name: ListValue(items) for name, items in collected.items()}


def _is_seed(planned: PlannedNode, name: str) -> bool:
    assert planned.schema is not None
    param = planned.schema.params_by_name.get(name)
    if param is not None:
        return param.type == types.Seed
    return any(port.name == name and port.type == types.Seed for port in planned.inputs)


def _call(planned: PlannedNode, values: Mapping[str, Any], context: Context) -> dict[str, Any]:
    schema = planned.schema
    assert schema is not None
    values = {name: _fresh(value) for name, value in values.items()}
    given = {name: value for name, value in values.items() if name in schema.params_by_name}
    problems = parameter_problems(schema, given)
    if problems:
        raise InvalidParameter(**problems[0].arguments, port=problems[0].port)
    params = schema.node.Params.model_validate(given)
    inputs = {port.name: values[port.name] for port in planned.inputs if port.name in values}
    wanted = schema.node.wanted(values)
    for port in planned.inputs:
        if port.name not in inputs and port.required and (not port.lazy or port.name in wanted):
            raise MissingInput(port_title=port.label, type=str(port.type), port=port.name)
    outputs = schema.node().run(inputs, params, context)
    if is_foreign(schema):
        return checked_outputs(planned, outputs)
    names = {port.name for port in planned.outputs}
    if set(outputs) != names:
        raise BadOutput(f"{schema.id} declares the outputs {sorted(names)} and returned {sorted(outputs)}")
    return dict(outputs)


def located(error: DiptychError, node: str) -> DiptychError:
    """The error, placed at ``node`` unless it says where it belongs."""
    if error.node is None:
        error.node = node
    return error
