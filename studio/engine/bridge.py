"""The bridge: engine events become Qt signals in the main thread, at most 30 times a second for progress."""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, Literal

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtGui import QImage

from pipelines import paths
from pipelines.engine import exchange
from pipelines.engine.client import EngineClient, HostFactory
from pipelines.engine.hosts import ProcessHost
from pipelines.engine.protocol import (
    AskPorts,
    CachedNodes,
    Calibrate,
    Calibrated,
    ConvertModel,
    DescribeModel,
    Device,
    Downloads,
    DownloadTold,
    Duplicates,
    Failure,
    FindCached,
    FindDuplicates,
    Forecast,
    Forecasted,
    FreeMemory,
    HashModel,
    ImageRef,
    ImportModel,
    JudgeModels,
    KeepResults,
    ListDownloads,
    ListModels,
    LoadNodes,
    LookAtSource,
    Lost,
    Message,
    ModelConverted,
    ModelDescribed,
    ModelImported,
    ModelInfo,
    ModelProgress,
    ModelRemoved,
    Models,
    ModelsJudged,
    ModelTold,
    ModelWorkStopped,
    NodeFinished,
    NodeProgress,
    NodeStarted,
    NodeWarning,
    NoteModel,
    OutsideNodes,
    Ports,
    Prepare,
    Problems,
    Ready,
    RemoveModel,
    ResultsKept,
    RunFinished,
    RunStarted,
    RunWaiting,
    Saved,
    SaveImage,
    SetModelFolders,
    SetOffline,
    Settings,
    SourceSeen,
    StartDownload,
    SteerDownload,
    StopModelWork,
    Validate,
)
from pipelines.engine.queue import JobQueue
from pipelines.graph.document import Graph

INTERVAL_MS: Final = 33
KEPT_BYTES: Final = 96 * 2**20
"""Pictures of messages kept for the views that have not asked yet."""
MAX_ALSO: Final = 64
"""Models of one's own that are asked about; the oldest are forgotten."""
ABOUT_MODELS: Final = (
    ModelProgress, ModelTold, ModelDescribed, ModelConverted, ModelImported, ModelRemoved, Duplicates,
    ModelWorkStopped,
)  # fmt: skip
_FORMATS: Final = {
    1: QImage.Format.Format_Grayscale8,
    3: QImage.Format.Format_RGB888,
    4: QImage.Format.Format_RGBA8888,
}


