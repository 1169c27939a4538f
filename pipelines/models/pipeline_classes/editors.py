"""Models that edit: they look at pictures beside the prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipelines.models.pipeline_classes.base import PipelineClass
from pipelines.models.pipeline_classes.language import QWEN_IMAGE, QWEN_PARTS
from pipelines.models.pipeline_classes.stable_diffusion import PIPELINES as STABLE_DIFFUSION
from pipelines.models.pipeline_classes.transformers import PIPELINES as TRANSFORMERS

_KONTEXT: Final = PipelineClass(
    "FluxKontextPipeline",
    TRANSFORMERS["FluxPipeline"].networks,
    TRANSFORMERS["FluxPipeline"].components,
)
_QWEN_EDIT: Final = PipelineClass("QwenImageEditPipeline", QWEN_PARTS, QWEN_IMAGE)

PIPELINES: Final[Mapping[str, PipelineClass]] = {
    "FluxKontextPipeline": _KONTEXT,
    "FluxKontextInpaintPipeline": _KONTEXT,
    "QwenImageEditPipeline": _QWEN_EDIT,
    "QwenImageEditInpaintPipeline": _QWEN_EDIT,
    "QwenImageEditPlusPipeline": PipelineClass("QwenImageEditPlusPipeline", QWEN_PARTS, QWEN_IMAGE),
    # Its U-Net's first layer says that it looks at a picture; its pipeline is the plain one.
    "StableDiffusionInstructPix2PixPipeline": STABLE_DIFFUSION["StableDiffusionPipeline"],
    "StableDiffusionXLInstructPix2PixPipeline": STABLE_DIFFUSION["StableDiffusionXLPipeline"],
}
