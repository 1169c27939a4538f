"""How quickly a stroke is felt: from a pointer's event to the end of the repaint that shows it."""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import asdict, dataclass

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QLinearGradient, QMouseEvent, QPainter
from PySide6.QtWidgets import QApplication

from studio.mask.canvas_view import CanvasView
from studio.mask.layers import LayerKind
from studio.mask.paint_document import PaintDocument
from studio.mask.tool_settings import ToolSettings

STEP = 9.0
"""Pixels of the view between two events: a quick hand at 125 events a second."""


@dataclass(frozen=True, slots=True)
class StrokeLatency:
    """Milliseconds from event to repaint over many events, and of the release that ends a stroke.

    ``cpu`` counts only the time this thread was at work: what an idle machine would take.
    """

    p50_ms: float
    p99_ms: float
    worst_ms: float
    cpu_p50_ms: float
    cpu_p99_ms: float
    release_ms: float
    events: int


def measure_stroke_latency(
    side: int = 2048,
    brush: float = 300.0,
    *,
    hardness: float = 0.0,
    strokes: int = 4,
    events: int = 150,
    scale: float | None = None,
    paint: bool = False,
) -> StrokeLatency:
    """Paint strokes with real events on a canvas of ``side``² px, shown in a view of 1280 × 800.

    Args:
        scale: of the view; fitted without it.
        paint: on a colour layer instead of a mask.
    """
    view = _view(side, brush, hardness, LayerKind.PAINT if paint else LayerKind.MASK)
    if scale is not None:
        view.zoom_to(scale, view.transform_.middle)
    while not (view.isVisible() and view.complete):
        QApplication.processEvents()
    QApplication.processEvents()
    times: list[float] = []
    worked: list[float] = []
    releases: list[float] = []
    for stroke in range(strokes):
        _send(view, QEvent.Type.MouseButtonPress, _way(view, stroke, 0))
        for index in range(1, events):
            start, work = time.perf_counter(), time.thread_time()
            _send(view, QEvent.Type.MouseMove, _way(view, stroke, index))
            times.append((time.perf_counter() - start) * 1000)
            worked.append((time.thread_time() - work) * 1000)
        start = time.perf_counter()
        _send(view, QEvent.Type.MouseButtonRelease, _way(view, stroke, events))
        releases.append((time.perf_counter() - start) * 1000)
    view.close()
    return StrokeLatency(
        _quantile(times, 0.5), _quantile(times, 0.99), max(times),
        _quantile(worked, 0.5), _quantile(worked, 0.99), max(releases), len(times),
    )  # fmt: skip


def _quantile(values: list[float], part: float) -> float:
    return sorted(values)[int(len(values) * part)]


def _view(side: int, brush: float, hardness: float, kind: LayerKind) -> CanvasView:
    image = QImage(side, side, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    gradient = QLinearGradient(0, 0, side, side)
    gradient.setColorAt(0, Qt.GlobalColor.darkCyan)
    gradient.setColorAt(1, Qt.GlobalColor.lightGray)
    painter.fillRect(image.rect(), gradient)
    painter.end()
    document, settings = PaintDocument(), ToolSettings()
    document.set_image(image)
    document.add_layer(kind)
    settings.change_brush(size=brush, hardness=hardness, opacity=0.9, flow=0.6)
    view = CanvasView(document, settings)
    document.setParent(view)
    settings.setParent(view)
    view.resize(1280, 800)
    view.show()
    return view


def _way(view: CanvasView, stroke: int, index: int) -> QPointF:
    """A spiral round the middle of the view."""
    turn, radius = index * STEP / 180 + stroke, 180 + 40 * math.sin(index / 25)
    return view.transform_.middle + QPointF(radius * math.cos(turn), radius * math.sin(turn))


def _send(view: CanvasView, kind: QEvent.Type, at: QPointF) -> None:
    """One event, and the repaint that it asks for."""
    moves = kind == QEvent.Type.MouseMove
    button = Qt.MouseButton.NoButton if moves else Qt.MouseButton.LeftButton
    held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else Qt.MouseButton.LeftButton
    shown = QPointF(view.mapToGlobal(QPoint(0, 0))) + at
    event = QMouseEvent(kind, at, shown, button, held, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(view, event)
    QApplication.processEvents()


def main(side: str, layer: str) -> int:
    """Measure, and print one JSON object."""
    app = QApplication([])
    print(json.dumps(asdict(measure_stroke_latency(int(side), paint=layer == "paint"))), flush=True)
    app.quit()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
