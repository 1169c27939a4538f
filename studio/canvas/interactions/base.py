"""What all gestures have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtWidgets import QApplication

from studio.canvas.dot_layer import Dot
from studio.canvas.face import PortFace
from studio.canvas.items import BoxItem, NodeItem, WireItem
from studio.canvas.scene import GraphScene
from studio.document import GraphDocument


class Canvas(Protocol):
    """What gestures need of :class:`studio.canvas.view.GraphView`."""

    graph_scene: GraphScene
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

    @property
    def shift(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.ShiftModifier)

    @property
    def control(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.ControlModifier)

    @property
    def alt(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.AltModifier)


class Interaction:
    """One gesture. ``cancel`` leaves everything as it was before the press."""

    cursor: ClassVar[Qt.CursorShape | None] = None
    pans_at_edge: ClassVar[bool] = True
    """Whether the view goes along when the pointer is dragged to its edge."""

    def __init__(self, view: Canvas, press: Press) -> None:
        self.view, self.press = view, press
        self.scene, self.document = view.graph_scene, view.document
        self.dragging = False

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
