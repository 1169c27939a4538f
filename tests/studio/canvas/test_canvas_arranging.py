"""Selecting by lasso, guides, straight wires, alignment: what keeps a graph in order."""

from __future__ import annotations

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from PySide6.QtCore import QPointF, Qt

from studio.canvas.alignment import GAP, Edge, Rect, aligned, distributed
from studio.canvas.guides import Guide, Guides
from studio.documents.document import GraphDocument
from tests.helpers.canvas_mouse import Hand

NO = Qt.KeyboardModifier.NoModifier
ALT, CONTROL = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
Key = Qt.Key


def lasso(hand: Hand, points: list[tuple[float, float]], modifiers: Qt.KeyboardModifier) -> None:
    corners = [QPointF(*point) for point in points]
    hand.press(corners[0], modifiers)
    for start, end in pairwise(corners):
        hand.glide(start, end, modifiers, 4)
    hand.release(corners[-1], modifiers)


def round_words(hand: Hand) -> list[tuple[float, float]]:
    x, y = hand.scene.nodes["words"].centre.toTuple()  # type: ignore[misc]
    return [(290, y - 60), (x, y - 20), (x - 90, y + 20), (x + 90, y + 90), (290, y + 60)]


def test_a_lasso_selects_the_middles_it_goes_round(hand: Hand, document: GraphDocument) -> None:
    items = len(hand.scene.items())
    lasso(hand, round_words(hand), ALT)
    assert hand.scene.selected_nodes() == ["words"]
    hand.scene.select(["blur"])
    lasso(hand, round_words(hand), CONTROL | SHIFT)
    assert hand.scene.selected_nodes() == ["blur", "words"]
    lasso(hand, round_words(hand), ALT | CONTROL)
    assert hand.scene.selected_nodes() == ["blur"]
    assert len(hand.scene.items()) == items
    assert document.undo_stack.count() == 0


def test_escape_takes_a_lasso_back(hand: Hand) -> None:
    hand.scene.select(["blur"])
    points = round_words(hand)
    hand.press(QPointF(*points[0]), ALT)
    for start, end in pairwise(points):
        hand.glide(QPointF(*start), QPointF(*end), ALT, 3)
    assert hand.scene.selected_nodes() == ["words"]
    hand.key(Key.Key_Escape)
    assert hand.scene.selected_nodes() == ["blur"]


