"""Fetching one file: it goes on where it ended, is checked while it arrives, and appears only when it is
whole.

Range requests by RFC 9110, section 14; ``If-Range`` (13.1.5) with a strong entity tag or a date, so that a
server with another version sends all of it.
"""

from __future__ import annotations

import contextlib
import email.utils
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pipelines.errors import (
    DiskFull,
    DownloadDamaged,
    DownloadDenied,
    DownloadFailed,
    DownloadNotFound,
)
from pipelines.files import bytes_text, save_error
from pipelines.models.download.addresses import Policy
from pipelines.models.download.connection import Answer, ConnectionBroken, Headers, Tokens, request
from pipelines.models.download.control import PATIENT, Control, Limits
from pipelines.models.download.part import Part, RemoteFile

PIECE: Final = 2**20
RESERVE_BYTES: Final = 64 * 2**20
"""What must stay free on the disk."""

_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_WHOLE: Final = re.compile(r"bytes \*/(\d{1,18})")

Progress = Callable[[int, int | None], None]


class _Again(Exception):
    """What there is of the file can't be gone on with; the text says why."""


class _Busy(Exception):
    """The server asks to wait so many seconds."""

    def __init__(self, status: int, seconds: float | None) -> None:
        super().__init__(f"the server is busy (it answered {status})")
        self.seconds = seconds


