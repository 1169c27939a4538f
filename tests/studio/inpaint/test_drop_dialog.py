"""The question what a dropped picture becomes: by key, by mouse, and gone when it isn't answered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from studio.inpaint.drop_dialog import DropDialog
from studio.theme import current_theme


@pytest.fixture
def stage(qtbot: QtBot) -> Iterator[QWidget]:
    current_theme().apply("dark")
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.resize(640, 480)
    QLineEdit(widget).setObjectName("elsewhere")
    with qtbot.waitActive(widget):
        widget.show()
    yield widget
    QApplication.processEvents()


class Asked:
    """A dialog that is open, and what came of it."""

    def __init__(self, stage: QWidget, at: QPoint) -> None:
        self.answers: list[str] = []
        self.dismissals: list[int] = []
        self.dialog = DropDialog(stage)
        self.dialog.chosen.connect(self.answers.append)
        self.dialog.dismissed.connect(lambda: self.dismissals.append(1))
        self.dialog.open_at(at)

    def press(self, qtbot: QtBot, *keys: Qt.Key) -> None:
        for key in keys:
            focus = QApplication.focusWidget()
            assert focus is not None
            qtbot.keyClick(focus, key)


K = Qt.Key


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        ((K.Key_1,), "canvas"), ((K.Key_2,), "layer"), ((K.Key_3,), "control"), ((K.Key_4,), "mask"),
        ((K.Key_Return,), "layer"), ((K.Key_Down, K.Key_Enter), "control"),
        ((K.Key_Up, K.Key_Space), "canvas"),
        ((K.Key_Up, K.Key_Up, K.Key_Return), "reference"), ((K.Key_5,), "reference"),
        ((K.Key_Tab, K.Key_Tab, K.Key_Return), "mask"),
        ((K.Key_7, K.Key_A, K.Key_Left, K.Key_Return), "canvas"),
    ],
)  # fmt: skip
def test_keys_choose(stage: QWidget, qtbot: QtBot, keys: tuple[Qt.Key, ...], answer: str) -> None:
    asked = Asked(stage, QPoint(100, 100))
    asked.press(qtbot, *keys)
    assert asked.answers == [answer]
    assert not asked.dialog.isVisible()
    assert not asked.dismissals


def test_a_click_chooses(stage: QWidget, qtbot: QtBot) -> None:
    asked = Asked(stage, QPoint(100, 100))
    qtbot.mouseClick(asked.dialog.buttons["mask"], Qt.MouseButton.LeftButton)
    assert asked.answers == ["mask"]


def test_keys_of_the_canvas_are_not_pressed_behind_it(stage: QWidget, qtbot: QtBot) -> None:
    behind: list[int] = []
    shortcut = QShortcut(QKeySequence("3"), stage)
    shortcut.activated.connect(lambda: behind.append(3))
    asked = Asked(stage, QPoint(100, 100))
    asked.press(qtbot, K.Key_3)
    assert asked.answers == ["control"]
    assert not behind


def test_esc_and_a_click_elsewhere_leave_it(stage: QWidget, qtbot: QtBot) -> None:
    asked = Asked(stage, QPoint(100, 100))
    asked.press(qtbot, K.Key_Escape)
    asked.dialog.open_at(QPoint(9, 9))
    elsewhere = stage.findChild(QLineEdit, "elsewhere")
    assert elsewhere is not None
    elsewhere.setFocus(Qt.FocusReason.MouseFocusReason)
    assert len(asked.dismissals) == 2
    assert not asked.dialog.isVisible()
    assert not asked.answers


@pytest.mark.parametrize("at", [QPoint(0, 0), QPoint(639, 479), QPoint(320, 470)])
def test_it_stays_on_the_canvas(stage: QWidget, at: QPoint) -> None:
    dialog = Asked(stage, at).dialog
    assert stage.rect().contains(dialog.geometry())
    texts = [label for button in dialog.buttons.values() for label in button.findChildren(QWidget)]
    assert all(label.width() >= label.sizeHint().width() for label in texts)  # nothing is cut off
