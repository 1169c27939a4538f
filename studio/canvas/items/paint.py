"""How a node is painted, in three levels of detail. Functions only: a painter, a face, a state, a style."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPainterPath, QPen

from studio.canvas.face import NodeFace, PortFace
from studio.canvas.items.sheet import Sheet, sheet_of
from studio.canvas.items.texts import status_texts, wrapped
from studio.canvas.lettering import CENTRE, RIGHT
from studio.canvas.run_state import NodeState
from studio.canvas.style import BLOCK_DETAIL, FULL_DETAIL, CanvasStyle, hue_name
from studio.translate import tr

CATEGORY_ICONS = {
    "Text": "text", "Image": "image", "Mask": "mask", "Diffusion": "diffusion", "Language": "language",
    "Upscale": "upscale", "Control": "control", "Numbers": "number", "Number": "number", "Logic": "logic",
    "Group": "layers", "Lists": "list", "List": "list", "Models": "model", "Model": "model", "Files": "file",
    "Input and output": "file",
}  # fmt: skip

GAP = 4.0
"""Between thumbnails."""
LEAST_PICTURE = 48.0
COLD = 0.15
"""Up to this share of the heat a node keeps its own border."""
HEAT_TINT = 0.34
"""Opacity of the heat over a title: names stay readable."""
NAME_SHARE = 0.34
"""The part of a title that its name keeps when there is much to say about a run."""


@dataclass(slots=True)
class Marks:
    """What a gesture or a check puts on a node: not part of the document, nor of a run."""

    selected: bool = False
    hovered: bool = False
    lit_port: tuple[bool, str] | None = None
    refused: frozenset[tuple[bool, str]] = frozenset()
    """Ports that can't take the wire being drawn."""
    drawing: bool = False
    """A wire is being drawn."""
    problems: dict[str, str] = field(default_factory=dict)
    """Port or param name (empty: the node itself) -> text."""
    problem_count: int = 0
    heat: tuple[float, str] | None = None
    """Share of the hottest node's and the number, while the graph shows where its time or memory goes."""
    viewer: str = ""
    """Letters of the places in the viewer that it is sent to."""


def extra_height(face: NodeFace, state: NodeState, style: CanvasStyle, room: float = math.inf) -> float:
    """Height of thumbnail or text below the rows.

    Args:
        room: free pixels below the rows, down to the next node; what is shown shrinks to it.
    """
    m = style.metrics
    frame = m.inset - m.pad + 2
    if not face.shows_preview:
        return 0.0
    if state.pictures and face.picture_height:
        return face.picture_height + frame
    if state.pictures:
        size = state.pictures[0].size()
        count = len(state.pictures)
        each = (face.width - 2 * m.inset - GAP * (count - 1)) / count
        wanted = min(m.picture, max(24.0, each * size.height() / max(1, size.width())))
        return min(wanted, max(LEAST_PICTURE, room - frame)) + frame
    lines = shown_lines(face, state, style)
    if not lines:
        return 0.0
    fitting = (room - frame - 8) // m.line
    return min(lines, max(1, fitting)) * m.line + 8 + frame


def shown_lines(face: NodeFace, state: NodeState, style: CanvasStyle) -> int:
    """How many lines of text the node would like to show now."""
    if not face.text_lines or not face.shows_preview:
        return 0
    if face.streams:
        return face.text_lines if state.text or state.status == "running" else 0
    width = face.width - 2 * style.metrics.inset - 12
    return len(wrapped(state.text, style.label, width, face.text_lines)) if state.text else 0


def extra_area(face: NodeFace, style: CanvasStyle, height: float) -> QRectF:
    """Where thumbnail or text are, in a node of this height."""
    m = style.metrics
    frame = m.inset - m.pad + 2
    top = face.height - m.pad + 2
    return QRectF(m.inset, top, face.width - 2 * m.inset, height - face.height - frame)


