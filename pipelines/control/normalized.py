"""Pictures in the numbers that models of transformers look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipelines.graph.values import Array

if TYPE_CHECKING:
    from pipelines.models.loaded import LoadedDepth, LoadedDetector, LoadedPose


def normalized(pixels: Array, loaded: LoadedDepth | LoadedDetector | LoadedPose) -> Array:
    """H×W×3 in 0..1 as 3×H×W float32, each colour less its mean and divided by its deviation."""
    mean, deviation = (np.asarray(part, np.float32) for part in (loaded.mean, loaded.deviation))
    found: Array = ((pixels - mean) / deviation).transpose(2, 0, 1).astype(np.float32)
    return found
