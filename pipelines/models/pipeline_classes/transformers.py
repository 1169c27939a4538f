"""Diffusion transformers with one or two text encoders of the size of T5 or Gemma 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipelines.models.pipeline_classes.base import (
    COMMON,
    FLOW_SCHEDULERS,
    GEMMA,
    SCHEDULERS,
    T5,
    PipelineClass,
)

_FLUX: Final = COMMON | FLOW_SCHEDULERS | T5 | {"FluxTransformer2DModel"}
_FLUX_PARTS: Final = ("transformer", "vae", "text_encoder", "text_encoder_2")
_ONE_ENCODER: Final = ("transformer", "vae", "text_encoder")

_SD3: Final = PipelineClass(
    "StableDiffusion3Pipeline",
    _FLUX_PARTS,
    COMMON
    | FLOW_SCHEDULERS
    | T5
    | {"SD3Transformer2DModel", "SiglipVisionModel", "SiglipImageProcessor", "SiglipImageProcessorFast"},
    optional=frozenset({"text_encoder_3", "tokenizer_3"}),
)
_FLUX_1: Final = PipelineClass("FluxPipeline", _FLUX_PARTS, _FLUX)
_FLUX_CONTROL: Final = PipelineClass("FluxControlPipeline", _FLUX_PARTS, _FLUX)
_REDUX: Final = PipelineClass(
    "FluxPriorReduxPipeline",
    ("image_embedder",),
    COMMON
    | T5
    | {
        "ReduxImageEncoder", "SiglipVisionModel", "SiglipImageProcessor", "SiglipImageProcessorFast",
    },
    apart=frozenset({"image_encoder"}),
)  # fmt: skip
"""No pipeline that draws: an adapter, and the encoder that it looks through."""
_CHROMA: Final = PipelineClass(
    "ChromaPipeline", _ONE_ENCODER, COMMON | FLOW_SCHEDULERS | T5 | {"ChromaTransformer2DModel"}
)
_PIXART: Final = COMMON | SCHEDULERS | T5 | {"PixArtTransformer2DModel"}
_AURAFLOW: Final = COMMON | FLOW_SCHEDULERS | {
    "AuraFlowTransformer2DModel", "UMT5EncoderModel", "LlamaTokenizer", "LlamaTokenizerFast",
    "T5Tokenizer", "T5TokenizerFast",
}  # fmt: skip
_SANA: Final = COMMON | FLOW_SCHEDULERS | GEMMA | {"SanaTransformer2DModel", "AutoencoderDC", "SCMScheduler"}
_SPRINT: Final = PipelineClass("SanaSprintPipeline", _ONE_ENCODER, _SANA)
_LUMINA: Final = PipelineClass(
    "Lumina2Pipeline", _ONE_ENCODER, COMMON | FLOW_SCHEDULERS | GEMMA | {"Lumina2Transformer2DModel"}
)

PIPELINES: Final[Mapping[str, PipelineClass]] = {
    "StableDiffusion3Pipeline": _SD3,
    "StableDiffusion3Img2ImgPipeline": _SD3,
    "StableDiffusion3InpaintPipeline": _SD3,
    "FluxPipeline": _FLUX_1,
    "FluxImg2ImgPipeline": _FLUX_1,
    "FluxInpaintPipeline": _FLUX_1,
    "FluxFillPipeline": PipelineClass("FluxFillPipeline", _FLUX_PARTS, _FLUX),
    "FluxControlPipeline": _FLUX_CONTROL,
    "FluxControlImg2ImgPipeline": _FLUX_CONTROL,
    "FluxControlInpaintPipeline": _FLUX_CONTROL,
    "FluxPriorReduxPipeline": _REDUX,
    "ChromaPipeline": _CHROMA,
    "ChromaImg2ImgPipeline": _CHROMA,
    "ChromaInpaintPipeline": _CHROMA,
    "PixArtAlphaPipeline": PipelineClass("PixArtAlphaPipeline", _ONE_ENCODER, _PIXART),
    "PixArtSigmaPipeline": PipelineClass("PixArtSigmaPipeline", _ONE_ENCODER, _PIXART),
    "AuraFlowPipeline": PipelineClass("AuraFlowPipeline", _ONE_ENCODER, _AURAFLOW),
    "SanaPipeline": PipelineClass("SanaPipeline", _ONE_ENCODER, _SANA),
    "SanaSprintPipeline": _SPRINT,
    "SanaSprintImg2ImgPipeline": _SPRINT,
    "Lumina2Pipeline": _LUMINA,
    "Lumina2Text2ImgPipeline": _LUMINA,
}