def paint_node(
    painter: QPainter,
    face: NodeFace,
    state: NodeState,
    marks: Marks,
    style: CanvasStyle,
    height: float,
    zoom: float,
    sheet: Sheet | None = None,
) -> None:
    """Paint a node with its top left corner at (0, 0). ``sheet``: that of its face, if there is one."""
    body = QRectF(0, 0, face.width, height)
    if zoom < BLOCK_DETAIL:
        _block(painter, body, face, state, marks, style)
        return
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    if face.mode == "muted":
        painter.setOpacity(0.4)
    radius = style.metrics.radius
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(style.colour("bg1"))
    painter.drawRoundedRect(body, radius, radius)
    _title(painter, face, state, marks, style, zoom)
    full = zoom >= FULL_DETAIL
    rows = sheet or sheet_of(face, style, marks.problems)
    if full:
        rows.paint(painter, style)
    else:
        rows.paint_hints(painter, style)
    _extra(painter, face, state, marks, style, height, full)
    if face.mode == "bypassed":
        _stripes(painter, body, style)
    _border(painter, body, face, state, marks, style)
    painter.setOpacity(0.4 if face.mode == "muted" else 1.0)
    for port in face.ports:
        _port(painter, port, marks, style, full)
    painter.setOpacity(1.0)
    if marks.viewer:
        _viewer_plate(painter, marks.viewer, style)
    _badge(painter, face, state, marks, style)


def _viewer_plate(painter: QPainter, letters: str, style: CanvasStyle) -> None:
    """The letters under which the viewer shows it, on the corner of the node."""
    height = 15.0
    width = max(height, style.labels.width(letters) + 8)
    box = QRectF(-7, -height * 0.6, width, height)
    painter.setPen(QPen(style.colour("brass"), 1.2))
    painter.setBrush(style.colour("bg1"))
    painter.drawRoundedRect(box, 4, 4)
    painter.setPen(style.colour("text"))
    style.labels.paint(painter, box, letters, CENTRE)


def _stripes(painter: QPainter, body: QRectF, style: CanvasStyle) -> None:
    """Diagonal stripes: the node is passed by."""
    outline = QPainterPath()
    outline.addRoundedRect(body, style.metrics.radius, style.metrics.radius)
    painter.save()
    painter.setClipPath(outline, Qt.ClipOperation.IntersectClip)
    painter.setPen(QPen(style.colour("text", 0.2), 3))
    x = -body.height()
    while x < body.width():
        painter.drawLine(QPointF(x, body.height()), QPointF(x + body.height(), 0))
        x += 12
    painter.restore()


def _block(
    painter: QPainter, body: QRectF, face: NodeFace, state: NodeState, marks: Marks, style: CanvasStyle
) -> None:
    """A node from far away: a card, a strip in its hue, its picture."""
    if face.mode == "muted":
        painter.setOpacity(0.4)
    painter.fillRect(body, style.colour("bg1"))
    strip = QRectF(0, 0, body.width(), style.metrics.title * 1.4)
    painter.fillRect(strip, style.mixed("bg2", hue_name(face.hue), 0.45))
    if state.pictures and face.shows_preview:
        _pictures(painter, face, state, style, body.height())
    if marks.heat is not None:
        _block_heat(painter, body, marks.heat, style)
    colour, width = _border_colour(face, state, marks, style)
    painter.setPen(style.hairline(colour, width))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(body)


def _block_heat(painter: QPainter, body: QRectF, heat: tuple[float, str], style: CanvasStyle) -> None:
    """Colour and number that can be read from far away."""
    share, text = heat
    tint = style.heat(share)
    tint.setAlphaF(0.5)
    painter.fillRect(body, tint)
    if not text:
        return
    font = QFont(style.number)
    side = min(body.height() * 0.42, body.width() * 1.5 / len(text))
    font.setPixelSize(max(8, round(side)))
    painter.setFont(font)
    painter.setPen(style.colour("text"))
    painter.drawText(body, Qt.AlignmentFlag.AlignCenter, text)


