"""An edit or a gesture costs what it changes: what is painted, led and made anew, counted; never timed."""

from __future__ import annotations

import gc
import math
import random

import pytest
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF
from PySide6.QtTest import QSignalSpy, QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from pipelines.bench import canvas as canvas_bench
from pipelines.bench.canvas_graphs import large_graph, many_types
from pipelines.graph import plan
from studio.canvas import bench, palette, problems, scene
from studio.canvas.face import NodeFace
from studio.canvas.items import WireItem
from studio.canvas.items import node as node_items
from studio.canvas.palette_parts import Entry
from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from studio.widgets.fuzzy import search
from tests.helpers.canvas_fakes import FakeBridge
from tests.helpers.canvas_mouse import Hand


class Counts(QObject):
    """What was painted, led and made since :meth:`start`."""

    def __init__(self, workspace: GraphWorkspace, patch: pytest.MonkeyPatch) -> None:
        super().__init__(workspace)
        self.painted: list[str] = []
        self.led: list[tuple[str, str]] = []
        self.made: list[str] = []
        self.areas: list[float] = []
        paint, route, face = node_items.paint_node, WireItem.set_route, scene.build_face

        def painted(painter: object, shown: NodeFace, *more: object) -> None:
            self.painted.append(shown.node)
            paint(painter, shown, *more)  # type: ignore[arg-type]

        def led(wire: WireItem, *more: object) -> None:
            self.led.append(wire.key)
            route(wire, *more)  # type: ignore[arg-type]

        def made(graph: object, node: str, *more: object) -> object:
            self.made.append(node)
            return face(graph, node, *more)  # type: ignore[arg-type]

        patch.setattr(node_items, "paint_node", painted)
        patch.setattr(WireItem, "set_route", led)
        patch.setattr(scene, "build_face", made)
        self._viewport = workspace.view.viewport()
        self._viewport.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            region = event.region()  # type: ignore[attr-defined]
            whole = self._viewport.width() * self._viewport.height()
            self.areas.append(sum(rect.width() * rect.height() for rect in region) / whole)
        return False

    def start(self) -> None:
        QApplication.processEvents()
        for found in (self.painted, self.led, self.made, self.areas):
            found.clear()


@pytest.fixture
def crowd(qtbot: QtBot, themed: None, bridge: FakeBridge) -> GraphWorkspace:
    """A shown workspace with 80 nodes, painted once, at zoom 1."""
    workspace = GraphWorkspace(GraphDocument(large_graph(80, 120)), bridge)
    qtbot.addWidget(workspace)
    workspace.resize(1000, 700)
    workspace.show()
    qtbot.waitExposed(workspace)
    workspace.problems.refresh()
    workspace.view.set_zoom(1.0)
    workspace.view.centerOn(workspace.scene.bounds().center())
    QApplication.processEvents()
    return workspace


@pytest.fixture
def counts(crowd: GraphWorkspace, monkeypatch: pytest.MonkeyPatch) -> Counts:
    found = Counts(crowd, monkeypatch)
    found.start()
    return found


def middle(workspace: GraphWorkspace) -> str:
    """A node in view, with wires, none of them longer than the view."""
    shown = workspace.view.shown_area()
    near = {
        node: (item.centre - shown.center()).manhattanLength()
        for node, item in workspace.scene.nodes.items()
        if (wires := workspace.scene.wires_of(node))
        and all(wire.area[3] - wire.area[1] < 300 and wire.area[2] - wire.area[0] < 500 for wire in wires)
    }
    return min(near, key=near.__getitem__)


def test_dragging_paints_the_node_and_leads_its_wires_alone(crowd: GraphWorkspace, counts: Counts) -> None:
    hand, node = Hand(crowd), middle(crowd)
    crowd.view.reveal(node)
    start, own = hand.body(node), {wire.key for wire in crowd.scene.wires_of(node)}
    hand.press(start)
    hand.move(start, start + QPointF(20, 20))
    counts.start()
    for step in range(4):
        QTest.mouseMove(crowd.view.viewport(), hand.at(start + QPointF(30 + 12 * step, 26)))
        QApplication.processEvents()
    assert set(counts.led) == own
    assert set(counts.painted) <= {node}
    assert counts.made == []
    assert counts.areas
    assert max(counts.areas) < 0.5
    hand.release(start + QPointF(66, 26))
    QApplication.processEvents()
    assert set(counts.led) == own
    assert counts.made == []


def test_a_hovered_node_and_a_running_one_are_painted_alone(
    crowd: GraphWorkspace, counts: Counts, bridge: FakeBridge
) -> None:
    hand, node = Hand(crowd), middle(crowd)
    crowd.view.reveal(node)
    other = next(key for key in crowd.scene.nodes if key != node)
    QTest.mouseMove(crowd.view.viewport(), hand.at(hand.body(node)))
    counts.start()
    QTest.mouseMove(crowd.view.viewport(), hand.at(hand.body(node) + QPointF(3, 0)))
    QApplication.processEvents()
    assert counts.painted == []
    job = crowd.run()
    bridge.start(job, node, other)
    bridge.begin(job, node)
    QApplication.processEvents()
    counts.start()
    bridge.progress(job, node, 3, 10)
    QApplication.processEvents()
    assert set(counts.painted) == {node}
    assert counts.led == []
    assert max(counts.areas) < 0.3


