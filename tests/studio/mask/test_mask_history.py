"""Undo of strokes: exact, by changed tiles, two hundred of them under a byte cap."""

from __future__ import annotations

import gc

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QRect
from PySide6.QtGui import QUndoStack
from pytestqt.qtbot import QtBot

from studio.mask.brush import BrushSettings, StampCache
from studio.mask.history import History, PixelEdit, Step
from studio.mask.layers import LayerKind
from studio.mask.mask_canvas import MaskCanvas
from studio.mask.stroke import Ink, Stroke
from studio.mask.surface import Surface
from studio.mask.tile import TILE, Tile
from tests.helpers.mask_hand import MaskHand

STAMPS = StampCache()


def stroke(
    surface: Surface, points: list[tuple[float, float]], size: float = 80, erase: bool = False
) -> Step:
    drawn = Stroke(surface, BrushSettings(size=size, hardness=0.3, flow=0.7), Ink(erase), STAMPS)
    for x, y in points:
        drawn.add(x, y)
    drawn.finish()
    return Step(surface, surface.commit())


POINTS = st.lists(st.tuples(st.floats(0, 600), st.floats(0, 600)), min_size=1, max_size=4)


@settings(max_examples=20, deadline=None)
@given(
    strokes=st.lists(st.tuples(POINTS, st.booleans()), min_size=1, max_size=6),
    kind=st.sampled_from(["mask", "paint"]),
)
def test_undo_and_redo_are_exact(qapp: object, strokes: list, kind: str) -> None:
    surface, stack, history = Surface(600, 600, kind), QUndoStack(), History()
    states = [surface.read(surface.rect)]
    for points, erase in strokes:
        step = stroke(surface, points, erase=erase)
        history.add(step)
        stack.push(PixelEdit(step, "stroke", lambda rect: None))
        states.append(surface.read(surface.rect))
    history.pack(wait=True)
    for state in reversed(states[:-1]):
        stack.undo()
        assert np.array_equal(surface.read(surface.rect), state)
    for state in states[1:]:
        stack.redo()
        assert np.array_equal(surface.read(surface.rect), state)


def test_a_step_holds_only_the_tiles_it_changed() -> None:
    surface = Surface(4096, 4096, "mask")
    step = stroke(surface, [(300, 300), (350, 300)])
    assert set(step.changes) == {(1, 1), (0, 1), (1, 0), (0, 0)} & set(step.changes)
    assert len(surface.tiles) <= 4
    assert surface.nbytes <= 4 * TILE * TILE * 2


def test_two_hundred_strokes_undo_under_the_cap(qapp: object) -> None:
    limit = 64 * 2**20
    surface, stack, history = Surface(2048, 2048, "mask"), QUndoStack(), History(limit)
    random = np.random.default_rng(3)
    first = surface.read(surface.rect)
    for _ in range(210):
        start, way = random.uniform(200, 1800, 2), random.uniform(-150, 150, 2)
        step = stroke(
            surface, [tuple(start), tuple(start + way)], size=120, erase=bool(random.random() < 0.3)
        )
        history.add(step)
        stack.push(PixelEdit(step, "stroke", lambda rect: None))
    last = surface.read(surface.rect)
    assert history.nbytes <= limit
    assert len(history.steps) == 210
    for _ in range(210):
        stack.undo()
    assert np.array_equal(surface.read(surface.rect), first)
    for _ in range(210):
        stack.redo()
    assert np.array_equal(surface.read(surface.rect), last)


def test_the_oldest_steps_go_when_there_is_no_room(qapp: object) -> None:
    surface, stack, history = Surface(1024, 1024, "mask"), QUndoStack(), History(limit=400_000)
    for index in range(12):
        surface.begin()
        surface.draft((index % 4, index // 4))[:] = np.random.default_rng(index).integers(
            0, 65536, (TILE, TILE)
        )
        step = Step(surface, surface.commit())
        history.add(step)
        stack.push(PixelEdit(step, "noise", lambda rect: None))
    assert history.nbytes <= 400_000
    alive = len(history.steps)
    assert 0 < alive < 12
    for _ in range(12):
        stack.undo()
    assert len(surface.tiles) == 12 - alive
    assert stack.count() == alive


def test_what_the_stack_forgets_is_forgotten(qapp: object) -> None:
    surface, stack, history = Surface(512, 512, "mask"), QUndoStack(), History()
    step = stroke(surface, [(100, 100)])
    history.add(step)
    stack.push(PixelEdit(step, "stroke", lambda rect: None))
    del step
    assert len(history.steps) == 1
    stack.clear()
    gc.collect()
    assert history.steps == []
    assert history.nbytes == 0


def test_packing_loses_nothing_and_saves_much() -> None:
    surface = Surface(TILE, TILE, "mask")
    stroke(surface, [(128, 128)], size=200)
    tile = surface.tiles[0, 0]
    before = tile.pixels.copy()
    packed = tile.packed()
    tile.keep_packed(packed)
    assert tile.is_packed
    assert tile.nbytes < before.nbytes / 4
    assert np.array_equal(tile.pixels, before)
    noise = np.random.default_rng(0).integers(0, 256, (TILE, TILE, 4)).astype(np.uint8)
    other = Tile(noise.copy())
    other.keep_packed(other.packed())
    assert np.array_equal(other.pixels, noise)


def test_old_steps_are_packed_in_the_background(qtbot: QtBot, canvas: MaskCanvas, hand: MaskHand) -> None:
    for index in range(12):
        hand.drag([(20 + 12 * index, 30), (20 + 12 * index, 130)])

    def packed() -> bool:
        return any(tile.is_packed for step in canvas.document.history.steps for tile in step.tiles())

    qtbot.waitUntil(packed)
    for _ in range(12):
        canvas.document.undo_stack.undo()
    assert not hand.surface.tiles


def test_strokes_and_layers_share_one_stack(canvas: MaskCanvas, hand: MaskHand) -> None:
    document = canvas.document
    hand.drag([(60, 80), (120, 80)])
    first = document.stack.active
    document.add_layer(LayerKind.MASK)
    hand.drag([(60, 40), (120, 40)])
    document.remove_layer(document.stack.active)
    document.change_layer(first, "Opacity", "opacity", opacity=0.3)
    document.change_layer(first, "Opacity", "opacity", opacity=0.8)
    stack = document.undo_stack
    assert stack.count() == 5
    for _ in range(5):
        stack.undo()
    assert document.stack.active == first
    assert not hand.surface.tiles
    for _ in range(3):
        stack.redo()
    assert hand.values[40, 90] == 1
    assert document.stack[first].surface.to_array()[80, 90] == 1


def test_undoing_says_what_looks_different(canvas: MaskCanvas, hand: MaskHand) -> None:
    hand.drag([(60, 80), (120, 80)])
    areas: list[QRect] = []
    canvas.document.region_changed.connect(areas.append)
    canvas.document.undo_stack.undo()
    assert areas[0].contains(QRect(60, 70, 60, 20))


def test_undo_in_the_middle_of_a_stroke_ends_it(canvas: MaskCanvas, hand: MaskHand) -> None:
    hand.drag([(60, 80), (120, 80)])
    hand.press((60, 40))
    hand.move((120, 40))
    canvas.document.undo_stack.undo()
    hand.move((130, 40))
    hand.release((130, 40))
    assert not hand.surface.is_open
    assert not hand.values.any()
    canvas.document.undo_stack.redo()
    assert hand.values[80, 90] == 1
    assert hand.values[40, 90] == 0
