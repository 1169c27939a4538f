"""The canvas in use: pointer, pen and keys become gestures of the tools."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, Signal, Slot
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

from studio.mask.brush import StampCache
from studio.mask.canvas_eye import CanvasEye
from studio.mask.layers import LayerKind
from studio.mask.paint_document import PaintDocument
from studio.mask.tool_settings import BRUSHES, ToolSettings
from studio.mask.tools import TOOLS, Gesture, Pan, Rotate, Sample
from studio.mask.tools.fills import Eyedropper
from studio.theme import current_theme
from studio.translate import tr

TURN = 15.0
"""Degrees that a key turns the picture."""
_PLAIN = Qt.KeyboardModifier.NoModifier
_TOOLS = {tool.id: tool for tool in TOOLS}
_TOOL_KEYS = {getattr(Qt.Key, f"Key_{tool.key}"): tool.id for tool in TOOLS}


class CanvasView(CanvasEye):
    """``hinted`` carries a sentence that says why a press did nothing."""

    stroke_finished = Signal()
    hinted = Signal(str)

    def __init__(
        self, document: PaintDocument, settings: ToolSettings, parent: QWidget | None = None
    ) -> None:
        super().__init__(document, parent)
        self.settings = settings
        self.stamps = StampCache()
        self.gesture: Gesture | None = None
        self._space = self._turning = False
        self._pointer: QPointF | None = None
        self._over = QRect()
        self._last_end: tuple[str, QPointF] | None = None
        self.setMouseTracking(True)
        self.setTabletTracking(True)
        settings.changed.connect(self._settings_changed)
        document.changed.connect(self._document_changed)
        document.busy_changed.connect(self._show_cursor)
        document.stack_changed.connect(self._show_cursor)
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
        active = self.document.active
        if sample.alt and self.settings.tool == "brush" and active and active.kind is LayerKind.PAINT:
            return Eyedropper
        return _TOOLS[self.settings.tool].gesture

    def _refusal(self) -> str:
        """Why nothing can be drawn now, or nothing."""
        layer = self.document.active
        if self.document.busy:
            return tr("The last operation is still at work.")
        if layer is None or layer.surface is None:
            return tr("A picture stays as it is: choose a mask or a paint layer, or add one.")
        return "" if layer.visible else tr("This layer is hidden: show it to draw on it.")

    def pointer_pressed(self, sample: Sample) -> None:
        """A button or the pen went down."""
        if self.gesture is not None:
            if sample.button == Qt.MouseButton.LeftButton:
                self.gesture.pressed(sample)
                self._after()
            return
        kind = self._class_for(sample)
        if kind is None or self.document.stack.size.isEmpty():
            return
        why = self._refusal() if kind.draws else ""
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
        self._after()

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
                self.update(rect & self.rect())
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
        if self.gesture is not None and self.gesture.draws and not self.gesture.finished:
            self.cancel_gesture()

    def last_stroke_end(self, layer: str) -> QPointF | None:
        """Where the last stroke ended, if it was on this layer."""
        return self._last_end[1] if self._last_end is not None and self._last_end[0] == layer else None

    def stroke_ended(self, at: QPointF) -> None:
        """A brush was lifted here."""
        self._last_end = (self.document.stack.active, at)
        self.stroke_finished.emit()

    # --- mouse and pen ---------------------------------------------------------------------------------

    def _sample(self, event: QMouseEvent | QTabletEvent) -> Sample:
        pressure, eraser = 1.0, False
        if isinstance(event, QTabletEvent):
            pressure = event.pressure()
            eraser = event.pointerType() == QPointingDevice.PointerType.Eraser
        at = event.position()
        return Sample(self.to_image(at), at, pressure, event.modifiers(), event.button(), eraser)

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
            self.zoom_to(self.scale * 1.2 ** (turn / 120), event.position())
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self._pointer = None
        self._after()
        super().leaveEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._pointer = event.position()
        self._after()
        super().enterEvent(event)

    # --- keys ------------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            # while something is drawn, no shortcut of the window may change what it is drawn on
            if self.gesture is not None or self._action(event) is not None:
                event.accept()
                return True
        elif (
            isinstance(event, QNativeGestureEvent)
            and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
        ):
            self.zoom_to(self.scale * (1 + event.value()), event.position())
            return True
        return super().event(event)

    def _action(self, event: QKeyEvent) -> object:
        """What a key does here, as a function without arguments; ``None`` for other keys."""
        settings, key, text = self.settings, event.key(), event.text()
        control = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
        if event.modifiers() & control:
            return None
        brackets = {
            "[": lambda: settings.resize_brush(-1),
            "]": lambda: settings.resize_brush(1),
            "{": lambda: settings.harden_brush(-1),
            "}": lambda: settings.harden_brush(1),
        }
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            brackets |= {"[": brackets["{"], "]": brackets["}"]}
        named = {Qt.Key.Key_BracketLeft: "[", Qt.Key.Key_BracketRight: "]"}
        found = brackets.get(text) or brackets.get(named.get(Qt.Key(key), ""))
        if found is not None:
            return found
        if event.modifiers() not in (_PLAIN, Qt.KeyboardModifier.KeypadModifier):
            return self.zoom_in if text == "+" else None
        if key in _TOOL_KEYS:
            return lambda: settings.change(tool=_TOOL_KEYS[Qt.Key(key)])
        return {
            Qt.Key.Key_X: settings.swap_eraser,
            Qt.Key.Key_Plus: self.zoom_in,
            Qt.Key.Key_Equal: self.zoom_in,
            Qt.Key.Key_Minus: self.zoom_out,
            Qt.Key.Key_0: self.fit,
            Qt.Key.Key_1: self.actual_size,
            Qt.Key.Key_4: lambda: self.rotate_by(-TURN),
            Qt.Key.Key_5: self.reset_rotation,
            Qt.Key.Key_6: lambda: self.rotate_by(TURN),
            Qt.Key.Key_Left: lambda: self.pan_by(QPointF(60, 0)),
            Qt.Key.Key_Right: lambda: self.pan_by(QPointF(-60, 0)),
            Qt.Key.Key_Up: lambda: self.pan_by(QPointF(0, 60)),
            Qt.Key.Key_Down: lambda: self.pan_by(QPointF(0, -60)),
        }.get(Qt.Key(key))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if self.gesture is not None:
            self._gesture_key(key)
        elif key == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space = True
        elif key == Qt.Key.Key_R and event.modifiers() == _PLAIN and not event.isAutoRepeat():
            self._turning = True
        elif key not in (Qt.Key.Key_Space, Qt.Key.Key_R):
            action = self._action(event)
            if not callable(action):
                super().keyPressEvent(event)
                return
            action()
        self._show_cursor()
        event.accept()

    def _gesture_key(self, key: int) -> None:
        if self.gesture is None:
            return
        if key == Qt.Key.Key_Escape:
            self.cancel_gesture()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.gesture.accept()
        elif key == Qt.Key.Key_Backspace:
            self.gesture.step_back()
        self._after()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if not event.isAutoRepeat():
            if event.key() == Qt.Key.Key_Space:
                self._space = False
            elif event.key() == Qt.Key.Key_R:
                self._turning = False
            self._show_cursor()
        super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._space = self._turning = False
        self._show_cursor()
        super().focusOutEvent(event)

    def hideEvent(self, event: object) -> None:
        self.cancel_gesture()

    # --- what lies above the picture -------------------------------------------------------------------

    @Slot()
    def _settings_changed(self) -> None:
        if self.gesture is not None and self.gesture.draws and not self.gesture.finished:
            tool = _TOOLS[self.settings.tool]
            if not isinstance(self.gesture, tool.gesture | Pan | Rotate):
                self.cancel_gesture()
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
        elif self.document.busy:
            shape = Qt.CursorShape.BusyCursor
        elif self.document.stack.size.isEmpty():
            shape = Qt.CursorShape.ArrowCursor
        elif self._ring_shown() and self._ring_radius() >= 3:
            shape = Qt.CursorShape.BlankCursor
        if self.cursor().shape() != shape:
            self.setCursor(shape)

    def _ring_shown(self) -> bool:
        brush = self.settings.tool in BRUSHES and not self._space and not self._turning
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
        if self.gesture is not None:
            self.gesture.paint(painter)
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
