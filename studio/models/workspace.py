"""The Models workspace: filters and list on the left, the model that is chosen on the right.

It shows the list of the engine and asks for changes through :class:`studio.models.actions.ModelActions`;
nothing here reads a model's file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from pipelines.engine.protocol import Device, ModelInfo
from studio.background import in_background
from studio.commands.table import CommandTable
from studio.documents.sheet import Sheet
from studio.models.actions import OWN, ModelActions
from studio.models.detail_parts import name_of
from studio.models.detail_rows import SETTINGS
from studio.models.details import DetailPane, Link
from studio.models.empty import FoldersCard
from studio.models.filters import Filters
from studio.models.get_page import GetPage
from studio.models.list_view import ModelList
from studio.models.nothing_found import NothingFound
from studio.models.placing import files_naming, uses
from studio.models.shelf import Query
from studio.models.table import ModelTable
from studio.models.thumbnails import Thumbnails
from studio.parts import Parts
from studio.pictures.picture_files import SUFFIXES
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.segmented import Segmented

MENU: Final = (
    ("models.use", "models.favourite", "models.notes"),
    ("models.reveal", "models.copy_id", "models.hash", "models.verify", "models.convert"),
    ("models.remove",),
)
"""The commands of a model's menu, in groups."""
MAYBE: Final = 8
"""So many models of the same size are named at most."""


