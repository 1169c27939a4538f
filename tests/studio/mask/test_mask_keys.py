"""Keys of the image canvas as the keymap has them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.keys import Keymap
from studio.mask.mask_canvas import MaskCanvas


def test_changed_keys_count_at_once(canvas: MaskCanvas) -> None:
    keymap = Keymap(parent=canvas)
    canvas.use_keys(keymap)
    keymap.bind("canvas.tool.lasso", ("Y",))
    keymap.bind("canvas.turn", ("Q",))
    keymap.bind("canvas.layer.duplicate", ("Ctrl+Shift+J",))
    canvas.settings.change(tool="brush")
    QTest.keyClick(canvas.view, Qt.Key.Key_L)
    assert canvas.settings.tool == "brush"
    QTest.keyClick(canvas.view, Qt.Key.Key_Y)
    assert canvas.settings.tool == "lasso"
    assert "(Y)" in canvas.tool_bar.buttons["lasso"].toolTip()
    QTest.keyPress(canvas.view, Qt.Key.Key_Q)
    assert canvas.view.cursor().shape() == Qt.CursorShape.SizeHorCursor
    QTest.keyRelease(canvas.view, Qt.Key.Key_Q)
    assert canvas.view.cursor().shape() != Qt.CursorShape.SizeHorCursor
    shortcuts = canvas.layer_panel.layer_actions["duplicate"].shortcuts()
    assert shortcuts == [QKeySequence("Ctrl+Shift+J")]


def test_a_tool_is_taken_on_a_cyrillic_layout(canvas: MaskCanvas) -> None:
    canvas.settings.change(tool="brush")
    letter, place = Qt.Key(0x0414), 46
    event = QKeyEvent(QEvent.Type.KeyPress, letter, Qt.KeyboardModifier.NoModifier, place, 0x4C, 0, "д")
    QApplication.sendEvent(canvas.view, event)
    assert canvas.settings.tool == "lasso"


def test_a_sign_on_another_key_with_a_modifier_is_the_sign(canvas: MaskCanvas) -> None:
    """On a German layout the bracket is AltGr and 8, which some systems send as Ctrl and Alt."""
    before = canvas.settings.brush.size
    modifiers = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    QApplication.sendEvent(
        canvas.view, QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_BracketRight, modifiers, 17, 0x38, 0, "]")
    )
    assert canvas.settings.brush.size > before
