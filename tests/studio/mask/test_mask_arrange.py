"""Layers moved, scaled, turned and mirrored: by hand, by keys, exactly where that is possible."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QTransform
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.mask.compose import flattened
from studio.mask.layer_operations import apply_to_layer
from studio.mask.layers import Layer, LayerKind
from studio.mask.mask_canvas import MaskCanvas
from studio.mask.paint_document import PaintDocument
from studio.mask.placement import Placement
from studio.mask.surface import Surface, image_array
from studio.mask.tool_settings import Combine
from studio.mask.transform_draft import TransformDraft
from studio.mask.transforming import about, bounds_of, quarter_turn, transformed
from tests.helpers.mask_hand import MaskHand, Place, blocks

SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier


@pytest.fixture
def boxed(canvas: MaskCanvas, hand: MaskHand) -> MaskHand:
    """A mask with a full rectangle at 40, 40, 60 × 30."""
    canvas.settings.change(tool="rectangle", combine=Combine.REPLACE)
    hand.drag([(40, 40), (100, 70)])
    canvas.document.undo_stack.clear()
    canvas.document.history.clear()
    return hand


def bounds(canvas: MaskCanvas) -> QRect:
    layer = canvas.document.active
    assert layer is not None
    return bounds_of(layer)


def move_to(hand: MaskHand, place: Place, modifiers: Qt.KeyboardModifier) -> None:
    """The pointer moves with keys held down, which QTest can't."""
    at = QPointF(hand.at(place))
    event = QMouseEvent(
        QEvent.Type.MouseMove, at, hand.view.mapToGlobal(at), Qt.MouseButton.NoButton,
        Qt.MouseButton.LeftButton, modifiers,
    )  # fmt: skip
    QApplication.sendEvent(hand.view, event)


def held_drag(hand: MaskHand, start: Place, end: Place, modifiers: Qt.KeyboardModifier) -> None:
    hand.press(start, modifiers)
    move_to(hand, end, modifiers)
    hand.release(end, modifiers)


# --- moving --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in LayerKind if kind is not LayerKind.IMAGE])
def test_every_kind_of_layer_is_dragged_by_whole_pixels(
    canvas: MaskCanvas, hand: MaskHand, kind: LayerKind
) -> None:
    canvas.document.add_layer(kind)
    canvas.settings.change(tool="rectangle")
    hand.drag([(40, 40), (100, 70)])
    before = hand.surface.read(QRect(40, 40, 60, 30))
    count = canvas.document.undo_stack.count()
    hand.key("v")
    hand.press((60, 50))
    hand.move((75, 70))
    assert bounds(canvas) == QRect(40, 40, 60, 30)
    assert bounds_of(canvas.document.shown[-1]) == QRect(55, 60, 60, 30)
    hand.move((80.4, 39.8))
    hand.release((80.4, 39.8))
    assert bounds(canvas) == QRect(60, 30, 60, 30)
    assert np.array_equal(hand.surface.read(QRect(60, 30, 60, 30)), before)
    assert canvas.document.shown == canvas.document.stack.layers
    assert canvas.document.undo_stack.count() == count + 1
    canvas.document.undo_stack.undo()
    assert bounds(canvas) == QRect(40, 40, 60, 30)


def test_pictures_are_dragged_over_the_edges_and_share_their_pixels(
    canvas: MaskCanvas, hand: MaskHand
) -> None:
    document = canvas.document
    image = QImage(30, 20, QImage.Format.Format_RGB32)
    image.fill(QColor(0, 0, 255))
    document.add_image_layer(image, x=100, y=100)
    pixels = document.active.image
    canvas.settings.change(tool="move")
    hand.drag([(110, 110), (50, 60), (-5, 3)])
    assert document.active.place == QRect(-15, -7, 30, 20)
    assert document.active.image is pixels
    assert canvas.current_image().pixelColor(14, 12) == QColor(0, 0, 255)
    assert canvas.current_image().pixelColor(15, 12) == QColor(60, 60, 60)


def test_arrow_keys_move_and_become_one_step(canvas: MaskCanvas, boxed: MaskHand) -> None:
    centre = QPointF(canvas.view.transform_.centre)
    boxed.key("v")
    boxed.key(Qt.Key.Key_Right)
    boxed.key(Qt.Key.Key_Down, SHIFT)
    boxed.key(Qt.Key.Key_Left, SHIFT)
    assert bounds(canvas) == QRect(31, 50, 60, 30)
    assert canvas.document.undo_stack.count() == 1
    assert canvas.view.transform_.centre == centre
    boxed.key("b")
    boxed.key(Qt.Key.Key_Right)
    assert bounds(canvas) == QRect(31, 50, 60, 30)
    assert canvas.view.transform_.centre != centre


