"""Which architecture of spandrel's a file holds, to enlarge, restore or fill gaps: the tensors that mark it.

Cheap and from the header alone; spandrel's own detection has the last word when the model is loaded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final

from pipelines.models.signatures.base import Found, Signature, View, keys

_PREFIXES: Final = ("", "module.", "netG.", "module.netG.", "netG.module.", "model.")
"""What training frameworks put before the names."""

Scale = Callable[[View], int | None]


def _unknown(view: View) -> int | None:
    return None


def _same(view: View) -> int | None:
    return 1


def _pixel_shuffle(first: str, last: str) -> Scale:
    """The factor of a pixel shuffle: output channels = input channels × factor²."""

    def scale(view: View) -> int | None:
        numbered = [int(number) for number in re.findall(rf"\n{last}(?=\n)", view.text)]
        if not numbered or not view.side(first, 1):
            return None
        after = view.side(re.sub(r"\(.*?\)", str(max(numbered)), last).replace("\\", ""), 0)
        for channels in dict.fromkeys((view.side(first, 1), 3, 4, 1)):
            root = math.isqrt(after // channels)
            if root and root * root * channels == after:
                return root
        return None

    return scale


def _upsampler(name: str) -> Scale:
    """The factor where one convolution makes all pixels of a coloured picture."""

    def scale(view: View) -> int | None:
        root = math.isqrt(view.side(name, 0) // 3)
        return root if root and 3 * root * root == view.side(name, 0) else None

    return scale


def _esrgan(view: View) -> int | None:
    """RRDB networks: ×2 for each upsampling convolution; Real-ESRGAN ×2 and ×1 unshuffle their input."""
    new = len(re.findall(r"\n(?:upconv|conv_up)\d\.weight(?=\n)", view.text))
    old = [int(number) for number in re.findall(r"\nmodel\.(\d+)\.weight(?=\n)", view.text)]
    doublings = new or (max(old, default=4) - 4) // 3
    first = view.side("conv_first.weight", 1) or view.side("model.0.weight", 1, 3)
    unshuffle = {12: 2, 48: 4}.get(first, 1)
    return int(2**doublings) // unshuffle or None


def _row(family: str, scale: Scale, *alternatives: tuple[str, ...]) -> tuple[Signature, ...]:
    def describe(view: View) -> Found:
        return Found("upscale", family, layout="spandrel", facts={"scale": scale(view)})

    name = f"the upscaler {family}"
    return tuple(Signature(name, keys(*marks), describe, prefixes=_PREFIXES) for marks in alternatives)


def _lama(view: View) -> Found:
    return Found("inpaint", "LaMa", layout="spandrel")


_SWIN: Final = "layers.0.residual_group.blocks.0."
_RDB: Final = "body.0.rdb1.conv1.weight"
_GRL: Final = "layers.0.blocks.0.attn.window_attn.attn_transform.logit_scale"

SIGNATURES: Final = (
    Signature("LaMa", keys("model.model.1.bn_l.running_mean"), _lama),
    Signature("LaMa", keys("generator.model.1.bn_l.running_mean"), _lama),
    *_row("MMRealSR", _unknown, ("conv_first.weight", _RDB, "am_list.0.fc.0.weight")),
    *_row(
        "ESRGAN",
        _esrgan,
        ("model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight"),
        ("model.0.weight", "model.1.sub.0.RDB1.conv1x1.weight"),
        ("conv_first.weight", _RDB, "conv_body.weight", "conv_last.weight"),
        ("conv_first.weight", "RRDB_trunk.0.RDB1.conv1.weight", "trunk_conv.weight", "conv_last.weight"),
    ),
    *_row(
        "Compact", _pixel_shuffle("body.0.weight", r"body\.(\d+)\.bias"), ("body.0.weight", "body.1.weight")
    ),
    *_row("HAT", _unknown, ("relative_position_index_SA", "layers.0.residual_group.overlap_attn.qkv.weight")),
    *_row("ATD", _unknown, ("relative_position_index_SA", "layers.0.residual_group.td")),
    *_row(
        "Swin2SR", _unknown, (_SWIN + "norm1.weight", _SWIN + "attn.logit_scale", "patch_embed.proj.weight")
    ),
    *_row(
        "SwinIR",
        _unknown,
        (_SWIN + "norm1.weight", _SWIN + "attn.relative_position_index", "conv_first.weight"),
        (_SWIN + "norm1.weight", _SWIN + "attn.relative_position_index", "conv_first.1.weight"),
    ),
    *_row("DAT", _unknown, ("before_RG.1.weight", "layers.0.blocks.0.ffn.fc1.weight")),
    *_row("RGT", _unknown, ("before_RG.1.weight", "layers.0.blocks.0.gamma")),
    *_row(
        "DRCT", _unknown, ("conv_first.weight", "layers.0.swin1.attn.qkv.weight", "layers.0.adjust1.weight")
    ),
    *_row("OmniSR", _unknown, ("residual_layer.0.residual_layer.0.layer.0.fn.0.weight", "up.0.weight")),
    *_row(
        "SPAN",
        _upsampler("upsampler.0.weight"),
        ("conv_1.sk.weight", "block_1.c1_r.sk.weight", "upsampler.0.weight"),
    ),
    *_row(
        "PLKSR",
        _unknown,
        *(
            ("feats.0.weight", f"feats.1.lk.{kernel}.weight", "feats.1.refine.weight")
            for kernel in ("conv", "convs.0", "mn_conv")
        ),
    ),
    *_row("SAFMN", _unknown, ("to_feat.weight", "feats.0.safm.aggr.weight", "to_img.0.weight")),
    *_row(
        "SAFMNBCIE", _unknown, ("to_feat.1.weight", "feats.0.layers.0.safm.mfr.0.weight", "to_img.0.weight")
    ),
    *_row("RealCUGAN", _unknown, ("unet1.conv1.conv.0.weight", "unet2.conv_bottom.weight")),
    *_row("SwiftSRGAN", _unknown, ("initial.cnn.depthwise.weight", "final_conv.pointwise.weight")),
    *_row("AuraSR", lambda view: 4, ("mid_attn.layers.0.0.to_out.weight", "mid_block2.block1.proj.weights")),
    *_row("CRAFT", _unknown, ("conv_first.weight", "layers.0.residual_group.hf_blocks.0.attn.temperature")),
    *_row("DCTLSA", _unknown, ("fea_conv.weight", "B1.body.0.transformer_body.0.blocks.0.attn.qkv.weight")),
    *_row("DITN", _unknown, ("sft.weight", "UFONE.0.ITLs.0.attn.temperature", "upsample.0.weight")),
    *_row("FDAT", _unknown, ("groups.0.blocks.0.attn.bias", "groups.0.blocks.0.inter.cg.1.weight")),
    *_row("GRL", _unknown, ("conv_first.weight", "norm_start.weight", _GRL)),
    *_row("IPT", _unknown, ("sub_mean.weight", "add_mean.weight", "head.0.1.body.0.weight")),
    *_row("MoESR", _unknown, ("in_to_dim.weight", "blocks.0.blocks.0.conv.dwconv_hw.weight")),
    *_row("MoSR", _unknown, ("gblocks.0.weight", "gblocks.1.conv.weight", "gblocks.1.fc2.weight")),
    *_row(
        "RCAN",
        _unknown,
        ("tail.1.weight", "body.0.body.0.body.0.weight", "body.0.body.0.body.3.conv_du.0.weight"),
    ),
    *_row(
        "SeemoRe",
        _upsampler("upsampler.0.weight"),
        ("conv_1.weight", "upsampler.0.weight", "body.0.local_block.block.conv_1.0.weight"),
    ),
    *_row("GFPGAN", _same, ("toRGB.0.weight", "stylegan_decoder.style_mlp.1.weight")),
    *_row(
        "RestoreFormer",
        _same,
        ("quantize.embedding.weight", "encoder.down.0.block.0.norm1.weight", "decoder.conv_out.weight"),
    ),
    *_row("NAFNet", _same, ("intro.weight", "ending.weight", "middle_blks.0.beta")),
    *_row("SCUNet", _same, ("m_head.0.weight", "m_tail.0.weight", "m_body.0.trans_block.ln1.weight")),
    *_row("FBCNN", _same, ("m_head.weight", "m_tail.weight", "qf_pred.0.res.0.weight")),
    *_row("DRUNet", _same, ("m_head.weight", "m_down1.0.res.0.weight", "m_up3.2.res.0.weight")),
)
