"""Painting: every state differs from the others, in light and dark, near and far; nothing warns or fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QImage, QPainter
from pytestqt.qtbot import QtBot

from pipelines.graph import types
from studio.canvas.face import build_face, value_text
from studio.canvas.items.paint import Marks, paint_node
from studio.canvas.items.texts import wrapped
from studio.canvas.run_state import NodeState
from studio.canvas.style import CanvasStyle, hue_name, shape_name
from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from studio.graph.annotations import Box
from studio.graph.bookmarks import bookmarks
from studio.theme import current_theme
from tests.helpers.canvas_fakes import gradient, small_graph, stub_registry
from tests.helpers.canvas_mouse import Hand


@pytest.fixture(params=["dark", "light"])
def style(request: pytest.FixtureRequest, themed: None) -> Iterator[CanvasStyle]:
    current_theme().apply(request.param)
    yield CanvasStyle(current_theme())
    current_theme().apply("dark")


def painted(style: CanvasStyle, zoom: float, state: NodeState, marks: Marks, mode: str = "active") -> bytes:
    graph = small_graph()
    graph = graph.with_node("paint", graph.nodes["paint"].with_mode(mode))
    face = build_face(graph, "paint", stub_registry(), style.metrics, frozenset({"image"}))
    image = QImage(300, 420, QImage.Format.Format_RGB32)
    image.fill(style.colour("bg0"))
    painter = QPainter(image)
    painter.translate(20, 20)
    painter.scale(zoom, zoom)
    paint_node(painter, face, state, marks, style, face.height + 40, zoom)
    painter.end()
    return bytes(image.constBits())


@pytest.mark.parametrize("zoom", [1.0, 0.4, 0.1])
def test_every_state_looks_different(style: CanvasStyle, zoom: float) -> None:
    looks = [
        painted(style, zoom, NodeState(), Marks()),
        painted(style, zoom, NodeState(), Marks(selected=True)),
        painted(style, zoom, NodeState("running", 5, 10, rate=2.0), Marks()),
        painted(style, zoom, NodeState("failed"), Marks(problem_count=1)),
        painted(style, zoom, NodeState(pictures=(gradient(40, 40, 90),), count=1), Marks()),
        painted(style, zoom, NodeState(), Marks(), "muted"),
    ]
    if zoom > 0.2:
        looks += [
            painted(style, zoom, NodeState("executed", seconds=1.5, stale=True), Marks()),
            painted(style, zoom, NodeState("cached"), Marks()),
            painted(style, zoom, NodeState(), Marks(), "bypassed"),
            painted(style, zoom, NodeState(), Marks(refused=frozenset({(True, "image")}))),
        ]
    assert len(set(looks)) == len(looks)


def test_every_port_type_has_its_shape_and_hue(style: CanvasStyle) -> None:
    def port(kind: types.PortType) -> bytes:
        image = QImage(24, 24, QImage.Format.Format_RGB32)
        image.fill(style.colour("bg1"))
        painter = QPainter(image)
        style.paint_port(painter, image.rect().toRectF().center(), kind, linked=True)
        painter.end()
        return bytes(image.constBits())

    pairs = [(types.Image, types.Mask), (types.Image, types.Text), (types.Image, types.list_of(types.Image)),
             (types.Seed, types.Integer), (types.DiffusionModel, types.LanguageModel),
             (types.Latent, types.Boolean), (types.Latent, types.Image)]  # fmt: skip
    assert all(port(a) != port(b) for a, b in pairs)
    assert (shape_name(types.Mask), hue_name(types.Mask)) == ("half", "ember")
    assert (shape_name(types.Text), hue_name(types.Text)) == ("circle", "iris")
    assert (shape_name(types.Seed), hue_name(types.Seed)) == ("star", "brass")
    assert all(shape_name(kind) and hue_name(kind) for kind in types.TYPES.values())


def test_the_whole_workspace_follows_the_theme(qtbot: QtBot, workspace: GraphWorkspace) -> None:
    dark = workspace.grab().toImage()
    current_theme().apply("light")
    light = workspace.grab().toImage()
    current_theme().apply("dark")
    assert dark.pixelColor(500, 640).lightness() < 60
    assert light.pixelColor(500, 640).lightness() > 200
    assert workspace.grab().toImage() == dark


def test_larger_text_makes_everything_larger_and_moves_nothing_in_the_document(
    workspace: GraphWorkspace, document: GraphDocument, hand: Hand
) -> None:
    document.set_boxes([Box("frames", "f", (-40.0, -60.0, 640.0, 380.0), "All of it")], "Frame")
    before, view, scene = document.graph, workspace.view, workspace.scene
    middle = view.mapToScene(view.viewport().rect().center())
    workspace.structure.set_bookmark(1)
    mark = bookmarks(document.graph)[1]

    def widths() -> dict[str, int]:
        areas = {node: item.body().translated(item.pos()) for node, item in scene.nodes.items()}
        areas["frame"] = scene.boxes.items["frames", "f"].area
        return {name: view.mapFromScene(area).boundingRect().width() for name, area in areas.items()}

    small = widths()
    current_theme().apply("dark", scale=1.5)
    try:
        large = widths()
        assert all(abs(large[name] - 1.5 * small[name]) <= 2 for name in small)
        assert view.zoom == 1.0
        assert (view.mapToScene(view.viewport().rect().center()) - middle).manhattanLength() < 2
        assert workspace.structure.minimap.width() > 250
        bodies = [item.body().translated(item.pos()) for item in scene.nodes.values()]
        assert not any(a.intersects(b) for i, a in enumerate(bodies) for b in bodies[:i])
        assert document.graph.view["positions"] is before.view["positions"]
        # what is put, moved and remembered is in the document's pixels, whatever the size of text
        workspace.structure.set_bookmark(2)
        assert bookmarks(document.graph)[2].zoom == mark.zoom
        hand.drag(hand.body("blur"), hand.body("blur") + QPointF(0, 100))
        assert document.graph.position("blur") == (640, 100)
        workspace.adding.open_palette(QPointF(400, 400), None)
        workspace.palette_.chosen.emit("test.words")
        assert document.graph.position(scene.selected_nodes()[0]) == (400, 400)
    finally:
        current_theme().apply("dark")
    assert view.zoom == 1.0
    assert widths()["frame"] == small["frame"]


def test_long_texts_are_cut_to_their_lines(style: CanvasStyle) -> None:
    text = "a red apple on a blue background " * 40
    lines = wrapped(text, style.label, 180, 3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    tail = wrapped(text + "the end", style.label, 180, 3, tail=True)
    assert tail[-1].endswith("the end")
    assert wrapped("", style.label, 180, 3) in ([], [""])
    assert len(wrapped("x" * 500, style.label, 180, 3)) == 3


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (types.Seed, None, "New every time"), (types.Seed, 2**64 - 1, "18446744073709551615"),
        (types.Number, 4.0, "4.0"), (types.Number, 0.0001, "0.0001"), (types.Integer, 16, "16"),
        (types.Boolean, True, "On"), (types.Choice, "model_default", "Model default"),
        (types.Choice, "DPM++ 2M", "DPM++ 2M"), (types.Text, [1], "[1]"),
    ],
)  # fmt: skip
def test_values_in_words(kind: types.PortType, value: object, text: str) -> None:
    assert value_text(kind, value) == text
