"""T2I-Adapters, IP-Adapters and textual inversion: small files that add something to a model."""

from __future__ import annotations

from typing import Final

from pipelines.models.signatures.base import ANY, Describe, Found, Key, Signature, View, keys

_T2I: Final = ("", "adapter.")
_WIDTHS: Final = {768: "sd1", 1024: "sd2", 2048: "sdxl", 4096: "flux"}
"""Width of the prompt's embedding -> the family whose cross-attention takes it."""
IP: Final = "ip_adapter.1.to_k_ip.weight"
"""What every IP-Adapter for a U-Net has."""
_FACES: Final = "It looks at faces with a network of another kind, which can't be opened safely."
_OTHER: Final = "It was made for a transformer other than FLUX.1; no such model can use adapters here."
_FIRST: Final = "ip_adapter.0.to_k_ip.weight"
"""What those for FLUX.1 have: the even numbers are of attentions that see the picture alone in a U-Net."""
_XLABS: Final = "double_blocks.0.processor.ip_adapter_double_stream_k_proj.weight"


def _t2i(entry: str, variant: str) -> Describe:
    """Mou et al. 2023: pictures enter with 8×8 pixels in the channels, those for SDXL with 16×16. It is
    chosen where a ControlNet is, so that it is a control model here.
    """

    def describe(view: View) -> Found:
        channels = view.side(entry, 1)
        base = "sdxl" if channels in (256, 768) else "sd1"
        colours = channels // (256 if base == "sdxl" else 64)
        layout = "original" if view.has("body.0.block1.weight") else "diffusers"
        return Found("control", base, variant, base, layout, {"channels": colours})

    return describe


def _ip(view: View) -> Found:
    """Ye et al. 2023: keys and values of their own for a picture, in each cross-attention.

    ``sees``: whether it reads the encoder's embedding of a picture or its last hidden states but one, which
    are ``width`` numbers wide.
    """
    width = view.side(IP, -1)
    sees, entry = "hidden", 0
    if view.has("image_proj.latents"):
        variant, entry = "plus", view.side("image_proj.proj_in.weight", 1)
    elif view.has("image_proj.proj.0.weight"):
        variant = "face" if view.has("image_proj.proj.2.weight") else "full"
        entry = view.side("image_proj.proj.0.weight", 1)
    else:
        variant, sees, entry = "", "embedding", view.side("image_proj.proj.weight", 1)
    faces = view.holds("_lora.down.weight") or view.has("image_proj.perceiver_resampler.proj_in.weight")
    base = _WIDTHS.get(width, "")
    facts = {
        "cross_attention_dim": width, "sees": sees, "width": entry,
        "layers": (view.count("ip_adapter.") + 1) // 2,
    }  # fmt: skip
    problem = _FACES if faces else ""
    variant = "face-id" if faces else variant
    return Found("adapter", "ip-adapter", variant, base, "original", facts, problem)


def _flux_ip(view: View) -> Found:
    """By XLabs: CLIP's embedding, keys and values for the first blocks. By InstantX: what SigLIP pooled, for
    all blocks; one whose matrices have biases is XLabs' under names of InstantX, as diffusers has it.
    """
    if view.has(_XLABS):
        proj, layout, blocks = "ip_adapter_proj_model.", "xlabs", "double_blocks."
    else:
        proj, blocks = "image_proj.", "ip_adapter."
        layout = "diffusers" if view.has("ip_adapter.0.to_k_ip.bias") else "instantx"
    wide = layout == "instantx"
    facts = {
        "cross_attention_dim": view.side(f"{proj}norm.weight", 0), "sees": "pooled" if wide else "embedding",
        "width": view.side(f"{proj}proj.0.weight" if wide else f"{proj}proj.weight", 1),
        "layers": view.count(blocks),
    }  # fmt: skip
    return Found("adapter", "ip-adapter", "", "flux", layout, facts)


def _other_ip(view: View) -> Found:
    return Found("adapter", "ip-adapter", layout="original", problem=_OTHER)


def _redux(view: View) -> Found:
    """Each patch that a SigLIP sees becomes a token of the prompt."""
    facts = {
        "cross_attention_dim": view.side("redux_down.weight", 0), "sees": "patches",
        "width": view.side("redux_up.weight", 1),
    }  # fmt: skip
    return Found("adapter", "redux", "", "flux", "original", facts)


def _inversion(view: View) -> Found:
    shape = view.shape("emb_params") or ()
    base = _WIDTHS.get(shape[-1], "") if shape else ""
    facts = {"vectors": shape[0] if len(shape) == 2 else 1}
    return Found("embedding", "textual-inversion", "", base, "a1111", facts)


def _inversion_xl(view: View) -> Found:
    shape = view.shape("clip_g") or ()
    facts = {"vectors": shape[0] if len(shape) == 2 else 1}
    return Found("embedding", "textual-inversion", "", "sdxl", "kohya", facts)


def _inversion_sd3(view: View) -> Found:
    return Found("embedding", "textual-inversion", "", "sd3", "kohya")


def lone_embedding(view: View) -> Found | None:
    """diffusers' textual inversion: one tensor, named like the word it adds; None if it is none."""
    if len(view.header.tensors) != 1:
        return None
    ((name, facts),) = view.header.tensors.items()
    shape = facts.shape
    if not name.startswith("<") or not 1 <= len(shape) <= 2 or shape[-1] not in (768, 1024, 1280):
        return None
    about = {"vectors": shape[0] if len(shape) == 2 else 1, "token": name[:100]}
    return Found("embedding", "textual-inversion", "", _WIDTHS.get(shape[-1], "sdxl"), "diffusers", about)


SIGNATURES: Final = (
    Signature("an IP-Adapter", keys(IP), _ip, absent=(_FIRST,)),
    Signature("an IP-Adapter for FLUX.1", (Key(_FIRST, (3072, ANY)),), _flux_ip),
    Signature("an IP-Adapter for another transformer", keys(_FIRST), _other_ip),
    Signature(
        "an IP-Adapter for FLUX.1 by XLabs",
        keys(_XLABS, "ip_adapter_proj_model.proj.weight"),
        _flux_ip,
    ),
    Signature("a FLUX.1 Redux adapter", keys("redux_up.weight", "redux_down.weight"), _redux),
    Signature(
        "a T2I-Adapter",
        (Key("conv_in.weight", (320, frozenset({64, 192, 256, 768}), 3, 3)), Key("body.0.block1.weight")),
        _t2i("conv_in.weight", "t2i"),
        prefixes=_T2I,
    ),
    Signature(
        "a T2I-Adapter in diffusers' layout",
        (Key("conv_in.weight", (320, ANY, 3, 3)), Key("body.0.resnets.0.block1.weight")),
        _t2i("conv_in.weight", "t2i"),
        prefixes=_T2I,
    ),
    Signature(
        "a light T2I-Adapter",
        (
            Key("body.0.in_conv.weight", (ANY, frozenset({64, 192, 256, 768}), 1, 1)),
            Key("body.0.out_conv.weight"),
        ),
        _t2i("body.0.in_conv.weight", "t2i-light"),
        prefixes=_T2I,
    ),
    Signature("a textual inversion", keys("emb_params"), _inversion),
    Signature("a textual inversion for SD 3", keys("clip_g", "t5xxl"), _inversion_sd3),
    Signature(
        "a textual inversion for SDXL", (Key("clip_g", (ANY, 1280)), Key("clip_l", (ANY, 768))), _inversion_xl
    ),
)
