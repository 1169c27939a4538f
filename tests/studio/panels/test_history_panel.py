"""The history: one list of steps for document and canvas, any of them a click away, hundreds of them."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from studio.app import StudioApp
from studio.documents.document import GraphDocument
from studio.panels.history import HistoryPanel
from tests.helpers.canvas_fakes import small_graph, stub_registry
from tests.helpers.studio_fakes import FakeBridge, template

Open = Callable[..., tuple[StudioApp, FakeBridge]]
STEPS = 600


def texts(panel: HistoryPanel) -> list[str]:
    model = panel.steps.model()
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def click(panel: HistoryPanel, row: int, qtbot: QtBot) -> None:
    index = panel.steps.model().index(row, 0)
    panel.steps.scrollTo(index)
    place = panel.steps.visualRect(index).center()
    qtbot.mouseClick(panel.steps.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_a_click_goes_to_any_of_six_hundred_steps(qtbot: QtBot, qapp: object) -> None:
    document = GraphDocument(small_graph(), stub_registry())
    panel = HistoryPanel(document)
    qtbot.addWidget(panel)
    panel.resize(300, 400)
    panel.show()
    start = document.graph.dumps()
    states = [start]
    for number in range(STEPS):
        document.set_param("paint", "steps", number)
        states.append(document.graph.dumps())
    assert len(texts(panel)) == STEPS + 1
    for row in (40, 0, STEPS, 311):
        click(panel, row, qtbot)
        assert document.graph.dumps() == states[row]
    assert panel.words.text() == f"Step 311 of {STEPS}"
    qtbot.keyClick(panel.steps, Qt.Key.Key_Down)
    assert document.graph.dumps() == states[312]
    document.set_title("paint", "Another way")
    assert len(texts(panel)) == 314


def test_steps_of_the_canvas_are_in_the_same_list(open_studio: Open, qtbot: QtBot) -> None:
    studio, _ = open_studio(template())
    window = studio.window
    window.show_workspace("canvas")
    window.commands.run("view.history")
    before = studio.parts.document.graph.dumps()
    studio.parts.document.set_param("draw", "steps", 5)
    picture = QImage(64, 64, QImage.Format.Format_RGB32)
    picture.fill(Qt.GlobalColor.darkGreen)
    window.canvas_page.open_image(picture, "Meadow")
    panel = window.panel.history
    assert panel.isVisible()
    assert len(texts(panel)) == 3
    assert not window.canvas_page.is_empty
    click(panel, 0, qtbot)
    assert studio.parts.document.graph.dumps() == before
