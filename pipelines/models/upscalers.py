"""Which architecture of spandrel's a file holds, to enlarge or to fill gaps: the tensor names that mark each.

Cheap and from the header alone; spandrel's own detection has the last word when the model is loaded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pipelines.models.header import Header


@dataclass(frozen=True, slots=True)
class Upscaler:
    """An architecture by spandrel's name, and its factor where the shapes tell it."""

    family: str
    scale: int | None = None


def identify(header: Header) -> Upscaler | None:
    """The upscaler a file holds, or ``None``."""
    names = {_bare(name): name for name in header.tensors}
    for family, alternatives, scale in _MARKS:
        if any(all(mark in names for mark in marks) for marks in alternatives):
            return Upscaler(family, scale(header, names))
    return None


def identify_inpainter(header: Header) -> str | None:
    """The architecture, by spandrel's name, of a model that fills gaps; ``None`` if it is none."""
    names = {_bare(name) for name in header.tensors}
    return "LaMa" if any(mark in names for mark in _LAMA) else None


def _bare(name: str) -> str:
    """A tensor's name without the wrappers that training frameworks put before it."""
    return re.sub(r"^(module\.|netG\.)+", "", name)


Names = dict[str, str]
Scale = Callable[[Header, Names], int | None]


def _unknown(header: Header, names: Names) -> int | None:
    return None


def _pixel_shuffle(first: str, last: str) -> Scale:
    """The factor of a pixel shuffle: output channels = input channels × factor²."""

    def scale(header: Header, names: Names) -> int | None:
        pattern = re.compile(last)
        numbered = [(int(match[1]), name) for name in names if (match := pattern.fullmatch(name))]
        before = header.shape(names.get(first, "")) or ()
        if not numbered or len(before) < 2:
            return None
        after = (header.shape(names[max(numbered)[1]]) or (0,))[0]
        for channels in dict.fromkeys((before[1], 3, 4, 1)):
            root = math.isqrt(after // channels) if channels else 0
            if root and root * root * channels == after:
                return root
        return None

    return scale


def _esrgan(header: Header, names: Names) -> int | None:
    """RRDB networks: ×2 for each upsampling convolution; Real-ESRGAN ×2 and ×1 unshuffle their input."""
    new = sum(1 for name in names if re.fullmatch(r"(upconv|conv_up)\d\.weight", name))
    old = [int(match[1]) for name in names if (match := re.fullmatch(r"model\.(\d+)\.weight", name))]
    doublings = new or (max(old) - 4) // 3
    first = header.shape(names.get("conv_first.weight", names.get("model.0.weight", ""))) or (0, 3)
    unshuffle = {12: 2, 48: 4}.get(first[1], 1)
    return int(2**doublings) // unshuffle or None


_LAMA = ("model.model.1.bn_l.running_mean", "generator.model.1.bn_l.running_mean")
_SWIN = "layers.0.residual_group.blocks.0."
_RDB = "body.0.rdb1.conv1.weight"
_MARKS: Final[tuple[tuple[str, tuple[tuple[str, ...], ...], Scale], ...]] = (
    (
        "ESRGAN",
        (
            ("model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight"),
            ("model.0.weight", "model.1.sub.0.RDB1.conv1x1.weight"),
            ("conv_first.weight", _RDB, "conv_body.weight", "conv_last.weight"),
            ("conv_first.weight", "RRDB_trunk.0.RDB1.conv1.weight", "trunk_conv.weight", "conv_last.weight"),
        ),
        _esrgan,
    ),
    ("Compact", (("body.0.weight", "body.1.weight"),), _pixel_shuffle("body.0.weight", r"body\.(\d+)\.bias")),
    (
        "HAT",
        (("relative_position_index_SA", "layers.0.residual_group.overlap_attn.qkv.weight"),),
        _unknown,
    ),
    ("ATD", (("relative_position_index_SA", "layers.0.residual_group.td"),), _unknown),
    (
        "Swin2SR",
        ((_SWIN + "norm1.weight", _SWIN + "attn.logit_scale", "patch_embed.proj.weight"),),
        _unknown,
    ),
    (
        "SwinIR",
        tuple(
            (_SWIN + "norm1.weight", _SWIN + "attn.relative_position_index", first)
            for first in ("conv_first.weight", "conv_first.1.weight")
        ),
        _unknown,
    ),
    ("DAT", (("before_RG.1.weight", "layers.0.blocks.0.ffn.fc1.weight"),), _unknown),
    ("RGT", (("before_RG.1.weight", "layers.0.blocks.0.gamma"),), _unknown),
    ("DRCT", (("conv_first.weight", "layers.0.swin1.attn.qkv.weight", "layers.0.adjust1.weight"),), _unknown),
    ("OmniSR", (("residual_layer.0.residual_layer.0.layer.0.fn.0.weight", "up.0.weight"),), _unknown),
    ("SPAN", (("conv_1.sk.weight", "block_1.c1_r.sk.weight", "upsampler.0.weight"),), _unknown),
    (
        "PLKSR",
        tuple(
            ("feats.0.weight", f"feats.1.lk.{kernel}.weight", "feats.1.refine.weight")
            for kernel in ("conv", "convs.0", "mn_conv")
        ),
        _unknown,
    ),
    ("SAFMN", (("to_feat.weight", "feats.0.safm.aggr.weight", "to_img.0.weight"),), _unknown),
    ("RealCUGAN", (("unet1.conv1.conv.0.weight", "unet2.conv_bottom.weight"),), _unknown),
    (
        "SwiftSRGAN",
        (("initial.cnn.depthwise.weight", "final_conv.pointwise.weight"),),
        _unknown,
    ),
)
