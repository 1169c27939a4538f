"""The crop over the picture, and edges that are dragged to grow it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QMargins, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from studio.mask.contour import contour
from studio.mask.crop_shown import CropShown
from studio.mask.expansion import EDGES, Edge, Growth, handle_at
from studio.mask.mask_canvas import MaskCanvas
from studio.mask.preview import Preview
from tests.helpers.mask_hand import LEFT, NO, MaskHand

SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier

# --- contours ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [60, 1000])
def test_a_contour_lies_where_the_mask_is_one_half(side: int) -> None:
    rows, columns = np.mgrid[:side, :side] + 0.5
    away = np.hypot(columns / side - 0.5, rows / side - 0.5)
    lines = contour(np.clip(0.5 + (0.3 - away) * 12, 0, 1))
    radii = np.hypot(lines[:, ::2] - 0.5, lines[:, 1::2] - 0.5)
    assert np.abs(radii - 0.3).max() < 0.004
    length = np.hypot(lines[:, 2] - lines[:, 0], lines[:, 3] - lines[:, 1]).sum()
    assert length == pytest.approx(2 * math.pi * 0.3, rel=0.01)


def test_a_contour_closes_along_the_edges() -> None:
    assert contour(np.zeros((7, 9))).size == 0
    lines = contour(np.ones((7, 9)))
    length = np.hypot(lines[:, 2] - lines[:, 0], lines[:, 3] - lines[:, 1]).sum()
    assert length == pytest.approx(4, rel=0.1)


@given(seed=st.integers(0, 10_000), height=st.integers(1, 9), width=st.integers(1, 9))
def test_contours_are_closed_whatever_the_mask(seed: int, height: int, width: int) -> None:
    lines = contour(np.random.default_rng(seed).random((height, width)))
    ends, counts = np.unique(np.round(lines.reshape(-1, 2), 4), axis=0, return_counts=True)
    inner = ((ends > 1e-3) & (ends < 1 - 1e-3)).all(axis=1)
    assert (counts[inner] % 2 == 0).all()


# --- the crop ------------------------------------------------------------------------------------------


def drawn_at(hand: MaskHand, place: tuple[float, float]) -> bool:
    """Whether lines lie over the plain ground of the picture near a place."""
    image, at = hand.settled(), hand.at(place)
    near = (image.pixelColor(at.x() + x, at.y() + y) for x in range(-9, 10) for y in range(-9, 10))
    return any(colour != QColor(60, 60, 60) for colour in near)


def test_the_crop_is_drawn_and_says_its_sizes(canvas: MaskCanvas, hand: MaskHand) -> None:
    rect = QRect(110, 20, 64, 64)
    crop = CropShown(rect, QSize(512, 512))
    assert not drawn_at(hand, (110, 30))
    canvas.view.set_crop(crop)
    assert drawn_at(hand, (110, 30))
    assert "64 × 64" in crop.label
    assert "512 × 512" in crop.label
    assert CropShown(rect, QSize(64, 64)).label == CropShown(rect).label
    canvas.view.set_crop(None)
    assert not drawn_at(hand, (110, 30))


def test_the_crop_gives_way_to_results_but_not_to_a_run(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.view.set_crop(CropShown(QRect(110, 20, 64, 64)))
    canvas.view.set_preview(Preview(QImage(), QRect(110, 20, 64, 64)))
    assert drawn_at(hand, (110, 30))
    canvas.set_candidates(0, 2)
    assert not drawn_at(hand, (110, 30))


def test_contours_of_large_masks_come_from_the_background(
    canvas: MaskCanvas, hand: MaskHand, qtbot: QtBot
) -> None:
    mask = np.zeros((1200, 1200), np.float32)
    mask[300:900, 300:900] = 1
    crop = CropShown(QRect(0, 0, 200, 160), denoise=mask)
    canvas.view.set_crop(crop)
    assert canvas.view.crop is crop
    qtbot.waitUntil(lambda: drawn_at(hand, (50, 110)), timeout=5000)
    assert not drawn_at(hand, (100, 110))
    canvas.view.set_crop(CropShown(QRect(0, 0, 200, 160), denoise=mask))
    canvas.view.set_crop(None)
    qtbot.wait(150)
    assert not drawn_at(hand, (50, 110))


# --- edges ---------------------------------------------------------------------------------------------


@pytest.fixture
def growing(canvas: MaskCanvas) -> MaskCanvas:
    canvas.view.set_expansion_enabled(True)
    return canvas


def drag(
    canvas: MaskCanvas,
    edge: Edge,
    by: tuple[float, float],
    modifiers: Qt.KeyboardModifier = NO,
    *,
    release: bool = True,
) -> None:
    """Drag a handle by so many pixels of the picture."""
    view = canvas.view
    start = handle_at(edge, view.growth.frame, view.transform_.to_view()).toPoint()
    end = start + (view.to_view(QPointF(*by)) - view.to_view(QPointF(0, 0))).toPoint()
    QTest.mousePress(view, LEFT, modifiers, start)
    for point in (start + (end - start) / 2, end):
        QTest.mouseMove(view, point)
    if release:
        QTest.mouseRelease(view, LEFT, modifiers, end)


def test_an_edge_is_dragged_in_steps(growing: MaskCanvas, hand: MaskHand, qtbot: QtBot) -> None:
    told: list[QMargins] = []
    growing.expansion_changed.connect(told.append)
    drag(growing, Edge(1, 0), (21, 5))
    assert growing.view.expansion == QMargins(0, 0, 24, 0)
    drag(growing, Edge(0, -1), (30, -15))
    assert growing.view.expansion == QMargins(0, 16, 24, 0)
    assert told[-1] == growing.view.expansion
    drag(growing, Edge(1, 0), (-300, 0))
    assert growing.view.expansion == QMargins(0, 16, 0, 0)
    growing.view.expansion_step = 64
    drag(growing, Edge(-1, 1), (-40, 100))
    assert growing.view.expansion == QMargins(64, 16, 0, 128)
    assert not hand.surface.tiles


def test_keys_change_what_a_drag_does(growing: MaskCanvas, hand: MaskHand) -> None:
    view = growing.view
    view.setFocus()
    growth = Growth(QSize(200, 160), QMargins(8, 0, 0, 0))
    assert growth.dragged(Edge(-1, 0), QPointF(-13.4, 0), 1, both=False).margins == QMargins(21, 0, 0, 0)
    assert growth.dragged(Edge(-1, 0), QPointF(-16, 9), 8, both=True).margins == QMargins(24, 0, 16, 0)
    assert growth.dragged(Edge(1, 1), QPointF(16, 9), 8, both=True).margins == QMargins(24, 8, 16, 8)
    drag(growing, Edge(1, 0), (40, 0), release=False)
    assert view.expansion.right() == 40
    hand.key(Qt.Key.Key_Escape)
    assert view.expansion.isNull()
    QTest.mouseRelease(view, LEFT)
    view.set_expansion(QMargins(8, 8, 8, 8))
    hand.key(Qt.Key.Key_Escape)
    assert view.expansion.isNull()


def test_handles_follow_a_turned_picture(growing: MaskCanvas) -> None:
    growing.view.rotate_to(90)
    drag(growing, Edge(1, 0), (32, 0))
    assert growing.view.expansion == QMargins(0, 0, 32, 0)


def test_numbers_set_the_edges_and_tell_nobody(growing: MaskCanvas, qtbot: QtBot) -> None:
    view = growing.view
    view.fit()
    with qtbot.assertNotEmitted(growing.expansion_changed):
        view.set_expansion(QMargins(400, -5, 0, 0))
    assert view.expansion == QMargins(400, 0, 0, 0)
    shown = view.transform_.to_view().mapRect(QRectF(view.growth.frame))
    assert QRectF(view.rect()).contains(shown)
    for edge in EDGES:
        assert view.rect().contains(handle_at(edge, view.growth.frame, view.transform_.to_view()).toPoint())


def test_the_view_stands_still_until_an_edge_is_let_go(growing: MaskCanvas) -> None:
    view = growing.view
    view.fit()
    scale = view.scale
    drag(growing, Edge(1, 0), (300, 0), release=False)
    view.set_expansion(view.expansion)
    assert view.scale == scale
    QTest.mouseRelease(view, LEFT)
    assert view.scale < scale


def test_edges_are_not_dragged_over_a_grown_result(growing: MaskCanvas, hand: MaskHand) -> None:
    view = growing.view
    view.set_expansion(QMargins(16, 0, 0, 0))
    at = handle_at(Edge(1, 0), view.growth.frame, view.transform_.to_view())
    assert view.edge_at(at) == Edge(1, 0)
    view.set_preview(Preview(QImage(), QRect(-16, 0, 216, 160)))
    assert view.edge_at(at) is None


@settings(max_examples=40)
@given(
    across=st.sampled_from((-1, 0, 1)), down=st.sampled_from((-1, 0, 1)), x=st.floats(-1e6, 1e6),
    y=st.floats(-1e6, 1e6), step=st.sampled_from((1, 8, 64)), both=st.booleans(),
)  # fmt: skip
def test_growth_is_whole_steps_and_never_beyond_a_canvas(
    across: int, down: int, x: float, y: float, step: int, both: bool
) -> None:
    start = Growth(QSize(3000, 2000), QMargins(64, 64, 64, 64))
    grown = start.dragged(Edge(across, down), QPointF(x, y), step, both=both)
    sides = [getattr(grown.margins, name)() for name in ("left", "top", "right", "bottom")]
    assert all(side >= 0 and side % step == 0 for side in sides)
    assert grown.frame.width() * grown.frame.height() <= 2**27
    if not both:
        moves = (across < 0, down < 0, across > 0, down > 0)
        assert all(side == 64 for side, moved in zip(sides, moves, strict=True) if not moved)
