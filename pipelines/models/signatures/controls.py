"""ControlNets: which family each steers, by the names and widths of its copy of the denoiser."""

from __future__ import annotations

import re
from typing import Any, Final

from pipelines.models.signatures.base import ANY, Describe, Found, Key, Signature, View, keys

WIDTHS: Final = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
"""Width of the cross-attention -> the family whose U-Net it is a copy of."""

_ATTENTION: Final = re.compile(r"\n((?:down_blocks|input_blocks)\.[^\n]*\.attn2\.to_k\.weight)(?=\n)")
_XL_DEEPEST: Final = re.compile(
    r"\n(?:down_blocks\.2\.attentions\.1|input_blocks\.8\.1)\.transformer_blocks\.9\."
)
_UNIONS: Final = ("\ntask_embedding", "\ncontrol_add_embedding.", "\ncontrol_type_proj.")
_PREFIXES: Final = ("", "control_model.")
_SIZES: Final = "It is of no known size: Stable Diffusion 1.x, 2.x and XL were tried."
_LATER: Final = "It is a control model for {family}, which can't be used yet."


def _u_net(hint: str, layout: str) -> Describe:
    """A copy of Stable Diffusion's U-Net (Zhang et al. 2023); ``hint`` is the layer that sees the picture."""

    def describe(view: View) -> Found:
        width = _width(view)
        family = WIDTHS.get(width, "")
        union = family == "sdxl" and layout == "diffusers" and view.has("task_embedding")
        reason = _why_not(view, hint, union=union)
        if not reason and not family:
            reason = f"{_SIZES} Use its diffusers folder."
        if not reason and family == "sdxl" and not _XL_DEEPEST.search(view.text):
            reason = "It is a reduced ControlNet; only the diffusers folder of it says how."
        if reason:
            return Found("control", base=family, layout=layout, reason=reason)
        variant = "union" if union else ""
        return Found("control", family, variant, family, layout, {"cross_attention_dim": width})

    return describe


def _width(view: View) -> int:
    widths = {view.side(name, -1) for name in _ATTENTION.findall(view.text)}
    return widths.pop() if len(widths) == 1 else 0


def _why_not(view: View, hint: str, *, union: bool) -> str:
    if any(map(view.holds, _UNIONS)) and not union:
        return "It is a ControlNet for several kinds of pictures at once; only those for SDXL can be used."
    channels = view.side(hint, 1)
    return "" if channels == 3 else f"It is shown {channels} channels; a picture has 3."


def _control_lora(view: View) -> Found:
    problem = "It is a Control-LoRA, which this version of Diptych can't open."
    return Found("control", "control-lora", "control-lora", "sdxl", "original", problem=problem)


def _later(base: str, layout: str = "diffusers") -> Describe:
    """A control model for a family, or in a layout, that can't be used yet."""

    def describe(view: View) -> Found:
        variant = "union" if view.holds("\ncontrolnet_mode_embedder") else ""
        facts: dict[str, Any] = {"blocks": view.count("controlnet_blocks.")}
        return Found("control", base, variant, base, layout, facts, _LATER.format(family=base))

    return describe


def _part(view: View) -> Found:
    reason = "It is a part of a ControlNet, or one that is made differently."
    return Found("control", layout="original", reason=reason)


def _transformer(base: str) -> Describe:
    """A control model for a transformer, under diffusers' names."""

    def describe(view: View) -> Found:
        variant = "union" if view.holds("\ncontrolnet_mode_embedder") else ""
        facts: dict[str, Any] = {"blocks": view.count("controlnet_blocks.")}
        shown, drawn = view.side("pos_embed_input.proj.weight", 1), view.side("pos_embed.proj.weight", 1)
        problem = "It was made for inpainting; use an inpaint model." if shown > max(drawn, 16) else ""
        return Found("control", base, variant, base, "diffusers", facts, problem)

    return describe


_ADAPTED: Final = "controlnet_x_embedder.weight"

SIGNATURES: Final = (
    Signature("a Control-LoRA", keys("lora_controlnet"), _control_lora),
    Signature(
        "a FLUX.1 ControlNet by XLabs",
        (
            Key("input_hint_block.0.weight"),
            Key("controlnet_blocks.0.weight"),
            Key("double_blocks.0.img_attn.qkv.weight"),
        ),
        _later("flux", "xlabs"),
        prefixes=_PREFIXES,
    ),
    Signature(
        "a Qwen-Image ControlNet",
        (Key(_ADAPTED), Key("txt_norm.weight"), Key("controlnet_blocks.0.weight")),
        _later("qwen-image"),
        prefixes=_PREFIXES,
    ),
    Signature(
        "a FLUX.1 ControlNet",
        (Key(_ADAPTED), Key("context_embedder.weight", (ANY, 4096)), Key("controlnet_blocks.0.weight")),
        _transformer("flux"),
        prefixes=_PREFIXES,
    ),
    Signature(
        "a Stable Diffusion 3 ControlNet",
        keys("pos_embed_input.proj.weight", "controlnet_blocks.0.weight"),
        _transformer("sd3"),
        prefixes=_PREFIXES,
    ),
    Signature(
        "a Sana ControlNet",
        keys("input_block.weight", "controlnet_blocks.0.weight"),
        _later("sana"),
        prefixes=_PREFIXES,
    ),
    Signature(
        "a Z-Image ControlNet",
        keys("control_all_x_embedder.2-1.weight"),
        _later("z-image"),
        prefixes=_PREFIXES,
    ),
    Signature(
        "a ControlNet in diffusers' layout",
        keys("controlnet_cond_embedding.conv_in.weight"),
        _u_net("controlnet_cond_embedding.conv_in.weight", "diffusers"),
        prefixes=_PREFIXES,
    ),
    Signature(
        "a ControlNet",
        keys("input_hint_block.0.weight"),
        _u_net("input_hint_block.0.weight", "original"),
        prefixes=_PREFIXES,
    ),
    Signature("a part of a ControlNet", keys("input_blocks.0.0.weight"), _part, prefixes=("control_model.",)),
)
