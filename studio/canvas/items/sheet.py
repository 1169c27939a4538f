"""What of a node's rows only its face decides: fields and words, put together once and painted often."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QStaticText

from studio.canvas.face import NodeFace, RowFace
from studio.canvas.items.texts import wrapped
from studio.canvas.lettering import LEFT, RIGHT, Lettering
from studio.canvas.style import CanvasStyle

Words = list[tuple[QPointF, QStaticText]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows of a face. ``marked`` are the names of inputs that are shown as wrong."""

    marked: frozenset[str]
    fields: QPainterPath
    wrong: QPainterPath
    """The outlines of fields with a wrong value."""
    words: tuple[tuple[Lettering, str, Words], ...]
    """By font and colour (the name of a token)."""
    hints: list[QRectF]
    """Bars where words are, for those too small to be read."""
    texts: list[QRectF]
    """The fields that stay to be seen then."""

    def paint(self, painter: QPainter, style: CanvasStyle) -> None:
        """All rows, to be read."""
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(style.mixed("bg1", "bg2", 0.75))
        painter.drawPath(self.fields)
        if not self.wrong.isEmpty():
            painter.setPen(style.hairline(style.colour("bad")))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPath(self.wrong)
        for lettering, colour, words in self.words:
            painter.setFont(lettering.font)
            painter.setPen(style.colour(colour))
            for at, text in words:
                painter.drawStaticText(at, text)

    def paint_hints(self, painter: QPainter, style: CanvasStyle) -> None:
        """All rows, too small to be read."""
        painter.setPen(Qt.PenStyle.NoPen)
        if self.texts:
            painter.setBrush(style.mixed("bg1", "bg2", 0.75))
            painter.drawRects(self.texts)
        painter.setBrush(style.colour("bg3"))
        painter.drawRects(self.hints)


class _Writer:
    """Puts the rows of a face together."""

    def __init__(self, style: CanvasStyle, marked: frozenset[str]) -> None:
        self.style, self.marked = style, marked
        self.fields, self.wrong = QPainterPath(), QPainterPath()
        self.words: dict[tuple[Lettering, str], Words] = {}
        self.hints: list[QRectF] = []
        self.texts: list[QRectF] = []

    def write(
        self, lettering: Lettering, colour: str, area: QRectF, text: str, side: Qt.AlignmentFlag
    ) -> None:
        if text:
            at = lettering.corner(area, text, side)
            self.words.setdefault((lettering, colour), []).append((at, lettering.laid_out(text)))

    def row(self, row: RowFace) -> None:
        m, label = self.style.metrics, self.style.labels
        line = QRectF(row.rect.x() + m.inset, row.rect.y(), row.rect.width() - 2 * m.inset, m.row)
        bad = row.input is not None and row.input.name in self.marked
        if row.box is not None:
            self.fields.addRoundedRect(row.box, 4, 4)
            if bad:
                self.wrong.addRoundedRect(row.box, 4, 4)
        if row.input is not None:
            room = row.rect.width() * (0.62 if row.output or row.value else 1.0) - m.inset
            self.write(label, "bad" if bad else "text2", line, label.elided(row.input.label, room), LEFT)
        if row.output is not None:
            self.write(label, "text2", line, row.output.label, RIGHT)
        if row.lines > 1 and row.box is not None:
            self.paragraph(row.box, row.value, row.lines)
        elif row.value:
            room = line.width() - label.width(row.label) - 10
            lettering = self.style.numbers if row.numeric else label
            self.write(lettering, "text", line, label.elided(row.value, room), RIGHT)

    def paragraph(self, box: QRectF, text: str, count: int) -> None:
        label, height = self.style.labels, self.style.metrics.line
        for index, words in enumerate(wrapped(text, label.font, box.width() - 12, count)):
            where = QRectF(box.x() + 6, box.y() + 4 + index * height, box.width() - 12, height)
            self.write(label, "text", where, words, LEFT)

    def hint(self, row: RowFace) -> None:
        m, label = self.style.metrics, self.style.labels
        middle = row.rect.y() + m.row / 2 - 2
        if row.box is not None and row.lines > 1:
            self.texts.append(row.box)
        if row.input is not None:
            self.hints.append(QRectF(m.inset, middle, min(label.width(row.input.label), 90.0), 5))
        if row.output is not None:
            width = min(label.width(row.output.label), 70.0)
            self.hints.append(QRectF(row.rect.width() - m.inset - width, middle, width, 5))


def sheet_of(face: NodeFace, style: CanvasStyle, marked: Collection[str] = ()) -> Sheet:
    """The sheet of a face; ``marked`` are inputs with a wrong value."""
    writer = _Writer(style, frozenset(marked))
    for row in face.rows:
        writer.row(row)
        writer.hint(row)
    words = tuple((lettering, colour, found) for (lettering, colour), found in writer.words.items())
    return Sheet(writer.marked, writer.fields, writer.wrong, words, writer.hints, writer.texts)
