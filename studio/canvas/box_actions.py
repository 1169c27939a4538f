"""What can be done with frames and notes beside dragging them: put, colour, edit their words."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from PySide6.QtCore import QObject, QPoint, QRectF, Slot
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QMenu

from studio.canvas.box_layer import Key
from studio.canvas.inline_editor import InlineEditor
from studio.canvas.items import BoxItem
from studio.canvas.scene import GraphScene
from studio.canvas.style import GRID
from studio.canvas.view import GraphView
from studio.documents.document import GraphDocument
from studio.graph.annotations import COLOURS, Box, Kind, boxes, free_box_id
from studio.theme import current_theme
from studio.translate import tr

NOTE_SIZE: Final = (240.0, 120.0)
COLOUR_NAMES: Final = ("Grey", "Orange", "Blue", "Gold", "Green", "Yellow", "Red")
"""Of :data:`~studio.graph.annotations.COLOURS`, as people call them."""


class BoxActions(QObject):
    """Edits of frames and notes."""

    def __init__(
        self, document: GraphDocument, scene: GraphScene, view: GraphView, editor: InlineEditor
    ) -> None:
        super().__init__(view)
        self._document, self._scene, self._view, self._editor = document, scene, view, editor

    @property
    def chosen(self) -> list[Key]:
        """The selected frames and notes."""
        return self._scene.boxes.selected

    def any_chosen(self) -> bool:
        return bool(self.chosen)

    def one_chosen(self) -> bool:
        return len(self.chosen) == 1

    def can_frame(self) -> bool:
        return bool(self.chosen or self._scene.selected_nodes())

    def frame_selection(self) -> None:
        """Put a frame round what is selected, and let the user name it."""
        area = self._scene.bounds(self._scene.selected_nodes())
        for key in self.chosen:
            area = area.united(self._scene.boxes.items[key].area)
        if area.isNull():
            return
        title = self._scene.style_.metrics.title
        area.adjust(-GRID, -GRID - title, GRID, GRID)
        frame = self._new("frames", area, tr("Frame"))
        with self._document.macro(tr("Put a frame")):
            self._document.move_nodes(self._scene.unwritten_positions())
            self._document.set_boxes([frame], tr("Put a frame"))
        self._begin(frame)

    def add_note(self) -> None:
        """Put a note at the pointer, and let the user write."""
        at = self._view.pointer()
        x, y = round(at.x() / GRID) * GRID, round(at.y() / GRID) * GRID
        note = self._new("notes", QRectF(x, y, *NOTE_SIZE), "")
        note = replace(note, colour="brass")
        self._document.set_boxes([note], tr("Put a note"))
        self._begin(note)

    def _new(self, kind: Kind, area: QRectF, words: str) -> Box:
        rect = (area.x(), area.y(), area.width(), area.height())
        return Box(kind, free_box_id(self._document.graph, kind), rect, words)

    def _begin(self, box: Box) -> None:
        self._scene.select([])
        self._scene.boxes.select([box.key])
        item = self._scene.boxes.items.get(box.key)
        if item is not None:
            self.edit(item)

    @Slot(object)
    def edit(self, item: BoxItem) -> None:
        """Edit the words of a frame or note where they stand."""
        key, several = item.key, item.box.kind == "notes"
        self._scene.boxes.select([key])

        def done(words: str) -> None:
            now = boxes(self._document.graph).get(key)
            if now is not None:
                text = tr("Edit a note") if several else tr("Rename a frame")
                self._document.set_boxes([replace(now, text=words if several else words.strip())], text)

        name = tr("Text of the note") if several else tr("Title of the frame")
        self._editor.edit(item.text_area(), item.box.text, name, done, several=several)

    def edit_chosen(self) -> None:
        for key in self.chosen[:1]:
            self.edit(self._scene.boxes.items[key])

    def set_colour(self, colour: str) -> None:
        """Give the selected frames and notes a colour."""
        known = boxes(self._document.graph)
        changed = [replace(known[key], colour=colour) for key in self.chosen if key in known]
        self._document.set_boxes(changed, tr("Change a colour"))

    def colour_menu(self) -> QMenu:
        """The colours to choose from, each with its name."""
        menu = QMenu(self._view)
        menu.setAccessibleName(tr("Colour"))
        current = {self._scene.boxes.items[key].box.colour for key in self.chosen}
        for colour, name in zip(COLOURS, COLOUR_NAMES, strict=True):
            action = menu.addAction(swatch(colour), tr(name))
            action.setCheckable(True)
            action.setChecked(current == {colour})
            action.triggered.connect(lambda _=False, colour=colour: self.set_colour(colour))
        return menu

    def choose_colour(self) -> None:
        """Open the colours at the first selected frame or note."""
        for key in self.chosen[:1]:
            area = self._scene.boxes.items[key].area
            at = self._view.mapFromScene(area.topLeft()) + QPoint(8, 24)
            menu = self.colour_menu()
            menu.aboutToHide.connect(menu.deleteLater)
            menu.popup(self._view.viewport().mapToGlobal(at))


def swatch(colour: str) -> QIcon:
    """A small disc in the colour of a token."""
    side = 32
    pixmap = QPixmap(side, side)
    pixmap.fill("transparent")
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(current_theme().color("line"))
    painter.setBrush(current_theme().color(colour))
    painter.drawEllipse(3, 3, side - 6, side - 6)
    painter.end()
    return QIcon(pixmap)
