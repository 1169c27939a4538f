"""All models of our list, one a row, narrowed by chips."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from pipelines.engine.protocol import ModelOffer
from studio.engine.phases import memory_text
from studio.models import download_words as words
from studio.models.download_row import DownloadParts
from studio.models.getting import Getting
from studio.models.offer_card import button_text, link
from studio.models.words import kind_text
from studio.translate import tr
from studio.widgets.flow import FlowLayout
from studio.widgets.layouts import empty

CHIPS: Final[tuple[tuple[str, str, Callable[[ModelOffer], bool]], ...]] = (
    ("diffusion", "Draw", lambda offer: offer.model_kind == "diffusion"),
    ("language", "Write", lambda offer: offer.model_kind == "language"),
    ("upscale", "Enlarge", lambda offer: offer.model_kind == "upscale"),
    ("fits", "Run here", lambda offer: offer.openable and offer.verdict in ("fits", "offload", None)),
    ("sell", "Pictures may be sold", lambda offer: offer.sell == "yes"),
)
"""Name, source text, which models it leaves. Chips of kinds exclude each other."""
KINDS: Final = ("diffusion", "language", "upscale")


class OfferRow(QFrame):
    """One model."""

    def __init__(self, offer: ModelOffer, getting: Getting) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.offer, self._getting = offer, getting
        title = QLabel(offer.title)
        title.setProperty("role", "strong")
        size = memory_text(offer.bytes) if offer.bytes else ""
        kind = QLabel(" · ".join(part for part in (kind_text(offer.model_kind), size) if part))
        kind.setProperty("role", "hint")
        self.button = QPushButton()
        self.button.clicked.connect(self._pressed)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(title)
        head.addWidget(kind)
        head.addStretch(1)
        text = QLabel(tr(offer.text))
        text.setProperty("role", "body2")
        text.setWordWrap(True)
        self.facts = QLabel()
        self.facts.setProperty("role", "hint")
        self.facts.setWordWrap(True)
        page = link(words.site_text(offer.page), lambda: getting.open_page(offer.page))
        page.setToolTip(offer.page)
        self.parts = DownloadParts(getting)
        left = QVBoxLayout()
        left.setSpacing(2)
        left.addLayout(head)
        left.addWidget(text)
        left.addWidget(self.facts)
        left.addWidget(page, 0, Qt.AlignmentFlag.AlignLeft)
        left.addWidget(self.parts)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 10, 12, 10)
        row.setSpacing(16)
        row.addLayout(left, 1)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignVCenter)

    def refresh(self) -> None:
        """Show what is known now."""
        offer, downloads = self.offer, self._getting.downloads
        measured = downloads.offers is not None and downloads.offers.measured
        self.facts.setText(" · ".join(facts_of(offer, measured)))
        self.facts.setToolTip("\n".join(part for part in (tr(offer.note), words.read_text(offer)) if part))
        told, here = downloads.of_source(offer.source, offer.variant), self._getting.here(offer)
        self.parts.show_download(told if here is None else None)
        self.button.setVisible(told is None or here is not None)
        draws = offer.model_kind == "diffusion" and self._getting.waiting.can_draw()
        self.button.setText(button_text(here is not None, draws))
        self.button.setAccessibleName(f"{self.button.text()}: {offer.title}")
        self.button.setEnabled(here is not None or offer.openable)
        unopened = tr("This version of Diptych can't open it yet.")
        self.button.setToolTip("" if self.button.isEnabled() else unopened)

    @Slot()
    def _pressed(self) -> None:
        self._getting.get(self.offer)


def facts_of(offer: ModelOffer, measured: bool) -> list[str]:
    """What a row says in its second line."""
    seconds = words.seconds_text(offer, measured) if offer.seconds is not None else ""
    parts = [
        tr("this version of Diptych can't open it yet") if not offer.openable else "",
        words.precision_text(offer) if offer.openable else "",
        tr("{time} a picture", time=seconds) if seconds else "",
        words.licence_text(offer),
        words.sold_text(offer),
        tr(offer.note).rstrip(".") if offer.sell == "limited" else "",
        tr("its terms must be accepted on its page first") if offer.gated else "",
    ]
    return [part for part in parts if part]


class OfferList(QWidget):
    """The rows, with the chips above."""

    def __init__(self, getting: Getting, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._getting = getting
        self.rows: list[OfferRow] = []
        self.chips: dict[str, QPushButton] = {}
        line = QWidget()
        flow = FlowLayout(line)
        for name, title, _ in CHIPS:
            chip = self.chips[name] = QPushButton(tr(title))
            chip.setProperty("role", "chip")
            chip.setCheckable(True)
            chip.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            chip.clicked.connect(lambda _=False, name=name: self._chosen(name))
            flow.addWidget(chip)
        self.none = QLabel(tr("No model of the list is like this."))
        self.none.setProperty("role", "body2")
        self._column = QVBoxLayout()
        self._column.setSpacing(8)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(line)
        column.addWidget(self.none)
        column.addLayout(self._column)

    def show_offers(self, offers: tuple[ModelOffer, ...]) -> None:
        """Other models, or other words of them."""
        empty(self._column)
        self.rows = [OfferRow(offer, self._getting) for offer in offers]
        for row in self.rows:
            self._column.addWidget(row)
        self.refresh()

    def refresh(self) -> None:
        """Show what is known now, of those that the chips leave."""
        wanted = [test for name, _, test in CHIPS if self.chips[name].isChecked()]
        for row in self.rows:
            row.refresh()
            row.setVisible(all(test(row.offer) for test in wanted))
        self.none.setVisible(bool(self.rows) and all(row.isHidden() for row in self.rows))

    def _chosen(self, name: str) -> None:
        if name in KINDS:
            for other in KINDS:
                self.chips[other].setChecked(other == name and self.chips[name].isChecked())
        self.refresh()
