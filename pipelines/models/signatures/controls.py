"""ControlNets: which family each steers, by the names and widths of its copy of the denoiser."""

from __future__ import annotations

import re
from typing import Any, Final

from pipelines.models.signatures.base import ANY, Describe, Found, Key, Signature, View, keys

WIDTHS: Final = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
"""Width of the cross-attention -> the family whose U-Net it is a copy of."""

_ATTENTION: Final = re.compile(r"\n((?:down_blocks|input_blocks)\.[^\n]*\.attn2\.to_k\.weight)(?=\n)")
_LOW_RANK: Final = re.compile(r"\n(input_blocks\.[^\n]*\.attn2\.to_k\.(?:down|weight))(?=\n)")
CONTROL_LORA: Final = "control-lora"
LITE: Final = "lllite"
_LITE: Final = "lllite_unet_middle_block_1_transformer_blocks_9_attn1_to_q.down.0.weight"
_LITES: Final = re.compile(r"lllite_unet_\w+_transformer_blocks_\d+_attn[12]_to_[qkv]")
_XL_DEEPEST: Final = re.compile(
    r"\n(?:down_blocks\.2\.attentions\.1|input_blocks\.8\.1)\.transformer_blocks\.9\."
)
_UNIONS: Final = ("\ntask_embedding", "\ncontrol_add_embedding.", "\ncontrol_type_proj.")
_PREFIXES: Final = ("", "control_model.")
_SIZES: Final = "It is of no known size: Stable Diffusion 1.x, 2.x and XL were tried."
_ADAPTED: Final = "controlnet_x_embedder.weight"
_SEEN: Final = {
    "sd3": ("pos_embed_input.proj.weight", "pos_embed.proj.weight", 16, 1),
    "qwen-image": (_ADAPTED, "img_in.weight", 64, 4), "flux": (_ADAPTED, "x_embedder.weight", 64, 0),
}  # fmt: skip
"""The layers that see a control picture, and latents; channels of latents, and of a mask that can be shown
beside them."""
MORE_CHANNELS: Final = "It is shown {count} channels beside the picture, which can't be given to it."


def _u_net(hint: str, layout: str) -> Describe:
    """A copy of Stable Diffusion's U-Net (Zhang et al. 2023); ``hint`` is the layer that sees the picture."""

    def describe(view: View) -> Found:
        width = _width(view)
        family = WIDTHS.get(width, "")
        union = bool(family) and layout == "diffusers" and view.has("task_embedding")
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
        return "It is a ControlNet for several kinds of pictures at once, made in a way that isn't known."
    channels = view.side(hint, 1)
    return "" if channels == 3 else f"It is shown {channels} channels; a picture has 3."


def _control_lora(view: View) -> Found:
    """By the width of the words it was trained with; it is made of the U-Net it steers, and fits those of its
    shape."""
    widths = {view.side(name, -1) for name in _LOW_RANK.findall(view.text)}
    family = WIDTHS.get(widths.pop(), "") if len(widths) == 1 else ""
    if not family:
        return Found("control", CONTROL_LORA, CONTROL_LORA, "sdxl", "original", problem=_SIZES)
    return Found("control", family, CONTROL_LORA, family, "original")


def _lite(view: View) -> Found:
    owners = {name.partition(".")[0] for name in view.header.tensors}
    strange = next((owner for owner in sorted(owners) if not _LITES.fullmatch(owner)), "")
    problem = f"It changes more than attentions ({strange}), which can't be done here." if strange else ""
    return Found("control", "sdxl", LITE, "sdxl", "kohya", {"networks": len(owners)}, problem)


def _xlabs(view: View) -> Found:
    facts: dict[str, Any] = {"blocks": view.count("controlnet_blocks.")}
    return Found("control", "flux", "", "flux", "xlabs", facts)


def _z_image(view: View) -> Found:
    channels = view.side("control_all_x_embedder.2-1.weight", 1) // 4
    return Found("control", "z-image", "union", "z-image", "diffusers", {"channels": channels})


def _blockwise(view: View) -> Found:
    problem = "It reads what each block of the model answers, which can't be done here."
    return Found("control", "qwen-image", "blockwise", "qwen-image", "diffsynth", problem=problem)


def _part(view: View) -> Found:
    reason = "It is a part of a ControlNet, or one that is made differently."
    return Found("control", layout="original", reason=reason)


def _transformer(base: str) -> Describe:
    """A control model for a transformer, under diffusers' names."""

    def describe(view: View) -> Found:
        variant = "union" if view.holds("\ncontrolnet_mode_embedder") else ""
        facts: dict[str, Any] = {"blocks": view.count("controlnet_blocks.")}
        more = 0
        if base in _SEEN:
            shown, drawn, latent, mask = _SEEN[base]
            more = max(0, view.side(shown, 1) - (view.side(drawn, 1) or latent))
        if not more:
            return Found("control", base, variant, base, "diffusers", facts)
        problem = "" if more == mask else MORE_CHANNELS.format(count=more)
        return Found("control", base, "inpaint", base, "diffusers", facts, problem)

    return describe


SIGNATURES: Final = (
    Signature("a Control-LoRA", keys("lora_controlnet"), _control_lora),
    Signature("a ControlNet-LLLite", (Key(_LITE, (ANY, 1280)),), _lite),
    Signature(
        "a FLUX.1 ControlNet by XLabs",
        (
            Key("input_hint_block.0.weight"),
            Key("controlnet_blocks.0.weight"),
            Key("double_blocks.0.img_attn.qkv.weight"),
        ),
        _xlabs,
        prefixes=_PREFIXES,
    ),
    Signature("a blockwise Qwen-Image ControlNet", keys("controlnet_blocks.0.y_rms.weight"), _blockwise),
    Signature(
        "a Qwen-Image ControlNet",
        (Key(_ADAPTED), Key("txt_norm.weight"), Key("controlnet_blocks.0.weight")),
        _transformer("qwen-image"),
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
        _transformer("sana"),
        prefixes=_PREFIXES,
    ),
    Signature(
        "a Z-Image ControlNet",
        keys("control_all_x_embedder.2-1.weight"),
        _z_image,
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
