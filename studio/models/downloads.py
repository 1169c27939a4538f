"""The downloads of models and what there is to get, as the engine tells of them.

Made with the window: a download goes on whichever workspace is shown, and is said in the status line.
"""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from pipelines.engine.protocol import (
    DownloadInfo,
    DownloadTold,
    Failure,
    Lost,
    ModelOffer,
    ModelsJudged,
    SourceSeen,
)
from pipelines.engine.protocol import Downloads as Listed
from studio.engine.runs import error_info
from studio.models.download_words import line_text

RUNNING = ("waiting", "asking", "running", "checking")


class Downloads(QObject):
    """``changed`` when one came, went, or is in another state; ``progressed`` carries the id of one that is
    further; ``finished`` and ``failed`` carry the engine's word of it. ``judged``: the offers are others.
    ``seen`` carries what is at a source, ``unseen`` the error that says why nobody knows.
    """

    changed = Signal()
    progressed = Signal(str)
    finished = Signal(object)
    failed = Signal(object)
    judged = Signal()
    seen = Signal(object)
    unseen = Signal(object)

    def __init__(self, bridge: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self.all: dict[str, DownloadInfo] = {}
        """By their ids, in the order in which they were asked for."""
        self.rate = 0.0
        """Bytes a second of what arrived lately; 0 if nothing ever did."""
        self.offers: ModelsJudged | None = None
        self._judging = self._looking = ""
        self._is_lost = False
        bridge.ready.connect(self._ready)
        bridge.downloads_listed.connect(self._listed)
        bridge.download_told.connect(self._told)
        bridge.models_judged.connect(self._judged)
        bridge.source_seen.connect(self._seen)
        bridge.failed.connect(self._failed)
        bridge.engine_lost.connect(self._lost)

    # --- asking ----------------------------------------------------------------------------------------

    def start(
        self, source: str, title: str, *, variant: str = "", model_kind: str = "", curated: str = ""
    ) -> str:
        """Download a model; one of this source that was begun goes on. Returns its id."""
        known = self.of_source(source, variant)
        if known is not None and known.state != "finished":
            self.resume(known.id)
            return known.id
        more = {"variant": variant, "model_kind": model_kind, "curated": curated}
        download: str = self._bridge.start_download(source, title, **more)
        self._take(DownloadInfo(id=download, source=source, title=title, **more))
        return download

    def get(self, offer: ModelOffer) -> str:
        """Download a model of the list."""
        return self.start(
            offer.source, offer.title, variant=offer.variant, model_kind=offer.model_kind, curated=offer.id
        )

    def pause(self, download: str) -> None:
        """Stop one for now; what has arrived stays."""
        self._bridge.steer_download(download, "pause")

    def resume(self, download: str) -> None:
        """Go on with one that was paused, or failed."""
        self._bridge.steer_download(download, "resume")

    def cancel(self, download: str) -> None:
        """Give one up, with what has arrived of it; or take one that is done from the list."""
        if self.all.pop(download, None) is not None:
            self._bridge.steer_download(download, "cancel")
            self.changed.emit()

    def judge(self) -> None:
        """Ask what to get for this machine."""
        self._judging = self._bridge.judge_models()

    def look(self, source: str, variant: str = "") -> None:
        """Ask what a repository or an address would bring."""
        self._looking = self._bridge.look_at_source(source, variant)

    # --- what is going on ------------------------------------------------------------------------------

    def of_source(self, source: str, variant: str | None = None) -> DownloadInfo | None:
        """The download of a source, if there is one."""
        return next(
            (
                told for told in self.all.values()
                if told.source == source and variant in (None, told.variant)
            ),
            None,
        )  # fmt: skip

    def running(self) -> list[DownloadInfo]:
        """Those that arrive, or wait for their turn."""
        return [told for told in self.all.values() if told.state in RUNNING]

    def line(self) -> tuple[str, float | None]:
        """What goes on, for the status line, and the part of it that is done; empty for nothing."""
        return line_text(self.running())

    # --- answers ---------------------------------------------------------------------------------------

    @Slot(object)
    def _ready(self, event: object) -> None:
        self._bridge.list_downloads()

    @Slot(object)
    def _listed(self, event: Listed) -> None:
        self.rate = event.rate or self.rate
        if self._is_lost:  # what the engine doesn't know of any more is gone with the one before
            self.all = {name: told for name, told in self.all.items() if told.state == "finished"}
            self._is_lost = False
        self.all |= {told.id: told for told in event.downloads}
        self.changed.emit()

    @Slot(object)
    def _told(self, event: DownloadTold) -> None:
        self.rate = event.rate or self.rate
        before = self.all.get(event.download.id)
        if before is None and event.download.state == "finished":
            return  # it was given up in the moment in which it was done
        self._take(event.download)
        if before is not None and before.state == event.download.state:
            return
        if event.download.state == "finished":
            self.finished.emit(event.download)
        elif event.download.state == "failed":
            self.failed.emit(event.download)

    def _take(self, told: DownloadInfo) -> None:
        before = self.all.get(told.id)
        self.all[told.id] = told
        if before is None or before.state != told.state:
            self.changed.emit()
        else:
            self.progressed.emit(told.id)

    @Slot(object)
    def _judged(self, event: ModelsJudged) -> None:
        if event.request == self._judging:
            self.offers = event
            self.judged.emit()

    @Slot(object)
    def _seen(self, event: SourceSeen) -> None:
        if event.request == self._looking:
            self.seen.emit(event)

    @Slot(object)
    def _failed(self, event: Failure) -> None:
        if event.request and event.request == self._looking:
            self.unseen.emit(error_info(event.error))

    @Slot(object)
    def _lost(self, event: Lost) -> None:
        """The engine died: the next one takes up what was at work, and says so."""
        self._is_lost = True
