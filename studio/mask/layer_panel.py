"""The layers: their rows, the settings of the active one, and what can be done to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from PySide6.QtCore import QModelIndex, QPoint, QSignalBlocker, QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QToolButton, QVBoxLayout, QWidget

from studio.mask.layer_list import LayerList, counts_rect, eye_rect, kind_icon
from studio.mask.layer_model import LayerModel
from studio.mask.layer_operations import OPERATIONS, apply_to_layer, can_apply, layer_operation
from studio.mask.layer_properties import LayerProperties
from studio.mask.layer_words import kind_title
from studio.mask.layers import LayerKind
from studio.mask.paint_document import PaintDocument
from studio.mask.thumbnails import Thumbnails
from studio.theme import current_theme
from studio.translate import tr

__all__ = ["LayerPanel", "counts_rect", "eye_rect"]
_NEW = (LayerKind.PAINT, LayerKind.MASK, LayerKind.CONTROL, LayerKind.REGION, LayerKind.REFERENCE)


class LayerPanel(QFrame):
    """Everything goes through the document, and undoes. ``image_requested``: the owner chooses a file and
    adds it (:meth:`PaintDocument.add_image_layer`); ``derive_requested`` carries the id of a control layer
    that is to be made from the picture (:meth:`PaintDocument.set_surface_image`).

    ``layer_actions`` have keys; whoever embeds the panel can add them to its own widget.
    """

    image_requested = Signal()
    derive_requested = Signal(str)

    def __init__(self, document: PaintDocument, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._document = document
        self.model = LayerModel(document, self)
        self.thumbnails = Thumbnails(document, self)
        self.list = LayerList(self.model, self.thumbnails)
        self.properties = LayerProperties(document)
        self.opacity, self.colour = self.properties.opacity, self.properties.colour
        self._tool_buttons: dict[str, QToolButton] = {}
        self.layer_actions = self._make_actions()
        self.addActions(list(self.layer_actions.values()))
        self.menu = self._make_menu()
        self.add = self._menu_button("plus", tr("Add a layer"), self._make_add_menu())
        self.more = self._menu_button("more", tr("More to do with the layer"), self.menu)
        self.up, self.down, self.copy, self.merge, self.delete = (
            self._button(id) for id in ("up", "down", "duplicate", "merge_down", "delete")
        )
        self._arrange()
        self._connect()
        self._show()

    def set_unavailable(self, reasons: Mapping[LayerKind, str]) -> None:
        """Show layers of these kinds greyed, each with the reason: the model can't use them."""
        self.list.set_unavailable(reasons)
        self.properties.set_unavailable(reasons)

    # --- what it is made of ----------------------------------------------------------------------------

    def _make_actions(self) -> dict[str, QAction]:
        actions = {}
        for entry in OPERATIONS:
            action = QAction(tr(entry.title), self)
            if entry.icon:
                action.setIcon(current_theme().icon(entry.icon))
            if entry.key:
                action.setShortcut(entry.key)
            action.triggered.connect(partial(self._apply, entry.id))
            actions[entry.id] = action
        rename = QAction(current_theme().icon("pen"), tr("Rename"), self)
        rename.setShortcut("F2")
        rename.triggered.connect(self.rename)
        actions["rename"] = rename
        for action in actions.values():
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        # Delete is for the rows alone: elsewhere it is what deletes text, or what is selected
        delete = QAction(self.list)
        delete.setShortcut("Del")
        delete.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        delete.triggered.connect(actions["delete"].trigger)
        self.list.addAction(delete)
        return actions

    def use_keys(self, keys: Callable[[str], Sequence[str]]) -> None:
        """Give the actions the keys that they have now, by id."""
        for id, action in self.layer_actions.items():
            action.setShortcuts([QKeySequence(key) for key in keys(id)])
        for id in ("up", "down", "duplicate", "merge_down", "delete"):
            title, shown = tr(layer_operation(id).title), self.layer_actions[id].shortcut()
            text = shown.toString(QKeySequence.SequenceFormat.NativeText)
            self._tool_buttons[id].setToolTip(f"{title} ({text})" if text else title)

    def _make_menu(self) -> QMenu:
        menu, group = QMenu(self), OPERATIONS[0].group
        menu.addAction(self.layer_actions["rename"])
        for entry in OPERATIONS:
            if entry.group != group:
                menu.addSeparator()
            group = entry.group
            menu.addAction(self.layer_actions[entry.id])
        return menu

    def _make_add_menu(self) -> QMenu:
        menu = QMenu(self)
        picture = menu.addAction(current_theme().icon("image"), tr("Picture…"))
        picture.triggered.connect(self.image_requested)
        for kind in _NEW:
            action = menu.addAction(current_theme().icon(kind_icon(kind)), kind_title(kind))
            action.triggered.connect(partial(self._add, kind))
        return menu

    def _menu_button(self, icon: str, title: str, menu: QMenu) -> QToolButton:
        button = QToolButton()
        button.setIcon(current_theme().icon(icon))
        button.setIconSize(QSize(18, 18))
        button.setToolTip(title)
        button.setAccessibleName(title)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setMenu(menu)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        return button

    def _button(self, id: str) -> QToolButton:
        action, entry = self.layer_actions[id], layer_operation(id)
        button = QToolButton()
        button.setDefaultAction(action)
        button.setIconSize(QSize(18, 18))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        button.setToolTip(f"{tr(entry.title)} ({entry.key})" if entry.key else tr(entry.title))
        button.setAccessibleName(tr(entry.title))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._tool_buttons[id] = button
        return button

    def _arrange(self) -> None:
        heading = QLabel(tr("Layers"))
        heading.setProperty("role", "heading")
        tools = QHBoxLayout()
        tools.setSpacing(2)
        tools.addWidget(self.add)
        tools.addStretch(1)
        for button in (self.up, self.down, self.copy, self.merge, self.more):
            tools.addWidget(button)
        tools.addSpacing(8)
        tools.addWidget(self.delete)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 8)
        column.setSpacing(8)
        column.addWidget(heading)
        column.addWidget(self.list, 1)
        column.addWidget(self.properties)
        column.addLayout(tools)

    def _connect(self) -> None:
        self._document.stack_changed.connect(self._show)
        self._document.busy_changed.connect(self._show)
        current_theme().changed.connect(self._show)
        self.list.eye_pressed.connect(self._toggle_visible)
        self.list.counts_pressed.connect(self._toggle_counts)
        self.list.customContextMenuRequested.connect(self._open_menu)
        self.list.selectionModel().currentChanged.connect(self._selected)
        self.properties.derive_requested.connect(self.derive_requested)

    # --- what it does ----------------------------------------------------------------------------------

    @Slot()
    def _show(self) -> None:
        stack = self._document.stack
        row = self.model.row_of(stack.active)
        with QSignalBlocker(self.list.selectionModel()):
            self.list.setCurrentIndex(self.model.index(row, 0))
        self.list.viewport().update()
        self.properties.show_layer()
        for id, action in self.layer_actions.items():
            action.setEnabled(row >= 0 if id == "rename" else can_apply(self._document, id))
        for action in self.add.menu().actions()[1:]:
            action.setEnabled(not stack.size.isEmpty())

    def _apply(self, id: str, checked: bool = False) -> None:
        apply_to_layer(self._document, id)

    def _add(self, kind: LayerKind, checked: bool = False) -> None:
        self._document.add_layer(kind)

    @Slot()
    def rename(self) -> None:
        """Edit the active layer's name where it stands."""
        index = self.list.currentIndex()
        if index.isValid():
            self.list.setFocus(Qt.FocusReason.OtherFocusReason)
            self.list.edit(index)

    @Slot(QPoint)
    def _open_menu(self, at: QPoint) -> None:
        place = self.take_row(at)
        if place is not None:
            self.menu.popup(self.list.viewport().mapToGlobal(place))

    def take_row(self, at: QPoint) -> QPoint | None:
        """Make the row at a point of the list the active one; where its menu opens. The menu key asks from
        anywhere: then it is the active row's."""
        index = self.list.indexAt(at)
        if index.isValid():
            self.list.setCurrentIndex(index)
            return at
        index = self.list.currentIndex()
        return self.list.visualRect(index).center() if index.isValid() else None

    @Slot(QModelIndex, QModelIndex)
    def _selected(self, current: QModelIndex, previous: QModelIndex) -> None:
        if current.isValid():
            self._document.select(self.model.layer(current.row()).id)

    @Slot(int)
    def _toggle_visible(self, row: int) -> None:
        layer = self.model.layer(row)
        text = tr("Hide a layer") if layer.visible else tr("Show a layer")
        self._document.change_layer(layer.id, text, visible=not layer.visible)

    @Slot(int)
    def _toggle_counts(self, row: int) -> None:
        layer = self.model.layer(row)
        self._document.change_layer(layer.id, tr("What counts for generation"), counts=not layer.counts)
