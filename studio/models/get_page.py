"""Get models: what suits this computer, what arrives, the whole list, and a field for any other source."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from studio.engine.phases import memory_text
from studio.models.download_row import DownloadRow
from studio.models.getting import Getting
from studio.models.offer_card import OfferCard, link
from studio.models.offer_rows import OfferList
from studio.models.source_panel import SourcePanel
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.layouts import empty

WIDEST = 1080
"""Pixels of the column at most, at the usual size of text."""
SLOW = 300.0
"""Seconds a picture from which it is said that all of the cards are slow."""
FIRST = ("Balanced", "Best", "Fast")
"""Whose button is the one to press: that of the first of these there is."""


class GetPage(QScrollArea):
    """Shows what :class:`Getting` knows, and asks it for changes."""

    def __init__(self, getting: Getting, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._getting = getting
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.cards: list[OfferCard] = []
        self.rows: dict[str, DownloadRow] = {}
        self.list, self.source = OfferList(getting), SourcePanel(getting)
        self._lay_out()
        getting.changed.connect(self.refresh)
        getting.downloads.judged.connect(self._judged)
        getting.downloads.progressed.connect(self._went_on)
        getting.waiting.changed.connect(self.refresh)
        self._judged()
        self.refresh()

    def _lay_out(self) -> None:
        page = QWidget()
        page.setProperty("role", "stage")
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        self.title = _heading(tr("For this computer"), "title")
        self.device = QLabel()
        self.device.setProperty("role", "body2")
        self.measure = link(tr("Measure how fast this computer is"), self._getting.measure)
        self.cards_box = QHBoxLayout()
        self.cards_box.setSpacing(16)
        self.offline = QLabel(tr("Nothing is downloaded: Diptych is to stay offline."))
        self.network = link(tr("Settings…"), self._getting.open_settings)
        self.none = QLabel()
        self.none.setProperty("role", "body2")
        self.none.setWordWrap(True)
        self.arriving = _heading(tr("Downloads"), "heading")
        self.arriving.setContentsMargins(0, 12, 0, 0)
        self.rows_box = QVBoxLayout()
        self.rows_box.setSpacing(8)
        line = QHBoxLayout()
        line.addWidget(self.device)
        line.addWidget(self.measure)
        line.addStretch(1)
        quiet = QHBoxLayout()
        quiet.setSpacing(12)
        quiet.addWidget(self.offline)
        quiet.addWidget(self.network)
        quiet.addStretch(1)
        column.addWidget(self.title)
        column.addLayout(line)
        column.addLayout(quiet)
        column.addLayout(self.cards_box)
        column.addWidget(self.none)
        column.addWidget(self.arriving)
        column.addLayout(self.rows_box)
        column.addSpacing(12)
        column.addWidget(_heading(tr("From anywhere else"), "heading"))
        column.addWidget(self.source)
        column.addSpacing(12)
        column.addWidget(_heading(tr("Models worth having"), "heading"))
        column.addWidget(self.list)
        column.addStretch(1)
        inner = QFrame()
        inner.setMaximumWidth(current_theme().px(WIDEST))
        inner.setLayout(column)
        across = QHBoxLayout(page)
        across.setContentsMargins(24, 20, 24, 24)
        across.addStretch(1)
        across.addWidget(inner, 100)
        across.addStretch(1)
        self.setWidget(page)
        self.setFocusProxy(self.source.field)

    def showEvent(self, event: QShowEvent) -> None:
        """What is free of the device's memory may be another than the last time."""
        super().showEvent(event)
        self._getting.downloads.judge()

    # --- what is shown ---------------------------------------------------------------------------------

    @Slot()
    def _judged(self) -> None:
        """Make cards and rows anew, if the engine says something else than before."""
        told = self._getting.downloads.offers
        offers = told.offers if told is not None else ()
        if self.isVisible():
            self._getting.estimate()
        if told is not None and tuple(row.offer for row in self.list.rows) == offers:
            return
        empty(self.cards_box)
        suggested = [offer for offer in offers if offer.label]
        labels = {offer.label for offer in suggested}
        first = next((label for label in FIRST if label in labels), "")
        self.cards = [OfferCard(offer, self._getting, offer.label == first) for offer in suggested]
        for card in self.cards:
            self.cards_box.addWidget(card, 1)
        self.list.show_offers(offers)
        self._put_focus(next((card for card in self.cards if card.offer.label == first), None))
        self.refresh()

    def _put_focus(self, card: OfferCard | None) -> None:
        """To the card that suits best, as soon as there is one; not from under who is typing."""
        waits = self.source.field.hasFocus() and not self.source.field.text()
        self.setFocusProxy(card.button if card is not None else self.source.field)
        if card is not None and waits:
            card.button.setFocus()

    @Slot()
    def refresh(self) -> None:
        """Show what is known now."""
        told = self._getting.downloads.offers
        if told is None:
            self.device.setText(tr("Looking at this computer…"))
        else:
            room = tr("{memory} of memory are free for models.", memory=memory_text(told.memory_bytes))
            how = tr("Times are estimates after a short measurement.") if told.quick else ""
            self.device.setText(" ".join(part for part in (room, how) if part))
        offline = self._getting.offline
        self.offline.setVisible(bool(offline))
        self.offline.setToolTip(tr(offline))
        self.network.setVisible(bool(offline))
        rough = told is not None and told.quick
        self.measure.setVisible(rough or (told is not None and not told.measured))
        self.measure.setText(tr("Measure it longer") if rough else tr("Measure how fast this computer is"))
        self.none.setVisible(told is not None and (not self.cards or self._are_slow()))
        self.none.setText(
            tr("Pictures of these models take long on this computer. The starter draws in seconds.")
            if self.cards
            else tr("None of the models worth having fits this computer. The starter draws on every one.")
        )
        for card in self.cards:
            card.refresh()
        self.list.refresh()
        self._show_rows()

    def _are_slow(self) -> bool:
        """Whether even the quickest of the cards takes longer than one waits for a picture."""
        times = [card.offer.seconds for card in self.cards if card.offer.seconds is not None]
        return bool(times) and min(least for least, _ in times) >= SLOW

    def _show_rows(self) -> None:
        """Downloads that stand in no card; those of the list are shown in their rows too."""
        downloads = self._getting.downloads
        in_cards = {(card.offer.source, card.offer.variant) for card in self.cards}
        wanted = {
            told.id: told for told in downloads.all.values() if (told.source, told.variant) not in in_cards
        }
        for name in [name for name in self.rows if name not in wanted]:
            row = self.rows.pop(name)
            row.hide()
            row.deleteLater()
        for name, told in wanted.items():
            if name not in self.rows:
                self.rows[name] = DownloadRow(self._getting)
                self.rows_box.addWidget(self.rows[name])
            self.rows[name].show_download(told)
        self.arriving.setVisible(bool(self.rows))

    @Slot(str)
    def _went_on(self, name: str) -> None:
        """One is further: only its own bars move."""
        told = self._getting.downloads.all.get(name)
        if told is None or not self.isVisible():
            return
        if name in self.rows:
            self.rows[name].show_download(told)
        for parts in [*(card.parts for card in self.cards), *(row.parts for row in self.list.rows)]:
            if parts.told is not None and parts.told.id == name:
                parts.show_download(told)


def _heading(text: str, role: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", role)
    return label
