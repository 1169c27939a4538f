"""What would be fetched for what a user typed, and how far it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.errors import NothingToDownload
from pipelines.files import sanitise_name
from pipelines.models.download.addresses import Policy
from pipelines.models.download.connection import Tokens
from pipelines.models.download.hub import Repository, list_repository
from pipelines.models.download.part import RemoteFile
from pipelines.models.download.selection import SINGLE_SUFFIXES, one_file, whole_folder
from pipelines.models.download.source import HubSource, parse


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be fetched. ``name`` is the model's; ``bytes`` the sum of its files where all are known."""

    name: str
    files: tuple[RemoteFile, ...]
    folder: bool
    licence: str = ""
    gated: bool = False

    @property
    def bytes(self) -> int | None:
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a download is: bytes that are there, of how many, and the files that are whole."""

    done: int
    total: int | None
    files_done: int
    files: int


def make_plan(text: str, variant: str, hub: str, policy: Policy, tokens: Tokens, seconds: float) -> Plan:
    """See :meth:`pipelines.models.download.jobs.Downloader.plan`."""
    source = parse(text, hub)
    policy.check(source.name)
    if not isinstance(source, HubSource):
        return plan_of_address(source.url, source.name)
    repository = list_repository(source, hub, policy, tokens, seconds)
    return plan_of_repository(repository, source, variant, hub)


def plan_of_repository(repository: Repository, source: HubSource, variant: str, hub: str) -> Plan:
    """What a source brings of its repository. Raises :class:`NothingToDownload`."""
    if source.file:
        name = sanitise_name(source.file.rsplit("/", 1)[-1])
        listed = one_file(repository, source.file)
        files: tuple[RemoteFile, ...] = (replace(repository.remote(listed, hub), name=name),)
    else:
        name = sanitise_name(source.repository.replace("/", "--"))
        files = tuple(repository.remote(file, hub) for file in whole_folder(repository, variant))
    return Plan(name, files, not source.file, repository.licence, repository.gated)


def plan_of_address(url: str, name: str) -> Plan:
    """The one file at an address. Raises :class:`NothingToDownload`."""
    name = sanitise_name(name)
    if Path(name).suffix.lower() not in SINGLE_SUFFIXES:
        raise NothingToDownload(name=name, reason="It is no model file by its name.")
    return Plan(name, (RemoteFile(url, name),), folder=False)


class Counter:
    """Adds up what the files report."""

    def __init__(self, plan: Plan, progress: Callable[[Progress], None] | None) -> None:
        self._total = plan.bytes
        self._files = len(plan.files)
        self._progress = progress
        self._lock = threading.Lock()
        self._done: dict[str, int] = {}
        self._whole: set[str] = set()

    def set(self, name: str, done: int, whole: bool = False) -> None:
        with self._lock:
            self._done[name] = done
            if whole:
                self._whole.add(name)
            if self._progress is not None:
                count = sum(self._done.values())
                self._progress(Progress(count, self._total, len(self._whole), self._files))
