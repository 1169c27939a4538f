"""Which encoder of pictures an adapter looks through: a CLIP, or a SigLIP (Zhai et al. 2023). No torch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

Sees = Literal["embedding", "hidden", "pooled", "patches"]
"""What an adapter takes of an encoder: CLIP's ``embedding`` of a picture or its ``hidden`` states but one
layer; what SigLIP ``pooled``, or what it says of each of the picture's ``patches``."""

SIGLIP: Final = "siglip"
"""The fact of a SigLIP's tensors that says how wide it is."""
_NAMES: Final = MappingProxyType(
    {
        ("hidden", 1280): "CLIP ViT-H/14", ("embedding", 1024): "CLIP ViT-H/14",
        ("hidden", 1664): "CLIP ViT-bigG/14", ("embedding", 1280): "CLIP ViT-bigG/14",
        ("hidden", 1024): "CLIP ViT-L/14", ("embedding", 768): "CLIP ViT-L/14",
        ("pooled", 1152): "SigLIP So400m/14", ("patches", 1152): "SigLIP So400m/14",
    }
)  # fmt: skip


def facts_wanted(sees: str, width: int) -> Mapping[str, object]:
    """What the tensors of such an encoder say, as :mod:`pipelines.models.signatures.text_encoders` tells it.

    Args:
        sees: one of :data:`Sees`.
        width: how many numbers wide it is.
    """
    names = {"embedding": "projection", "hidden": "width"}
    return {names.get(sees, SIGLIP): width}


def encoder_text(sees: str, width: int) -> str:
    """What it is called, for the user."""
    name = _NAMES.get((sees, width), "an encoder of pictures")
    if sees in ("pooled", "patches"):
        return f"{name} ({width} wide)"
    return f"{name} with its projection ({width} {'wide' if sees == 'hidden' else 'numbers a picture'})"
