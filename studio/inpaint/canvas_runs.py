"""The canvas's runs: what is sent to the engine, and what comes back as previews and candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, QRect, QSize, QTimer, Signal, Slot
from PySide6.QtGui import QImage

from pipelines.engine.protocol import Failure, NodeFinished, NodeProgress, RunFinished, ValueRef
from pipelines.errors import ErrorInfo
from pipelines.graph.document import Graph
from studio.background import in_background
from studio.documents.document import GraphDocument
from studio.documents.sheet import Sheet
from studio.engine.runs import error_info
from studio.inpaint.candidates import Candidate, Candidates, part_of
from studio.inpaint.crop_watcher import Planned

LIVE_DELAY_MS = 350
LIVE_STEPS = 8


@dataclass(slots=True)
class CanvasRun:
    """One run: what for (``generate``, ``live``, or ``picture`` for a picture that something is done with),
    and the canvas it started from."""

    job: str
    purpose: str
    targets: tuple[str, ...]
    before: QImage
    planned: Planned | None
    home: Sheet
    """The document it is for; what it makes waits until that is shown."""
    done: Callable[[QImage], object] | None = None
    dropped: bool = False
    """Nobody wants to see what it makes."""


class CanvasRuns(QObject):
    """``preview_arrived`` (picture, rectangle) while a run draws; :attr:`candidates` when it has drawn;
    ``failed`` (error) and ``ended`` (purpose, status) as they say.
    """

    preview_arrived = Signal(object, QRect)
    failed = Signal(object)
    ended = Signal(str, str)
    changed = Signal()

    def __init__(self, document: GraphDocument, bridge: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document, self._bridge = document, bridge
        self.candidates = Candidates(self)
        self._runs: dict[str, CanvasRun] = {}
        self._live_timer = QTimer(self)
        self._live_timer.setSingleShot(True)
        self._live_timer.setInterval(LIVE_DELAY_MS)
        bridge.node_progressed.connect(self._progressed)
        bridge.node_finished.connect(self._node_finished)
        bridge.run_finished.connect(self._finished)
        bridge.failed.connect(self._failed)

    # --- asking ----------------------------------------------------------------------------------------

    def is_active(self, purpose: str = "") -> bool:
        """Whether a run (of this purpose) of the document that is shown has not ended."""
        return any(not purpose or run.purpose == purpose for run in self._here())

    def _here(self) -> list[CanvasRun]:
        return [run for run in self._runs.values() if run.home is self._document.sheet]

    @property
    def live_due(self) -> QTimer:
        """Fires when a live run is due: a moment after the last call of its ``start``."""
        return self._live_timer

    # --- starting and stopping -------------------------------------------------------------------------

    def submit(
        self,
        graph: Graph,
        targets: tuple[str, ...],
        purpose: str,
        before: QImage,
        planned: Planned | None,
        done: Callable[[QImage], object] | None = None,
        home: Sheet | None = None,
    ) -> str:
        """Run a graph as it is; what it makes of ``before`` becomes candidates, or goes to ``done``.

        Args:
            home: the document it is for, if another is shown by now.
        """
        home = home or self._document.sheet
        base = str(home.path.parent) if home.path is not None else ""
        job = str(self._bridge.submit(graph, targets, home.title, base))
        self._runs[job] = CanvasRun(job, purpose, targets, before, planned, home, done)
        self.changed.emit()
        return job

    def cancel(self, purpose: str = "") -> None:
        """Cancel the runs of a purpose, or all, of the document that is shown."""
        for run in self._here():
            if not purpose or run.purpose == purpose:
                run.dropped = run.dropped or run.purpose == "live"
                self._bridge.cancel(run.job)

    def drop(self, *purposes: str) -> None:
        """The canvas has another shape: what the runs of these purposes make has no place on it."""
        for run in self._here():
            run.dropped = run.dropped or run.purpose in purposes

    # --- what comes back -------------------------------------------------------------------------------

    @Slot(object)
    def _progressed(self, event: NodeProgress) -> None:
        run = self._runs.get(event.job)
        if run is None or run.dropped or event.preview is None or run.purpose == "picture":
            return
        if run.home is not self._document.sheet:
            return
        picture = self._bridge.image(event.preview)
        if picture.isNull():
            return
        if run.planned is None:
            rect = QRect(0, 0, run.before.width(), run.before.height())
        else:
            rect = run.planned.rect
            picture = picture.copy(self._content(picture.size(), run.planned))
        self.preview_arrived.emit(picture, rect)

    @staticmethod
    def _content(size: QSize, planned: Planned) -> QRect:
        """The part of a preview that the crop fills: what is drawn may be padded to a multiple."""
        work, content = planned.plan.work, planned.plan.content
        width = max(1, round(size.width() * content.width / work.width))
        return QRect(0, 0, width, max(1, round(size.height() * content.height / work.height)))

    @Slot(object)
    def _node_finished(self, event: NodeFinished) -> None:
        run = self._runs.get(event.job)
        if run is None or run.dropped:
            return
        if event.node not in run.targets or event.status not in ("executed", "cached"):
            return
        value = next((item for item in event.outputs.values() if item.images), None)
        if value is None:
            return
        pictures = [self._bridge.image(ref) for ref in value.images]
        pictures = [picture for picture in pictures if not picture.isNull()]
        if not pictures:
            return
        if (done := run.done) is not None:
            self._document.when_shown(run.home, lambda: done(pictures[0]))
            return
        self._make_candidates(run, pictures, value, _paths(event))

    def _make_candidates(
        self, run: CanvasRun, pictures: list[QImage], value: ValueRef, paths: list[str]
    ) -> None:
        before, planned = run.before, run.planned
        infos = [value.infos[at] if at < len(value.infos) else {} for at in range(len(pictures))]
        names = [paths[at] if at < len(paths) else "" for at in range(len(pictures))]

        def cut() -> tuple[Candidate, ...]:
            parts = [part_of(picture, before, planned) for picture in pictures]
            return tuple(
                Candidate(image, rect, info, path)
                for (image, rect), info, path in zip(parts, infos, names, strict=True)
            )

        def done(found: tuple[Candidate, ...]) -> None:
            if not run.dropped:
                self._document.when_shown(run.home, lambda: self.candidates.set_items(found))

        in_background(self, cut, done, lambda error: self._tell_failure(run, error))

    def _tell_failure(self, run: CanvasRun, error: ErrorInfo) -> None:
        self._document.when_shown(run.home, lambda: self.failed.emit(error))

    def _end(self, run: CanvasRun, status: str) -> None:
        if run.home is self._document.sheet:
            self.ended.emit(run.purpose, status)
        self.changed.emit()

    @Slot(object)
    def _finished(self, event: RunFinished) -> None:
        run = self._runs.pop(event.job, None)
        if run is None:
            return
        if event.status == "failed" and event.errors and not run.dropped:
            self._tell_failure(run, error_info(event.errors[0]))
        self._end(run, event.status)

    @Slot(object)
    def _failed(self, event: Failure) -> None:
        run = self._runs.pop(event.request, None)
        if run is not None:
            self._tell_failure(run, error_info(event.error))
            self._end(run, "failed")


def _paths(event: NodeFinished) -> list[str]:
    """Where the pictures of a save node are."""
    saved = event.outputs.get("path")
    if saved is None:
        return []
    found = saved.value if isinstance(saved.value, list) else [saved.value]
    return [str(path) if path else "" for path in found]
