"""Names of saved pictures, made from a pattern with tokens such as ``{date}-{seed}``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from pipelines.errors import InvalidParameter, PathNotAllowed
from pipelines.files import safe_join, sanitise_name
from pipelines.graph.values import Image

TOKENS: Final[Mapping[str, str]] = {
    "date": "2026-01-31",
    "time": "14-05-09",
    "seed": "the seed",
    "prompt": "the beginning of the prompt",
    "model": "the model's name",
    "sampler": "the sampler's name",
    "steps": "the number of steps",
    "width": "in pixels",
    "height": "in pixels",
    "n": "0001, 0002… the first that is free",
}
"""What may stand in braces, and what it becomes."""

_TOKEN: Final = re.compile(r"\{([^{}]*)\}")
_STEM_BYTES: Final = 200
_VALUE_BYTES: Final = 80


def picture_path(folder: Path, pattern: str, suffix: str, image: Image, now: datetime) -> Path:
    """Where to save ``image``: ``pattern`` filled in, below ``folder``.

    ``/`` in the pattern makes folders; a token's value never does. What a token has no value for is left
    out, with the separators around it. The name may be taken: who writes the file picks another one then.

    Raises:
        InvalidParameter: the pattern has a token that doesn't exist.
        PathNotAllowed: it would leave ``folder``.
    """
    if pattern.startswith(("/", "\\")):
        raise PathNotAllowed(path=pattern)
    values = _values(image, now)
    pieces = [piece for piece in pattern.replace("\\", "/").split("/") if piece.strip()] or ["image"]
    if pieces[-1].lower().endswith(suffix):
        pieces[-1] = pieces[-1][: -len(suffix)]
    names = [piece if piece == ".." else _filled(piece, values) for piece in pieces]
    if "{n}" in pieces[-1]:
        return _first_free(
            lambda number: safe_join(folder, *names[:-1], names[-1].replace("{n}", number) + suffix)
        )
    names = [name.replace("{n}", "") for name in names]
    return safe_join(folder, *names[:-1], names[-1] + suffix)


def _values(image: Image, now: datetime) -> dict[str, str]:
    info = image.info
    values = {
        "date": now.strftime("%Y-%m-%d"),
        "time": now.strftime("%H-%M-%S"),
        "width": str(image.width),
        "height": str(image.height),
        "n": "{n}",
    }
    for name in ("seed", "prompt", "model", "sampler", "steps"):
        text = str(info.get(name, ""))
        short = " ".join(text.split()) if name != "model" else Path(text).stem or text
        values[name] = sanitise_name(short, _VALUE_BYTES, fallback="").replace("{", "(").replace("}", ")")
    return values


def _filled(piece: str, values: Mapping[str, str]) -> str:
    """One name of the path with its tokens filled in (``{n}`` stays)."""

    def replacement(match: re.Match[str]) -> str:
        if match[1] not in values:
            known = ", ".join(f"{{{name}}}" for name in TOKENS)
            raise InvalidParameter(
                title="Name", value=piece, reason=f"{match[0]} is none of {known}.", port="name"
            )
        return values[match[1]]

    text = _TOKEN.sub(replacement, piece)
    text = re.sub(r"([-_ ])[-_ ]*\1", r"\1", text).strip("-_ ")
    return sanitise_name(text, _STEM_BYTES, fallback="image")


def _first_free(path_of: Callable[[str], Path]) -> Path:
    number = 1
    while (path := path_of(f"{number:04}")).exists():
        number += 1
    return path
