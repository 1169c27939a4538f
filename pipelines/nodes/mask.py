"""Nodes that make and change masks, and those that cut the masked part out of a picture and paste it back."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import field_validator

from pipelines.errors import CropOutside
from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param
from pipelines.graph.types import Image, Mask, Stitch
from pipelines.graph.values import Image as ImageValue
from pipelines.graph.values import Mask as MaskValue
from pipelines.inpaint import (
    Box,
    Combination,
    MaskSettings,
    SizeLimits,
    color_range,
    combine,
    cut,
    feather,
    fill_holes,
    fitted,
    from_channel,
    grow,
    invert,
    paste,
    plan_crop,
    select_object,
    smooth,
)

MAX_LENGTH = 16_384
"""Longest distance in pixels that a field takes."""

_MASK = Input("mask", Mask, description="1 where the picture may change.")
_MADE = (Output("mask", Mask),)


def _length(default: float | None, title: str, description: str, **more: Any) -> Any:
    return Param(default, title, description, unit="px", **{"le": MAX_LENGTH, "step": 1, **more})


def _own_length(title: str, description: str, **more: Any) -> Any:
    """A length beside the mask; −1 is what the formulas say."""
    return _length(-1.0, title, f"{description} −1 is chosen by strength and size.", ge=-1, **more)


class MaskFromImage(Node):
    """Take a mask from a picture: its brightness, transparency, one colour channel, or what has a colour."""

    id, title, category = "mask.from_image", "Mask from image", "Mask"
    inputs = (Input("image", Image, description="The picture to take it from."),)
    outputs = _MADE
    preview = "mask"

    class Params(NodeParams):
        channel: Literal["brightness", "alpha", "red", "green", "blue", "color"] = Param(
            "brightness", "From",
            "What counts: how bright it is, where it is transparent, one channel, or nearness to a colour.",
            primary=True,
        )  # fmt: skip
        color: str = Param(
            "#ffffff", "Colour", "What to look for, as #rrggbb; used where “From” is color.",
            widget="color", max_length=9, primary=True,
        )  # fmt: skip
        tolerance: float = Param(
            0.2, "Tolerance", "How far from that colour still counts.",
            ge=0, le=1, step=0.01, widget="slider", primary=True,
        )  # fmt: skip
        invert: bool = Param(False, "Invert", "Select everything else instead.", primary=True)

        @field_validator("color")
        @classmethod
        def _is_colour(cls, value: str) -> str:
            if not re.fullmatch(r"#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?", value):
                raise ValueError("Write a colour as #rrggbb or #rrggbbaa.")
            return value

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        image: ImageValue = inputs["image"]
        if params.channel == "color":
            mask = color_range(image, params.color, params.tolerance)
        else:
            mask = from_channel(image, params.channel)
        return {"mask": invert(mask) if params.invert else mask}


class SelectObject(Node):
    """Select the thing inside a rectangle, told from what is round it by its colours."""

    id, title, category = "mask.object", "Select object", "Mask"
    inputs = (Input("image", Image, description="The picture with the thing in it."),)
    outputs = _MADE
    preview = "mask"

    class Params(NodeParams):
        x: int = _length(0, "Left", "Of the rectangle.", ge=0, primary=True)
        y: int = _length(0, "Top", "Of the rectangle.", ge=0, primary=True)
        width: int = _length(256, "Width", "Of the rectangle.", ge=1, primary=True)
        height: int = _length(256, "Height", "Of the rectangle.", ge=1, primary=True)
        rounds: int = Param(
            5, "Rounds", "How often the guess is improved; more is slower.", ge=1, le=50, advanced=True
        )

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        image: ImageValue = inputs["image"]
        box = Box(params.x, params.y, params.width, params.height)
        if box.x >= image.width or box.y >= image.height:
            raise CropOutside(**box._asdict(), image_width=image.width, image_height=image.height)
        return {"mask": select_object(image, box, params.rounds, context.cancel.check)}


class GrowMask(Node):
    """Make a mask wider, or narrower with a number below 0."""

    id, title, category = "mask.grow", "Grow mask", "Mask"
    inputs = (_MASK,)
    outputs = _MADE
    preview = "mask"

    class Params(NodeParams):
        amount: float = _length(
            8.0, "Amount", "How far its edge moves outwards; below 0 inwards.", ge=-MAX_LENGTH, primary=True
        )
        smooth: float = _length(
            0.0, "Smooth", "Details smaller than this are rounded off.", ge=0, le=1_024, primary=True
        )
        fill_holes: bool = Param(
            False, "Fill holes", "Fill what the mask surrounds on all sides.", primary=True
        )

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        mask: MaskValue = inputs["mask"]
        mask = fill_holes(mask) if params.fill_holes else mask
        return {"mask": smooth(grow(mask, params.amount), params.smooth)}


class FeatherMask(Node):
    """Make the edges of a mask soft."""

    id, title, category = "mask.feather", "Feather mask", "Mask"
    inputs = (_MASK,)
    outputs = _MADE
    preview = "mask"

    class Params(NodeParams):
        width: float = _length(
            16.0, "Width", "Of the soft edge, half inside and half outside.", ge=0, primary=True
        )

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        return {"mask": feather(inputs["mask"], params.width)}


class CombineMasks(Node):
    """Put two masks of one size together."""

    id, title, category = "mask.combine", "Combine masks", "Mask"
    inputs = (
        Input("mask", Mask, description="The first mask."),
        Input("b", Mask, "Second mask", "What is added, taken away, or compared."),
    )
    outputs = _MADE
    preview = "mask"

    class Params(NodeParams):
        mode: Combination = Param(
            "add", "Mode",
            "Both, the first without the second, only what they share, or only where they differ.",
            primary=True,
        )  # fmt: skip

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        return {"mask": combine(inputs["mask"], inputs["b"], params.mode)}


class InvertMask(Node):
    """Select everything that was not."""

    id, title, category = "mask.invert", "Invert mask", "Mask"
    inputs = (_MASK,)
    outputs = _MADE
    preview = "mask"

    def run(self, inputs: Inputs, params: Any, context: Context) -> Outputs:
        return {"mask": invert(inputs["mask"])}


class CropToMask(Node):
    """Cut the masked part out of a picture with what is round it, at a size that a model draws well."""

    id, title, category = "image.crop_to_mask", "Crop to mask", "Image"
    inputs = (
        Input("image", Image, description="The picture to change a part of."),
        Input("mask", Mask, description="1 where it may change; of another size, it is resampled."),
    )
    outputs = (
        Output("image", Image, description="The part, at the size to draw at."),
        Output("mask", Mask, description="How much of each pixel may change, at that size."),
        Output("stitch", Stitch, description="All that is needed to paste the result back."),
    )
    preview = "image"

    class Params(NodeParams):
        strength: float = Param(
            1.0, "Strength", "The denoising strength it will be drawn with; edges are softer with more.",
            ge=0, le=1, step=0.05, widget="slider", primary=True,
        )  # fmt: skip
        native: int = Param(
            512, "Native side", "The side of the pictures that the model was made for.",
            unit="px", ge=8, le=8_192, step=8, primary=True,
        )  # fmt: skip
        largest: int = Param(
            768, "Largest side", "Of a square that the model still draws well; larger parts are reduced.",
            unit="px", ge=8, le=8_192, step=8, advanced=True,
        )  # fmt: skip
        multiple: int = Param(
            8, "Multiple", "Both sides become a multiple of this.", unit="px", ge=1, le=256, advanced=True
        )
        context: float = _own_length("Context", "How much round the mask the model sees.", primary=True)
        padding: int = _length(0, "Padding", "Still more round the mask, on every side.", ge=0)
        grow: float = _own_length("Grow", "How far the mask is widened.")
        feather: float = _own_length("Feather", "How wide the mask's soft edge is.")
        blend: float = _own_length("Blend", "How far beyond it the result fades into the picture.")

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        image: ImageValue = inputs["image"]
        mask: MaskValue = fitted(inputs["mask"], image.width, image.height)
        largest = max(params.largest, params.native, params.multiple)
        limits = SizeLimits((params.native, params.native), params.native, largest**2, params.multiple)
        given = {name: getattr(params, name) for name in ("grow", "feather", "blend", "context")}
        lengths = {name: value if value >= 0 else None for name, value in given.items()}
        settings = MaskSettings(**lengths, padding=params.padding)
        part, denoise, stitch = cut(image, plan_crop(mask, params.strength, limits, settings))
        return {"image": part, "mask": denoise, "stitch": stitch}


class StitchImage(Node):
    """Paste what was drawn back into the picture it was cut from; nothing outside the mask changes."""

    id, title, category = "image.stitch", "Stitch", "Image"
    inputs = (
        Input("stitch", Stitch, description="What the cutting node kept."),
        Input("image", Image, description="What was drawn in its place."),
    )
    outputs = (Output("image", Image, description="The whole picture."),)
    preview = "image"

    class Params(NodeParams):
        match: bool = Param(
            False, "Match colours", "Move the new part's colours so that they meet those round it.",
            primary=True,
        )  # fmt: skip

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        return {"image": paste(inputs["stitch"], inputs["image"], params.match)}


NODES = (
    MaskFromImage, SelectObject, GrowMask, FeatherMask, CombineMasks, InvertMask, CropToMask, StitchImage
)  # fmt: skip
