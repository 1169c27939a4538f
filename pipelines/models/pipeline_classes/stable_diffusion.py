"""Stable Diffusion with a U-Net, and the upscalers made from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipelines.models.pipeline_classes.base import COMMON, SCHEDULERS, PipelineClass

_UNET: Final = COMMON | SCHEDULERS | {"UNet2DConditionModel"}
_SD: Final = PipelineClass("StableDiffusionPipeline", ("unet", "vae", "text_encoder"), _UNET)
_XL: Final = PipelineClass("StableDiffusionXLPipeline", ("unet", "vae", "text_encoder"), _UNET)
# Its U-Net's first layer says that it follows a depth; its pipeline is the plain one.
_DEPTH: Final = PipelineClass(
    "StableDiffusionPipeline",
    _SD.networks,
    _UNET | {"DPTForDepthEstimation", "DPTImageProcessor", "DPTImageProcessorFast", "DPTFeatureExtractor"},
    apart=frozenset({"depth_estimator"}),
)

PIPELINES: Final[Mapping[str, PipelineClass]] = {
    "StableDiffusionPipeline": _SD,
    "StableDiffusionImg2ImgPipeline": _SD,
    "StableDiffusionInpaintPipeline": _SD,
    "StableDiffusionDepth2ImgPipeline": _DEPTH,
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
