"""What a node shows: title, ports and rows, from the document and the node's schema, with geometry.

A :class:`NodeFace` is plain data: the item paints it, gestures ask it where ports are. No painting here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from PySide6.QtCore import QPointF, QRectF

from pipelines.graph import types as port_types
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.node import Input, Output
from pipelines.graph.registry import NodeSchema, ParamSchema, Registry
from pipelines.graph.subgraph_file import SUBGRAPH
from pipelines.graph.types import PortType
from studio.canvas.style import Metrics
from studio.graph.edits import inputs_of, outputs_of
from studio.graph.exposed import shown_ports
from studio.graph.previews import preview_of
from studio.graph.subgraph_ports import group_name, group_ports, uses
from studio.translate import tr
from studio.widgets.param_editors import choice_title

MAX_PRIMARY: Final = 4
TEXT_LINES: Final = 3
STREAM_LINES: Final = 5


@dataclass(frozen=True, slots=True)
class PortFace:
    """A port where it is drawn; ``at`` is relative to the node's top left corner."""

    node: str
    name: str
    label: str
    type: PortType
    is_output: bool
    at: QPointF
    linked: bool = False
    description: str = ""
    required: bool = False
    quiet: bool = False
    """A value's own port: there, but not asking for a wire."""


@dataclass(frozen=True, slots=True)
class RowFace:
    """One row: ports with labels, or a value in its ``box``; with ``lines`` > 1 a wrapped text."""

    rect: QRectF
    label: str = ""
    value: str = ""
    param: str = ""
    box: QRectF | None = None
    lines: int = 1
    input: PortFace | None = None
    output: PortFace | None = None
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class NodeFace:
    """A node ready to be painted, without its run state."""

    node: str
    type: str
    title: str
    category: str
    mode: str
    width: float
    height: float
    """Without thumbnail or streamed text."""
    hue: PortType
    rows: tuple[RowFace, ...] = ()
    ports: tuple[PortFace, ...] = ()
    known: bool = True
    text_lines: int = 0
    """Lines kept for the text or number that comes out; 0 for none."""
    streams: bool = False
    """Its text comes bit by bit: the room is kept while it runs."""
    places: dict[tuple[bool, str], PortFace] = field(default_factory=dict)
    shows_preview: bool = True
    """Whether thumbnail or text are shown below the rows."""
    picture_height: float = 0.0
    """Height somebody gave the thumbnail; 0: what fits."""

    def port(self, name: str, is_output: bool) -> PortFace | None:
        return self.places.get((is_output, name))


def number_text(value: float) -> str:
    """A number or truth value in few characters."""
    if isinstance(value, bool):
        return tr("On") if value else tr("Off")
    if isinstance(value, int):
        return str(value)
    text = f"{value:.4g}"
    return text if any(mark in text for mark in ".en") else f"{text}.0"


def value_text(kind: PortType, value: Any, unit: str = "", *, empty: str = "") -> str:
    """A literal as a node shows it, in one line; ``empty`` is what an empty text or 0 stands for."""
    if empty and not value:
        return tr(empty)
    if value is None:
        return tr("New every time") if kind == port_types.Seed else tr("None")
    if isinstance(value, bool | float):
        value = number_text(value)
    text = str(value)
    if kind == port_types.Choice:
        text = choice_title(text)
    return f"{text} {tr(unit)}".strip() if unit else text


def main_type(schema: NodeSchema, inputs: tuple[Input, ...], outputs: tuple[Output, ...]) -> PortType:
    """The type that gives a node its hue: its first output's; what it writes, for one that saves."""
    kinds = [port.type for port in outputs] + [port.type for port in inputs]
    if schema.node.saves and inputs:
        return inputs[0].type
    return kinds[0] if kinds else port_types.Any


