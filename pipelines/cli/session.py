"""Running graphs from the command line: one engine, its events on standard error, Ctrl-C cancels and
keeps."""

from __future__ import annotations

import json
import queue
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipelines.engine.client import EngineClient, default_settings
from pipelines.engine.hosts import ProcessHost
from pipelines.engine.protocol import (
    Lost,
    Message,
    NodeFinished,
    NodeProgress,
    NodeWarning,
    Ready,
    RunFinished,
    RunWaiting,
    Settings,
)
from pipelines.errors import ErrorInfo
from pipelines.graph.document import Graph
from pipelines.preferences import read_model_folders, read_output_dir

OK, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
Listener = Callable[[Message], None]


class Session:
    """An engine for the time of a command (a context manager)."""

    def __init__(self, listener: Listener | None = None, **settings: Any) -> None:
        self._events: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._listener = listener or Narrator()
        self.client = EngineClient(_settings(**settings), self._events.put, ProcessHost)
        self.interrupted = False

    def __enter__(self) -> Self:
        self.client.start()
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
        job = self.client.submit(
            graph,
            targets,
            name=name,
            base=str(base or ""),
            output_dir=str(output_dir) if output_dir else None,
        )
        while True:
            try:
                event = self._events.get(timeout=0.5)
            except queue.Empty:
                continue
            except KeyboardInterrupt:
                if self.interrupted:
                    raise
                self.interrupted = True
                self.client.cancel(job)
                continue
            self._listener(event)
            if isinstance(event, RunFinished) and event.job == job:
                return event


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
            case Lost():
                self._line(event.error.message or event.error.what)
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
        if not self._moving:
            if phase != self._phase:
                print(f"{event.node}: {phase}", file=sys.stderr)
            self._phase = phase
            return
        now = time.monotonic()
        if now - self._last < 0.05 and event.step < event.total:
            return
        self._last = now
        rate = f" · {event.rate:.1f}/s" if event.rate and event.unit != "byte" else ""
        left = f" · {event.seconds_left:.0f} s left" if event.seconds_left and event.seconds_left >= 1 else ""
        line = f"{phase}, {event.unit} {event.step} of {event.total}{rate}{left}"
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
    print(json.dumps(value, ensure_ascii=False, allow_nan=False))


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
