"""The node editor measuring itself for ``diptych bench``: ``python -m studio.canvas.bench graph NODES WIRES``
or ``palette TYPES`` prints JSON.

Every figure is the median of a few runs, in milliseconds, and comes twice: ``wall`` is what a clock on the
wall says, ``work`` only the time that this thread was at work, which is what an idle machine would take.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QPixmapCache
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from pipelines.bench.canvas_graphs import large_graph, many_types
from pipelines.bench.report import resident_bytes
from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from studio.theme import current_theme

VIEW: Final = (1600, 1000)
FRAMES: Final = 21
Figures = dict[str, float]


class Watch:
    """Times of the same work, done several times: ``NAME_wall`` and ``NAME_work`` in milliseconds."""

    def __init__(self) -> None:
        self.figures: Figures = {}

    def take(
        self, name: str, work: Callable[[int], object], times: int, skip: int = 0,
        before: Callable[[], object] = lambda: None,
    ) -> None:  # fmt: skip
        """Median wall and work milliseconds of ``work(index)``, without the first ``skip`` of them.

        ``before``: what is done before each, uncounted.
        """
        walls, works = [], []
        for index in range(times + skip):
            before()
            began, at_work = time.perf_counter(), time.thread_time()
            work(index)
            works.append(time.thread_time() - at_work)
            walls.append(time.perf_counter() - began)
        self.figures[f"{name}_wall"] = statistics.median(walls[skip:]) * 1000
        self.figures[f"{name}_work"] = statistics.median(works[skip:]) * 1000


def measure_graph(nodes: int, wires: int) -> Figures:
    """Everything about one graph: build, repaint, drag, pan, load, memory."""
    graph, watch = large_graph(nodes, wires), Watch()
    document = GraphDocument()
    workspace = _workspace(document)
    gc.collect()
    empty = resident_bytes()

    watch.take("build", lambda _: document.new(graph), 1)
    QApplication.processEvents()
    _look(workspace, 1.0)
    _repaint(workspace)
    gc.collect()
    watch.figures["memory_mb"] = (resident_bytes() - empty) / 2**20
    watch.take("build", lambda _: document.new(graph), 3, before=document.new)
    for name, zoom in (("near", 1.0), ("far", 0.0)):
        _look(workspace, zoom)
        watch.take(f"{name}_cold", lambda _: _repaint(workspace, cold=True), FRAMES, 1)
        watch.take(name, lambda _: _repaint(workspace), FRAMES, 2)
        watch.take(f"{name}_zoom", lambda index: _zoom(workspace, index), FRAMES, 1)
        _look(workspace, zoom)
        watch.take(f"{name}_pan", lambda index: _pan(workspace, index), FRAMES, 1)
        _look(workspace, zoom)
        _drag(workspace, watch, f"{name}_drag")
        _hover(workspace, watch, f"{name}_hover")
    node = _middle(workspace)
    switch = partial(_switch, document, node)
    watch.take("check", lambda _: workspace.problems.refresh(), 3, before=switch)
    watch.take("edit", lambda index: _edit(workspace, node, index), 9, 1)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "large.json"
        path.write_bytes(graph.dumps())
        watch.take("load", lambda _: _load(workspace, path), 3, before=document.new)
    workspace.close()
    return watch.figures


def _workspace(document: GraphDocument) -> GraphWorkspace:
    """A shown workspace, painted once."""
    workspace = GraphWorkspace(document)
    workspace.resize(*VIEW)
    workspace.show()
    QTest.qWaitForWindowExposed(workspace)
    QApplication.processEvents()
    _repaint(workspace)
    return workspace


def _look(workspace: GraphWorkspace, zoom: float) -> None:
    """At the middle of the graph; 0: at all of it."""
    view = workspace.view
    view.frame()
    if zoom:
        middle = view.graph_scene.bounds().center()
        view.set_zoom(zoom)
        view.centerOn(middle)
    QApplication.processEvents()


def _repaint(workspace: GraphWorkspace, *, cold: bool = False) -> None:
    if cold:
        QPixmapCache.clear()
    workspace.view.viewport().repaint()


def _zoom(workspace: GraphWorkspace, index: int) -> None:
    """A turn of the wheel, and what it shows."""
    workspace.view.set_zoom(workspace.view.zoom * (1.04 if index % 2 else 1 / 1.04))
    QApplication.processEvents()


def _pan(workspace: GraphWorkspace, index: int) -> None:
    workspace.view.pan_by(QPoint(-23, -11))
    QApplication.processEvents()


def _middle(workspace: GraphWorkspace) -> str:
    """The node nearest to the middle of what is in view."""
    middle = workspace.view.shown_area().center()
    nodes = workspace.scene.nodes
    return min(nodes, key=lambda node: (nodes[node].centre - middle).manhattanLength())


def send_mouse(viewport: QWidget, kind: QEvent.Type, at: QPointF, *, held: bool = True) -> None:
    """One mouse event with the left button, and the repaint that it asks for."""
    moves = kind == QEvent.Type.MouseMove
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    down = held and kind != QEvent.Type.MouseButtonRelease
    event = QMouseEvent(
        kind, at, viewport.mapToGlobal(at), none if moves else left, left if down else none,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(viewport, event)
    QApplication.processEvents()


def _drag(workspace: GraphWorkspace, watch: Watch, name: str) -> None:
    """Drag the node in the middle by its title, event by event; the press and the first move are figures of
    their own, since they prepare the rest."""
    item = workspace.scene.nodes[_middle(workspace)]
    start = QPointF(workspace.view.mapFromScene(item.pos() + QPointF(120, 8)))
    viewport, press, move = workspace.view.viewport(), QEvent.Type.MouseButtonPress, QEvent.Type.MouseMove
    watch.take(f"{name}_press", lambda _: send_mouse(viewport, press, start), 1)
    watch.take(f"{name}_begin", lambda _: send_mouse(viewport, move, start + QPointF(12, 7)), 1)
    watch.take(
        name,
        lambda index: send_mouse(viewport, move, start + QPointF(14 + 5 * index, 9 + 3 * index)),
        FRAMES, 1,
    )  # fmt: skip
    watch.take(f"{name}_end", lambda _: send_mouse(viewport, QEvent.Type.MouseButtonRelease, start), 1)
    workspace.document.undo_stack.undo()
    QApplication.processEvents()


def _hover(workspace: GraphWorkspace, watch: Watch, name: str) -> None:
    """Move the pointer over nodes and wires with no button down."""
    viewport = workspace.view.viewport()
    at, move = QPointF(viewport.rect().center()), QEvent.Type.MouseMove
    watch.take(
        name,
        lambda index: send_mouse(viewport, move, at + QPointF(17 * index, 9 * index), held=False),
        FRAMES, 1,
    )  # fmt: skip


def _switch(document: GraphDocument, node: str) -> None:
    """Mute a node, or no longer."""
    document.set_mode(node, "muted" if document.graph.nodes[node].mode == "active" else "active")


def _edit(workspace: GraphWorkspace, node: str, index: int) -> None:
    """Name a node: the cost of one edit that moves nothing."""
    workspace.document.set_title(node, f"A name {index}")
    QApplication.processEvents()


def _load(workspace: GraphWorkspace, path: Path) -> None:
    """From a file to what is on the screen."""
    workspace.document.load(path)
    QApplication.processEvents()
    _repaint(workspace)


def measure_palette(types: int) -> Figures:
    """Opening the search palette, and one letter in it."""
    document, watch = GraphDocument(large_graph(500, 750), registry=many_types(types)), Watch()
    workspace = _workspace(document)
    _look(workspace, 1.0)
    palette = workspace.palette_

    def open_again(_: int) -> None:
        workspace.adding.open_palette(QPointF(0, 0), None)
        QApplication.processEvents()

    def close() -> None:
        palette.dismiss()
        QApplication.processEvents()

    watch.take("open_first", open_again, 1)
    watch.take("open", open_again, 7, before=close)
    letters = "IMAGE CROP"

    def press(index: int) -> None:
        QTest.keyClick(palette.field, ord(letters[index % len(letters)]))
        QApplication.processEvents()

    watch.take("key", press, len(letters))
    palette.dismiss()
    workspace.close()
    return watch.figures


def main(what: str, *numbers: str) -> int:
    """Measure, and print one JSON object."""
    app = QApplication([])
    current_theme().apply("dark")
    counts = [int(number) for number in numbers]
    figures: dict[str, Any] = measure_palette(*counts) if what == "palette" else measure_graph(*counts)
    print(json.dumps(figures), flush=True)
    app.quit()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
