"""The client: submits jobs, hears events, restarts an engine that died, and never waits.

:class:`EngineClient` is used by the studio (through a Qt bridge) and by the command line. It runs the engine
in a process of its own, or in this one with :class:`InProcessHost` (tests, embedding): the same messages
either way.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from pipelines import paths
from pipelines.engine import exchange
from pipelines.engine.process import exit_reason
from pipelines.engine.protocol import (
    Cancel,
    Failure,
    Hello,
    Lost,
    Message,
    NodeProgress,
    NodeStarted,
    Ready,
    Run,
    RunFinished,
    RunStarted,
    Settings,
    Shutdown,
)
from pipelines.engine.queue import JobQueue
from pipelines.engine.refs import error_data
from pipelines.engine.seeds import draw_seeds
from pipelines.errors import (
    DiptychError,
    EngineDied,
    EngineDiedIdle,
    EngineUnavailable,
    ErrorInfo,
    ProtocolError,
)
from pipelines.graph.document import Graph
from pipelines.graph.registry import Registry, builtin
from pipelines.models.download.addresses import Policy

CANCEL_GRACE = 5.0
"""Least seconds a cancelled job gets before its engine is killed; three of its last steps if those take
longer."""
MAX_RESTARTS = 3
RESTART_WINDOW = 60.0


class Host(Protocol):
    """Where an engine runs."""

    def send(self, message: Message) -> None:
        """Raises OSError if the engine is gone."""

    def kill(self) -> None: ...

    def close(self, seconds: float) -> None: ...


HostFactory = Callable[[Hello, Callable[[Message], None], Callable[[int | None, str], None]], Host]
"""(hello, on_message, on_exit(code, log)) -> a started host. Both callbacks come from threads of the host."""


def default_settings(**changes: Any) -> Settings:
    """Settings with the usual folders."""
    usual = {
        "data_dir": str(paths.data_dir()),
        "cache_dir": str(paths.cache_dir()),
        "output_dir": str(paths.pictures_dir()),
        "nodes_dir": str(paths.nodes_dir()),
        "agreements": str(paths.agreements_path()),
        "offline": Policy.of_environment().offline,
    }
    return Settings(**{**usual, **changes})


class EngineClient:
    """One engine and its queue. ``on_event`` is called from other threads, one event at a time."""

    def __init__(
        self,
        settings: Settings,
        on_event: Callable[[Message], None],
        host: HostFactory,
        queue: JobQueue | None = None,
        registry: Registry | None = None,
    ) -> None:
        self.settings = settings
        self.run_dir: Path | None = None
        self._on_event = on_event
        self._make_host, self._host = host, None  # type: HostFactory, Host | None
        self._queue = queue or JobQueue()
        self._registry = registry
        self._lock = threading.RLock()
        self._started = False
        self._ready = False
        self._closed = False
        self._restarts: list[float] = []
        self._jobs: dict[str, Run] = {}
        self._waiting: list[Message] = []
        self._running = ""
        self._unit = (0.0, 0.0)  # when the last unit ended, how long it took
        self._cancelled: dict[str, threading.Timer] = {}

    # --- life ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the engine and take up what is still queued from an earlier session. Returns at once.

        Never fails: an engine that can't be started is told as :class:`Lost`, and every job ends with the
        reason.
        """
        with self._lock:
            self._started = True
            for job in self._queue.recover():
                if job.id not in self._jobs:
                    self._jobs[job.id] = job.request
                    self._waiting.append(job.request)
            self._tell_queue()
            self._launch()

    def close(self, seconds: float = 2.0) -> None:
        """End the engine; what is queued stays queued. Never takes much longer than ``seconds``."""
        with self._lock:
            self._closed = True
            host, self._host = self._host, None
            for timer in self._cancelled.values():
                timer.cancel()
        if host is not None:
            host.close(seconds)
        if self.run_dir is not None:
            import shutil

            shutil.rmtree(self.run_dir, ignore_errors=True)
        self._queue.close()

    @property
    def is_ready(self) -> bool:
        return self._ready

    def _launch(self) -> None:
        """Start an engine; what waits is sent when it is ready. Call it with the lock held."""
        try:
            if self.run_dir is None:
                parent = paths.runtime_dir()
                exchange.sweep(parent)
                self.run_dir = exchange.make_run_dir(parent)
            hello = Hello(run_dir=str(self.run_dir), settings=self.settings)
            self._host = self._make_host(hello, self._received, self._exited)
        except DiptychError as error:
            self._give_up_all(error.info())
        except OSError as error:
            self._give_up_all(EngineUnavailable(reason=f"{error.strerror or error}.").info())
        else:
            self._flush()

    def _give_up_all(self, info: ErrorInfo) -> None:
        """There is no engine and there will be none: no job waits for ever."""
        self._on_event(Lost(error=error_data(info), restarting=False))
        self._waiting.clear()
        for job in list(self._jobs):
            self._fail(job, info)

    def _fail(self, job: str, info: ErrorInfo) -> None:
        self._ended(RunFinished(job=job, status="failed", seconds=0.0, errors=(error_data(info),)))

    def _tell_queue(self) -> None:
        problem = self._queue.take_problem()
        if problem is not None:
            self._on_event(Failure(error=error_data(replace(problem, severity="warning"))))

    # --- requests ------------------------------------------------------------------------------------------

    def submit(
        self,
        graph: Graph,
        targets: tuple[str, ...] | None = None,
        *,
        name: str = "",
        base: str = "",
        output_dir: str | None = None,
        fresh: bool = False,
    ) -> str:
        """Queue a run of the graph as it is now, empty seeds drawn. Returns the job's id at once.

        If the engine was given up, it is tried again.
        """
        job = uuid.uuid4().hex[:16]
        graph = draw_seeds(graph, self._registry or builtin())
        request = Run(
            job=job,
            graph=graph.dumps().decode(),
            targets=targets,
            name=name,
            base=base,
            output_dir=output_dir,
            fresh=fresh,
        )
        with self._lock:
            self._queue.add(request)
            self._tell_queue()
            self._jobs[job] = request
            self.send(request)
            if self._started and self._host is None and not self._closed:
                self._restarts.clear()
                self._launch()
        return job

    def send(self, message: Message) -> None:
        """Send a request, or keep it until the engine is ready."""
        with self._lock:
            if not self._ready or self._host is None:
                self._waiting.append(message)
                return
            try:
                self._host.send(message)
            except OSError:
                self._waiting.append(message)  # the engine is gone; its successor gets it
            except ProtocolError as error:
                if isinstance(message, Run):
                    self._fail(message.job, error.info())
                else:
                    request = str(getattr(message, "request", ""))
                    self._on_event(Failure(request=request, error=error_data(error.info())))

    def _flush(self) -> None:
        """Send what waited for the engine."""
        if self._ready and self._host is not None:
            waiting, self._waiting = self._waiting, []
            for message in waiting:
                self.send(message)

    def cancel(self, job: str) -> None:
        """Cancel a job; an engine that does not notice within the grace period is killed and started
        again."""
        with self._lock:
            if job not in self._jobs:
                return
            before = len(self._waiting)
            self._waiting = [
                item for item in self._waiting if not (isinstance(item, Run) and item.job == job)
            ]
            if len(self._waiting) < before and job != self._running:
                self._ended(RunFinished(job=job, status="cancelled", seconds=0.0))
                return
            self.send(Cancel(job=job))
            grace = max(CANCEL_GRACE, 3 * self._unit[1])
            timer = threading.Timer(grace, self._give_up, (job,))
            timer.daemon = True
            self._cancelled[job] = timer
            timer.start()

    def _give_up(self, job: str) -> None:
        with self._lock:
            if job in self._jobs and self._host is not None and self._running == job:
                self._host.kill()

    # --- events --------------------------------------------------------------------------------------------

    def _received(self, message: Message) -> None:
        with self._lock:
            if self._closed:
                return
            match message:
                case Ready():
                    self._ready = True
                    self._on_event(message)
                    self._flush()
                    return
                case RunStarted():
                    self._running = message.job
                    self._unit = (time.monotonic(), 0.0)
                    self._queue.mark(message.job, "running")
                case NodeStarted():
                    self._unit = (time.monotonic(), self._unit[1])
                case NodeProgress():
                    now = time.monotonic()
                    self._unit = (now, now - self._unit[0])
                case RunFinished():
                    self._ended(message)
                    return
                case Failure() if message.request in self._jobs:
                    self._ended(
                        RunFinished(
                            job=message.request, status="failed", seconds=0.0, errors=(message.error,)
                        )
                    )
                    return
        self._on_event(message)

    def _ended(self, finished: RunFinished) -> None:
        timer = self._cancelled.pop(finished.job, None)
        if timer is not None:
            timer.cancel()
        if self._jobs.pop(finished.job, None) is not None:
            self._queue.mark(finished.job, finished.status)
        if self._running == finished.job:
            self._running = ""
        self._on_event(finished)

    def _exited(self, code: int | None, log: str) -> None:
        """The engine ended by itself: one job is lost, the rest goes on in a new one."""
        with self._lock:
            if self._closed:
                return
            self._ready, self._host = False, None
            now = time.monotonic()
            self._restarts = [when for when in self._restarts if now - when < RESTART_WINDOW] + [now]
            again = len(self._restarts) <= MAX_RESTARTS
            died = EngineDied if self._running else EngineDiedIdle
            info = died(reason=exit_reason(code)).info(details=log)
            self._on_event(Lost(error=error_data(info), restarting=again))
            lost, cancelled = self._running, self._running in self._cancelled
            if lost:
                status: Any = "cancelled" if cancelled else "failed"
                errors = () if cancelled else (error_data(info),)
                self._ended(RunFinished(job=lost, status=status, seconds=0.0, errors=errors))
            queued = {item.job for item in self._waiting if isinstance(item, Run)}
            self._waiting += [request for job, request in self._jobs.items() if job not in queued]
            if again:
                self._launch()
            else:
                self._waiting.clear()
                for job in list(self._jobs):
                    self._fail(job, info)


__all__ = ["EngineClient", "Host", "HostFactory", "Shutdown", "default_settings"]
