"""The view: turns mouse and keys into gestures and movements of the eye. It writes nothing."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, Signal, Slot
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QLabel, QToolTip, QWidget

from studio.canvas.arming import Arming
from studio.canvas.edge_pan import EdgePan
from studio.canvas.eye import GraphEye
from studio.canvas.interactions import GESTURES, Interaction, Press
from studio.canvas.items import NodeItem, WireItem
from studio.canvas.items.box import box_cursor
from studio.canvas.scene import GraphScene
from studio.canvas.tips import tip_at
from studio.keys.gestures import Bindings
from studio.theme.tokens import FOCUS


class GraphView(GraphEye):
    """Hover, gestures, keys.

    ``palette_requested(scene point, port or None)`` asks for the search palette.
    """

    palette_requested = Signal(object, object)
    edit_requested = Signal(str, str)
    """A node and a param (or nothing, for its title) that the user wants to edit."""
    box_edit_requested = Signal(object)
    """A frame or note whose words the user wants to edit."""
    noticed = Signal(object)
    """An :class:`~pipelines.errors.ErrorInfo` that says why a gesture did nothing."""
    menu_requested = Signal(object)
    space_tapped = Signal()
    """Space went down and up, and nothing was moved by it."""

    def __init__(self, scene: GraphScene, parent: QWidget | None = None) -> None:
        super().__init__(scene, parent)
        self.interaction: Interaction | None = None
        self.gestures = Bindings()
        """What begins each gesture; the workspace puts here what the keymap has."""
        self.access: Any = None
        """What makes it known to screen readers, if anything does."""
        self.arming = Arming(self)
        self.arming.changed.connect(self._show_cursor)
        self._space = self._space_used = False
        self._edge_pan = EdgePan(self, self)
        self._hovered: NodeItem | WireItem | None = None
        self.last_at: QPointF | None = None
        """Where the pointer was last, in the scene."""
        self.hint = QLabel(self.viewport())
        self.hint.setWordWrap(True)
        self.hint.setTextFormat(Qt.TextFormat.PlainText)
        self.hint.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hint.hide()
        self._ring = QFrame(self)
        self._ring.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._ring.hide()
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.DefaultContextMenu)

    # --- mouse -----------------------------------------------------------------------------------------

    def press_at(self, view_at: QPoint, button: Qt.MouseButton, modifiers: Qt.KeyboardModifier) -> Press:
        """What is under a point of the view."""
        at = self.mapToScene(view_at)
        scene = self.graph_scene
        port = scene.port_at(at, scene.style_.metrics.reach / min(1.0, max(self.zoom, 0.4)))
        node = scene.node_at(at)
        dot = scene.dots.at(at, 9.0 / self.zoom) if node is None and port is None else None
        wire = scene.wire_at(at, 7.0 / self.zoom) if node is None and port is None else None
        if dot is not None:
            wire = scene.wires[dot[:2]]
        box = scene.boxes.at(at, self.zoom) if node is None and port is None and wire is None else None
        armed = self.arming.armed if button == Qt.MouseButton.LeftButton else ""
        return Press(at, view_at, button, modifiers, self._space, port, node, wire, box, dot, armed)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        if self.interaction is not None:
            return
        press = self.press_at(event.position().toPoint(), event.button(), event.modifiers())
        for gesture in [one for one in GESTURES if press.armed and one.armed_as == press.armed] or GESTURES:
            if gesture.takes(self, press):
                self.interaction = gesture(self, press)
                if gesture.cursor is not None:
                    self.viewport().setCursor(gesture.cursor)
                self._space_used = self._space
                self.interaction.begin()
                break
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        view_at = event.position().toPoint()
        at = self.last_at = self.mapToScene(view_at)
        if self.interaction is not None:
            self.interaction.moved(at, view_at, event.modifiers())
            self._edge_pan.follow(view_at, event.modifiers())
        else:
            self._hover(view_at)
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        gesture = self.interaction
        if gesture is None or event.button() != gesture.press.button:
            return
        self._end_gesture()
        view_at = event.position().toPoint()
        gesture.released(self.mapToScene(view_at), view_at, event.modifiers())
        if gesture.press.armed:
            self.arming.done(dragged=gesture.dragging)
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        press = self.press_at(event.position().toPoint(), event.button(), event.modifiers())
        self.last_at = press.at
        if (
            press.button != Qt.MouseButton.LeftButton
            or press.port is not None
            or press.armed
            or self.interaction is not None
        ):
            self.mousePressEvent(event)
            return
        if press.node is not None:
            row = press.node.row_at(press.at)
            self.edit_requested.emit(press.node.node, row.param if row is not None else "")
        elif press.box is not None:
            self.box_edit_requested.emit(press.box)
        elif press.wire is None:
            self.palette_requested.emit(press.at, None)
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        turn = event.angleDelta().y() or event.angleDelta().x()
        if turn:
            self.set_zoom(self.zoom * 1.0016**turn, event.position().toPoint())
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_mouse = event.reason() == QContextMenuEvent.Reason.Mouse
        stroke = by_mouse and self.gestures.uses_button(Qt.MouseButton.RightButton, event.modifiers())
        if self.interaction is not None or stroke:
            event.accept()  # a stroke that cuts wires
            return
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            self.menu_requested.emit(self.viewport().mapToGlobal(self._chosen_at()))
            event.accept()
            return
        press = self.press_at(event.pos(), Qt.MouseButton.RightButton, Qt.KeyboardModifier.NoModifier)
        self.last_at = press.at
        if press.node is not None and not press.node.isSelected():
            self.graph_scene.select([press.node.node])
        elif press.wire is not None:
            self.graph_scene.select([])
            if press.dot is not None:
                self.graph_scene.dots.select([press.dot])
            else:
                self.graph_scene.select_wire(press.wire)
        self.menu_requested.emit(event.globalPos())
        event.accept()

    def _chosen_at(self) -> QPoint:
        """Where what is selected is in the view; its middle, if nothing is."""
        nodes = self.graph_scene.selected_nodes()
        centre = self.viewport().rect().center()
        at = self.mapFromScene(self.graph_scene.nodes[nodes[-1]].centre) if nodes else centre
        return at if self.viewport().rect().contains(at) else centre

    def begin_gesture(self, gesture: Interaction) -> None:
        """Start a gesture that no press began (one by keys)."""
        self.cancel_gesture()
        self.interaction = gesture
        gesture.begin()

    def end_gesture(self) -> None:
        """Such a gesture is done; it has written what it had to."""
        self._end_gesture()

    def cancel_gesture(self) -> bool:
        """Stop the gesture that is going on, if there is one; everything is as before it."""
        gesture = self.interaction
        if gesture is None:
            return False
        self._end_gesture()
        gesture.cancel()
        return True

    def _end_gesture(self) -> None:
        self.interaction = None
        self._show_cursor()

    @Slot()
    def _show_cursor(self) -> None:
        free = Qt.CursorShape.CrossCursor if self.arming.armed else Qt.CursorShape.ArrowCursor
        self.viewport().setCursor(Qt.CursorShape.OpenHandCursor if self._space else free)

    def _hover(self, view_at: QPoint) -> None:
        press = self.press_at(view_at, Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier)
        found = press.node if press.node is not None else press.wire
        owner = self.graph_scene.nodes.get(press.port.node) if press.port is not None else None
        if isinstance(owner, NodeItem):
            found = owner
        if self._hovered is not found:
            self._unhover()
            self._hovered = found
        if isinstance(found, NodeItem):
            lit = (press.port.is_output, press.port.name) if press.port is not None else None
            found.set_marks(hovered=True, lit_port=lit)
        elif found is not None:
            found.set_look(hovered=True)
            found.show_grip(found.nearer_end_is_source(press.at) if press.dot is None else None)
        if not self._space and not self.arming.armed:
            over = press.port is not None
            grip = not over and press.node is not None and press.node.grip_at(press.at)
            arrow = Qt.CursorShape.SizeFDiagCursor if grip else box_cursor(press.box, press.at, self.zoom)
            self.viewport().setCursor(Qt.CursorShape.CrossCursor if over else arrow)

    def _unhover(self) -> None:
        if isinstance(self._hovered, NodeItem):
            self._hovered.set_marks(hovered=False, lit_port=None)
        elif self._hovered is not None:
            self._hovered.set_look(hovered=False)
            if self._hovered.scene() is not None:
                self._hovered.show_grip(None)
        self._hovered = None

    def forget_hover(self) -> None:
        """The items are about to go."""
        self._hovered = None

    def leaveEvent(self, event: QEvent) -> None:
        self._unhover()
        super().leaveEvent(event)

    def show_hint(self, at: QPoint, text: str) -> None:
        """Say something beside the pointer while a gesture goes on; an empty text takes it away."""
        self.hint.setVisible(bool(text))
        if not text:
            return
        tokens = self.graph_scene.style_.theme.tokens
        self.hint.setStyleSheet(
            f"background: {tokens.bg3}; border: 1px solid {tokens.line}; border-radius: 4px; padding: 6px;"
        )
        self.hint.setFont(self.graph_scene.style_.theme.font("label"))
        self.hint.setText(text)
        self.hint.setFixedWidth(min(300, self.viewport().width() - 16))
        self.hint.adjustSize()
        area = self.viewport().rect()
        x = min(at.x() + 16, area.right() - self.hint.width() - 8)
        y = min(at.y() + 16, area.bottom() - self.hint.height() - 8)
        self.hint.move(max(8, x), max(8, y))
        self.hint.raise_()

    # --- keys ------------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        if event.key() == Qt.Key.Key_Escape and plain:
            if not self.cancel_gesture() and not self.arming.disarm():
                self.graph_scene.select([])
            event.accept()
        elif event.key() == Qt.Key.Key_Space and plain and self.gestures.uses_space():
            if not event.isAutoRepeat():
                self._space, self._space_used = True, False
                if self.interaction is None:
                    self._show_cursor()
            event.accept()
        else:
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            was, used, self._space = self._space, self._space_used, False
            if self.interaction is None:
                self._show_cursor()
            if was and not used:
                self.space_tapped.emit()
            event.accept()
            return
        super().keyReleaseEvent(event)

    def pointer(self) -> QPointF:
        """The pointer in the scene if it is over the view, else the view's middle."""
        area = self.viewport().rect()
        if self.last_at is not None and area.contains(self.mapFromScene(self.last_at)):
            return self.last_at
        return self.mapToScene(area.center())

    def focusInEvent(self, event: QFocusEvent) -> None:
        reached = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        if reached:
            brass = self.graph_scene.style_.theme.tokens.brass
            self._ring.setStyleSheet(f"background: transparent; border: {FOCUS}px solid {brass};")
        self._ring.setVisible(reached)
        super().focusInEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._ring.setGeometry(self.rect())
        super().resizeEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._space = False
        self._ring.hide()
        if self.interaction is None:
            self._show_cursor()
        super().focusOutEvent(event)

    # --- the rest --------------------------------------------------------------------------------------

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            press = self.press_at(event.pos(), Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier)
            text = tip_at(self.graph_scene, press)
            if text:
                QToolTip.showText(event.globalPos(), text, self)
            else:
                QToolTip.hideText()
            return True
        return super().viewportEvent(event)
