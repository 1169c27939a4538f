"""The real studio as a child process, driven by a timer: ``python -m tests.helpers.fault_studio MODE``.

Every line it prints is one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QLabel

from pipelines.graph.document import Graph, NodeRecord
from studio.app import SecondStudio, application, main
from studio.window.main_window import MainWindow


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def slow(mark: str) -> Graph:
    """A graph that keeps an engine busy for a while, without a model."""
    lines = "\n".join(f"{mark}{line}" for line in range(60_000))
    graph = Graph().with_node("lines", NodeRecord.new("list.text", params={"lines": lines}))
    join = NodeRecord.new("text.join", params={"b": "!"}, inputs={"a": ("lines", "items")})
    return graph.with_node("join", join)


class Driver:
    """Looks at the window 50 times a second and does the next thing."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.window: MainWindow | None = None
        self.timer = QTimer()
        self.timer.setInterval(20)
        self.timer.timeout.connect(self.look)
        self.timer.start()
        self.began = time.monotonic()

    def look(self) -> None:
        if time.monotonic() - self.began > 50:
            say(event="timeout")
            QApplication.exit(9)
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, SecondStudio) and widget.isVisible():
                say(event="second", text=" ".join(label.text() for label in widget.findChildren(QLabel)))
                widget.accept() if self.mode == "second" else widget.reject()
                return
            if isinstance(widget, MainWindow) and widget.isVisible() and self.window is None:
                self.window = widget
                self.shown(widget)

    def shown(self, window: MainWindow) -> None:
        parts = window.parts
        bridge = parts.bridge
        bridge.ready.connect(lambda event: say(event="ready", pid=event.pid))
        bridge.run_started.connect(lambda event: self.started(event.job))
        bridge.run_finished.connect(self.finished)
        bridge.engine_lost.connect(lambda event: say(event="lost", code=event.error.code))
        say(event="shown", nodes=list(parts.document.graph.nodes), read_only=parts.read_only)
        if self.mode == "work":
            parts.document.new(slow("a"), "first")
            QTimer.singleShot(2_200, window, self.work)  # the session is written by then
        elif self.mode in ("look", "second"):
            bridge.ready.connect(lambda _: QTimer.singleShot(300, window, self.leave))
        elif self.mode == "lost":
            bridge.submit(slow("first"))

    def work(self) -> None:
        assert self.window is not None
        for mark in ("first", "second"):
            self.window.parts.bridge.submit(slow(mark))

    def started(self, job: str) -> None:
        say(event="started", job=job)
        if self.mode == "again":
            self.mode = "close"
        elif self.mode == "close":
            QTimer.singleShot(0, self.window, self.leave)

    def finished(self, event: Any) -> None:
        say(
            event="finished",
            job=event.job,
            status=event.status,
            errors=[error.code for error in event.errors],
        )
        if self.mode == "close" and self.window is not None:
            self.window.parts.bridge.submit(slow("third"))
        elif self.mode == "lost":
            self.mode = "look"
            QTimer.singleShot(0, self.window, self.leave)

    def leave(self) -> None:
        """Close the window, and say how long that took."""
        assert self.window is not None
        texts = [label.text() for label in self.window.banner.findChildren(QLabel) if label.isVisible()]
        began = time.monotonic()
        self.window.close()
        say(event="closed", seconds=time.monotonic() - began, banner=" ".join(texts))


if __name__ == "__main__":
    application()
    driver = Driver(sys.argv[1])
    sys.exit(main([]))
