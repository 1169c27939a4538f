"""The view: zoom to the cursor, rotation, pan, pixel grid, partial repaints, high density, keys."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QImage, QKeyEvent, QPaintEvent, QRegion, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.mask.canvas_eye import CanvasEye
from studio.mask.layers import LayerKind
from studio.mask.mask_canvas import MaskCanvas
from studio.mask.view_transform import MAX_SCALE, ViewTransform
from tests.helpers.mask_hand import MaskHand

ROOT = Path(__file__).resolve().parents[3]


def near(first: QPointF, second: QPointF, by: float = 1e-6) -> bool:
    return abs(first.x() - second.x()) <= by and abs(first.y() - second.y()) <= by


@given(
    scale=st.floats(0.02, 64), angle=st.floats(-180, 180), x=st.floats(-500, 4500), y=st.floats(-500, 4500),
    centre=st.tuples(st.floats(0, 4096), st.floats(0, 4096)),
)  # fmt: skip
def test_mapping_there_and_back(
    scale: float, angle: float, x: float, y: float, centre: tuple[float, float]
) -> None:
    eye = ViewTransform()
    eye.view, eye.scale, eye.angle, eye.centre = QSizeF(1001, 747), scale, angle, QPointF(*centre)
    assert near(eye.to_image(eye.to_view().map(QPointF(x, y))), QPointF(x, y), 1e-4)


@given(
    factor=st.floats(0.1, 10), angle=st.floats(-170, 170), turn=st.floats(-170, 170),
    at=st.tuples(st.floats(0, 1000), st.floats(0, 700)),
)  # fmt: skip
def test_zoom_and_rotation_keep_what_is_under_the_cursor(
    factor: float, angle: float, turn: float, at: tuple[float, float]
) -> None:
    eye = ViewTransform()
    eye.view, eye.angle, eye.centre = QSizeF(1000, 700), angle, QPointF(512, 300)
    fixed = QPointF(*at)
    before = eye.to_image(fixed)
    eye.zoom_to(eye.scale * factor, fixed)
    eye.turn_to(turn, fixed)
    # an upright picture starts on a whole pixel of the screen
    assert near(eye.to_image(fixed), before, 0.71 / eye.scale if eye.angle == 0 or angle == 0 else 1e-6)


def wheel(canvas: MaskCanvas, at: QPointF, notches: int) -> None:
    event = QWheelEvent(
        at, canvas.view.mapToGlobal(at), QPoint(), QPoint(0, 120 * notches), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(canvas.view, event)


def test_the_wheel_zooms_to_the_cursor_up_to_64_times(canvas: MaskCanvas) -> None:
    at = QPointF(420, 260)
    before = canvas.view.to_image(at)
    wheel(canvas, at, 3)
    assert canvas.view.scale == pytest.approx(3 * 1.2**3)
    assert near(canvas.view.to_image(at), before, 0.2)
    for _ in range(40):
        wheel(canvas, at, 1)
    assert canvas.view.scale == MAX_SCALE == 64
    canvas.view.grab()


def test_space_and_the_middle_button_pan(canvas: MaskCanvas, hand: MaskHand) -> None:
    before = canvas.view.to_image(QPointF(200, 200))
    hand.drag([(60, 60), (70, 60)], button=Qt.MouseButton.MiddleButton)
    assert near(canvas.view.to_image(QPointF(230, 200)), before, 0.5)
    QTest.keyPress(canvas.view, Qt.Key.Key_Space)
    hand.drag([(60, 60), (60, 70)])
    QTest.keyRelease(canvas.view, Qt.Key.Key_Space)
    assert near(canvas.view.to_image(QPointF(230, 230)), before, 0.7)
    assert not hand.surface.tiles
    hand.click((60, 60))
    assert hand.surface.tiles


def test_r_turns_and_esc_turns_back(canvas: MaskCanvas) -> None:
    view = canvas.view
    middle = view.rect().center()
    QTest.keyPress(view, Qt.Key.Key_R)
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=middle + QPoint(200, 0))
    QTest.mouseMove(view, middle + QPoint(0, 200))
    assert view.angle == pytest.approx(90, abs=1)
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert view.angle == 0
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=middle)
    QTest.keyRelease(view, Qt.Key.Key_R)
    QTest.keyClick(view, Qt.Key.Key_6)
    assert view.angle == 15
    QTest.keyClick(view, Qt.Key.Key_5)
    assert view.angle == 0


def test_fit_and_100_percent(canvas: MaskCanvas) -> None:
    QTest.keyClick(canvas.view, Qt.Key.Key_0)
    assert canvas.view.fitted
    assert canvas.view.scale == 2.0
    QTest.keyClick(canvas.view, Qt.Key.Key_1)
    assert canvas.view.percent == 100
    assert canvas.options.zoom.text() == "100 %"


def test_letters_choose_tools_and_shortcuts_of_the_window_wait(canvas: MaskCanvas, hand: MaskHand) -> None:
    hand.key("l")
    assert canvas.settings.tool == "lasso"
    assert canvas.tool_bar.buttons["lasso"].isChecked()
    hand.key("b")
    event = QKeyEvent(QKeyEvent.Type.ShortcutOverride, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    event.ignore()
    QApplication.sendEvent(canvas.view, event)
    assert not event.isAccepted()
    hand.press((50, 50))
    QApplication.sendEvent(canvas.view, event)
    assert event.isAccepted()
    hand.release((50, 50))


def grab(view: CanvasEye) -> QImage:
    image = view.grab().toImage()
    image.setDevicePixelRatio(1)
    return image


@pytest.mark.parametrize(
    ("scale", "angle"),
    [(3.0, 0.0), (1.0, 0.0), (0.37, 0.0), (1.7, 0.0), (0.8, 33.0), (5.3, 12.0), (64.0, 0.0)],
)
def test_repainting_a_part_gives_what_repainting_all_gives(
    canvas: MaskCanvas, hand: MaskHand, scale: float, angle: float
) -> None:
    view = canvas.view
    hand.drag([(30, 30), (170, 130)])
    view.rotate_to(angle)
    view.zoom_to(scale, QPointF(300, 200))
    hand.settled()
    whole = grab(view)
    part = whole.copy()
    part.fill(0)
    for x in range(0, view.width(), 97):
        for y in range(0, view.height(), 83):
            area = QRegion(QRect(x, y, 97, 83) & view.rect())
            view.render(part, area.boundingRect().topLeft(), area)
    away = np.abs(channels(whole) - channels(part)).max(axis=2)
    # where a pixel of the screen lies on the edge of two of the picture, rounding may choose either
    assert (away > 2).mean() < (3e-4 if angle else 1e-5)


def channels(image: QImage) -> np.ndarray:
    return pixels(image).view(np.uint8).reshape(image.height(), image.width(), 4).astype(int)


def pixels(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), image.width()).copy()


def test_a_stroke_repaints_only_where_it_is(canvas: MaskCanvas, hand: MaskHand, qtbot: object) -> None:
    view = canvas.view
    hand.settled()
    QApplication.processEvents()
    hand.press((30, 30))
    # the pointer may have been elsewhere: its ring is gone from there after this
    hand.move((31, 30))
    QApplication.processEvents()
    areas: list[QRect] = []
    paint = view.paintEvent

    def watch(event: QPaintEvent) -> None:
        areas.append(event.rect())
        paint(event)

    view.paintEvent = watch  # type: ignore[method-assign]
    hand.move((34, 30))
    QApplication.processEvents()
    hand.release((34, 30))
    assert areas
    near_stroke = view.transform_.to_view().mapRect(QRectF(10, 10, 50, 50)).toAlignedRect()
    assert [area for area in areas[:1] if not near_stroke.contains(area)] == []


def test_pixels_are_squares_and_have_a_grid_from_8_times(canvas: MaskCanvas, hand: MaskHand) -> None:
    view = canvas.view
    canvas.settings.change(tool="rectangle")  # without the brush's ring, wherever the pointer is
    canvas.document.remove_layer(canvas.document.stack.active)
    for scale, gridded in ((7.0, False), (16.0, True)):
        view.zoom_to(scale, view.to_view(QPointF(60, 60)))
        corner = view.to_view(QPointF(55, 55)).toPoint()
        seen = pixels(hand.settled().copy(QRect(corner, corner + QPoint(40, 40))))
        assert (len(np.unique(seen)) > 1) is gridded


def test_the_overlay_is_adjustable(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.settings.change(tool="rectangle")
    hand.drag([(0, 0), (30, 30)])
    document, place = canvas.document, canvas.view.to_view(QPointF(10.5, 10.5)).toPoint()
    id = document.stack.active

    def seen() -> QColor:
        return grab(canvas.view).pixelColor(place)

    document.change_layer(id, "Opacity", opacity=1.0, colour="#00ff00")
    assert seen() == QColor(0, 255, 0)
    document.change_layer(id, "Opacity", opacity=0.5)
    assert abs(seen().green() - 158) <= 2
    document.change_layer(id, "Hide", visible=False)
    assert seen() == QColor(60, 60, 60)


def test_paint_layers_cover_in_order(canvas: MaskCanvas, hand: MaskHand) -> None:
    document = canvas.document
    canvas.settings.change(tool="rectangle")
    ids = []
    for colour in ("#ff0000", "#0000ff"):
        ids.append(document.add_layer(LayerKind.PAINT))
        canvas.settings.change(colour=colour)
        hand.drag([(100, 20), (140, 60)])
    assert canvas.current_image().pixelColor(120, 40) == QColor("#0000ff")
    document.move_layer(ids[1], 1)
    assert canvas.current_image().pixelColor(120, 40) == QColor("#ff0000")
    document.change_layer(ids[0], "Counts", counts=False)
    assert canvas.current_image().pixelColor(120, 40) == QColor("#0000ff")


def test_a_4096_canvas_works(canvas: MaskCanvas, hand: MaskHand) -> None:
    picture = QImage(4096, 4096, QImage.Format.Format_RGB32)
    picture.fill(QColor(30, 90, 60))
    canvas.set_image(picture)
    hand.settled()
    canvas.settings.change_brush(size=300, hardness=0.0)
    hand.drag([(3000, 3000), (3300, 3200), (3600, 3100)])
    assert hand.values[3200, 3300] > 0.9
    assert hand.surface.nbytes < 40 * 2**17
    seen = hand.settled().pixelColor(hand.at((3300, 3200)))
    assert seen.red() > 120
    corner = hand.settled().pixelColor(hand.at((200, 200)))
    assert corner == QColor(30, 90, 60)


def test_twice_as_dense_screens_show_twice_the_pixels() -> None:
    code = """
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication
app = QApplication([])
from studio.mask.mask_canvas import MaskCanvas
from tests.helpers.mask_hand import MaskHand, blocks
canvas = MaskCanvas()
canvas.resize(1100, 640)
canvas.show()
canvas.set_image(blocks())
canvas.view.actual_size()
hand = MaskHand(canvas)
canvas.document.change_layer(canvas.document.stack.active, "", opacity=1.0, colour="#00ff00")
canvas.settings.change(tool="rectangle")
hand.drag([(100, 80), (110, 90)])
image = canvas.view.grab().toImage()
image.setDevicePixelRatio(1)
at = canvas.view.to_view(QPointF(105, 85)) * 2
edge = [image.pixelColor(round(at.x()) + x, round(at.y())).name() for x in range(-8, 8)]
print(canvas.view.scale, canvas.view.percent, edge.count("#00ff00"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "QT_SCALE_FACTOR": "2", "QT_QPA_PLATFORM": "offscreen"},
    )  # fmt: skip
    assert done.stdout.split() == ["0.5", "100.0", "10"]


def test_the_application_starts_without_numpy() -> None:
    code = "import sys, studio.app, studio.mask; print([m for m in ('numpy', 'cv2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
