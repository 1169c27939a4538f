"""Which control model (ControlNet) a file or folder holds, and which models that draw it can steer.

From tensor names and shapes, or a folder's own settings; never from a file's name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from pipelines.models.header import Header

CLASS: Final = "ControlNetModel"
"""The one class of diffusers that a folder may name."""

FAMILIES: Final = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
"""Width of the cross-attention -> the family whose U-Net it is a copy of."""

_HINTS: Final = ("controlnet_cond_embedding.conv_in.weight", "input_hint_block.0.weight")
"""The first layer that sees the control picture, in diffusers' layout and in the original one."""
_ATTENTION: Final = re.compile(r"(down_blocks|input_blocks)\..*\.attn2\.to_k\.weight")
_XL_DEEPEST: Final = re.compile(
    r"(down_blocks\.2\.attentions\.1|input_blocks\.8\.1)\.transformer_blocks\.9\."
)
_UNIONS: Final = ("task_embedding", "control_add_embedding.", "control_type_proj.")
_PREFIX: Final = "control_model."


def control_file(header: Header) -> tuple[str, dict[str, Any], str] | None:
    """Family, facts, and why it can't be used, of a control model in one file; None if it is none."""
    names = {name.removeprefix(_PREFIX): name for name in header.tensors}
    hint = next((names[name] for name in _HINTS if name in names), None)
    if hint is None:
        return None
    if any(name.startswith(_UNIONS) for name in names):
        return "", {}, "It is a ControlNet for several kinds of pictures at once, which can't be used yet."
    channels = (header.shape(hint) or (0, 0))[1]
    if channels != 3:
        return "", {}, f"It is shown {channels} channels; a picture has 3."
    widths = {(header.shape(name) or (0,))[-1] for bare, name in names.items() if _ATTENTION.match(bare)}
    width = widths.pop() if len(widths) == 1 else 0
    family = FAMILIES.get(width, "")
    if not family:
        tried = (
            "It is of no known size: Stable Diffusion 1.x, 2.x and XL were tried. Use its diffusers folder."
        )
        return "", {}, tried
    if family == "sdxl" and not any(map(_XL_DEEPEST.match, names)):
        return "", {}, "It is a reduced ControlNet; only the diffusers folder of it says how."
    return family, {"cross_attention_dim": width}, ""


def control_folder(config: Mapping[str, Any], has_weights: bool) -> tuple[str, dict[str, Any], str]:
    """The same for a folder, from its ``config.json``."""
    name = config.get("_class_name")
    if name != CLASS:
        return "", {}, f"It is a {name}, which this version of Diptych has no use for."
    if not has_weights:
        return "", {}, "It has no safetensors weights."
    if "quantization_config" in config:
        return "", {}, "Its weights are already quantized; use the version that isn't."
    width = config.get("cross_attention_dim")
    facts = {"cross_attention_dim": width, "block_out_channels": config.get("block_out_channels")}
    return FAMILIES.get(width, "sd") if isinstance(width, int) else "sd", facts, ""


Family = tuple[str, Mapping[str, Any]]
"""A model's family and its facts."""


def fits(control: Family, model: Family) -> bool:
    """Whether a control model can steer a model that draws, as far as can be told without loading either."""
    (family, own), (base, theirs) = control, model
    if family != base.removesuffix("-inpaint"):
        return False
    same = ("cross_attention_dim", "block_out_channels")
    return family in FAMILIES.values() or all(own.get(name) == theirs.get(name) for name in same)


def layer_limits(model: Family, controls: Collection[Family]) -> dict[str, str]:
    """``layer:control`` and ``layer:region`` -> why layers of that kind can't be used with a model."""
    if not model[0].startswith("sd"):
        return {"layer:control": "Control models steer models with a U-Net; this one is a transformer."}
    if any(fits(control, model) for control in controls):
        return {}
    return {"layer:control": "No control model of its family was found; add a ControlNet made for it."}
