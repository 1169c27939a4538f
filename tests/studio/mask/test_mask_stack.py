"""Layers of every kind: where they lie, what they make together, and the canvas changed under them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QColor, QImage, QTransform
from pytestqt.qtbot import QtBot

from pipelines.errors import ImageTooLarge
from studio.mask.layers import Layer, LayerKind, Stack
from studio.mask.paint_document import PaintDocument
from studio.mask.surface import Surface, image_array, tiles_from_array
from tests.helpers.mask_hand import blocks

RED, BLUE, GREY = QColor(200, 40, 40), QColor(0, 0, 255), QColor(60, 60, 60)


def plain(width: int, height: int, colour: QColor = BLUE) -> QImage:
    image = QImage(width, height, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(colour)
    return image


@pytest.fixture
def document(qapp: object) -> PaintDocument:
    document = PaintDocument()
    document.set_image(blocks())
    return document


def painted(document: PaintDocument, kind: LayerKind, rect: QRect) -> str:
    """A layer of a kind whose pixels are full (white) in ``rect``."""
    id = document.add_layer(kind)
    surface = document.stack[id].surface
    assert surface is not None
    whole = surface.read(surface.rect)
    whole[rect.top() : rect.bottom() + 1, rect.left() : rect.right() + 1] = np.iinfo(whole.dtype).max
    document.put_tiles(surface, tiles_from_array(whole), "paint")
    return id


def filled(document: PaintDocument, id: str) -> QRect:
    surface = document.stack[id].surface
    assert surface is not None
    return surface.bounds()


def test_pictures_lie_anywhere_and_may_hang_over_the_edges(document: PaintDocument) -> None:
    document.add_image_layer(plain(50, 40), "Patch", x=170, y=-20)
    picture = document.flattened()
    assert picture.pixelColor(175, 19) == BLUE
    assert picture.pixelColor(169, 10) == GREY
    assert picture.pixelColor(175, 20) == GREY
    # the part asked for is the same as that part of the whole
    assert document.flattened(QRect(160, 10, 30, 20)) == picture.copy(QRect(160, 10, 30, 20))


def test_the_first_picture_makes_the_canvas(qapp: object) -> None:
    document = PaintDocument()
    id = document.add_image_layer(plain(30, 20), "First", x=5, y=5)
    assert document.stack.size == QSize(30, 20)
    assert document.stack[id].place == QRect(0, 0, 30, 20)


def test_controls_and_regions_are_shown_but_make_no_picture(document: PaintDocument) -> None:
    before = document.flattened()
    control = painted(document, LayerKind.CONTROL, QRect(0, 0, 50, 50))
    region = painted(document, LayerKind.REGION, QRect(0, 0, 50, 50))
    assert document.flattened() == before
    assert (document.stack[control].surface.kind, document.stack[region].surface.kind) == ("paint", "mask")
    document.change_layer(region, "Prompt", "prompt", prompt="a f")
    document.change_layer(region, "Prompt", "prompt", prompt="a fox")
    count = document.undo_stack.count()
    document.undo_stack.undo()
    assert document.stack[region].prompt == ""
    assert document.undo_stack.count() == count


def test_cropping_and_extending_keep_every_pixel_in_place(document: PaintDocument) -> None:
    paint = painted(document, LayerKind.PAINT, QRect(100, 100, 20, 10))
    mask = painted(document, LayerKind.MASK, QRect(10, 10, 30, 30))
    whole = document.flattened()
    document.resize_canvas(QRect(-300, -10, 600, 400))
    assert document.stack.size == QSize(600, 400)
    assert document.flattened(QRect(300, 10, 200, 160)) == whole
    assert document.flattened().pixelColor(299, 50).alpha() == 0
    assert filled(document, paint) == QRect(400, 110, 20, 10)
    assert filled(document, mask) == QRect(310, 20, 30, 30)
    assert document.crop_to(QRect(330, 30, 5000, 80))
    assert document.stack.size == QSize(270, 80)
    assert filled(document, mask) == QRect(0, 0, 10, 20)
    assert not document.crop_to(QRect(1000, 1000, 5, 5))
    # what hung over the edges is still there
    document.resize_canvas(QRect(-30, -20, 200, 160))
    assert document.flattened(QRect(0, 0, 90, 90)) == whole.copy(QRect(0, 0, 90, 90))
    with pytest.raises(ValueError, match="one pixel"):
        document.resize_canvas(QRect())
    with pytest.raises(ImageTooLarge):
        document.resize_canvas(QRect(0, 0, 100_000, 100_000))


def test_scaling_takes_every_layer_along(document: PaintDocument) -> None:
    patch = document.add_image_layer(plain(20, 10), x=100, y=50)
    paint = painted(document, LayerKind.PAINT, QRect(40, 40, 40, 40))
    document.scale_canvas(QSize(400, 80))
    assert document.stack[patch].place == QRect(200, 25, 40, 5)
    assert filled(document, paint).adjusted(8, 4, -8, -4).isValid()
    assert document.flattened().pixelColor(120, 30) == QColor("white")
    values = image_array(document.flattened())
    assert (values[..., :3] <= values[..., 3:]).all()
    document.undo_stack.undo()
    assert document.stack[patch].place == QRect(100, 50, 20, 10)
    assert document.flattened().pixelColor(45, 45) == QColor("white")


def test_hard_pixels_stay_hard(document: PaintDocument) -> None:
    painted(document, LayerKind.PAINT, QRect(10, 10, 7, 7))
    size = QSize(document.stack.width * 3, document.stack.height * 3)
    before = {tuple(pixel) for row in image_array(document.flattened()) for pixel in row}
    document.scale_canvas(size, "nearest")
    assert {tuple(pixel) for row in image_array(document.flattened()) for pixel in row} == before
    document.undo_stack.undo()
    document.scale_canvas(size)
    assert {tuple(pixel) for row in image_array(document.flattened()) for pixel in row} > before


def test_a_large_canvas_is_enlarged_in_the_background(qtbot: QtBot, document: PaintDocument) -> None:
    mask = painted(document, LayerKind.MASK, QRect(0, 0, 20, 10))
    count = document.undo_stack.count()
    id = document.enlarge_to(plain(2300, 2000), "Enlarged")
    assert document.busy
    document.select(document.stack.layers[0].id)
    qtbot.waitUntil(lambda: not document.busy, timeout=20000)
    assert document.undo_stack.count() == count + 1
    assert document.stack.size == QSize(2300, 2000)
    assert document.stack[id].place == document.rect
    assert document.stack.active == document.stack.layers[0].id
    assert document.stack[mask].surface.read(QRect(0, 0, 220, 110)).min() > 65000
    document.undo_stack.undo()
    document.enlarge_to(plain(2300, 2000), "Enlarged")
    # what happens meanwhile stands
    document.change_layer(mask, "Hide", visible=False)
    qtbot.waitUntil(lambda: not document.busy, timeout=20000)
    assert document.stack.size == QSize(200, 160)
    assert not document.stack[mask].visible


def test_another_picture_takes_the_layers_above_along(document: PaintDocument) -> None:
    patch = document.add_image_layer(plain(20, 10), x=100, y=50)
    document.set_image(blocks(400, 320))
    assert document.stack[patch].place == QRect(200, 100, 40, 20)


def test_a_result_is_pasted_and_the_canvas_grows_in_one_step(document: PaintDocument) -> None:
    mask = painted(document, LayerKind.MASK, QRect(10, 10, 5, 5))
    before, count = document.stack, document.undo_stack.count()
    id = document.paste_result(plain(40, 40), QRect(190, -30, 20, 60), "Result", "Apply")
    assert document.undo_stack.count() == count + 1
    assert document.undo_stack.undoText() == "Apply"
    assert document.stack.size == QSize(210, 190)
    assert document.stack[id].place == QRect(190, 0, 20, 60)
    assert document.stack.active == mask
    assert [layer.kind for layer in document.stack.layers] == [
        LayerKind.IMAGE, LayerKind.IMAGE, LayerKind.MASK,
    ]  # fmt: skip
    assert filled(document, mask) == QRect(10, 40, 5, 5)
    assert document.flattened().pixelColor(45, 75) == RED
    document.undo_stack.undo()
    assert document.stack == before
    assert filled(document, mask) == QRect(10, 10, 5, 5)


def test_merging_down_looks_the_same(document: PaintDocument) -> None:
    patch = document.add_image_layer(plain(50, 40, QColor(0, 0, 255, 128)), x=170, y=-20)
    document.change_layer(patch, "Opacity", opacity=0.5)
    paint = painted(document, LayerKind.PAINT, QRect(160, 5, 30, 30))
    mask = painted(document, LayerKind.MASK, QRect(0, 0, 9, 9))
    looks = document.flattened()
    assert not document.can_merge_down(mask)
    assert not document.merge_down(mask)
    assert document.merge_down(paint)
    merged = document.stack[patch]
    assert merged.place == QRect(160, -20, 60, 55)
    away = np.abs(image_array(document.flattened()).astype(int) - image_array(looks)).max()
    assert away <= 2
    assert document.merge_down(patch)
    assert len(document.stack.layers) == 2
    document.undo_stack.undo()
    document.undo_stack.undo()
    assert document.flattened() == looks


def test_two_masks_merge_to_the_greater_of_both(document: PaintDocument) -> None:
    below = painted(document, LayerKind.MASK, QRect(0, 0, 20, 20))
    above = painted(document, LayerKind.MASK, QRect(10, 10, 20, 20))
    assert document.merge_down(above)
    assert document.stack[below].surface.to_array().sum() == 400 + 400 - 100


def test_flattening_keeps_masks_and_what_is_hidden(document: PaintDocument) -> None:
    painted(document, LayerKind.PAINT, QRect(0, 0, 20, 20))
    hidden = painted(document, LayerKind.PAINT, QRect(50, 50, 20, 20))
    document.change_layer(hidden, "Hide", visible=False)
    mask = painted(document, LayerKind.MASK, QRect(0, 0, 5, 5))
    looks = image_array(document.flattened())
    document.flatten()
    assert [layer.kind for layer in document.stack.layers] == [
        LayerKind.IMAGE, LayerKind.PAINT, LayerKind.MASK,
    ]  # fmt: skip
    assert document.stack.active == mask
    assert np.array_equal(image_array(document.flattened()), looks)
    assert not document.stack.layers[0].image.hasAlphaChannel()


def test_masks_are_made_of_layers(document: PaintDocument) -> None:
    patch = document.add_image_layer(plain(50, 40, QColor(255, 255, 255, 102)), x=0, y=0)

    def values(of: str = "") -> np.ndarray:
        id = document.mask_from_layer(patch, of)
        surface = document.stack[id].surface
        assert surface is not None
        return surface.to_array()

    assert values()[10, 10] == pytest.approx(0.4, abs=0.003)
    assert values()[10, 60] == 0
    patch = document.stack.layers[0].id
    assert values()[60, 60] == pytest.approx((0.2126 * 200 + 0.7874 * 40) / 255, abs=0.003)
    assert values("alpha").min() == 1


def test_pixels_of_a_layer_are_set_from_a_picture(document: PaintDocument) -> None:
    control = document.add_layer(LayerKind.CONTROL)
    assert document.set_surface_image(control, plain(100, 80, QColor("white")))
    assert filled(document, control) == document.rect
    mask = document.add_layer(LayerKind.MASK)
    document.set_surface_image(mask, plain(200, 160, QColor(128, 128, 128)))
    assert document.stack[mask].surface.to_array()[5, 5] == pytest.approx(128 / 255, abs=1e-3)
    assert not document.set_surface_image(document.stack.layers[0].id, plain(5, 5))
    document.undo_stack.undo()
    assert not document.stack[mask].surface.tiles


def test_opening_layers_is_no_step_and_forgets_older_ones(qtbot: QtBot, document: PaintDocument) -> None:
    painted(document, LayerKind.MASK, QRect(0, 0, 20, 20))
    surface = Surface(64, 64, "mask")
    layers = (
        Layer("a", LayerKind.IMAGE, "Ground", image=plain(64, 64)),
        Layer("b", LayerKind.REGION, "Sky", prompt="sky", surface=surface),
    )
    count = document.undo_stack.count()
    with qtbot.waitSignals([document.resized, document.stack_changed, document.replaced]):
        document.set_layers(Stack(64, 64, layers))
    assert document.undo_stack.count() == count
    assert document.stack.active == "b"
    assert document.history.nbytes == 0
    for _ in range(count):
        document.undo_stack.undo()
    assert [layer.id for layer in document.stack.layers] == ["a", "b"]
    assert document.add_layer(LayerKind.MASK) not in ("a", "b")


def test_a_stroke_on_a_layer_that_is_gone_leaves_no_step(document: PaintDocument) -> None:
    document.add_layer(LayerKind.MASK)
    surface = document.active.surface
    surface.begin()
    surface.draft((0, 0))[5, 5] = 9
    document.remove_layer(document.stack.active)
    count = document.undo_stack.count()
    assert not document.commit(surface, "Brush stroke")
    assert document.undo_stack.count() == count
    assert not surface.is_open


def test_what_is_deleted_counts_and_is_forgotten_in_the_end(qapp: object) -> None:
    document = PaintDocument(history_bytes=700_000)
    document.set_image(blocks())
    noise = np.random.default_rng(1).integers(0, 65536, (160, 200)).astype(np.uint16)
    for _ in range(12):
        id = document.add_layer(LayerKind.MASK)
        document.put_tiles(document.stack[id].surface, tiles_from_array(noise), "noise")
        document.remove_layer(id)
    assert document.history.nbytes <= 700_000
    assert 0 < len(document.history.steps) < 37
    while document.undo_stack.canUndo():
        document.undo_stack.undo()
    assert len(document.stack.layers) <= 2


def test_pictures_share_their_pixels_across_steps(document: PaintDocument) -> None:
    image = blocks()
    id = document.add_image_layer(image)
    before = document.history.nbytes
    for step in range(5):
        document.change_layer(id, "Move", x=step + 1)
    assert document.history.nbytes == before
    document.remove_layer(id)
    assert document.history.nbytes == before + image.sizeInBytes()


class Undoing(RuleBasedStateMachine):
    """Whatever was done: undoing all of it gives what was there, and doing it again what came of it."""

    @initialize()
    def start(self) -> None:
        self.document = PaintDocument()
        self.document.set_image(blocks(60, 50))
        painted(self.document, LayerKind.MASK, QRect(5, 5, 20, 20))
        self.document.undo_stack.clear()
        self.first = self.state()

    def state(self) -> list[object]:
        stack = self.document.stack
        found: list[object] = [stack.size]
        for layer in stack.layers:
            found.append((layer, None if layer.image is None else image_array(layer.image).tobytes()))
            if layer.surface is not None:
                found.append(layer.surface.read(layer.surface.rect).tobytes())
        return found

    def any_layer(self, number: int) -> str:
        layers = self.document.stack.layers
        return layers[number % len(layers)].id

    @rule(kind=st.sampled_from([kind for kind in LayerKind if kind is not LayerKind.IMAGE]))
    def paint(self, kind: LayerKind) -> None:
        rect = QRect(3, 4, 18, 9) & self.document.rect
        painted(self.document, kind, rect)

    @rule(x=st.integers(-30, 60), y=st.integers(-30, 60))
    def paste(self, x: int, y: int) -> None:
        self.document.paste_result(plain(9, 7), QRect(x, y, 18, 14))

    @rule(x=st.integers(-20, 20), y=st.integers(-20, 20), side=st.integers(8, 90))
    def resize(self, x: int, y: int, side: int) -> None:
        self.document.resize_canvas(QRect(x, y, side, side))

    @rule(width=st.integers(8, 90), height=st.integers(8, 90))
    def scale(self, width: int, height: int) -> None:
        self.document.scale_canvas(QSize(width, height))

    @rule(number=st.integers(0, 9))
    def merge(self, number: int) -> None:
        self.document.merge_down(self.any_layer(number))

    @rule()
    def flatten(self) -> None:
        self.document.flatten()

    @rule(number=st.integers(0, 9))
    @precondition(lambda self: len(self.document.stack.layers) > 1)
    def remove(self, number: int) -> None:
        self.document.remove_layer(self.any_layer(number))

    @rule(number=st.integers(0, 9), angle=st.integers(-180, 180), by=st.integers(-40, 40))
    def transform(self, number: int, angle: int, by: int) -> None:
        matrix = QTransform.fromTranslate(by, -by).rotate(angle)
        self.document.transform_layer(self.any_layer(number), matrix, "Transform")

    @rule(number=st.integers(0, 9), by=st.integers(-40, 40))
    def nudge(self, number: int, by: int) -> None:
        matrix = QTransform.fromTranslate(by, by // 2)
        self.document.transform_layer(self.any_layer(number), matrix, "Move", "nudge")

    @rule(number=st.integers(0, 9))
    def mask(self, number: int) -> None:
        self.document.mask_from_layer(self.any_layer(number))

    def teardown(self) -> None:
        if not hasattr(self, "document"):
            return
        undo, last = self.document.undo_stack, self.state()
        while undo.canUndo():
            undo.undo()
        assert self.state() == self.first
        while undo.canRedo():
            undo.redo()
        assert self.state() == last


@pytest.mark.usefixtures("qapp")
class TestUndoing(Undoing.TestCase):
    settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
