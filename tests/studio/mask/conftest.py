"""A shown canvas of 200 × 160 px at 300 %, with an empty mask, and a hand to use it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPointF, QThreadPool
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.mask.mask_canvas import MaskCanvas
from studio.theme import current_theme
from tests.helpers.mask_hand import MaskHand, blocks


@pytest.fixture(scope="session")
def themed(qapp: object) -> None:
    current_theme().apply("dark")


@pytest.fixture
def canvas(qtbot: QtBot, themed: None) -> Iterator[MaskCanvas]:
    widget = MaskCanvas()
    qtbot.addWidget(widget)
    widget.resize(1100, 640)
    with qtbot.waitExposed(widget):
        widget.show()
    widget.set_image(blocks())
    widget.view.zoom_to(3.0, QPointF(0, 0))
    widget.view.transform_.centre = QPointF(100, 80)
    widget.document.undo_stack.clear()
    widget.view.setFocus()
    yield widget
    QThreadPool.globalInstance().waitForDone()
    QApplication.processEvents()


@pytest.fixture
def hand(canvas: MaskCanvas) -> MaskHand:
    hand = MaskHand(canvas)
    canvas.settings.change_brush(size=20, hardness=1.0, spacing=0.1)
    return hand
