"""The layers as a list for views, the top one first. Writing goes through the document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Slot,
)

from studio.mask.layer_words import spoken
from studio.mask.layers import Layer, LayerKind
from studio.mask.paint_document import PaintDocument
from studio.translate import tr

LAYER_ROLE = Qt.ItemDataRole.UserRole + 1
REASON_ROLE = Qt.ItemDataRole.UserRole + 2
_MIME = "application/x-diptych-layer"
Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


class LayerModel(QAbstractListModel):
    """``LAYER_ROLE`` gives the :class:`~studio.mask.layers.Layer`, ``REASON_ROLE`` why it is of no use now
    (or nothing); names are edited in place, rows drag."""

    def __init__(self, document: PaintDocument, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._layers: tuple[Layer, ...] = ()
        self._reasons: Mapping[LayerKind, str] = {}
        document.stack_changed.connect(self._changed)
        self._changed()

    @Slot()
    def _changed(self) -> None:
        layers = tuple(reversed(self._document.stack.layers))
        if [layer.id for layer in layers] == [layer.id for layer in self._layers]:
            self._layers = layers
            if layers:
                self.dataChanged.emit(self.index(0), self.index(len(layers) - 1))
            return
        self.beginResetModel()
        self._layers = layers
        self.endResetModel()

    def set_unavailable(self, reasons: Mapping[LayerKind, str]) -> None:
        """Kinds of layers that are of no use now (the model can't take them), each with the reason."""
        self._reasons = {kind: reason for kind, reason in reasons.items() if reason}
        if self._layers:
            self.dataChanged.emit(self.index(0), self.index(len(self._layers) - 1))

    def row_of(self, id: str) -> int:
        """The row of a layer, or -1."""
        return next((row for row, layer in enumerate(self._layers) if layer.id == id), -1)

    def layer(self, row: int) -> Layer:
        return self._layers[row]

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._layers)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        layer = self._layers[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return layer.name
        reason = self._reasons.get(layer.kind, "")
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            return spoken(layer, reason)
        if role == REASON_ROLE:
            return reason
        return layer if role == LAYER_ROLE else None

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        name = str(value).strip()
        if not index.isValid() or role != Qt.ItemDataRole.EditRole or not name:
            return False
        self._document.change_layer(self._layers[index.row()].id, tr("Rename a layer"), name=name)
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if not index.isValid():
            return flags | Qt.ItemFlag.ItemIsDropEnabled
        return flags | Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsDragEnabled

    # --- dragging rows ---------------------------------------------------------------------------------

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:
        return [_MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        data = QMimeData()
        data.setData(_MIME, self._layers[indexes[0].row()].id.encode())
        return data

    def dropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index
    ) -> bool:
        id = bytes(data.data(_MIME).data()).decode(errors="replace")
        before = self.row_of(id)
        if before < 0:
            return False
        row = self.rowCount() if row < 0 else row
        after = row - 1 if row > before else row
        self._document.move_layer(id, len(self._layers) - 1 - after)
        # the view would remove the row that was moved, had the drop been accepted
        return False
