"""Diffusion transformers whose prompts are read by a language model: Qwen, Mistral, Llama."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipelines.models.pipeline_classes.base import COMMON, FLOW_SCHEDULERS, T5, PipelineClass

_QWEN_TOKENIZERS: Final = frozenset({"Qwen2Tokenizer", "Qwen2TokenizerFast"})
_QWEN_VL: Final = _QWEN_TOKENIZERS | {
    "Qwen2_5_VLForConditionalGeneration", "Qwen2VLProcessor", "Qwen2_5_VLProcessor",
}  # fmt: skip
_ONE_ENCODER: Final = ("transformer", "vae", "text_encoder")

QWEN_IMAGE: Final = (
    FLOW_SCHEDULERS | _QWEN_VL | {"QwenImageTransformer2DModel", "AutoencoderKLQwenImage", "AutoencoderTiny"}
)
QWEN_PARTS: Final = _ONE_ENCODER

_QWEN: Final = PipelineClass("QwenImagePipeline", _ONE_ENCODER, QWEN_IMAGE)
_KREA: Final = PipelineClass(
    "Krea2Pipeline",
    _ONE_ENCODER,
    FLOW_SCHEDULERS
    | _QWEN_TOKENIZERS
    | {
        "Krea2Transformer2DModel", "AutoencoderKLQwenImage", "Qwen3VLModel",
        "Qwen3VLForConditionalGeneration",
    },
)  # fmt: skip
_Z_IMAGE: Final = PipelineClass(
    "ZImagePipeline",
    _ONE_ENCODER,
    COMMON
    | FLOW_SCHEDULERS
    | _QWEN_TOKENIZERS
    | {"ZImageTransformer2DModel", "Qwen3Model", "Qwen3ForCausalLM"},
)
_FLUX_2: Final = FLOW_SCHEDULERS | {"Flux2Transformer2DModel", "AutoencoderKLFlux2"}
_KLEIN: Final = PipelineClass(
    "Flux2KleinPipeline",
    _ONE_ENCODER,
    _FLUX_2 | _QWEN_TOKENIZERS | {"Qwen3ForCausalLM"},
)
_HIDREAM: Final = PipelineClass(
    "HiDreamImagePipeline",
    ("transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3", "text_encoder_4"),
    COMMON
    | FLOW_SCHEDULERS
    | T5
    | {
        "HiDreamImageTransformer2DModel", "LlamaForCausalLM", "PreTrainedTokenizerFast",
        "LlamaTokenizerFast", "TokenizersBackend",
    },
)  # fmt: skip
_KANDINSKY: Final = PipelineClass(
    "Kandinsky5T2IPipeline",
    ("transformer", "vae", "text_encoder", "text_encoder_2"),
    COMMON | FLOW_SCHEDULERS | _QWEN_VL | {"Kandinsky5Transformer3DModel"},
)
_KANDINSKY_EDIT: Final = PipelineClass("Kandinsky5I2IPipeline", _KANDINSKY.networks, _KANDINSKY.components)

PIPELINES: Final[Mapping[str, PipelineClass]] = {
    "QwenImagePipeline": _QWEN,
    "QwenImageImg2ImgPipeline": _QWEN,
    "QwenImageInpaintPipeline": _QWEN,
    "Krea2Pipeline": _KREA,
    "ZImagePipeline": _Z_IMAGE,
    "ZImageImg2ImgPipeline": _Z_IMAGE,
    "ZImageInpaintPipeline": _Z_IMAGE,
    "Flux2Pipeline": PipelineClass(
        "Flux2Pipeline", _ONE_ENCODER, _FLUX_2 | {"Mistral3ForConditionalGeneration", "PixtralProcessor"}
    ),
    "Flux2KleinPipeline": _KLEIN,
    "Flux2KleinInpaintPipeline": _KLEIN,
    "HiDreamImagePipeline": _HIDREAM,
    "Kandinsky5T2IPipeline": _KANDINSKY,
    "Kandinsky5I2IPipeline": _KANDINSKY_EDIT,
}
