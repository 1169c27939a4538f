"""Getting models: what is asked of the engine, what it tells."""

from __future__ import annotations

from typing import Any, Literal

from pipelines.engine.protocol.parts import ErrorData, Message, Verdict

DownloadState = Literal["waiting", "asking", "running", "checking", "paused", "finished", "failed"]


class DownloadInfo(Message):
    """One download, as it is told and kept.

    ``source`` and ``variant`` are what :meth:`pipelines.models.download.jobs.Downloader.plan` takes;
    ``model_kind`` the folder where its tensors don't say what it is.
    """

    id: str
    source: str
    title: str
    variant: str = ""
    model_kind: str = ""
    curated: str = ""
    """Its id in our list, if it is from there."""
    state: DownloadState = "waiting"
    """``asking``: the server is asked what there is; ``checking``: all is there and is looked through."""
    name: str = ""
    """What the files are called, known once the server was asked."""
    done: int = 0
    total: int | None = None
    files_done: int = 0
    files: int = 0
    rate: float | None = None
    """Bytes a second while it runs."""
    seconds_left: float | None = None
    error: ErrorData | None = None
    path: str = ""
    """Of the model, once it is one."""
    converted: bool = False
    """It came as a pickle, and is safetensors now."""

    def changed(self, **changes: Any) -> DownloadInfo:
        """The same, but for what changed."""
        return self.model_copy(update=changes)


class DownloadFile(Message):
    """A file to fetch; ``source`` is what to ask for to have it alone. ``pickled``: it would be converted."""

    path: str
    bytes: int | None = None
    pickled: bool = False
    source: str = ""


class ModelOffer(Message):
    """A model of our list on this machine (see :class:`pipelines.models.offers.suggestions.Judged`).

    ``sell``: whether pictures may be sold, by its licence; ``checked``: the day on which that was read at
    ``licence_source``, empty if nobody did. ``params`` are those of the node that chooses it. ``steps`` are
    its usual ones.
    """

    id: str
    title: str
    model_kind: str
    source: str
    page: str
    text: str
    licence: str
    licence_url: str
    sell: Literal["yes", "limited", "see licence"]
    note: str = ""
    checked: str = ""
    licence_source: str = ""
    gated: bool = False
    variant: str = ""
    bytes: int | None = None
    steps: int | None = None
    openable: bool = True
    label: Literal["", "Fast", "Balanced", "Best"] = ""
    precision: Literal["bf16", "int8", "nf4"] | None = None
    verdict: Verdict | None = None
    peak_bytes: int = 0
    seconds: tuple[float, float] | None = None
    params: dict[str, str] = {}


# --- what is asked ------------------------------------------------------------------------------------------


class ListDownloads(Message):
    """Which downloads there are; those of the last time are taken up again. The answer is
    :class:`Downloads`."""

    kind: Literal["list_downloads"] = "list_downloads"
    request: str


class LookAtSource(Message):
    """What a repository or an address would bring; the answer is :class:`SourceSeen`."""

    kind: Literal["look_at_source"] = "look_at_source"
    request: str
    source: str
    variant: str = ""


class StartDownload(Message):
    """Download a model, as soon as it is its turn; it is told of by :class:`DownloadTold`. One of the same
    source goes on instead."""

    kind: Literal["start_download"] = "start_download"
    download: str
    source: str
    title: str
    variant: str = ""
    model_kind: str = ""
    curated: str = ""


class SteerDownload(Message):
    """Pause one, go on with it, or give it up: then what has arrived of it is deleted."""

    kind: Literal["steer_download"] = "steer_download"
    download: str
    how: Literal["pause", "resume", "cancel"]


class SetOffline(Message):
    """Don't use the network from now on, for a reason; without one, use it again."""

    kind: Literal["set_offline"] = "set_offline"
    reason: str = ""


class JudgeModels(Message):
    """What to get for this machine; the answer is :class:`ModelsJudged`."""

    kind: Literal["judge_models"] = "judge_models"
    request: str


# --- what is told -------------------------------------------------------------------------------------------


class Downloads(Message):
    """``rate``: bytes a second of what arrived lately; 0 if nothing ever did."""

    kind: Literal["downloads"] = "downloads"
    request: str
    downloads: tuple[DownloadInfo, ...]
    rate: float = 0.0


class DownloadTold(Message):
    """One download as it is now, ten times a second at most."""

    kind: Literal["download_told"] = "download_told"
    download: DownloadInfo
    rate: float = 0.0


class SourceSeen(Message):
    """``files`` are what would be fetched, ``bytes`` their sum where it is known; without files ``reason``
    says why there are none. ``choices`` are single files that could be had alone."""

    kind: Literal["source_seen"] = "source_seen"
    request: str
    source: str
    name: str
    variant: str = ""
    files: tuple[DownloadFile, ...] = ()
    bytes: int | None = None
    folder: bool = False
    reason: str = ""
    choices: tuple[DownloadFile, ...] = ()
    variants: tuple[str, ...] = ()
    licence: str = ""
    gated: bool = False
    page: str = ""
    free_bytes: int = 0
    """On the disk of the models."""


class ModelsJudged(Message):
    """The suggested ones first. ``measured``: whether the device was, so that seconds could be said;
    ``quick``: for a moment only, so that they are estimates."""

    kind: Literal["models_judged"] = "models_judged"
    request: str
    device: str
    memory_bytes: int
    measured: bool
    quick: bool = False
    offers: tuple[ModelOffer, ...]
