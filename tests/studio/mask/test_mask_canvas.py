"""The composed widget: pictures in and out, masks, operations, layers, and how it looks after each."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, Qt, QTranslator
from PySide6.QtGui import QColor, QImage, QUndoStack
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QMenu
from pytestqt.qtbot import QtBot

from pipelines.errors import ImageTooLarge
from pipelines.graph.values import Mask
from studio.mask.amount_dialog import AmountDialog
from studio.mask.bench import measure_stroke_latency
from studio.mask.layer_model import LAYER_ROLE
from studio.mask.layer_panel import counts_rect, eye_rect
from studio.mask.layers import LayerKind
from studio.mask.mask_canvas import MaskCanvas
from studio.mask.operations import OPERATIONS
from studio.mask.surface import Surface
from studio.mask.tile import TILE
from studio.theme import current_theme
from studio.widgets.page_stack import PageStack
from tests.helpers.mask_hand import MaskHand, blocks


def disc(height: int = 160, width: int = 200, radius: float = 30, hole: float = 0) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    away = np.hypot(columns - width / 2, rows - height / 2)
    return ((away <= radius) & (away >= hole)).astype(np.float32)


# --- surfaces ------------------------------------------------------------------------------------------


def test_empty_tiles_cost_nothing() -> None:
    surface = Surface(8192, 8192, "mask")
    assert surface.nbytes == 0
    surface.begin()
    surface.draft((3, 4))[10, 20] = 7
    surface.draft((5, 5))
    assert set(surface.commit()) == {(3, 4)}
    assert surface.nbytes == TILE * TILE * 2
    assert surface.bounds() == QRect(3 * TILE + 20, 4 * TILE + 10, 1, 1)
    surface.begin()
    surface.draft((3, 4))[10, 20] = 0
    surface.commit()
    assert surface.nbytes == 0


def test_tiles_are_copied_only_when_written_to() -> None:
    surface = Surface.from_array(disc(600, 600, 250))
    twin = surface.empty_copy()
    twin.put(surface.tiles)
    twin.begin()
    twin.draft((0, 0))[0, 0] = 9
    twin.commit()
    assert surface.read(QRect(0, 0, 1, 1))[0, 0] == 0
    assert surface.tiles[1, 1] is twin.tiles[1, 1]
    with pytest.raises(ValueError, match="read-only"):
        surface.tiles[1, 1].pixels[0, 0] = 1


def test_masks_go_to_arrays_and_back() -> None:
    values = np.random.default_rng(1).random((300, 500)).astype(np.float32)
    surface = Surface.from_array(values)
    assert np.abs(surface.to_array() - values).max() <= 0.5 / 65535 + 1e-7
    assert surface.to_image().format() == QImage.Format.Format_Grayscale16


def test_paint_goes_to_pictures_and_back() -> None:
    picture = blocks(300, 270).convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)
    assert Surface.from_image(picture).to_image() == picture


# --- pictures and masks --------------------------------------------------------------------------------


def test_the_first_picture_gets_a_mask_to_paint_on(canvas: MaskCanvas) -> None:
    assert [layer.kind for layer in canvas.document.stack.layers] == [LayerKind.IMAGE, LayerKind.MASK]
    assert canvas.document.stack.active == canvas.document.stack.layers[1].id
    mask = canvas.current_mask()
    assert mask is not None
    assert mask.values.shape == (160, 200)
    assert not mask.values.any()


def test_an_empty_canvas_has_nothing_and_survives_the_pointer(qtbot: QtBot, themed: None) -> None:
    widget = MaskCanvas()
    qtbot.addWidget(widget)
    widget.show()
    QTest.mouseClick(widget.view, Qt.MouseButton.LeftButton)
    widget.run_operation("invert")
    assert widget.current_mask() is None
    assert widget.current_image() is None
    widget.grab()


@pytest.mark.parametrize("size", [(1, 1), (1, 100_000), (100_000, 1), (3, 257)])
def test_odd_sizes_are_shown_and_painted(canvas: MaskCanvas, hand: MaskHand, size: tuple[int, int]) -> None:
    image = QImage(*size, QImage.Format.Format_RGB32)
    image.fill(QColor(10, 200, 30))
    canvas.set_image(image)
    view, last = canvas.view, (size[0] - 0.5, size[1] - 0.5)
    view.fit()
    hand.settled()
    view.zoom_to(64.0, view.to_view(QPointF(*last)))
    view.transform_.centre = QPointF(*last)
    assert hand.settled().pixelColor(hand.at(last)) == QColor(10, 200, 30)
    canvas.document.change_layer(canvas.document.stack.active, "", opacity=1.0, colour="#0000ff")
    canvas.settings.change_brush(size=1)
    hand.click(last)
    assert hand.values.sum() == 1
    view.leaveEvent(QEvent(QEvent.Type.Leave))
    assert hand.settled().pixelColor(hand.at(last)) == QColor(0, 0, 255)
    canvas.run_operation("invert")


def test_a_canvas_beyond_all_measure_is_refused(canvas: MaskCanvas) -> None:
    image = QImage(30_000, 5_000, QImage.Format.Format_Grayscale8)
    steps = canvas.document.undo_stack.count()
    with pytest.raises(ImageTooLarge):
        canvas.set_image(image)
    assert canvas.document.undo_stack.count() == steps
    assert canvas.document.stack.width == 200


def test_masks_stay_when_the_picture_changes(canvas: MaskCanvas, hand: MaskHand) -> None:
    hand.drag([(60, 80), (140, 80)])
    before = hand.values
    other = QImage(200, 160, QImage.Format.Format_RGB32)
    other.fill(QColor(1, 2, 3))
    canvas.set_image(other)
    assert np.array_equal(hand.values, before)
    assert canvas.current_image().pixelColor(5, 5) == QColor(1, 2, 3)
    canvas.set_image(other.scaled(400, 320))
    assert hand.values.shape == (320, 400)
    assert hand.values.sum() == pytest.approx(4 * before.sum(), rel=0.03)
    canvas.document.undo_stack.undo()
    assert np.array_equal(hand.values, before)
    canvas.document.undo_stack.undo()
    assert canvas.current_image().pixelColor(5, 5) == QColor(60, 60, 60)


def test_the_mask_is_the_greatest_of_those_that_count(canvas: MaskCanvas, hand: MaskHand) -> None:
    document = canvas.document
    first = document.stack.active
    canvas.set_mask(disc() * 0.5)
    second = document.add_layer(LayerKind.MASK)
    canvas.set_mask(Mask(disc(radius=10)))
    values = canvas.current_mask().values
    assert values[80, 100] == 1
    assert values[80, 120] == pytest.approx(0.5, abs=1e-4)
    document.change_layer(second, "Counts", counts=False)
    assert canvas.current_mask().values.max() == pytest.approx(0.5, abs=1e-4)
    document.change_layer(first, "Opacity", opacity=0.1)
    assert canvas.current_mask().values.max() == pytest.approx(0.5, abs=1e-4)
    with pytest.raises(ValueError, match="the mask is"):
        canvas.set_mask(np.zeros((5, 5), np.float32))


def test_steps_go_to_the_stack_that_was_given(qtbot: QtBot, themed: None) -> None:
    stack = QUndoStack()
    widget = MaskCanvas(stack)
    qtbot.addWidget(widget)
    widget.set_image(blocks())
    with qtbot.waitSignal(widget.changed):
        widget.set_mask(disc())
    assert stack.count() == 2
    stack.undo()
    assert not widget.current_mask().values.any()


def test_a_stroke_tells_when_it_ends(qtbot: QtBot, canvas: MaskCanvas, hand: MaskHand) -> None:
    hand.press((50, 50))
    with qtbot.assertNotEmitted(canvas.changed):
        hand.move((80, 50))
    with qtbot.waitSignals([canvas.changed, canvas.stroke_finished]):
        hand.release((80, 50))


# --- operations ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "amount", "check"),
    [
        ("invert", None, lambda v: v[0, 0] == 1 and v[80, 125] == 0),
        ("grow", 10, lambda v: v[80, 137] == 1 and v[80, 143] == 0),
        ("shrink", 10, lambda v: v[80, 123] == 0),
        ("feather", 12, lambda v: 0 < v[80, 132] < 0.5),
        ("fill_holes", None, lambda v: v[80, 100] == 1),
        ("from_luminance", None, lambda v: 0 < v[0, 0] < v[50, 90] < 1),
        ("from_alpha", None, lambda v: not v.any()),
        ("clear", None, lambda v: not v.any()),
    ],
)
def test_each_operation_is_one_step(
    canvas: MaskCanvas, hand: MaskHand, id: str, amount: float | None, check: object
) -> None:
    canvas.set_mask(disc(hole=8))
    before = hand.values
    canvas.document.undo_stack.clear()
    canvas.run_operation(id, amount)
    assert check(hand.values)  # type: ignore[operator]
    assert canvas.document.undo_stack.count() == 1
    canvas.document.undo_stack.undo()
    assert np.array_equal(hand.values, before)


def test_every_operation_runs_with_its_default(canvas: MaskCanvas, hand: MaskHand) -> None:
    for operation in OPERATIONS:
        canvas.set_mask(disc(hole=8))
        canvas.run_operation(operation.id)
        assert hand.values.shape == (160, 200)


def test_large_masks_are_changed_in_the_background(qtbot: QtBot, canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.set_image(blocks(1500, 1200))
    canvas.set_mask(disc(1200, 1500, 400))
    canvas.run_operation("grow", 20)
    assert canvas.document.busy
    canvas.run_operation("invert")
    qtbot.waitUntil(lambda: not canvas.document.busy, timeout=20000)
    values = hand.values
    assert values[600, 750 + 417] == 1
    assert values[600, 750 + 424] == 0


def test_what_was_undone_meanwhile_stays_undone(qtbot: QtBot, canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.set_image(blocks(1500, 1200))
    canvas.set_mask(disc(1200, 1500, 400))
    canvas.run_operation("invert")
    canvas.document.undo_stack.undo()
    qtbot.waitUntil(lambda: not canvas.document.busy, timeout=20000)
    assert not hand.surface.tiles


def test_an_amount_is_asked_for(qtbot: QtBot, canvas: MaskCanvas, hand: MaskHand) -> None:
    canvas.set_mask(disc())
    canvas.options.operation_chosen.emit("grow")
    dialog = canvas.findChild(AmountDialog)
    assert dialog is not None
    dialog.field.field.set_value(5)
    dialog.ok.click()
    assert hand.values[80, 134] == 1
    assert hand.values[80, 137] == 0


# --- layers --------------------------------------------------------------------------------------------


def test_the_list_shows_the_top_layer_first_and_follows(canvas: MaskCanvas) -> None:
    document, model = canvas.document, canvas.layer_panel.model
    document.add_layer(LayerKind.PAINT)

    def kinds() -> list[LayerKind]:
        return [model.index(row, 0).data(LAYER_ROLE).kind for row in range(model.rowCount())]

    assert kinds() == [LayerKind.PAINT, LayerKind.MASK, LayerKind.IMAGE]
    assert canvas.layer_panel.list.currentIndex().row() == 0
    canvas.layer_panel.down.click()
    assert kinds() == [LayerKind.MASK, LayerKind.PAINT, LayerKind.IMAGE]
    canvas.layer_panel.delete.click()
    assert kinds() == [LayerKind.MASK, LayerKind.IMAGE]
    document.undo_stack.undo()
    document.undo_stack.undo()
    assert kinds() == [LayerKind.PAINT, LayerKind.MASK, LayerKind.IMAGE]


def test_eye_and_mark_are_pressed_in_the_list(canvas: MaskCanvas) -> None:
    panel, document = canvas.layer_panel, canvas.document
    row = panel.list.visualRect(panel.model.index(0, 0))
    viewport = panel.list.viewport()
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=eye_rect(row).center())
    assert not document.active.visible
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=counts_rect(row).center())
    assert not document.active.counts
    other = panel.list.visualRect(panel.model.index(1, 0))
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=other.center())
    assert document.active.kind is LayerKind.IMAGE
    panel.grab()


def test_names_are_edited_and_rows_dragged(canvas: MaskCanvas) -> None:
    panel, document = canvas.layer_panel, canvas.document
    model = panel.model
    assert model.setData(model.index(0, 0), "Sky")
    assert not model.setData(model.index(0, 0), "  ")
    assert document.active.name == "Sky"
    data = model.mimeData([model.index(0, 0)])
    model.dropMimeData(data, Qt.DropAction.MoveAction, 2, 0, model.index(-1, -1))
    assert document.stack.layers[0].name == "Sky"


def test_opacity_slides_as_one_step(canvas: MaskCanvas) -> None:
    slider = canvas.layer_panel.opacity.slider
    for place in (500, 300, 100):
        slider.setValue(place)
    assert canvas.document.active.opacity == pytest.approx(0.1)
    assert canvas.document.undo_stack.count() == 1


def test_a_copy_shares_nothing_that_is_drawn_later(canvas: MaskCanvas, hand: MaskHand) -> None:
    hand.drag([(60, 80), (140, 80)])
    original = canvas.document.stack.active
    canvas.layer_panel.copy.click()
    assert hand.values[80, 100] == 1
    canvas.run_operation("clear")
    assert canvas.document.stack[original].surface.to_array()[80, 100] == 1


def test_the_options_follow_the_tool(canvas: MaskCanvas, hand: MaskHand) -> None:
    options = canvas.options
    assert options.size_.isVisible()
    assert not options.combine.isVisible()
    hand.key("f")
    assert not options.size_.isVisible()
    assert options.combine.isVisible()
    assert options.tolerance.isVisible()
    hand.key("e")
    options.size_.field.value_changed.emit(33)
    assert canvas.settings.values.eraser.size == 33
    assert canvas.settings.values.brush.size == 20


def test_the_options_give_way_where_room_is_short(canvas: MaskCanvas) -> None:
    options = canvas.options
    one_line = options.height()
    assert options.size_.slider.isVisible()
    canvas.resize(640, 640)
    QApplication.processEvents()
    assert canvas.width() == 640
    assert not options.size_.slider.isVisible()
    assert options.height() > one_line  # a second line
    shown = (options.size_, options.hardness, options.opacity, options.flow, options.more, options.zoom)
    assert all(options.rect().contains(part.geometry()) for part in shown)
    current_theme().apply("dark", scale=1.5)
    try:
        field = options.opacity.field
        assert field.width() == current_theme().px(80) > 80
    finally:
        current_theme().apply("dark")


def test_pages_that_are_hidden_ask_for_no_room(qtbot: QtBot) -> None:
    pages = PageStack()
    qtbot.addWidget(pages)
    narrow, wide = QLabel(), QLabel()
    narrow.setMinimumWidth(50)
    wide.setMinimumWidth(900)
    pages.addWidget(narrow)
    pages.addWidget(wide)
    assert pages.minimumSizeHint().width() == 50
    pages.setCurrentWidget(wide)
    assert pages.minimumSizeHint().width() == 900


def test_latency_is_measured(qapp: object) -> None:
    figures = measure_stroke_latency(512, 60, strokes=1, events=12)
    assert figures.events == 11
    assert 0 < figures.p50_ms <= figures.p99_ms <= figures.worst_ms


def test_hints_are_shown_over_the_view(canvas: MaskCanvas) -> None:
    canvas.show_hint("Here")
    assert canvas.hint.isVisible()
    assert canvas.view.rect().contains(canvas.hint.geometry())
    assert canvas.hint.mapTo(canvas, QPoint(0, 0)).y() > canvas.height() / 2


class Longer(QTranslator):
    """Marks every text and makes it 40 % longer."""

    def translate(self, context: str, source: str, disambiguation: str | None = None, n: int = -1) -> str:
        return f"⟦{source}{'·' * round(len(source) * 0.4)}⟧" if context == "diptych" else source

    def isEmpty(self) -> bool:
        return False


def test_it_is_translated_and_reads_from_right_to_left(
    qapp: QApplication, qtbot: QtBot, themed: None
) -> None:
    translator = Longer()
    qapp.installTranslator(translator)
    qapp.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    try:
        widget = MaskCanvas()
        qtbot.addWidget(widget)
        widget.resize(1280, 700)
        widget.show()
        widget.set_image(blocks(), "⟦name⟧")
        widget.grab()
        found = [*widget.findChildren(QLabel), *widget.findChildren(QAbstractButton)]
        texts = [part.text() for part in found if any(letter.isalpha() for letter in part.text())]
        texts += [action.text() for menu in widget.findChildren(QMenu) for action in menu.actions()]
        assert [text for text in texts if text and "⟦" not in text] == []
        panel = widget.layer_panel
        row = panel.list.visualRect(panel.model.index(0, 0))
        eye = eye_rect(row, Qt.LayoutDirection.RightToLeft)
        assert eye.center().x() > row.center().x()
        QTest.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=eye.center())
        assert not widget.document.active.visible
    finally:
        qapp.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        qapp.removeTranslator(translator)
