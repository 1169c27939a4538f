"""Where an engine runs: in a process of its own (the product), or in this one (tests, embedding)."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from pipelines.engine.frames import check_length, read_frame, write_frame
from pipelines.engine.process import kill, open_log, spawn, tail
from pipelines.engine.protocol import Hello, Message, Run, Shutdown, Validate, read_event, write
from pipelines.errors import ProtocolError
from pipelines.graph.registry import Registry

OnMessage = Callable[[Message], None]
OnExit = Callable[[int | None, str], None]


class ProcessHost:
    """An engine process and the thread that reads its events."""

    def __init__(self, hello: Hello, on_message: OnMessage, on_exit: OnExit) -> None:
        self._log = Path(hello.settings.cache_dir) / "engine.log"
        with open_log(self._log) as log:
            self._process = spawn(["-m", "pipelines.engine.host"], log)
        self._on_message, self._on_exit = on_message, on_exit
        self._leaving = False
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="diptych-events", daemon=True)
        self._writer = threading.Thread(target=self._write, name="diptych-requests", daemon=True)
        self._reader.start()
        self._writer.start()
        self.send(hello)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: Message) -> None:
        """Hand a message to the writer thread: a full pipe never stalls the caller.

        Raises:
            MessageTooLong: no frame can hold it.
            BrokenPipeError: the engine is gone.
        """
        data = write(message)
        check_length(data, "The graph" if isinstance(message, Run | Validate) else "A message")
        if self._process.poll() is not None:
            raise BrokenPipeError("the engine is gone")
        self._outbox.put(data)

    def kill(self) -> None:
        kill(self._process)

    def _write(self) -> None:
        stream = self._process.stdin
        assert stream is not None
        try:
            with stream:
                while (data := self._outbox.get()) is not None:
                    write_frame(stream, data)  # type: ignore[arg-type]
        except OSError:
            kill(self._process)  # the reader notices, and says so

    def close(self, seconds: float) -> None:
        """Ask it to end; kill it if it doesn't within ``seconds``."""
        self._leaving = True
        self._outbox.put(write(Shutdown()))
        self._outbox.put(None)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            kill(self._process)
            self._process.wait()
        self._outbox.put(None)
        self._writer.join(seconds)
        self._reader.join(seconds)

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        try:
            with stream:
                while (frame := read_frame(stream)) is not None:  # type: ignore[arg-type]
                    self._on_message(read_event(frame))
        except (ProtocolError, OSError):
            kill(self._process)  # a torn stream can't be trusted again
        self._outbox.put(None)
        code = self._process.wait()
        if not self._leaving:
            self._on_exit(code, tail(self._log))


class InProcessHost:
    """An engine in this process: the same messages, the same threads, no pipes."""

    def __init__(
        self, hello: Hello, on_message: OnMessage, on_exit: OnExit, registry: Registry | None = None
    ) -> None:
        from pipelines.engine.service import Engine

        self._engine = Engine(hello, on_message, registry)
        self._engine.emit(self._engine.ready())

    def send(self, message: Message) -> None:
        self._engine.handle(message)

    def kill(self) -> None:
        self._engine.close(0.0)

    def close(self, seconds: float) -> None:
        self._engine.close(seconds)
