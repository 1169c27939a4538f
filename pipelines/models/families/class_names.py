"""Which family the pipelines and networks of diffusers belong to, by the names of their classes.

For naming what a folder holds: its ``model_index.json`` is the truth of it. What may be opened is a shorter
list (:mod:`pipelines.models.pipeline_classes`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipelines.models.signatures import Kind


@dataclass(frozen=True, slots=True)
class Named:
    """What a class stands for; ``problem`` says why it can't be used, where others of its family can."""

    kind: Kind
    family: str
    variant: str = ""
    problem: str = ""


VIDEO: Final = "It makes video, and Diptych makes pictures."
_LAYERS: Final = "It takes a picture apart into layers, and Diptych has no node for that."
_KEEPS: Final = "It keeps what it saw of references for the next step; Diptych runs the plain klein alone."
_SEES: Final = "It looks at pictures through an encoder of its own; Diptych runs the plain Z-Image alone."


_PIPELINES: Final[tuple[tuple[str, Named], ...]] = (
    ("StableDiffusion3", Named("diffusion", "sd3")),
    ("StableDiffusionXLInstructPix2Pix", Named("diffusion", "sdxl-edit", "edit")),
    ("StableDiffusionInstructPix2Pix", Named("diffusion", "sd1-edit", "edit")),
    ("StableDiffusionDepth2Img", Named("diffusion", "sd2-depth", "depth")),
    ("StableDiffusionXL", Named("diffusion", "sdxl")),
    ("StableDiffusionLatentUpscale", Named("upscale", "sd-latent-upscaler")),
    ("StableDiffusionUpscale", Named("upscale", "sd-x4-upscaler")),
    ("StableDiffusion", Named("diffusion", "sd")),
    ("StableCascade", Named("diffusion", "stable-cascade")),
    ("PixArtAlpha", Named("diffusion", "pixart", "alpha")),
    ("PixArtSigma", Named("diffusion", "pixart", "sigma")),
    ("SanaSprint", Named("diffusion", "sana", "sprint")),
    ("SanaVideo", Named("diffusion", "sana", "video", VIDEO)),
    ("Sana", Named("diffusion", "sana")),
    ("Flux2KleinKV", Named("diffusion", "flux2", "klein-kv", _KEEPS)),
    ("Flux2Klein", Named("diffusion", "flux2", "klein")),
    ("Flux2", Named("diffusion", "flux2", "dev")),
    ("Flux3", Named("diffusion", "flux3")),
    ("FluxFill", Named("diffusion", "flux-fill", "fill")),
    ("FluxKontext", Named("diffusion", "flux-kontext", "kontext")),
    ("FluxControlPipeline", Named("diffusion", "flux-control", "control")),
    ("FluxControlI", Named("diffusion", "flux-control", "control")),
    ("FluxPriorRedux", Named("adapter", "redux")),
    ("Flux", Named("diffusion", "flux")),
    ("Chroma", Named("diffusion", "chroma")),
    ("QwenImageEditPlus", Named("diffusion", "qwen-image-edit", "plus")),
    ("QwenImageEdit", Named("diffusion", "qwen-image-edit", "edit")),
    ("QwenImageLayered", Named("diffusion", "qwen-image", "layered", _LAYERS)),
    ("QwenImage21", Named("diffusion", "qwen-image-2.1")),
    ("QwenImage", Named("diffusion", "qwen-image")),
    ("ZImageOmni", Named("diffusion", "z-image", "omni", _SEES)),
    ("ZImage", Named("diffusion", "z-image")),
    ("Lumina2", Named("diffusion", "lumina2")),
    ("Lumina", Named("diffusion", "lumina")),
    ("HiDream", Named("diffusion", "hidream")),
    ("Kandinsky5T2V", Named("diffusion", "kandinsky5", "video", VIDEO)),
    ("Kandinsky5I2V", Named("diffusion", "kandinsky5", "video", VIDEO)),
    ("Kandinsky5I2I", Named("diffusion", "kandinsky5-edit", "edit")),
    ("Kandinsky5", Named("diffusion", "kandinsky5")),
    ("Kandinsky", Named("diffusion", "kandinsky")),
    ("AuraFlow", Named("diffusion", "auraflow")),
    ("Krea2", Named("diffusion", "krea2")),
    ("Wan", Named("diffusion", "wan")),
    ("LTX2", Named("diffusion", "ltx2")),
    ("LTX", Named("diffusion", "ltx")),
    ("HunyuanVideo", Named("diffusion", "hunyuan-video")),
    ("Mochi", Named("diffusion", "mochi")),
    ("Cosmos", Named("diffusion", "cosmos")),
)
"""By how the name begins, the longer ones first."""

_NETWORKS: Final[tuple[tuple[str, Kind], ...]] = (
    ("AutoencoderTiny", "vae"), ("Autoencoder", "vae"), ("AsymmetricAutoencoder", "vae"), ("VQModel", "vae"),
    ("T2IAdapter", "control"), ("MultiAdapter", "adapter"), ("UNet2D", "diffusion"),
)  # fmt: skip

ENCODERS: Final = frozenset(
    {
        "CLIPTextModel", "CLIPTextModelWithProjection", "T5EncoderModel", "UMT5EncoderModel",
        "CLIPVisionModel", "CLIPVisionModelWithProjection", "SiglipVisionModel",
        "Qwen2_5_VLForConditionalGeneration", "Gemma2Model", "LlamaModel", "Qwen3Model",
        "Mistral3ForConditionalGeneration",
    }
)  # fmt: skip
"""Classes of transformers that encode prompts or pictures for a pipeline, alone in a folder."""

PAIRS: Final = frozenset({"CLIPModel", "SiglipModel"})
"""Classes of transformers that hold an encoder of pictures beside one of texts, which is left alone."""

DEPTH: Final = frozenset({"DPTForDepthEstimation", "DepthAnythingForDepthEstimation"})
"""Classes of transformers that tell how far things in a picture are."""

POSE: Final = frozenset({"VitPoseForPoseEstimation"})
"""Classes of transformers that find the points of a person."""

DETECTORS: Final = frozenset(
    {
        "RTDetrForObjectDetection", "RTDetrV2ForObjectDetection", "DFineForObjectDetection",
        "DetrForObjectDetection", "YolosForObjectDetection",
    }
)  # fmt: skip
"""Classes of transformers that tell where things in a picture are."""


def of_pipeline(name: str) -> Named | None:
    """What a pipeline draws with; None for one that isn't known."""
    return next((named for start, named in _PIPELINES if name.startswith(start)), None)


def of_network(name: str) -> Kind | None:
    """The kind of a network of diffusers that lies alone in a folder; None for one that isn't known."""
    if "ControlNet" in name:
        return "control"
    if "Transformer" in name and name.endswith(("2DModel", "3DModel")):
        return "diffusion"
    return next((kind for start, kind in _NETWORKS if name.startswith(start)), None)