def test_dots_are_selected_by_boxes_and_move_with_nodes(hand: Hand, document: GraphDocument) -> None:
    wire = hand.scene.wires["blur", "image"]
    at = wire.points[len(wire.points) // 2]
    hand.click(at, ALT)
    dot = wire.dots[0].scenePos()
    hand.click(QPointF(440, 420))
    assert hand.scene.dots.selected == []
    hand.drag(QPointF(560, -60), QPointF(700, dot.y() + 30))
    assert hand.scene.selected_nodes() == ["blur"]
    assert hand.scene.dots.selected == [("blur", "image", 0)]
    start = hand.body("blur")
    hand.press(start)
    hand.glide(start, start + QPointF(0, 150), CONTROL)
    hand.release(start + QPointF(0, 150), CONTROL)
    assert wire.dots[0].scenePos() == dot + QPointF(0, 150)
    assert document.graph.position("blur") == (640, 150)


def test_upstream_and_downstream(hand: Hand) -> None:
    hand.scene.select(["paint"])
    hand.key(Key.Key_U)
    assert hand.scene.selected_nodes() == ["model", "paint", "words"]
    hand.scene.select(["words"])
    hand.key(Key.Key_U, SHIFT)
    assert hand.scene.selected_nodes() == ["blur", "paint", "words"]


# --- guides ------------------------------------------------------------------------------------------------


def test_a_dragged_node_jumps_to_guides_and_control_leaves_it_free(
    hand: Hand, document: GraphDocument
) -> None:
    document.move_nodes({"model": (7, 0)})
    start = hand.body("words")
    items = len(hand.scene.items())
    hand.press(start)
    hand.glide(start, start + QPointF(11, 190), NO)
    assert len(hand.scene.items()) == items + 1
    assert hand.scene.nodes["words"].pos() == QPointF(7, 400)
    hand.glide(start + QPointF(11, 190), start + QPointF(11, 193), CONTROL)
    assert hand.scene.nodes["words"].pos() == QPointF(11, 393)
    hand.release(start + QPointF(11, 193), CONTROL)
    assert document.graph.position("words") == (11, 393)
    assert len(hand.scene.items()) == items


def test_a_guide_makes_a_wire_straight(hand: Hand) -> None:
    start = hand.body("blur")
    wanted = hand.port("paint", "image", output=True).y()
    offset = hand.port("blur", "image").y() - hand.scene.nodes["blur"].pos().y()
    hand.press(start)
    away = wanted - offset + 4 - hand.scene.nodes["blur"].pos().y()
    hand.glide(start, start + QPointF(60, away), NO)
    assert hand.port("blur", "image").y() == wanted
    hand.key(Key.Key_Escape)


@given(
    st.lists(st.tuples(st.integers(-300, 300), st.integers(-300, 300)), min_size=1, max_size=12),
    st.tuples(st.integers(-300, 300), st.integers(-300, 300)),
)
@settings(max_examples=40, deadline=None)
def test_a_jump_is_the_nearest_and_within_reach(corners: list[tuple[int, int]], at: tuple[int, int]) -> None:
    rects = [(x, y, x + 200.0, y + 100.0 + x % 3) for x, y in corners]
    snap = Guides(rects, [Guide(at[1] + 5.5, 0, 0, 0)]).snap((*at, at[0] + 200.0, at[1] + 100.0), 6)
    wanted = min((abs(rect[0] - at[0]) for rect in rects), default=99)
    assert (snap.dx is not None) == (wanted <= 6)
    if snap.dx is not None:
        assert abs(snap.dx) == wanted
        assert any(rect[0] == at[0] + snap.dx for rect in rects)
    assert snap.dy is not None
    assert abs(snap.dy) <= 5.5
    assert bool(snap.lines)


# --- order -------------------------------------------------------------------------------------------------


def test_q_straightens_wires(hand: Hand, document: GraphDocument) -> None:
    document.move_nodes({"blur": (640, 90)})
    document.undo_stack.clear()
    before = document.graph
    hand.scene.select(["paint", "blur"])
    hand.key(Key.Key_Q)
    assert hand.port("blur", "image").y() == hand.port("paint", "image", output=True).y()
    assert hand.scene.nodes["paint"].pos() == QPointF(320, 0)
    assert document.undo_stack.count() == 1
    document.undo_stack.undo()
    assert document.graph is before
    hand.scene.select([])
    hand.scene.select_wire(hand.scene.wires["blur", "image"])
    hand.key(Key.Key_Q)
    assert hand.port("blur", "image").y() == hand.port("paint", "image", output=True).y()


def test_straightening_lays_no_node_on_another(hand: Hand, document: GraphDocument) -> None:
    other = document.add_node("test.blur", (640, 320))
    document.connect_ports("paint", "image", other, "image")
    hand.scene.select(["paint", "blur", other])
    hand.key(Key.Key_Q)
    areas = [hand.scene.nodes[node].sceneBoundingRect() for node in ("blur", other)]
    assert not areas[0].intersects(areas[1])
    assert hand.scene.nodes[other].pos() == QPointF(640, 320)


def test_alignment_by_keys_is_one_step(hand: Hand, document: GraphDocument) -> None:
    hand.scene.select(["words", "blur", "paint"])
    hand.key(Key.Key_Up, SHIFT)
    assert {document.graph.position(node)[1] for node in ("words", "blur", "paint")} == {0}  # type: ignore[index]
    assert document.undo_stack.count() == 1
    hand.scene.select(["words"])
    hand.key(Key.Key_Left, SHIFT)
    assert document.undo_stack.count() == 1


RECTS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.tuples(*([st.integers(-500, 500)] * 2), *([st.integers(10, 300)] * 2)),
    min_size=3, max_size=8,
)  # fmt: skip


def placed(rects: dict[str, Rect], places: dict[str, tuple[float, float]]) -> dict[str, Rect]:
    return {node: (*places.get(node, rect[:2]), *rect[2:]) for node, rect in rects.items()}


@given(RECTS)
@settings(max_examples=40, deadline=None)
def test_even_gaps(rects: dict[str, Rect]) -> None:
    result = sorted(placed(rects, distributed(rects, vertically=True)).values(), key=lambda r: r[1])
    gaps = [b[1] - a[1] - a[3] for a, b in pairwise(result)]
    assert max(gaps) - min(gaps) <= 2
    assert min(gaps) >= GAP - 1
    assert [rect[0] for rect in placed(rects, distributed(rects, vertically=True)).values()] == [
        rect[0] for rect in rects.values()
    ]


@pytest.mark.parametrize(
    ("edge", "share"),
    [("left", 0), ("centre", 0.5), ("right", 1), ("top", 0), ("middle", 0.5), ("bottom", 1)],
)
@given(rects=RECTS)
@settings(max_examples=15, deadline=None)
def test_aligned_edges_are_on_one_line(edge: Edge, share: float, rects: dict[str, Rect]) -> None:
    axis = 0 if edge in ("left", "centre", "right") else 1
    result = placed(rects, aligned(rects, edge))
    lines = [rect[axis] + share * rect[axis + 2] for rect in result.values()]
    assert max(lines) - min(lines) <= 1
    assert all(result[node][1 - axis] == rect[1 - axis] for node, rect in rects.items())