def _title(
    painter: QPainter, face: NodeFace, state: NodeState, marks: Marks, style: CanvasStyle, zoom: float
) -> None:
    m = style.metrics
    top = title_outline(face.width, m.title, m.radius)
    painter.setBrush(style.mixed("bg2", "bg3", 0.6) if marks.hovered else style.colour("bg2"))
    painter.drawPath(top)
    if marks.heat is not None:
        tint = style.heat(marks.heat[0])
        tint.setAlphaF(HEAT_TINT)
        painter.setBrush(tint)
        painter.drawPath(top)
    painter.fillRect(QRectF(0, m.title - 1, face.width, 1), style.colour("line", 0.5))
    if state.status == "running":
        painter.fillRect(QRectF(0, m.title - 2, face.width, 2), style.colour("bg3"))
        painter.fillRect(QRectF(0, m.title - 2, face.width * state.fraction, 2), style.hue(face.hue))
    left = 30.0
    icon = CATEGORY_ICONS.get(face.category, "info" if face.known else "help")
    side = 16
    ratio = max(1.0, zoom) * painter.device().devicePixelRatio()
    pixmap = style.theme.pixmap(icon, side, hue_name(face.hue), ratio)
    painter.drawPixmap(QRectF(8, (m.title - side) / 2, side, side), pixmap, QRectF(pixmap.rect()))
    right = _title_right(painter, face, state, marks, style)
    painter.setPen(style.colour("text"))
    room = right - left - 6
    style.titles.paint(painter, QRectF(left, 0, room, m.title), style.titles.elided(face.title, room))


@lru_cache(256)
def title_outline(width: float, height: float, radius: float) -> QPainterPath:
    """The upper part of a node: round above, square below."""
    path = QPainterPath(QPointF(0, height))
    path.lineTo(0, radius)
    path.arcTo(QRectF(0, 0, 2 * radius, 2 * radius), 180, -90)
    path.arcTo(QRectF(width - 2 * radius, 0, 2 * radius, 2 * radius), 90, -90)
    path.lineTo(width, height)
    path.closeSubpath()
    return path


def _title_right(
    painter: QPainter, face: NodeFace, state: NodeState, marks: Marks, style: CanvasStyle
) -> float:
    """Time, progress, and small marks; gives where they begin."""
    m = style.metrics
    right = face.width - (18 if marks.problem_count or state.failures else 10)
    if state.status == "cached":
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(style.colour("good"))
        painter.drawEllipse(QPointF(right - 3, m.title / 2), 3, 3)
        right -= 12
    if state.warnings:
        side = 14
        pixmap = style.theme.pixmap("warning", side, "warn", 2 * painter.device().devicePixelRatio())
        painter.drawPixmap(
            QRectF(right - side, (m.title - side) / 2, side, side), pixmap, QRectF(pixmap.rect())
        )
        right -= side + 4
    texts = status_texts(state) if marks.heat is None else [marks.heat[1]]
    text = texts[0]
    if len(texts) > 1:
        wanted = style.titles.width(face.title)
        room = right - 36 - min(wanted, face.width * NAME_SHARE)
        fitting = (way for way in texts if style.numbers.width(way) < room)
        text = next(fitting, texts[-1])
    if text:
        width = style.numbers.width(text) + 2
        quiet = "text2" if marks.heat is None else "text"
        painter.setPen(style.colour("bad" if state.status == "failed" else quiet))
        style.numbers.paint(painter, QRectF(right - width, 0, width, m.title), text, RIGHT)
        right -= width + 4
    return right


def _paragraph(
    painter: QPainter, box: QRectF, text: str, count: int, style: CanvasStyle, *, tail: bool = False
) -> None:
    painter.setPen(style.colour("text"))
    height = style.metrics.line
    for index, words in enumerate(wrapped(text, style.label, box.width() - 12, count, tail=tail)):
        where = QRectF(box.x() + 6, box.y() + 4 + index * height, box.width() - 12, height)
        style.labels.paint(painter, where, words)


def _extra(
    painter: QPainter, face: NodeFace, state: NodeState, marks: Marks, style: CanvasStyle, height: float,
    full: bool,
) -> None:  # fmt: skip
    if state.pictures and face.shows_preview:
        _pictures(painter, face, state, style, height)
        if marks.hovered and full:
            _grip(painter, QPointF(face.width, height), style)
    elif shown_lines(face, state, style):
        box = extra_area(face, style, height)
        lines = max(1, round((box.height() - 8) / style.metrics.line))
        path = QPainterPath()
        path.addRoundedRect(box, 4, 4)
        painter.fillPath(path, style.colour("bg0"))
        painter.fillRect(QRectF(box.x(), box.y() + 4, 2, box.height() - 8), style.hue(face.hue))
        if full:
            running = state.status == "running"
            text = state.text or tr("Writing…")
            _paragraph(painter, box.adjusted(4, 0, 0, 0), text, lines, style, tail=running)


