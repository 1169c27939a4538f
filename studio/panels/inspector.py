"""The inspector: everything about the selected node, made from its schema. Edits go through the document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from pipelines.engine.protocol import Models
from pipelines.errors import ErrorInfo, UnknownNodeType
from pipelines.graph import jsontext
from pipelines.graph.document import NodeRecord
from pipelines.graph.node import Input
from pipelines.graph.registry import ParamSchema
from pipelines.graph.subgraph_file import SUBGRAPH
from studio.canvas.problems import ProblemList
from studio.canvas.run_state import RunState
from studio.diagnostics import diagnostics
from studio.documents.document import GraphDocument
from studio.graph.edits import input_port, inputs_of, node_ports
from studio.graph.subgraph_ports import group_name, group_params, group_ports, uses
from studio.panels.inspector_fields import ConnectField, LinkField, ValueRow
from studio.panels.node_header import NodeHeader
from studio.panels.row_toggles import RowToggles
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.banner import Banner
from studio.widgets.field_row import FieldRow
from studio.widgets.layers_editor import LayersEditor
from studio.widgets.param_editors import Choices, ModelEditor, param_of
from studio.widgets.section import Section


class Inspector(QScrollArea):
    """Shows the nodes given to :meth:`show_nodes`. ``node_requested`` when the user follows a link."""

    node_requested = Signal(str)
    canvas_requested = Signal(str)

    def __init__(
        self,
        document: GraphDocument,
        problems: ProblemList | None = None,
        run_state: RunState | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._document, self._problems, self._run = document, problems, run_state
        self._nodes: list[str] = []
        self._shape: object = None
        self._rows: dict[str, FieldRow] = {}
        self._toggles: dict[str, RowToggles] = {}
        self._choices: dict[str, Choices] = {}
        self._problems_of: dict[str, str] = {}
        """Models that can't be used, with the reason."""
        self._more_open = False
        self._more: Section | None = None
        self._header: NodeHeader | None = None
        self.title = QLineEdit()
        self.banner: Banner | None = None
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(tr("Inspector"))
        self._rebuilding = QTimer(self)
        self._rebuilding.setSingleShot(True)
        self._rebuilding.timeout.connect(self._rebuild)
        document.node_changed.connect(self._node_changed)
        document.node_removed.connect(self._node_removed)
        document.replaced.connect(self._replaced)
        document.exposed_changed.connect(self._show_toggles)
        document.types_changed.connect(self._types_changed)
        if problems is not None:
            problems.changed.connect(self._show_problems)
        if run_state is not None:
            run_state.node_state_changed.connect(self._state_changed)
        current_theme().changed.connect(self._rebuild)
        self._rebuild()

    # --- what to show ----------------------------------------------------------------------------------

    @property
    def nodes(self) -> list[str]:
        """The nodes that are shown."""
        return list(self._nodes)

    @Slot(object)
    def show_nodes(self, nodes: Sequence[str]) -> None:
        """Show these nodes (one in full)."""
        if list(nodes) != self._nodes:
            self._nodes = list(nodes)
            self._rebuild()

    @Slot(str, str)
    def edit(self, node: str, param: str) -> None:
        """Show a node and put the cursor into a field (an empty param: its title)."""
        self.show_nodes([node])
        row = self._rows.get(param)
        if row is not None and self._more is not None and self._more.isAncestorOf(row):
            self._more_open = True
            self._more.set_expanded(True)
        target: QWidget = row.field if row is not None else self.title
        self.ensureWidgetVisible(target)
        # later: whoever asked may still have to show this panel
        QTimer.singleShot(0, target, lambda: target.setFocus(Qt.FocusReason.OtherFocusReason))
        if target is self.title:
            self.title.selectAll()

    @Slot(object)
    def show_models(self, message: object) -> None:
        """Fill the lists of models from the engine's answer."""
        if not isinstance(message, Models):
            return
        choices: dict[str, Choices] = {}
        self._problems_of = {model.id: tr(model.problem) for model in message.models if model.problem}
        for kind in ("diffusion", "language", "upscale", "inpaint", "control", "lora"):
            found = [model for model in message.models if model.kind == kind]
            choices[f"models:{kind}"] = tuple((model.id, model.title) for model in found)
        if choices != self._choices:
            self._choices = choices
            self._rebuild()

    def row(self, name: str) -> FieldRow | None:
        """The row of an input or param, if it is shown."""
        return self._rows.get(name)

    # --- following the document ------------------------------------------------------------------------

    @Slot(str)
    def _node_changed(self, node: str) -> None:
        if node not in self._nodes:
            # a node this one is linked with may have been renamed
            if len(self._nodes) == 1 and self._shape_of(self._nodes[0]) != self._shape:
                self._rebuilding.start(0)
            return
        if len(self._nodes) != 1 or self._shape_of(node) != self._shape:
            self._rebuilding.start(0)
            return
        for row in self._rows.values():
            if isinstance(row, ValueRow):
                row.show_value()
        self._show_toggles()
        self._show_name()

    @Slot()
    def _types_changed(self) -> None:
        """The node that is shown may be of a type that came, went or has other ports now."""
        if len(self._nodes) == 1:
            self._rebuild()

    @Slot()
    def _show_toggles(self) -> None:
        for toggles in self._toggles.values():
            toggles.show_state()

    @Slot(str)
    def _node_removed(self, node: str) -> None:
        if node in self._nodes:
            self._nodes.remove(node)
            self._rebuilding.start(0)

    @Slot()
    def _replaced(self) -> None:
        self._nodes = []
        self._rebuild()

    @Slot(str)
    def _state_changed(self, node: str) -> None:
        if self._nodes == [node]:
            self._show_problems()

    def _shape_of(self, node: str) -> object:
        """What decides which rows there are; values don't."""
        record = self._document.graph.nodes.get(node)
        schema = self._document.registry.get(record.type) if record is not None else None
        if record is None:
            return None
        group = record.type == SUBGRAPH
        declared = node_ports(self._document.graph, self._document.registry, node)[0]
        ports: tuple[object, ...] = tuple((port.name, port.type) for port in declared)
        if group:
            ports = (*ports, group_name(record), uses(self._document.graph, group_name(record)))
        titles = tuple(
            self._document.graph.nodes[link.node].title if link.node in self._document.graph.nodes else None
            for link in record.inputs.values()
        )
        return (
            node,
            record.type,
            record.mode,
            ports,
            tuple(record.inputs.items()),
            titles,
            schema is None and not group and record,
        )

    def _show_name(self) -> None:
        if self._header is not None:
            self._header.show_name(self._document.graph.nodes[self._nodes[0]])

    # --- building --------------------------------------------------------------------------------------

    @Slot()
    def _rebuild(self) -> None:
        self._rebuilding.stop()
        self._nodes = [node for node in self._nodes if node in self._document.graph.nodes]
        self._rows, self._toggles, self.banner, self._more, self._header = {}, {}, None, None, None
        content = QFrame()
        content.setProperty("role", "panel")
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 12, 16, 16)
        column.setSpacing(12)
        if len(self._nodes) == 1:
            self._shape = self._shape_of(self._nodes[0])
            self._build_node(column, self._nodes[0])
        else:
            self._shape = None
            self._build_none(column)
        column.addStretch(1)
        old = self.takeWidget()
        if old is not None:  # it may hold the very button whose click led here
            old.hide()
            old.deleteLater()
        self.setWidget(content)
        self._show_problems()

    def _build_none(self, column: QVBoxLayout) -> None:
        if self._nodes:
            heading = tr("{n} nodes selected", n=len(self._nodes))
            words = tr(
                "Select one of them to change its settings. Bypass, mute, copy and delete work on all."
            )
        else:
            heading = tr("Nothing selected")
            words = tr("Select a node to see and change its settings. Press Space on the canvas to add one.")
        column.addWidget(_label(heading, "heading"))
        column.addWidget(_label(words, "body2"))

    def _build_node(self, column: QVBoxLayout, node: str) -> None:
        record = self._document.graph.nodes[node]
        schema = self._document.registry.get(record.type)
        self._header = NodeHeader(record, schema)
        self._header.renamed.connect(self._rename)
        self._header.mode_chosen.connect(self._set_mode)
        self.title = self._header.title
        column.addWidget(self._header)
        self.banner = Banner()
        self.banner.close_button.hide()
        self.banner.diagnostics_requested.connect(self._copy_diagnostics)
        column.addWidget(self.banner)
        if record.type == SUBGRAPH:
            self._build_group(column, node, record)
            return
        if schema is None:
            self._build_unknown(column, record)
            return
        column.addWidget(_label(tr(schema.description), "body2"))
        ports = inputs_of(schema, record)
        for port in ports:
            self._add_row(column, self._input_row(node, record, port), port.name)
        declared = {port.name for port in ports}
        params = [param for param in schema.params if param.name not in declared]
        for param in params:
            if not param.advanced:
                self._add_row(column, self._param_row(node, record, param), param.name)
        advanced = [param for param in params if param.advanced]
        if advanced:
            section = Section(tr("More"), "inspector.more", expanded=self._more_open)
            section.toggled.connect(self._more_toggled)
            for param in advanced:
                self._add_row(section.content, self._param_row(node, record, param), param.name)
            column.addWidget(section)
            self._more = section
        for name in record.inputs:
            if name not in declared and name not in schema.params_by_name:
                row = FieldRow(name, self._link_field(node, record, name))
                self._add_row(column, row, name)

    def _build_group(self, column: QVBoxLayout, node: str, record: NodeRecord) -> None:
        """A node that stands for a subgraph: whether it is linked, and a field for each of its inputs."""
        graph, registry = self._document.graph, self._document.registry
        count = uses(graph, group_name(record))
        linked = tr("Linked: a change in it is one in all {n} places.", n=count)
        alone = tr("Independent: nothing else changes with it.")
        column.addWidget(_label(linked if count > 1 else alone, "body2"))
        params = group_params(graph, registry, record)
        for port in group_ports(graph, registry, record)[0]:
            if port.name in params and port.name not in record.inputs:
                row: FieldRow = self._param_row(node, record, params[port.name])
            else:
                row = self._input_row(node, record, port)
            self._add_row(column, row, port.name)

    def _build_unknown(self, column: QVBoxLayout, record: NodeRecord) -> None:
        """A node this program doesn't know: the reason, and its data to read."""
        text = jsontext.dumps({"params": dict(record.params), "version": record.version})
        data = _label(text.strip(), "")
        data.setFont(current_theme().font("mono"))
        data.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        data.setAccessibleName(tr("Settings of the node, as they are kept"))
        column.addWidget(_label(tr("Kept as it is in the file:"), "label"))
        column.addWidget(data)

    def _input_row(self, node: str, record: NodeRecord, port: Input) -> FieldRow:
        sentence = tr(port.description) if port.description else ""
        if port.name in record.inputs:
            return FieldRow(tr(port.label), self._link_field(node, record, port.name), sentence)
        if port.takes_literal:
            return ValueRow(self._document, node, param_of(port), required=port.required)
        return FieldRow(tr(port.label), ConnectField(self._document, node, port), sentence)

    def _param_row(self, node: str, record: NodeRecord, param: ParamSchema) -> FieldRow:
        if param.name in record.inputs:
            return FieldRow(
                tr(param.title), self._link_field(node, record, param.name), tr(param.description)
            )
        row = ValueRow(self._document, node, param, choices=self._choices.get(param.dynamic_choices, ()))
        if isinstance(row.editor, ModelEditor):
            row.editor.field.set_unavailable(self._problems_of)
        if isinstance(row.editor, LayersEditor):
            row.editor.canvas_requested.connect(lambda: self.canvas_requested.emit(node))
        return row

    def _link_field(self, node: str, record: NodeRecord, name: str) -> LinkField:
        found = LinkField(self._document, node, name, record.inputs[name])
        found.node_requested.connect(self.node_requested)
        return found

    def _add_row(self, column: QVBoxLayout, row: FieldRow, name: str) -> None:
        self._rows[name] = row
        column.addWidget(row)
        graph, registry, node = self._document.graph, self._document.registry, self._nodes[0]
        port = input_port(graph, registry, node, name)
        if port is not None and port.takes_literal:
            declared = {found.name for found in node_ports(graph, registry, node)[0]}
            own = name not in declared
            self._toggles[name] = RowToggles(self._document, node, name, row, port=own)

    def toggles(self, name: str) -> RowToggles | None:
        """The switches at the row of an input or param, if it has any."""
        return self._toggles.get(name)

    # --- edits -----------------------------------------------------------------------------------------

    @Slot(str)
    def _rename(self, title: str) -> None:
        if len(self._nodes) == 1:
            self._document.set_title(self._nodes[0], title)

    @Slot(str)
    def _set_mode(self, mode: str) -> None:
        self._document.set_mode(self._nodes, mode)

    @Slot(bool)
    def _more_toggled(self, expanded: bool) -> None:
        self._more_open = expanded

    @Slot(str)
    def _copy_diagnostics(self, text: str) -> None:
        QGuiApplication.clipboard().setText(diagnostics(text))

    # --- problems --------------------------------------------------------------------------------------

    @Slot()
    def _show_problems(self) -> None:
        """Each problem at its field; those of the node as a whole above."""
        if len(self._nodes) != 1 or self.banner is None:
            return
        node = self._nodes[0]
        found = list(self._problems.of(node)) if self._problems is not None else []
        found += self._run_problems(node)
        record = self._document.graph.nodes[node]
        known = record.type in self._document.registry or record.type == SUBGRAPH
        if not known and not found:
            found.append(UnknownNodeType(type=record.type, node=node).info())
        by_field: dict[str, list[ErrorInfo]] = {}
        for problem in found:
            place = problem.port if problem.port in self._rows else ""
            by_field.setdefault(place or "", []).append(problem)
        for name, row in self._rows.items():
            mine = by_field.get(name, [])
            if mine:
                severity = "error" if any(item.severity == "error" for item in mine) else "warning"
                row.show_message(" ".join(item.text(tr) for item in mine), severity)
            else:
                row.clear_message()
        general = by_field.get("", [])
        if general:
            self.banner.show_error(general[0])
        else:
            self.banner.hide()

    def _run_problems(self, node: str) -> list[ErrorInfo]:
        """What the last run said about the node."""
        if self._run is None:
            return []
        state = self._run.state(node)
        result: list[ErrorInfo] = []
        for data in (*state.errors, *state.warnings):
            fields: Mapping[str, Any] = data.model_dump()
            result.append(ErrorInfo.from_json(fields))
        return result


def _label(text: str, role: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", role)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
