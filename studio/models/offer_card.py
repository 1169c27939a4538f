"""A model that is suggested for this computer: what it costs to get, how it runs here, what its licence
says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from pipelines.engine.protocol import ModelOffer
from studio.models import download_words as words
from studio.models.download_row import DownloadParts
from studio.models.getting import Getting
from studio.theme import current_theme
from studio.translate import tr

LABELS: Final = {
    "Fast": ("Fast", "the least time for a picture"),
    "Balanced": ("Balanced", "good pictures without a long wait"),
    "Best": ("Best", "the best pictures this computer can make"),
}


BUTTON: Final = 32
"""Height of a card's button in px, whichever it is."""


class OfferCard(QFrame):
    """One card. ``primary``: its button is the one to press, where nothing speaks against it."""

    def __init__(self, offer: ModelOffer, getting: Getting, primary: bool) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.offer, self._getting = offer, getting
        label, meaning = LABELS[offer.label or "Balanced"]
        self.label = QLabel(tr(label))
        self.label.setProperty("role", "brass")
        self.label.setToolTip(tr(meaning))
        title = QLabel(offer.title)
        title.setProperty("role", "heading")
        title.setWordWrap(True)
        text = QLabel(tr(offer.text))
        text.setProperty("role", "body2")
        text.setWordWrap(True)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(1, 1)
        self.values: dict[str, QLabel] = {}
        """What is said, by its name."""
        self.button = QPushButton()
        self.button.setProperty("role", "compact" if primary else "")
        self.button.setStyleSheet(f"min-height: {current_theme().px(BUTTON)}px;")
        self.button.clicked.connect(self._pressed)
        self.parts = DownloadParts(getting)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(4)
        column.addWidget(self.label)
        column.addWidget(title)
        column.addWidget(text)
        column.addSpacing(8)
        column.addLayout(self._grid)
        column.addStretch(1)
        column.addSpacing(12)
        column.addWidget(self.button)
        column.addWidget(self.parts)
        self.setAccessibleName(f"{tr(label)}: {offer.title}")
        self._add_facts()

    def _add_facts(self) -> None:
        for name in ("Download", "A picture takes", "Runs with", "Licence", "Selling pictures"):
            self._add(name)
        page = link(words.host_text(self.offer.page), lambda: self._getting.open_page(self.offer.page))
        page.setToolTip(self.offer.page)
        self._row(tr("From"), page)
        if self.offer.gated:
            self._add("Terms")

    def _add(self, name: str) -> None:
        value = self.values[name] = QLabel()
        value.setWordWrap(True)
        self._row(tr(name), value)

    def _row(self, name: str, value: QWidget) -> None:
        label = QLabel(name)
        label.setProperty("role", "label")
        label.setContentsMargins(0, 2, 0, 0)  # so that it stands on the line of the larger value
        row = self._grid.rowCount()
        self._grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(value, row, 1)

    def refresh(self) -> None:
        """Show what is known now."""
        offer, downloads = self.offer, self._getting.downloads
        measured = downloads.offers is not None and downloads.offers.measured
        said = {
            "Download": words.arrival_text(offer.bytes, downloads.rate),
            "A picture takes": words.seconds_text(offer, measured),
            "Runs with": words.precision_text(offer),
            "Licence": words.licence_text(offer),
            "Selling pictures": words.selling_text(offer),
            "Terms": tr("must be accepted on its page first"),
        }
        for name, label in self.values.items():
            label.setText(said[name])
        self.values["Selling pictures"].setToolTip(tr(offer.note))
        self.values["Licence"].setToolTip(words.read_text(offer))
        told = downloads.of_source(offer.source, offer.variant)
        here = self._getting.here(offer)
        self.parts.show_download(told if here is None else None)
        self.button.setVisible(told is None or here is not None)
        self.button.setText(button_text(here is not None, self._getting.waiting.can_draw()))

    @Slot()
    def _pressed(self) -> None:
        self._getting.get(self.offer)


def button_text(here: bool, draws: bool) -> str:
    """What a click does."""
    if here:
        return tr("Use it")
    return tr("Get it and draw") if draws else tr("Get it")


def link(text: str, act: Callable[[], object]) -> QPushButton:
    """A text to press."""
    button = QPushButton(text)
    button.setProperty("role", "link")
    button.setProperty("flush", True)
    button.clicked.connect(act)
    return button
