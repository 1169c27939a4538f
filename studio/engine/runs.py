"""The runs of this session: what the status bar, Create and the queue show. Fed by the engine's events
alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QObject, QSize, Signal, Slot
from PySide6.QtGui import QImage

from pipelines.engine.protocol import (
    ErrorData,
    Failure,
    ImageRef,
    NodeFinished,
    NodeProgress,
    NodeStarted,
    NodeWarning,
    RunFinished,
    RunStarted,
    RunWaiting,
)
from pipelines.errors import ErrorInfo
from pipelines.graph.document import Graph
from pipelines.graph.subgraphs import flatten
from studio.documents.document import GraphDocument
from studio.documents.sheet import Sheet
from studio.engine.phases import progress_text
from studio.pictures.results import Result, ResultList
from studio.translate import tr

KEPT = 100


class Bridge(Protocol):
    """What this module needs of ``studio.engine.bridge.EngineBridge``."""

    state: str
    run_submitted: Any
    run_started: Any
    run_waiting: Any
    node_started: Any
    node_progressed: Any
    node_warned: Any
    node_finished: Any
    run_finished: Any
    failed: Any

    def image(self, ref: ImageRef) -> QImage: ...
    def submit(
        self, graph: Graph, targets: tuple[str, ...] | None = None, name: str = "", base: str = ""
    ) -> str: ...
    def cancel(self, job: str) -> None: ...


@dataclass(slots=True)
class RunRecord:
    """One run. ``state``: ``queued``, ``waiting``, ``running``, or how it ended."""

    job: str
    name: str
    graph: Graph
    settings: Mapping[str, Any]
    home: Sheet
    """The document it was made of."""
    state: str = "queued"
    owner: str = ""
    submitted: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    node: str = ""
    progress: NodeProgress | None = None
    text: str = ""
    pictures: int = 0
    rows: list[int] = field(default_factory=list)
    errors: list[ErrorInfo] = field(default_factory=list)
    executed: int = 0
    infos: dict[str, tuple[dict[str, Any], ...]] = field(default_factory=dict)
    ends: frozenset[str] = frozenset()
    """The nodes that nothing depends on, inside of groups too: what they make is shown."""

    @property
    def active(self) -> bool:
        """Not ended yet."""
        return self.state in ("queued", "waiting", "running")


def error_info(data: ErrorData) -> ErrorInfo:
    """An error of a message as the studio shows it."""
    return ErrorInfo.from_json(data.model_dump())


def exposed_values(graph: Graph) -> dict[str, Any]:
    """The literals of a graph's arguments, by name."""
    found = {}
    for name, place in graph.exposed.items():
        record = graph.nodes.get(place.node)
        if record is not None and place.param in record.params:
            found[name] = record.params[place.param]
    return found


