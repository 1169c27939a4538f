"""Operations on pictures: resampling, cropping, blending, adjusting, and decoding of files.

Pure functions on :class:`pipelines.graph.values.Image`; pixels are sRGB-encoded throughout, nothing is
written to.
"""

from pipelines.image.adjust import adjust, solid
from pipelines.image.blend import BLEND_MODES, BlendMode, blend
from pipelines.image.decode import alpha_mask, decode_image, load_image
from pipelines.image.geometry import Resampling, crop, resize

__all__ = [
    "BLEND_MODES",
    "BlendMode",
    "Resampling",
    "adjust",
    "alpha_mask",
    "blend",
    "crop",
    "decode_image",
    "load_image",
    "resize",
    "solid",
]
