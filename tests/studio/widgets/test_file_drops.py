"""Files dropped anywhere on the window, told to it as the system does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QMimeData
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from pipelines.graph.values import Image
from pipelines.metadata import write_image
from studio.app import StudioApp
from tests.helpers.file_drop import drop_on, files
from tests.helpers.studio_fakes import FakeBridge, picture, template

Open = Callable[..., tuple[StudioApp, FakeBridge]]

PLACES: dict[str, tuple[str, Callable[[StudioApp], QWidget]]] = {
    "start page": ("start", lambda studio: studio.window.start_page.cards[0]),
    "prompt": ("create", lambda studio: studio.window.create_page.form.rows["prompt"].field),
    "graph": ("graph", lambda studio: studio.window.graph.view.viewport()),
    "inspector": ("graph", lambda studio: studio.window.panel),
    "status line": ("graph", lambda studio: studio.window.status),
}


def test_a_graph_opens_wherever_it_is_dropped(open_studio: Open, tmp_path: Path) -> None:
    studio, bridge = open_studio(template())
    first, tabs = studio.parts.document.graph, studio.parts.tabs
    for place, (workspace, widget) in PLACES.items():
        tabs.show(0)
        studio.window.show_workspace(workspace)
        paths = [tmp_path / f"{place} 1.json", tmp_path / f"{place} 2.json"]
        for path in paths:
            path.write_bytes(template("variations").dumps())
        assert drop_on(widget(studio), files(*paths)), place
        assert studio.parts.document.path == paths[1]
        assert {*paths} < {sheet.path for sheet in tabs.sheets}
    assert tabs.sheets[0].graph is first, "no path was typed into anything"
    assert bridge.submitted == []


def test_on_the_graph_a_picture_opens_its_graph_or_becomes_a_node(
    open_studio: Open, tmp_path: Path, qtbot: QtBot
) -> None:
    studio, _ = open_studio(template())
    window, document = studio.window, studio.parts.document
    window.show_workspace("graph")
    picture().save(str(tmp_path / "photo.png"))
    drop_on(window.graph.view.viewport(), files(tmp_path / "photo.png"))
    qtbot.waitUntil(lambda: len(document.graph.nodes) == len(template().nodes) + 1)
    (node,) = window.graph.scene.selected_nodes()
    assert document.graph.nodes[node].type == "image.load"
    assert document.graph.nodes[node].params["path"] == str(tmp_path / "photo.png")
    document.undo_stack.undo()
    assert document.graph.nodes.keys() == template().nodes.keys()
    made = Image(np.zeros((8, 8, 3), np.uint8))
    path = write_image(made, tmp_path / "made.png", provenance={"graph": template("variations").to_json()})
    drop_on(window.graph.view.viewport(), files(path))
    qtbot.waitUntil(lambda: len(studio.parts.tabs.sheets) == 2)
    assert document.graph.nodes["draw"].params["batch"] == 4
    assert len(document.graph.nodes) == len(template("variations").nodes)


def test_text_is_left_to_the_fields(open_studio: Open) -> None:
    studio, _ = open_studio(template())
    studio.window.show_workspace("create")
    field = studio.window.create_page.form.rows["prompt"].field
    data = QMimeData()
    data.setText("a blue pear")
    assert drop_on(field.viewport(), data)
    assert "a blue pear" in field.value()
