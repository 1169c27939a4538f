"""Downloads one beside the other: some at a time, the others wait; each can be paused, gone on with,
cancelled.

Each has a thread of its own, which sleeps while it is paused; none of them is one of the engine's lanes.
"""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pipelines.engine.locks import FileLock
from pipelines.engine.protocol import DownloadInfo, ErrorData
from pipelines.errors import Cancelled, describe
from pipelines.models.download.control import Control
from pipelines.models.download.jobs import STAGING, Downloader
from pipelines.models.download.plan import Progress
from pipelines.models.download.wishes import WORKING, Rate, WishFile

AT_ONCE: Final = 2
"""Downloads that run at the same time; each fetches several files."""
TELL_SECONDS: Final = 0.1
KEEP_SECONDS: Final = 5.0
"""How often the list is written while bytes arrive; each change of a state is written at once."""
CLOSE_SECONDS: Final = 0.5
LET_GO_SECONDS: Final = 5.0
"""How long one of the same source waits for another that was given up."""

Tell = Callable[[DownloadInfo], None]


class DownloadDesk:
    """``make`` makes a downloader (anew for each, so that a token that was just set counts); ``tell`` hears
    of each change, from several threads, ten times a second for a download at most.
    """

    def __init__(self, models: Path, make: Callable[[], Downloader], file: WishFile, tell: Tell) -> None:
        self._models, self._make, self._file, self._hear = models, make, file, tell
        self._news: queue.SimpleQueue[DownloadInfo | None] = queue.SimpleQueue()
        self._teller: threading.Thread | None = None
        self._lock = threading.RLock()
        self._wishes: dict[str, DownloadInfo] = {}
        self._controls: dict[str, Control] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._rates: dict[str, Rate] = {}
        self._told: dict[str, float] = {}
        self._given_up: dict[str, DownloadInfo] = {}
        self._written = 0.0
        self._closed = self._read = False
        self.rate = 0.0
        """Bytes a second of all that arrived lately; 0 if nothing has yet."""

    # --- asking --------------------------------------------------------------------------------------------

    def open(self) -> tuple[DownloadInfo, ...]:
        """All downloads. The first time, those of the last time are taken up again."""
        with self._lock:
            if not self._read:
                self._read = True
                self._teller = threading.Thread(target=self._tell, name="diptych-download-news", daemon=True)
                self._teller.start()
                kept = self._file.read()
                self.rate = self.rate or kept.rate
                self._wishes = {wish.id: wish for wish in kept.wishes} | self._wishes
                self._begin_next()
            return tuple(self._wishes.values())

    def add(self, wish: DownloadInfo) -> None:
        """Download a model; one that is wished for already goes on instead."""
        self.open()
        with self._lock:
            for known in self._wishes.values():
                if (known.source, known.variant) == (wish.source, wish.variant) and known.state != "finished":
                    self.resume(known.id)
                    return
            self._put(wish)
            self._begin_next()

    def pause(self, name: str) -> None:
        """Stop for now. What has arrived stays, and somebody else's turn comes."""
        with self._lock:
            wish = self._wishes.get(name)
            if wish is None or wish.state not in WORKING:
                return
            control = self._controls.get(name)
            if control is not None:
                control.pause()
            self._rates.pop(name, None)
            self._put(wish.changed(state="paused", rate=None, seconds_left=None))
            self._begin_next()

    def resume(self, name: str) -> None:
        """Go on with one that was paused, or failed, as soon as it is its turn."""
        with self._lock:
            wish = self._wishes.get(name)
            if wish is not None and wish.state in ("paused", "failed"):
                self._put(wish.changed(state="waiting", error=None))
                self._begin_next()

    def cancel(self, name: str) -> None:
        """Give one up: what has arrived of it is deleted. One that is done is only taken from the list."""
        with self._lock:
            wish = self._wishes.pop(name, None)
            if wish is None:
                return
            control = self._controls.get(name)
            if control is not None:
                self._given_up[name] = wish
                control.cancel()
            elif wish.state != "finished":
                self._discard(wish)
            self._write()
            self._begin_next()

    def pause_all(self) -> None:
        """Stop everything for now."""
        for wish in self.open():
            self.pause(wish.id)

    def close(self) -> None:
        """End all; the list says where to go on."""
        with self._lock:
            self._closed = True
            self._write()
            threads = list(self._threads.values())
            for control in self._controls.values():
                control.cancel()
        end = time.monotonic() + CLOSE_SECONDS
        self._news.put(None)
        for thread in threads:
            thread.join(max(end - time.monotonic(), 0.0))

    # --- whose turn it is ----------------------------------------------------------------------------------

    def _begin_next(self) -> None:
        """Let those begin, or go on, whose turn it is. Called with the lock held."""
        if self._closed:
            return
        busy = sum(wish.state in ("asking", "running", "checking") for wish in self._wishes.values())
        for wish in list(self._wishes.values()):
            if wish.state != "waiting" or busy >= AT_ONCE:
                continue
            busy += 1
            self._rates[wish.id] = Rate()
            self._put(wish.changed(state="running" if wish.id in self._controls else "asking"))
            if wish.id in self._controls:
                self._controls[wish.id].resume()
            else:
                self._start(wish.id)

    def _start(self, name: str) -> None:
        control = self._controls[name] = Control()
        work = lambda: self._work(name, control)  # noqa: E731 - for its thread
        thread = threading.Thread(target=work, name="diptych-downloads", daemon=True)
        self._threads[name] = thread
        thread.start()

    # --- one download, in its thread -----------------------------------------------------------------------

    def _work(self, name: str, control: Control) -> None:
        changes: dict[str, Any] = {}
        try:
            changes = self._fetch(name, control)
        except Cancelled:
            changes = {}
        except Exception as error:  # noqa: BLE001 - whatever becomes of one, the others go on
            changes = {"state": "failed", "error": ErrorData(**describe(error).to_json())}
        with self._lock:
            for kept in (self._controls, self._threads, self._rates, self._told):
                kept.pop(name, None)
            given_up = self._given_up.pop(name, None)
            if given_up is not None:
                self._discard(given_up)
            elif self._closed:
                return
            elif changes:
                self._put(self._wishes[name].changed(**changes, rate=None, seconds_left=None))
            self._begin_next()

    def _fetch(self, name: str, control: Control) -> dict[str, Any]:
        """Bring one model. Gives what is to be said of it when it is there."""
        wish = self._wishes[name]
        self._wait_for_others(wish)
        control.wait_while_paused()
        downloader = self._make()
        plan = downloader.plan(wish.source, wish.variant)
        control.check()
        self._learn(name, name=plan.name, total=plan.bytes, files=len(plan.files))
        control.wait_while_paused()
        made = downloader.fetch(
            plan, kind=wish.model_kind, control=control, progress=lambda now: self._arrived(name, now)
        )
        return {
            "state": "finished", "path": str(made.path), "done": made.bytes, "total": made.bytes,
            "converted": made.converted, "model_kind": made.kind,
        }  # fmt: skip

    def _wait_for_others(self, wish: DownloadInfo) -> None:
        """One of the same source that was just given up has to let go of its files."""
        with self._lock:
            same = [key for key, gone in self._given_up.items() if gone.source == wish.source]
            threads = [self._threads[key] for key in same if key in self._threads]
        for thread in threads:
            thread.join(LET_GO_SECONDS)

    def _learn(self, key: str, **changes: Any) -> None:
        """Take down what the server said; who paused meanwhile stays paused."""
        with self._lock:
            wish = self._wishes.get(key)
            if wish is not None:
                state = "running" if wish.state == "asking" else wish.state
                self._put(wish.changed(state=state, **changes))

    def _arrived(self, name: str, progress: Progress) -> None:
        now = time.monotonic()
        with self._lock:
            wish, rates = self._wishes.get(name), self._rates.get(name)
            if wish is None or wish.state not in ("running", "checking"):
                return
            rate = rates.note(now, progress.done) if rates is not None else None
            whole = progress.files_done == progress.files
            wish = wish.changed(
                done=progress.done, total=progress.total, files_done=progress.files_done,
                files=progress.files, rate=rate, seconds_left=_seconds_left(progress, rate),
                state="checking" if whole else "running",
            )  # fmt: skip
            if not whole and now - self._told.get(name, 0.0) < TELL_SECONDS:
                self._wishes[name] = wish
                return
            self._told[name] = now
            self.rate = rate or self.rate
            self._put(wish, keep=now - self._written > KEEP_SECONDS)

    # --- the list ------------------------------------------------------------------------------------------

    def _put(self, wish: DownloadInfo, *, keep: bool = True) -> None:
        """Note a change, and have it told. Called with the lock held, so that the order is that of
        changes."""
        self._wishes[wish.id] = wish
        if keep:
            self._write()
        self._news.put(wish)

    def _tell(self) -> None:
        """Tell what happened, in a thread of its own: who hears it may ask for something at once, or at the
        same time."""
        while (wish := self._news.get()) is not None:
            self._hear(wish)

    def _write(self) -> None:
        self._written = time.monotonic()
        self._file.write(self._wishes.values(), self.rate)

    def _discard(self, wish: DownloadInfo) -> None:
        """Delete what has arrived of a download, unless another program is at it."""
        if not wish.name:
            return
        staging = self._models / STAGING / wish.name
        lock = FileLock(staging.with_name(f"{wish.name}.lock"))
        if staging.is_dir() and lock.acquire():
            shutil.rmtree(staging, ignore_errors=True)
            lock.release()


def _seconds_left(progress: Progress, rate: float | None) -> float | None:
    if progress.total is None or not rate:
        return None
    return max(progress.total - progress.done, 0) / rate
