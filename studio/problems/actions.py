"""Does what a problem offers, once the user has clicked it: opens a folder, removes a link…"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices

from pipelines import paths
from pipelines.errors import FolderUnusable
from pipelines.files import reason_of
from studio.document import GraphDocument
from studio.problems.offers import Offer
from studio.translate import tr


class ProblemActions(QObject):
    """``field_requested(node, param)`` asks for a field of the inspector, ``failed`` carries an error."""

    field_requested = Signal(str, str)
    failed = Signal(object)

    def __init__(self, document: GraphDocument, parent: QObject) -> None:
        super().__init__(parent)
        self._document = document

    @Slot(object)
    def do(self, offer: Offer) -> None:
        """Do it; an edit is one undo step. A node or link that is gone meanwhile is left alone."""
        record = self._document.graph.nodes.get(offer.node)
        acts: dict[str, Callable[[], object]] = {
            "open_models": lambda: self._open(paths.models_dir()),
            "open_nodes": lambda: self._open(paths.data_dir() / "nodes"),
        }
        if record is not None:
            acts |= {
                "choose_model": lambda: self.field_requested.emit(offer.node, offer.port),
                "remove": lambda: self._document.remove_nodes([offer.node]),
            }
            if offer.port in record.inputs:
                acts["disconnect"] = lambda: self._document.disconnect_port(offer.node, offer.port)
            if offer.port in record.params:
                acts["reset"] = lambda: self._document.clear_param(offer.node, offer.port)
        act = acts.get(offer.what)
        if act is not None:
            act()

    def _open(self, folder: Path) -> None:
        """Show a folder of ours in the system's file manager; it is made if it isn't there yet."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.failed.emit(FolderUnusable(path=str(folder), reason=reason_of(error)).info())
            return
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            reason = tr("No program for folders was found.")
            self.failed.emit(FolderUnusable(path=str(folder), reason=reason).info())
