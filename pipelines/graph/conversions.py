"""What a declared conversion does to a value at an input port (the table is in
:mod:`pipelines.graph.types`)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from pipelines.errors import IncompatibleLink
from pipelines.graph import types
from pipelines.graph.types import PortType
from pipelines.graph.values import (
    Conditioning,
    Image,
    Latent,
    Layer,
    ListValue,
    Mask,
    ModelHandle,
    Size,
    Stitch,
)

_HANDLES: Final = {
    "diffusion": types.DiffusionModel,
    "language": types.LanguageModel,
    "upscale": types.UpscaleModel,
    "control": types.ControlModel,
}
LUMA: Final = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of R, G, B for brightness (ITU-R BT.709), applied to sRGB values as image editors do."""


def type_of(value: Any) -> PortType:
    """The port type of a value; an empty list is ``list[Any]``, anything else unknown is ``Json``."""
    match value:
        case ListValue():
            return types.list_of(type_of(value[0])) if value else types.list_of(types.Any)
        case ModelHandle():
            return _HANDLES[value.kind]
        case bool():
            return types.Boolean
        case int():
            return types.Integer
        case float():
            return types.Number
        case str():
            return types.Text
        case Image():
            return types.Image
        case Mask():
            return types.Mask
        case Latent():
            return types.Latent
        case Conditioning():
            return types.Conditioning
        case Size():
            return types.Size
        case Stitch():
            return types.Stitch
        case Layer():
            return types.Layer
        case _:
            return types.Json


def convert(value: Any, target: PortType) -> Any:
    """One value (not a list) as the item type of ``target``.

    Raises:
        IncompatibleLink: there is no declared conversion, or this value has no counterpart ("seven" as a
        number).
    """
    wanted = target.name
    found = type_of(value).name
    if wanted in ("Any", found) or (wanted, found) in _SAME:
        return value
    function = _FUNCTIONS.get((found, wanted))
    if function is None:
        raise IncompatibleLink(port_title=wanted, expected=wanted, found=found)
    try:
        return function(value)
    except (ValueError, OverflowError, TypeError) as error:
        raise IncompatibleLink(port_title=wanted, expected=wanted, found=_shown(found, value)) from error


def _shown(found: str, value: Any) -> str:
    """A type and the beginning of a value of it; Python refuses to write out huge integers."""
    huge = isinstance(value, int) and value.bit_length() > 1_000
    return f"{found} of {value.bit_length()} bits" if huge else f"{found} “{str(value)[:60]}”"


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else round(_number(value))


def _seed(value: Any) -> int:
    seed = int(value) if isinstance(value, str) else _whole(value)
    if not 0 <= seed < 2**64:
        raise ValueError(value)
    return seed


def _size(value: Any) -> Size:
    """A size from its JSON, ``[width, height]``."""
    width, height = value
    if type(width) is not int or type(height) is not int or min(width, height) < 1:
        raise ValueError(value)
    return Size(width, height)


def brightness(image: Image) -> np.ndarray[Any, np.dtype[np.float32]]:
    """H×W float32 in 0..1: the luma of a picture (grey stays as it is; alpha is ignored)."""
    pixels = image.as_float()
    if image.channels == 1:
        return np.asarray(pixels[..., 0], np.float32)
    return np.asarray(pixels[..., :3] @ LUMA, np.float32)


_SAME: Final = frozenset({("Choice", "Text"), ("Text", "Choice"), ("Json", "Size")})
"""(wanted, found) that are one and the same in Python."""
_FUNCTIONS: Final[dict[tuple[str, str], Callable[[Any], Any]]] = {
    ("Integer", "Number"): _number,
    ("Number", "Integer"): _whole,
    ("Integer", "Seed"): _seed,
    ("Number", "Seed"): _seed,
    ("Integer", "Text"): str,
    ("Number", "Text"): lambda value: (
        str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    ),
    ("Boolean", "Text"): lambda value: "true" if value else "false",
    ("Size", "Text"): lambda size: f"{size.width}×{size.height}",
    ("Json", "Text"): lambda value: json.dumps(value, ensure_ascii=False),
    ("Text", "Number"): _number,
    ("Text", "Integer"): lambda text: int(text) if text.strip().lstrip("+-").isdigit() else _whole(text),
    ("Text", "Seed"): _seed,
    ("Text", "Json"): str,
    ("Boolean", "Integer"): int,
    ("Boolean", "Number"): float,
    ("Integer", "Boolean"): bool,
    ("Number", "Boolean"): bool,
    ("Mask", "Image"): lambda mask: Image(mask.values[..., None]),
    ("Image", "Mask"): lambda image: Mask(brightness(image)),
    ("Image", "Size"): lambda image: Size(image.width, image.height),
    ("Integer", "Json"): int,
    ("Number", "Json"): float,
    ("Boolean", "Json"): bool,
    ("Json", "Size"): _size,
}