class EngineBridge(QObject):
    """What the studio knows of the engine. All signals carry messages of :mod:`pipelines.engine.protocol`."""

    ready = Signal(object)
    engine_lost = Signal(object)
    device_changed = Signal(object)
    run_submitted = Signal(str)
    run_started = Signal(object)
    run_waiting = Signal(object)
    node_started = Signal(object)
    node_progressed = Signal(object)
    node_warned = Signal(object)
    node_finished = Signal(object)
    run_finished = Signal(object)
    models_listed = Signal(object)
    model_answered = Signal(object)
    """What was asked of one model, or of duplicates; and how far that is, or a search."""
    downloads_listed = Signal(object)
    download_told = Signal(object)
    source_seen = Signal(object)
    models_judged = Signal(object)
    problems_found = Signal(object)
    outside_listed = Signal(object)
    ports_told = Signal(object)
    cached_found = Signal(object)
    forecasted = Signal(object)
    calibrated = Signal(object)
    results_kept = Signal(object)
    saved = Signal(object)
    failed = Signal(object)
    _woken = Signal()

    def __init__(
        self,
        settings: Settings,
        parent: QObject | None = None,
        *,
        host: HostFactory = ProcessHost,
        queue: JobQueue | None = None,
    ) -> None:
        super().__init__(parent)
        self.state = "starting"
        self._client = EngineClient(settings, self._hear, host, queue)
        self._lock = threading.Lock()
        self._events: list[Message] = []
        self._latest: dict[tuple[str, str], int] = {}
        self._scheduled = False
        self._flushed = 0.0
        self._also: tuple[str, ...] = ()
        self._listing: dict[str, list[ModelInfo]] = {}
        self._pictures: OrderedDict[str, QImage] = OrderedDict()
        self._picture_bytes = 0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._flush)
        self._woken.connect(self._wake)
        self._signals: dict[type[Message], Any] = {
            Ready: self.ready,
            Device: self.device_changed,
            Lost: self.engine_lost,
            RunStarted: self.run_started,
            RunWaiting: self.run_waiting,
            NodeStarted: self.node_started,
            NodeProgress: self.node_progressed,
            NodeWarning: self.node_warned,
            NodeFinished: self.node_finished,
            RunFinished: self.run_finished,
            Models: self.models_listed,
            **dict.fromkeys(ABOUT_MODELS, self.model_answered),
            Downloads: self.downloads_listed,
            DownloadTold: self.download_told,
            SourceSeen: self.source_seen,
            ModelsJudged: self.models_judged,
            Problems: self.problems_found,
            OutsideNodes: self.outside_listed,
            Ports: self.ports_told,
            CachedNodes: self.cached_found,
            Forecasted: self.forecasted,
            Calibrated: self.calibrated,
            ResultsKept: self.results_kept,
            Saved: self.saved,
            Failure: self.failed,
        }

    # --- requests ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the engine process; returns at once. Heavy libraries are imported there, in the
        background."""
        self._client.start()
        self.prepare()
        self.list_models()

    def submit(
        self, graph: Graph, targets: tuple[str, ...] | None = None, name: str = "", base: str = ""
    ) -> str:
        """Queue a run of the graph as it is now; accepted in any state. Returns the job's id."""
        job = self._client.submit(graph, targets, name=name, base=base)
        self.run_submitted.emit(job)
        return job

    def cancel(self, job: str) -> None:
        self._client.cancel(job)

    def prepare(self) -> None:
        """Import the heavy libraries there, in the background; the answer is :attr:`device_changed`."""
        self._client.send(Prepare())

    def free_memory(self) -> None:
        self._client.send(FreeMemory())

    def list_models(self, also: tuple[str, ...] = ()) -> str:
        """Ask for the models; the answer is :attr:`models_listed`. Models at the paths ``also`` are in it and
        in every later one, wherever they lie."""
        self._also = tuple(dict.fromkeys((*self._also, *also)))[-MAX_ALSO:]
        return self._request(ListModels, also=self._also)

    def set_model_folders(self, folders: tuple[str, ...]) -> str:
        """Have models looked for in these folders from now on; the answer is :attr:`models_listed`."""
        self._client.settings = self._client.settings.model_copy(update={"model_folders": folders})
        return self._request(SetModelFolders, folders=folders)

    def describe_model(self, path: str) -> str:
        """Ask what is written in a model's file; this and all below is answered by :attr:`model_answered`."""
        return self._request(DescribeModel, path=path)

    def note_model(self, path: str, **notes: Any) -> str:
        """Keep notes of a model: ``text``, ``tags``, ``favourite``, ``trigger_words``, ``defaults``."""
        return self._request(NoteModel, path=path, **notes)

    def hash_model(self, path: str, *, verify: bool = False) -> str:
        """Have a model's hashes made; ``verify``: and compared with what they were and should be."""
        return self._request(HashModel, path=path, verify=verify)

    def convert_model(self, path: str) -> str:
        """Have a pickled model written as safetensors beside it."""
        return self._request(ConvertModel, path=path)

    def import_model(self, path: str) -> str:
        """Have a model file brought into the user's own folder."""
        return self._request(ImportModel, path=path)

    def remove_model(self, path: str) -> str:
        """Move a model to the bin, with what lies beside it."""
        return self._request(RemoveModel, path=path)

    def find_duplicates(self) -> str:
        """Ask which models' files are the same."""
        return self._request(FindDuplicates)

    def stop_model_work(self, request: str) -> None:
        """End what one of these asked for."""
        self._client.send(StopModelWork(request=request))

    def list_downloads(self) -> str:
        """Ask for the downloads, and have those of the last time gone on with; the answer is
        :attr:`downloads_listed`."""
        return self._request(ListDownloads)

    def look_at_source(self, source: str, variant: str = "") -> str:
        """Ask what a repository or an address would bring; the answer is :attr:`source_seen`."""
        return self._request(LookAtSource, source=source, variant=variant)

    def start_download(
        self, source: str, title: str, *, variant: str = "", model_kind: str = "", curated: str = ""
    ) -> str:
        """Download a model; what becomes of it is :attr:`download_told`. Returns the download's id."""
        download = uuid.uuid4().hex[:12]
        self._client.send(
            StartDownload(
                download=download, source=source, title=title, variant=variant, model_kind=model_kind,
                curated=curated,
            )
        )  # fmt: skip
        return download

    def steer_download(self, download: str, how: Literal["pause", "resume", "cancel"]) -> None:
        """Pause one, go on with it, or give it up."""
        self._client.send(SteerDownload(download=download, how=how))

    def set_offline(self, reason: str) -> None:
        """Don't use the network from now on, for a reason; without one, use it again."""
        self._client.settings = self._client.settings.model_copy(update={"offline": reason})
        self._client.send(SetOffline(reason=reason))

    def judge_models(self) -> str:
        """Ask what to get for this machine; the answer is :attr:`models_judged`."""
        return self._request(JudgeModels)

    def validate(self, graph: Graph) -> str:
        return self._request(Validate, graph=graph.dumps().decode())

    def find_cached(self, graph: Graph, base: str = "") -> str:
        """Ask what of a graph need not run; the answer is :attr:`cached_found`."""
        return self._request(FindCached, graph=graph.dumps().decode(), base=base)

    def forecast(self, graph: Graph) -> str:
        """Ask what a run of a graph will need and take; the answer is :attr:`forecasted`."""
        return self._request(Forecast, graph=graph.dumps().decode())

    def calibrate(self, *, quick: bool = False) -> str:
        """Have the device measured, for the seconds of forecasts; the answer is :attr:`calibrated`."""
        return self._request(Calibrate, quick=quick)

    def keep_results(self, limit: int | None = None, *, clear: bool = False) -> str:
        """Keep at most so many bytes of results on disk, or delete them; and ask how many there are. The
        answer is :attr:`results_kept`."""
        if limit is not None:
            changes = {"disk_cache_bytes": limit}
            self._client.settings = self._client.settings.model_copy(update=changes)
        return self._request(KeepResults, limit=limit, clear=clear)

    def load_nodes(self, *, again: bool = False) -> str:
        """Look for nodes from outside, and load what was agreed to; the answer is :attr:`outside_listed`.
        ``again``: what failed before is tried once more."""
        return self._request(LoadNodes, again=again)

    def ask_ports(self, type_id: str, params: Mapping[str, Any]) -> str:
        """Ask which ports a node type from outside has; the answer is :attr:`ports_told`."""
        return self._request(AskPorts, type=type_id, params=dict(params))

    def save_image(self, job: str, node: str, index: int, path: str) -> str:
        """Save a picture of an earlier run to another place; the answer is :attr:`saved`."""
        return self._request(SaveImage, job=job, node=node, index=index, path=path)

    def _request(self, kind: type[Message], **fields: Any) -> str:
        request = uuid.uuid4().hex[:12]
        self._client.send(kind(request=request, **fields))
        return request

    def image(self, ref: ImageRef) -> QImage:
        """The picture a message names, for every view that asks. A null image if it is gone.

        Its file can be read once only, so the last pictures are kept, up to :data:`KEPT_BYTES`.
        """
        found = self._pictures.get(ref.file)
        if found is None:
            found = self._take_image(ref)
            self._pictures[ref.file] = found
            self._picture_bytes += found.sizeInBytes()
            while self._picture_bytes > KEPT_BYTES and len(self._pictures) > 1:
                self._picture_bytes -= self._pictures.popitem(last=False)[1].sizeInBytes()
        return found

    def _take_image(self, ref: ImageRef) -> QImage:
        if self._client.run_dir is None:
            return QImage()
        try:
            data = exchange.take_pixels(self._client.run_dir, ref)
        except (OSError, ValueError):
            return QImage()
        picture = QImage(data, ref.width, ref.height, ref.width * ref.channels, _FORMATS[ref.channels])
        return picture.copy()

    def close(self) -> None:
        """End the engine; never takes longer than about two seconds."""
        self._timer.stop()
        self._client.close()

    # --- events --------------------------------------------------------------------------------------------

    def _hear(self, message: Message) -> None:
        """Called from threads of the client: note the event, latest progress wins, and wake the main
        thread."""
        with self._lock:
            if isinstance(message, NodeProgress):
                key = (message.job, message.node)
                at = self._latest.get(key)
                if at is not None:
                    message = self._merged(self._events[at], message)
                    self._events[at] = message
                else:
                    self._latest[key] = len(self._events)
                    self._events.append(message)
            else:
                self._events.append(message)
                self._latest.clear()
            if self._scheduled:
                return
            self._scheduled = True
        self._woken.emit()

    def _merged(self, old: Message, new: NodeProgress) -> NodeProgress:
        """The newer progress; a preview it doesn't have is taken from the older, one that it replaces is
        deleted."""
        assert isinstance(old, NodeProgress)
        if old.preview is None:
            return new
        if new.preview is None:
            return new.model_copy(update={"preview": old.preview})
        if self._client.run_dir is not None:
            exchange.discard(self._client.run_dir, old.preview)
        return new

    @Slot()
    def _wake(self) -> None:
        since = (time.monotonic() - self._flushed) * 1000
        with self._lock:
            only_progress = all(isinstance(event, NodeProgress) for event in self._events)
        if only_progress and since < INTERVAL_MS:
            self._timer.start(int(INTERVAL_MS - since) + 1)
        else:
            self._flush()

    @Slot()
    def _flush(self) -> None:
        with self._lock:
            events, self._events = self._events, []
            self._latest.clear()
            self._scheduled = False
        self._flushed = time.monotonic()
        for event in events:
            self._deliver(event)

    def _deliver(self, event: Message) -> None:
        if isinstance(event, Ready):
            self.state = "ready"
        elif isinstance(event, Lost):
            self.state = "starting" if event.restarting else "lost"
            self._listing.clear()
        elif isinstance(event, Models):
            whole = self._whole(event)
            if whole is None:
                return
            event = whole
        self._signals[type(event)].emit(event)

    def _whole(self, event: Models) -> Models | None:
        """The list that this message is the last part of; ``None`` while more of it comes."""
        parts = self._listing.setdefault(event.request, [])
        parts += event.models
        if event.more:
            return None
        return Models.model_construct(request=event.request, models=tuple(self._listing.pop(event.request)))


def default_queue() -> JobQueue:
    """The queue of this profile."""
    return JobQueue(paths.data_dir() / "queue.sqlite")
