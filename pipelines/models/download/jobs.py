"""Fetching a model: its files, several at a time, into a hidden folder; then the safety check; and only then
is it a model among the others.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from pipelines.engine.locks import FileLock
from pipelines.errors import (
    Cancelled,
    DiptychError,
    DiskFull,
    DownloadBusy,
    DownloadExists,
    ModelPickled,
)
from pipelines.files import bytes_text, is_there, safe_join
from pipelines.models.convert.conversion import convert
from pipelines.models.download.addresses import Policy
from pipelines.models.download.connection import Tokens
from pipelines.models.download.control import PATIENT, Control, Limits
from pipelines.models.download.offer import Offer, look
from pipelines.models.download.part import PART_ENDINGS, RemoteFile
from pipelines.models.download.plan import Counter, Plan, Progress, make_plan
from pipelines.models.download.selection import SINGLE_SUFFIXES
from pipelines.models.download.tokens import HubToken, hub_address
from pipelines.models.download.transfer import RESERVE_BYTES, Transfer
from pipelines.models.files.gguf_header import read_header as read_gguf
from pipelines.models.files.safety import check_file, check_folder, check_settings
from pipelines.models.probing.folders import probe_folder
from pipelines.models.probing.probe import Probe, probe_file, probe_gguf

STAGING: Final = ".downloads"
"""The folder, below the models, of what is arriving; catalogues don't look into hidden folders."""

