"""What is said of a model beside its tensors: by its trainer in its header, by other programs next to it.

Everything is read within bounds and shown as plain text; none of it decides how a model is opened. Sources:
the ModelSpec standard (``modelspec.*``), kohya's sd-scripts (``ss_*``), the ``.civitai.info`` files of
browser extensions, and A1111's own ``NAME.json``.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from pipelines.files import open_file

MAX_NOTE: Final = 2 * 2**20
"""Bytes of one file beside a model that are read at most; those of browser extensions list many pictures."""
MAX_TEXT: Final = 2_000
MAX_WORDS: Final = 40
_MAX_FREQUENCIES: Final = 2**20
_PICTURES: Final = (
    ".preview.png",
    ".png",
    ".preview.jpg",
    ".jpg",
    ".preview.jpeg",
    ".jpeg",
    ".preview.webp",
    ".webp",
)
_NOTES: Final = (".civitai.info", ".json", ".cm-info.json")
_PAGES: Final = "https://civitai.com/models/"
_TAGS: Final = re.compile(r"<[^<>]{0,2000}>")
_SPACES: Final = re.compile(r"[^\S\n]+")


@dataclass(frozen=True, slots=True)
class About:
    """What is told of a model. ``strength``: the weight its maker recommends. ``source``: an address."""

    title: str = ""
    description: str = ""
    author: str = ""
    licence: str = ""
    base_model: str = ""
    trigger_words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    strength: float | None = None
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        """What is not empty."""
        found: dict[str, Any] = {}
        for name in _NAMES:
            value = getattr(self, name)
            if value:
                found[name] = value
        return found

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> About:
        """What :meth:`to_json` wrote."""
        known: dict[str, Any] = {name: data[name] for name in _NAMES if name in data}
        return cls(**(known | {name: tuple(value) for name, value in known.items() if type(value) is list}))


_NAMES: Final = tuple(item.name for item in fields(About))


def preview_names(stem: str) -> Iterator[str]:
    """File names under which programs keep a picture of a model, the likelier ones first."""
    return (stem + suffix for suffix in _PICTURES)


def note_names(stem: str) -> Iterator[str]:
    """File names under which other programs keep what they know of a model."""
    return (stem + suffix for suffix in _NOTES)


def describe(metadata: Mapping[str, str], notes: tuple[str, ...] = ()) -> About:
    """All that is said, the most deliberate words first: the user's own notes in another program, the page
    it came from, then its maker's header.
    """
    found = [_from_file(Path(path)) for path in reversed(notes)]
    if metadata:
        found += [_from_modelspec(metadata), _from_kohya(metadata)]
    joined: dict[str, Any] = {}
    for about in found:
        for name, value in about.to_json().items():
            joined.setdefault(name, value)
    return About(**joined)


def _from_modelspec(metadata: Mapping[str, str]) -> About:
    def text(name: str) -> str:
        return _plain(metadata.get(f"modelspec.{name}", ""))

    phrase = text("trigger_phrase")
    return About(
        text("title"), text("description"), text("author"), text("license"), text("architecture"),
        _words(phrase.split(",")), _words(text("tags").split(",")),
    )  # fmt: skip


def _from_kohya(metadata: Mapping[str, str]) -> About:
    """What sd-scripts notes of a training: the base, and its pictures' tags, the most frequent first."""
    base = metadata.get("ss_base_model_version") or metadata.get("ss_sd_model_name", "")
    return About(
        title=_plain(metadata.get("ss_output_name", "")), base_model=_plain(base),
        description=_plain(metadata.get("ss_training_comment", "")), tags=_frequent(metadata),
    )  # fmt: skip


def _frequent(metadata: Mapping[str, str]) -> tuple[str, ...]:
    text = metadata.get("ss_tag_frequency", "")
    if not text or len(text) > _MAX_FREQUENCIES:
        return ()
    data = _parsed(text)
    counts: dict[str, int] = {}
    for tags in data.values() if isinstance(data, dict) else ():
        for tag, count in tags.items() if isinstance(tags, dict) else ():
            if isinstance(count, int):
                counts[tag.strip()] = counts.get(tag.strip(), 0) + count
    return _words(sorted(counts, key=lambda tag: -counts[tag])[:MAX_WORDS])


def _note(path: Path) -> Any:
    """What a file beside a model holds; None if it can't be read."""
    try:
        with open_file(path) as file:
            text = file.read(MAX_NOTE + 1)
    except OSError:
        return None
    return _parsed(text.decode("utf-8", "replace")) if len(text) <= MAX_NOTE else None


def _from_file(path: Path) -> About:
    data = _note(path)
    if not isinstance(data, dict):
        return About()
    return _from_page(data) if "trainedWords" in data or "modelId" in data else _from_webui(data)


def _from_page(data: Mapping[str, Any]) -> About:
    """A version of a model as its page describes it."""
    model = data.get("model")
    about = model if isinstance(model, dict) else {}
    words = data.get("trainedWords")
    names = [part for part in (about.get("name"), data.get("name")) if isinstance(part, str)]
    number = data.get("modelId")
    return About(
        _plain(" · ".join(names)), _plain(data.get("description") or about.get("description")),
        base_model=_plain(data.get("baseModel")), trigger_words=_words(words),
        tags=_words(about.get("tags")), source=f"{_PAGES}{number}" if type(number) is int else "",
    )  # fmt: skip


def _from_webui(data: Mapping[str, Any]) -> About:
    """A1111's card of a LoRA or an embedding."""
    text, weight = data.get("activation text"), data.get("preferred weight")
    strength = float(weight) if isinstance(weight, int | float) and 0 < weight <= 10 else None
    return About(
        description=_plain(data.get("notes") or data.get("description")),
        base_model=_plain(data.get("sd version")),
        trigger_words=_words(text.split(",") if isinstance(text, str) else None), strength=strength,
    )  # fmt: skip


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _plain(value: object) -> str:
    """Text without the marks of HTML, bounded."""
    if not isinstance(value, str) or not value:
        return ""
    text = html.unescape(_TAGS.sub(" ", value[: 4 * MAX_TEXT]))
    return _SPACES.sub(" ", text).strip()[:MAX_TEXT]


def _words(value: object) -> tuple[str, ...]:
    """Short texts of a list, each once, bounded."""
    texts = [_plain(item)[:200] for item in value[: 4 * MAX_WORDS]] if isinstance(value, list) else []
    return tuple(dict.fromkeys(filter(None, texts)))[:MAX_WORDS]


def stated_sha256(notes: tuple[str, ...]) -> str:
    """The sha256 that a model's page states of its file, in small letters; empty if there is none."""
    for path in notes:
        data = _note(Path(path))
        files = data.get("files") if isinstance(data, dict) else None
        stated = data.get("sha256") if isinstance(data, dict) else None
        hashes = (
            files[0].get("hashes")
            if isinstance(files, list) and files and isinstance(files[0], dict)
            else None
        )
        if isinstance(hashes, dict) and len(files or ()) == 1:
            stated = hashes.get("SHA256")
        if isinstance(stated, str) and re.fullmatch(r"[0-9a-fA-F]{64}", stated):
            return stated.lower()
    return ""
