"""A window with the Canvas workspace, a bridge that plays the engine, and a hand at the canvas."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from pipelines.engine.protocol import NodeFinished, ValueRef
from pipelines.graph.document import Graph
from studio.app import StudioApp
from studio.mask.surface import image_array
from tests.helpers.mask_hand import MaskHand
from tests.helpers.studio_fakes import FakeBridge

Open = Callable[..., tuple[StudioApp, FakeBridge]]
SIDE = 64


def noise(side: int = SIDE, seed: int = 1) -> QImage:
    """A picture in which every pixel is its own."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 4), np.uint8)
    pixels[..., 3] = 255
    return QImage(pixels.data, side, side, side * 4, QImage.Format.Format_RGB32).copy()


def plain(colour: str, side: int = SIDE) -> QImage:
    image = QImage(side, side, QImage.Format.Format_RGB32)
    image.fill(QColor(colour))
    return image


class Stage:
    """The Canvas of a studio, and what a person does there."""

    def __init__(self, qtbot: QtBot, studio: StudioApp, bridge: FakeBridge) -> None:
        self.qtbot, self.studio, self.bridge = qtbot, studio, bridge
        self.window, self.document = studio.window, studio.parts.document
        self.window.show_workspace("canvas")
        self.page: Any = self.window.canvas_page
        self.hand = MaskHand(self.page.canvas)
        self._count = itertools.count(1)

    def open(self, image: QImage | None = None) -> None:
        """Put a picture on the canvas, at a scale that a mouse can aim at."""
        self.page.open_image(image or noise(), "Noise")
        self.page.canvas.view.zoom_to(4.0, QPointF(0, 0))
        self.page.canvas.view.transform_.centre = QPointF(SIDE / 2, SIDE / 2)
        self.page.canvas.settings.change_brush(size=12, hardness=1.0, spacing=0.1)
        self.page.canvas.view.setFocus()

    def stroke(self, start: tuple[float, float] = (20, 32), end: tuple[float, float] = (44, 32)) -> None:
        """Brush over the mask."""
        self.hand.drag([start, ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2), end])

    def kept(self) -> Graph:
        """The document once it holds what is painted."""
        with self.qtbot.waitSignal(self.page.keeper.kept):
            self.page.keeper.keep()
        return self.document.graph

    @property
    def layers(self) -> Any:
        return self.document.graph.nodes[self.page.keeper.node].params.get("layers", [])

    def picture(self) -> np.ndarray:
        """What is painted, as H×W×4 bytes."""
        return image_array(self.page.paint.flattened())

    # --- runs ------------------------------------------------------------------------------------------

    def press(self, widget: Any) -> None:
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton)

    def generate(self) -> str:
        """Press Generate, and give the job."""
        before = len(self.bridge.submitted)
        self.press(self.page.form.button)
        self.qtbot.waitUntil(lambda: len(self.bridge.submitted) > before)
        return self.bridge.submitted[-1][0]

    def tell_made(self, job: str, *images: QImage, node: str = "save", seeds: tuple[int, ...] = ()) -> None:
        """The node that was asked for has made pictures."""
        infos = tuple({"seed": seed, "prompt": "a hat"} for seed in seeds or range(len(images)))
        value = ValueRef(type="Image", images=tuple(map(self.bridge.ref, images)), infos=infos)
        outputs = {"image": value}
        self.bridge.node_finished.emit(
            NodeFinished(job=job, node=node, status="executed", outputs=outputs, seconds=0.1)
        )

    def finish(self, job: str, *images: QImage, **more: Any) -> None:
        """A run ends with these pictures, and they are shown."""
        self.tell_made(job, *images, **more)
        self.bridge.tell_finished(job)
        self.qtbot.waitUntil(lambda: len(self.page.runs.candidates.items) == len(images))


@pytest.fixture
def stage(qtbot: QtBot, open_studio: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """An empty canvas, with pixels kept in a folder of its own."""
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))
    studio, bridge = open_studio()
    bridge.tell_ready()
    return Stage(qtbot, studio, bridge)
