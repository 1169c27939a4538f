"""Areas by hand and by colour: shapes, lasso, polygon, gradient, fills; added, subtracted, intersected."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from studio.mask.layers import LayerKind
from studio.mask.mask_canvas import MaskCanvas
from studio.mask.tool_settings import Combine
from studio.mask.tools import Sample
from tests.helpers.mask_hand import MaskHand

SHIFT, ALT, CONTROL = (
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
    Qt.KeyboardModifier.ControlModifier,
)


def test_a_rectangle_is_made_of_whole_pixels(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change(tool="rectangle")
    hand.drag([(20, 30), (60, 50)])
    expected = np.zeros((160, 200), np.float32)
    expected[30:50, 20:60] = 1
    assert np.array_equal(hand.values, expected)


def test_shift_adds_alt_subtracts_and_both_intersect(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change(tool="rectangle", combine=Combine.REPLACE)
    hand.drag([(20, 20), (60, 60)])
    hand.drag([(50, 20), (90, 60)], SHIFT)
    assert hand.values.sum() == 70 * 40
    hand.drag([(40, 20), (50, 60)], ALT)
    assert hand.values.sum() == 60 * 40
    hand.drag([(30, 30), (60, 100)], SHIFT | ALT)
    assert hand.values.sum() == 20 * 30
    hand.drag([(0, 0), (10, 10)])
    assert hand.values.sum() == 100
    assert canvas.document.undo_stack.count() == 5


def test_soft_values_survive_being_combined(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change_brush(size=80, hardness=0.0)
    hand.click((100, 80))
    before = hand.values
    canvas.settings.change(tool="rectangle")
    hand.drag([(100, 0), (200, 160)], SHIFT | ALT)
    assert np.array_equal(hand.values[:, 100:], before[:, 100:])
    assert not hand.values[:, :100].any()


def test_an_ellipse_has_smooth_edges_and_ctrl_makes_a_circle(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change(tool="ellipse")
    hand.press((50, 40))
    hand.move((110, 70))
    hand.release((110, 70))
    values = hand.values
    assert values.sum() == pytest.approx(math.pi * 30 * 15, rel=0.01)
    assert ((values > 0) & (values < 1)).any()
    canvas.document.undo_stack.undo()
    hand.press((50, 40), CONTROL)
    at = QPointF(hand.at((110, 70)))
    canvas.view.pointer_moved(Sample(QPointF(110, 70), at, modifiers=CONTROL))
    hand.release((110, 70), CONTROL)
    assert hand.values.sum() == pytest.approx(math.pi * 30 * 30, rel=0.01)


def test_a_lasso_fills_what_it_surrounds(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change(tool="lasso")
    circle = [
        (100 + 40 * math.cos(t / 20 * math.pi), 80 + 40 * math.sin(t / 20 * math.pi)) for t in range(40)
    ]
    hand.drag(circle)
    values = hand.values
    assert values.sum() == pytest.approx(math.pi * 1600, rel=0.02)
    assert values[80, 100] == 1
    hand.drag([(90, 70), (110, 70), (110, 90), (90, 90)], ALT)
    assert hand.values[80, 100] == 0
    assert hand.values[80, 70] == 1


def test_a_shape_far_beyond_the_canvas_costs_no_more_than_it(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.view.zoom_to(0.02, canvas.view.transform_.middle)
    canvas.settings.change(tool="rectangle")
    hand.drag([(-9000, -9000), (9000, 9000)])
    assert hand.values.min() == 1
    hand.drag([(5000, 5000), (9000, 9000)], SHIFT | ALT)
    assert not hand.surface.tiles


def test_esc_stops_a_lasso(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change(tool="lasso")
    hand.press((20, 20))
    hand.move((100, 20))
    hand.move((100, 100))
    hand.key(Qt.Key.Key_Escape)
    hand.release((100, 100))
    assert not hand.surface.tiles
    assert canvas.view.gesture is None
    assert canvas.document.undo_stack.count() == 0


def test_a_polygon_grows_by_clicks_until_enter(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change(tool="polygon")
    for place in ((20, 20), (120, 20), (120, 120), (60, 150)):
        hand.click(place)
    hand.key(Qt.Key.Key_Backspace)
    hand.click((20, 120))
    assert not hand.surface.tiles
    hand.key(Qt.Key.Key_Return)
    assert hand.values.sum() == pytest.approx(100 * 100, rel=0.001)
    assert canvas.document.undo_stack.count() == 1


def test_a_polygon_closes_at_its_first_corner_and_esc_drops_it(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change(tool="polygon")
    for place in ((20, 20), (120, 20), (120, 120), (21, 21)):
        hand.click(place)
    assert hand.values.sum() == pytest.approx(100 * 100 / 2, rel=0.02)
    hand.click((150, 20))
    hand.click((170, 20))
    hand.key(Qt.Key.Key_Escape)
    assert canvas.view.gesture is None
    assert canvas.document.undo_stack.count() == 1


def test_a_gradient_falls_evenly(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change(tool="gradient")
    hand.drag([(50, 80), (150, 80)])
    row = hand.values[80]
    assert np.all(row[:50] == 1)
    assert not row[150:].any()
    assert np.allclose(np.diff(row[51:149]), -0.01, atol=1e-4)


@pytest.mark.parametrize(("tolerance", "width"), [(0, 40), (10, 40), (20, 60)])
def test_flood_fill_keeps_to_its_tolerance(
    canvas: MaskCanvas, hand: MaskHand, tolerance: int, width: int
) -> None:
    canvas.settings.change(tool="fill", tolerance=tolerance)
    hand.click((60, 60))
    inside = hand.values[60] > 0.5
    assert inside[40 : 40 + width].all()
    assert inside.sum() == width
    assert not hand.values[100:120, 150:170].any()


def test_a_colour_range_finds_the_colour_anywhere(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change(tool="colour_range", tolerance=8)
    hand.click((60, 60))
    values = hand.values
    assert values[60, 60] == 1
    assert values[110, 160] == 1
    assert values[60, 90] == 0
    assert values[20, 20] == 0


def test_an_object_is_found_in_its_box(qtbot: QtBot, canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change(tool="object")
    hand.drag([(30, 30), (112, 92)])
    qtbot.waitUntil(lambda: bool(hand.surface.tiles), timeout=10000)
    values = hand.values
    assert values[60, 60] > 0.9
    assert values[35, 35] < 0.1
    assert values[140, 20] == 0


def test_the_eyedropper_takes_what_is_seen(canvas: MaskCanvas, hand: MaskHand) -> None:
    hand.drag([(40, 60), (100, 60)])
    canvas.settings.change(tool="eyedropper")
    hand.click((60, 60))
    assert canvas.settings.colour == QColor(200, 40, 40)


def test_alt_on_a_paint_layer_takes_a_colour(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.document.add_layer(LayerKind.PAINT)
    hand.click((90, 60), ALT)
    assert canvas.settings.colour == QColor(215, 40, 40)
    assert not hand.surface.tiles


def test_areas_fill_paint_layers_with_the_colour(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.document.add_layer(LayerKind.PAINT)
    canvas.settings.change(tool="rectangle", colour="#0000ff")
    hand.drag([(20, 20), (60, 60)])
    hand.drag([(20, 20), (40, 60)], ALT)
    image = canvas.current_image()
    assert image is not None
    assert image.pixelColor(50, 50) == QColor(0, 0, 255)
    assert image.pixelColor(30, 30) == QColor(60, 60, 60)


def test_large_areas_are_computed_in_the_background(qtbot: QtBot, canvas: MaskCanvas, hand: MaskHand) -> None:
    picture = QImage(2048, 1024, QImage.Format.Format_RGB32)
    picture.fill(QColor(90, 90, 90))
    canvas.set_image(picture)
    canvas.settings.change(tool="gradient")
    hand.drag([(500, 500), (1500, 500)])
    assert canvas.document.busy
    hand.drag([(100, 100), (200, 200)])
    assert canvas.view.gesture is None
    qtbot.waitUntil(lambda: not canvas.document.busy, timeout=10000)
    assert 0.45 < hand.values[500, 1000] < 0.55


def test_a_picture_layer_says_why_it_can_not_be_painted(
    qtbot: QtBot, canvas: MaskCanvas, hand: MaskHand
) -> None:
    document = canvas.document
    mask = document.stack.active
    document.select(document.stack.layers[0].id)
    with qtbot.waitSignal(canvas.view.hinted):
        hand.drag([(20, 20), (60, 60)])
    document.select(mask)
    document.change_layer(mask, "Hide", visible=False)
    with qtbot.waitSignal(canvas.view.hinted) as caught:
        hand.drag([(20, 20), (60, 60)])
    assert "hidden" in caught.args[0]
    assert not hand.surface.tiles


def test_tools_work_on_a_turned_picture(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.view.rotate_to(90)
    canvas.settings.change(tool="rectangle")
    hand.drag([(20, 30), (60, 50)])
    assert hand.values[31:49, 21:59].all()
    assert hand.values.sum() == pytest.approx(800, rel=0.08)
    assert canvas.view.to_image(canvas.view.to_view(QPointF(3, 4))) == QPointF(3, 4)
