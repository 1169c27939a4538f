"""Values as messages and as JSON: texts and numbers themselves, pictures by reference, tensors by what they
are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pipelines.engine.exchange import THUMBNAIL, PixelWriter
from pipelines.engine.protocol import ErrorData, ValueRef
from pipelines.errors import ErrorInfo
from pipelines.graph.conversions import type_of
from pipelines.graph.values import Image, Layer, ListValue, Mask, ModelHandle, Size

MAX_TEXT = 200_000
"""Characters of a text sent to a view; the value itself is never cut."""
MAX_ITEMS = 64
"""Items of a list sent to a view."""


def error_data(info: ErrorInfo) -> ErrorData:
    """An error as part of a message."""
    return ErrorData(**info.to_json())


def value_ref(value: Any, pixels: PixelWriter | None, full: bool) -> ValueRef:
    """What a view needs of a value. ``full``: whole pictures, not thumbnails; without ``pixels`` none.

    Raises:
        OSError: pixels can't be written.
    """
    items = list(value)[:MAX_ITEMS] if isinstance(value, ListValue) else [value]
    pictures = [_picture(item) for item in items]
    images = [picture for picture in pictures if picture is not None]
    plain = [plain_value(item) for item in items]
    return ValueRef(
        type=str(type_of(value)),
        value=plain if isinstance(value, ListValue) else plain[0],
        items=len(value) if isinstance(value, ListValue) else None,
        images=tuple(pixels.write_image(image, None if full else THUMBNAIL) for image in images)
        if pixels is not None
        else (),
        infos=tuple(dict(image.info) for image in images),
        sizes=tuple((image.width, image.height) for image in images),
    )


def _picture(value: Any) -> Image | None:
    if isinstance(value, Layer):
        value = value.image if value.image is not None else value.mask
    if isinstance(value, Image):
        return value
    return Image(value.values[..., None]) if isinstance(value, Mask) else None


def plain_value(value: Any) -> Any:
    """A value as JSON: pictures and tensors are ``None``, models their id, non-finite numbers text."""
    match value:
        case ListValue() | list() | tuple() if not isinstance(value, Size):
            return [plain_value(item) for item in value]
        case Size():
            return [value.width, value.height]
        case ModelHandle():
            return value.id
        case Layer():
            return {"kind": value.kind, "name": value.name, **plain_value(value.info)}
        case str():
            return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…"
        case float() if not math.isfinite(value):
            return str(value)
        case bool() | int() | float() | None:
            return value
        case Mapping():
            return {str(key): plain_value(item) for key, item in value.items()}
        case _:
            return None
