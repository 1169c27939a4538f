"""The dialogs of presets: saving one under a name, and keeping all of them in order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.dialog import Dialog
from studio.widgets.field_row import FieldRow

if TYPE_CHECKING:
    from studio.presets.store import Kept

NAME, MODEL, PARTS = range(3)
_LONGEST: Final = 200
_KEPT: Final = Qt.ItemDataRole.UserRole


class SavePreset(Dialog):
    """``name_chosen`` carries the name, and whether the texts are to be part of it."""

    name_chosen = Signal(str, bool)

    def __init__(self, name: str, names: Collection[str], parent: QWidget | None = None) -> None:
        super().__init__(tr("Save as a preset"), parent)
        self._names = {known.casefold() for known in names}
        words = QLabel(
            tr("The model, its LoRAs, parts and speed, the pictures that steer, and how it samples.")
        )
        words.setWordWrap(True)
        words.setMinimumWidth(380)
        words.setProperty("role", "body2")
        self.name = QLineEdit(name)
        self.name.setMaxLength(_LONGEST)
        self.name.selectAll()
        self.prompts = QCheckBox(tr("The prompts too"))
        self.prompts.setToolTip(tr("Prompt and negative prompt, as they are now."))
        self.row = FieldRow(tr("Name"), self.name, tr("Under which it is found again."))
        self.content.addWidget(words)
        self.content.addWidget(self.row)
        self.content.addWidget(self.prompts)
        self.go = QPushButton()
        self.go.setProperty("role", "compact")
        self.go.setDefault(True)
        self.go.clicked.connect(self._chosen)
        leave = QPushButton(tr("Cancel"))
        leave.setAutoDefault(False)
        leave.clicked.connect(self.reject)
        self.buttons.addWidget(self.go)
        self.buttons.addWidget(leave)
        self.name.textChanged.connect(self._check)
        self._check()
        self.name.setFocus()

    @Slot()
    def _check(self) -> None:
        name = self.name.text().strip()
        known = name.casefold() in self._names
        self.go.setText(tr("Replace it") if known else tr("Save"))
        self.go.setEnabled(bool(name))
        if known:
            self.row.show_message(tr("There is one of this name."), "info")
        else:
            self.row.clear_message()

    @Slot()
    def _chosen(self) -> None:
        self.name_chosen.emit(self.name.text().strip(), self.prompts.isChecked())
        self.accept()


class PresetManager(Dialog):
    """All presets. The owner does what is asked for, and calls :meth:`refresh` after each change."""

    use_requested = Signal(object)
    rename_requested = Signal(object, str)
    delete_requested = Signal(object)
    export_requested = Signal(object)
    import_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("Presets"), parent)
        self.resize(640, 420)
        self.source: Callable[[], Sequence[Kept]] = tuple
        self.may_use: Callable[[], bool] = lambda: True
        self.tree = self._make_tree()
        self.note = QLabel()
        self.note.setProperty("role", "hint")
        self.note.setWordWrap(True)
        self.use = QPushButton(tr("Use it"))
        self.use.setProperty("role", "compact")
        self.rename = QPushButton(tr("Rename"))
        self.export = QPushButton(tr("Export…"))
        self.delete = QPushButton(tr("Move to the bin"))
        self.take_in = QPushButton(tr("Import…"))
        self._lay_out()
        self.tree.currentItemChanged.connect(self._show_current)
        self.tree.itemChanged.connect(self._renamed)
        self.tree.itemDoubleClicked.connect(self._double_clicked)
        self.refresh()

    def _make_tree(self) -> QTreeWidget:
        tree = QTreeWidget()
        tree.setAccessibleName(tr("Presets"))
        tree.setHeaderLabels([tr("Name"), tr("Model"), tr("With")])
        tree.setRootIsDecorated(False)
        tree.setUniformRowHeights(True)
        tree.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        tree.header().setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        tree.header().setStretchLastSection(False)
        for column, width in ((MODEL, 190), (PARTS, 170)):
            tree.header().resizeSection(column, width)
        delete = QAction(tree)
        delete.setShortcut(QKeySequence("Delete"))
        delete.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        delete.triggered.connect(self._delete)
        tree.addAction(delete)
        return tree

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(8)
        for button, do in (
            (self.rename, self._rename), (self.export, self._export), (self.take_in, self.import_requested),
            (self.delete, self._delete),
        ):  # fmt: skip
            button.setAutoDefault(False)
            button.clicked.connect(do)
            row.addWidget(button)
        row.addStretch(1)
        self.content.addWidget(self.tree, 1)
        self.content.addWidget(self.note)
        self.content.addLayout(row)
        self.use.clicked.connect(self._use)
        self.buttons.addWidget(self.use)
        self.add_close()

    # --- what it shows ---------------------------------------------------------------------------------

    @property
    def current(self) -> Kept | None:
        """The preset that is chosen."""
        item = self.tree.currentItem()
        found: Kept | None = item.data(NAME, _KEPT) if item is not None else None
        return found

    @Slot()
    def refresh(self) -> None:
        """Show what there is now; the choice stays."""
        chosen = self.current
        self.tree.blockSignals(True)
        self.tree.clear()
        for kept in self.source():
            item = self._item(kept)
            self.tree.addTopLevelItem(item)
            if chosen is not None and kept.path == chosen.path:
                self.tree.setCurrentItem(item)
        first = self.tree.topLevelItem(0)
        if self.tree.currentItem() is None and first is not None:
            self.tree.setCurrentItem(first)
        self.tree.blockSignals(False)
        self._show_current()

    def _item(self, kept: Kept) -> QTreeWidgetItem:
        preset = kept.preset
        item = QTreeWidgetItem([kept.name, "", ""])
        item.setData(NAME, _KEPT, kept)
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if preset is None:
            item.setIcon(NAME, current_theme().icon("warning", "warn"))
            item.setToolTip(NAME, kept.error.text(tr) if kept.error is not None else "")
        else:
            flags |= Qt.ItemFlag.ItemIsEditable
            model = preset.model
            item.setText(MODEL, (model.title or model.id) if model is not None else "")
            item.setText(PARTS, _parts(len(preset.changes), len(preset.pictures)))
        item.setFlags(flags)
        return item

    @Slot()
    def _show_current(self) -> None:
        kept = self.current
        good = kept is not None and kept.preset is not None
        self.use.setEnabled(good and self.may_use())
        self.rename.setEnabled(good)
        self.export.setEnabled(good)
        self.delete.setEnabled(kept is not None)
        text = kept.error.text(tr) if kept is not None and kept.error is not None else ""
        if not self.tree.topLevelItemCount():
            text = tr("None yet: choose a model and what goes with it in Create, then save it as a preset.")
        self.note.setText(text)
        self.note.setVisible(bool(text))

    # --- what is asked for -----------------------------------------------------------------------------

    @Slot()
    def _use(self) -> None:
        kept = self.current
        if kept is not None and kept.preset is not None and self.may_use():
            self.use_requested.emit(kept.preset)
            self.accept()

    @Slot()
    def _double_clicked(self) -> None:
        self._use()

    @Slot()
    def _rename(self) -> None:
        if (item := self.tree.currentItem()) is not None:
            self.tree.editItem(item, NAME)

    @Slot(QTreeWidgetItem, int)
    def _renamed(self, item: QTreeWidgetItem, column: int) -> None:
        kept: Kept = item.data(NAME, _KEPT)
        if column == NAME and item.text(NAME) != kept.name:
            self.rename_requested.emit(kept, item.text(NAME))

    @Slot()
    def _export(self) -> None:
        if (kept := self.current) is not None:
            self.export_requested.emit(kept)

    @Slot()
    def _delete(self) -> None:
        if (kept := self.current) is not None:
            self.delete_requested.emit(kept)


def _parts(changes: int, pictures: int) -> str:
    """How much goes with the model."""
    words = [tr("{count} additions", count=changes)] if changes else []
    words += [tr("{count} pictures", count=pictures)] if pictures else []
    return ", ".join(words)
