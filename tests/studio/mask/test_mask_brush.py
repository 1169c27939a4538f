"""The brush in the real widget: soft stays soft, opacity is a ceiling, pens press, Esc takes it all back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QImage

from studio.mask.brush import BrushSettings, StampCache, stamp
from studio.mask.layers import LayerKind
from studio.mask.mask_canvas import MaskCanvas
from studio.mask.stroke import Ink, Stroke
from studio.mask.surface import FULL, Surface
from tests.helpers.mask_hand import MaskHand

SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier


def test_a_soft_brush_leaves_values_between_0_and_1(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change_brush(size=60, hardness=0.0)
    hand.drag([(60, 80), (90, 80), (120, 80)])
    values = hand.values
    assert values[80, 90] > 0.95
    column = values[50:80, 90]
    assert np.all(np.diff(column) >= 0)
    assert 0 < values[62, 90] < 1
    assert len(np.unique(column)) > 15


def test_the_hardest_brush_has_an_edge_one_pixel_wide(canvas: MaskCanvas, hand: MaskHand) -> None:
    hand.click((100, 80))
    hard = hand.values
    assert hard[80, 100] == 1
    row = hard[80]
    assert int(((row > 0) & (row < 1)).sum()) <= 4
    assert np.pi * 9.4**2 < hard.sum() < np.pi * 10.6**2


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.5), (0.5, 0.9), (0.9, 1.0)])
def test_harder_brushes_cover_more(low: float, high: float) -> None:
    assert stamp(40, low, 0, 0).sum() < stamp(40, high, 0, 0).sum()


def test_a_stroke_builds_up_to_its_opacity_and_no_further(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change_brush(opacity=0.5, flow=0.2)
    hand.drag([(60, 80), (61, 80)])
    once = hand.values.max()
    canvas.document.undo_stack.undo()
    hand.drag([(60, 80), *[(60 + 40 * (i % 2), 80) for i in range(1, 20)]])
    assert 0 < once < 0.45
    assert hand.values.max() == pytest.approx(0.5, abs=0.01)
    hand.drag([(60, 80), *[(60 + 40 * (i % 2), 80) for i in range(1, 20)]])
    assert hand.values.max() == pytest.approx(0.75, abs=0.01)


def test_pressure_changes_size_and_opacity(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change_brush(size=40, pressure_size=True, pressure_opacity=True)
    hand.draw([(40, 80, 0.25), (41, 80, 0.25)])
    hand.draw([(140, 80, 1.0), (141, 80, 1.0)])
    values = hand.values
    light, heavy = values[:, :90], values[:, 90:]
    assert light.max() == pytest.approx(0.25, abs=0.02)
    assert heavy.max() == 1
    assert 8 <= (light > 0).any(axis=1).sum() <= 14
    assert 38 <= (heavy > 0).any(axis=1).sum() <= 44


def test_pressure_grows_along_a_stroke(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change_brush(pressure_opacity=True)
    hand.draw([(20 + 10 * i, 80, 0.1 + 0.05 * i) for i in range(15)])
    along = hand.values[80, 25:165:20]
    assert np.all(np.diff(along) > 0)


def test_the_pens_other_end_erases(canvas: MaskCanvas, hand: MaskHand) -> None:
    hand.drag([(60, 80), (120, 80)])
    canvas.settings.change(eraser=BrushSettings(size=16))
    hand.draw([(90, 80, 1.0), (91, 80, 1.0)], tail=True)
    assert hand.values[80, 90] < 0.1
    assert hand.values[80, 65] == 1


def test_the_eraser_takes_away_and_x_swaps(canvas: MaskCanvas, hand: MaskHand) -> None:
    hand.drag([(60, 80), (140, 80)])
    hand.key("x")
    assert canvas.settings.tool == "eraser"
    canvas.settings.change_brush(size=10, hardness=1.0)
    hand.drag([(95, 80), (105, 80)])
    assert hand.values[80, 100] == 0
    hand.key("x")
    assert canvas.settings.tool == "brush"
    assert canvas.settings.brush.size == 20


def test_alt_takes_away_from_a_mask(hand: MaskHand) -> None:
    hand.drag([(60, 80), (140, 80)])
    hand.drag([(100, 80), (101, 80)], ALT)
    assert hand.values[80, 100] == 0


def test_shift_draws_straight_lines_from_where_the_last_stroke_ended(hand: MaskHand) -> None:
    hand.click((40, 40))
    hand.click((160, 120), SHIFT)
    values = hand.values
    for step in np.linspace(0, 1, 30):
        assert values[int(40 + 80 * step), int(40 + 120 * step)] == 1
    assert values[40, 120] == 0


def test_a_straight_line_follows_the_pointer_until_it_is_let_go(hand: MaskHand) -> None:
    hand.press((40, 40), SHIFT)
    hand.move((160, 40))
    hand.move((40, 120))
    hand.release((40, 120), SHIFT)
    assert hand.values[40, 120] == 0
    assert hand.values[80, 40] == 1


def test_esc_leaves_everything_as_it_was(canvas: MaskCanvas, hand: MaskHand) -> None:
    hand.drag([(60, 80), (140, 80)])
    before, steps, shown = hand.surface.snapshot(), canvas.document.undo_stack.count(), picture(canvas)
    hand.press((100, 20))
    hand.move((100, 140))
    assert hand.values[120, 100] > 0
    hand.key(Qt.Key.Key_Escape)
    hand.release((100, 140))
    assert hand.surface.snapshot() == before
    assert canvas.document.undo_stack.count() == steps
    assert not hand.surface.is_open
    assert shown == picture(canvas)


def picture(canvas: MaskCanvas) -> QImage:
    """What is seen, without the ring of the brush."""
    canvas.view.leaveEvent(QEvent(QEvent.Type.Leave))
    return canvas.view.grab().toImage()


def test_brackets_change_size_and_hardness(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change_brush(size=40, hardness=0.5)
    hand.key("]")
    assert canvas.settings.brush.size == 45
    hand.key("[")
    assert canvas.settings.brush.size == 40
    hand.key("}", SHIFT)
    assert canvas.settings.brush.hardness == 0.6
    hand.key("{", SHIFT)
    hand.key("{", SHIFT)
    assert canvas.settings.brush.hardness == 0.4
    hand.key("]")
    assert canvas.settings.values.eraser.size == 60


def test_colour_and_opacity_on_a_paint_layer(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.document.add_layer(LayerKind.PAINT)
    canvas.settings.change(colour="#3060c0")
    canvas.settings.change_brush(opacity=0.5)
    hand.click((100, 80))
    blue, green, red, alpha = (int(value) for value in hand.surface.to_array()[80, 100])
    assert abs(alpha - 128) <= 1
    assert (round(red * 255 / alpha), round(green * 255 / alpha)) == (0x30, 0x60)
    assert abs(blue * 255 / alpha - 0xC0) <= 1


def test_smoothing_steadies_and_still_arrives(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change_brush(size=6)
    zigzag = [(20 + 4 * i, 80 + (6 if i % 2 else -6)) for i in range(40)]

    def spread() -> float:
        rows = np.flatnonzero((hand.values[:, 60:140] > 0.5).any(axis=1))
        return float(rows[-1] - rows[0])

    hand.drag(zigzag)
    shaky, end = spread(), hand.values[int(zigzag[-1][1]), int(zigzag[-1][0])]
    canvas.document.undo_stack.undo()
    canvas.settings.change_brush(smoothing=0.9)
    hand.drag(zigzag)
    assert spread() < shaky - 4
    assert end > 0.5
    assert hand.values[int(zigzag[-1][1]), int(zigzag[-1][0])] > 0.5


@pytest.mark.parametrize("kind", [LayerKind.MASK, LayerKind.PAINT])
def test_smudging_takes_along_what_is_there(canvas: MaskCanvas, hand: MaskHand, kind: LayerKind) -> None:
    canvas.document.add_layer(kind)
    canvas.settings.change(tool="rectangle", colour="#ff0000")
    hand.drag([(40, 20), (80, 140)])
    canvas.settings.change(tool="smudge")
    canvas.settings.change_brush(size=24, opacity=0.9)
    before = hand.surface.read(hand.surface.rect).astype(float)
    hand.drag([(70, 80), (80, 80), (100, 80), (110, 80)])
    after = hand.surface.read(hand.surface.rect).astype(float)
    assert after[80, 95].max() > 0.1 * before.max()
    assert before[80, 95].max() == 0
    assert np.array_equal(after[:60], before[:60])
    assert after.max() <= before.max()
    canvas.document.undo_stack.undo()
    assert np.array_equal(hand.surface.read(hand.surface.rect), before)


def test_smudging_leaves_an_even_area_as_it_is(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.run_operation("invert")
    steps = canvas.document.undo_stack.count()
    canvas.settings.change(tool="smudge")
    hand.drag([(100, 80), (180, 80), (199, 10), (5, 5)])
    assert hand.values.min() == 1
    assert canvas.document.undo_stack.count() == steps


def test_dabs_are_placed_between_pixels() -> None:
    cache = StampCache()
    surface = Surface(64, 64, "mask")
    places = []
    for x in (30.0, 30.25, 30.5, 30.75):
        stroke = Stroke(surface, BrushSettings(size=8, hardness=1.0), Ink(), cache)
        stroke.add(x, 30.5)
        values = surface.read(surface.rect).astype(np.float64)
        stroke.cancel()
        places.append(float((values.sum(axis=0) * (np.arange(64) + 0.5)).sum() / values.sum()))
    assert np.allclose(np.diff(places), 0.25, atol=0.04)


def test_the_smallest_brush_paints_single_pixels(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change_brush(size=1)
    hand.click((100.4, 80.6))
    assert hand.values.sum() == 1
    assert hand.values[80, 100] == 1


def test_stamps_in_the_cache_stay_within_its_bytes() -> None:
    cache = StampCache(limit=100_000)
    for size in range(10, 120):
        cache.at(5.3, 5.7, size, 0.5)
    assert cache._bytes <= 100_000


@settings(max_examples=25, deadline=None)
@given(
    points=st.lists(
        st.tuples(st.floats(-50, 350), st.floats(-50, 350), st.floats(0, 1)), min_size=1, max_size=8
    ),
    brush=st.builds(
        BrushSettings, size=st.floats(1, 120), hardness=st.floats(0, 1), opacity=st.floats(0.05, 1),
        flow=st.floats(0.05, 1), spacing=st.floats(0.05, 1), pressure_size=st.booleans(),
    ),
)  # fmt: skip
def test_no_stroke_goes_beyond_its_opacity(
    points: list[tuple[float, float, float]], brush: BrushSettings
) -> None:
    surface = Surface(300, 300, "mask")
    stroke = Stroke(surface, brush, Ink(), StampCache())
    dirty = None
    for x, y, pressure in points:
        area = stroke.add(x, y, pressure)
        dirty = area if dirty is None else dirty | area
    dirty |= stroke.finish()
    surface.commit()
    values = surface.read(surface.rect)
    assert values.max() <= round(brush.opacity * FULL) + 1
    bounds = surface.bounds()
    assert bounds.isEmpty() or dirty.contains(bounds)
