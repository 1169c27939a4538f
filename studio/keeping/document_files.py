"""Opening and saving documents so that no version is lost: neither one's own nor another program's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Slot

from pipelines.errors import BackupNotKept, DiptychError, DiskFull, ErrorInfo, GraphDamaged, GraphUnreadable
from pipelines.files import is_there
from pipelines.graph.assets import AssetStore
from pipelines.graph.delta import Counts, counted
from pipelines.graph.document import Graph
from pipelines.graph.salvage import Salvaged
from pipelines.graph.storage import read_any, read_data
from studio.actions.shell import Shell
from studio.background import in_background
from studio.documents.saving import is_archive
from studio.documents.sheet import Sheet
from studio.keeping import file_watch, recovery
from studio.keeping.backups import Backups, Why, key_of
from studio.keeping.file_changed import FileChangedDialog
from studio.keeping.file_watch import Elsewhere, FileWatch
from studio.keeping.saves import SavesInFlight
from studio.keeping.session import SessionKeeper
from studio.parts import Parts
from studio.translate import tr

Then = Callable[[], object]
RESTORED: Final = "restored"
"""Where a sheet remembers the graphs before and after versions were restored."""


class DocumentFiles(QObject):
    """``opened`` turns to the workspace of what was opened; ``remember`` notes a file among the recent ones;
    ``save_as`` asks where to save."""

    def __init__(
        self,
        parts: Parts,
        shell: Shell,
        remember: Callable[[Path], None],
        save_as: Then,
        opened: Then,
    ) -> None:
        super().__init__(shell.window())
        self._document, self._tabs, self._shell = parts.document, parts.tabs, shell
        self._remember, self._save_as, self._opened = remember, save_as, opened
        self.backups = Backups()
        self._keeper: SessionKeeper | None = None
        self._dialog: FileChangedDialog | None = None
        self._saves = SavesInFlight(parts.document, self)
        self._next: dict[Sheet, Path | None] = {}
        """What is to be saved again, and where to, as soon as it has been saved."""
        self._watch = FileWatch(parts.document, self)
        self._watch.changed_elsewhere.connect(self._changed_elsewhere)
        parts.document.refused.connect(self._say_read_only)
        parts.document.changed.connect(self._follow_restored)

    def use(self, keeper: SessionKeeper) -> None:
        """Put versions where the session's keeper puts them."""
        self._keeper, self.backups = keeper, keeper.backups

    @property
    def key(self) -> str:
        """The document's name among the backups; empty where it has none."""
        path = self._document.path
        if self._keeper is not None:
            return self._keeper.key
        return key_of(path) if path is not None else ""

    # --- earlier versions ------------------------------------------------------------------------------

    def show_versions(self) -> None:
        """The backups of this document and of others."""
        from studio.keeping.versions import VersionsDialog, sources

        document, keeper = self._document, self._keeper
        folder = keeper.folder_of(document.sheet) if keeper is not None else None
        found = sources(self.backups, self.key, document.title or tr("Untitled"), folder)
        dialog = VersionsDialog(document.graph, found, document.read_only is None, self._shell.window())
        dialog.restore_requested.connect(self._restore)
        dialog.open_requested.connect(self._open_version)
        dialog.open()

    @Slot(object, str)
    def _restore(self, graph: Graph, when: str) -> None:
        """One step that undo takes back; the canvas shows the layers of then."""
        page, document = self._shell.canvas_page, self._document
        if page is not None:
            page.keeper.keep_now()
        memory = document.sheet.memory
        memory[RESTORED] = (*memory.get(RESTORED, ()), document.graph, graph)
        document.replace(graph, tr("Restore the version of {time}", time=when))
        self._shell.status.note(tr("Restored the version of {time}", time=when))

    @Slot()
    def _follow_restored(self) -> None:
        """The canvas writes what it shows into the document; where a restored version comes or goes, by undo
        too, it has to show that first."""
        page, graph = self._shell.canvas_page, self._document.graph
        restored = self._document.sheet.memory.get(RESTORED, ())
        if page is not None and page.keeper.node and any(graph is item for item in restored):
            page.keeper.load(page.keeper.node if page.keeper.node in graph.nodes else "")

    @Slot(object, str)
    def _open_version(self, graph: Graph, name: str) -> None:
        self._document.resume(graph, name, {}, from_elsewhere=self._document.from_elsewhere)
        self._opened()

    # --- opening ---------------------------------------------------------------------------------------

    def open(self, path: Path) -> None:
        """Open a file, in a tab of its own or in the one that it has; a damaged one as a new document, as far
        as it can be read."""
        there = self._tabs.find(path)
        if there is not None:
            self._document.show_sheet(there)
            self._remember(path)
            self._opened()
            return
        self._load(path)

    def _load(self, path: Path) -> None:
        try:
            self._document.load(path)
        except GraphUnreadable as error:
            self._shell.show_error(error.info())
            in_background(self, lambda: recovery.rescue(path), lambda found: self._rescued(path, *found))
            return
        except DiptychError as error:
            self._shell.show_error(error.info())
            return
        self._remember(path)
        self._opened()
        self._say_read_only()

    def _rescued(self, path: Path, found: Salvaged, damage: GraphDamaged) -> None:
        document, name = self._document, tr("{name} (recovered)", name=path.stem)
        document.resume(found.graph, name, found.assets, from_elsewhere=True)
        self._opened()
        self._warn(damage.info())

    @Slot()
    def _say_read_only(self) -> None:
        why = self._document.read_only
        if why is not None:
            self._warn(why.info())

    def _warn(self, error: ErrorInfo) -> None:
        self._shell.show_error(replace(error, severity="warning"))

    # --- saving ----------------------------------------------------------------------------------------

    def save(self, path: Path | None) -> None:
        """Save to ``path``, or to the document's own file; ask if another program changed that. While it is
        being saved already, that is done first."""
        self._save(self._document.sheet, path)

    def _save(self, sheet: Sheet, path: Path | None) -> None:
        if sheet.goal is not None:
            self._next[sheet] = path or self._next.get(sheet)
            return
        goal = path or sheet.path
        if goal is None or sheet.read_only is not None:
            self._say_read_only()
            return
        if goal != sheet.path and is_there(goal):
            keep = _keep_what_is_there(self.backups, self._document.assets, goal)
            in_background(self, keep, self._then_write(sheet, goal), self._shell.show_error)
        elif goal == sheet.path and sheet.is_changed_on_disk():
            known = sheet.in_file.dumps() if sheet.in_file is not None else None
            in_background(
                self,
                lambda: file_watch.look(goal, known),
                lambda found: self._looked(sheet, goal, found),
                self._shell.show_error,
            )
        else:
            self._write(sheet, goal)

    def _looked(self, sheet: Sheet, goal: Path, found: Elsewhere | None) -> None:
        if found is None:
            self._write(sheet, goal)
            return
        counts = counted(sheet.graph, found.stored.graph) if found.stored is not None else None
        self._ask(sheet, goal, counts)

    def _ask(self, sheet: Sheet, goal: Path, counts: Counts | None) -> None:
        if self._dialog is not None:
            return
        self._dialog = FileChangedDialog(goal.name, counts, self._shell.window())
        self._dialog.finished.connect(lambda _: self._answered(sheet, goal))
        self._dialog.open()

    def _answered(self, sheet: Sheet, goal: Path) -> None:
        dialog, self._dialog = self._dialog, None
        choice = dialog.choice if dialog is not None else ""
        if choice == "save":
            keep = _keep_what_is_there(self.backups, self._document.assets, goal)
            in_background(self, keep, self._then_write(sheet, goal), self._shell.show_error)
        elif choice == "save_as":
            self._document.show_sheet(sheet)
            self._save_as()
        elif choice == "reload":
            self._document.show_sheet(sheet)
            if self._keeper is None:  # else the keeper does it
                self._keep(goal, sheet.graph, "closed")
            with self._tabs.in_place():
                self._load(goal)

    def _then_write(self, sheet: Sheet, goal: Path) -> Callable[[ErrorInfo | None], object]:
        def then(problem: ErrorInfo | None) -> None:
            self._write(sheet, goal)
            if problem is not None:
                self._warn(problem)

        return then

    def _write(self, sheet: Sheet, goal: Path) -> None:
        if sheet.goal is not None:
            self._next[sheet] = goal
            return
        before = sheet.in_file if goal == sheet.path else None
        try:
            if not is_archive(goal):
                self._document.save(goal, sheet)
                self._written(goal, before, sheet.graph)
                return
            saving = self._document.saving(goal, sheet)
        except DiptychError as error:
            self._not_written(error.info())
            return

        def landed(error: ErrorInfo | None) -> None:
            if error is None:
                self._written(goal, before, saving.graph)
            else:
                self._not_written(error)
            if sheet in self._next:
                self._save(sheet, self._next.pop(sheet))

        self._shell.status.note(tr("Saving {name}", name=goal.name))
        self._saves.start(sheet, saving, landed)

    def _written(self, goal: Path, before: Graph | None, graph: Graph) -> None:
        self._remember(goal)
        self._shell.status.note(tr("Saved {name}", name=goal.name))
        if before is not None and before is not graph:
            self._keep(goal, before, "before")

    def _not_written(self, error: ErrorInfo) -> None:
        self._shell.show_error(error, ((tr("Save elsewhere…"), self._save_as),))

    def finish(self) -> bool:
        """Wait for what is being saved, before the window closes; gives whether all of it could be."""
        return self._saves.finish()

    def _keep(self, goal: Path, graph: Graph, why: Why) -> None:
        """Put a version among the backups of a file."""
        backups = self.backups

        def keep() -> None:
            backups.put(key_of(goal), graph, why, path=str(goal), name=goal.stem)

        in_background(self, keep, lambda _: None, self._warn)

    # --- watching --------------------------------------------------------------------------------------

    @Slot(Path)
    def _changed_elsewhere(self, path: Path) -> None:
        self._shell.status.note(tr("{name} was changed by another program", name=path.name))


def _keep_what_is_there(backups: Backups, store: AssetStore, goal: Path) -> Callable[[], ErrorInfo | None]:
    """Work that puts the file that a save will replace among the backups; gives what stood in the way, which
    is no reason not to save."""

    def keep() -> ErrorInfo | None:
        try:
            if not goal.is_file():
                return None
            key = key_of(goal)
            try:
                stored = read_any(read_data(goal), goal.name)
            except DiptychError:
                backups.put_file(key, goal)
                return None
            store.take_in(stored.assets)
            backups.put(key, stored.graph, "other", path=str(goal), name=goal.stem)
        except (BackupNotKept, DiskFull) as error:
            return error.info()
        except OSError as error:
            return BackupNotKept(path=str(backups.folder), reason=f"{error.strerror or error}.").info()
        return None

    return keep