class _Builder:
    """Places rows from top to bottom."""

    def __init__(self, node: str, record: NodeRecord, metrics: Metrics) -> None:
        self.node, self.record, self.metrics = node, record, metrics
        self.asked = shown_ports(record)
        self.rows: list[RowFace] = []
        self.ports: list[PortFace] = []
        self.y = metrics.title + metrics.pad

    def port(self, port: Input | Output, *, linked: bool) -> PortFace:
        output = isinstance(port, Output)
        x = self.metrics.width if output else 0.0
        required = isinstance(port, Input) and port.required
        at = QPointF(x, self.y + self.metrics.row / 2)
        face = PortFace(
            self.node, port.name, tr(port.label), port.type, output, at, linked,
            tr(port.description) if port.description else "", required,
            isinstance(port, Input) and port.takes_literal and not linked and port.name not in self.asked,
        )  # fmt: skip
        self.ports.append(face)
        return face

    def pair(self, left: Input | None, right: Output | None, outputs_used: frozenset[str]) -> None:
        into = self.port(left, linked=left.name in self.record.inputs) if left else None
        out = self.port(right, linked=right.name in outputs_used) if right else None
        self.rows.append(RowFace(self._rect(), input=into, output=out))
        self.y += self.metrics.row

    def value(self, port: Input, text: str, numeric: bool, *, multiline: bool = False) -> None:
        linked = port.name in self.record.inputs
        face = self.port(port, linked=linked)
        lines = TEXT_LINES if multiline and not linked and text else 1
        rect = self._rect()
        inset, row = self.metrics.inset, self.metrics.row
        box: QRectF | None = None
        if lines > 1:
            height = lines * self.metrics.line + 8
            box = QRectF(inset, self.y + row, self.metrics.width - 2 * inset, height)
            rect.setHeight(row + height + 4)
        elif not linked:
            box = QRectF(inset - 4, self.y + 1, self.metrics.width - 2 * inset + 8, row - 2)
        self.rows.append(
            RowFace(rect, face.label, "" if linked else text, port.name, box, lines, face, None, numeric)
        )
        self.y += rect.height()

    def words(self, text: str) -> None:
        """A row of words alone."""
        self.rows.append(RowFace(self._rect(), value=text))
        self.y += self.metrics.row

    def _rect(self) -> QRectF:
        return QRectF(0, self.y, self.metrics.width, self.metrics.row)


def build_face(
    graph: Graph, node: str, registry: Registry, metrics: Metrics, used: frozenset[str]
) -> NodeFace:
    """The face of a node. ``used`` are the names of its outputs that a link starts from."""
    record = graph.nodes[node]
    schema = registry.get(record.type)
    preview = preview_of(graph, node)
    metrics = replace(metrics, width=max(metrics.width, preview.width)) if preview.width else metrics
    builder = _Builder(node, record, metrics)
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    if schema is None:
        grouped = record.type == SUBGRAPH
        inputs, outputs = group_ports(graph, registry, record) if grouped else ((), ())
        if inputs or outputs:
            _group_rows(builder, inputs, outputs, used)
        else:
            _unknown_rows(builder, record, dict.fromkeys(record.inputs), sorted(used))
        name = group_name(record) if grouped else record.type
        hue = outputs[0].type if outputs else port_types.Any
        title, category = record.title or name, "Group" if grouped else ""
        if grouped:
            builder.words(_linked_words(uses(graph, name)))
    else:
        inputs, outputs = inputs_of(schema, record), outputs_of(schema, record)
        _known_rows(builder, schema, inputs, outputs, used)
        hue = main_type(schema, inputs, outputs)
        title, category = record.title or tr(schema.title), schema.category
    lines = _text_lines(schema, inputs, outputs) if schema is not None else 0
    return NodeFace(
        node, record.type, title, category, record.mode, metrics.width, builder.y + metrics.pad, hue,
        tuple(builder.rows), tuple(builder.ports), schema is not None or record.type == SUBGRAPH,
        lines, lines > 2,
        {(port.is_output, port.name): port for port in builder.ports},
        preview.shown, preview.height,
    )  # fmt: skip


