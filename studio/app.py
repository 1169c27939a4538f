"""The composition root: settings, theme, document, engine, window. Nothing heavy is imported before the
window shows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QThreadPool, QTimer, Slot
from PySide6.QtWidgets import QApplication, QPushButton

from pipelines import paths
from pipelines.engine.locks import FileLock
from pipelines.engine.protocol import Settings as EngineSettings
from pipelines.errors import DiptychError, ErrorInfo, FolderUnusable
from pipelines.graph.document import Graph
from pipelines.graph.storage import read_document
from studio import picture_files, session
from studio.appearance import apply_theme
from studio.document import GraphDocument
from studio.main_window import MainWindow
from studio.panels.dialog import Dialog
from studio.parts import Parts, assemble
from studio.profile_lock import profile_lock
from studio.session import SessionKeeper
from studio.settings import Settings, SettingsStore, default_path
from studio.theme import current_theme
from studio.translate import tr

QUIT_POOL_MS = 1_500
CANVAS_MS = 600


def engine_settings(settings: Settings) -> EngineSettings:
    """What the engine must know."""
    return EngineSettings(
        device=settings.device,
        data_dir=str(paths.data_dir()),
        cache_dir=str(paths.cache_dir()),
        output_dir=str(settings.output_dir),
        model_folders=settings.model_folders,
    )


class StudioApp(QObject):
    """One window and all behind it. :meth:`close` ends everything; it never waits long."""

    def __init__(self, parts: Parts, session_folder: Path | None) -> None:
        super().__init__()
        self.parts = parts
        self.window = MainWindow(parts)
        self.keeper: SessionKeeper | None = None
        self._restore(session_folder)
        if session_folder is not None and not parts.read_only:
            self.keeper = SessionKeeper(session_folder, parts.document, parts.results, self._view, self)
            self.window.create_page.strip.result_selected.connect(self.keeper.touch)
        self._closed = False
        self.window.painted.connect(self._start_engine)
        self.window.closing.connect(self.close)

    def _view(self) -> tuple[str, int]:
        return self.window.workspace, self.window.create_page.strip.row

    def _restore(self, folder: Path | None) -> None:
        saved = session.load(folder) if folder is not None else session.Saved()
        if saved.results:
            self.parts.results.set_results(list(saved.results))
        if saved.graph is None or not saved.graph.nodes:
            self.window.show_workspace("start")
            return
        document = self.parts.document
        document.new(saved.graph, saved.path.stem if saved.path is not None else "")
        if saved.path is not None and not saved.modified and _holds(saved.path, saved.graph):
            document.load(saved.path)
        document.from_elsewhere = saved.from_elsewhere
        known = saved.workspace in ("create", "graph", "canvas")
        self.window.show_workspace(saved.workspace if known else "create")
        self.window.create_page.select_last(saved.selected)

    @Slot()
    def _start_engine(self) -> None:
        self.parts.bridge.start()
        # the canvas is made while nobody waits for it, so that it hears of every run
        QTimer.singleShot(CANVAS_MS, self.window, self.window.prepare_soon)

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


def _holds(path: Path, graph: Graph) -> bool:
    """Whether a file is still what the session remembers of it."""
    try:
        return read_document(path).dumps() == graph.dumps()
    except (DiptychError, OSError, ValueError):
        return False


def make_parts(settings: SettingsStore, *, read_only: bool = False) -> Parts:
    """The parts with the real engine."""
    from studio.engine import EngineBridge, default_queue

    document = GraphDocument()
    queue = None if read_only else default_queue()
    bridge = EngineBridge(engine_settings(settings.values), queue=queue)
    return assemble(document, bridge, settings, read_only=read_only)


class SecondStudio(Dialog):
    """Another studio has this profile: quit, or go on without keeping anything."""

    def __init__(self, owner: str) -> None:
        super().__init__(tr("Diptych is already open"))
        from PySide6.QtWidgets import QLabel

        text = QLabel(
            tr(
                "Another window of Diptych ({owner}) uses this profile. Two at once would overwrite each "
                "other's session. You can work here too; pictures are saved, but the session is not kept.",
                owner=owner,
            )
        )
        text.setWordWrap(True)
        text.setMinimumWidth(420)
        self.content.addWidget(text)
        go_on, leave = QPushButton(tr("Open without keeping the session")), QPushButton(tr("Quit"))
        leave.setDefault(True)
        go_on.clicked.connect(self.accept)
        leave.clicked.connect(self.reject)
        self.buttons.addWidget(go_on)
        self.buttons.addWidget(leave)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="diptych", description=tr("Open the studio."))
    parser.add_argument("file", nargs="?", help=tr("a graph, or a picture made by Diptych"))
    parser.add_argument("--read-only", action="store_true", help=tr("don't keep the session"))
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
    lock = profile_lock()
    read_only = bool(options.read_only)
    settings = SettingsStore(None if read_only else default_path())
    problem: ErrorInfo | None = None
    try:
        if not read_only and not _take(lock, settings):
            return 0
    except FolderUnusable as error:  # no place for a session is no reason not to draw
        problem = error.info()
    read_only = read_only or not lock.held
    parts = make_parts(settings, read_only=read_only)
    apply_theme(parts)
    studio = StudioApp(parts, session.session_dir())
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


def _take(lock: FileLock, settings: SettingsStore) -> bool:
    """Take the profile, or ask; False if the user would rather quit."""
    if lock.acquire():
        return True
    current_theme().apply(settings.values.theme)
    return SecondStudio(lock.holder()).exec() == Dialog.DialogCode.Accepted


if __name__ == "__main__":
    sys.exit(main())
