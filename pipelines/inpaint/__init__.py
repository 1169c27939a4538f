"""Masks, and the geometry of repainting a part of a picture: what is cut out, filled, and pasted back.

Pure functions on :class:`pipelines.graph.values.Image` and ``Mask``; OpenCV is imported where it is used.
:func:`plan_crop`, :func:`cut` and :func:`paste` are the way there and back.
"""

from pipelines.diffusion.sizes.size_limits import SizeLimits, limits_for
from pipelines.inpaint.box import Box
from pipelines.inpaint.fill import Fill, extend, fill
from pipelines.inpaint.geometry import (
    CropPlan,
    MaskSettings,
    ResolvedSettings,
    plan_crop,
)
from pipelines.inpaint.masks import (
    COMBINATIONS,
    Channel,
    Combination,
    bounds,
    check_mask,
    combine,
    feather,
    fill_holes,
    fitted,
    from_alpha,
    from_channel,
    from_luminance,
    grow,
    invert,
    shrink,
    smooth,
    threshold,
)
from pipelines.inpaint.selection import color_range, flood_fill, select_object
from pipelines.inpaint.stitch import cut, paste

__all__ = [
    "COMBINATIONS",
    "Box",
    "Channel",
    "Combination",
    "CropPlan",
    "Fill",
    "MaskSettings",
    "ResolvedSettings",
    "SizeLimits",
    "bounds",
    "check_mask",
    "color_range",
    "combine",
    "cut",
    "extend",
    "feather",
    "fill",
    "fill_holes",
    "fitted",
    "flood_fill",
    "from_alpha",
    "from_channel",
    "from_luminance",
    "grow",
    "invert",
    "limits_for",
    "paste",
    "plan_crop",
    "select_object",
    "shrink",
    "smooth",
    "threshold",
]
