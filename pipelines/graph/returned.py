"""What a node from outside returned, held against what it declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.errors import DiptychError, GraphUnreadable, IncompatibleLink, OutsideOutputWrong
from pipelines.graph import jsontext, types
from pipelines.graph.conversions import convert
from pipelines.graph.node import Output
from pipelines.graph.planned import PlannedNode
from pipelines.graph.values import ListValue


def checked_outputs(planned: PlannedNode, outputs: Any) -> dict[str, Any]:
    """What a node from outside returned, each value as its port declares it.

    Raises:
        OutsideOutputWrong: naming the output and what was wrong with it.
    """
    names = [port.name for port in planned.outputs]
    if not isinstance(outputs, Mapping):
        raise _wrong(planned, f"It has to be a dict of its outputs, and is {type(outputs).__name__}.")
    if set(outputs) != set(names):
        found = ", ".join(map(str, outputs)) or "none"
        raise _wrong(planned, f"Its outputs are {', '.join(names) or 'none'}; it returned {found}.")
    return {port.name: _checked(planned, port, outputs[port.name]) for port in planned.outputs}


def _checked(planned: PlannedNode, port: Output, value: Any) -> Any:
    if port.type.is_list:
        if not isinstance(value, list | tuple):
            raise _wrong(planned, f"The output {port.name} is a list, and got {type(value).__name__}.")
        return ListValue(_item(planned, port, item) for item in value)
    if isinstance(value, ListValue) and port.type == types.Any:
        return ListValue(_item(planned, port, item) for item in value)
    return _item(planned, port, value)


def _item(planned: PlannedNode, port: Output, value: Any) -> Any:
    kind = type(value).__name__
    try:
        if port.type.name == "Json":
            jsontext.canonical(value)
            return value
        return convert(value, port.type)
    except (IncompatibleLink, GraphUnreadable, TypeError, ValueError, RecursionError) as error:
        wrap = f" Wrap it: {port.type.name}(array)." if kind == "ndarray" else ""
        told = f"The output {port.name} is declared as {port.type.item}, and got {kind}.{wrap}"
        raise _wrong(planned, told) from error


def _wrong(planned: PlannedNode, reason: str) -> DiptychError:
    origin = str(planned.schema.origin) if planned.schema else ""
    return OutsideOutputWrong(title=planned.title, origin=origin, reason=reason)
