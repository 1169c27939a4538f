"""Nodes that make and use lists: what they feed runs once for every item."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any as AnyValue
from typing import Final

from pipelines.errors import InvalidParameter, ItemMissing, TooManyItems
from pipelines.graph.node import (
    Context,
    Input,
    Inputs,
    Node,
    NodeParams,
    Output,
    Outputs,
    Param,
    Resources,
    file_fingerprint,
)
from pipelines.graph.types import Any, Integer, Number, Text, list_of
from pipelines.graph.values import ListValue
from pipelines.nodes import tables
from pipelines.nodes.text import unescaped

MAX_ITEMS: Final = 100_000
MAX_PORTS: Final = 32
_TOLERANCE: Final = 1e-9
"""A part of a step: 1.1 is eleven steps of 0.1, though the quotient is 11.000000000000002."""


def number_range(start: float, stop: float, step: float) -> tuple[float, ...]:
    """``start``, ``start + step``… without ``stop``, as Python's ``range``; no rounding error adds up.

    Raises:
        InvalidParameter: the step is 0.
        TooManyItems: more than 100,000.
    """
    if step == 0:
        raise InvalidParameter(title="Step", value=0, reason="The list would never end.", port="step")
    steps = (stop - start) / step
    if not steps < MAX_ITEMS + 0.5:
        count = f"{steps:,.0f}" if math.isfinite(steps) else "Endlessly many"
        raise TooManyItems(count=count, limit=f"{MAX_ITEMS:,}")
    return tuple(start + index * step for index in range(max(0, math.ceil(steps - _TOLERANCE))))


class TextList(Node):
    """A list of texts, one a line."""

    id, title, category = "list.text", "Text list", "List"
    outputs = (Output("items", list_of(Text)),)
    preview = "items"

    class Params(NodeParams):
        lines: str = Param(
            "", "Lines", "One item a line.", widget="multiline", max_length=1_000_000, primary=True
        )
        skip_empty: bool = Param(True, "Skip empty lines", "Leave out lines without text.", advanced=True)

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        lines = params.lines.replace("\r\n", "\n").split("\n")
        items = [line for line in lines if line.strip()] if params.skip_empty else lines
        if len(items) > MAX_ITEMS:
            raise TooManyItems(count=f"{len(items):,}", limit=f"{MAX_ITEMS:,}")
        return {"items": ListValue(items)}


class NumberRange(Node):
    """Numbers from a first one, at equal distances; the end itself is not part of it."""

    id, title, category = "list.range", "Number range", "List"
    outputs = (Output("items", list_of(Number)),)
    preview = "items"

    class Params(NodeParams):
        start: float = Param(0.0, "Start", "The first number.", primary=True)
        stop: float = Param(
            4.0, "End", "The numbers stay below this (above, if the step is negative).", primary=True
        )
        step: float = Param(1.0, "Step", "From one number to the next; may be negative.", primary=True)

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        return {"items": ListValue(number_range(params.start, params.stop, params.step))}


class Table(Node):
    """Read a table (CSV with a header, or JSONL); every column becomes a list."""

    id, title, category, lane = "list.table", "Table", "List", "io"

    class Params(NodeParams):
        path: str = Param("", "File", "A CSV or JSONL file.", widget="file", max_length=4096, primary=True)
        columns: str = Param(
            "", "Columns",
            "Names of the columns to use, separated by commas; empty uses those of the file.",
            max_length=10_000, advanced=True,
        )  # fmt: skip

    @classmethod
    def output_ports(cls, params: Mapping[str, AnyValue]) -> tuple[Output, ...]:
        """A port a column.

        A path relative to the document is not known here: such a document names its columns in ``columns``.
        """
        names = tables.column_names(str(params.get("columns") or ""))
        if not names and isinstance(path := params.get("path"), str):
            names = tables.header(path)
        return tuple(Output(name, list_of(Text), name, f"The column {name}.") for name in names)

    @classmethod
    def fingerprint(cls, params: Mapping[str, AnyValue], resources: Resources) -> str:
        return file_fingerprint(resources.path(str(params.get("path", ""))))

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        table = tables.read_table(context.path(params.path), context.cancel)
        ports = self.output_ports(params.model_dump())
        return {port.name: ListValue(table.column(port.name)) for port in ports}


class JoinList(Node):
    """Put all texts of a list into one."""

    id, title, category = "list.join", "Join list", "List"
    inputs = (Input("items", list_of(Text), description="The texts to put together."),)
    outputs = (Output("text", Text),)
    preview = "text"

    class Params(NodeParams):
        separator: str = Param(
            ", ", "Separator", "What stands between them; \\n is a line break.", max_length=1000, primary=True
        )

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        return {"text": unescaped(params.separator).join(inputs["items"])}


class ListItem(Node):
    """Take one item out of a list."""

    id, title, category = "list.item", "List item", "List"
    inputs = (Input("items", list_of(Any), description="The list to take it from."),)
    outputs = (Output("value", Any),)
    preview = "value"

    class Params(NodeParams):
        index: int = Param(
            0, "Item", "The first is 0, the last −1.", ge=-MAX_ITEMS, le=MAX_ITEMS, primary=True
        )

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        items = inputs["items"]
        try:
            return {"value": items[params.index]}
        except IndexError as error:
            raise ItemMissing(index=params.index, count=len(items), port="index") from error


class CollectList(Node):
    """Gather values and lists into one list, in order: what follows runs once for every item of it."""

    id, title, category = "list.collect", "Collect", "List"
    outputs = (Output("items", list_of(Any)), Output("count", Integer, description="How many there are."))
    preview = "count"

    class Params(NodeParams):
        ports: int = Param(
            2, "Inputs", "How many values or lists are gathered.", ge=1, le=MAX_PORTS, primary=True
        )

    @classmethod
    def input_ports(cls, params: Mapping[str, AnyValue]) -> tuple[Input, ...]:
        """A port for each; what isn't connected is left out."""
        wanted = params.get("ports")
        count = min(max(1, wanted), MAX_PORTS) if type(wanted) is int else 1
        words = "A value, or a list of them."
        return tuple(Input(f"item_{n}", list_of(Any), f"Item {n}", words, None) for n in range(1, count + 1))

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        names = (f"item_{number}" for number in range(1, params.ports + 1))
        items = ListValue(item for name in names for item in inputs.get(name) or ())
        if len(items) > MAX_ITEMS:
            raise TooManyItems(count=f"{len(items):,}", limit=f"{MAX_ITEMS:,}")
        return {"items": items, "count": len(items)}


NODES = (TextList, NumberRange, Table, JoinList, ListItem, CollectList)