def _pictures(painter: QPainter, face: NodeFace, state: NodeState, style: CanvasStyle, height: float) -> None:
    area = extra_area(face, style, height)
    count = len(state.pictures)
    each = (area.width() - GAP * (count - 1)) / count
    painter.fillRect(area, style.colour("bg0"))
    for index, picture in enumerate(state.pictures):
        cell = QRectF(area.x() + index * (each + GAP), area.y(), each, area.height())
        _fitted(painter, cell, picture)
    if state.count > count:
        painter.setFont(style.label)
        painter.setPen(style.colour("text"))
        flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom
        painter.drawText(area.adjusted(0, 0, -4, -2), flags, f"+{state.count - count}")


def _grip(painter: QPainter, corner: QPointF, style: CanvasStyle) -> None:
    """Two slanting lines in the corner that can be dragged."""
    painter.setPen(QPen(style.colour("text2"), 1.5))
    for size in (5.0, 9.0):
        painter.drawLine(corner - QPointF(3 + size, 3), corner - QPointF(3, 3 + size))


def _fitted(painter: QPainter, cell: QRectF, picture: QImage) -> None:
    size = picture.size().scaled(
        QSize(round(cell.width()), round(cell.height())), Qt.AspectRatioMode.KeepAspectRatio
    )
    corner = QPointF(cell.center().x() - size.width() / 2, cell.center().y() - size.height() / 2)
    painter.drawImage(QRectF(corner, size.toSizeF()), picture)


def _border_colour(
    face: NodeFace, state: NodeState, marks: Marks, style: CanvasStyle
) -> tuple[QColor, float]:
    if marks.selected:
        return style.colour("brass"), 2.0
    if marks.heat is not None and marks.heat[0] > COLD:
        return style.heat(marks.heat[0]), 2.0
    if state.status == "failed" or marks.problem_count:
        return style.colour("bad"), 1.5
    if state.status == "running":
        return style.mixed("line", hue_name(face.hue), 0.85), 1.5
    if not face.known:
        return style.colour("warn"), 1.0
    return style.colour("text3" if marks.hovered or state.stale else "line"), 1.0


def _border(
    painter: QPainter, body: QRectF, face: NodeFace, state: NodeState, marks: Marks, style: CanvasStyle
) -> None:
    colour, width = _border_colour(face, state, marks, style)
    pen = style.hairline(colour, width * painter.device().devicePixelRatio() if width > 1 else 1)
    if (state.stale and not marks.selected) or not face.known:
        pen.setDashPattern([4, 3])
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(body, style.metrics.radius, style.metrics.radius)
    if state.stale and marks.selected:
        dashed = style.hairline(style.colour("text3"))
        dashed.setDashPattern([4, 3])
        painter.setPen(dashed)
        painter.drawRoundedRect(
            body.adjusted(3, 3, -3, -3), style.metrics.radius - 3, style.metrics.radius - 3
        )


def _port(painter: QPainter, port: PortFace, marks: Marks, style: CanvasStyle, full: bool) -> None:
    key = (port.is_output, port.name)
    opacity = painter.opacity() if key in marks.refused else 1.0
    if key in marks.refused:
        painter.setOpacity(opacity * 0.22)
    quiet = port.quiet and not (marks.hovered or marks.lit_port == key or marks.drawing)
    if full:
        style.paint_port(
            painter, port.at, port.type, linked=port.linked, lit=marks.lit_port == key, quiet=quiet
        )
    elif quiet:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(style.colour("line"))
        painter.drawEllipse(port.at, style.metrics.port * 0.6, style.metrics.port * 0.6)
    else:
        painter.setPen(QPen(style.colour("bg0"), 1))
        painter.setBrush(style.hue(port.type))
        painter.drawEllipse(port.at, style.metrics.port, style.metrics.port)
    if key in marks.refused:
        painter.setOpacity(opacity)


def _badge(painter: QPainter, face: NodeFace, state: NodeState, marks: Marks, style: CanvasStyle) -> None:
    """The number of problems, on the corner of the node."""
    count = marks.problem_count + state.failures
    if not count:
        return
    radius = 9.0
    centre = QPointF(face.width - 4, 3)
    painter.setPen(QPen(style.colour("bg0"), 2))
    painter.setBrush(style.colour("bad"))
    painter.drawEllipse(centre, radius, radius)
    painter.setPen(style.colour("bg0"))
    box = QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius)
    style.numbers.paint(painter, box, str(count) if count < 100 else "99", CENTRE)
