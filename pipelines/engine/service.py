"""The engine itself, whatever it is hosted in: takes requests, runs jobs one after another, says what
happens."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from pipelines import paths
from pipelines.engine.downloads import REQUESTS as DOWNLOADS
from pipelines.engine.downloads import DownloadService
from pipelines.engine.exchange import PixelWriter
from pipelines.engine.foresight import ForecastService
from pipelines.engine.job import Job, Services
from pipelines.engine.lanes import ThreadLanes
from pipelines.engine.library import REQUESTS, ModelService
from pipelines.engine.locks import FileLock
from pipelines.engine.outside import OutsideService
from pipelines.engine.protocol import (
    AskPorts,
    CachedNodes,
    Calibrate,
    Cancel,
    Failure,
    FindCached,
    Forecast,
    FreeMemory,
    Hello,
    KeepResults,
    ListNodes,
    LoadNodes,
    Message,
    NodeFinished,
    Nodes,
    Prepare,
    Problems,
    Ready,
    ResultsKept,
    Run,
    RunFinished,
    RunWaiting,
    Saved,
    SaveImage,
    Settings,
    Shutdown,
    Validate,
)
from pipelines.engine.refs import error_data
from pipelines.engine.survey import find_cached
from pipelines.errors import Cancelled, DiptychError, MessageTooLong, NothingToSave, ProtocolError, describe
from pipelines.graph.assets import AssetStore
from pipelines.graph.cache import Cache
from pipelines.graph.disk_cache import DiskCache
from pipelines.graph.document import Graph
from pipelines.graph.node import Lane
from pipelines.graph.plan import validate
from pipelines.graph.registry import OpenRegistry, Registry, builtin
from pipelines.graph.values import Image, ListValue, nbytes
from pipelines.models.access import Models as ModelStore
from pipelines.models.access import open_models
from pipelines.models.device import driver_version, pick, report

RESULTS = "results"
"""The folder of the cache's second tier."""
KEPT_BYTES = 256 * 2**20
"""Pictures of earlier runs kept for "save as", whatever became of their files."""


class Kept(NamedTuple):
    """Pictures of a node of an earlier run, and what is written into their files."""

    pictures: list[Image]
    provenance: dict[str, Any]


