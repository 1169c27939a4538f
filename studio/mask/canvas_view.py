"""The canvas in use: pointer, pen and keys become gestures of the tools."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, Qt, Slot
from PySide6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPen,
    QPointingDevice,
    QTabletEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from studio.mask.canvas_hand import CanvasHand
from studio.mask.canvas_keys import action_for, command_of
from studio.mask.edge_gesture import DragEdge
from studio.mask.expansion import cursor_for
from studio.mask.layers import PICTURE, LayerKind
from studio.mask.paint_document import PaintDocument
from studio.mask.preview import CompareMode
from studio.mask.tool_settings import BRUSHES, ToolSettings
from studio.mask.tools import TOOLS, Gesture, Pan, Rotate, Sample
from studio.mask.tools.fills import Eyedropper
from studio.theme import current_theme
from studio.translate import tr

BEFORE, TURN = HELD = ("canvas.before", "canvas.turn")
_TOOLS = {tool.id: tool for tool in TOOLS}


class CanvasView(CanvasHand):
    """Takes what pointer, pen and keys do, and has one gesture at a time go on."""

    def __init__(
        self, document: PaintDocument, settings: ToolSettings, parent: QWidget | None = None
    ) -> None:
        super().__init__(document, settings, parent)
        self.gesture: Gesture | None = None
        self._space = self._turning = False
        self._held: dict[int, str] = {}
        """Keys that do something while they are down, by what they do."""
        self._pointer: QPointF | None = None
        self._offset = QPoint(0, 0)
        self._over = QRect()
        self._idle = False
        self.setMouseTracking(True)
        self.setTabletTracking(True)
        settings.changed.connect(self._settings_changed)
        document.changed.connect(self._document_changed)
        document.replaced.connect(self._document_changed)
        document.busy_changed.connect(self._show_cursor)
        document.stack_changed.connect(self._stack_changed)
        self._show_cursor()

    # --- gestures --------------------------------------------------------------------------------------

    def _class_for(self, sample: Sample) -> type[Gesture] | None:
        if sample.button == Qt.MouseButton.MiddleButton:
            return Pan
        if sample.button != Qt.MouseButton.LeftButton:
            return None
        if self._space:
            return Pan
        if self._turning:
            return Rotate
        if self.edge_at(sample.view_at) is not None:
            return DragEdge
        active = self.document.active
        if sample.alt and self.settings.tool == "brush" and active and active.kind is LayerKind.PAINT:
            return Eyedropper
        return _TOOLS[self.settings.tool].gesture

    def _refusal(self, sample: Sample) -> str:
        """Why nothing can be drawn now, or nothing."""
        layer = self.document.active
        if self.document.busy:
            return tr("The last operation is still at work.")
        if layer is None or layer.surface is None:
            return tr("A picture stays as it is: choose a mask or a paint layer, or add one.")
        if layer.kind in PICTURE and self._hidden_below(sample):
            return tr("The result lies over the picture here: apply it or discard it first.")
        return "" if layer.visible else tr("This layer is hidden: show it to draw on it.")

    def _hidden_below(self, sample: Sample) -> bool:
        """Whether a result hides what would be drawn on the picture."""
        preview = self.preview
        if preview is None or not preview.rect.contains(sample.at.toPoint()):
            return False
        if self.compare_mode is CompareMode.SIDE_BY_SIDE:
            return self._offset.x() > 0
        if self.compare_mode is CompareMode.SLIDER:
            return sample.at.x() >= preview.rect.left() + self.split * preview.rect.width()
        return True

    def pointer_pressed(self, sample: Sample) -> None:
        """A button or the pen went down."""
        self._pointer = sample.view_at
        if self.gesture is not None:
            if sample.button == Qt.MouseButton.LeftButton:
                self.gesture.pressed(sample)
                self._after()
            return
        kind = self._class_for(sample)
        if kind is None or self.document.stack.size.isEmpty():
            return
        why = self._refusal(sample) if kind.draws else ""
        if why:
            self.hinted.emit(why)
            return
        self.gesture = kind(self, sample)
        self._show_cursor()
        self.gesture.begin()
        self._after()

    def pointer_moved(self, sample: Sample) -> None:
        """The pointer moved."""
        self._pointer = sample.view_at
        if self.gesture is not None:
            self.gesture.moved(sample)
        else:
            if self.expansion_enabled:
                self.light_edge(self.edge_at(sample.view_at))
            self._show_cursor()
        self._after()

    @property
    def _tool_class(self) -> type[Gesture]:
        """The tool in hand."""
        return _TOOLS[self.settings.tool].gesture

    def _update_idle(self) -> None:
        """What the tool in hand shows without a press may lie anywhere."""
        if self.settings.tool == "transform" or self._idle:
            self.update()
        self._idle = self.settings.tool == "transform"

    def pointer_released(self, sample: Sample) -> None:
        """The button or the pen went up."""
        if self.gesture is not None and sample.button in (self.gesture.press.button, Qt.MouseButton.NoButton):
            self.gesture.released(sample)
            self._after()

    def _after(self) -> None:
        """After each event: let go of a finished gesture, repaint what lies above the picture."""
        if self.gesture is not None and self.gesture.finished:
            self.gesture = None
            self._show_cursor()
        over = self._ring_rect()
        if self.gesture is not None:
            over |= self.gesture.painted_rect()
        if over != self._over or self.gesture is not None:
            for rect in (self._over, over):
                self.refresh_area(rect)
        self._over = over

    def cancel_gesture(self) -> bool:
        """Stop the gesture that is going on, if there is one; everything is as before it."""
        gesture, self.gesture = self.gesture, None
        if gesture is not None:
            gesture.cancel()
            self._after()
            self._show_cursor()
        return gesture is not None

    @Slot()
    def _document_changed(self) -> None:
        """Something was undone while a gesture went on: what it has drawn so far stood on what is gone."""
        if self.drawing and self.gesture is not None and not self.gesture.finished:
            self.cancel_gesture()
        self._update_idle()

    @Slot()
    def _stack_changed(self) -> None:
        self._show_cursor()
        self._update_idle()

    # --- mouse and pen ---------------------------------------------------------------------------------

    def _sample(self, event: QMouseEvent | QTabletEvent) -> Sample:
        pressure, eraser = 1.0, False
        if isinstance(event, QTabletEvent):
            pressure = event.pressure()
            eraser = event.pointerType() == QPointingDevice.PointerType.Eraser
        at = self._local(event.position())
        return Sample(self.to_image(at), at, pressure, event.modifiers(), event.button(), eraser)

    def _local(self, at: QPointF) -> QPointF:
        """A point of the view as its pane counts; a gesture stays in the one that it began in."""
        if self.gesture is None:
            self._offset = self.pane_at(at).offset
        return at - QPointF(self._offset)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self.pointer_pressed(self._sample(event))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.pointer_moved(self._sample(event))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.pointer_released(self._sample(event))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.pointer_pressed(self._sample(event))

    def tabletEvent(self, event: QTabletEvent) -> None:
        kinds = {
            QEvent.Type.TabletPress: self.pointer_pressed,
            QEvent.Type.TabletMove: self.pointer_moved,
            QEvent.Type.TabletRelease: self.pointer_released,
        }
        handle = kinds.get(event.type())
        if handle is not None:
            handle(self._sample(event))
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        turn = event.angleDelta().y()
        if turn:
            self.zoom_to(self.scale * 1.2 ** (turn / 120), self._local(event.position()))
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self._pointer = None
        self.light_edge(None)
        self._after()
        super().leaveEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._pointer = self._local(event.position())
        self._after()
        super().enterEvent(event)

    # --- keys ------------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            # while something is drawn, no shortcut of the window may change what it is drawn on
            held = command_of(self, event) in HELD
            if self.gesture is not None or action_for(self, event) is not None or held:
                event.accept()
                return True
        elif (
            isinstance(event, QNativeGestureEvent)
            and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
        ):
            self.zoom_to(self.scale * (1 + event.value()), self._local(event.position()))
            return True
        return super().event(event)

    @property
    def drawing(self) -> bool:
        return self.gesture is not None and (self.gesture.draws or self.gesture.edits)

    # --- keys that come and go -------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if self.gesture is not None:
            self._gesture_key(key, bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        elif key == Qt.Key.Key_Space:
            self._space = self._space or not event.isAutoRepeat()
        elif (command := command_of(self, event)) in HELD:
            if not event.isAutoRepeat():
                self._held[key] = command
                self._turning = self._turning or command == TURN
                if command == BEFORE:
                    self.set_before_held(True)
        else:
            action = action_for(self, event)
            if not callable(action):
                super().keyPressEvent(event)
                return
            action()
        self._show_cursor()
        event.accept()

    def _gesture_key(self, key: int, far: bool) -> None:
        if self.gesture is None:
            return
        if key == Qt.Key.Key_Escape:
            self.cancel_gesture()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.gesture.accept()
        elif key == Qt.Key.Key_Backspace:
            self.gesture.step_back()
        else:
            self.gesture.key(key, far)
        self._after()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if not event.isAutoRepeat():
            if event.key() == Qt.Key.Key_Space:
                self._space = False
            held = self._held.pop(event.key(), "")
            if held == TURN:
                self._turning = False
            elif held == BEFORE:
                self.set_before_held(False)
            self._show_cursor()
        super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._space = self._turning = False
        self._held = {}
        self.set_before_held(False)
        self._show_cursor()
        super().focusOutEvent(event)

    def hideEvent(self, event: object) -> None:
        self.cancel_gesture()

    # --- what lies above the picture -------------------------------------------------------------------

    @Slot()
    def _settings_changed(self) -> None:
        if self.drawing and self.gesture is not None and not self.gesture.finished:
            tool = _TOOLS[self.settings.tool]
            if not isinstance(self.gesture, tool.gesture | Pan | Rotate):
                self.gesture.left()
                if not self.gesture.finished:
                    self.cancel_gesture()
        self._update_idle()
        self._show_cursor()
        self._after()

    @Slot()
    def _show_cursor(self) -> None:
        shape = Qt.CursorShape.CrossCursor
        if self.gesture is not None and self.gesture.cursor is not None:
            shape = self.gesture.cursor
        elif self._space:
            shape = Qt.CursorShape.OpenHandCursor
        elif self._turning:
            shape = Qt.CursorShape.SizeHorCursor
        elif self.lit_edge is not None:
            shape = cursor_for(self.lit_edge, self.angle)
        elif self.document.busy:
            shape = Qt.CursorShape.BusyCursor
        elif self.document.stack.size.isEmpty():
            shape = Qt.CursorShape.ArrowCursor
        elif self._ring_shown() and self._ring_radius() >= 3:
            shape = Qt.CursorShape.BlankCursor
        elif self._pointer is not None:
            shape = self._tool_class.cursor_at(self, self._pointer) or shape
        if self.cursor().shape() != shape:
            self.setCursor(shape)

    def _ring_shown(self) -> bool:
        free = not self._space and not self._turning and self.lit_edge is None
        brush = self.settings.tool in BRUSHES and free and not isinstance(self.gesture, DragEdge)
        return brush and not self.document.stack.size.isEmpty()

    def _ring_radius(self) -> float:
        return self.settings.brush.size * self.scale / 2

    def _ring_rect(self) -> QRect:
        if self._pointer is None or not self._ring_shown():
            return QRect()
        radius = self._ring_radius() + 3
        return QRectF(
            self._pointer.x() - radius, self._pointer.y() - radius, 2 * radius, 2 * radius
        ).toAlignedRect()

    def paint_over(self, painter: QPainter) -> None:
        super().paint_over(painter)
        if self.gesture is not None:
            self.gesture.paint(painter)
        else:
            self._tool_class.paint_idle(self, painter)
        if self._pointer is None or not self._ring_shown():
            return
        theme = current_theme()
        dark = theme.color("shadow")
        dark.setAlpha(150)
        light = theme.color("on_brass" if not theme.dark else "text")
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        radius = self._ring_radius()
        for pen in (QPen(dark, 2.5), QPen(light, 1)):
            painter.setPen(pen)
            painter.drawEllipse(self._pointer, radius, radius)
        inner = radius * self.settings.brush.hardness
        if 8 < inner < radius - 6:
            light.setAlpha(90)
            painter.setPen(QPen(light, 1))
            painter.drawEllipse(self._pointer, inner, inner)
