"""Pictures and masks between files and the canvas: read in worker threads, written as the assets of a
document."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PySide6.QtGui import QImage

from pipelines.graph.values import Array, Image
from pipelines.image import decode_image, load_image
from pipelines.image.png import png_bytes
from studio.mask.surface import FULL

_FORMATS: Final = {
    1: QImage.Format.Format_Grayscale8,
    3: QImage.Format.Format_RGB888,
    4: QImage.Format.Format_RGBA8888,
}


def picture_from(source: Path | bytes) -> QImage:
    """A picture, upright and in sRGB, 8 bits a channel, as :func:`qimage_of` gives it. For worker threads.

    Args:
        source: a file, or the content of one (of the clipboard, of a drop).

    Raises:
        FileMissing, ImageUnreadable, ImageTooLarge: as their texts say.
    """
    return qimage_of(decode_image(source) if isinstance(source, bytes) else load_image(source))


def qimage_of(image: Image) -> QImage:
    """A picture as the canvas draws it: ARGB32_Premultiplied if anything of it is transparent, else RGB32.

    The inverse of :func:`studio.mask.conversion.image_value`, up to what premultiplying costs: colours under
    a low alpha keep as many steps as that alpha has. Safe in any thread.
    """
    pixels = image.as_uint8()
    form = QImage.Format.Format_RGB32
    if image.channels == 4 and pixels[..., 3].min(initial=255) < 255:
        form = QImage.Format.Format_ARGB32_Premultiplied
    view = QImage(pixels.data, image.width, image.height, pixels.strides[0], _FORMATS[image.channels])
    return view.convertToFormat(form)  # a copy: the view ends with the array


def encode_png(image: QImage) -> bytes:
    """A picture as PNG: RGB, or RGBA if it can be transparent, 8 bits, and nothing beside the pixels.

    The same pixels give the same bytes, so that an asset named by its content is kept once; reading it again
    gives the same pixels, premultiplied ones too. Safe in any thread.
    """
    channels = 4 if image.hasAlphaChannel() else 3
    image = image.convertToFormat(_FORMATS[channels])
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return png_bytes(rows[:, : image.width() * channels].reshape(image.height(), image.width(), channels))


def encode_mask_png(values: Array) -> bytes:
    """A mask as grey PNG with 16 bits. Safe in any thread.

    Args:
        values: H×W, uint16 (65535: repaint), or floats in 0..1, which are rounded to the nearest step.
    """
    if values.dtype != np.uint16:
        values = np.rint(np.clip(np.nan_to_num(values), 0, 1) * FULL).astype(np.uint16)
    return png_bytes(values)
