"""A shown workspace with the small graph, a bridge without an engine, and a hand to use it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from pytestqt.qtbot import QtBot

from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from studio.theme import current_theme
from tests.helpers.canvas_fakes import FakeBridge, small_graph, stub_registry
from tests.helpers.canvas_mouse import Hand


@pytest.fixture(scope="session")
def themed(qapp: object) -> None:
    """The look of the application, once."""
    current_theme().apply("dark")


@pytest.fixture
def bridge(qapp: object) -> FakeBridge:
    return FakeBridge()


@pytest.fixture
def document(qapp: object) -> GraphDocument:
    return GraphDocument(small_graph(), stub_registry())


@pytest.fixture
def workspace(qtbot: QtBot, themed: None, document: GraphDocument, bridge: FakeBridge) -> GraphWorkspace:
    # widgets of earlier tests wait for an event loop that tests never enter
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    widget = GraphWorkspace(document, bridge)
    qtbot.addWidget(widget)
    widget.resize(1000, 700)
    widget.show()
    qtbot.waitExposed(widget)
    widget.view.frame()
    widget.view.set_zoom(1.0)
    widget.view.centerOn(440, 150)
    widget.view.setFocus()
    return widget


@pytest.fixture
def hand(workspace: GraphWorkspace) -> Hand:
    return Hand(workspace)
