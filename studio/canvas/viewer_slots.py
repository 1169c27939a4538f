"""What is sent to the viewer: a node's output in each of nine places (A to I), and what it holds now. No
widgets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from pipelines.engine.protocol import ImageRef, ValueRef
from studio.canvas.face import number_text
from studio.canvas.items.texts import progress_text, seconds_text
from studio.canvas.run_state import Bridge, NodeState, RunState
from studio.canvas.value_words import value_words
from studio.documents.scoped_document import ScopedDocument
from studio.graph.edits import output_port, outputs_of, title_of
from studio.translate import tr

LETTERS: Final = "ABCDEFGHI"


@dataclass(frozen=True, slots=True)
class Content:
    """What a place shows. ``picture`` may be a thumbnail (``size`` is the picture's own) or still forming."""

    node: str
    """Its flattened id."""
    output: str
    title: str
    """The node's and the output's names."""
    picture: QImage | None = None
    size: tuple[int, int] | None = None
    forming: bool = False
    text: str = ""
    words: str = ""
    """Size, time, whether it is out of date: in a few words."""

    @property
    def reduced(self) -> bool:
        """Whether only a thumbnail is here."""
        if self.picture is None or self.size is None or self.forming:
            return False
        return self.picture.width() < self.size[0]


@dataclass(frozen=True, slots=True)
class Place:
    """What was sent: a node by its flattened id, and what was known of it where it was sent."""

    node: str
    prefix: str
    outputs: tuple[str, ...]
    """All of the node, the one its thumbnail shows first."""
    output: str
    title: str

    @property
    def id(self) -> str:
        """The flattened id, ``outer/inner``."""
        return self.prefix + self.node

    @property
    def is_first(self) -> bool:
        return self.outputs[0] == self.output


class ViewerSlots(QObject):
    """``changed`` carries the place whose content may differ, ``sent`` one that was just sent to,
    ``places_changed`` says that places came or went. What is inside a group stays in its place when one goes
    out."""

    changed = Signal(int)
    sent = Signal(int)
    places_changed = Signal()

    def __init__(
        self, document: ScopedDocument, run: RunState, bridge: Bridge | None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._document, self._run, self._bridge = document, run, bridge
        self._places: dict[int, Place] = {}
        self._pictures: dict[int, tuple[ImageRef, QImage]] = {}
        run.node_state_changed.connect(self._state_changed)
        run.cleared.connect(self._all_changed)
        document.node_changed.connect(self._node_changed)
        whole = document.whole
        whole.node_removed.connect(self._node_came_or_went)
        whole.node_added.connect(self._node_came_or_went)
        document.node_removed.connect(self._node_came_or_went)
        document.node_added.connect(self._node_came_or_went)
        document.scope_changed.connect(self.places_changed)
        whole.replaced.connect(self.clear)

    @property
    def places(self) -> list[int]:
        """The places in use, in order; those of deleted nodes wait for an undo."""
        return sorted(place for place, sent in self._places.items() if self._is_there(sent))

    def _is_there(self, sent: Place) -> bool:
        if sent.prefix == self._document.prefix:
            return sent.node in self._document.graph.nodes
        return sent.id.split("/", 1)[0] in self._document.whole.graph.nodes

    def letters_of(self, node: str) -> str:
        """The places that a node of the level that is shown is sent to, as letters."""
        id = self._document.prefix + node
        return "".join(LETTERS[place] for place in self.places if self._places[place].id == id)

    def send(self, place: int, node: str) -> None:
        """Show a node's output in a place: its preview first, its next output when it is sent again."""
        outputs = self._outputs(node)
        if not outputs:
            return
        prefix, before = self._document.prefix, self._places.get(place)
        known = before.output if before is not None and before.id == prefix + node else None
        output = outputs[(outputs.index(known) + 1) % len(outputs) if known in outputs else 0]
        self._places[place] = Place(node, prefix, outputs, output, self._title(node, output, len(outputs)))
        self._pictures.pop(place, None)
        self.places_changed.emit()
        self.sent.emit(place)

    def take_away(self, place: int) -> None:
        """Empty a place."""
        if self._places.pop(place, None) is not None:
            self._pictures.pop(place, None)
            self.places_changed.emit()

    @Slot()
    def clear(self) -> None:
        """Empty all places."""
        self._places, self._pictures = {}, {}
        self.places_changed.emit()

    def content(self, place: int) -> Content | None:
        """What a place shows now; ``None`` for an empty one."""
        sent = self._places.get(place)
        if sent is None or not self._is_there(sent):
            return None
        state = self._run.state_at(sent.id)
        value = state.outputs.get(sent.output)
        if state.status == "running" and state.pictures and sent.is_first:
            return Content(sent.id, sent.output, sent.title, state.pictures[0], None, True, "",
                           progress_text(state))  # fmt: skip
        if value is None:
            words = progress_text(state) if state.status == "running" else tr("Not made yet: run the graph.")
            return Content(sent.id, sent.output, sent.title, words=words)
        size = value.sizes[0] if value.sizes else None
        text = "" if value.sizes else _text(value)
        picture = self._picture(place, value, state)
        return Content(sent.id, sent.output, sent.title, picture, size, False, text, _words(value, state))

    def _outputs(self, node: str) -> tuple[str, ...]:
        """The outputs of a node, the one its thumbnail shows first."""
        record = self._document.graph.nodes.get(node)
        schema = self._document.registry.get(record.type) if record is not None else None
        if record is None or schema is None:
            return tuple(self._run.state(node).outputs)
        names = [port.name for port in outputs_of(schema, record)]
        preview = schema.node.preview
        if preview and preview not in names:
            return (preview, *names)
        return tuple(sorted(names, key=lambda name: name != preview))

    def _title(self, node: str, output: str, count: int) -> str:
        graph, registry = self._document.graph, self._document.registry
        title = title_of(graph, registry, node)
        if count == 1:
            return title
        port = output_port(graph, registry, node, output)
        return tr("{node}, {output}", node=title, output=tr(port.label) if port is not None else output)

    def _picture(self, place: int, value: ValueRef, state: NodeState) -> QImage | None:
        if not value.images or self._bridge is None:
            return None
        known = self._pictures.get(place)
        if known is not None and known[0] == value.images[0]:
            return known[1]
        picture = self._bridge.image(value.images[0])
        if picture is None or picture.isNull():
            # its file was read by somebody else before: the node itself has kept its thumbnail
            return state.pictures[0] if self._places[place].is_first and state.pictures else None
        self._pictures[place] = (value.images[0], picture)
        return picture

    # --- following -------------------------------------------------------------------------------------

    @Slot(str)
    def _node_changed(self, node: str) -> None:
        id = self._document.prefix + node
        for place, sent in list(self._places.items()):
            if sent.id == id:
                # it may have another name now
                title = self._title(node, sent.output, len(sent.outputs))
                self._places[place] = replace(sent, title=title)
                self.changed.emit(place)

    @Slot(str)
    def _state_changed(self, node: str) -> None:
        """A state, of this level or of what is outside of it."""
        for place, sent in list(self._places.items()):
            if sent.id == self._document.prefix + node or sent.prefix != self._document.prefix:
                self.changed.emit(place)

    @Slot(str)
    def _node_came_or_went(self, node: str) -> None:
        if any(sent.node == node for sent in self._places.values()):
            self.places_changed.emit()

    @Slot()
    def _all_changed(self) -> None:
        for place in list(self._places):
            self.changed.emit(place)


def _text(value: ValueRef) -> str:
    if isinstance(value.value, list):
        return "\n".join(_text(ValueRef(type="", value=item)) for item in value.value)
    if isinstance(value.value, bool | int | float):
        return number_text(value.value)
    return "" if value.value is None else str(value.value)


def _words(value: ValueRef, state: NodeState) -> str:
    parts = [value_words(value)] if value.sizes or value.items is not None else []
    if state.took is not None and (time := seconds_text(state.took)):
        parts.append(time)
    if state.stale:
        parts.append(tr("out of date"))
    return " · ".join(parts)
