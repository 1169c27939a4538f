"""The pipelines of diffusers that a model's folder may name, and the classes each may be made of.

Everything else is refused before anything is imported (:mod:`pipelines.models.files.safety`). One module
a group of families.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipelines.models.pipeline_classes import editors, language, stable_diffusion, transformers
from pipelines.models.pipeline_classes.base import PipelineClass

PIPELINES: Final[Mapping[str, PipelineClass]] = {
    **stable_diffusion.PIPELINES, **transformers.PIPELINES, **language.PIPELINES, **editors.PIPELINES,
}  # fmt: skip
"""By the class that a folder's ``model_index.json`` names."""

UNUSED: Final = frozenset({"safety_checker", "feature_extractor", "image_encoder", "watermarker"})
"""Parts of a pipeline that are never opened; they may be missing, too."""

__all__ = ["PIPELINES", "UNUSED", "PipelineClass"]