def test_what_leaves_the_canvas_comes_back(canvas: MaskCanvas, boxed: MaskHand) -> None:
    before = boxed.values
    boxed.key("v")
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
        for _ in range(12):
            boxed.key(key, SHIFT)
        if key == Qt.Key.Key_Left:
            assert not boxed.values.any()
    assert np.array_equal(boxed.values, before)


def test_shift_keeps_to_one_direction_and_esc_stops_a_move(canvas: MaskCanvas, boxed: MaskHand) -> None:
    canvas.settings.change(tool="move")
    held_drag(boxed, (60, 50), (90, 58), SHIFT)
    assert bounds(canvas) == QRect(70, 40, 60, 30)
    boxed.press((60, 50))
    boxed.move((20, 20))
    boxed.key(Qt.Key.Key_Escape)
    boxed.release((20, 20))
    assert bounds(canvas) == QRect(70, 40, 60, 30)
    assert canvas.document.shown == canvas.document.stack.layers
    assert canvas.document.undo_stack.count() == 1


def test_hidden_layers_say_why_they_stay(qtbot: QtBot, canvas: MaskCanvas, boxed: MaskHand) -> None:
    canvas.document.change_layer(canvas.document.stack.active, "Hide", visible=False)
    for tool in ("move", "transform"):
        canvas.settings.change(tool=tool)
        with qtbot.waitSignal(canvas.view.hinted) as caught:
            boxed.drag([(60, 50), (90, 58)])
        assert "hidden" in caught.args[0]
        assert canvas.view.gesture is None
    assert bounds(canvas) == QRect(40, 40, 60, 30)


# --- transforming --------------------------------------------------------------------------------------


def test_an_edge_scales_one_way_and_enter_applies(canvas: MaskCanvas, boxed: MaskHand) -> None:
    boxed.key("t")
    boxed.drag([(100, 55), (130, 90)])
    assert bounds(canvas) == QRect(40, 40, 60, 30)
    assert canvas.document.undo_stack.count() == 0
    boxed.key(Qt.Key.Key_Return)
    assert bounds(canvas) == QRect(40, 40, 90, 30)
    assert boxed.values[40:70, 40:130].min() == 1
    assert canvas.view.gesture is None
    assert canvas.document.undo_stack.count() == 1
    canvas.document.undo_stack.undo()
    assert bounds(canvas) == QRect(40, 40, 60, 30)


def test_a_corner_keeps_the_ratio_unless_shift_is_held(canvas: MaskCanvas, boxed: MaskHand) -> None:
    canvas.settings.change(tool="transform")
    boxed.drag([(100, 70), (160, 100)])
    boxed.key(Qt.Key.Key_Return)
    assert bounds(canvas) == QRect(40, 40, 120, 60)
    held_drag(boxed, (160, 100), (100, 120), SHIFT)
    boxed.key(Qt.Key.Key_Return)
    assert bounds(canvas) == QRect(40, 40, 60, 80)


def test_alt_scales_about_the_middle(canvas: MaskCanvas, boxed: MaskHand) -> None:
    canvas.settings.change(tool="transform")
    held_drag(boxed, (100, 55), (110, 55), ALT)
    boxed.key(Qt.Key.Key_Return)
    assert bounds(canvas) == QRect(30, 40, 80, 30)


def test_outside_turns_in_steps_with_shift(canvas: MaskCanvas, boxed: MaskHand) -> None:
    canvas.settings.change(tool="transform")
    # from right of the box to below it, a little off
    held_drag(boxed, (120, 55), (72, 105), SHIFT)
    boxed.key(Qt.Key.Key_Return)
    assert bounds(canvas) == QRect(55, 25, 30, 60)
    assert boxed.values.sum() == 1800


def test_several_changes_are_one_step_and_each_is_taken_back(canvas: MaskCanvas, boxed: MaskHand) -> None:
    canvas.settings.change(tool="transform")
    boxed.drag([(60, 50), (70, 60)])
    boxed.drag([(110, 80), (140, 95)])
    boxed.key(Qt.Key.Key_Backspace)
    boxed.key(Qt.Key.Key_Right)
    boxed.key(Qt.Key.Key_Return)
    assert bounds(canvas) == QRect(51, 50, 60, 30)
    assert canvas.document.undo_stack.count() == 1


