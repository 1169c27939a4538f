"""The window measuring itself for ``diptych bench``: ``python -m studio.bench start|generate`` prints
JSON."""

from __future__ import annotations

import json
import sys
import time

from PySide6.QtCore import QObject, Qt, QTimer, Slot

from pipelines.bench.report import resident_bytes
from studio.app import StudioApp, application, make_parts
from studio.appearance import apply_theme
from studio.keeping.session_files import session_dir
from studio.settings import SettingsStore, default_path

TICK_MS = 4
RUNS = 5
TEMPLATE = "prompt_to_image"


class Lateness(QObject):
    """A timer that fires every few milliseconds and notes by how much it was late."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[float] = []
        self._expected = 0.0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)

    def start(self) -> None:
        self._expected = time.perf_counter() + TICK_MS / 1000
        self._timer.start(TICK_MS)

    @Slot()
    def _tick(self) -> None:
        now = time.perf_counter()
        self.late.append(max(0.0, now - self._expected) * 1000)
        self._expected = now + TICK_MS / 1000

    def figures(self) -> dict[str, float]:
        """p99 and worst lateness in ms, and how many ticks there were."""
        ordered = sorted(self.late)
        return {
            "p99_ms": ordered[int(len(ordered) * 0.99)],
            "worst_ms": ordered[-1],
            "ticks": len(ordered),
        }


def main(what: str) -> int:
    """Open the window, measure, print, close."""
    app = application()
    parts = make_parts(SettingsStore(default_path()))
    apply_theme(parts)
    studio = StudioApp(parts, session_dir())
    watch = Lateness()
    ended: list[object] = []

    def leave(figures: dict[str, float]) -> None:
        print(json.dumps(figures), flush=True)
        studio.window.close()
        app.quit()

    def interactive() -> None:
        figures = {"interactive_at": time.time(), "resident_bytes": resident_bytes()}
        leave(figures)

    def run_ended(_: object) -> None:
        ended.append(_)
        if len(ended) < RUNS:
            studio.window.actions_.generate()
        else:
            leave({**watch.figures(), "runs": len(ended), "resident_bytes": resident_bytes()})

    def begin() -> None:
        studio.window.actions_.open_template(TEMPLATE)
        parts.tracker.run_ended.connect(run_ended)
        watch.start()
        studio.window.actions_.generate()

    # a timer of 0 ms fires when every pending event of the first paint has been handled
    studio.window.painted.connect(lambda: QTimer.singleShot(0, interactive if what == "start" else begin))
    studio.window.show()
    code = app.exec()
    studio.close()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
