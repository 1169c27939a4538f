"""Enlarging pictures with spandrel's super-resolution models, tile by tile.

:mod:`.tiles` cuts and blends, :mod:`.memory` chooses the size of a tile, :mod:`.upscaler` does the work.
"""

from pipelines.upscale.upscaler import upscale

__all__ = ["upscale"]