class Engine:
    """Serves requests from one thread; ``emit`` is called from several, one message at a time."""

    def __init__(
        self, hello: Hello, emit: Callable[[Message], None], registry: Registry | None = None
    ) -> None:
        settings = hello.settings
        self._emit_unlocked = emit
        self._emit_lock = threading.Lock()
        self._lanes = ThreadLanes()
        models = Path(settings.data_dir) / "models"
        self._models: ModelStore = open_models(models, settings.model_folders, settings.reserve_bytes)
        self._setting, self._device = settings.device, ""
        self._lock: FileLock | None = None
        types = OpenRegistry(registry or builtin())
        self._services = Services(
            registry=types,
            models=self._models,
            cache=Cache(settings.cache_bytes, _disk_tier(settings)),
            lanes=self._lanes,
            device=self.device,
            cache_dir=Path(settings.cache_dir),
            output_dir=Path(settings.output_dir),
            assets=AssetStore(Path(settings.data_dir) / "assets"),
            pixels=PixelWriter(Path(hello.run_dir)),
            emit=self.emit,
            previews=settings.preview,
        )
        self._jobs: dict[str, Job] = {}
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._kept: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._foresight = ForecastService(
            self._models.catalogue, types, self.device, Path(settings.cache_dir), settings.reserve_bytes
        )
        self._outside = OutsideService(settings, types, self.emit)
        self._library = ModelService(
            self._models, models, self.emit, lambda request, work: self._in_background("io", request, work)
        )
        self._downloads = DownloadService(
            settings, self.emit, lambda request, work: self._in_background("io", request, work),
            self._foresight.machine,
        )  # fmt: skip
        self._worker = threading.Thread(target=self._work, name="diptych-jobs", daemon=True)
        self._worker.start()

    def emit(self, message: Message) -> None:
        """Send an event. One that is too long goes without the values in it; nobody listens: it is dropped,
        since the end of input ends the engine."""
        self._foresight.hear(message)
        with self._emit_lock, contextlib.suppress(OSError):
            try:
                self._emit_unlocked(message)
            except MessageTooLong as error:
                self._emit_unlocked(_shortened(message, error))

    def ready(self) -> Ready:
        """The first message a client gets."""
        return Ready(version=version("diptych-studio"), pid=os.getpid())

    def handle(self, request: Message) -> bool:
        """Serve one request; False after :class:`Shutdown`. Never raises: failures are messages."""
        match request:
            case Run() if request.job in self._jobs:
                error = ProtocolError(reason=f"There is a job called {request.job} already.")
                self.emit(Failure(error=error_data(error.info())))
            case Run():
                job = Job(request, replace(self._services, lanes=_JobLanes(self, request.job)))
                self._jobs[job.id] = job
                self._queue.put(job)
            case Cancel():
                self._cancel(request.job)
            case LoadNodes():
                self._outside.load(request)
            case _ if isinstance(request, REQUESTS):
                self._library.serve(request)
            case _ if isinstance(request, DOWNLOADS):
                self._downloads.serve(request)
            case (
                Validate() | FindCached() | ListNodes() | AskPorts() | SaveImage() | Forecast()
                | KeepResults()
            ):  # fmt: skip
                self._in_background("io", request.request, lambda: self._answer(request))
            case Prepare():
                self._in_background("gpu", "", self._prepare)
            case Calibrate():
                measure = lambda: self.emit(self._foresight.calibrate(request))  # noqa: E731 - in its lane
                self._in_background("gpu", request.request, measure)
            case FreeMemory():
                self._services.cache.clear()
                self._in_background("gpu", "", self._models.free)
            case Shutdown():
                return False
        return True

    def drain(self) -> None:
        """Wait until every job that was taken has ended and every question is answered."""
        self._queue.put(None)
        self._worker.join()
        self._lanes.finish()
        self._library.finish()

    def close(self, seconds: float = 1.0) -> None:
        """Cancel everything and wait at most ``seconds`` for the running job."""
        for job in list(self._jobs.values()):
            job.cancel.cancel()
        self._queue.put(None)
        self._worker.join(seconds)
        self._library.close()
        self._downloads.close()
        self._lanes.close()
        self._outside.close()
        if self._lock is not None:
            self._lock.release()

    # --- jobs ----------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            if self._jobs.get(job.id) is job:
                self._outside.wait()
                self._run(job)

    def _run(self, job: Job) -> None:
        try:
            finished = job.run()
        except Exception as error:  # noqa: BLE001 - whatever a job does, the next one runs
            info = describe(error)
            finished = RunFinished(job=job.id, status="failed", seconds=0.0, errors=(error_data(info),))
        self._keep(job)
        self._jobs.pop(job.id, None)
        self.emit(finished)
        if took := self._foresight.times(job.id):
            self._in_background("io", "", lambda: self._foresight.note(job.graph, took))

    def _cancel(self, job_id: str) -> None:
        job = self._jobs.get(job_id)
        if job is None:
            return
        job.cancel.cancel()
        if not job.is_started:
            del self._jobs[job_id]
            self.emit(RunFinished(job=job_id, status="cancelled", seconds=0.0))

    def _keep(self, job: Job) -> None:
        for node, result in job.results.items():
            values = [result.shown, *result.outputs.values()]
            pictures = [
                item
                for value in values
                for item in (value if isinstance(value, ListValue) else [value])
                if isinstance(item, Image)
            ]
            if pictures:
                self._kept[job.id, node] = Kept(pictures, job.provenance())
        while (
            len(self._kept) > 1
            and sum(nbytes(item) for kept in self._kept.values() for item in kept.pictures) > KEPT_BYTES
        ):
            self._kept.popitem(last=False)

    def lock_for(self, job_id: str) -> Callable[[Callable[[], Any]], Any]:
        """A function that does its argument while this engine holds the device."""
        job = self._jobs[job_id]

        def waiting(owner: str) -> None:
            self.emit(RunWaiting(job=job_id, device=self.device(), owner=owner))

        def locked(work: Callable[[], Any]) -> Any:
            with self._device_lock().hold(job.cancel, waiting):
                return work()

        return locked

    def _device_lock(self) -> FileLock:
        """The lock of the device itself, whatever setting led to it. Called in the device's lane only."""
        if self._lock is None:
            self._lock = FileLock(paths.runtime_dir() / f"device-{self.device().replace(':', '-')}.lock")
        return self._lock

    @property
    def lanes(self) -> ThreadLanes:
        return self._lanes

    # --- answers -------------------------------------------------------------------------------------------

    def _in_background(self, lane: Lane, request: str, work: Callable[[], Any]) -> None:
        def report(future: Future[Any]) -> None:
            error = None if future.cancelled() else future.exception()
            if error is not None and not isinstance(error, Cancelled):
                self.emit(Failure(request=request, error=error_data(describe(error))))

        self._lanes.submit(lane, work).add_done_callback(report)

    def _answer(self, request: Message) -> None:
        registry = self._services.registry
        match request:
            case Validate():
                self._outside.wait()
                try:
                    problems = validate(Graph.loads(request.graph), registry)
                except DiptychError as error:
                    problems = [error.info()]
                self.emit(Problems(request=request.request, problems=tuple(map(error_data, problems))))
            case FindCached():
                self._outside.wait()
                self.emit(find_cached(request, self._services))
            case AskPorts():
                self._outside.wait()
                self.emit(self._outside.ports(request))
            case ListNodes():
                self._outside.wait()
                self.emit(
                    Nodes(request=request.request, nodes=tuple(schema.to_json() for schema in registry))
                )
            case SaveImage():
                self.emit(self._save(request))
            case Forecast():
                self._outside.wait()
                self.emit(self._foresight.answer(request))
            case KeepResults():
                self.emit(_keep_results(request, self._services.cache, self._services.cache_dir))

    def _save(self, request: SaveImage) -> Saved:
        from pipelines.metadata import write_image

        kept = self._kept.get((request.job, request.node))
        try:
            if kept is None or not 0 <= request.index < len(kept.pictures):
                raise NothingToSave()
            path = Path(request.path)
            path = write_image(kept.pictures[request.index], path, provenance=kept.provenance)
        except (DiptychError, OSError, ValueError) as error:
            return Saved(request=request.request, error=error_data(describe(error)))
        return Saved(request=request.request, path=str(path))

    def device(self) -> str:
        """The torch device that draws; picked at the first call, which imports torch."""
        if not self._device:
            import torch

            self._device = pick(self._setting, torch)
        return self._device

    def _prepare(self) -> None:
        import diffusers
        import torch
        import transformers

        versions = {library.__name__: library.__version__ for library in (torch, diffusers, transformers)}
        message = report(self.device(), torch, driver_version())
        self.emit(message.model_copy(update={"versions": {**message.versions, **versions}}))


