"""What is in a repository of the Hugging Face hub.

The hub's API (``/api/models/OWNER/NAME/revision/REVISION?blobs=true``) lists each file with its size and its
digest: sha256 of large ones, git's of small ones. The listing's commit is used for every file, so that all
are of one version.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

from pipelines.errors import DownloadDenied, DownloadFailed, DownloadNotFound
from pipelines.models.download.addresses import Policy
from pipelines.models.download.connection import ConnectionBroken, Tokens, request
from pipelines.models.download.control import PATIENT
from pipelines.models.download.part import Algorithm, RemoteFile
from pipelines.models.download.source import HubSource

MAX_LISTING: Final = 16 * 2**20
"""Bytes of the hub's answer that are read at most."""

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Listed:
    """One file of a repository; ``large`` ones have a sha256 as their digest, the others git's."""

    path: str
    size: int
    digest: str = ""
    large: bool = False


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository at one commit. ``gated``: its terms must be accepted on its page."""

    name: str
    commit: str
    files: tuple[Listed, ...]
    licence: str = ""
    gated: bool = False

    def has(self, path: str) -> bool:
        return any(file.path == path for file in self.files)

    def remote(self, file: Listed, hub: str) -> RemoteFile:
        """What is needed to fetch one file of it."""
        url = f"{hub}/{self.name}/resolve/{self.commit}/{quote(file.path)}"
        algorithm: Algorithm = "sha256" if file.large else "git-sha1"
        return RemoteFile(url, file.path, file.size, file.digest, algorithm)


def list_repository(
    source: HubSource, hub: str, policy: Policy, tokens: Tokens, seconds: float = PATIENT.timeout
) -> Repository:
    """Ask the hub what is in a repository.

    Raises:
        DownloadOffline, DownloadRefused, DownloadDenied, DownloadNotFound, DownloadFailed.
    """
    revision = quote(source.revision, safe="")
    url = f"{hub}/api/models/{source.repository}/revision/{revision}?blobs=true"
    try:
        return _repository(source.repository, json.loads(_asked(url, source.name, policy, tokens, seconds)))
    except ConnectionBroken as error:
        reason = f"{str(error)[:1].upper()}{str(error)[1:]}."
        raise DownloadFailed(name=source.name, reason=reason) from error
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        reason = "The hub's list of it can't be understood."
        raise DownloadFailed(name=source.name, reason=reason) from error


def _asked(url: str, name: str, policy: Policy, tokens: Tokens, seconds: float) -> bytes:
    host = urlsplit(url).hostname or ""
    with request(url, {"Accept": "application/json"}, policy, tokens, seconds) as answer:
        if answer.status in (401, 403):  # also what the hub says of a repository that isn't there
            raise DownloadDenied(host=host, name=name, status=answer.status)
        if answer.status == 404:
            raise DownloadNotFound(host=host, name=name, status=answer.status)
        if answer.status != 200:
            raise DownloadFailed(name=name, reason=f"The hub answered {answer.status}.")
        body = bytearray()
        while piece := answer.read(2**20):
            body += piece
            if len(body) > MAX_LISTING:
                raise DownloadFailed(name=name, reason="The hub's list of it is too long.")
    return bytes(body)


def _repository(name: str, data: dict[str, Any]) -> Repository:
    card = data.get("cardData")
    licence = card.get("license") if isinstance(card, dict) else None
    files = [_listed(entry) for entry in data["siblings"]]
    commit = str(data["sha"])
    if not _COMMIT.fullmatch(commit):
        raise ValueError("no commit")
    return Repository(
        name, commit, tuple(sorted(files, key=lambda file: file.path)),
        licence if isinstance(licence, str) else "", bool(data.get("gated")),
    )  # fmt: skip


def _listed(entry: dict[str, Any]) -> Listed:
    path, large = str(entry["rfilename"]), entry.get("lfs")
    if isinstance(large, dict):
        return Listed(path, _size(large), _matching(_SHA256, large.get("sha256")), True)
    return Listed(path, _size(entry), _matching(_COMMIT, entry.get("blobId")))


def _size(entry: dict[str, Any]) -> int:
    size = entry["size"]
    if type(size) is not int or not 0 <= size < 2**50:
        raise ValueError("no size")
    return size


def _matching(pattern: re.Pattern[str], text: Any) -> str:
    return text if isinstance(text, str) and pattern.fullmatch(text) else ""
