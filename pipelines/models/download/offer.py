"""What is at a source, before anything of it is fetched: the whole model as it would arrive, and every single
file that could be fetched instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from pipelines.errors import NothingToDownload
from pipelines.models.download.addresses import Policy
from pipelines.models.download.connection import Tokens
from pipelines.models.download.hub import Repository, list_repository
from pipelines.models.download.plan import Plan, plan_of_address, plan_of_repository
from pipelines.models.download.selection import SINGLE_SUFFIXES, variants_of
from pipelines.models.download.source import AddressSource, HubSource, parse
from pipelines.models.files.safety import PICKLE_SUFFIXES


@dataclass(frozen=True, slots=True)
class Choice:
    """A single file: what to write as the source to have it alone. ``pickled``: by its name, it is a pickle
    and would be converted."""

    source: str
    path: str
    bytes: int | None
    pickled: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """``plan`` is what the source itself brings; without one, ``reason`` says why. ``page`` is where to read
    of it, empty for a plain address. ``variants`` are other sets of its weights that it has (``fp16``)."""

    name: str
    plan: Plan | None
    reason: str = ""
    choices: tuple[Choice, ...] = ()
    variants: tuple[str, ...] = ()
    licence: str = ""
    gated: bool = False
    page: str = ""


def is_pickled(path: str) -> bool:
    """Whether a file is a pickle, by its name alone."""
    return PurePosixPath(path).suffix.lower() in PICKLE_SUFFIXES


def look(text: str, variant: str, hub: str, policy: Policy, tokens: Tokens, seconds: float) -> Offer:
    """Ask what is at a source.

    Raises:
        WrongUse, DownloadOffline, DownloadRefused, DownloadDenied, DownloadNotFound, DownloadFailed.
        NothingToDownload: an address that names no model's file.
    """
    source = parse(text, hub)
    policy.check(source.name)
    if isinstance(source, AddressSource):
        return Offer(source.name, plan_of_address(source.url, source.name))
    repository = list_repository(source, hub, policy, tokens, seconds)
    plan, reason = _planned(repository, source, variant, hub)
    return Offer(
        repository.name, plan, reason, tuple(_choices(repository, source)),
        () if source.file else variants_of(repository), repository.licence, repository.gated,
        f"{hub}/{repository.name}",
    )  # fmt: skip


def _planned(repository: Repository, source: HubSource, variant: str, hub: str) -> tuple[Plan | None, str]:
    try:
        return plan_of_repository(repository, source, variant, hub), ""
    except NothingToDownload as error:
        return None, str(error.arguments.get("reason", ""))


def _choices(repository: Repository, source: HubSource) -> list[Choice]:
    """Files that are models by their names: those that need no conversion first, then the larger."""
    revision = "" if source.revision == "main" else f"@{source.revision}"
    found = [
        Choice(f"{repository.name}{revision}/{file.path}", file.path, file.size, is_pickled(file.path))
        for file in repository.files
        if PurePosixPath(file.path).suffix.lower() in SINGLE_SUFFIXES
    ]
    return sorted(found, key=lambda choice: (choice.pickled, -(choice.bytes or 0), choice.path))
