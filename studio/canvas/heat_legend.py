"""The legend of the heat: what the colours mean, and the hottest nodes, each a click away."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QFontMetricsF, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from studio.canvas.heat import Heat, HeatOverlay, amount_text
from studio.canvas.style import CanvasStyle
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.layouts import discard

LISTED: Final = 8


class HeatScale(QWidget):
    """The colours from cold to hot."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(8)

    def paintEvent(self, event: QPaintEvent) -> None:
        style = CanvasStyle(current_theme())
        fill = QLinearGradient(0, 0, self.width(), 0)
        for step in range(9):
            fill.setColorAt(step / 8, style.heat(step / 8))
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(style.hairline(style.colour("line")))
        painter.setBrush(fill)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        painter.end()


class HeatRow(QPushButton):
    """One node: its name, a bar as long as its share, its number."""

    def __init__(self, heat: Heat, title: str) -> None:
        super().__init__()
        self.heat, self.title = heat, title
        self.setProperty("role", "link")
        self.setAccessibleName(f"{heat.rank}. {title}: {heat.text}")
        self.setToolTip(tr("Show this node"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        return QSize(current_theme().px(216), current_theme().px(22))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        theme = current_theme()
        style = CanvasStyle(theme)
        painter = QPainter(self)
        box = QRectF(self.rect()).adjusted(4, 0, -4, 0)
        number = theme.px(58)
        bar = QRectF(box.left(), box.bottom() - 4, max(3.0, (box.width() - number) * self.heat.share), 3)
        painter.fillRect(bar, style.heat(self.heat.share))
        painter.setFont(theme.font("label"))
        painter.setPen(style.colour("text"))
        metrics = QFontMetricsF(theme.font("label"))
        name = metrics.elidedText(
            f"{self.heat.rank}. {self.title}", Qt.TextElideMode.ElideRight, box.width() - number - 6
        )
        row = box.adjusted(0, 0, 0, -5)
        painter.drawText(row, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)
        painter.setPen(style.colour("text2"))
        painter.drawText(row, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self.heat.text)
        painter.end()


class HeatLegend(QFrame):
    """Lies over the lower left corner of the canvas while there is an overlay. ``node_chosen(node)``."""

    node_chosen = Signal(str)

    def __init__(self, overlay: HeatOverlay, over: QWidget) -> None:
        super().__init__(over)
        self._overlay, self._over = overlay, over
        self.setProperty("role", "floating")
        self.setAccessibleName(tr("Where time and memory go"))
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)
        self.heading, self.cold, self.hot = QLabel(), QLabel(), QLabel()
        self.note = QLabel()
        for label in (self.cold, self.hot, self.note):
            label.setProperty("role", "hint")
        self.note.setWordWrap(True)
        self.close_button = QToolButton()
        self.close_button.setIcon(current_theme().icon("close"))
        self.close_button.setIconSize(QSize(12, 12))
        self.close_button.setToolTip(tr("Hide times and memory"))
        self.close_button.setAccessibleName(tr("Hide times and memory"))
        self.close_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.close_button.clicked.connect(self._close)
        self.rows: list[HeatRow] = []
        head, ends = QHBoxLayout(), QHBoxLayout()
        head.addWidget(self.heading, 1)
        head.addWidget(self.close_button)
        ends.addWidget(self.cold)
        ends.addStretch(1)
        ends.addWidget(self.hot)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(10, 6, 6, 8)
        self._column.setSpacing(3)
        self._column.addLayout(head)
        self._column.addWidget(HeatScale())
        self._column.addLayout(ends)
        self._column.addWidget(self.note)
        overlay.changed.connect(self.refresh)
        self.hide()

    @Slot()
    def _close(self) -> None:
        if self._overlay.kind:
            self._overlay.toggle(self._overlay.kind)

    @Slot()
    def refresh(self) -> None:
        """Show the heat as it is measured now."""
        kind, heats = self._overlay.kind, self._overlay.heats
        self.setVisible(bool(kind))
        if not kind:
            return
        total = amount_text(self._overlay.total, kind) if heats else ""
        words = tr("Time, hottest first") if kind == "time" else tr("Memory of results, hottest first")
        self.heading.setText(f"{words} · {total}" if total else words)
        self.cold.setText("0")
        self.hot.setText(heats[0].text if heats else "")
        self.note.setText(tr("Nothing is known yet. Run the graph, and its nodes are measured."))
        self.note.setVisible(not heats)
        self._show_rows(heats[:LISTED])
        self.place()

    def _show_rows(self, heats: list[Heat]) -> None:
        if [row.heat for row in self.rows] == heats:
            return
        discard(self._column, self.rows)
        self.rows = []
        titles = self._overlay.titles()
        for heat in heats:
            row = HeatRow(heat, titles[heat.node])
            row.clicked.connect(self._row_clicked)
            self.rows.append(row)
            self._column.addWidget(row)
            row.show()

    @Slot()
    def _row_clicked(self) -> None:
        row = self.sender()
        if isinstance(row, HeatRow):
            self.node_chosen.emit(row.heat.node)

    def place(self) -> None:
        """To the lower left corner."""
        self._column.invalidate()
        self.adjustSize()
        self.move(12, max(12, self._over.height() - self.height() - 12))
        self.raise_()