def test_esc_leaves_a_transform_and_another_tool_applies_it(canvas: MaskCanvas, boxed: MaskHand) -> None:
    canvas.settings.change(tool="transform")
    boxed.drag([(100, 70), (160, 100)])
    assert bounds_of(canvas.document.shown[-1]) == QRect(40, 40, 120, 60)
    boxed.key(Qt.Key.Key_Escape)
    assert canvas.document.shown == canvas.document.stack.layers
    assert bounds(canvas) == QRect(40, 40, 60, 30)
    boxed.drag([(100, 70), (160, 100)])
    canvas.tool_bar.buttons["brush"].click()
    assert bounds(canvas) == QRect(40, 40, 120, 60)
    assert canvas.view.gesture is None


def test_a_click_with_the_transform_tool_holds_nothing_up(canvas: MaskCanvas, boxed: MaskHand) -> None:
    boxed.key("t")
    boxed.click((60, 50))
    assert canvas.view.gesture is None
    boxed.key("b")
    assert canvas.settings.tool == "brush"
    assert canvas.document.undo_stack.count() == 0


def test_undo_in_the_middle_of_a_transform_ends_it(canvas: MaskCanvas, boxed: MaskHand) -> None:
    canvas.settings.change(tool="move")
    boxed.key(Qt.Key.Key_Right)
    canvas.settings.change(tool="transform")
    boxed.drag([(101, 70), (160, 100)])
    canvas.document.undo_stack.undo()
    assert canvas.view.gesture is None
    assert canvas.document.shown == canvas.document.stack.layers
    assert bounds(canvas) == QRect(40, 40, 60, 30)


def test_the_box_is_seen_before_a_press(canvas: MaskCanvas, boxed: MaskHand) -> None:
    without = boxed.settled()
    canvas.settings.change(tool="transform")
    corner = boxed.at((40, 40))
    assert boxed.settled().pixelColor(corner) != without.pixelColor(corner)
    boxed.move((40, 40))
    assert canvas.view.cursor().shape() == Qt.CursorShape.SizeFDiagCursor
    boxed.move((70, 50))
    assert canvas.view.cursor().shape() == Qt.CursorShape.SizeAllCursor


def test_large_layers_are_transformed_in_the_background(qtbot: QtBot, canvas: MaskCanvas) -> None:
    document = canvas.document
    canvas.set_image(blocks(2200, 2000))
    document.select(document.stack.layers[0].id)
    document.transform_layer(document.stack.active, QTransform.fromScale(0.5, 0.5), "Scale")
    assert document.busy
    qtbot.waitUntil(lambda: not document.busy, timeout=20000)
    assert document.active.place == QRect(0, 0, 1100, 1000)


# --- arithmetic ----------------------------------------------------------------------------------------


def photo(width: int, height: int) -> QImage:
    image = QImage(width, height, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(0)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(40, 180, 90))
    painter.drawEllipse(QRectF(4, 4, width - 8, height - 20))
    painter.end()
    return image


@pytest.mark.parametrize("id", ["flip_horizontal", "flip_vertical", "rotate_right", "rotate_left"])
def test_quarter_turns_and_mirroring_are_exact(qapp: object, id: str) -> None:
    document = PaintDocument()
    document.set_image(blocks())
    document.add_image_layer(photo(51, 30), x=20, y=30)
    before = image_array(document.active.image)
    expected = {
        "flip_horizontal": before[:, ::-1], "flip_vertical": before[::-1],
        "rotate_right": np.rot90(before, -1), "rotate_left": np.rot90(before),
    }[id]  # fmt: skip
    assert apply_to_layer(document, id)
    assert np.array_equal(image_array(document.active.image), expected)
    for _ in range(3):
        apply_to_layer(document, id)
    assert np.array_equal(image_array(document.active.image), before)
    assert document.active.place.size() == QSize(51, 30)


def test_turning_in_small_steps_loses_nothing(qapp: object) -> None:
    layer = Layer("a", LayerKind.IMAGE, "", image=photo(80, 60), x=50, y=40)
    canvas, around = QSize(200, 160), QRectF(layer.place)
    once = transformed(layer, about(around, QTransform().rotate(60)), canvas)
    often = layer
    for _ in range(12):
        often = transformed(often, about(around, QTransform().rotate(5)), canvas)
    assert np.abs(image_array(often.image).astype(int) - image_array(once.image)).max() <= 1
    back = transformed(often, about(around, QTransform().rotate(-60)), canvas)
    assert back.place == layer.place
    assert np.array_equal(image_array(back.image), image_array(layer.image))


