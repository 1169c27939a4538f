"""Downloads as the engine serves them: beside drawing, in threads of their own; and what to get for this
machine."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pipelines.engine.protocol import (
    DownloadFile,
    DownloadInfo,
    Downloads,
    DownloadTold,
    JudgeModels,
    ListDownloads,
    LookAtSource,
    Message,
    ModelOffer,
    ModelsJudged,
    SetOffline,
    Settings,
    SourceSeen,
    StartDownload,
    SteerDownload,
)

if TYPE_CHECKING:
    from pipelines.models.download.desk import DownloadDesk
    from pipelines.models.download.jobs import Downloader
    from pipelines.models.download.offer import Offer
    from pipelines.models.download.part import RemoteFile
    from pipelines.models.forecast import Machine
    from pipelines.models.offers.suggestions import Judged

LIST: Final = "downloads.json"
"""Below the profile's data."""
PARALLEL: Final = 2
"""Files of one download at a time."""
MAX_FILES: Final = 2_000
"""Files that are told of one source."""
REQUESTS: Final = (ListDownloads, LookAtSource, StartDownload, SteerDownload, SetOffline, JudgeModels)
"""What :meth:`DownloadService.serve` answers."""


def downloader(models: Path, offline: str) -> Downloader:
    """How models are fetched. ``offline`` says why nothing may be, if so."""
    from pipelines.models.download.addresses import Policy
    from pipelines.models.download.jobs import Downloader

    return Downloader(models, policy=Policy(offline), parallel=PARALLEL)


class DownloadService:
    """``machine`` gives the device that draws; ``submit`` does short work in the engine's lane for files."""

    def __init__(
        self,
        settings: Settings,
        emit: Callable[[Message], None],
        submit: Callable[[str, Callable[[], None]], None],
        machine: Callable[[], Machine],
    ) -> None:
        data = Path(settings.data_dir)
        self._models, self._file = data / "models", data / LIST if settings.keeps_downloads else None
        self._offline = settings.offline
        self._emit, self._submit, self._machine = emit, submit, machine
        self._made: DownloadDesk | None = None
        self._lock = threading.Lock()

    def serve(self, request: Message) -> None:
        """Take up a request; returns at once. Called from one thread."""
        match request:
            case ListDownloads():
                self._submit(request.request, lambda: self._emit(self._listed(request)))
            case StartDownload():
                self._start(request)
            case SteerDownload():
                desk = self._desk()
                steps = {"pause": desk.pause, "resume": desk.resume, "cancel": desk.cancel}
                steps[request.how](request.download)
            case SetOffline():
                self._offline = request.reason
                if self._offline and self._made is not None:
                    self._made.pause_all()
            case LookAtSource():
                self._submit(request.request, lambda: self._emit(self._looked(request)))
            case JudgeModels():
                self._submit(request.request, lambda: self._emit(self._judged(request)))

    def close(self) -> None:
        """End all downloads; the next engine goes on with them."""
        if self._made is not None:
            self._made.close()

    def _desk(self) -> DownloadDesk:
        """Made when it is first needed, so that the engine starts without it."""
        from pipelines.models.download.desk import DownloadDesk
        from pipelines.models.download.wishes import WishFile

        with self._lock:
            if self._made is None:
                make = lambda: downloader(self._models, self._offline)  # noqa: E731 - made anew for each
                self._made = DownloadDesk(self._models, make, WishFile(self._file), self._tell)
            return self._made

    def _listed(self, request: ListDownloads) -> Downloads:
        desk = self._desk()
        return Downloads(request=request.request, downloads=desk.open(), rate=desk.rate)

    def _start(self, request: StartDownload) -> None:
        wish = DownloadInfo(
            id=request.download, source=request.source, title=request.title, variant=request.variant,
            model_kind=request.model_kind, curated=request.curated,
        )  # fmt: skip
        self._desk().add(wish)

    def _tell(self, wish: DownloadInfo) -> None:
        rate = self._made.rate if self._made is not None else 0.0
        self._emit(DownloadTold(download=wish, rate=rate))

    def _looked(self, request: LookAtSource) -> SourceSeen:
        found = downloader(self._models, self._offline).look(request.source, request.variant)
        self._models.mkdir(parents=True, exist_ok=True)
        return _seen(request, found, shutil.disk_usage(self._models).free)

    def _judged(self, request: JudgeModels) -> ModelsJudged:
        from pipelines.models.offers.suggestions import judge

        machine = self._machine()
        offers = tuple(map(_offer, judge(machine)))
        return ModelsJudged(
            request=request.request, device=machine.device, memory_bytes=machine.room,
            measured=bool(machine.calibration.products), quick=machine.calibration.quick, offers=offers,
        )  # fmt: skip


def _seen(request: LookAtSource, found: Offer, free: int) -> SourceSeen:
    plan = found.plan
    return SourceSeen(
        request=request.request,
        source=request.source,
        name=found.name,
        variant=request.variant,
        files=tuple(map(_file, plan.files[:MAX_FILES])) if plan is not None else (),
        bytes=plan.bytes if plan is not None else None,
        folder=plan is not None and plan.folder,
        reason=found.reason,
        choices=tuple(
            DownloadFile(path=each.path, bytes=each.bytes, pickled=each.pickled, source=each.source)
            for each in found.choices[:MAX_FILES]
        ),
        variants=found.variants,
        licence=found.licence,
        gated=found.gated,
        page=found.page,
        free_bytes=free,
    )


def _file(remote: RemoteFile) -> DownloadFile:
    from pipelines.models.download.offer import is_pickled

    return DownloadFile(path=remote.name, bytes=remote.size, pickled=is_pickled(remote.name))


def _offer(judged: Judged) -> ModelOffer:
    from pipelines.models.download.tokens import HUB

    model = judged.model
    values: dict[str, Any] = {
        "id": model.id, "title": model.title, "model_kind": model.kind, "source": model.source,
        "page": model.source if urlsplit(model.source).scheme else f"{HUB}/{model.source}",
        "text": model.text, "licence": model.licence.name, "licence_url": model.licence.url,
        "sell": model.licence.sell, "note": model.licence.note, "checked": model.licence.checked,
        "licence_source": model.licence.source, "gated": model.gated, "variant": model.variant,
        "bytes": model.download_bytes, "steps": model.steps, "openable": model.openable,
        "label": judged.label, "precision": judged.precision, "verdict": judged.verdict,
        "peak_bytes": judged.peak, "seconds": judged.seconds, "params": judged.params,
    }  # fmt: skip
    return ModelOffer.model_validate(values)
