"""Results over the picture: they touch nothing, and are compared in five ways by hand and keys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QRegion, QTabletEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication
from pytestqt.qtbot import QtBot

from studio.mask.comparison import Comparison, difference
from studio.mask.layers import LayerKind
from studio.mask.mask_canvas import MaskCanvas
from studio.mask.preview import CompareMode, Preview
from studio.theme import current_theme
from tests.helpers.mask_hand import LEFT, NO, MaskHand, blocks

GROUND, RESULT = QColor(60, 60, 60), QColor(20, 160, 220)
WHOLE = QRect(0, 0, 200, 160)


def plain(colour: QColor = RESULT, width: int = 200, height: int = 160) -> QImage:
    image = QImage(width, height, QImage.Format.Format_RGB888)
    image.fill(colour)
    return image


def show(canvas: MaskCanvas, mode: CompareMode | None = None, **values: object) -> None:
    canvas.view.set_preview(Preview(values.pop("image", plain()), values.pop("rect", WHOLE), mode, **values))


def seen(hand: MaskHand, place: tuple[float, float], offset: QPoint | None = None) -> QColor:
    return hand.settled().pixelColor(hand.at(place) + (offset or QPoint()))


# --- what is shown -------------------------------------------------------------------------------------


def test_a_result_touches_nothing(canvas: MaskCanvas, hand: MaskHand) -> None:
    before = canvas.current_image()
    show(canvas, rect=QRect(100, 20, 60, 60))
    assert seen(hand, (130, 50)) == RESULT
    assert seen(hand, (20, 20)) == GROUND
    assert canvas.current_image() == before
    assert canvas.document.undo_stack.count() == 0
    canvas.view.set_preview(None)
    assert seen(hand, (130, 50)) == GROUND


def test_what_reaches_beyond_the_canvas_is_seen_and_fitted(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.view.fit()
    rect = QRect(-100, -20, 420, 200)
    show(canvas, rect=rect, image=plain(width=420, height=200))
    place = canvas.view.transform_.to_view().mapRect(QRectF(rect))
    assert QRectF(canvas.view.rect()).contains(place)
    assert seen(hand, (-95.5, -15.5)) == RESULT
    assert seen(hand, (315.5, 175.5)) == RESULT
    canvas.view.set_preview(None)
    assert canvas.view.scale == 2.0


def test_small_previews_are_enlarged_smoothly(canvas: MaskCanvas, hand: MaskHand) -> None:
    small = plain(QColor(0, 0, 0), 2, 1)
    small.setPixelColor(1, 0, QColor(255, 255, 255))
    show(canvas, image=small)
    assert 60 < seen(hand, (100, 80)).red() < 200
    assert seen(hand, (190, 80)) == QColor(255, 255, 255)


def test_reduced_results_keep_their_mean(canvas: MaskCanvas, hand: MaskHand) -> None:
    lines = np.zeros((1600, 2000), np.uint8)
    lines[:, ::2] = 255
    image = QImage(lines.data, 2000, 1600, 2000, QImage.Format.Format_Grayscale8)
    show(canvas, image=image)
    canvas.view.zoom_to(0.5, QPointF(100, 100))
    assert abs(seen(hand, (100, 80)).red() - 128) < 12


def test_masks_lie_over_a_result_only_when_asked_or_painted(canvas: MaskCanvas, hand: MaskHand) -> None:
    document = canvas.document
    canvas.set_mask(np.ones((160, 200), np.float32))
    document.change_layer(document.stack.active, "", opacity=1.0, colour="#00ff00")
    assert seen(hand, (20, 20)) == QColor(0, 255, 0)
    show(canvas, CompareMode.SLIDER, split=0.5)
    assert [seen(hand, place) for place in ((20, 20), (180, 20))] == [GROUND, RESULT]
    canvas.compare_bar.masks.click()
    assert [seen(hand, place) for place in ((20, 20), (180, 20))] == [QColor(0, 255, 0)] * 2
    canvas.compare_bar.masks.click()
    hand.press((150, 100))
    assert seen(hand, (180, 20)) == QColor(0, 255, 0)
    hand.release((150, 100))
    assert seen(hand, (180, 20)) == RESULT


@pytest.mark.parametrize("mode", list(CompareMode))
@pytest.mark.parametrize(("scale", "angle"), [(3.0, 0.0), (0.4, 20.0), (64.0, 0.0), (7.0, 33.0)])
def test_repainting_a_part_gives_what_repainting_all_gives(
    canvas: MaskCanvas, hand: MaskHand, mode: CompareMode, scale: float, angle: float
) -> None:
    view = canvas.view
    show(
        canvas,
        mode,
        image=blocks(50, 40).flipped(Qt.Orientation.Horizontal),
        rect=QRect(-30, 20, 200, 160),
        split=0.4,
        label="x",
    )
    canvas.set_comparing(False)
    view.split_handle.setFixedSize(0, 0)
    view.rotate_to(angle)
    view.zoom_to(scale, view.to_view(QPointF(60, 60)))
    whole = hand.settled()
    part = whole.copy()
    part.fill(0)
    for x in range(0, view.width(), 197):
        for y in range(0, view.height(), 183):
            area = QRegion(QRect(x, y, 197, 183) & view.rect())
            view.render(part, area.boundingRect().topLeft(), area)
    away = np.abs(channels(whole) - channels(part)).max(axis=2)
    assert (away > 2).mean() < 2e-3


def channels(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4).astype(int)


# --- the slider ----------------------------------------------------------------------------------------


def test_the_line_is_dragged_by_its_handle(canvas: MaskCanvas, hand: MaskHand, qtbot: QtBot) -> None:
    view, handle = canvas.view, canvas.view.split_handle
    show(canvas, CompareMode.SLIDER, split=0.5)
    assert handle.isVisible()
    assert min(handle.width(), handle.height()) >= 24
    assert abs(view.to_view(QPointF(100, 80)).x() - QRectF(handle.geometry()).center().x()) <= 1
    grip = handle.rect().center() + QPoint(4, -3)
    QTest.mousePress(handle, LEFT, NO, grip)
    with qtbot.waitSignal(view.split_changed):
        QTest.mouseMove(handle, grip + QPoint(150, 20))
    QTest.mouseRelease(handle, LEFT, NO, grip)
    assert view.split == pytest.approx(0.75, abs=0.004)
    assert seen(hand, (148, 30)) == GROUND
    assert seen(hand, (153, 30)) == RESULT
    assert not hand.surface.tiles
    QTest.mouseDClick(handle, LEFT, NO, handle.rect().center())
    assert view.split == 0.5


def test_the_line_moves_with_keys_and_stays_at_hand(canvas: MaskCanvas, hand: MaskHand) -> None:
    view, handle = canvas.view, canvas.view.split_handle
    show(canvas, CompareMode.SLIDER, split=0.5)
    hand.key(Qt.Key.Key_Period)
    hand.key(Qt.Key.Key_Period)
    hand.key(Qt.Key.Key_Comma)
    assert view.split == pytest.approx(0.52)
    hand.key(Qt.Key.Key_Less, Qt.KeyboardModifier.ShiftModifier)
    assert view.split == pytest.approx(0.42)
    QTest.keyClick(handle, Qt.Key.Key_End)
    assert view.split == 1.0
    assert handle.accessibleName()
    view.zoom_to(30, view.to_view(QPointF(20, 20)))
    assert view.rect().contains(handle.geometry())


def test_a_pen_drags_the_line_and_paints_nothing(canvas: MaskCanvas, hand: MaskHand) -> None:
    view, handle = canvas.view, canvas.view.split_handle
    show(canvas, CompareMode.SLIDER, split=0.5)
    middle = QPointF(handle.rect().center())
    for kind, by in (
        (QEvent.Type.TabletPress, 0),
        (QEvent.Type.TabletMove, -60),
        (QEvent.Type.TabletRelease, 0),
    ):
        at = middle + QPointF(by, 0)
        event = QTabletEvent(
            kind, hand.pen, at, handle.mapToGlobal(at), 0.8, 0, 0, 0, 0, 0, NO, LEFT, LEFT
        )  # fmt: skip
        QApplication.sendEvent(handle, event)
    assert view.split == pytest.approx(0.4, abs=0.004)
    assert not hand.surface.tiles


# --- side by side --------------------------------------------------------------------------------------


def test_both_halves_move_together(canvas: MaskCanvas, hand: MaskHand) -> None:
    view = canvas.view
    show(canvas, CompareMode.SIDE_BY_SIDE)
    other = QPoint(view.width() - view.width() // 2, 0)
    view.zoom_to(1.5, view.to_view(QPointF(100, 80)))
    view.transform_.centre = QPointF(100, 80)
    assert seen(hand, (20, 130)) == GROUND
    assert seen(hand, (20, 130), other) == RESULT
    at = QPointF(hand.at((50, 50)) + other)
    event = QWheelEvent(
        at, view.mapToGlobal(at), QPoint(), QPoint(0, 240), Qt.MouseButton.NoButton, NO,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view, event)
    moved = view.to_image(at - QPointF(other))
    assert QPointF(moved - QPointF(50, 50)).manhattanLength() < 1
    assert seen(hand, (50, 50), other) == RESULT


def test_strokes_work_in_both_halves(canvas: MaskCanvas, hand: MaskHand) -> None:
    view = canvas.view
    show(canvas, CompareMode.SIDE_BY_SIDE)
    other = QPoint(view.width() - view.width() // 2, 0)
    QTest.mousePress(view, LEFT, NO, hand.at((60, 60)) + other)
    QTest.mouseMove(view, hand.at((60, 60)) + QPoint(2, 0))
    QTest.mouseRelease(view, LEFT, NO, hand.at((60, 60)) + other)
    hand.click((120, 90))
    assert hand.values[60, 60] == 1
    assert hand.values[90, 120] == 1
    assert hand.values[60, 120] == 0


# --- difference and flicker ----------------------------------------------------------------------------


@given(first=st.integers(0, 255), second=st.integers(0, 255))
def test_differences_are_four_times_as_strong(first: int, second: int) -> None:
    images = [plain(QColor(value, 0, 255), 5, 3) for value in (first, second)]
    found = difference(*images).pixelColor(4, 2)
    assert found == QColor(min(255, 4 * abs(first - second)), 0, 0)


def test_the_difference_is_shown_and_follows_the_picture(canvas: MaskCanvas, hand: MaskHand) -> None:
    image = plain(QColor(70, 60, 60))
    show(canvas, CompareMode.DIFFERENCE, image=image)
    assert seen(hand, (20, 20)) == QColor(40, 0, 0)
    canvas.settings.change(tool="rectangle", colour="#46643c")
    canvas.document.add_layer(LayerKind.PAINT)
    canvas.view.set_preview(None)
    hand.drag([(10, 10), (30, 30)])
    show(canvas, CompareMode.DIFFERENCE, image=image)
    assert seen(hand, (20, 20)) == QColor(0, 160, 0)
    canvas.document.undo_stack.undo()
    assert seen(hand, (20, 20)) == QColor(40, 0, 0)


def test_only_what_is_in_view_is_computed(canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.set_image(plain(GROUND, 3000, 3000))
    show(canvas, CompareMode.DIFFERENCE, image=plain(RESULT, 3000, 3000), rect=QRect(0, 0, 3000, 3000))
    canvas.view.zoom_to(4, canvas.view.to_view(QPointF(100, 100)))
    hand.settled()
    comparison = canvas.view._comparison
    assert isinstance(comparison, Comparison)
    known = [key for key in comparison.blocks(QRect(0, 0, 3000, 3000), 0) if comparison.known(key)]
    assert 1 <= len(known) <= 4


def test_what_is_out_of_sight_is_let_go() -> None:
    width = 60 * 512
    picture = plain(GROUND, width, 4)
    comparison = Comparison(plain(RESULT, width, 4), picture.rect())
    for key in comparison.blocks(picture.rect(), 0):
        comparison.compute(key, picture)
    comparison.keep(picture.rect(), 0)
    assert comparison.known((0, 59, 0)) is not None
    comparison.keep(QRect(0, 0, 600, 4), 0)
    assert [comparison.known((0, column, 0)) is not None for column in (0, 1, 2, 59)] == [
        True,
        True,
        False,
        False,
    ]


def test_flicker_alternates_and_rests_with_reduced_motion(
    canvas: MaskCanvas, hand: MaskHand, qtbot: QtBot
) -> None:
    show(canvas, CompareMode.FLICKER)
    first = seen(hand, (20, 20))
    assert first == RESULT
    qtbot.waitUntil(lambda: seen(hand, (20, 20)) == GROUND, timeout=2000)
    theme = current_theme()
    try:
        theme.apply("dark", reduced_motion=True)
        resting = seen(hand, (20, 20))
        qtbot.wait(700)
        assert seen(hand, (20, 20)) == resting
        hand.key(Qt.Key.Key_Period)
        assert seen(hand, (20, 20)) != resting
    finally:
        theme.apply("dark")


@pytest.mark.parametrize("mode", [CompareMode.AFTER, CompareMode.SLIDER, CompareMode.DIFFERENCE])
def test_a_held_backslash_shows_what_was_before(
    canvas: MaskCanvas, hand: MaskHand, mode: CompareMode
) -> None:
    show(canvas, mode)
    shown = seen(hand, (190, 20))
    QTest.keyPress(canvas.view, Qt.Key.Key_Backslash)
    assert seen(hand, (190, 20)) == GROUND != shown
    QTest.keyRelease(canvas.view, Qt.Key.Key_Backslash)
    assert seen(hand, (190, 20)) == shown


# --- choosing ------------------------------------------------------------------------------------------


def test_keys_choose_only_while_there_is_a_choice(canvas: MaskCanvas, hand: MaskHand, qtbot: QtBot) -> None:
    steps: list[int] = []
    canvas.candidate_stepped.connect(steps.append)
    centre = canvas.view.transform_.centre
    show(canvas)
    canvas.set_candidates(1, 4)
    hand.key(Qt.Key.Key_Right)
    hand.key(Qt.Key.Key_Left)
    canvas.compare_bar.forward.click()
    assert steps == [1, -1, 1]
    assert canvas.view.transform_.centre == centre
    for key, signal in (
        (Qt.Key.Key_Return, canvas.result_applied),
        (Qt.Key.Key_Escape, canvas.result_discarded),
    ):
        with qtbot.waitSignal(signal):
            hand.key(key)
    canvas.set_candidates(0, 0)
    with qtbot.assertNotEmitted(canvas.compare_bar.applied):
        hand.key(Qt.Key.Key_Return)
    hand.key(Qt.Key.Key_Right)
    assert steps == [1, -1, 1]
    assert canvas.view.transform_.centre != centre


def test_the_bar_is_there_with_a_result_and_sets_the_mode(
    canvas: MaskCanvas, hand: MaskHand, qtbot: QtBot
) -> None:
    bar, view = canvas.compare_bar, canvas.view
    assert not bar.isVisible()
    show(canvas)
    canvas.set_candidates(0, 3)
    assert bar.isVisible()
    assert bar.which.text() == "1 of 3"
    with qtbot.waitSignal(canvas.compare_mode_changed):
        bar.modes.button(CompareMode.DIFFERENCE.value).click()
    assert view.preview.mode is CompareMode.DIFFERENCE
    show(canvas)
    assert view.compare_mode is CompareMode.DIFFERENCE
    with qtbot.waitSignals([canvas.results_applied, canvas.result_discarded]):
        bar.apply_all.click()
        bar.discard.click()
    canvas.set_candidates(0, 1)
    assert not bar.apply_all.isVisible()
    QTest.mouseClick(bar, LEFT, NO, QPoint(3, 3))
    assert not hand.surface.tiles
    canvas.set_comparing(False)
    assert not bar.isVisible()
    canvas.set_comparing(True)
    view.set_preview(None)
    assert not bar.isVisible()


@pytest.mark.parametrize("width", [760, 1000, 1700])
def test_the_bar_fits_the_view(canvas: MaskCanvas, width: int) -> None:
    canvas.resize(width, 640)
    show(canvas)
    canvas.set_candidates(0, 12)
    QApplication.processEvents()
    bar, view = canvas.compare_bar, canvas.view
    if view.width() > 520:
        assert view.rect().contains(bar.geometry())
    assert abs(bar.geometry().center().x() - view.rect().center().x()) <= 1
    buttons = [part for part in bar.findChildren(QAbstractButton) if part.isVisible()]
    assert all(part.width() >= part.minimumSizeHint().width() for part in buttons)
    assert all(part.toolTip() for part in buttons)


def test_the_picture_below_a_result_is_not_painted_unseen(
    canvas: MaskCanvas, hand: MaskHand, qtbot: QtBot
) -> None:
    canvas.document.add_layer(LayerKind.PAINT)
    show(canvas, rect=QRect(100, 0, 100, 160))
    with qtbot.waitSignal(canvas.view.hinted):
        hand.click((150, 50))
    assert not hand.surface.tiles
    hand.click((40, 100))
    assert hand.surface.tiles
