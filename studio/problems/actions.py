"""Does what a problem offers, once the user has clicked it: opens a folder, removes a link…"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices

from pipelines import paths
from pipelines.errors import FolderUnusable
from pipelines.files import reason_of
from studio.documents.document import GraphDocument
from studio.documents.scoped_document import ScopedDocument
from studio.graph.places import Place, place_of
from studio.problems.offers import Offer
from studio.translate import tr


class ProblemActions(QObject):
    """``field_requested(node, param)`` asks for a field of the inspector, ``outside_requested`` for the nodes
    from outside, ``convert_requested(file, node, param)`` to convert what a param names; ``failed`` carries
    an error."""

    field_requested = Signal(str, str)
    outside_requested = Signal()
    convert_requested = Signal(str, str, str)
    failed = Signal(object)

    def __init__(self, document: GraphDocument, parent: QObject) -> None:
        super().__init__(parent)
        self._document = document

    @Slot(object)
    def do(self, offer: Offer) -> None:
        """Do it; an edit is one undo step. A node or link that is gone meanwhile is left alone."""
        place = place_of(self._document.graph, offer.node)
        acts: dict[str, Callable[[], object]] = {
            "open_models": lambda: self._open(paths.models_dir()),
            "outside_nodes": self.outside_requested.emit,
            "convert": lambda: self._convert(offer, place),
        }
        if place is not None:
            acts["choose_model"] = lambda: self.field_requested.emit(offer.node, offer.port)
            acts["remove"] = lambda: self._edit(place, lambda level: level.remove_nodes([place.node]))
            if offer.port in place.record.inputs:
                acts["disconnect"] = lambda: self._edit(
                    place, lambda level: level.disconnect_port(place.node, offer.port)
                )
            if offer.port in place.record.params:
                acts["reset"] = lambda: self._edit(
                    place, lambda level: level.clear_param(place.node, offer.port)
                )
        act = acts.get(offer.what)
        if act is not None:
            act()

    def _convert(self, offer: Offer, place: Place | None) -> None:
        """The param takes the result only on the level that is the document itself."""
        outer = place is not None and not place.path
        self.convert_requested.emit(offer.file, offer.node if outer else "", offer.port if outer else "")

    def _edit(self, place: Place, edit: Callable[[GraphDocument], object]) -> None:
        """Edit a node on the level it is on."""
        if not place.path:
            edit(self._document)
            return
        level = ScopedDocument(self._document, self)
        try:
            level.go(place.path)
            edit(level)
        finally:
            level.deleteLater()

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