def test_one_link_makes_one_wire_and_two_faces(crowd: GraphWorkspace, counts: Counts) -> None:
    document = crowd.document
    target, port, link = next(iter(document.graph.links()))
    touched = {target, link.node}
    near = {wire.key for wire in crowd.scene.wires_at(touched)}
    document.disconnect_port(target, port)
    assert set(counts.made) <= touched
    assert set(counts.led) <= near
    counts.start()
    document.connect_ports(link.node, link.output, target, port)
    assert set(counts.made) <= touched
    assert (target, port) in counts.led
    assert set(counts.led) <= near
    counts.start()
    document.undo_stack.undo()
    document.set_title(target, "Another name")
    assert set(counts.made) <= touched


def test_moving_nodes_looks_for_no_problems_again(
    crowd: GraphWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[object] = []
    validating = problems.validating
    monkeypatch.setattr(
        problems, "validating", lambda graph, registry: checked.append(1) or validating(graph, registry)
    )
    before, node = crowd.problems.problems, middle(crowd)
    assert before
    crowd.document.move_nodes({node: (5, 5)})
    crowd.problems.refresh()
    assert (checked, crowd.problems.problems) == ([], before)
    crowd.document.remove_nodes([node])
    crowd.problems.refresh()
    assert checked == [1]


def test_problems_are_looked_for_in_slices_and_of_the_graph_as_it_is_now(
    qtbot: QtBot, crowd: GraphWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems, "SLICE_SECONDS", 0.0)
    document, node = crowd.document, middle(crowd)
    before, told = crowd.problems.problems, QSignalSpy(crowd.problems.changed)
    slices = QSignalSpy(crowd.problems._next.timeout)
    document.remove_nodes([node])
    while slices.count() <= 20 and not told.count():
        QApplication.processEvents()
    assert told.count() == 0  # still the problems from before, all of them
    assert crowd.problems.problems == before
    document.undo_stack.undo()
    document.remove_nodes([node, *[other for other in document.graph.nodes if other != node][:3]])
    document.move_nodes({next(iter(document.graph.nodes)): (5, 5)})
    qtbot.waitUntil(lambda: told.count() == 1)
    assert crowd.problems.problems == tuple(plan.validate(document.graph, document.registry))
    assert slices.count() > 20 + 2 * len(document.graph.nodes)


def test_what_is_near_is_what_looking_at_everything_finds(crowd: GraphWorkspace) -> None:
    items, chance = crowd.scene, random.Random(7)
    nodes, wires = list(items.nodes.values()), list(items.wires.values())
    for turn in range(60):
        moved = chance.choice(list(items.nodes))
        items.show_moved({moved: QPointF(chance.uniform(-900, 2600), chance.uniform(-900, 2600))})
        at = QPointF(chance.uniform(-900, 2600), chance.uniform(-900, 2600))
        size = chance.choice((1.0, 90.0, 700.0))
        area = (at.x() - size, at.y() - size, at.x() + size, at.y() + size)
        rect = QRectF(area[0], area[1], 2 * size, 2 * size)
        found = {item.node for item in items.node_index.near(area)}
        assert found == {item.node for item in nodes if item.body().translated(item.pos()).intersects(rect)}
        crossing = {wire.key for wire in wires if wire.crosses(rect)}
        assert crossing <= {wire.key for wire in items.wire_index.near(rect)}
        nearest = min(wires, key=lambda wire: wire.distance_to(at))
        hit = items.wire_at(at, 40.0)
        assert (hit.distance_to(at) if hit else math.inf) == (
            nearest.distance_to(at) if nearest.distance_to(at) <= 40 else math.inf
        ), turn
    items.show_document_positions()


def test_building_leaves_the_collector_as_it_was(crowd: GraphWorkspace) -> None:
    assert gc.isenabled()
    gc.disable()
    try:
        crowd.document.new(large_graph(12, 16))
        assert not gc.isenabled()
    finally:
        gc.enable()
    crowd.document.new(large_graph(12, 16))
    assert gc.isenabled()


def test_the_palette_puts_300_types_together_once(
    qtbot: QtBot, themed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = many_types(300)
    workspace = GraphWorkspace(GraphDocument(registry=registry))
    qtbot.addWidget(workspace)
    workspace.resize(1000, 700)
    workspace.show()
    made: list[str] = []
    of = Entry.of
    monkeypatch.setattr(palette.Entry, "of", lambda schema: made.append(schema.id) or of(schema))
    found = workspace.palette_
    workspace.adding.open_palette(QPointF(0, 0), None)
    assert sorted(made) == sorted(schema.id for schema in registry)
    assert found.list.count() == 300
    made.clear()
    for text in ("i", "im", "image", "image c", "image cr", "zzzz", "", "wrm dcd"):
        found.field.setText(text)
        words = {schema.id: f"{schema.title} {schema.category} {schema.id}" for schema in registry}
        order = sorted(registry, key=lambda schema: (schema.category, schema.title))
        wanted = search(text, order, lambda schema, words=words: words[schema.id])
        assert [found.list.item(row).text() for row in range(found.list.count())] == [s.title for s in wanted]
    found.dismiss()
    workspace.adding.open_palette(QPointF(0, 0), None)
    assert made == []


def test_the_bench_measures_everything_it_tells(
    qapp: object, themed: None, capsys: pytest.CaptureFixture[str]
) -> None:
    known = bench.measure_graph(16, 20)
    told = [figure for size in canvas_bench.SIZES for figure in size.figures]
    assert all((figure.key if figure.unit == "MB" else f"{figure.key}_work") in known for figure in told)
    assert all(math.isfinite(value) for value in known.values())
    rows = list(canvas_bench._ratios("a graph", known, {}))
    assert [row.note for row in rows] == [canvas_bench.MISSING]
    rows = list(canvas_bench._ratios("a graph", known, dict(known)))
    assert [row.value for row in rows] == [1.0] * 4
