"""Asks for the size that the canvas and all that lies on it is scaled to."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QSize, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QLabel, QPushButton, QWidget

from studio.mask.expansion import MAX_SIDE
from studio.mask.layer_document import MAX_PIXELS
from studio.mask.resample import Kernel
from studio.translate import tr
from studio.widgets.choice_field import ChoiceField
from studio.widgets.dialog import Dialog
from studio.widgets.field_row import FieldRow
from studio.widgets.number_field import NumberField

KERNELS: Final[tuple[tuple[Kernel, str], ...]] = (
    ("auto", "Sharp"),
    ("bilinear", "Soft"),
    ("nearest", "Hard pixels"),
)
MOST_PERCENT: Final = 10_000


class ScaleDialog(Dialog):
    """``size_chosen`` carries the size and the kernel. Width, height and percent follow each other as long as
    the proportions are kept."""

    size_chosen = Signal(QSize, str)

    def __init__(self, size: QSize, parent: QWidget | None = None) -> None:
        super().__init__(tr("Scale the canvas"), parent)
        self._before = size
        self.percent = NumberField(100.0, whole=False, minimum=0.01, maximum=MOST_PERCENT, step=5, unit="%")
        self.wide = NumberField(size.width(), minimum=1, maximum=MAX_SIDE, unit="px")
        self.high = NumberField(size.height(), minimum=1, maximum=MAX_SIDE, unit="px")
        self.keep = QCheckBox(tr("Keep the proportions"))
        self.keep.setChecked(True)
        self.kernel = ChoiceField([(kernel, tr(title)) for kernel, title in KERNELS])
        self.words = QLabel()
        self.words.setProperty("role", "body2")
        self.words.setWordWrap(True)
        self.words.setMinimumWidth(340)
        for row in (
            FieldRow(tr("Width"), self.wide),
            FieldRow(tr("Height"), self.high),
            self.keep,
            FieldRow(tr("Scale"), self.percent, tr("How large each side becomes.")),
            FieldRow(tr("Resampling"), self.kernel, tr("How pixels are made of those that are there.")),
            self.words,
        ):
            self.content.addWidget(row)
        cancel, self.go = QPushButton(tr("Cancel")), QPushButton(tr("Scale"))
        cancel.setAutoDefault(False)
        self.go.setProperty("role", "primary")
        self.go.setDefault(True)
        self.buttons.addWidget(cancel)
        self.buttons.addWidget(self.go)
        cancel.clicked.connect(self.reject)
        self.go.clicked.connect(self._chosen)
        self.wide.value_changed.connect(self._widened)
        self.high.value_changed.connect(self._heightened)
        self.percent.value_changed.connect(self._scaled)
        self.keep.toggled.connect(self._kept)
        self._say()
        self.wide.setFocus()
        self.wide.selectAll()

    @property
    def size_asked(self) -> QSize:
        """The size as it stands in the fields."""
        return QSize(int(self.wide.value()), int(self.high.value()))

    @Slot(object)
    def _widened(self, width: int) -> None:
        self._follow(width / self._before.width(), self.high, self._before.height())

    @Slot(object)
    def _heightened(self, height: int) -> None:
        self._follow(height / self._before.height(), self.wide, self._before.width())

    def _follow(self, factor: float, other: NumberField, length: int) -> None:
        if self.keep.isChecked():
            other.set_value(_side(length * factor))
            self.percent.set_value(round(factor * 100, 2))
        self._say()

    @Slot(object)
    def _scaled(self, percent: float) -> None:
        self.wide.set_value(_side(self._before.width() * percent / 100))
        self.high.set_value(_side(self._before.height() * percent / 100))
        self._say()

    @Slot(bool)
    def _kept(self, on: bool) -> None:
        self.percent.setEnabled(on)
        if on:
            self._widened(int(self.wide.value()))

    def _say(self) -> None:
        """What it was and what it becomes; one that is too large can't be chosen."""
        goal, before = self.size_asked, self._before
        text = tr(
            "From {width} × {height} px to {new_width} × {new_height} px. All layers and masks go along.",
            width=before.width(), height=before.height(), new_width=goal.width(), new_height=goal.height(),
        )  # fmt: skip
        fits = goal.width() * goal.height() <= MAX_PIXELS
        most = tr("That is too large: a canvas has {n} million pixels at most.", n=MAX_PIXELS // 10**6)
        self.words.setText(text if fits else most)
        self.go.setEnabled(fits and goal != before)

    @Slot()
    def _chosen(self) -> None:
        self.size_chosen.emit(self.size_asked, self.kernel.value())
        self.accept()


def _side(length: float) -> int:
    return min(MAX_SIDE, max(1, round(length)))
