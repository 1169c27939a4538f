"""Operations on pictures: resampling, cropping, blending, adjusting, and files of pictures, layers and masks.

Pure functions on :class:`pipelines.graph.values.Image`; pixels are sRGB-encoded throughout, nothing is
written to.
"""

from pipelines.image.adjust import adjust, solid
from pipelines.image.blend import BLEND_MODES, BlendMode, blend
from pipelines.image.decode import alpha_mask, decode_image, load_image
from pipelines.image.geometry import Resampling, crop, resize
from pipelines.image.mask_files import NamedMask, read_mask, read_named_mask, write_mask
from pipelines.image.open_raster import OraLayer, OraPicture, recalled, write_open_raster
from pipelines.image.open_raster_reading import read_open_raster
from pipelines.image.png import png_bytes
from pipelines.image.sheet import SheetStyle, SheetWords, columns_of, sheet

__all__ = [
    "BLEND_MODES",
    "BlendMode",
    "NamedMask",
    "OraLayer",
    "OraPicture",
    "Resampling",
    "SheetStyle",
    "SheetWords",
    "adjust",
    "alpha_mask",
    "blend",
    "columns_of",
    "crop",
    "decode_image",
    "load_image",
    "png_bytes",
    "read_mask",
    "read_named_mask",
    "read_open_raster",
    "recalled",
    "resize",
    "sheet",
    "solid",
    "write_mask",
    "write_open_raster",
]
