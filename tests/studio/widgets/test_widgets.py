"""Widgets by themselves: the image view, fields, the filmstrip, the banner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QSize, Qt, QThreadPool
from PySide6.QtGui import QImage, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from pipelines.errors import DiskFull
from pipelines.graph import types
from pipelines.graph.node import Input
from pipelines.graph.registry import ParamSchema, builtin
from studio.pictures.results import KEPT, MISSING_ROLE, THUMBNAIL_ROLE, Result, ResultList, mime_of
from studio.widgets.banner import Banner
from studio.widgets.filmstrip import Filmstrip
from studio.widgets.image_view import FIT_LIMIT, ImageView, halved
from studio.widgets.number_field import NumberField, written
from studio.widgets.param_editor import ParamEditor
from studio.widgets.param_editors import choice_title, editor_for, param_of
from studio.widgets.prompt_editor import PromptEditor
from studio.widgets.seed_field import SeedField
from studio.widgets.text_editors import JsonEditor, TextEditor
from tests.helpers.studio_fakes import picture

# --- the image view ------------------------------------------------------------------------------------


@pytest.fixture
def view(qtbot: QtBot) -> ImageView:
    widget = ImageView()
    qtbot.addWidget(widget)
    widget.resize(800, 600)
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def wheel(view: ImageView, at: QPointF, notches: int) -> None:
    delta = QPoint(0, 120 * notches)
    event = QWheelEvent(
        at, at, QPoint(), delta, Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view, event)


def test_fitting_shrinks_large_pictures_and_enlarges_small_ones_four_times_at_most(view: ImageView) -> None:
    view.set_image(QImage(1600, 400, QImage.Format.Format_RGB32))
    assert view.picture_rect().width() <= 800
    view.set_image(QImage(64, 64, QImage.Format.Format_RGB32))
    assert view.scale == FIT_LIMIT == 4.0


def test_a_fitted_picture_is_smooth_and_pixels_show_only_beyond(view: ImageView) -> None:
    image = QImage(32, 32, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.black)
    for y in range(32):
        image.setPixelColor(16, y, Qt.GlobalColor.white)
    view.set_image(image)
    assert view.scale == FIT_LIMIT

    def shades() -> int:
        shown = view.grab().toImage()
        row = shown.height() // 2
        middle = round(shown.devicePixelRatio() * view.picture_rect().center().x())
        around = range(middle - 40, middle + 40)
        return len({shown.pixelColor(x, row).lightness() for x in around})

    assert shades() > 2
    view.zoom_to(6.0, view.picture_rect().center())
    assert shades() == 2


def test_the_wheel_zooms_about_the_cursor(view: ImageView) -> None:
    view.set_image(QImage(1000, 1000, QImage.Format.Format_RGB32))
    at = QPointF(500, 300)
    before = view.to_image(at)
    wheel(view, at, 3)
    after = view.to_image(at)
    assert view.scale > 0.6
    assert (after - before).manhattanLength() < 0.01
    assert not view.fitted
    view.fit()
    assert view.fitted


def test_dragging_pans_only_what_is_larger_than_the_view(view: ImageView, qtbot: QtBot) -> None:
    view.set_image(QImage(4000, 4000, QImage.Format.Format_RGB32))
    QThreadPool.globalInstance().waitForDone()
    view.actual_size()
    assert view.percent == pytest.approx(100)
    before = view.to_image(QPointF(400, 300))
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(400, 300))
    qtbot.mouseMove(view, QPoint(300, 300))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(300, 300))
    assert view.to_image(QPointF(400, 300)).x() == pytest.approx(before.x() + 100, abs=1)


def test_the_picture_is_never_lost_out_of_the_view(view: ImageView) -> None:
    view.set_image(QImage(2000, 2000, QImage.Format.Format_RGB32))
    for _ in range(200):
        wheel(view, QPointF(0, 0), 1)
    for _ in range(400):
        wheel(view, QPointF(799, 599), -1)
    assert view.picture_rect().intersects(view.rect().toRectF())


def test_a_preview_stands_where_the_picture_will(view: ImageView) -> None:
    view.set_preview(picture(1, 16), QSize(256, 256))
    place = view.picture_rect()
    assert view.shows_preview
    view.set_image(picture(1, 256))
    assert view.picture_rect() == place
    assert not view.shows_preview


def test_the_zoom_stays_from_picture_to_picture_of_one_size(view: ImageView) -> None:
    view.set_image(picture(1, 256))
    view.zoom_to(5.0, QPointF(400, 300))
    view.set_preview(picture(2, 16), QSize(256, 256))
    view.set_image(picture(3, 256))
    assert view.scale == 5.0
    view.set_image(picture(3, 128))
    assert view.fitted


def test_large_pictures_are_halved_in_the_background(view: ImageView, qtbot: QtBot) -> None:
    image = QImage(3000, 2000, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    view.set_image(image)
    qtbot.waitUntil(lambda: bool(view._levels))
    assert [level.width() for level in view._levels] == [1500, 750, 375]
    source = view._source()
    assert source is not None
    assert source.width() < 3000


def test_halving_ends() -> None:
    assert halved(QImage(2, 30_000, QImage.Format.Format_RGB32))[-1].height() <= 512
    assert halved(picture(0, 64)) == []


# --- fields --------------------------------------------------------------------------------------------


def test_a_number_field_computes(qtbot: QtBot) -> None:
    field = NumberField(512, minimum=8, maximum=4096, step=8)
    qtbot.addWidget(field)
    heard: list[Any] = []
    said: list[str] = []
    field.value_changed.connect(heard.append)
    field.noticed.connect(said.append)
    for text in ("512*1.5", "1e9", "rubbish", "__import__('os')"):
        field.setText(text)
        field.editingFinished.emit()
    assert heard == [768, 4096]
    assert field.value() == 4096
    assert said[0] == "The highest is 4096."
    assert "rubbish" in said[1]
    qtbot.keyClick(field, Qt.Key.Key_Down)
    assert field.value() == 4088


def test_a_number_is_dragged_to_the_side_until_one_types(qtbot: QtBot) -> None:
    box = QWidget()
    row = QHBoxLayout(box)
    other, field = NumberField(1), NumberField(2.0, whole=False, minimum=0, maximum=3, step=0.1)
    row.addWidget(other)
    row.addWidget(field)
    qtbot.addWidget(box)
    with qtbot.waitActive(box):
        box.show()
        box.activateWindow()
    other.setFocus()
    none, left = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton

    def drag(
        by: int, held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier, *, drop: bool = True
    ) -> None:
        start = QPoint(10, field.height() // 2)
        qtbot.mousePress(field, Qt.MouseButton.LeftButton, pos=start)
        at = QPointF(start + QPoint(by, 0))
        move = QMouseEvent(QEvent.Type.MouseMove, at, field.mapToGlobal(at), none, left, held)
        QApplication.sendEvent(field, move)
        if drop:
            qtbot.mouseRelease(field, Qt.MouseButton.LeftButton, pos=at.toPoint())

    drag(20)
    assert field.value() == 2.5
    drag(-20)
    assert field.value() == 2.5, "it has the focus: a drag selects text"
    other.setFocus()
    drag(-20, Qt.KeyboardModifier.ShiftModifier)
    assert field.value() == 2.45
    other.setFocus()
    drag(400)
    assert field.value() == 3, "no further than the range"
    other.setFocus()
    drag(-40, drop=False)
    assert field.value() == 2
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert field.value() == 3
    qtbot.mouseRelease(field, Qt.MouseButton.LeftButton)
    other.setFocus()
    qtbot.mouseClick(field, Qt.MouseButton.LeftButton, pos=QPoint(10, 5))
    assert field.value() == 3, "a click only puts the cursor there"


def test_a_number_field_is_mirrored_with_the_layout_but_its_number_is_not(qtbot: QtBot) -> None:
    holder = QWidget()
    holder.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    field = NumberField(-5, unit="px")
    QVBoxLayout(holder).addWidget(field)
    qtbot.addWidget(holder)
    holder.show()
    assert field.layoutDirection() == Qt.LayoutDirection.LeftToRight, "a minus would go behind the number"
    margins = field.textMargins()
    assert margins.left() > margins.right() == 0
    qtbot.mouseClick(field, Qt.MouseButton.LeftButton, pos=QPoint(4, 3))
    assert field.value() == -4
    qtbot.mouseClick(field, Qt.MouseButton.LeftButton, pos=QPoint(field.width() - 4, 3))
    assert field.value() == -4


def test_the_wheel_only_changes_a_number_that_has_the_focus(qtbot: QtBot) -> None:
    field = NumberField(5)
    qtbot.addWidget(field)
    at = QPointF(5, 5)
    event = QWheelEvent(
        at, at, QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(field, event)
    assert field.value() == 5


@pytest.mark.parametrize(
    ("value", "text"), [(4.0, "4"), (0.7, "0.7"), (2**64 - 1, "18446744073709551615"), (1e-7, "1e-07")]
)
def test_numbers_are_written_plainly(value: float, text: str) -> None:
    assert written(value) == text


@pytest.mark.parametrize("text", ["-1", "18446744073709551616", "1e30", "seed", "1.5"])
def test_seeds_outside_64_bits_are_refused(qtbot: QtBot, text: str) -> None:
    field = SeedField()
    qtbot.addWidget(field)
    field.set_value(7)
    said: list[str] = []
    field.noticed.connect(said.append)
    field.line.setText(text)
    field.line.editingFinished.emit()
    assert field.value() == 7
    assert len(said) == 1


def test_the_largest_seed_is_taken(qtbot: QtBot) -> None:
    field = SeedField()
    qtbot.addWidget(field)
    heard: list[Any] = []
    field.value_changed.connect(heard.append)
    field.line.setText(str(2**64 - 1))
    field.line.editingFinished.emit()
    assert heard == [2**64 - 1]
    field.line.setText("")
    field.line.editingFinished.emit()
    assert heard[-1] is None


def test_a_prompt_grows_and_ends_growing(qtbot: QtBot) -> None:
    editor = PromptEditor(rows=3, max_rows=8)
    qtbot.addWidget(editor)
    editor.resize(300, 60)
    editor.show()
    small = editor.height()
    editor.set_value("line\n" * 4)
    larger = editor.height()
    editor.set_value("line\n" * 500)
    assert small < larger < editor.height() < 2.5 * small


def test_a_hundred_thousand_characters_are_bearable(qtbot: QtBot) -> None:
    editor = PromptEditor()
    qtbot.addWidget(editor)
    editor.show()
    for text in ("y" * 100_000, "apple pie " * 10_000):
        editor.set_value(text)
        assert editor.value() == text


# --- editors made from a schema ------------------------------------------------------------------------


def test_every_param_of_every_node_has_an_editor_that_keeps_its_default(qtbot: QtBot) -> None:
    for schema in builtin():
        ports = [param_of(port) for port in schema.inputs({}) if port.takes_literal]
        for param in [*schema.params, *ports]:
            editor = editor_for(param)
            qtbot.addWidget(editor)
            heard: list[Any] = []
            editor.value_changed.connect(heard.append)
            editor.set_value(param.default)
            assert heard == [], (schema.id, param.name)
            if param.default is not None:
                assert editor.value() == param.default, (schema.id, param.name)
            names = [child.accessibleName() for child in editor.findChildren(QLineEdit) if child.isEnabled()]
            assert all(names), (schema.id, param.name)


@pytest.mark.parametrize(
    ("kind", "hint", "text", "value"),
    [
        (types.Integer, "", "3*4", 12),
        (types.Number, "", "1/8", 0.125),
        (types.Text, "", "words", "words"),
        (types.Json, "", '{"a": [1]}', {"a": [1]}),
        (types.Text, "color", "#12aBef80", "#12aBef80"),
        (types.Text, "file", "/a/b.png", "/a/b.png"),
    ],
)
def test_editors_tell_what_was_typed(
    qtbot: QtBot, kind: types.PortType, hint: str, text: str, value: object
) -> None:
    editor = editor_for(ParamSchema("name", kind, "Name", default=None, widget=hint))
    qtbot.addWidget(editor)
    heard: list[Any] = []
    editor.value_changed.connect(heard.append)
    line = editor.findChildren(QLineEdit)[0]
    line.clear()
    qtbot.keyClicks(line, text)
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert heard[-1] == value
    assert type(heard[-1]) is type(value)


def test_bad_json_is_refused_with_the_reason(qtbot: QtBot) -> None:
    editor = editor_for(ParamSchema("name", types.Json, "Name", default=[1]))
    assert isinstance(editor, JsonEditor)
    qtbot.addWidget(editor)
    said: list[str] = []
    editor.noticed.connect(said.append)
    for text in ("[NaN]", "[" * 5_000, "{'a': 1}"):
        editor.line.setText(text)
        editor.line.editingFinished.emit()
    assert len(said) == 3
    assert editor.value() == [1]


def test_sliders_and_choices(qtbot: QtBot) -> None:
    slider = editor_for(
        ParamSchema("s", types.Number, "S", default=0.5, minimum=0, maximum=1, step=0.05, widget="slider")
    )
    choice = editor_for(ParamSchema("c", types.Choice, "C", default="a", choices=("a", "sgm_uniform")))
    for editor in (slider, choice):
        qtbot.addWidget(editor)
    heard: list[Any] = []
    slider.value_changed.connect(heard.append)
    slider.slider.setValue(15)  # type: ignore[attr-defined]
    assert heard == [0.75]
    choice.set_value("unknown to us")
    assert choice.value() == "unknown to us"
    assert choice_title("sgm_uniform") == "SGM uniform"


def test_multiline_ports_get_a_prompt_editor(qtbot: QtBot) -> None:
    editor = editor_for(param_of(Input("prompt", types.Text, default="", multiline=True)))
    qtbot.addWidget(editor)
    assert isinstance(editor, TextEditor)
    assert isinstance(editor.field, PromptEditor)
    assert isinstance(editor, ParamEditor)


# --- results and the strip -----------------------------------------------------------------------------


@pytest.fixture
def results(tmp_path: Path, qapp: QApplication) -> ResultList:
    found = ResultList()
    for index in range(3):
        path = tmp_path / f"{index}.png"
        picture(index * 50, 400).save(str(path))
        found.add(Result(str(path), {"prompt": f"picture {index}"}))
    return found


def test_thumbnails_are_read_in_the_background(results: ResultList, qtbot: QtBot) -> None:
    assert results.index(0).data(THUMBNAIL_ROLE) is None
    qtbot.waitUntil(lambda: results.index(0).data(THUMBNAIL_ROLE) is not None)
    assert results.index(0).data(THUMBNAIL_ROLE).width() <= 256


def test_a_file_that_is_gone_is_a_tile_without_a_picture(results: ResultList, qtbot: QtBot) -> None:
    row = results.add(Result("/nowhere/at/all.png"))
    assert results.index(row).data(THUMBNAIL_ROLE) is None
    qtbot.waitUntil(lambda: bool(results.index(row).data(MISSING_ROLE)))


def test_the_strip_is_walked_with_the_arrow_keys(results: ResultList, qtbot: QtBot) -> None:
    strip = Filmstrip(results)
    qtbot.addWidget(strip)
    strip.resize(600, strip.height())
    strip.show()
    rows: list[int] = []
    strip.result_selected.connect(rows.append)
    strip.select(0)
    qtbot.keyClick(strip, Qt.Key.Key_Right)
    qtbot.keyClick(strip, Qt.Key.Key_Right)
    qtbot.keyClick(strip, Qt.Key.Key_Left)
    assert rows == [0, 1, 2, 1]


def test_pictures_are_dragged_out_as_files(results: ResultList) -> None:
    data = results.mimeData([results.index(1)])
    assert [url.toLocalFile() for url in data.urls()] == [results.results[1].path]
    assert mime_of([Result("")]).urls() == []
    assert results.flags(results.index(0)) & Qt.ItemFlag.ItemIsDragEnabled


def test_the_list_is_bounded(qapp: QApplication) -> None:
    found = ResultList()
    for index in range(KEPT + 5):
        found.add(Result(f"/{index}.png"))
    assert found.rowCount() == KEPT
    assert found.results[0].path == "/5.png"


# --- the banner ----------------------------------------------------------------------------------------


def test_a_banner_says_what_why_and_what_to_do(qtbot: QtBot) -> None:
    banner = Banner()
    qtbot.addWidget(banner)
    pressed: list[str] = []
    copied: list[str] = []
    banner.diagnostics_requested.connect(copied.append)
    error = DiskFull(path="/a", needed="5 MB", free="1 MB").info("the traceback")
    banner.show_error(error, (("Save elsewhere…", lambda: pressed.append("save")),))
    assert banner.heading.text() == "There is no space left for /a."
    assert banner.body.text().startswith("It needs 5 MB, 1 MB is free. Free some space")
    save, details, copy = banner.buttons()
    save.click()
    assert pressed == ["save"]
    assert banner.details.isHidden()
    details.click()
    assert banner.details.toPlainText() == "the traceback"
    copy.click()
    assert "the traceback" in copied[0]
    banner.show_text("Another", severity="info")
    assert banner.buttons() == []
    assert banner.details.isHidden()
    banner.close_button.click()
    assert banner.isHidden()
