"""Model cards: what a model's maker wants said of it, and the values that suit it.

A card is a JSON file: ``diptych.json`` in a model's folder, or ``NAME.diptych.json`` beside the folder or
file. It only describes; nothing in it can make a library do anything. Its ``weights`` names the one file of
a folder that has no index of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.files import open_file

MAX_CARD: Final = 64 * 1024
"""Bytes of a card that are read at most."""

_Line = Annotated[str, Field(max_length=400)]
_Value = bool | int | float | Annotated[str, Field(max_length=200)]


class Card(BaseModel):
    """The content of a card; everything is optional, and what isn't known is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    title: Annotated[str, Field(max_length=120)] = ""
    text: Annotated[str, Field(max_length=4_000)] = ""
    """A few plain sentences."""
    examples: tuple[_Line, ...] = Field(default=(), max_length=32)
    defaults: dict[str, _Value] = Field(default_factory=dict, max_length=32)
    """Param name -> value: steps, guidance_scale, width… and ``upscale``, the id of an upscaler that fits."""
    native_size: (
        tuple[Annotated[int, Field(ge=8, le=16_384)], Annotated[int, Field(ge=8, le=16_384)]] | None
    ) = None
    weights: _Line = ""
    variant: Annotated[str, Field(max_length=40)] = ""
    """Which of those with the same shapes: ``kontext`` of FLUX.1, ``edit`` or ``plus`` of Qwen-Image."""


def card_path(model: Path) -> Path | None:
    """The card of a model's folder or file, if it has one."""
    stem = model.name if model.is_dir() else model.stem
    for candidate in (model / "diptych.json", model.with_name(f"{stem}.diptych.json")):
        if candidate.is_file():
            return candidate
    return None


def read_card(model: Path) -> Card:
    """The card of a model; an empty one if there is none, or if it can't be read (it is no reason to
    refuse).
    """
    path = card_path(model)
    if path is None:
        return Card()
    try:
        with open_file(path) as file:
            data: Any = json.loads(file.read(MAX_CARD))
        return Card.model_validate(data)
    except (OSError, ValueError, RecursionError, ValidationError):
        return Card()
