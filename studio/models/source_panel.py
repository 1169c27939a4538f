"""Any repository of Hugging Face, or any https address: what is there is listed before something is
fetched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from pipelines.engine.protocol import DownloadFile, SourceSeen
from pipelines.errors import ErrorInfo
from studio.engine.phases import memory_text
from studio.models.download_words import arrival_text
from studio.models.getting import Getting
from studio.models.offer_card import link
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.banner import Banner
from studio.widgets.choice_field import ChoiceField

SOURCE: Final = Qt.ItemDataRole.UserRole
SHOWN: Final = 300
"""Files that are shown of one kind."""
ROW: Final = 26
ROWS: Final = 12
"""Height of a row in px, and rows that are in sight at most."""


class SourcePanel(QWidget):
    """A field, what was found, and the button that fetches what is chosen of it."""

    def __init__(self, getting: Getting, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._getting = getting
        self.seen: SourceSeen | None = None
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("owner/name, or an https address"))
        self.field.setAccessibleName(tr("A repository of Hugging Face, or an https address"))
        self.field.setClearButtonEnabled(True)
        self.look = QPushButton(tr("See what is there"))
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self.field, 1)
        line.addWidget(self.look)
        self.banner = Banner()
        self.found = QFrame()
        self.found.setProperty("role", "card")
        self._fill_found()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(line)
        column.addWidget(self.banner)
        column.addWidget(self.found)
        self.found.hide()
        self.field.returnPressed.connect(self._look)
        self.look.clicked.connect(self._look)
        getting.downloads.seen.connect(self._show)
        getting.downloads.unseen.connect(self._fail)

    def _fill_found(self) -> None:
        self.title, self.words = QLabel(), QLabel()
        self.title.setProperty("role", "strong")
        self.words.setProperty("role", "hint")
        self.words.setWordWrap(True)
        self.page = link(tr("Open its page"), self._open_page)
        self.variant = ChoiceField()
        self.variant.setAccessibleName(tr("Weights"))
        self.variant.value_changed.connect(self._variant_chosen)
        self.tree = QTreeWidget()
        self.tree.setProperty("role", "boxed")
        self.tree.setHeaderLabels([tr("File"), tr("Size"), ""])
        self.tree.setAccessibleName(tr("What would be fetched"))
        self.tree.setIconSize(QSize(16, 16))
        self.tree.setUniformRowHeights(True)
        self.tree.header().setStretchLastSection(False)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for place in (1, 2):
            self.tree.header().setSectionResizeMode(place, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.currentItemChanged.connect(self._chosen)
        self.sum = QLabel()
        self.sum.setProperty("role", "hint")
        self.sum.setWordWrap(True)
        self.get = QPushButton(tr("Download"))
        self.get.clicked.connect(self._get)
        head = QHBoxLayout()
        head.addWidget(self.title)
        head.addStretch(1)
        head.addWidget(self.page)
        head.addWidget(self.variant)
        foot = QHBoxLayout()
        foot.setSpacing(12)
        foot.addWidget(self.sum, 1)
        foot.addWidget(self.get)
        column = QVBoxLayout(self.found)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.words)
        column.addWidget(self.tree)
        column.addLayout(foot)

    # --- asking ----------------------------------------------------------------------------------------

    @Slot()
    def _look(self) -> None:
        self._ask("")

    @Slot(object)
    def _variant_chosen(self, variant: str) -> None:
        self._ask(variant)

    def _ask(self, variant: str) -> None:
        text = self.field.text().strip()
        if text:
            self.banner.hide()
            self.look.setEnabled(False)
            self.look.setText(tr("Asking…"))
            self._getting.downloads.look(text, variant)

    def _answered(self) -> None:
        self.look.setEnabled(True)
        self.look.setText(tr("See what is there"))

    @Slot(object)
    def _fail(self, error: ErrorInfo) -> None:
        self._answered()
        self.found.hide()
        self.banner.show_error(error)

    # --- what is there ---------------------------------------------------------------------------------

    @Slot(object)
    def _show(self, seen: SourceSeen) -> None:
        self._answered()
        self.seen = seen
        self.title.setText(seen.name)
        self.words.setText(_told(seen))
        self.words.setVisible(bool(self.words.text()))
        self.page.setVisible(bool(seen.page))
        self.variant.set_choices([("", tr("Plain weights")), *((name, name) for name in seen.variants)])
        self.variant.set_value(seen.variant)
        self.variant.setVisible(bool(seen.variants))
        self._fill_tree(seen)
        self.found.show()

    def _fill_tree(self, seen: SourceSeen) -> None:
        self.tree.clear()
        if seen.files:
            whole = seen.folder
            count = tr("The whole model: {count} files", count=len(seen.files))
            title = count if whole else seen.files[0].path
            top = self._item(title, seen.bytes, seen.source, not whole and seen.files[0].pickled)
            self.tree.addTopLevelItem(top)
            for file in seen.files[:SHOWN] if whole else ():
                top.addChild(self._item(file.path, file.bytes, "", file.pickled))
        taken = {file.path for file in seen.files}
        for file in _others(seen.choices, taken if not seen.folder else set())[:SHOWN]:
            self.tree.addTopLevelItem(self._item(file.path, file.bytes, file.source, file.pickled))
        rows = min(max(self.tree.topLevelItemCount() + 1, 4), ROWS)
        self.tree.setFixedHeight(current_theme().px(ROW * (rows + 1)))
        if (first := self.tree.topLevelItem(0)) is not None:
            self.tree.setCurrentItem(first)
        self._chosen()

    def _item(self, name: str, size: int | None, source: str, pickled: bool) -> QTreeWidgetItem:
        item = QTreeWidgetItem([name, memory_text(size) if size else "", tr("pickle") if pickled else ""])
        item.setData(0, SOURCE, source)
        item.setToolTip(0, name)
        item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if pickled:
            item.setIcon(2, current_theme().icon("warning", "warn"))
            tip = tr("It holds a program. It is converted after it arrived, and never run.")
            item.setToolTip(2, tip)
        return item

    @Slot()
    def _chosen(self) -> None:
        """Say what the choice costs."""
        seen, source = self.seen, self._source()
        self.get.setEnabled(bool(source))
        if seen is None or not source:
            self.sum.setText(tr("Choose what is to be fetched."))
            return
        size = seen.bytes if source == seen.source else self._size(source)
        text = arrival_text(size, self._getting.downloads.rate)
        if size is not None and seen.free_bytes and size > seen.free_bytes:
            text = tr("{size}: more than the {free} that are free on the disk", size=text,
                      free=memory_text(seen.free_bytes))  # fmt: skip
        self.sum.setText(text)

    def _source(self) -> str:
        """What the chosen row is asked for by; a file of the whole model stands for the whole."""
        item = self.tree.currentItem()
        if item is None:
            return ""
        parent = item.parent()
        return str((parent or item).data(0, SOURCE) or "")

    def _size(self, source: str) -> int | None:
        choices = self.seen.choices if self.seen is not None else ()
        return next((file.bytes for file in choices if file.source == source), None)

    @Slot()
    def _get(self) -> None:
        seen, source = self.seen, self._source()
        if seen is None or not source:
            return
        whole = source == seen.source
        title = seen.name if whole else source.rsplit("/", 1)[-1]
        self._getting.downloads.start(source, title, variant=seen.variant if whole else "")

    @Slot()
    def _open_page(self) -> None:
        if self.seen is not None:
            self._getting.open_page(self.seen.page)


def _told(seen: SourceSeen) -> str:
    """What is to be known before: licence, terms, why there is no whole model."""
    parts = [
        tr("Licence as its page says: {licence}.", licence=seen.licence) if seen.licence else "",
        tr("Its terms must be accepted on its page first, and your access token is needed.")
        if seen.gated
        else "",
        tr(seen.reason) if not seen.files else "",
    ]
    return " ".join(part for part in parts if part)


def _others(choices: Sequence[DownloadFile], taken: set[str]) -> list[DownloadFile]:
    """Single files beside what stands in the list already."""
    return [file for file in choices if file.path.rsplit("/", 1)[-1] not in taken]
