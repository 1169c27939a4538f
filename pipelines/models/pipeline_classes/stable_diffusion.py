"""Stable Diffusion with a U-Net, and the upscalers made from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipelines.models.pipeline_classes.base import COMMON, SCHEDULERS, PipelineClass

_UNET: Final = COMMON | SCHEDULERS | {"UNet2DConditionModel"}
_SD: Final = PipelineClass("StableDiffusionPipeline", ("unet", "vae", "text_encoder"), _UNET)
_XL: Final = PipelineClass("StableDiffusionXLPipeline", ("unet", "vae", "text_encoder"), _UNET)

PIPELINES: Final[Mapping[str, PipelineClass]] = {
    "StableDiffusionPipeline": _SD,
    "StableDiffusionImg2ImgPipeline": _SD,
    "StableDiffusionInpaintPipeline": _SD,
    "StableDiffusionXLPipeline": _XL,
    "StableDiffusionXLImg2ImgPipeline": _XL,
    "StableDiffusionXLInpaintPipeline": _XL,
    "StableDiffusionUpscalePipeline": PipelineClass(
        "StableDiffusionUpscalePipeline", ("unet", "vae", "text_encoder"), _UNET
    ),
    "StableDiffusionLatentUpscalePipeline": PipelineClass(
        "StableDiffusionLatentUpscalePipeline", ("unet", "vae", "text_encoder"), _UNET
    ),
}
