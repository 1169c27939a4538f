"""What models of each family can take and do: one table for forms, errors and the command line. No torch.

What depends on one file or on what else there is (a text encoder of another kind, no control model found) is
added by :mod:`pipelines.models.probing.limits` and :mod:`.controls`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal, get_args

from pipelines.models.families.controls import (
    ADAPTED,
    CONTROLLED,
    UNCONTROLLED,
    follows_controls,
    reads_references,
)

Ability = Literal[
    "text_to_image", "image_to_image", "inpaint", "references", "control", "regions", "loras", "embeddings",
    "negative", "clip_skip", "refiner", "cache", "channels_last",
]  # fmt: skip
ABILITIES: Final[tuple[Ability, ...]] = get_args(Ability)
TITLES: Final[Mapping[Ability, str]] = {
    "text_to_image": "Text to image", "image_to_image": "Image to image", "inpaint": "Inpaint",
    "references": "References", "control": "Control pictures", "regions": "Regions", "loras": "LoRAs",
    "embeddings": "Embeddings", "negative": "Negative prompt", "clip_skip": "CLIP skip", "refiner": "Refiner",
    "cache": "Step cache", "channels_last": "Channels last",
}  # fmt: skip
KEYS: Final[Mapping[Ability, str]] = {
    **{name: name for name in ABILITIES},
    "text_to_image": "task:text_to_image", "image_to_image": "task:image_to_image", "inpaint": "task:inpaint",
    "references": "layer:reference", "control": "layer:control", "regions": "layer:region",
    "cache": "speed:cache", "channels_last": "speed:channels_last",
}  # fmt: skip
"""What each is called in ``ModelInfo.unavailable``."""

_TUNED: Final = ("-inpaint", "-fill", "-edit", "-kontext", "-control", "-depth", "-refiner")
"""What families of models are called that were trained further for one task."""
U_NETS: Final = frozenset({"sd", "sd1", "sd2", "sdxl"})
"""Families whose denoiser is a U-Net that looks at a CLIP text encoder's words."""
_REGIONAL: Final = frozenset(
    {
        "sd3", "flux", "flux2", "chroma", "pixart", "sana", "auraflow", "lumina2", "qwen-image", "krea2",
        "z-image", "hidream", "kandinsky5",
    }
)  # fmt: skip
"""Families of transformers that take prompts for regions, each of which is one more pass in every step; see
:mod:`pipelines.diffusion.prompts.regions`."""
_CLIP_SKIP: Final = frozenset({"sd3"})
"""Families of transformers whose CLIP text encoders may be read at an earlier layer."""
IMAGE_GUIDED: Final = frozenset({"sd1-edit", "sdxl-edit"})
"""Families that can be told how closely to keep to the picture they change."""
_GUIDED: Final = frozenset({"flux"})
"""Families that were distilled to be guided without a negative prompt."""
_GUIDED_VARIANTS: Final = frozenset({("flux2", "dev"), ("sana", "sprint")})

_REFINES: Final = "It refines pictures that another model has begun, and can't draw one from a prompt alone."
_REPAINTS: Final = "It was made for repainting a part of a picture; use it on the canvas."
_NO_CLIP: Final = "This model has no CLIP text encoder."
NO_WORDS: Final = "Embeddings are words for CLIP text encoders; this model reads its prompt with another."
_REGIONS: Final = "It reads its prompt in a way that allows only one for the whole picture."
_ONE_PROMPT: Final = "It follows one instruction for the whole picture."
_UNGUIDED: Final = "It was distilled to follow the prompt alone, and takes no negative prompt."
_REFINER: Final = "A refiner goes on with pictures of Stable Diffusion XL only."
_NO_CACHE: Final = "Step caches are made for transformers; this model is a U-Net."
_NO_LAYOUT: Final = "It is another layout for U-Nets; this model is a transformer."
_CONTROL: Final = "Control models can't steer models of its family."
_REFERENCES: Final = "Models of its family can't follow references."

_LATENTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("sd", "sd1", "sd2", "sdxl", "pixart", "auraflow"), "sd"),
    **dict.fromkeys(("sd3", "flux", "chroma", "lumina2", "z-image", "hidream", "kandinsky5"), "flux"),
    **dict.fromkeys(("qwen-image", "qwen-image-2.1", "krea2"), "qwen-image"),
}
"""Whose VAE has the shape of a family's: VAEs are named after one family of those that share it."""


def vae_fits(base: str, family: str) -> bool:
    """Whether a VAE for the families ``base`` (a list with commas) has the shape of a family's own."""
    name = base_family(family)
    return not base or not name or _LATENTS.get(name, name) in base.split(", ")


def base_family(family: str) -> str:
    """The family that a model tuned for one task was made from: what fits that one fits it."""
    for ending in _TUNED:
        family = family.removesuffix(ending)
    return family


@lru_cache(maxsize=256)
def lacking(family: str, variant: str = "") -> Mapping[Ability, str]:
    """What models of a family can't take or do, each with the reason; an unknown family lacks nothing."""
    base = base_family(family)
    known: dict[Ability, str] = {}
    if family.endswith(("-inpaint", "-fill")):
        known["text_to_image"] = _REPAINTS
    if family == "sdxl-refiner":
        known["text_to_image"] = _REFINES
    if not base:
        return MappingProxyType(known)
    if base not in U_NETS:
        known["embeddings"] = NO_WORDS
        if base not in _CLIP_SKIP:
            known["clip_skip"] = _NO_CLIP
    if reads_references(family, variant) and base != "flux2":
        known["regions"] = _ONE_PROMPT
    elif base not in U_NETS | _REGIONAL:
        known["regions"] = _REGIONS
    known |= {"cache": _NO_CACHE} if base in U_NETS else {"channels_last": _NO_LAYOUT}
    if (base not in CONTROLLED and base != "sd") or (base, variant) in UNCONTROLLED:
        known["control"] = _CONTROL
    if base not in ADAPTED and not reads_references(family, variant):
        known["references"] = _REFERENCES
    if base in _GUIDED or (base, variant) in _GUIDED_VARIANTS:
        known["negative"] = _UNGUIDED
    if base != "sdxl" or family == "sdxl-refiner":
        known["refiner"] = _REFINER
    return MappingProxyType(known)


def why_not(ability: Ability, family: str, variant: str = "") -> str:
    """Why a model of a family can't take or do something; empty if it can."""
    return lacking(family, variant).get(ability, "")


def limits_of(family: str, variant: str = "") -> dict[str, str]:
    """The same as ``ModelInfo.unavailable`` names it."""
    return {KEYS[ability]: reason for ability, reason in lacking(family, variant).items()}


def needs_reference(family: str, variant: str = "") -> bool:
    """Whether a model changes a picture that it must be given: it draws none from a prompt alone."""
    return reads_references(family, variant) and base_family(family) != "flux2"


def needs_control(family: str, from_picture: bool) -> bool:
    """Whether a model draws along a control picture that it must be given; one that follows depth finds by
    itself that of a picture it starts from.
    """
    return follows_controls(family) and not (from_picture and family == "sd2-depth")
