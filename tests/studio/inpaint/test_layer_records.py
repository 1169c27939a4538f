"""Layers between the canvas and the document: every kind comes back bit for bit, and what can't be shown is
kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QThreadPool
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from pipelines.errors import ErrorInfo, SaveFailed
from pipelines.graph.assets import AssetStore, asset_name
from pipelines.graph.document import Graph, NodeRecord
from studio.documents.document import GraphDocument
from studio.inpaint.layer_keeper import LayerKeeper
from studio.inpaint.layer_records import load_layers, pixel_key, pixels_of, record_of
from studio.mask.layers import CONTROLS, LEADS, MASKS, OVERLAYS, Layer, LayerKind, Stack
from studio.mask.paint_document import PaintDocument
from studio.mask.surface import Surface, image_array
from tests.helpers.mask_hand import blocks

PART = st.floats(0, 1, width=32)
WIDTH, HEIGHT = 7, 5


def image_of(values: np.ndarray, *, opaque: bool) -> QImage:
    """A premultiplied picture of B, G, R, A bytes."""
    pixels = values.copy()
    pixels[..., 3] = 255 if opaque else pixels[..., 3]
    pixels[..., :3] = np.minimum(pixels[..., :3], pixels[..., 3:])
    form = QImage.Format.Format_RGB32 if opaque else QImage.Format.Format_ARGB32_Premultiplied
    return QImage(pixels.data, pixels.shape[1], pixels.shape[0], pixels.strides[0], form).copy()


@st.composite
def layers(draw: Any) -> list[Layer]:
    made = []
    for index in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(list(LayerKind)))
        layer = Layer(
            f"layer{index}", kind, draw(st.text(max_size=5)), draw(PART),
            draw(st.booleans()), draw(st.booleans()),
            draw(st.sampled_from([*OVERLAYS, "#12abEF"])), draw(st.text(max_size=5)),
            draw(st.sampled_from(CONTROLS)), 2 * draw(PART), draw(PART), draw(PART),
            draw(st.sampled_from(LEADS)),
        )  # fmt: skip
        random = np.random.default_rng(draw(st.integers(0, 99)))
        empty = draw(st.booleans()) and kind is not LayerKind.IMAGE
        if kind in MASKS:
            values = random.integers(0, 65536, (HEIGHT, WIDTH)).astype(np.uint16)
            surface = Surface.from_array(values) if not empty else Surface(WIDTH, HEIGHT, "mask")
            made.append(layer.with_(surface=surface))
            continue
        picture = image_of(
            random.integers(0, 256, (HEIGHT, WIDTH, 4)).astype(np.uint8), opaque=draw(st.booleans())
        )
        if kind is LayerKind.IMAGE:
            made.append(layer.with_(image=picture, x=draw(st.integers(-9, 9)), y=draw(st.integers(-9, 9))))
        else:
            surface = Surface.from_image(picture) if not empty else Surface(WIDTH, HEIGHT, "paint")
            made.append(layer.with_(surface=surface))
    return made


def content(layer: Layer) -> np.ndarray:
    if layer.image is not None:
        return image_array(layer.image)
    assert layer.surface is not None
    return layer.surface.read(layer.surface.rect)


@settings(max_examples=40, deadline=None)
@given(layers())
def test_every_kind_comes_back_bit_for_bit(made: list[Layer]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = AssetStore(Path(folder))
        records = []
        for layer in made:
            data = pixels_of(layer).encoded()
            records.append(record_of(layer, store.put(data) if data else ""))
        text = Graph().with_node("c", NodeRecord.new("image.canvas", params={"layers": records})).dumps()
        again = Graph.loads(text).nodes["c"].params["layers"]
        found = load_layers(again, store, WIDTH, HEIGHT)
    assert (found.problems, found.lost) == ((), ())
    assert found.stack.layers == tuple(made)
    for layer, before in zip(found.stack.layers, made, strict=True):
        assert np.array_equal(content(layer), content(before))
        assert record_of(layer, found.assets[layer.id]) == next(r for r in records if r["id"] == layer.id)


def test_another_surface_never_passes_for_the_one_that_was_kept() -> None:
    layer = Layer("a", LayerKind.MASK, "", surface=Surface.from_array(np.ones((4, 4), np.float32)))
    keys = set()
    for _ in range(50):
        # each takes the place in memory of the one before, and has the same revision
        layer = layer.with_(surface=Surface.from_array(np.ones((4, 4), np.float32)))
        keys.add(pixel_key(layer))
    assert len(keys) == 50


# --- what a document holds -----------------------------------------------------------------------------

ODD = [
    {"id": "lost", "kind": "image", "name": "Sky", "asset": asset_name(b"lost")},
    {"id": "later", "kind": "hologram", "depth": 3},
    {"id": "mask", "kind": "mask", "name": "", "blend_mode": "multiply"},
    {"id": "mask", "kind": "mask", "name": "twice"},
    {"id": "wild", "kind": "mask", "name": "", "opacity": "lots"},
    {"kind": "image"},
]


class Desk:
    """A document with one canvas, and the canvas."""

    def __init__(self, folder: Path, layers: Any = None, **more: Any) -> None:
        params = {**({"layers": layers} if layers is not None else {}), **more}
        graph = Graph().with_node("canvas", NodeRecord.new("image.canvas", params=params))
        self.document = GraphDocument(graph, assets=AssetStore(folder / "assets"))
        self.paint = PaintDocument(self.document.undo_stack)
        self.keeper = LayerKeeper(self.document, self.paint)
        self.errors: list[ErrorInfo] = []
        self.keeper.noticed.connect(self.errors.append)

    def load(self, qtbot: QtBot) -> None:
        with qtbot.waitSignal(self.keeper.loaded):
            self.keeper.load("canvas")

    def keep(self, qtbot: QtBot) -> None:
        with qtbot.waitSignal(self.keeper.kept):
            self.keeper.keep()

    @property
    def records(self) -> Any:
        return self.document.graph.nodes["canvas"].params.get("layers")

    def read(self) -> Stack:
        """The layers as somebody else would read them from the document."""
        params = self.document.graph.nodes["canvas"].params
        return load_layers(params["layers"], self.document.assets, params["width"], params["height"]).stack


@pytest.fixture
def desk(qapp: Any, tmp_path: Path) -> Any:
    made: list[Desk] = []

    def make(layers: Any = None, **more: Any) -> Desk:
        made.append(Desk(tmp_path, layers, **more))
        return made[-1]

    yield make
    QThreadPool.globalInstance().waitForDone()
    qapp.processEvents()


MakeDesk = Callable[..., Desk]


def test_looking_at_layers_leaves_the_document_as_it_is(desk: MakeDesk, qtbot: QtBot) -> None:
    table = desk(ODD, width=9, height=9)
    before = table.document.graph.dumps()
    table.load(qtbot)
    assert [layer.id for layer in table.paint.stack.layers] == ["mask"]
    assert len(table.errors) == 5
    table.keep(qtbot)
    assert table.document.graph.dumps() == before


def test_what_can_not_be_shown_is_kept_beside_what_is_painted(desk: MakeDesk, qtbot: QtBot) -> None:
    table = desk(ODD, width=9, height=9)
    table.load(qtbot)
    table.paint.change_layer("mask", "Rename", name="Mine")
    table.keep(qtbot)
    assert table.records[0] == {"id": "mask", "kind": "mask", "name": "Mine", "blend_mode": "multiply"}
    assert [record for record in ODD if record not in table.records] == [ODD[2]]


def test_undoing_everything_brings_back_what_was_written(desk: MakeDesk, qtbot: QtBot) -> None:
    table = desk()
    before = table.document.graph.dumps()
    table.load(qtbot)
    table.paint.set_image(blocks(20, 10), "Blocks")
    table.keep(qtbot)
    assert len(table.records) == 1
    last = table.document.graph.dumps()
    table.paint.undo_stack.undo()
    table.keep(qtbot)
    assert table.document.graph.dumps() == before
    table.paint.undo_stack.redo()
    table.keep(qtbot)
    assert table.document.graph.dumps() == last


def test_an_undone_edit_of_the_graph_does_not_bring_back_older_layers(desk: MakeDesk, qtbot: QtBot) -> None:
    table = desk()
    table.load(qtbot)
    table.document.set_param("canvas", "left", 8)
    table.paint.set_image(blocks(20, 10))
    table.document.set_param("canvas", "left", 16)  # before the picture was noted
    table.keep(qtbot)
    table.document.undo_stack.undo()
    assert table.records is None
    with qtbot.waitSignal(table.keeper.kept):
        pass
    assert len(table.records) == 1


def test_what_is_painted_while_pixels_are_kept_is_kept_too(desk: MakeDesk, qtbot: QtBot) -> None:
    table = desk()
    table.load(qtbot)
    table.paint.set_image(blocks(20, 10))
    mask = table.paint.add_layer(LayerKind.MASK)
    ready: list[Any] = []
    table.keeper.keep()
    surface = table.paint.stack[mask].surface
    assert surface is not None
    table.paint.put_tiles(surface, Surface.from_array(np.ones((10, 20), np.float32)).tiles, "Fill")
    table.keeper.keep(lambda: ready.append(table.read()))
    qtbot.waitUntil(lambda: bool(ready))
    found = ready[0][mask].surface
    assert found is not None
    assert (found.to_array() == 1).all()


def test_what_waits_for_layers_happens_once_they_are_there(desk: MakeDesk, qtbot: QtBot) -> None:
    done: list[int] = []
    table = desk([{"id": "m", "kind": "mask"}], width=4, height=4)
    table.keeper.load("canvas")
    table.keeper.keep(lambda: done.append(len(table.paint.stack.layers)))
    assert not done
    qtbot.waitUntil(lambda: bool(done))
    assert done == [1]


def test_pixels_of_one_document_never_get_into_the_next(desk: MakeDesk, qtbot: QtBot) -> None:
    table = desk()
    table.load(qtbot)
    table.paint.set_image(blocks(20, 10))
    table.keeper.keep()  # at work when the other document comes
    other = Graph().with_node("canvas", NodeRecord.new("image.canvas", params={"left": 3}))
    table.document.new(other)
    table.load(qtbot)
    QThreadPool.globalInstance().waitForDone()
    qtbot.wait(20)
    assert table.document.graph.dumps() == other.dumps()
    assert table.paint.stack.size.isEmpty()


def test_a_canvas_that_is_too_large_is_said_and_left_alone(desk: MakeDesk, qtbot: QtBot) -> None:
    table = desk([{"id": "m", "kind": "mask"}], width=60_000, height=60_000)
    before = table.document.graph.dumps()
    table.load(qtbot)
    assert [error.code for error in table.errors] == ["ImageTooLarge"]
    table.keeper.keep_now()
    assert table.document.graph.dumps() == before


def test_a_full_disk_at_the_end_is_said_and_nothing_else_fails(
    desk: MakeDesk, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = desk()
    table.load(qtbot)
    table.paint.set_image(blocks(20, 10))

    def full(data: bytes) -> str:
        raise SaveFailed(path="assets", reason="No space left on device")

    monkeypatch.setattr(table.document.assets, "put", full)
    table.keeper.keep_now()
    assert [error.code for error in table.errors] == ["SaveFailed"]