class RunTracker(QObject):
    """Keeps the records and puts finished pictures into the list of results.

    ``changed`` after anything; ``preview_arrived`` (picture, size it will have), ``result_added`` (row,
    the whole
    picture),
    ``already_made`` (record) for a run that executed nothing, ``run_failed`` and ``warned`` (error, record),
    ``text_arrived`` (text so far), ``run_ended`` (record).
    """

    changed = Signal()
    preview_arrived = Signal(object, object)
    result_added = Signal(int, object)
    already_made = Signal(object)
    run_failed = Signal(object, object)
    warned = Signal(object, object)
    text_arrived = Signal(str)
    run_ended = Signal(object)

    def __init__(
        self, document: GraphDocument, bridge: Bridge, results: ResultList, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._document, self._bridge, self.results = document, bridge, results
        self._runs: dict[str, RunRecord] = {}
        self._sent: tuple[Graph, Sheet] | None = None
        """What is being submitted, if that isn't the document as it is."""
        bridge.run_submitted.connect(self._submitted)
        bridge.run_started.connect(self._started)
        bridge.run_waiting.connect(self._waiting)
        bridge.node_started.connect(self._node_started)
        bridge.node_progressed.connect(self._progressed)
        bridge.node_warned.connect(self._warned)
        bridge.node_finished.connect(self._node_finished)
        bridge.run_finished.connect(self._finished)
        bridge.failed.connect(self._failed)

    # --- asking and acting -----------------------------------------------------------------------------

    @property
    def runs(self) -> tuple[RunRecord, ...]:
        """All of this session, oldest first."""
        return tuple(self._runs.values())

    @property
    def current(self) -> RunRecord | None:
        """The run to show: the one at work, else the first that waits."""
        active = [run for run in self._runs.values() if run.active]
        return next((run for run in active if run.state == "running"), active[0] if active else None)

    @property
    def waiting(self) -> int:
        """How many runs wait behind the current one."""
        return max(0, sum(run.active for run in self._runs.values()) - 1)

    def submit(self, targets: tuple[str, ...] | None = None, graph: Graph | None = None) -> str:
        """Run the document as it is now (or ``graph``, made from it); the engine may still be starting."""
        sheet = self._document.sheet
        base = str(sheet.path.parent) if sheet.path is not None else ""
        with self.announced(graph or sheet.graph, sheet):
            return self._bridge.submit(graph or sheet.graph, targets, sheet.title, base)

    @contextmanager
    def announced(self, graph: Graph, home: Sheet) -> Iterator[None]:
        """What is submitted meanwhile is this graph, made of that document."""
        self._sent = graph, home
        try:
            yield
        finally:
            self._sent = None

    def home(self, job: str) -> Sheet | None:
        """The document that a run was made of; ``None`` for runs that aren't known."""
        run = self._runs.get(job)
        return run.home if run is not None else None

    def cancel(self, job: str = "") -> None:
        """Cancel a run (the current one)."""
        run = self._runs.get(job) if job else self.current
        if run is not None and run.active:
            self._bridge.cancel(run.job)

    def phase(self) -> str:
        """What the current run is doing, in words; empty when nothing runs."""
        run = self.current
        if run is None:
            return ""
        if self._bridge.state != "ready" and run.state == "queued":
            return tr("starting the engine")
        if run.state == "waiting":
            return tr("waiting for {owner}", owner=run.owner)
        if run.progress is not None:
            return progress_text(run.progress)
        return tr("starting") if run.state == "queued" else tr("at work")

    # --- events ----------------------------------------------------------------------------------------

    @Slot(str)
    def _submitted(self, job: str) -> None:
        graph, home = self._sent or (self._document.graph, self._document.sheet)
        ends = frozenset(flatten(graph).sinks())
        self._runs[job] = RunRecord(job, home.title, graph, exposed_values(graph), home, ends=ends)
        ended = [key for key, run in self._runs.items() if not run.active]
        for key in ended[: max(0, len(self._runs) - KEPT)]:
            del self._runs[key]
        self.changed.emit()

    @Slot(object)
    def _started(self, event: RunStarted) -> None:
        run = self._runs.get(event.job)
        if run is None:
            # queued by the session before this one: what it draws is shown, but not what it was made with
            run = self._runs[event.job] = RunRecord(event.job, "", Graph(), {}, self._document.sheet)
        run.state, run.submitted = "running", time.monotonic()
        self.changed.emit()

    @Slot(object)
    def _waiting(self, event: RunWaiting) -> None:
        if (run := self._runs.get(event.job)) is not None:
            run.state, run.owner = "waiting", event.owner
            self.changed.emit()

    @Slot(object)
    def _node_started(self, event: NodeStarted) -> None:
        if (run := self._runs.get(event.job)) is not None and run.active:
            run.state, run.node, run.progress = "running", event.node, None
            self.changed.emit()

    @Slot(object)
    def _progressed(self, event: NodeProgress) -> None:
        run = self._runs.get(event.job)
        if run is None or not run.active:
            return
        run.state, run.node, run.progress = "running", event.node, event
        if event.text is not None:
            run.text = event.text
            self.text_arrived.emit(event.text)
        if event.preview is not None and run is self.current:
            picture = self._bridge.image(event.preview)
            if not picture.isNull():
                self.preview_arrived.emit(picture, self._final_size(run, picture))
        self.changed.emit()

    @Slot(object)
    def _warned(self, event: NodeWarning) -> None:
        if (run := self._runs.get(event.job)) is not None:
            info = error_info(event.warning)
            self.warned.emit(info if info.node else info.at(event.node), run)

    @Slot(object)
    def _node_finished(self, event: NodeFinished) -> None:
        run = self._runs.get(event.job)
        if run is None:
            return
        run.executed += event.status == "executed"
        for value in event.outputs.values():
            if value.infos:
                run.infos[event.node] = value.infos
        if event.node in run.ends or (not run.graph.nodes and "path" in event.outputs):
            self._take_pictures(run, event)
        if event.error is not None and event.status == "failed":
            info = error_info(event.error)
            run.errors.append(info if info.node else info.at(event.node))
        self.changed.emit()

    @Slot(object)
    def _finished(self, event: RunFinished) -> None:
        run = self._runs.get(event.job)
        if run is None or not run.active:
            return
        run.state, run.seconds, run.progress = event.status, event.seconds, None
        known = {(error.code, error.node) for error in run.errors}
        run.errors += [error_info(item) for item in event.errors if (item.code, item.node) not in known]
        self.run_ended.emit(run)
        if event.status == "failed" and run.errors:
            self.run_failed.emit(run.errors[0], run)
        elif event.status == "finished" and not run.executed and event.nodes:
            self.already_made.emit(run)
        self.changed.emit()

    @Slot(object)
    def _failed(self, event: Failure) -> None:
        run = self._runs.get(event.request)
        if run is not None and run.active:
            run.state, run.progress = "failed", None
            run.errors.append(error_info(event.error))
            self.run_ended.emit(run)
            self.run_failed.emit(run.errors[-1], run)
            self.changed.emit()

    # --- pictures --------------------------------------------------------------------------------------

    def _take_pictures(self, run: RunRecord, event: NodeFinished) -> None:
        value = next((item for item in event.outputs.values() if item.images), None)
        if value is None:
            return
        saved = event.outputs.get("path")
        paths = (
            saved.value
            if saved is not None and isinstance(saved.value, list)
            else [saved.value if saved else ""]
        )
        for index, ref in enumerate(value.images):
            path = str(paths[index]) if index < len(paths) and paths[index] else ""
            info = value.infos[index] if index < len(value.infos) else {}
            self._add(run, event, index, path, info, self._bridge.image(ref))

    def _add(
        self,
        run: RunRecord,
        event: NodeFinished,
        index: int,
        path: str,
        info: Mapping[str, Any],
        image: QImage,
    ) -> None:
        known = next(
            (row for row, item in enumerate(self.results.results) if path and item.path == path), None
        )
        if known is None:
            seed = info.get("seed", run.settings.get("seed"))
            settings = {**run.settings, **({"seed": seed} if "seed" in run.graph.exposed else {})}
            result = Result(path, settings, info, run.job, event.node, index)
            known = self.results.add(result, image)
        run.rows.append(known)
        run.pictures += 1
        self.result_added.emit(known, image)

    def _final_size(self, run: RunRecord, preview: QImage) -> QSize:
        """The size the picture will have, so that the preview stands where the picture will.

        The last picture tells by how much the graph enlarges; before there is one, an upscaler is taken
        for 4×.
        """
        width, height = run.settings.get("width"), run.settings.get("height")
        if not isinstance(width, int) or not isinstance(height, int):
            return preview.size() * 4
        upscales = any(
            node.type == "upscale.model" and node.mode == "active" for node in run.graph.nodes.values()
        )
        factor = 4.0 if upscales else 1.0
        for result in reversed(self.results.results[-8:]):
            made = result.info.get("upscale_factor")
            if isinstance(made, int | float) and made > 0:
                factor = float(made)
                break
        return QSize(max(1, round(width * factor)), max(1, round(height * factor)))


def folder_of(result: Result) -> Path | None:
    """The folder of a result's file, if it was saved."""
    return Path(result.path).parent if result.path else None
