"""How a node is painted, in three levels of detail. Functions only: a painter, a face, a state, a style."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPainterPath, QPen

from studio.canvas.face import NodeFace, PortFace, RowFace
from studio.canvas.items.texts import status_texts, wrapped
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
) -> None:
    """Paint a node with its top left corner at (0, 0)."""
    body = QRectF(0, 0, face.width, height)
    if zoom < BLOCK_DETAIL:
        _block(painter, body, face, state, marks, style)
        return
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    if face.mode == "muted":
        painter.setOpacity(0.4)
    outline = QPainterPath()
    outline.addRoundedRect(body, style.metrics.radius, style.metrics.radius)
    painter.fillPath(outline, style.colour("bg1"))
    _title(painter, outline, face, state, marks, style, zoom)
    full = zoom >= FULL_DETAIL
    for row in face.rows:
        if full:
            _row(painter, row, marks, style)
        else:
            _row_hint(painter, row, style)
    _extra(painter, face, state, marks, style, height, full)
    if face.mode == "bypassed":
        _stripes(painter, outline, style)
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
    height = 15 * style.metrics.scale
    width = max(height, style.label_metrics.horizontalAdvance(letters) + 8)
    box = QRectF(-7, -height * 0.6, width, height)
    painter.setPen(QPen(style.colour("brass"), 1.2))
    painter.setBrush(style.colour("bg1"))
    painter.drawRoundedRect(box, 4, 4)
    painter.setFont(style.label)
    painter.setPen(style.colour("text"))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, letters)


def _stripes(painter: QPainter, outline: QPainterPath, style: CanvasStyle) -> None:
    """Diagonal stripes: the node is passed by."""
    body = outline.boundingRect()
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
    painter: QPainter, outline: QPainterPath, face: NodeFace, state: NodeState, marks: Marks,
    style: CanvasStyle, zoom: float,
) -> None:  # fmt: skip
    m = style.metrics
    painter.save()
    painter.setClipPath(outline, Qt.ClipOperation.IntersectClip)
    ground = style.mixed("bg2", "bg3", 0.6) if marks.hovered else style.colour("bg2")
    painter.fillRect(QRectF(0, 0, face.width, m.title), ground)
    if marks.heat is not None:
        tint = style.heat(marks.heat[0])
        tint.setAlphaF(HEAT_TINT)
        painter.fillRect(QRectF(0, 0, face.width, m.title), tint)
    painter.fillRect(QRectF(0, m.title - 1, face.width, 1), style.colour("line", 0.5))
    if state.status == "running":
        track = QRectF(0, m.title - 2, face.width, 2)
        painter.fillRect(track, style.colour("bg3"))
        painter.fillRect(QRectF(0, m.title - 2, face.width * state.fraction, 2), style.hue(face.hue))
    painter.restore()
    left = 30 * m.scale
    icon = CATEGORY_ICONS.get(face.category, "info" if face.known else "help")
    side = round(16 * m.scale)
    ratio = max(1.0, zoom) * painter.device().devicePixelRatio()
    pixmap = style.theme.pixmap(icon, side, hue_name(face.hue), ratio)
    painter.drawPixmap(QRectF(8, (m.title - side) / 2, side, side), pixmap, QRectF(pixmap.rect()))
    right = _title_right(painter, face, state, marks, style)
    painter.setFont(style.title)
    painter.setPen(style.colour("text"))
    room = right - left - 6
    name = style.title_metrics.elidedText(face.title, Qt.TextElideMode.ElideRight, room)
    painter.drawText(
        QRectF(left, 0, room, m.title), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name
    )


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
        side = round(14 * m.scale)
        pixmap = style.theme.pixmap("warning", side, "warn", 2 * painter.device().devicePixelRatio())
        painter.drawPixmap(
            QRectF(right - side, (m.title - side) / 2, side, side), pixmap, QRectF(pixmap.rect())
        )
        right -= side + 4
    texts = status_texts(state) if marks.heat is None else [marks.heat[1]]
    text = texts[0]
    if len(texts) > 1:
        wanted = style.title_metrics.horizontalAdvance(face.title)
        room = right - 36 * m.scale - min(wanted, face.width * NAME_SHARE)
        fitting = (way for way in texts if style.number_metrics.horizontalAdvance(way) < room)
        text = next(fitting, texts[-1])
    if text:
        width = style.number_metrics.horizontalAdvance(text) + 2
        painter.setFont(style.number)
        quiet = "text2" if marks.heat is None else "text"
        painter.setPen(style.colour("bad" if state.status == "failed" else quiet))
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(QRectF(right - width, 0, width, m.title), flags, text)
        right -= width + 4
    return right


def _row(painter: QPainter, row: RowFace, marks: Marks, style: CanvasStyle) -> None:
    m = style.metrics
    line = QRectF(row.rect.x(), row.rect.y(), row.rect.width(), m.row)
    middle = Qt.AlignmentFlag.AlignVCenter
    painter.setFont(style.label)
    bad = row.input is not None and row.input.name in marks.problems
    if row.box is not None:
        field_path = QPainterPath()
        field_path.addRoundedRect(row.box, 4, 4)
        painter.fillPath(field_path, style.mixed("bg1", "bg2", 0.75))
        if bad:
            painter.setPen(style.hairline(style.colour("bad")))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPath(field_path)
    if row.input is not None:
        painter.setPen(style.colour("bad" if bad else "text2"))
        label_room = line.width() * (0.62 if row.output or row.value else 1.0) - m.inset
        label = style.label_metrics.elidedText(row.input.label, Qt.TextElideMode.ElideRight, label_room)
        painter.drawText(line.adjusted(m.inset, 0, -m.inset, 0), middle | Qt.AlignmentFlag.AlignLeft, label)
    if row.output is not None:
        painter.setPen(style.colour("text2"))
        painter.drawText(
            line.adjusted(m.inset, 0, -m.inset, 0), middle | Qt.AlignmentFlag.AlignRight, row.output.label
        )
    if row.lines > 1 and row.box is not None:
        _paragraph(painter, row.box, row.value, row.lines, style)
    elif row.value:
        used = style.label_metrics.horizontalAdvance(row.label) + 10
        room = line.width() - 2 * m.inset - used
        painter.setFont(style.number if row.numeric else style.label)
        painter.setPen(style.colour("text"))
        value = style.label_metrics.elidedText(row.value, Qt.TextElideMode.ElideRight, room)
        painter.drawText(line.adjusted(m.inset, 0, -m.inset, 0), middle | Qt.AlignmentFlag.AlignRight, value)


def _paragraph(
    painter: QPainter, box: QRectF, text: str, count: int, style: CanvasStyle, *, tail: bool = False
) -> None:
    painter.setFont(style.label)
    painter.setPen(style.colour("text"))
    height = style.metrics.line
    for index, words in enumerate(wrapped(text, style.label, box.width() - 12, count, tail=tail)):
        where = QRectF(box.x() + 6, box.y() + 4 + index * height, box.width() - 12, height)
        painter.drawText(where, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, words)


def _row_hint(painter: QPainter, row: RowFace, style: CanvasStyle) -> None:
    """A row too small to read: bars where its words are."""
    m = style.metrics
    middle = row.rect.y() + m.row / 2 - 2
    colour = style.colour("bg3")
    if row.box is not None and row.lines > 1:
        painter.fillRect(row.box, style.mixed("bg1", "bg2", 0.75))
    if row.input is not None:
        width = min(style.label_metrics.horizontalAdvance(row.input.label), 90.0)
        painter.fillRect(QRectF(m.inset, middle, width, 5), colour)
    if row.output is not None:
        width = min(style.label_metrics.horizontalAdvance(row.output.label), 70.0)
        painter.fillRect(QRectF(row.rect.width() - m.inset - width, middle, width, 5), colour)


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
    opacity = painter.opacity()
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
    painter.setOpacity(opacity)


def _badge(painter: QPainter, face: NodeFace, state: NodeState, marks: Marks, style: CanvasStyle) -> None:
    """The number of problems, on the corner of the node."""
    count = marks.problem_count + state.failures
    if not count:
        return
    radius = 9 * style.metrics.scale
    centre = QPointF(face.width - 4, 3)
    painter.setPen(QPen(style.colour("bg0"), 2))
    painter.setBrush(style.colour("bad"))
    painter.drawEllipse(centre, radius, radius)
    font = style.number
    painter.setFont(font)
    painter.setPen(style.colour("bg0"))
    box = QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(count) if count < 100 else "99")