PARALLEL: Final = 3
UNKNOWN: Final = "diffusion"


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A model that is there. ``converted``: it arrived as a pickle, and is safetensors now."""

    path: Path
    kind: str
    family: str
    bytes: int
    converted: bool = False


class Downloader:
    """Fetches models into ``models``, the folder that has one folder for each kind.

    Args:
        models: see :func:`pipelines.paths.models_dir`.
        policy: whom to talk to; by the environment if not given.
        hub: the address of the hub.
        tokens: the access token for a host.
        limits: how patient to be.
        parallel: how many files at a time.
    """

    def __init__(
        self,
        models: Path,
        *,
        policy: Policy | None = None,
        hub: str = "",
        tokens: Tokens | None = None,
        limits: Limits = PATIENT,
        parallel: int = PARALLEL,
    ) -> None:
        self._models = models
        self._policy = policy or Policy.of_environment()
        self._hub = hub or hub_address()
        self._tokens = tokens or HubToken()
        self._limits = limits
        self._parallel = parallel

    def plan(self, text: str, variant: str = "") -> Plan:
        """What a text means and what it would bring: ``owner/name``, ``owner/name/file``, an address.

        Raises:
            WrongUse: it means nothing.
            NothingToDownload: there is nothing in it that could be opened.
            DownloadOffline, DownloadRefused, DownloadDenied, DownloadNotFound, DownloadFailed.
        """
        return make_plan(text, variant, self._hub, self._policy, self._tokens, self._limits.timeout)

    def look(self, text: str, variant: str = "") -> Offer:
        """What is at a source: the whole model, and each file that could be had alone. Raises as
        :meth:`plan`, but tells as data why a whole model can't be had."""
        return look(text, variant, self._hub, self._policy, self._tokens, self._limits.timeout)

    def fetch(
        self,
        plan: Plan,
        *,
        kind: str = "",
        control: Control | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Downloaded:
        """Fetch what was planned. What has arrived of an earlier attempt is gone on with.

        Args:
            kind: the folder to put it in where its tensors don't say what it is.
            control: to pause and cancel.
            progress: called from several threads, one at a time.

        Raises:
            DownloadExists: there is a model of this name.
            DownloadBusy: another program fetches it.
            DownloadOffline, DownloadRefused, DownloadDenied, DownloadNotFound, DownloadFailed,
                DownloadDamaged: see :meth:`.transfer.Transfer.run`.
            ModelUnsafe, ModelUnreadable, UnknownModelFamily…: the safety check refuses it; it is deleted.
            ConversionRefused, ConversionFailed: it is a pickle of more than a state dict; it is deleted.
            DiskFull, SaveFailed, Cancelled.
        """
        self._policy.check(plan.name)
        self._check_free(plan)
        staging = self._models / STAGING / plan.name
        lock = FileLock(staging.with_name(f"{plan.name}.lock"))
        if not lock.acquire():
            raise DownloadBusy(name=plan.name, owner=lock.holder())
        try:
            _sweep(plan, staging)
            self._check_space(plan, staging)
            control = control or Control()
            counter = Counter(plan, progress)
            settings = [file for file in plan.files if not _is_weights(file)] if plan.folder else []
            self._bring(settings, staging, control, counter)
            if settings:
                with _swept_when_refused(staging):  # before gigabytes arrive that nobody can use
                    check_settings(staging, plan.name)
            self._bring(plan.files, staging, control, counter)
            return self._take_in(plan, staging, kind, control)
        finally:
            lock.release()

    def _check_free(self, plan: Plan) -> None:
        """Raise if a model of this name is there, whatever its kind."""
        stem = Path(plan.name).stem
        names = {plan.name, f"{stem}.safetensors"} if not plan.folder else {plan.name}
        with contextlib.suppress(OSError):
            for folder in self._models.iterdir():
                for name in names:
                    if folder.name != STAGING and is_there(folder / name):
                        raise DownloadExists(path=str(folder / name))

    def _check_space(self, plan: Plan, staging: Path) -> None:
        staging.mkdir(parents=True, exist_ok=True)
        there = sum(path.stat().st_size for path in staging.rglob("*") if path.is_file())
        needed = max((plan.bytes or 0) - there, 0) + RESERVE_BYTES
        free = shutil.disk_usage(staging).free
        if free < needed:
            raise DiskFull(path=str(staging), needed=bytes_text(needed), free=bytes_text(free))

    # --- bringing it ----------------------------------------------------------------------------------------

    def _bring(self, files: Sequence[RemoteFile], staging: Path, control: Control, counter: Counter) -> None:
        """Files, several at a time; the first fault ends the others."""
        inner = Control()
        follow = partial(_follow, control, inner)
        control.listen(follow)
        follow()
        with ThreadPoolExecutor(self._parallel, thread_name_prefix="diptych-download") as pool:
            running = [
                pool.submit(self._one, file, safe_join(staging, file.name), inner, counter) for file in files
            ]
            try:
                done, _ = wait(running, return_when=FIRST_EXCEPTION)
                first = next((future for future in done if future.exception() is not None), None)
            finally:
                inner.cancel()
                control.forget(follow)
        control.check()
        if first is not None:
            first.result()

    def _one(self, file: RemoteFile, target: Path, control: Control, counter: Counter) -> None:
        if target.is_file():
            if file.matches(target, control):
                counter.set(file.name, target.stat().st_size, whole=True)
                return
            target.unlink()  # of another version
        transfer = Transfer(
            file, target, policy=self._policy, tokens=self._tokens, control=control, limits=self._limits,
            progress=lambda done, total: counter.set(file.name, done),
        )  # fmt: skip
        transfer.run()
        counter.set(file.name, target.stat().st_size, whole=True)

    # --- making a model of it -------------------------------------------------------------------------------

    def _take_in(self, plan: Plan, staging: Path, kind: str, control: Control) -> Downloaded:
        with _swept_when_refused(staging):
            path, probe, converted = _checked(plan, staging, control)
        folder = self._models / (probe.kind or kind or UNKNOWN)
        target = folder / path.name
        if is_there(target):
            raise DownloadExists(path=str(target))
        folder.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        if not plan.folder:
            shutil.rmtree(staging, ignore_errors=True)
        return Downloaded(target, folder.name, probe.family, probe.bytes, converted)


@contextlib.contextmanager
def _swept_when_refused(staging: Path) -> Iterator[None]:
    """Delete what arrived if the check in the block refuses it; a cancel deletes nothing."""
    try:
        yield
    except Cancelled:
        raise
    except DiptychError:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _is_weights(file: RemoteFile) -> bool:
    return Path(file.name).suffix.lower() in SINGLE_SUFFIXES


def _checked(plan: Plan, staging: Path, control: Control) -> tuple[Path, Probe, bool]:
    """What arrived, what it is, and whether it had to be converted."""
    if plan.folder:
        return staging, probe_folder(staging, check_folder(staging, plan.name), plan.name), False
    path = safe_join(staging, plan.name)
    if path.suffix.lower() == ".gguf":
        return path, probe_gguf(read_gguf(path)), False
    try:
        return path, probe_file(check_file(path)), False
    except ModelPickled:
        path = convert(path, staging / f"{path.stem}.safetensors", cancel=control).path
        return path, probe_file(check_file(path)), True


def _sweep(plan: Plan, staging: Path) -> None:
    """Remove what an earlier attempt at another version or variant left."""
    wanted = {safe_join(staging, file.name) for file in plan.files}
    kept = wanted | {path.with_name(f"{path.name}{end}") for path in wanted for end in PART_ENDINGS}
    for path in staging.rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()


def _follow(control: Control, inner: Control) -> None:
    """Make ``inner`` do as ``control`` does."""
    if control.cancelled:
        inner.cancel()
    elif control.paused:
        inner.pause()
    else:
        inner.resume()