class ModelsWorkspace(QWidget):
    """``file_wanted`` carries the path of a graph or picture to open; ``choice_changed``: another model is
    chosen."""

    file_wanted = Signal(str)
    choice_changed = Signal()

    def __init__(
        self, parts: Parts, actions: ModelActions, commands: CommandTable, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._parts, self._actions, self._commands = parts, actions, commands
        self.table = ModelTable(parts.models, self)
        self.filters = Filters()
        self.list = ModelList(self.table, Thumbnails(self))
        self.nothing = NothingFound()
        self.details = DetailPane(actions)
        self.folders = FoldersCard()
        self.get_page: GetPage | None = None
        self.count, self.clear = QLabel(), QPushButton(tr("Show all models"))
        self._lay_out()
        self._connect()
        self.setFocusProxy(self.list)
        self._list_changed()

    # --- building --------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.count.setProperty("role", "hint")
        self.clear.setProperty("role", "link")
        self.manage = QPushButton(tr("Folders…"))
        self.manage.setProperty("role", "link")
        self.manage.setCheckable(True)
        self.manage.setToolTip(tr("Where models are looked for"))
        self.add = QPushButton(tr("Add a folder…"))
        self.add.setProperty("role", "link")
        self.add.setToolTip(tr("Look for models in one more folder; its files are only read."))
        foot = QHBoxLayout()
        foot.setContentsMargins(16, 4, 12, 6)
        foot.addWidget(self.count)
        foot.addWidget(self.clear)
        foot.addStretch(1)
        foot.addWidget(self.add)
        foot.addWidget(self.manage)
        card = QHBoxLayout()
        card.setContentsMargins(12, 4, 12, 8)
        card.addWidget(self.folders)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.filters)
        column.addWidget(self.list, 1)
        column.addWidget(self.nothing, 1)
        column.addLayout(card)
        column.addLayout(foot)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.setHandleWidth(1)
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(left)
        self.split.addWidget(self.details)
        self.split.setStretchFactor(0, 1)
        self.split.setStretchFactor(1, 0)
        left.setMinimumWidth(380)
        self.details.setMinimumWidth(300)
        width = current_theme().px(372)
        self.split.setSizes([10_000, width])
        self.stack = QStackedWidget()
        self.stack.addWidget(self.split)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self._parts_bar())
        rows.addWidget(self.stack, 1)

    def _parts_bar(self) -> QWidget:
        """Yours, or what there is to get."""
        self.parts_choice = Segmented()
        self.parts_choice.add("own", tr("Your models"))
        self.parts_choice.add("get", tr("Get models"))
        self.parts_choice.set_value("own")
        self.parts_choice.setMinimumWidth(current_theme().px(260))
        self.parts_choice.value_changed.connect(self.show_part)
        bar = QFrame()
        bar.setProperty("role", "topbar")
        line = QHBoxLayout(bar)
        line.setContentsMargins(12, 8, 12, 8)
        line.addWidget(self.parts_choice)
        line.addStretch(1)
        return bar

    def _connect(self) -> None:
        actions = self._actions
        self.filters.query_changed.connect(self._show)
        self.filters.list_wanted.connect(self.list.setFocus)
        self.add.clicked.connect(actions.add_folder)
        self.list.chosen.connect(self._chosen)
        self.list.used.connect(actions.use)
        self.list.notes_wanted.connect(actions.edit_notes)
        self.list.removal_wanted.connect(actions.remove)
        self.list.favourite_wanted.connect(actions.toggle_favourite)
        self.list.menu_wanted.connect(self._open_menu)
        self.list.order_wanted.connect(self.filters.sort)
        self.details.menu_wanted.connect(self._open_menu)
        self.details.word_wanted.connect(self._search_word)
        self.details.settled.connect(self._look_up)
        self.details.notes.noted.connect(self._note)
        self.details.defaults_wanted.connect(self._take_defaults)
        self.details.defaults_dropped.connect(self._drop_defaults)
        self.folders.add_requested.connect(actions.add_folder)
        self.folders.folder_chosen.connect(actions.take_folder)
        self.folders.folder_dropped.connect(actions.drop_folder)
        self.clear.clicked.connect(self.filters.clear)
        self.nothing.all_wanted.connect(self.filters.clear)
        self.nothing.more_wanted.connect(lambda: self.show_part("get"))
        self.manage.clicked.connect(self._show_folders)
        self.table.modelReset.connect(self._show_count)
        self.table.listed.connect(self._list_changed)
        self._parts.settings.changed.connect(self._show_folders)
        self._parts.document.changed.connect(self._document_changed)
        self._parts.bridge.device_changed.connect(self.show_device)

    def take_pictures(self, files: list[str], at: QPoint, *, own: bool) -> None:
        """Files or folders were dropped here: models, whatever they are called; pictures are opened."""
        if own:
            return
        pictures = [file for file in files if Path(file).suffix.lower() in SUFFIXES]
        for file in pictures:
            self.file_wanted.emit(file)
        self._actions.take_in(file for file in files if file not in pictures)

    # --- what is shown ---------------------------------------------------------------------------------

    @property
    def current(self) -> ModelInfo | None:
        """The model that is chosen."""
        return self.list.current

    @Slot(object)
    def show_part(self, part: str) -> None:
        """``own``: the models that are here; ``get``: those that there are to get, made when first shown."""
        if part == "get" and self.get_page is None:
            self.get_page = GetPage(self._actions.getting)
            self.stack.addWidget(self.get_page)
        self.parts_choice.set_value(part)
        page = self.get_page if part == "get" else None
        self.stack.setCurrentWidget(page or self.split)
        self.setFocusProxy(page or self.list)

    def choose(self, path: str) -> bool:
        """Choose a model, showing all where the filters hide it; False if it isn't listed."""
        if self.table.row_of(path) < 0 and any(info.path == path for info in self.table.shelf.models):
            self.filters.set_query(Query(order=self.filters.query.order))
        return self.list.choose(path)

    @Slot(object)
    def show_device(self, device: Device | None) -> None:
        """Verdicts are about this device."""
        self.table.set_device(device)
        self.details.show_device(device)

    @Slot()
    def _list_changed(self) -> None:
        shelf = self.table.shelf
        self.filters.show_families(shelf.families())
        self.filters.show_counts(shelf.counts(), len(shelf.models))
        self._show_folders()
        self._actions.list_shown()

    @Slot(object)
    def _show(self, query: Query) -> None:
        self.table.show(query)
        self.list.show_order(query)

    @Slot()
    def _show_count(self) -> None:
        shown, total = self.table.rowCount(), len(self.table.shelf.models)
        if not total:
            self.count.setText(tr("Looking for models…"))
        elif shown == total:
            self.count.setText(tr("1 model") if total == 1 else tr("{count} models", count=total))
        elif shown:
            self.count.setText(tr("{shown} of {count} models", shown=shown, count=total))
        else:
            self.count.setText(tr("No model is like this."))
        self.clear.setVisible(0 < shown < total)
        self.nothing.setVisible(bool(total) and not shown)
        self.list.setVisible(not total or bool(shown))

    @Slot()
    def _show_folders(self) -> None:
        """The card with folders: while there are no models but the program's own, or when it is asked for."""
        models = self._parts.models.models
        lacking = bool(models) and all(info.id.startswith(OWN) for info in models)
        shown = lacking or self.manage.isChecked()
        self.folders.setVisible(shown)
        self.manage.setVisible(not lacking)
        if shown:
            self.folders.look(self._parts.settings.values.model_folders)

    @Slot(object)
    def _chosen(self, info: ModelInfo | None) -> None:
        self.details.show_model(info)
        self.choice_changed.emit()

    @Slot()
    def _document_changed(self) -> None:
        info = self.current
        if info is not None and self.isVisible():
            self.details.show_model(info)

    # --- who uses it, what is the same -----------------------------------------------------------------

    @Slot()
    def _look_up(self) -> None:
        info = self.current
        if info is None:
            return
        self.details.show_same(self._same(info))
        open_ = self._open_documents(info)
        self.details.show_users(open_)
        known = {str(sheet.path) for sheet in self._parts.tabs.sheets if sheet.path is not None}
        recent = [path for path in self._parts.settings.values.recent if path not in known]
        in_background(
            self, lambda: files_naming(recent, info), lambda found: self._show_files(info, open_, found)
        )

    def _open_documents(self, info: ModelInfo) -> list[Link]:
        default = self._parts.models.find("", info.kind)
        is_default = default is not None and default.path == info.path
        registry = self._parts.document.registry
        return [
            (sheet.title or tr("Untitled"), tr("Show this document"), partial(self._show_sheet, sheet))
            for sheet in self._parts.tabs.sheets
            if uses(sheet.graph, registry, info, is_default=is_default)
        ]

    def _show_sheet(self, sheet: Sheet) -> None:
        if sheet is self._parts.document.sheet:
            self._parts.document.replaced.emit()  # it is shown where it was left
        else:
            self._parts.document.show_sheet(sheet)

    def _show_files(self, info: ModelInfo, open_: list[Link], found: Iterable[str]) -> None:
        current = self.current
        if current is None or current.path != info.path:
            return
        files = [(name_of(path), path, partial(self.file_wanted.emit, path)) for path in found]
        self.details.show_users([*open_, *files])

    def _same(self, info: ModelInfo) -> list[Link]:
        """Models with the same hash; and those of the same size that nobody compared yet."""
        links: list[Link] = []
        unsure = False
        for other in self._parts.models.models:
            if (
                other.path == info.path
                or not info.bytes
                or other.bytes != info.bytes
                or other.kind != info.kind
            ):
                continue
            if info.sha256 and other.sha256:
                if info.sha256 == other.sha256:
                    links.append((name_of(other.path), other.path, partial(self.choose, other.path)))
            elif len(links) < MAYBE:
                unsure = True
                text = tr("{name} may be: it has the same size", name=name_of(other.path))
                links.append((text, other.path, partial(self.choose, other.path)))
        if unsure:
            links.append((tr("Compare the files"), "", self._actions.find_duplicates))
        return links

    # --- what the user does ----------------------------------------------------------------------------

    @Slot(object)
    def _open_menu(self, place: QPoint) -> None:
        self._commands.refresh()
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for group in MENU:
            for command in group:
                action = self._commands.action(command)
                if command != "models.convert" or action.isEnabled():
                    menu.addAction(action)
            menu.addSeparator()
        menu.popup(place)

    @Slot(str)
    def _search_word(self, word: str) -> None:
        self.filters.set_query(replace(self.filters.query, text=word, kind="", family=""))

    def edit_notes(self) -> None:
        """Write into the notes of the model that is chosen."""
        self.details.edit_notes()

    @Slot(str, object)
    def _note(self, path: str, changed: dict[str, object]) -> None:
        self._actions.work.note(path, **changed)

    @Slot()
    def _take_defaults(self) -> None:
        info, binding = self.current, self._parts.binding
        if info is not None:
            found = {name: binding.value(name) for name in SETTINGS if binding.has(name)}
            defaults = {name: value for name, value in found.items() if value is not None}
            self._actions.work.note(info.path, defaults=defaults)

    @Slot()
    def _drop_defaults(self) -> None:
        if (info := self.current) is not None:
            self._actions.work.note(info.path, defaults={})
