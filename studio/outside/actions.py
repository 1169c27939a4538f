"""What the user does with nodes from outside, and what is said of them: agree, withdraw, reload, look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from PySide6.QtCore import QObject, QUrl, Slot
from PySide6.QtGui import QDesktopServices

from pipelines import paths
from pipelines.engine.protocol import NodeSource
from pipelines.errors import FolderUnusable
from pipelines.files import reason_of
from studio.actions.shell import Shell
from studio.background import in_background
from studio.engine.runs import error_info
from studio.outside.types import OutsideTypes
from studio.parts import Parts
from studio.translate import tr

CHANGED: Final = "{name} changed since you agreed to it, and is not used until you agree again."
NEW: Final = "{name} may bring nodes: look at it under Nodes from outside."


class OutsideActions(QObject):
    """Made with the window; the folder is watched from the time when the engine is ready."""

    def __init__(self, parts: Parts, shell: Shell, parent: QObject) -> None:
        super().__init__(parent)
        self._parts, self._shell = parts, shell
        self.types = OutsideTypes(parts.document, parts.bridge, self)
        self._told: set[tuple[str, str, str]] = set()
        self._watch: Any = None
        self.types.changed.connect(self._tell)
        parts.bridge.ready.connect(self.watch)

    def show(self) -> None:
        """The list of what there is from outside; it is looked for anew."""
        from studio.outside.dialog import OutsideNodesDialog

        self._parts.bridge.load_nodes()
        OutsideNodesDialog(self, self._shell.window()).open()

    def agree(self, key: str, digest: str, version: str) -> None:
        """Agree to a source as it was shown, and let the engine load it."""
        self._write(lambda agreements: agreements.agree(key, digest, version))

    def withdraw(self, key: str) -> None:
        """Agree to it no longer."""
        self._write(lambda agreements: agreements.withdraw(key))

    def reload(self) -> None:
        """Look again, and try once more what failed."""
        self._parts.bridge.load_nodes(again=True)

    def _write(self, change: Callable[[Any], object]) -> None:
        from pipelines.outside.agreements import Agreements

        agreements = Agreements(paths.agreements_path())
        in_background(
            self, lambda: change(agreements), lambda _: self.reload(), lambda e: self._shell.show_error(e)
        )

    def open_folder(self) -> None:
        """Show the folder of the user's own nodes; it is made if it isn't there yet."""
        folder = paths.nodes_dir()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._shell.show_error(FolderUnusable(path=str(folder), reason=reason_of(error)).info())
            return
        self.watch()
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            reason = tr("No program for folders was found.")
            self._shell.show_error(FolderUnusable(path=str(folder), reason=reason).info())

    @Slot()
    def watch(self) -> None:
        """Watch the folder from now on, if there is one."""
        if self._watch is None:
            from studio.outside.folder_watch import FolderWatch

            self._watch = FolderWatch(paths.nodes_dir(), self)
            self._watch.changed.connect(self._folder_changed)
        self._watch.watch()

    @Slot()
    def _folder_changed(self) -> None:
        self._parts.bridge.load_nodes()

    # --- what is said ----------------------------------------------------------------------------------

    @Slot()
    def _tell(self) -> None:
        """Say once of each source, as it is now, that it is new, changed, or can't be used."""
        for source in self.types.sources:
            what = (source.name, source.hash, source.state)
            if what in self._told:
                continue
            self._told.add(what)
            self._tell_of(source)

    def _tell_of(self, source: NodeSource) -> None:
        name = f"{source.name} {source.version}".strip()
        look = ((tr("Nodes from outside…"), self.show),)
        if source.state == "new":
            self._shell.status.note(tr(NEW, name=name))
        elif source.state == "changed":
            self._shell.status.note(tr("{name} changed since you agreed to it", name=name))
            self._shell.show_message(tr("Nodes from outside changed."), tr(CHANGED, name=name), look)
        for error in source.errors:
            self._shell.show_error(error_info(error), look)
