"""The detail pane: everything that is known of the model that is chosen, and what the user writes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from PySide6.QtCore import QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from pipelines.engine.protocol import Device, ModelDescribed, ModelInfo
from studio.background import in_background
from studio.models.detail_parts import HashPart, Links, ProblemCard, WorkLine
from studio.models.detail_rows import default_rows, fact_rows, subtitle
from studio.models.facts import Facts, Part, Words
from studio.models.notes import NotesEditor
from studio.models.thumbnails import LARGE, read
from studio.models.work import ModelWork
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.section import Section

LATER_MS: Final = 120
"""What has to be looked up is shown when the choice rests."""
PICTURE: Final = 180
Link = tuple[str, str, Callable[[], object]]


class Does(Protocol):
    """:class:`studio.models.actions.ModelActions`."""

    work: ModelWork

    def why_not(self, info: ModelInfo) -> str: ...
    def can_convert(self) -> bool: ...
    def use(self) -> None: ...
    def toggle_favourite(self) -> None: ...
    def hash(self) -> None: ...
    def verify(self) -> None: ...
    def convert(self) -> None: ...
    def reveal(self) -> None: ...
    def copy(self, text: str, what: str) -> None: ...


class DetailPane(QScrollArea):
    """``word_wanted`` carries a word to search for; ``menu_wanted`` where its menu opens; ``settled`` when
    the choice rests and used-by and duplicates are to be looked up."""

    word_wanted = Signal(str)
    menu_wanted = Signal(object)
    settled = Signal()
    defaults_wanted = Signal()
    defaults_dropped = Signal()

    def __init__(self, actions: Does, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._actions = actions
        self.info: ModelInfo | None = None
        self.device: Device | None = None
        self._picture = ""
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName(tr("Details of the model"))
        page = self._page = QWidget()
        page.setProperty("role", "scrolled")
        self._column = QVBoxLayout(page)
        self._column.setContentsMargins(16, 14, 16, 16)
        self._column.setSpacing(14)
        self._make_head()
        self._make_parts()
        self._column.addStretch(1)
        self.setWidget(page)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(LATER_MS)
        self._later.timeout.connect(self._settle)
        actions.work.changed.connect(self._show_work)
        actions.work.described.connect(self._described)

    # --- building --------------------------------------------------------------------------------------

    def _make_head(self) -> None:
        self.picture, self.title, self.subtitle = QLabel(), QLabel(), QLabel()
        self.picture.setAlignment(Qt.AlignmentFlag.AlignLeft)
        self.picture.hide()
        self.title.setProperty("role", "heading")
        self.subtitle.setProperty("role", "body2")
        for label in (self.title, self.subtitle):
            label.setWordWrap(True)
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.problem = ProblemCard()
        self.problem.convert_requested.connect(self._actions.convert)
        self.problem.copied.connect(lambda text: self._actions.copy(text, tr("the command")))
        self.use = QPushButton(tr("Use it"))
        self.use.setProperty("role", "primary")
        self.use.clicked.connect(self._actions.use)
        self.star = self._tool("star", tr("Favourite"), self._actions.toggle_favourite)
        self.star.setCheckable(True)
        self.folder = self._tool("folder", tr("Show it in its folder"), self._actions.reveal)
        self.more = self._tool("more", tr("More"), self._open_menu)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.use, 1)
        for button in (self.star, self.folder, self.more):
            row.addWidget(button)
        self.reason = QLabel()
        self.reason.setProperty("role", "hint")
        self.reason.setWordWrap(True)
        self.work = WorkLine(self._actions.work)
        head = QVBoxLayout()
        head.setSpacing(6)
        for widget in (self.picture, self.title, self.subtitle):
            head.addWidget(widget)
        self._column.addLayout(head)
        self._column.addWidget(self.problem)
        self._column.addLayout(row)
        self._column.addWidget(self.reason)
        self._column.addWidget(self.work)

    def _tool(self, icon: str, name: str, act: Callable[[], object]) -> QToolButton:
        button = QToolButton()
        button.setIcon(current_theme().icon(icon, "text2", "brass"))
        button.setIconSize(QSize(18, 18))
        button.setToolTip(name)
        button.setAccessibleName(name)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda: act())
        return button

    def _make_parts(self) -> None:
        copy = lambda word: tr("Copy “{word}”", word=word)  # noqa: E731 - a sentence made of a word
        find = lambda word: tr("Show all with “{word}”", word=word)  # noqa: E731
        self.triggers, self.tags = Words(copy), Words(find)
        self.triggers.pressed.connect(lambda word: self._actions.copy(word, f"“{word}”"))
        self.tags.pressed.connect(self.word_wanted)
        self.about = QLabel()
        self.about.setWordWrap(True)
        self.about.setTextFormat(Qt.TextFormat.PlainText)
        self.about.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.about.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.facts, self.defaults = Facts(), Facts()
        self.notes, self.hashes = NotesEditor(), HashPart()
        self.same, self.users = Links(), Links(tr("No open document and no recent file names it."))
        self.take = self._link(tr("Take over what Create is set to"), self.defaults_wanted)
        self.back = self._link(tr("Back to its family's"), self.defaults_dropped)
        self.hashes.hash_requested.connect(self._actions.hash)
        self.hashes.check_requested.connect(self._actions.verify)
        self.hashes.copied.connect(lambda text: self._actions.copy(text, tr("the hash")))
        self.inside = Section(tr("Written in the file"), "inside")
        self.metadata = Facts()
        self.inside.content.addWidget(self.metadata)
        self.inside.toggled.connect(self._settle)
        self.parts = {
            "triggers": Part(tr("Trigger words"), self.triggers),
            "about": Part(tr("About"), self.about),
            "facts": Part(tr("Facts"), self.facts),
            "tags": Part(tr("Tags"), self.tags),
            "notes": self.notes,
            "defaults": Part(tr("Settings that come with it"), self.defaults, self.take, self.back),
            "hashes": Part(tr("Hashes"), self.hashes),
            "same": Part(tr("The same file"), self.same),
            "users": Part(tr("Used by"), self.users),
            "inside": self.inside,
        }
        for part in self.parts.values():
            self._column.addWidget(part)

    def _link(self, text: str, signal: Any) -> QPushButton:
        button = QPushButton(text)
        button.setProperty("role", "link")
        button.clicked.connect(signal)
        return button

    # --- showing ---------------------------------------------------------------------------------------

    def show_model(self, info: ModelInfo | None) -> None:
        """Show a model; what has to be looked up comes a moment later."""
        same = info is not None and self.info is not None and info.path == self.info.path
        self.info = info
        self.notes.show_model(info)
        self._page.setVisible(info is not None)
        if info is None:
            return
        if not same:
            self.verticalScrollBar().setValue(0)
            self.users.show_links(())
            self.same.show_links(())
            self.metadata.show_rows(())
        self.title.setText(info.title)
        self.subtitle.setText(subtitle(info))
        self.problem.show_problem(info, self._actions.can_convert())
        self._show_use(info)
        self.facts.show_rows(fact_rows(info, self.device))
        self.triggers.show_words(info.trigger_words)
        self.tags.show_words(tuple(dict.fromkeys((*info.user_tags, *info.tags))))
        self.about.setText(tr(info.card))
        self.defaults.show_rows(default_rows(info))
        self._show_parts(info)
        self._show_picture(info.preview)
        self._show_work()
        self._later.start()

    def _show_use(self, info: ModelInfo) -> None:
        reason = self._actions.why_not(info)
        self.use.setEnabled(not reason)
        self.use.setText(
            tr("Use in Create") if info.kind in ("diffusion", "language") else tr("Use in the graph")
        )
        self.use.setToolTip(reason)
        self.reason.setText("" if info.problem else reason)
        self.reason.setVisible(bool(reason) and not info.problem)
        self.star.setChecked(info.favourite)
        self.star.setIcon(current_theme().icon("star_full" if info.favourite else "star", "text2", "brass"))
        self.star.setToolTip(tr("No favourite any more") if info.favourite else tr("Make it a favourite"))

    def _show_parts(self, info: ModelInfo) -> None:
        shown = {
            "triggers": bool(info.trigger_words), "about": bool(info.card), "tags": bool(self.tags.words),
            "defaults": info.kind == "diffusion", "same": bool(self.same.shown),
            "inside": info.path.endswith(".safetensors"),
        }  # fmt: skip
        for name, visible in shown.items():
            self.parts[name].setVisible(visible)

    def show_device(self, device: Device | None) -> None:
        """Verdicts are about this device."""
        self.device = device
        if self.info is not None:
            self.facts.show_rows(fact_rows(self.info, device))

    def show_users(self, links: Sequence[Link]) -> None:
        """Documents and files that name the model."""
        self.users.show_links(links)

    def show_same(self, links: Sequence[Link]) -> None:
        """Other models that are the same file, or may be."""
        self.same.show_links(links)
        self.parts["same"].setVisible(bool(links))

    def edit_notes(self) -> None:
        """Write into the notes."""
        self.ensureWidgetVisible(self.notes)
        self.notes.text.setFocus(Qt.FocusReason.ShortcutFocusReason)

    # --- pictures and what is looked up ----------------------------------------------------------------

    def _show_picture(self, path: str) -> None:
        if path == self._picture:
            return
        self._picture = path
        self.picture.clear()
        self.picture.setVisible(bool(path))
        if path:
            in_background(self, lambda: read(path, LARGE), lambda image: self._put_picture(path, image))

    def _put_picture(self, path: str, image: QImage) -> None:
        if path != self._picture or image.isNull():
            return
        ratio, side = self.devicePixelRatioF(), current_theme().px(PICTURE)
        size = image.size().scaled(QSize(side * 2, side), Qt.AspectRatioMode.KeepAspectRatio)
        scaled = image.scaled(
            size * ratio, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        scaled.setDevicePixelRatio(ratio)
        self.picture.setPixmap(QPixmap.fromImage(scaled))
        self.picture.setAccessibleName(tr("Picture of the model"))

    @Slot()
    def _settle(self) -> None:
        if self.info is None:
            return
        self.settled.emit()
        if self.inside.expanded and not self.inside.isHidden():
            self._actions.work.describe(self.info.path)

    @Slot(object)
    def _described(self, event: ModelDescribed) -> None:
        if self.info is None or event.path != self.info.path:
            return
        rows = [(name, text.replace("\n", " "), text[:1_000]) for name, text in event.metadata.items()]
        tensors = (tr("Tensors"), f"{event.tensors:,}" if event.tensors else tr("none are listed"), "")
        self.metadata.show_rows([tensors, *rows])

    @Slot()
    def _show_work(self) -> None:
        if self.info is not None:
            self.work.show_model(self.info.path)
            self.hashes.show_model(self.info, busy=bool(self._actions.work.of(self.info.path)))

    @Slot()
    def _open_menu(self) -> None:
        self.menu_wanted.emit(self.more.mapToGlobal(self.more.rect().bottomLeft()))
