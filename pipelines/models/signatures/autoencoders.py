"""VAEs, tiny ones too, and the autoencoders of other families, alone in a file."""

from __future__ import annotations

from typing import Final

from pipelines.models.signatures.base import ANY, Describe, Found, Key, Signature, View, keys

_PREFIXES: Final = ("", "first_stage_model.", "vae.")
_FOR: Final = {4: ("kl-4", "sd"), 16: ("kl-16", "flux"), 32: ("kl-32", "flux2")}
"""Latent channels -> family, and the family of models it is for (SD 1.x, 2.x and XL share one shape; Stable
Diffusion 3, FLUX.1, Chroma, Lumina 2 and Z-Image another)."""


def _kl(layout: str) -> Describe:
    """Encoder and decoder of latent diffusion (Rombach et al. 2022), by the channels of the latents."""

    def describe(view: View) -> Found:
        channels = view.side("decoder.conv_in.weight", 1)
        family, base = _FOR.get(channels, (f"kl-{channels}", ""))
        whole = view.has("encoder.conv_in.weight")
        facts = {"latent_channels": channels, "encoder": whole}
        return Found("vae", family, "" if whole else "decoder", base, layout, facts)

    return describe


def _tiny(layout: str, entry: str) -> Describe:
    """Tiny autoencoders (TAESD): one plain chain of 64 channels; original files hold a half each."""

    def describe(view: View) -> Found:
        channels = view.side(entry, 1)
        base = {4: "sd", 16: "flux", 32: "flux2"}.get(channels, "")
        half = "decoder" if entry == "1.weight" else ""
        facts = {"latent_channels": channels, "encoder": not half}
        return Found("vae", f"tiny-{channels}", half or "tiny", base, layout, facts)

    return describe


def _tiny_encoder(view: View) -> Found:
    return Found("vae", "tiny", "encoder", "", "original", {"encoder": True})


def _wan(view: View) -> Found:
    entry = "decoder.conv1.weight" if view.has("decoder.conv1.weight") else "decoder.conv_in.weight"
    channels = view.side(entry, 1)
    base = "wan" if channels == 48 else "wan, qwen-image"
    layout = "original" if entry == "decoder.conv1.weight" else "diffusers"
    return Found("vae", f"wan-{channels}", "", base, layout, {"latent_channels": channels, "encoder": True})


def _plain(family: str, base: str, layout: str, channels: int) -> Describe:
    return lambda view: Found("vae", family, "", base, layout, {"latent_channels": channels})


SIGNATURES: Final = (
    Signature(
        "a tiny VAE in diffusers' layout",
        (Key("encoder.layers.0.weight", (64, 3, 3, 3)), Key("decoder.layers.0.weight", (64, ANY, 3, 3))),
        _tiny("diffusers", "decoder.layers.0.weight"),
        prefixes=_PREFIXES,
    ),
    Signature(
        "a tiny VAE's decoder",
        (Key("1.weight", (64, ANY, 3, 3)), Key("3.conv.0.weight", (64, 64, 3, 3))),
        _tiny("original", "1.weight"),
        prefixes=("", "taesd_decoder.", "decoder."),
    ),
    Signature(
        "a tiny VAE's encoder",
        (Key("0.weight", (64, 3, 3, 3)), Key("1.conv.0.weight", (64, 64, 3, 3))),
        _tiny_encoder,
        prefixes=("", "taesd_encoder.", "encoder."),
    ),
    Signature(
        "a Wan VAE",
        (Key("decoder.middle.0.residual.0.gamma"), Key("decoder.conv1.weight")),
        _wan,
        prefixes=_PREFIXES,
    ),
    Signature(
        "a Wan VAE in diffusers' layout",
        (Key("decoder.mid_block.resnets.0.norm1.gamma"), Key("decoder.conv_in.weight", (ANY, ANY, 3, 3, 3))),
        _wan,
        prefixes=_PREFIXES,
    ),
    Signature(
        "an LTX VAE",
        keys("decoder.conv_in.conv.weight", "per_channel_statistics.mean-of-means"),
        _plain("ltx", "ltx", "original", 128),
        prefixes=_PREFIXES,
    ),
    Signature(
        "an LTX VAE in diffusers' layout",
        keys("decoder.conv_in.conv.weight", "latents_mean"),
        _plain("ltx", "ltx", "diffusers", 128),
        prefixes=_PREFIXES,
    ),
    Signature(
        "a Sana autoencoder",
        keys("decoder.stages.1.op_list.0.main.conv.conv.bias"),
        _plain("dc-ae", "sana", "original", 32),
        prefixes=_PREFIXES,
    ),
    Signature(
        "a Sana autoencoder in diffusers' layout",
        (
            Key("decoder.conv_in.weight", (ANY, ANY, 3, 3)),
            Key("encoder.conv_out.weight"),
            Key("encoder.down_blocks.0.0.conv1.weight"),
        ),
        _plain("dc-ae", "sana", "diffusers", 32),
        prefixes=_PREFIXES,
    ),
    Signature(
        "a VAE",
        (Key("decoder.conv_in.weight", (ANY, ANY, 3, 3)), Key("decoder.up.0.block.0.conv1.weight")),
        _kl("original"),
        prefixes=_PREFIXES,
    ),
    Signature(
        "a VAE in diffusers' layout",
        (Key("decoder.conv_in.weight", (ANY, ANY, 3, 3)), Key("decoder.up_blocks.0.resnets.0.conv1.weight")),
        _kl("diffusers"),
        prefixes=_PREFIXES,
    ),
)