def _disk_tier(settings: Settings) -> DiskCache | None:
    """The cache's second tier, if the user wants one."""
    if not settings.disk_cache_bytes:
        return None
    return DiskCache(Path(settings.cache_dir) / RESULTS, settings.disk_cache_bytes)


def _keep_results(request: KeepResults, cache: Cache, cache_dir: Path) -> ResultsKept:
    """Change the cache's second tier as the user wants it, and say what it holds; where there is none, what
    is left there of an earlier one.
    """
    disk = cache.disk or DiskCache(cache_dir / RESULTS, sys.maxsize)
    before = len(disk), disk.bytes
    if request.clear:
        disk.clear()
    if request.limit is not None:
        disk.resize(request.limit)
        cache.disk = disk if request.limit else None
    return ResultsKept(
        request=request.request, results=len(disk), bytes=disk.bytes,
        deleted=max(0, before[0] - len(disk)), deleted_bytes=max(0, before[1] - disk.bytes),
    )  # fmt: skip


class _JobLanes:
    """The engine's lanes, in which work for the device waits until no other program of ours uses it."""

    def __init__(self, engine: Engine, job: str) -> None:
        self._engine, self._job = engine, job

    def submit(self, lane: Lane, work: Callable[[], Any]) -> Future[Any]:
        if lane == "gpu":
            locked = self._engine.lock_for(self._job)
            return self._engine.lanes.submit(lane, lambda: locked(work))
        return self._engine.lanes.submit(lane, work)


def _shortened(message: Message, error: MessageTooLong) -> Message:
    """A message that fits: the end of a node or a run without its values, else a failure that says so."""
    told = error_data(MessageTooLong(**{**error.arguments, "name": "The result"}).info())
    match message:
        case NodeFinished():
            return message.model_copy(update={"outputs": {}})
        case CachedNodes():
            nodes = tuple(node.model_copy(update={"outputs": {}}) for node in message.nodes)
            return message.model_copy(update={"nodes": nodes})
        case RunFinished():
            result = {**message.result, "status": "failed", "outputs": {}}
            update = {"result": result, "status": "failed", "errors": (*message.errors, told)}
            return message.model_copy(update=update)
    request = str(getattr(message, "request", ""))
    return Failure(request=request, error=told)
