"""What is said of downloads and of models to get. Plain functions, no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipelines.engine.protocol import DownloadInfo, ModelOffer
from studio.engine.forecast_words import range_text
from studio.engine.phases import bytes_text, duration_text, memory_text
from studio.translate import tr

ASSUMED_RATE: Final = 50e6 / 8
"""Bytes a second of a connection of 50 Mbit/s, while nothing was downloaded yet."""
_PRECISIONS: Final = {"bf16": "16-bit weights", "int8": "8-bit weights", "nf4": "4-bit weights"}
_FITS: Final = {
    "fits": "all on the device",
    "offload": "fetched part by part from main memory",
    "too_large": "too large for this computer",
}
_SELLING: Final = {
    "yes": "Yes, by its licence", "limited": "Within limits", "see licence": "Read the licence first",
}  # fmt: skip
_SOLD: Final = {
    "yes": "pictures may be sold", "limited": "pictures may be sold within limits",
    "see licence": "read the licence before you sell pictures",
}  # fmt: skip
_STATES: Final = {
    "waiting": "waits for its turn", "asking": "asks the server", "checking": "is being checked",
    "paused": "paused", "finished": "is here", "failed": "stopped",
}  # fmt: skip


def fraction_of(told: DownloadInfo) -> float | None:
    """The part that has arrived; None while its size isn't known."""
    return min(told.done / told.total, 1.0) if told.total else None


def state_text(told: DownloadInfo) -> str:
    """``3.2 of 6.6 GB · 12.0 MB/s · 5 min 2 s left``, ``paused · 3.2 of 6.6 GB``."""
    parts = [] if told.state == "running" else [tr(_STATES[told.state])]
    if told.state not in ("finished", "checking") and (told.done or told.total):
        parts.append(bytes_text(told.done, told.total) if told.total else memory_text(told.done))
    if told.state == "running":
        parts += [tr("{rate} MB/s", rate=f"{told.rate / 1e6:.1f}")] if told.rate else []
        if told.seconds_left is not None:
            parts.append(tr("{time} left", time=rough_text(told.seconds_left)))
    return " · ".join(parts) or tr("begins")


def line_text(running: Sequence[DownloadInfo]) -> tuple[str, float | None]:
    """What goes on, for the status line, and the part that is done; empty for nothing."""
    if not running:
        return "", None
    if len(running) == 1:
        told = running[0]
        return tr("Downloading {title}: {state}", title=told.title, state=state_text(told)), fraction_of(told)
    done, total = sum(told.done for told in running), sum(told.total or 0 for told in running)
    text = tr("Downloading {count} models: {size}", count=len(running), size=bytes_text(done, total))
    return text, done / total if total else None


def rough_text(seconds: float) -> str:
    """A time to come, no more exact than it is known: ``40 s``, ``12 min``, ``2 h 10 min``."""
    if seconds < 90:
        return duration_text(seconds)
    if seconds < 3600:
        return tr("{minutes} min", minutes=round(seconds / 60))
    return duration_text(seconds)


def arrival_text(size: int | None, rate: float) -> str:
    """``4.1 GB, about 11 min``: by the rate of downloads lately, or the assumed one, which is named then."""
    if size is None:
        return tr("size not known yet")
    words = {"size": memory_text(size), "time": rough_text(size / (rate or ASSUMED_RATE))}
    if rate:
        return tr("{size}, about {time}", **words)
    return tr("{size}, about {time} at 50\u00a0Mbit/s", **words)


def precision_text(offer: ModelOffer) -> str:
    """How it would be run: ``8-bit weights, all of it on the device``."""
    if offer.verdict is None:
        return ""
    fits = tr(_FITS[offer.verdict])
    if offer.precision is None:
        return fits[:1].upper() + fits[1:]
    return f"{tr(_PRECISIONS[offer.precision])}, {fits}"


def seconds_text(offer: ModelOffer, measured: bool) -> str:
    """``6–15 s``; what is lacking where nothing can be said."""
    if offer.model_kind != "diffusion" or offer.verdict == "too_large":
        return ""
    if offer.seconds is not None:
        return range_text(*offer.seconds)
    return tr("not known yet") if measured else tr("this computer isn't measured yet")


def licence_text(offer: ModelOffer) -> str:
    """``Apache-2.0``; where nobody read it at its source, that is said."""
    return offer.licence if offer.checked else tr("{licence} (unchecked)", licence=offer.licence)


def read_text(offer: ModelOffer) -> str:
    """When and where its licence was read, or that nobody did."""
    if not offer.checked:
        return tr("Nobody compared it with the model's page yet; read it there.")
    return tr("Read on {day} at {address}", day=offer.checked, address=offer.licence_source)


def selling_text(offer: ModelOffer) -> str:
    """Whether its pictures may be sold, in a word; with the condition, where there is one that limits it."""
    condition = tr(offer.note) if offer.sell != "yes" else ""
    return ". ".join(part for part in (tr(_SELLING[offer.sell]), condition) if part)


def sold_text(offer: ModelOffer) -> str:
    """The same within a line of facts."""
    return tr(_SOLD[offer.sell])


def host_text(page: str) -> str:
    """The server of an address."""
    return site_text(page).partition("/")[0]


def site_text(page: str) -> str:
    """An address without what everybody knows: ``huggingface.co/owner/name``."""
    short = page.partition("://")[2] or page
    return short if len(short) <= 64 else f"{short.partition('/')[0]}/…/{short.rsplit('/', 1)[-1]}"
