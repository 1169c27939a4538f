"""The viewer: digits send outputs there, two are compared, what only is a thumbnail can be fetched whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QPoint, Qt, QThreadPool
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from pipelines.engine.protocol import ValueRef
from studio.app import StudioApp
from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from studio.panels.viewer import ViewerPanel
from studio.widgets.compare_view import CompareView
from tests.helpers.canvas_fakes import FakeBridge, gradient
from tests.helpers.canvas_mouse import Hand
from tests.helpers.studio_fakes import FakeBridge as StudioBridge
from tests.helpers.studio_fakes import template


@pytest.fixture
def viewer(qtbot: QtBot, workspace: GraphWorkspace) -> Iterator[ViewerPanel]:
    panel = ViewerPanel(workspace.display.viewer)
    qtbot.addWidget(panel)
    panel.resize(340, 500)
    panel.show()
    yield panel
    QThreadPool.globalInstance().waitForDone()


@pytest.fixture
def job(workspace: GraphWorkspace, bridge: FakeBridge) -> str:
    job = workspace.run()
    bridge.start(job, "words", "paint", "blur")
    bridge.finish(job, "words", outputs={"text": ValueRef(type="Text", value="a red apple")})
    bridge.finish(
        job, "paint", seconds=6.2,
        outputs={"image": bridge.picture("p", 256, 256), "seed": ValueRef(type="Seed", value=7)},
    )  # fmt: skip
    small = bridge.picture("b", 256, 256, hue=200)
    bridge.finish(job, "blur", outputs={"image": small.model_copy(update={"sizes": ((1024, 1024),)})})
    bridge.end(job)
    return job


def send(workspace: GraphWorkspace, hand: Hand, node: str, key: Qt.Key) -> None:
    workspace.scene.select([node])
    hand.key(key)


def test_digits_send_to_the_viewer_and_again_shows_the_next_output(
    workspace: GraphWorkspace, hand: Hand, viewer: ViewerPanel, job: str
) -> None:
    assert viewer.pages.currentWidget() is viewer.empty
    send(workspace, hand, "paint", Qt.Key.Key_1)
    assert viewer.view.image == gradient(256, 256, 20)
    assert viewer.first.currentText() == "A · Paint, Image"
    assert viewer.words.text() == "256 × 256 px · 6.2 s"
    assert workspace.scene.nodes["paint"].marks.viewer == "A"
    send(workspace, hand, "paint", Qt.Key.Key_1)
    assert viewer.first.currentText() == "A · Paint, Seed"
    assert viewer.text.toPlainText() == "7"
    send(workspace, hand, "words", Qt.Key.Key_9)
    assert viewer.text.toPlainText() == "a red apple"
    assert workspace.scene.nodes["words"].marks.viewer == "I"


def test_two_are_compared_with_a_line_between_them(
    workspace: GraphWorkspace, hand: Hand, viewer: ViewerPanel, job: str
) -> None:
    send(workspace, hand, "paint", Qt.Key.Key_1)
    assert not viewer.modes.isEnabled()
    send(workspace, hand, "blur", Qt.Key.Key_2)
    QTest.mouseClick(viewer.modes.button("slider"), Qt.MouseButton.LeftButton)
    assert viewer.pair == (0, 1)
    view = viewer.view
    left, right = (
        view.picture_rect().center().toPoint() - QPoint(40, 90),
        view.picture_rect().center().toPoint(),
    )
    handle = view.handle
    start = handle.rect().center()
    QTest.mousePress(handle, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    QTest.mouseMove(handle, start - QPoint(60, 0))
    QTest.mouseRelease(handle, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    assert view.split < 0.5
    both = view.grab().toImage()
    viewer.set_mode("")
    alone = view.grab().toImage()
    assert alone.pixelColor(left) != both.pixelColor(left)  # B is there now
    assert right.x() > handle.pos().x()
    QTest.keyClick(handle, Qt.Key.Key_Right)


def test_the_difference_of_equal_pictures_is_black(qtbot: QtBot, themed: None) -> None:
    view = CompareView()
    qtbot.addWidget(view)
    view.resize(300, 300)
    picture, other = gradient(128, 128, 20), gradient(128, 128, 200)
    view.set_image(picture)
    view.compare(picture.copy(), "difference")
    qtbot.waitUntil(lambda: view.grab().toImage().pixelColor(150, 120).value() == 0, timeout=4000)
    view.compare(other, "difference")
    qtbot.waitUntil(lambda: view.grab().toImage().pixelColor(150, 150).value() > 200, timeout=4000)


def test_a_thumbnail_can_be_fetched_in_full_size(
    workspace: GraphWorkspace, hand: Hand, viewer: ViewerPanel, job: str, qtbot: QtBot
) -> None:
    send(workspace, hand, "paint", Qt.Key.Key_1)
    assert not viewer.whole.isVisible()
    send(workspace, hand, "blur", Qt.Key.Key_2)
    assert "1024 × 1024 px" in viewer.words.text()
    with qtbot.waitSignal(viewer.run_requested) as asked:
        QTest.mouseClick(viewer.whole, Qt.MouseButton.LeftButton)
    assert asked.args == [("blur",)]


def test_the_viewer_shows_what_forms_and_what_is_out_of_date(
    workspace: GraphWorkspace, hand: Hand, viewer: ViewerPanel, bridge: FakeBridge, job: str,
    document: GraphDocument,
) -> None:  # fmt: skip
    send(workspace, hand, "paint", Qt.Key.Key_1)
    document.set_param("paint", "steps", 30)
    assert "out of date" in viewer.words.text()
    again = workspace.run()
    bridge.start(again, "paint")
    bridge.begin(again, "paint")
    bridge.progress(again, "paint", 3, 30, preview=bridge.picture("q", 64, 64).images[0])
    assert viewer.view.shows_preview
    assert viewer.words.text() == "3/30"
    bridge.finish(again, "paint", outputs={"image": bridge.picture("r", 256, 256, hue=90)})
    assert viewer.view.image == gradient(256, 256, 90)


def test_a_digit_brings_the_viewer_to_the_front(
    open_studio: Callable[..., tuple[StudioApp, StudioBridge]], qtbot: QtBot
) -> None:
    studio, bridge = open_studio(template())
    window = studio.window
    window.show_workspace("graph")
    bridge.tell_ready()
    window.graph.scene.select(["draw"])
    QTest.keyClick(window.graph.view, Qt.Key.Key_1)
    found = window.panel.currentWidget().findChild(ViewerPanel)
    assert found is not None
    assert found.isVisible()
    assert found.words.text() == "Not made yet: run the graph."
    found.run_requested.emit(("draw",))
    assert bridge.targets["job-1"] == ("draw",)
    QTest.mouseClick(found.goto, Qt.MouseButton.LeftButton)
    assert window.panel.currentWidget().isAncestorOf(found)


def test_a_deleted_node_leaves_the_viewer_until_it_comes_back(
    workspace: GraphWorkspace, hand: Hand, viewer: ViewerPanel, job: str, document: GraphDocument
) -> None:
    send(workspace, hand, "paint", Qt.Key.Key_1)
    document.remove_nodes(["paint"])
    assert viewer.pages.currentWidget() is viewer.empty
    document.undo_stack.undo()
    assert isinstance(viewer.view.image, QImage)
    assert workspace.scene.nodes["paint"].marks.viewer == "A"
    QTest.mouseClick(viewer.away, Qt.MouseButton.LeftButton)
    assert workspace.scene.nodes["paint"].marks.viewer == ""