def test_turned_masks_keep_their_size_and_soft_edges(qapp: object) -> None:
    values = np.zeros((160, 200), np.float32)
    values[50:110, 60:140] = 1
    layer = Layer("a", LayerKind.MASK, "", surface=Surface.from_array(values))
    turned = transformed(layer, about(QRectF(bounds_of(layer)), QTransform().rotate(30)), QSize(200, 160))
    after = turned.surface.to_array()
    assert after.sum() == pytest.approx(values.sum(), rel=0.005)
    assert ((after > 0.05) & (after < 0.95)).any()
    # no halo: nothing beyond the turned rectangle and its soft edge
    assert bounds_of(turned).width() <= 80 * np.cos(np.pi / 6) + 60 * np.sin(np.pi / 6) + 3


@pytest.mark.parametrize("side", [80, 700])
def test_drafts_look_like_what_comes_of_it(qapp: object, side: int) -> None:
    size = QSize(side * 2, side * 2)
    layer = Layer("a", LayerKind.IMAGE, "", image=photo(side, side), x=side // 2, y=side // 2)
    matrix = about(QRectF(layer.place), QTransform().rotate(30).scale(1.2, 0.8))
    final = flattened([transformed(layer, matrix, size)], QRect(QPoint(0, 0), size))
    draft = flattened([TransformDraft(layer, size).at(matrix)], QRect(QPoint(0, 0), size))
    away = np.abs(image_array(final).astype(int) - image_array(draft))
    assert away.mean() < 1.5
    assert image_array(draft).mean() > 5


def test_shrinking_averages_instead_of_leaving_out(qapp: object) -> None:
    stripes = np.zeros((160, 200, 4), np.uint8)
    stripes[..., 3] = 255
    stripes[:, ::2, :3] = 255
    image = QImage(stripes.data, 200, 160, 800, QImage.Format.Format_ARGB32_Premultiplied).copy()
    layer = Layer("a", LayerKind.IMAGE, "", image=image)
    for angle in (0, 20):
        small = transformed(
            layer, about(QRectF(layer.place), QTransform().rotate(angle).scale(0.2, 0.2)), QSize(200, 160)
        )
        pixels = image_array(small.image)
        middle = pixels[pixels.shape[0] // 2 - 6 : pixels.shape[0] // 2 + 6]
        inner = middle[:, pixels.shape[1] // 2 - 6 : pixels.shape[1] // 2 + 6, 0]
        assert inner.min() > 100
        assert inner.max() < 155


def test_an_enlarged_part_is_the_same_as_that_part_of_the_whole(qapp: object) -> None:
    values = np.random.default_rng(2).integers(0, 65535, (60, 60)).astype(np.uint16)
    values[:2] = values[-2:] = 0
    layer = Layer("a", LayerKind.MASK, "", surface=Surface.from_array(values))
    matrix = QTransform.fromScale(40, 40) * QTransform.fromTranslate(-1000, -1000)
    part = transformed(layer, matrix, QSize(60, 60)).surface.to_array()
    whole = transformed(layer, matrix, QSize(2400, 2400)).surface.to_array()[:60, :60]
    assert np.abs(part - whole).max() < 0.03


def test_a_placement_keeps_what_is_opposite() -> None:
    start = Placement(QRectF(40, 40, 60, 30), angle=30).moved(QPointF(3.4, 0))
    for handle in ((1, 1), (-1, 0), (0, 1), (1, -1)):
        to = start.point(handle) + QPointF(7, 12)
        for keep in (True, False):
            after = start.scaled(handle, to, keep_ratio=keep)
            opposite = (-handle[0], -handle[1])
            assert (after.point(opposite) - start.point(opposite)).manhattanLength() < 1e-9
            assert not keep or after.across / after.down == pytest.approx(1)
        if 0 not in handle:
            assert (after.point(handle) - to).manhattanLength() < 1e-9
    # mirrored on the canvas's axis: what was left is right
    mirrored = start.mirrored(horizontal=True)
    for handle in ((1, 1), (-1, 1)):
        before, after = start.point(handle) - start.middle, mirrored.point(handle) - start.middle
        assert after.x() == pytest.approx(-before.x())
        assert after.y() == pytest.approx(before.y())
    assert quarter_turn(1).map(QPoint(1, 0)) == QPoint(0, 1)