def _text_lines(schema: NodeSchema, inputs: tuple[Input, ...], outputs: tuple[Output, ...]) -> int:
    """How many lines of its result a node shows: a model's text many, a made text two, a number one."""
    kind = next((port.type.name for port in outputs if port.name == schema.node.preview), "")
    if kind == "Text" and not schema.node.saves and inputs:
        return STREAM_LINES if schema.node.lane == "gpu" else 2
    return 1 if kind in ("Number", "Integer", "Boolean") and inputs else 0


def _known_rows(
    builder: _Builder,
    schema: NodeSchema,
    inputs: tuple[Input, ...],
    outputs: tuple[Output, ...],
    used: frozenset[str],
) -> None:
    record = builder.record
    _port_rows(builder, inputs, outputs, used)
    declared = {port.name for port in inputs}
    params = [param for param in schema.params if param.name not in declared]
    shown = [param for param in params if param.primary][:MAX_PRIMARY]
    asked = record.inputs.keys() | shown_ports(record)
    shown += [param for param in params if param not in shown and param.name in asked]
    for param in shown:
        _param_row(builder, param)
    _other_rows(builder, declared | set(schema.params_by_name), outputs, used)


def _group_rows(
    builder: _Builder, inputs: tuple[Input, ...], outputs: tuple[Output, ...], used: frozenset[str]
) -> None:
    """The ports of a subgraph."""
    _port_rows(builder, inputs, outputs, used)
    _other_rows(builder, {port.name for port in inputs}, outputs, used)


def _port_rows(
    builder: _Builder, inputs: tuple[Input, ...], outputs: tuple[Output, ...], used: frozenset[str]
) -> None:
    """What takes a wire beside what gives one, then the values."""
    wires = [port for port in inputs if not port.takes_literal]
    for index in range(max(len(wires), len(outputs))):
        builder.pair(
            wires[index] if index < len(wires) else None,
            outputs[index] if index < len(outputs) else None,
            used,
        )
    for port in inputs:
        if port.takes_literal:
            value = builder.record.params.get(port.name, None if port.required else port.default)
            text = "" if value in (None, "") and port.type.name != "Seed" else value_text(port.type, value)
            numeric = port.type.name in ("Number", "Integer", "Seed")
            builder.value(port, text, numeric, multiline=port.multiline)


def _other_rows(
    builder: _Builder, known: set[str], outputs: tuple[Output, ...], used: frozenset[str]
) -> None:
    """Ports that nobody declares, but that have wires."""
    for name in builder.record.inputs:
        if name not in known:
            builder.pair(Input(name, port_types.Any, name, default=None), None, used)
    for name in sorted(used - {port.name for port in outputs}):
        builder.pair(None, Output(name, port_types.Any, name), used)


def _param_row(builder: _Builder, param: ParamSchema) -> None:
    value = builder.record.params.get(param.name, param.default)
    text = value_text(param.type, value, param.unit, empty=param.empty)
    port = Input(param.name, param.type, param.title, param.description, default=param.default)
    multiline = param.widget == "multiline"
    builder.value(port, text, param.type.name in ("Number", "Integer", "Seed"), multiline=multiline)


def _linked_words(count: int) -> str:
    """Whether a change in this group is one elsewhere, too."""
    return tr("Linked with {n} more", n=count - 1) if count > 1 else tr("Independent")


def _unknown_rows(
    builder: _Builder, record: NodeRecord, inputs: Iterable[str], outputs: Sequence[str]
) -> None:
    """Ports by name alone: those that links mention, and those of a subgraph."""
    names, used = list(inputs), frozenset(outputs)
    for index in range(max(len(names), len(outputs), 1)):
        builder.pair(
            Input(names[index], port_types.Any, names[index], default=None) if index < len(names) else None,
            Output(outputs[index], port_types.Any, outputs[index]) if index < len(outputs) else None,
            used,
        )
