"""What all gestures have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtWidgets import QApplication

from studio.canvas.dot_layer import Dot
from studio.canvas.face import PortFace
from studio.canvas.items import BoxItem, NodeItem, WireItem
from studio.canvas.scene import GraphScene
from studio.documents.document import GraphDocument
from studio.keys.gestures import Bindings, Trigger, gesture_of

ARMED: Final = Trigger()
"""What begins a gesture that was armed."""


class Canvas(Protocol):
    """What gestures need of :class:`studio.canvas.view.GraphView`."""

    graph_scene: GraphScene
    gestures: Bindings
    palette_requested: Any
    noticed: Any

    @property
    def document(self) -> GraphDocument: ...
    @property
    def zoom(self) -> float: ...
    def offset(self) -> QPoint: ...
    def set_offset(self, offset: QPoint) -> None: ...
    def pan_by(self, pixels: QPoint) -> None: ...
    def shown_area(self) -> QRectF: ...
    def devicePixelRatioF(self) -> float: ...
    def show_hint(self, at: QPoint, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Press:
    """Where a button went down, and on what."""

    at: QPointF
    """In the scene."""
    view_at: QPoint
    button: Qt.MouseButton
    modifiers: Qt.KeyboardModifier
    panning: bool
    """Space is held."""
    port: PortFace | None = None
    node: NodeItem | None = None
    wire: WireItem | None = None
    box: BoxItem | None = None
    """A frame or note that is held there."""
    dot: Dot | None = None
    """A reroute dot; ``wire`` is its wire then."""
    armed: str = ""
    """The gesture that a command armed for this press of the left button."""

    @property
    def place(self) -> str:
        """What a gesture would begin on, as the gesture table calls it."""
        things = {"port": self.port, "node": self.node, "wire": self.wire, "frame": self.box}
        return next((place for place, thing in things.items() if thing is not None), "blank")


def begins(view: Canvas, press: Press, gesture: str) -> Trigger | None:
    """How a press begins a gesture of the table: by its trigger or, armed, by the left button. Of several
    that could begin there, the press is the one with the most keys. ``None``: it doesn't."""
    if press.armed and not gesture_of(press.armed).held:
        return ARMED if press.armed == gesture else None
    best = view.gestures.best(press.place, press.button, press.modifiers, press.panning)
    return best[1] if best is not None and best[0] == gesture else None


class Interaction:
    """One gesture. ``cancel`` leaves everything as it was before the press."""

    cursor: ClassVar[Qt.CursorShape | None] = None
    pans_at_edge: ClassVar[bool] = True
    """Whether the view goes along when the pointer is dragged to its edge."""
    armed_as: ClassVar[str] = ""
    """The gesture of the table that it is; armed, no other is offered the press."""

    def __init__(self, view: Canvas, press: Press) -> None:
        self.view, self.press = view, press
        self.scene, self.document = view.graph_scene, view.document
        self.dragging = False

    def holds(self, gesture: str, modifiers: Qt.KeyboardModifier) -> bool:
        """Whether a gesture that is held changes the drag now: its modifiers are down, or it is armed."""
        return self.press.armed == gesture or self.view.gestures.holds(gesture, modifiers)

    @property
    def adds(self) -> bool:
        """Whether the press adds to the selection."""
        return self.holds("add", self.press.modifiers)

    @property
    def toggles(self) -> bool:
        """Whether the press selects what wasn't selected and the other way round."""
        return self.holds("toggle", self.press.modifiers)

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        """Whether this gesture begins with such a press."""
        raise NotImplementedError

    def begin(self) -> None:
        """The press itself."""

    def moved(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        """The pointer moved; calls :meth:`drag` once it is clear that it is a drag and not a click."""
        if not self.dragging:
            away = (view_at - self.press.view_at).manhattanLength()
            self.dragging = away >= QApplication.startDragDistance() // 2
        if self.dragging:
            self.drag(at, view_at, modifiers)

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        """The pointer moves with the button down."""

    def released(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        """The button went up."""

    def cancel(self) -> None:
        """Esc, or the view lost the pointer."""
