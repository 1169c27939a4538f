"""Which models that read pictures go with a model that draws, and how a picture is made ready for one. Plain
functions of what the catalogue tells."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from pipelines.engine.protocol import ModelInfo
from pipelines.models.families.abilities import base_family, vae_fits

if TYPE_CHECKING:
    from pipelines.models.parts.needed import Need

_NAMED: Final = (
    ("canny", "edges", "canny"), ("scribble", "scribble", "scribble"), ("sketch", "scribble", "scribble"),
    ("lineart", "line art", "lineart"), ("line_art", "line art", "lineart"), ("depth", "depth", "depth"),
    ("normal", "normals", "normal"), ("pose", "pose", "pose"), ("tile", "", "tile"),
)  # fmt: skip
"""Words in the names of control models, the method that makes what they read, and what that shows. Without a
method, such pictures are drawn or made elsewhere."""


def fits(info: ModelInfo, model: ModelInfo) -> bool:
    """Whether ``info`` (a control model, an adapter, an embedding, a VAE, a text encoder) was made for models
    like ``model``."""
    if info.kind == "text_encoder":
        return encoder_place(info, model) is not None
    base = info.base or info.family
    return vae_fits(info.base, model.family) if info.kind == "vae" else base == base_family(model.family)


def encoders_for(model: ModelInfo) -> tuple[Need, ...]:
    """The text encoders that models like ``model`` are given in files of their own."""
    from pipelines.models.parts.encoders import encoders_of

    return encoders_of(model.family, model.variant)


def encoder_place(info: ModelInfo, model: ModelInfo) -> Need | None:
    """Which of the text encoders of ``model`` a file is; None if it is none of them."""
    from pipelines.models.parts.encoders import place_of

    return place_of(encoders_for(model), info.family, info.variant)


def ready_for(info: ModelInfo | None, methods: Collection[str]) -> tuple[str, str]:
    """How a picture is made ready for a model that reads it, and what it shows then, as the model's name
    suggests; the first method there is if it doesn't. An empty method leaves the picture as it is.
    """
    name = f"{info.id} {info.title} {info.family}".casefold() if info is not None else ""
    for word, method, kind in _NAMED:
        if word in name:
            return (method if method in methods else ""), kind
    first = next(iter(methods), "")
    return first, shown_by(first)


def shown_by(method: str) -> str:
    """What a picture made by a method shows, as a control layer's param ``control`` calls it."""
    return next((kind for _, known, kind in _NAMED if known == method and method), "other")
