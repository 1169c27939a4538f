"""Running graphs from the command line: one engine, its events on standard error, Ctrl-C cancels and
keeps."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self, TextIO

from pipelines.engine.client import EngineClient, default_settings
from pipelines.engine.hosts import ProcessHost
from pipelines.engine.protocol import (
    ErrorData,
    Failure,
    LoadNodes,
    Lost,
    Message,
    NodeFinished,
    NodeProgress,
    NodeWarning,
    OutsideNodes,
    Problems,
    Ready,
    RunFinished,
    RunWaiting,
    Saved,
    SaveImage,
    Settings,
    Validate,
)
from pipelines.errors import DiskFull, ErrorInfo, NothingToSave, SaveFailed
from pipelines.graph.described import from_description
from pipelines.graph.document import Graph
from pipelines.graph.plan import validate
from pipelines.graph.registry import OpenRegistry, builtin
from pipelines.outside.agreements import Agreements
from pipelines.preferences import read_model_folders, read_output_dir

OK, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
POLL_SECONDS = 0.5
SAVE_SECONDS = 120.0
ASK_SECONDS = 90.0
NOT_SAVED = frozenset({SaveFailed.__name__, DiskFull.__name__})
Listener = Callable[[Message], None]


class Session:
    """An engine for the time of a command (a context manager). It is started when it is first needed."""

    def __init__(self, listener: Listener | None = None, **settings: Any) -> None:
        self._events: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._listener = listener or Narrator()
        self.client = EngineClient(_settings(**settings), self._events.put, ProcessHost)
        self.interrupted = False
        self._started = False
        self._registry: OpenRegistry | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    def run(
        self,
        graph: Graph,
        targets: tuple[str, ...] | None = None,
        *,
        name: str = "",
        base: Path | None = None,
        output_dir: Path | None = None,
    ) -> RunFinished:
        """Run a graph to its end. Ctrl-C cancels it (``interrupted`` is set then); what is done is kept."""
        self._start()
        job = self.client.submit(
            graph,
            targets,
            name=name,
            base=str(base or ""),
            output_dir=str(output_dir) if output_dir else None,
        )
        with self._interruptible():
            while True:
                event = self._next()
                if event is None:
                    self.client.cancel(job)
                    continue
                self._listener(event)
                if isinstance(event, RunFinished) and event.job == job:
                    return event

    def registry(self) -> OpenRegistry:
        """The node types that can be used. Those from outside only the engine knows: it is asked, if the
        user agreed to any."""
        if self._registry is None:
            self.outside()
            assert self._registry is not None
        return self._registry

    def outside(self, *, again: bool = False) -> OutsideNodes:
        """What there is from outside; empty where nothing was agreed to. ``again``: what failed before is
        tried once more."""
        found = OutsideNodes(sources=(), nodes=())
        if again or self._has_agreed():
            answer = self._ask(LoadNodes(request=uuid.uuid4().hex, again=again), OutsideNodes)
            found = answer if isinstance(answer, OutsideNodes) else found
        self._registry = OpenRegistry(builtin())
        self._registry.set_outside(from_description(item) for item in found.nodes)
        return found

    def problems(self, graph: Graph) -> list[ErrorInfo]:
        """What is wrong with a graph. The engine says it where nodes from outside may be in it."""
        if self._has_agreed():
            request = Validate(request=uuid.uuid4().hex, graph=graph.dumps().decode())
            answer = self._ask(request, Problems)
            if isinstance(answer, Problems):
                return [ErrorInfo.from_json(item.model_dump()) for item in answer.problems]
        return validate(graph, builtin())

    def _has_agreed(self) -> bool:
        return bool(Agreements(Path(self.client.settings.agreements)).read())

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self.client.start()

    def _ask(self, request: Message, kind: type[Message]) -> Message | None:
        """The engine's answer to a question; ``None`` if it has none, or is gone."""
        self._start()
        asked = getattr(request, "request", "")
        self.client.send(request)
        end = time.monotonic() + ASK_SECONDS
        while (left := end - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                event = self._events.get(timeout=min(left, POLL_SECONDS))
                if isinstance(event, kind | Failure) and getattr(event, "request", "") == asked:
                    return event
                if isinstance(event, Lost) and not event.restarting:
                    break
                if event is not None and not isinstance(event, OutsideNodes):
                    self._listener(event)
        return None

    def rescue(self, job: str, node: str) -> list[Path]:
        """Save the pictures that a failed node could not save, to the first place that takes them.

        Where: the folder for pictures, the current one, the system's for temporary files.
        """
        saved: list[Path] = []
        for folder in (read_output_dir(), Path.cwd(), Path(tempfile.gettempdir())):
            while True:
                path = folder / f"diptych-{job[:8]}-{len(saved) + 1}.png"
                answer = self._save(job, node, len(saved), path)
                if answer.error is None:
                    saved.append(Path(answer.path))
                elif answer.error.code == NothingToSave.__name__:
                    return saved
                else:
                    break
        return saved

    def _save(self, job: str, node: str, index: int, path: Path) -> Saved:
        request = uuid.uuid4().hex
        self.client.send(SaveImage(request=request, job=job, node=node, index=index, path=str(path)))
        end = time.monotonic() + SAVE_SECONDS
        while (left := end - time.monotonic()) > 0:
            try:
                event = self._events.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(event, Saved | Failure) and event.request == request:
                return event if isinstance(event, Saved) else Saved(request=request, error=event.error)
            if isinstance(event, Lost):
                break
        nothing = NothingToSave().info()
        return Saved(request=request, error=ErrorData(**nothing.to_json()))

    def _next(self) -> Message | None:
        """The next event; None after Ctrl-C."""
        while True:
            try:
                return self._events.get(timeout=POLL_SECONDS)  # a bound, so that signals are seen everywhere
            except queue.Empty:
                continue

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Ctrl-C is an event like others, wherever it comes; the second one doesn't wait."""

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True
            self._events.put(None)  # a SimpleQueue may be written to from a signal's handler

        if threading.current_thread() is not threading.main_thread():
            yield  # only there are signals heard
            return
        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def _settings(**changes: Any) -> Settings:
    """The engine's settings for a command: the folders that the studio uses too."""
    folders = {"model_folders": read_model_folders(), "output_dir": str(read_output_dir())}
    return default_settings(**{**folders, **changes})


class Narrator:
    """Says on standard error what a run is doing: one moving line on a terminal, a line a step elsewhere."""

    def __init__(self, text: Callable[[str], None] | None = None) -> None:
        self._text = text
        self._moving = sys.stderr.isatty()
        self._shown = 0
        self._phase = ""
        self._last = 0.0

    def __call__(self, event: Message) -> None:
        match event:
            case NodeProgress():
                self._progress(event)
            case NodeWarning():
                self._line(ErrorInfo.from_json(event.warning.model_dump()).text())
            case RunWaiting():
                self._line(f"Waiting for {event.device}: {event.owner} is using it.")
            case NodeFinished() if event.error is not None:
                self._line(f"{event.node}: {event.error.message}")
            case RunFinished():
                self._clear()
            case Ready():
                self._phase = ""

    def _progress(self, event: NodeProgress) -> None:
        if event.text is not None and self._text is not None:
            self._text(event.text)
            return
        phase = event.phase or "working"
        run = f" ({event.total} of {event.asked} steps run)" if event.asked else ""
        if not self._moving:
            if phase != self._phase:
                print(f"{event.node}: {phase}{run}", file=sys.stderr)
            self._phase = phase
            return
        now = time.monotonic()
        if now - self._last < 0.05 and event.step < event.total:
            return
        self._last = now
        rate = f" · {event.rate:.1f}/s" if event.rate and event.unit != "byte" else ""
        left = f" · {event.seconds_left:.0f} s left" if event.seconds_left and event.seconds_left >= 1 else ""
        line = f"{phase}, {event.unit} {event.step} of {event.total}{run}{rate}{left}"
        print("\r" + line.ljust(self._shown), end="", file=sys.stderr, flush=True)
        self._shown = len(line)

    def _line(self, text: str) -> None:
        self._clear()
        print(text, file=sys.stderr)

    def _clear(self) -> None:
        if self._shown:
            print("\r" + " " * self._shown + "\r", end="", file=sys.stderr, flush=True)
            self._shown = 0


def print_events(event: Message) -> None:
    """Events as JSON lines on standard output (``run --events``)."""
    print(event.model_dump_json(exclude_none=True), flush=True)


def print_json(value: Any) -> None:
    """One JSON object on standard output."""
    print(json.dumps(value, ensure_ascii=_is_narrow(sys.stdout), allow_nan=False))


def _is_narrow(stream: TextIO | None) -> bool:
    """Whether a stream (none, if it was closed) can't say every character."""
    return stream is not None and (stream.encoding or "").lower().replace("-", "") != "utf8"


def entry(finished: RunFinished) -> dict[str, Any]:
    """The entry of ``--json`` for a run, also if it never began."""
    if finished.result:
        return finished.result
    errors = [error.model_dump() | {"details": ""} for error in finished.errors]
    made: dict[str, Any] = {
        "graph": "",
        "status": finished.status,
        "seconds": finished.seconds,
        "nodes": {},
        "outputs": {},
    }
    return made | ({"errors": errors} if errors else {})


def rescue(session: Session, finished: RunFinished) -> None:
    """Keep the pictures that could not be saved, and say where they are now."""
    for error in finished.errors:
        if error.code not in NOT_SAVED or error.node is None:
            continue
        kept = session.rescue(finished.job, error.node)
        for path in kept:
            print(f"The picture is kept: {path}", file=sys.stderr)
        if kept:
            finished.result["nodes"][error.node]["kept"] = [str(path) for path in kept]


def exit_code(session: Session, finished: list[RunFinished]) -> int:
    """0 if all is done, 130 after Ctrl-C, 1 otherwise."""
    if session.interrupted:
        return INTERRUPTED
    return OK if all(item.status == "finished" for item in finished) else FAILED


def report_errors(finished: RunFinished) -> None:
    """Errors that belong to no node (those of nodes were told as they happened)."""
    for error in finished.errors:
        if error.node is None:
            print(error.message or ErrorInfo.from_json(error.model_dump()).text(), file=sys.stderr)
