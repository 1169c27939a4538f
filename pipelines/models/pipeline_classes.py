"""The pipelines of diffusers that a model's folder may name, and the classes each may be made of.

Everything else is refused before anything is imported (:mod:`.safety`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SCHEDULERS: Final = frozenset(
    {
        "DDIMScheduler", "DDPMScheduler", "DEISMultistepScheduler", "DPMSolverMultistepScheduler",
        "DPMSolverSDEScheduler", "DPMSolverSinglestepScheduler", "EDMDPMSolverMultistepScheduler",
        "EDMEulerScheduler", "EulerAncestralDiscreteScheduler", "EulerDiscreteScheduler",
        "HeunDiscreteScheduler",
        "KDPM2AncestralDiscreteScheduler", "KDPM2DiscreteScheduler", "LCMScheduler", "LMSDiscreteScheduler",
        "PNDMScheduler", "TCDScheduler", "UniPCMultistepScheduler",
    }
)  # fmt: skip
_FLOW_SCHEDULERS: Final = frozenset({"FlowMatchEulerDiscreteScheduler"})
_COMMON: Final = frozenset(
    {
        "AutoencoderKL", "AutoencoderTiny", "BertModel", "CLIPTextModel", "CLIPTextModelWithProjection",
        "CLIPTokenizer", "CLIPTokenizerFast", "BertTokenizer", "BertTokenizerFast", "CLIPImageProcessor",
        "CLIPFeatureExtractor", "CLIPVisionModelWithProjection", "StableDiffusionSafetyChecker",
    }
)  # fmt: skip
_UNET: Final = _COMMON | SCHEDULERS | {"UNet2DConditionModel"}
_FLUX: Final = (
    _COMMON
    | _FLOW_SCHEDULERS
    | {"FluxTransformer2DModel", "T5EncoderModel", "T5Tokenizer", "T5TokenizerFast"}
)


@dataclass(frozen=True, slots=True)
class PipelineClass:
    """A pipeline that can be opened.

    ``opened_as`` is the class of diffusers that runs it: a folder made for image-to-image holds the same
    parts, and the plain pipeline serves every use. ``networks`` must have weights, the denoiser comes first.
    ``components`` are the classes its parts may have.
    """

    opened_as: str
    networks: tuple[str, ...]
    components: frozenset[str]

    @property
    def denoiser(self) -> str:
        """The name of the part that removes the noise."""
        return self.networks[0]


_SD: Final = PipelineClass("StableDiffusionPipeline", ("unet", "vae", "text_encoder"), _UNET)
_XL: Final = PipelineClass("StableDiffusionXLPipeline", ("unet", "vae", "text_encoder"), _UNET)

PIPELINES: Final[Mapping[str, PipelineClass]] = {
    "StableDiffusionPipeline": _SD,
    "StableDiffusionImg2ImgPipeline": _SD,
    "StableDiffusionInpaintPipeline": _SD,
    "StableDiffusionXLPipeline": _XL,
    "StableDiffusionXLImg2ImgPipeline": _XL,
    "StableDiffusionXLInpaintPipeline": _XL,
    "FluxFillPipeline": PipelineClass(
        "FluxFillPipeline", ("transformer", "vae", "text_encoder", "text_encoder_2"), _FLUX
    ),
    "StableDiffusionUpscalePipeline": PipelineClass(
        "StableDiffusionUpscalePipeline", ("unet", "vae", "text_encoder"), _UNET
    ),
    "StableDiffusionLatentUpscalePipeline": PipelineClass(
        "StableDiffusionLatentUpscalePipeline", ("unet", "vae", "text_encoder"), _UNET
    ),
}
"""By the class that a folder's ``model_index.json`` names."""

UNUSED: Final = frozenset({"safety_checker", "feature_extractor", "image_encoder", "watermarker"})
"""Parts of a pipeline that are never opened; they may be missing, too."""