class Transfer:
    """The download of one file to ``target``."""

    def __init__(
        self,
        remote: RemoteFile,
        target: Path,
        *,
        policy: Policy,
        tokens: Tokens,
        control: Control,
        limits: Limits = PATIENT,
        progress: Progress | None = None,
    ) -> None:
        self._remote = remote
        self._part = Part(target, remote.url)
        self._policy = policy
        self._tokens = tokens
        self._control = control
        self._limits = limits
        self._progress = progress
        self._hasher: Any = None
        self._hashed = 0

    def run(self) -> Path:
        """Fetch the file; what has arrived stays if this fails or is cancelled.

        Raises:
            DownloadOffline, DownloadRefused, DownloadDenied, DownloadNotFound: there is no way to it.
            DownloadFailed: the server couldn't be made to send all of it.
            DownloadDamaged: what arrived twice isn't what was announced; it is deleted.
            DiskFull, SaveFailed: it can't be written.
            Cancelled: the user cancelled.
        """
        attempts, damaged = 0, False
        while True:
            self._control.wait_while_paused()
            before, wait = self._part.size, None
            try:
                self._fetch()
                if self._is_true():
                    return self._part.publish()
                if damaged:
                    raise DownloadDamaged(name=self._remote.name, reason="Its checksum is another one.")
                damaged = True
                reason = "its checksum is another one"
            except (ConnectionBroken, _Again, _Busy) as error:
                if self._control.paused and not self._control.cancelled:
                    continue
                reason, wait = str(error), getattr(error, "seconds", None)
            except OSError as error:
                raise save_error(error, self._part.target) from error
            self._control.check()
            attempts = 0 if self._part.size - before >= self._limits.slow_bytes else attempts + 1
            if attempts >= self._limits.attempts:
                raise DownloadFailed(name=self._remote.name, reason=f"{reason[:1].upper()}{reason[1:]}.")
            self._control.wait(self._pause(attempts, wait))

    def _pause(self, attempts: int, asked: float | None) -> float:
        """Seconds before the next attempt: longer each time, or what the server asked for."""
        seconds = self._limits.backoff * 2.0 ** max(attempts - 1, 0) if asked is None else asked
        return min(seconds, self._limits.longest_wait)

    # --- one attempt ----------------------------------------------------------------------------------------

    def _fetch(self) -> None:
        """Bring what is missing. Returns when all of it is there."""
        note = self._part.note()
        total = note.total if self._remote.size is None else self._remote.size
        have = self._part.size
        if have and total is not None and have >= total:
            if have == total:
                return
            self._part.discard()
            have = 0
        headers = {}
        if have and (note.validator or self._remote.digest):
            headers["Range"] = f"bytes={have}-"
            if note.validator:
                headers["If-Range"] = note.validator
        answer = request(self._remote.url, headers, self._policy, self._tokens, self._limits.timeout)
        with answer:
            self._control.listen(answer.close)
            try:
                self._take(answer, have if headers else 0, note.validator)
            finally:
                self._control.forget(answer.close)

    def _take(self, answer: Answer, asked: int, validator: str) -> None:
        status, headers = answer.status, answer.headers
        total: int | None
        if status == 416 and asked:
            whole = _WHOLE.fullmatch(headers.get("Content-Range", ""))
            if whole and int(whole[1]) == asked:
                return
            self._part.discard()
            raise _Again("the server has another version of it")
        if status == 206:
            total = self._continued(headers, asked, validator)
        elif status == 200:
            length = headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() and len(length) < 19 else None
            self._check_size(total)
            self._part.begin(_validator(headers), total)
        else:
            self._refused(status, headers)
            return
        if headers.get("Content-Encoding", "identity") != "identity":
            raise DownloadFailed(name=self._remote.name, reason="The server sends it packed.")
        self._check_space(total)
        self._receive(answer, total)

    def _continued(self, headers: Headers, asked: int, validator: str) -> int:
        """The size of the whole file, if what is sent fits behind what is there."""
        found = _RANGE.fullmatch(headers.get("Content-Range", ""))
        now = _validator(headers)
        if found is None or int(found[1]) != asked or (validator and now and now != validator):
            self._part.discard()
            raise _Again("the server has another version of it")
        self._check_size(int(found[3]))
        return int(found[3])

    def _check_size(self, total: int | None) -> None:
        expected = self._remote.size
        if total is not None and expected is not None and total != expected:
            self._part.discard()
            reason = f"It has {total:,} bytes instead of {expected:,}."
            raise DownloadDamaged(name=self._remote.name, reason=reason)

    def _check_space(self, total: int | None) -> None:
        folder = self._part.path.parent
        missing = max(total - self._part.size, 0) if total is not None else 0
        free = shutil.disk_usage(folder).free
        if free < missing + RESERVE_BYTES:
            raise DiskFull(
                path=str(self._part.target), needed=bytes_text(missing + RESERVE_BYTES), free=bytes_text(free)
            )

    def _refused(self, status: int, headers: Headers) -> None:
        """Raise what a status means."""
        host = urlsplit(self._remote.url).hostname or ""
        if status in (401, 403, 407):
            raise DownloadDenied(host=host, name=self._remote.name, status=status)
        if status in (404, 410):
            raise DownloadNotFound(host=host, name=self._remote.name, status=status)
        if status in (408, 425, 429) or status >= 500:
            raise _Busy(status, _retry_after(headers.get("Retry-After", "")))
        if status == 206 or 200 <= status < 300:
            raise _Again(f"the server answered {status}")
        raise DownloadFailed(name=self._remote.name, reason=f"The server answered {status}.")

    def _receive(self, answer: Answer, total: int | None) -> None:
        have = self._part.size
        limit = total if total is not None else self._remote.size
        window_start, window_bytes = time.monotonic(), 0
        self._prepare_hash(have)
        with self._part.open() as file:
            while piece := answer.read(PIECE):
                self._control.check()
                have += len(piece)
                if limit is None:
                    self._check_space(None)
                if limit is not None and have > limit:
                    self._part.discard()
                    raise DownloadDamaged(name=self._remote.name, reason=f"More than {limit:,} bytes arrive.")
                file.write(piece)
                self._feed(piece)
                if self._progress is not None:
                    self._progress(have, limit)
                window_bytes += len(piece)
                if time.monotonic() - window_start > self._limits.slow_seconds:
                    if window_bytes < self._limits.slow_bytes:
                        raise ConnectionBroken("the server hardly sends anything")
                    window_start, window_bytes = time.monotonic(), 0
        self._control.check()
        if limit is not None and have < limit:
            raise ConnectionBroken(f"the connection ended after {have:,} of {limit:,} bytes")

    # --- the checksum ---------------------------------------------------------------------------------------

    def _prepare_hash(self, have: int) -> None:
        """Take in what was there before; what arrives is fed as it comes."""
        if not self._remote.digest or (self._hasher is not None and self._hashed == have):
            return
        self._hasher, self._hashed = self._remote.hasher(self._remote.size or 0), 0
        for piece in self._part.pieces() if have else ():
            self._control.check()
            self._feed(piece)

    def _feed(self, piece: bytes) -> None:
        if self._hasher is not None:
            self._hasher.update(piece)
            self._hashed += len(piece)

    def _is_true(self) -> bool:
        """Whether all that is there has the digest that was announced; else it is deleted."""
        if not self._remote.digest:
            return True
        self._prepare_hash(self._part.size)
        found = str(self._hasher.hexdigest())
        if found == self._remote.digest.lower():
            return True
        self._hasher, self._hashed = None, 0
        self._part.discard()
        return False


def _validator(headers: Headers) -> str:
    """What names this version of the file: a strong entity tag, else its date, else nothing."""
    tag = headers.get("ETag", "").strip()
    if tag.startswith('"') and tag.endswith('"') and len(tag) <= 512:
        return tag
    return headers.get("Last-Modified", "").strip()[:100]


def _retry_after(text: str) -> float | None:
    """Seconds, from a number or a date."""
    if text.strip().isdecimal():
        return float(text.strip()[:9])
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return max(email.utils.parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    return None
