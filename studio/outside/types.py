"""Keeps the document's node types in step with what the engine has from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pipelines.engine.protocol import NodeSource, OutsideNodes, Ports
from pipelines.graph.described import KnownPorts, from_description, read_input, read_output
from pipelines.graph.registry import NodeSchema, OpenRegistry
from studio.documents.document import GraphDocument

PORTS_MS: Final = 30
"""Answers about ports that come within this time are shown at once."""
_FAULTS: Final = (KeyError, TypeError, ValueError)
"""What a description that isn't one raises."""


class OutsideTypes(QObject):
    """``changed`` when the engine has told what there is: see :attr:`sources`."""

    changed = Signal()

    def __init__(self, document: GraphDocument, bridge: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document, self._bridge = document, bridge
        self.sources: tuple[NodeSource, ...] = ()
        """The files and packages, as they were told last."""
        self._known = KnownPorts(self._ask)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(PORTS_MS)
        self._soon.timeout.connect(document.types_changed)
        bridge.outside_listed.connect(self._listed)
        bridge.ports_told.connect(self._ports_told)

    def _ask(self, type_id: str, params: Mapping[str, Any]) -> None:
        self._bridge.ask_ports(type_id, params)

    @Slot(object)
    def _listed(self, event: OutsideNodes) -> None:
        self._known.forget()
        self.sources = event.sources
        registry = self._document.registry
        if isinstance(registry, OpenRegistry):
            registry.set_outside(self._schemas(event))
            self._document.types_changed.emit()
        self.changed.emit()

    def _schemas(self, event: OutsideNodes) -> list[NodeSchema]:
        schemas = []
        for data in event.nodes:
            try:
                schemas.append(from_description(data, self._known))
            except _FAULTS:  # another version's; its nodes stay unknown here
                continue
        return schemas

    @Slot(object)
    def _ports_told(self, event: Ports) -> None:
        try:
            inputs = tuple(read_input(port) for port in event.inputs)
            outputs = tuple(read_output(port) for port in event.outputs)
        except _FAULTS:
            return
        self._known.put(event.type, event.params, (inputs, outputs))
        self._soon.start()
