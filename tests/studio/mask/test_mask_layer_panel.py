"""The panel of the layers: thumbnails, settings of each kind, what can be done to a layer, keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from studio.mask.layer_list import LayerList, counts_rect, thumbnail_rect
from studio.mask.layer_model import LAYER_ROLE, REASON_ROLE
from studio.mask.layer_operations import OPERATIONS, apply_to_layer, can_apply
from studio.mask.layers import Layer, LayerKind
from studio.mask.mask_canvas import MaskCanvas
from studio.mask.surface import Surface
from studio.mask.thumbnails import SIDE, thumbnail
from studio.mask.tile import TILE
from studio.mask.tool_settings import Combine
from tests.helpers.mask_hand import MaskHand

CONTROL = Qt.KeyboardModifier.ControlModifier


def rows(canvas: MaskCanvas) -> list[str]:
    model = canvas.layer_panel.model
    return [model.index(row, 0).data(LAYER_ROLE).name for row in range(model.rowCount())]


# --- thumbnails ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mask", "paint"])
@pytest.mark.parametrize("size", [(1000, 500), (100, 20), (1, 3000)])
def test_a_thumbnail_shows_what_lies_where(qapp: object, kind: str, size: tuple[int, int]) -> None:
    surface = Surface(*size, kind)  # type: ignore[arg-type]
    surface.begin()
    for key in surface.keys(QRect(0, 0, max(1, size[0] // 2), size[1])):
        right = max(1, min(TILE, size[0] // 2 - key[0] * TILE))
        surface.draft(key)[: size[1] - key[1] * TILE, :right] = 65535 if kind == "mask" else 255
    surface.commit()
    layer = Layer("a", LayerKind.MASK if kind == "mask" else LayerKind.PAINT, "", surface=surface)
    image = thumbnail(layer, QSize(*size), 72)
    assert max(image.width(), image.height()) == 72
    assert image.width() / image.height() == pytest.approx(size[0] / size[1], rel=0.1, abs=0.05)
    assert image.pixelColor(0, image.height() // 2) == QColor("white")
    if size[0] > 1:
        corner = image.pixelColor(image.width() - 1, image.height() // 2)
        assert corner == (QColor("black") if kind == "mask" else QColor(0, 0, 0, 0))


def test_thumbnails_follow_a_moment_after_a_stroke(qtbot: QtBot, canvas: MaskCanvas, hand: MaskHand) -> None:
    panel, layer = canvas.layer_panel, canvas.document.active
    qtbot.waitUntil(lambda: panel.thumbnails.of(layer) is not None)
    empty = panel.thumbnails.of(layer)
    hand.press((50, 80))
    hand.move((150, 80))
    with qtbot.waitSignal(panel.thumbnails.updated):
        hand.release((150, 80))
        assert panel.thumbnails.of(layer) is empty
    after = panel.thumbnails.of(layer)
    assert after.pixelColor(after.width() // 2, after.height() // 2).lightness() > 100
    assert after.deviceIndependentSize().width() == SIDE
    # and it is shown in the row
    row = panel.list.visualRect(panel.model.index(0, 0))
    seen = panel.list.viewport().grab().toImage()
    ratio = seen.devicePixelRatio()
    middle = thumbnail_rect(row).center() * ratio
    assert seen.pixelColor(middle).lightness() > 100


def test_one_turn_of_the_thumbnails_is_short(canvas: MaskCanvas) -> None:
    image = QImage(6000, 6000, QImage.Format.Format_RGB32)
    image.fill(QColor(30, 90, 60))
    layer = Layer("a", LayerKind.IMAGE, "", image=image, x=-3000)
    small = thumbnail(layer, QSize(6000, 6000), 72)
    assert small.pixelColor(10, 40) == QColor(30, 90, 60)
    assert small.pixelColor(50, 40).alpha() == 0


# --- settings ------------------------------------------------------------------------------------------


def test_each_kind_shows_the_settings_it_has(canvas: MaskCanvas) -> None:
    document, shown = canvas.document, canvas.layer_panel.properties
    expected = {
        LayerKind.PAINT: (False, False, False, False),
        LayerKind.MASK: (True, False, False, False),
        LayerKind.REGION: (True, True, False, True),
        LayerKind.CONTROL: (False, False, True, True),
        LayerKind.REFERENCE: (False, False, True, True),
    }
    for kind, parts in expected.items():
        document.add_layer(kind)
        widgets = (shown.colour, shown.region, shown.control, shown.weight)
        assert tuple(widget.isVisible() for widget in widgets) == parts


def test_a_regions_prompt_is_typed_as_one_step(canvas: MaskCanvas) -> None:
    document, shown = canvas.document, canvas.layer_panel.properties
    document.add_layer(LayerKind.REGION)
    count = document.undo_stack.count()
    QTest.keyClicks(shown.prompt, "a red fox")
    assert document.active.prompt == "a red fox"
    assert document.undo_stack.count() == count + 1
    document.undo_stack.undo()
    assert shown.prompt.value() == ""


def test_a_controls_settings_are_kept_in_order(qtbot: QtBot, canvas: MaskCanvas) -> None:
    document, panel = canvas.document, canvas.layer_panel
    shown, id = panel.properties, document.add_layer(LayerKind.CONTROL)
    shown.kind.setCurrentIndex(shown.kind.findText("Depth"))
    shown.kind.activated.emit(shown.kind.currentIndex())
    shown.weight.field.value_changed.emit(140)
    shown.end.field.value_changed.emit(60)
    shown.start.field.value_changed.emit(80)
    layer = document.active
    assert (layer.control, layer.weight, layer.start, layer.end) == ("depth", 1.4, 0.8, 0.8)
    with qtbot.waitSignal(panel.derive_requested) as caught:
        shown.derive.click()
    assert caught.args == [id]


def test_control_lines_are_drawn_white(canvas: MaskCanvas, hand: MaskHand) -> None:
    document = canvas.document
    id = document.add_layer(LayerKind.CONTROL)
    canvas.settings.change(tool="rectangle", colour="#ff0000", combine=Combine.REPLACE)
    hand.drag([(20, 20), (40, 40)])
    assert hand.surface.to_image().pixelColor(30, 30) == QColor("white")
    document.change_layer(id, "Kind", control="depth")
    hand.drag([(20, 20), (40, 40)])
    assert hand.surface.to_image().pixelColor(30, 30) == QColor(255, 0, 0)


def test_what_the_model_can_not_use_says_why(canvas: MaskCanvas) -> None:
    document, panel = canvas.document, canvas.layer_panel
    document.add_layer(LayerKind.CONTROL)
    panel.set_unavailable({LayerKind.CONTROL: "No control model here.", LayerKind.MASK: ""})
    index = panel.model.index(0, 0)
    assert index.data(REASON_ROLE) == "No control model here."
    assert panel.model.index(1, 0).data(REASON_ROLE) == ""
    assert "No control model here." in index.data(Qt.ItemDataRole.AccessibleDescriptionRole)
    assert panel.list.tip_at(panel.list.visualRect(index).center()) == "No control model here."
    assert panel.properties.reason.isVisible()
    panel.set_unavailable({})
    assert not panel.properties.reason.isVisible()
    assert panel.list.tip_at(panel.list.visualRect(index).center()).startswith("Control")


def test_use_is_said_in_words_and_changed_by_either(canvas: MaskCanvas) -> None:
    document, panel = canvas.document, canvas.layer_panel
    panel.properties.counts.click()
    assert not document.active.counts
    row = panel.list.visualRect(panel.model.index(0, 0))
    assert "Not used" in panel.list.tip_at(counts_rect(row).center())
    QTest.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=counts_rect(row).center())
    assert document.active.counts
    assert panel.properties.counts.isChecked()


# --- what is done to layers ----------------------------------------------------------------------------


def test_every_operation_is_one_step_and_undoes(canvas: MaskCanvas, hand: MaskHand) -> None:
    document = canvas.document
    picture = QImage(30, 20, QImage.Format.Format_ARGB32_Premultiplied)
    picture.fill(QColor(0, 90, 255, 120))
    document.add_image_layer(picture, "Patch", 20, 10)
    document.move_layer(document.stack.active, 1)
    before = document.stack
    for entry in OPERATIONS:
        index = document.undo_stack.index()
        assert can_apply(document, entry.id), entry.id
        assert apply_to_layer(document, entry.id)
        assert document.undo_stack.index() == index + 1, entry.id
        assert document.stack != before or entry.group == "transform"
        document.undo_stack.undo()
        assert document.stack == before
    document.select(document.stack.layers[0].id)
    assert not can_apply(document, "down")
    assert not apply_to_layer(document, "merge_down")


def test_keys_work_from_the_canvas(canvas: MaskCanvas, hand: MaskHand) -> None:
    document, panel = canvas.document, canvas.layer_panel
    mask = document.active.name
    hand.key(Qt.Key.Key_J, CONTROL)
    assert rows(canvas) == [f"{mask} copy", mask, "Picture"]
    hand.key(Qt.Key.Key_BracketLeft, CONTROL)
    assert rows(canvas) == [mask, f"{mask} copy", "Picture"]
    hand.key(Qt.Key.Key_BracketRight, CONTROL)
    hand.key(Qt.Key.Key_E, CONTROL | Qt.KeyboardModifier.AltModifier)
    assert rows(canvas) == [mask, "Picture"]
    panel.list.setFocus()
    QTest.keyClick(panel.list, Qt.Key.Key_Delete)
    assert rows(canvas) == ["Picture"]


def test_f2_edits_the_name_where_it_stands(qtbot: QtBot, canvas: MaskCanvas, hand: MaskHand) -> None:
    hand.key(Qt.Key.Key_F2)
    editor = canvas.focusWidget()
    assert isinstance(editor.parent().parent(), LayerList)
    QTest.keyClicks(editor, "Sky")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: canvas.document.active.name == "Sky")


def test_layers_of_every_kind_are_added_from_the_menu(qtbot: QtBot, canvas: MaskCanvas) -> None:
    panel = canvas.layer_panel
    picture, *others = panel.add.menu().actions()
    with qtbot.waitSignal(panel.image_requested):
        picture.trigger()
    for action in others:
        action.trigger()
    kinds = [layer.kind for layer in canvas.document.stack.layers[2:]]
    assert kinds == [kind for kind in LayerKind if kind is not LayerKind.IMAGE]


def test_the_menu_is_for_the_row_below_the_pointer(canvas: MaskCanvas) -> None:
    panel = canvas.layer_panel
    at = panel.list.visualRect(panel.model.index(1, 0)).center()
    assert panel.take_row(at) == at
    assert canvas.document.active.kind is LayerKind.IMAGE
    assert panel.take_row(QPoint(5, 5000)) == at
    assert {action.text() for action in panel.menu.actions() if action.isEnabled()} >= {"Rename", "Delete"}
