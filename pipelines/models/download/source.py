"""What a user means by a text: a repository of the hub, one file of it, or a file at an address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from pipelines.errors import WrongUse
from pipelines.models.download.tokens import HUB

_PART: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_SHORT: Final = re.compile(rf"({_PART}/{_PART})(?:@([\w./-]+?))?(?:/([^@]+))?")
_PAGE: Final = re.compile(rf"/({_PART}/{_PART})(?:/(?:resolve|blob|tree|raw)/([^/]+)(?:/(.+))?)?/?")
_HINT: Final = "Write owner/name, owner/name/file.safetensors, or an https address."


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repository at a revision (a branch, tag or commit), or one ``file`` of it."""

    repository: str
    revision: str = "main"
    file: str = ""

    @property
    def name(self) -> str:
        return f"{self.repository}/{self.file}" if self.file else self.repository


@dataclass(frozen=True, slots=True)
class AddressSource:
    """A file at an https address."""

    url: str

    @property
    def name(self) -> str:
        """The file's name as the address has it."""
        return unquote(urlsplit(self.url).path).rsplit("/", 1)[-1]


Source = HubSource | AddressSource


def parse(text: str, hub: str = HUB) -> Source:
    """``owner/name``, ``owner/name@revision``, ``owner/name/file``, a page of the hub, or an address.

    Raises:
        WrongUse: it is none of these.
    """
    text = text.strip()
    if "://" not in text:
        short = _SHORT.fullmatch(text)
        if short is None:
            raise WrongUse(reason=f"{text[:80]} names no repository and no file.", hint=_HINT)
        return HubSource(short[1], short[2] or "main", short[3] or "")
    if text.startswith(f"{hub}/"):
        page = _PAGE.fullmatch(unquote(urlsplit(text).path))
        if page is not None:
            return HubSource(page[1], page[2] or "main", page[3] or "")
    source = AddressSource(text)
    if not source.name:
        raise WrongUse(reason=f"{text[:80]} names no file.", hint=_HINT)
    return source
