"""The composition root: settings, theme, document, engine, window. Nothing heavy is imported before the
window shows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QThreadPool, QTimer, Slot
from PySide6.QtWidgets import QApplication

from pipelines import paths
from pipelines.engine.locks import FileLock
from pipelines.engine.protocol import Settings as EngineSettings
from pipelines.errors import ErrorInfo, FolderUnusable
from pipelines.graph.assets import assets_of
from studio.appearance import apply_theme
from studio.assembly import assemble
from studio.background import in_background
from studio.documents.document import GraphDocument
from studio.documents.sheet import Sheet
from studio.inpaint.left_elsewhere import LeftElsewhere
from studio.keeping import recovery, session_files
from studio.keeping.moments import moment_text
from studio.keeping.profile_lock import profile_lock, use_profile
from studio.keeping.session import SessionKeeper
from studio.keeping.session_files import WORKSPACE, Saved, SavedSheet
from studio.models.getting import offline_reason
from studio.panels.second_studio import SecondStudio
from studio.parts import Parts
from studio.pictures import picture_files
from studio.settings import Settings, SettingsStore, default_path
from studio.theme import current_theme
from studio.translate import tr
from studio.window.forecasts import Forecasts
from studio.window.main_window import MainWindow

QUIT_POOL_MS = 1_500
CANVAS_MS = 600
LEFT_MS = 2_000
TIDY_MS = 8_000
WORKSPACES = ("create", "graph", "canvas")


def engine_settings(settings: Settings, *, keeps_downloads: bool = True) -> EngineSettings:
    """What the engine must know."""
    return EngineSettings(
        device=settings.device,
        data_dir=str(paths.data_dir()),
        cache_dir=str(paths.cache_dir()),
        output_dir=str(settings.output_dir),
        model_folders=(*settings.model_folders, *(str(path) for path in paths.shared_model_folders())),
        nodes_dir=str(paths.nodes_dir()),
        agreements=str(paths.agreements_path()),
        reserve_bytes=round(settings.reserve_gb * 1e9),
        disk_cache_bytes=round(settings.results_gb * 1e9),
        offline=offline_reason(stays=settings.stay_offline),
        keeps_downloads=keeps_downloads,
    )


class StudioApp(QObject):
    """One window and all behind it. :meth:`close` ends everything; it never waits long."""

    def __init__(self, parts: Parts, session_folder: Path | None) -> None:
        super().__init__()
        self.parts = parts
        self.window = MainWindow(parts)
        self.forecasts = Forecasts(parts, self.window.status, self.window.messages, self.window)
        self.forecasts.answered.connect(self.window.create_page.form.show_forecast)
        self.keeper: SessionKeeper | None = None
        self._folder = session_folder
        self._restored: list[tuple[Sheet, SavedSheet]] = []
        saved = self._restore(session_folder)
        if session_folder is not None and not parts.read_only:
            self.keeper = SessionKeeper(session_folder, parts.tabs, parts.results, self._view, self)
            self.window.create_page.strip.result_selected.connect(self.keeper.touch)
            self.window.workspace_shown.connect(self.keeper.touch)
            self.keeper.failed.connect(self.window.show_error)
            self.window.actions_.files.use(self.keeper)
            for sheet, found in self._restored:
                self.keeper.go_on_from(sheet, found.state, found.crashed)
            self._say_what_came_back(saved)
            self.window.actions_.models.getting.waiting.keep_in(session_folder)
        take = lambda paths: self.window.canvas_actions.out.take_back(paths)  # noqa: E731 - it makes the canvas
        self.left = LeftElsewhere(self.window.banner, take, self)
        self._closed = False
        self.window.painted.connect(self._start_engine)
        self.window.closing.connect(self.close)

    def _view(self) -> tuple[str, int]:
        return self.window.workspace, self.window.create_page.strip.row

    def _restore(self, folder: Path | None) -> Saved:
        look_only = self.parts.read_only
        saved = session_files.load(folder, look_only=look_only) if folder is not None else Saved()
        if saved.results:
            self.parts.results.set_results(list(saved.results))
        for found in saved.sheets:
            sheet = recovery.sheet_of(self.parts.document, found.state)
            if sheet is not None:
                sheet.id = found.id or sheet.id
                sheet.memory[WORKSPACE] = found.workspace
                self._restored.append((sheet, found))
        if not self._restored:
            self.window.show_workspace("start")
            return saved
        sheets = [sheet for sheet, _ in self._restored]
        shown = next((sheet for sheet, found in self._restored if found is saved.sheet), sheets[-1])
        self.parts.tabs.restore(sheets, shown)
        known = saved.workspace in WORKSPACES
        self.window.show_workspace(saved.workspace if known else "create")
        self.window.create_page.select_last(saved.selected)
        return saved

    def _say_what_came_back(self, saved: Saved) -> None:
        """After a crash: what is there again, and where earlier states are."""
        earlier = ((tr("Show earlier versions"), self.window.actions_.show_versions),)
        if saved.crashed and any(sheet.graph.nodes for sheet, _ in self._restored):
            when = moment_text(saved.state.time) if saved.state is not None else ""
            text = tr("Your work of {time} is back.", time=when)
            self.window.show_message(tr("Diptych ended unexpectedly."), text, earlier)
        elif not saved.whole and not saved.crashed:
            text = tr("What was open before it can't be read. It was put aside, and backups may have it.")
            self.window.show_message(tr("Diptych ended unexpectedly."), text, earlier)

    @Slot()
    def _start_engine(self) -> None:
        self.parts.bridge.start()
        if self.keeper is not None:
            QTimer.singleShot(LEFT_MS, self.left, self.left.look)
            QTimer.singleShot(TIDY_MS, self, self._tidy)
        # the canvas is made while nobody waits for it, so that it hears of every run
        QTimer.singleShot(CANVAS_MS, self.window, self.window.prepare_soon)

    @Slot()
    def _tidy(self) -> None:
        """Clear up what nobody needs any more, while nobody waits."""
        tabs, keeper, folder = self.parts.tabs, self.keeper, self._folder
        if self._closed or keeper is None or folder is None:
            return
        settings = self.parts.settings.values
        others = [settings.output_dir, *{Path(path).parent for path in settings.recent}]
        used = {name for sheet in tabs.kept for name in assets_of(sheet.graph)}
        store = self.parts.document.assets
        in_background(
            self, lambda: recovery.tidy(folder, store, keeper.backups, used, others), lambda _: None
        )

    @Slot()
    def close(self) -> None:
        """Keep the session, end the engine."""
        if self._closed:
            return
        self._closed = True
        QThreadPool.globalInstance().waitForDone(QUIT_POOL_MS)
        if self.window.canvas_page is not None:
            self.window.canvas_page.keeper.keep_now()
        if self.keeper is not None:
            self.keeper.end()
        picture_files.leave_clipboard()
        self.parts.bridge.close()


def make_parts(settings: SettingsStore, *, read_only: bool = False) -> Parts:
    """The parts with the real engine."""
    from studio.engine.bridge import EngineBridge, default_queue

    document = GraphDocument()
    queue = None if read_only else default_queue()
    bridge = EngineBridge(engine_settings(settings.values, keeps_downloads=not read_only), queue=queue)
    return assemble(document, bridge, settings, read_only=read_only)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="diptych", description=tr("Open the studio."))
    parser.add_argument("file", nargs="?", help=tr("a graph, or a picture made by Diptych"))
    parser.add_argument("--read-only", action="store_true", help=tr("don't keep the session"))
    parser.add_argument("--profile", default="", help=tr("a session and settings of its own, by name"))
    return parser.parse_args(list(argv))


def application() -> QApplication:
    """The Qt application, made if there is none yet."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    QApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    app = QApplication(sys.argv[:1])
    app.setApplicationName("diptych")
    app.setDesktopFileName("diptych")
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Open the studio and return its exit code. ``argv`` are the arguments after the command's name."""
    options = _parse(sys.argv[1:] if argv is None else argv)
    app = application()
    if options.profile:
        use_profile(options.profile)
    read_only = bool(options.read_only)
    lock = profile_lock()
    problem: ErrorInfo | None = None
    try:
        if not read_only:
            taken = _take(lock)
            if taken is None:
                return 0
            lock = taken
    except FolderUnusable as error:  # no place for a session is no reason not to draw
        problem = error.info()
    settings = SettingsStore(None if read_only else default_path())
    read_only = read_only or not lock.held
    parts = make_parts(settings, read_only=read_only)
    apply_theme(parts)
    studio = StudioApp(parts, session_files.session_dir())
    if options.file:
        QTimer.singleShot(0, studio.window, lambda: studio.window.actions_.open_path(options.file))
    if problem is not None:
        studio.window.show_error(problem)
    studio.window.show()
    try:
        return app.exec()
    finally:
        studio.close()
        lock.release()


def _take(lock: FileLock) -> FileLock | None:
    """The lock of the profile to open, held unless the user goes on without a session; ``None`` to quit."""
    while not lock.acquire():
        current_theme().apply(SettingsStore(default_path()).values.theme)
        question = SecondStudio(lock.holder(), paths.profiles(), paths.profile())
        if question.exec() != SecondStudio.DialogCode.Accepted:
            return None
        if not question.profile:
            break
        use_profile(question.profile)
        lock = profile_lock()
    return lock


if __name__ == "__main__":
    sys.exit(main())
