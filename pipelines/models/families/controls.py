"""Which control model a folder holds, and which layers a model that draws can use with what is there.

From a folder's own settings; single files are named by :mod:`pipelines.models.signatures.controls`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipelines.models.signatures.controls import MORE_CHANNELS, WIDTHS

CLASSES: Final = frozenset(
    {
        "ControlNetModel", "ControlNetUnionModel", "T2IAdapter", "SD3ControlNetModel", "FluxControlNetModel",
        "QwenImageControlNetModel", "SanaControlNetModel", "ZImageControlNetModel",
    }
)  # fmt: skip
"""The classes of diffusers that a folder may name."""
CONTROLLED: Final = frozenset({*WIDTHS.values(), "sd3", "flux", "qwen-image", "sana", "z-image"})
"""Families that control models can steer."""
UNCONTROLLED: Final = frozenset({("sana", "sprint")})
"""Variants of those that they can't: distilled to other steps than control models were trained on."""


@dataclass(frozen=True, slots=True)
class ControlFolder:
    """What a folder's settings say; ``reason``: why it can't be used."""

    family: str = ""
    variant: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


def control_folder(config: Mapping[str, Any], has_weights: bool) -> ControlFolder:
    """What a folder with this ``config.json`` holds."""
    name = config.get("_class_name")
    if name not in CLASSES:
        return ControlFolder(reason=f"It is a {name}, which this version of Diptych has no use for.")
    if not has_weights:
        return ControlFolder(reason="It has no safetensors weights.")
    if "quantization_config" in config:
        return ControlFolder(reason="Its weights are already quantized; use the version that isn't.")
    match name:
        case "T2IAdapter":
            large = config.get("adapter_type") == "full_adapter_xl"
            variant = "t2i-light" if config.get("adapter_type") == "light_adapter" else "t2i"
            return ControlFolder("sdxl" if large else "sd1", variant)
        case "SD3ControlNetModel":
            return _shown("sd3", config.get("extra_conditioning_channels"), 1)
        case "QwenImageControlNetModel":
            return _shown("qwen-image", config.get("extra_condition_channels"), 4)
        case "SanaControlNetModel":
            return ControlFolder("sana")
        case "ZImageControlNetModel":
            return ControlFolder("z-image", "union")
        case "FluxControlNetModel":
            return ControlFolder("flux", "" if config.get("num_mode") is None else "union")
    width = config.get("cross_attention_dim")
    facts = {"cross_attention_dim": width, "block_out_channels": config.get("block_out_channels")}
    family = WIDTHS.get(width, "sd") if isinstance(width, int) else "sd"
    return ControlFolder(family, "union" if name == "ControlNetUnionModel" else "", facts)


def _shown(family: str, channels: Any, mask: int) -> ControlFolder:
    """A network that may be shown a mask beside its picture, which then takes so many channels."""
    if not channels:
        return ControlFolder(family)
    reason = "" if channels == mask else MORE_CHANNELS.format(count=channels)
    return ControlFolder(family, "inpaint", reason=reason)


Family = tuple[str, Mapping[str, Any]]
"""A model's family and its facts."""


READERS: Final = frozenset(
    {"sd1-edit", "sdxl-edit", "qwen-image-edit", "flux2", "flux-kontext", "kandinsky5-edit"}
)
"""Families that look at references themselves; what they do with them is in
:mod:`pipelines.diffusion.families.looking`."""
ADAPTED: Final = frozenset({"sd1", "sdxl", "flux"})
"""Families that adapters let follow references."""
FOLLOWERS: Final = frozenset({"flux-control", "sd2-depth"})
"""Families that see a control picture themselves; see :mod:`pipelines.diffusion.families.following`."""
_MADE_OF: Final = {"flux-fill": "flux", "flux-control": "flux", "sd2-depth": "sd2"}


def drawn_family(family: str) -> str:
    """The family whose control models and adapters a model takes: one made for inpainting or along a control
    picture takes those of the model it was made of.
    """
    return _MADE_OF.get(family, family.removesuffix("-inpaint"))


def reads_references(family: str, variant: str = "") -> bool:
    """Whether a model looks at references itself, and needs no adapter."""
    return family in READERS or variant in ("edit", "kontext")


def follows_controls(family: str) -> bool:
    """Whether a model sees a control picture itself, and needs no control model for it."""
    return family in FOLLOWERS


def fits(control: Family, model: Family) -> bool:
    """Whether a control model can steer a model that draws, as far as can be told without loading either."""
    (family, own), (base, theirs) = control, model
    if own.get("reads") == "references" or family != drawn_family(base):
        return False
    same = ("cross_attention_dim", "block_out_channels")
    return family not in ("", "sd") or all(own.get(name) == theirs.get(name) for name in same)


def layer_limits(model: Family, controls: Collection[Family], variant: str = "") -> dict[str, str]:
    """``layer:control`` and ``layer:reference`` -> why layers of that kind can't be used with a model.

    Args:
        controls: the control models there are, and the adapters (with the fact ``reads``).
        variant: which of its family the model is.
    """
    limits = {}
    family = drawn_family(model[0])
    steered = (family in CONTROLLED or family == "sd") and (family, variant) not in UNCONTROLLED
    there = steered and any(fits(control, model) for control in controls)
    if not follows_controls(model[0]) and not there:
        if steered:
            limits["layer:control"] = (
                "No control model of its family was found; add a ControlNet made for it."
            )
        else:
            limits["layer:control"] = "Control models can't steer models of its family."
    if reads_references(model[0], variant):
        return limits
    if family not in ADAPTED:
        limits["layer:reference"] = "Models of its family can't follow references."
    elif not any(own.get("reads") == "references" and base == family for base, own in controls):
        limits["layer:reference"] = "No adapter for its family was found; add an IP-Adapter made for it."
    return limits
