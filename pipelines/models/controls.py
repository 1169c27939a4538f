"""Which control model (ControlNet) a folder holds, and which models that draw one can steer.

From a folder's own settings; single files are named by :mod:`.signatures.controls`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from pipelines.models.signatures.controls import WIDTHS

CLASS: Final = "ControlNetModel"
"""The one class of diffusers that a folder may name."""


def control_folder(config: Mapping[str, Any], has_weights: bool) -> tuple[str, dict[str, Any], str]:
    """Family, facts, and why it can't be used, of a folder with this ``config.json``."""
    name = config.get("_class_name")
    if name != CLASS:
        return "", {}, f"It is a {name}, which this version of Diptych has no use for."
    if not has_weights:
        return "", {}, "It has no safetensors weights."
    if "quantization_config" in config:
        return "", {}, "Its weights are already quantized; use the version that isn't."
    width = config.get("cross_attention_dim")
    facts = {"cross_attention_dim": width, "block_out_channels": config.get("block_out_channels")}
    return WIDTHS.get(width, "sd") if isinstance(width, int) else "sd", facts, ""


Family = tuple[str, Mapping[str, Any]]
"""A model's family and its facts."""


def fits(control: Family, model: Family) -> bool:
    """Whether a control model can steer a model that draws, as far as can be told without loading either."""
    (family, own), (base, theirs) = control, model
    if family != base.removesuffix("-inpaint"):
        return False
    same = ("cross_attention_dim", "block_out_channels")
    return family in WIDTHS.values() or all(own.get(name) == theirs.get(name) for name in same)


def layer_limits(model: Family, controls: Collection[Family]) -> dict[str, str]:
    """``layer:control`` and ``layer:region`` -> why layers of that kind can't be used with a model."""
    if not model[0].startswith("sd") or model[0] == "sd3":
        return {"layer:control": "Control models steer models with a U-Net; this one is a transformer."}
    if any(fits(control, model) for control in controls):
        return {}
    return {"layer:control": "No control model of its family was found; add a ControlNet made for it."}
