"""Tiny pipelines of the families that have a language model read the prompt, with random weights: Qwen-Image,
Krea 2, Z-Image, FLUX.2 and klein, HiDream, Kandinsky 5. Their tokenizers know the bytes and the marks alone.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Pipeline,
    Flux2Transformer2DModel,
    HiDreamImagePipeline,
    HiDreamImageTransformer2DModel,
    Kandinsky5T2IPipeline,
    Kandinsky5Transformer3DModel,
    Krea2Pipeline,
    Krea2Transformer2DModel,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from tokenizers import Tokenizer, decoders, models
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    LlamaConfig,
    LlamaForCausalLM,
    Mistral3Config,
    Mistral3ForConditionalGeneration,
    PixtralImageProcessor,
    PixtralProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    Qwen3VLConfig,
    Qwen3VLModel,
)

from tests.helpers.tiny_pipelines import WIDTH, clip, t5, tokenizer, vae

LATENT = 4
SMALL = 16
"""How wide the language models are."""
_BYTES = sorted(ByteLevel.alphabet())
_QWEN = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>",
)  # fmt: skip
_MISTRAL = (
    "<unk>", "<s>", "</s>", "<pad>", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[INST]", "[/INST]", "[IMG]",
    "[IMG_BREAK]", "[IMG_END]",
)  # fmt: skip
_ROPE = {"mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 1e6}
HOSTILE = "{{ raise_exception('a template of the folder ran') }}"
"""A chat template that must never run."""
_QWEN_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}<|im_start|>assistant{{ '\n' }}"
)
_THOUGHTLESS = _QWEN_TEMPLATE + "{{ '<think>\n\n</think>\n\n' }}"
_MISTRAL_TEMPLATE = (
    "<s>{% for message in messages %}{% set text = message.content[0].text %}"
    "{% if message.role == 'system' %}[SYSTEM_PROMPT]{{ text }}[/SYSTEM_PROMPT]"
    "{% else %}[INST]{{ text }}[/INST]{% endif %}{% endfor %}"
)


def _mark(name: str) -> int:
    return len(_BYTES) + _QWEN.index(name)


def qwen_tokenizer(template: str | None = None) -> Any:
    vocabulary = {piece: index for index, piece in enumerate((*_BYTES, *_QWEN))}
    made = Qwen2Tokenizer(
        vocab=vocabulary, merges=[], extra_special_tokens=list(_QWEN[1:]), model_max_length=131_072
    )
    made.chat_template = template
    return made


def mistral_tokenizer() -> Any:
    vocabulary = {piece: index for index, piece in enumerate((*_BYTES, *_MISTRAL))}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    inner.pre_tokenizer, inner.decoder = ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    inner.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", vocabulary["<s>"])])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>",
        extra_special_tokens=list(_MISTRAL[4:]), model_max_length=131_072,
    )  # fmt: skip


def qwen_processor() -> Any:
    """Sees pictures in 4 patches at least, 16 at most."""
    pictures = Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=56 * 56)
    return Qwen2VLProcessor(
        image_processor=pictures, tokenizer=qwen_tokenizer(), video_processor=Qwen2VLVideoProcessor()
    )


def _text(layers: int = 2, width: int = SMALL) -> dict[str, Any]:
    return {
        "vocab_size": len(_BYTES) + len(_QWEN), "hidden_size": width, "intermediate_size": 16,
        "num_hidden_layers": layers, "num_attention_heads": 2, "num_key_value_heads": 2,
        "bos_token_id": _mark("<|endoftext|>"), "eos_token_id": _mark("<|im_end|>"),
    }  # fmt: skip


def qwen_vl() -> Any:
    config = Qwen2_5_VLConfig(
        text_config={**_text(), "rope_parameters": _ROPE},
        vision_config={
            "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": SMALL,
            "fullatt_block_indexes": [0],
        },
        image_token_id=_mark("<|image_pad|>"), video_token_id=_mark("<|video_pad|>"),
        vision_start_token_id=_mark("<|vision_start|>"), vision_end_token_id=_mark("<|vision_end|>"),
    )  # fmt: skip
    return Qwen2_5_VLForConditionalGeneration(config).eval()


def qwen_vae() -> Any:
    return AutoencoderKLQwenImage(
        base_dim=8, z_dim=LATENT, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
        latents_mean=[0.1, -0.2, 0.3, 0.0], latents_std=[1.0, 2.0, 0.5, 1.0],
    ).eval()  # fmt: skip


def qwen_transformer(**config: Any) -> Any:
    return QwenImageTransformer2DModel(
        in_channels=4 * LATENT, out_channels=LATENT, num_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=SMALL, axes_dims_rope=(8, 4, 4), **config,
    ).eval()  # fmt: skip


def shifting() -> Any:
    return FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)


def qwen_image() -> Any:
    torch.manual_seed(0)
    return QwenImagePipeline(
        scheduler=shifting(), vae=qwen_vae(), text_encoder=qwen_vl(), tokenizer=qwen_tokenizer(),
        transformer=qwen_transformer(),
    )  # fmt: skip


def krea2() -> Any:
    torch.manual_seed(0)
    config = Qwen3VLConfig(
        text_config={**_text(), "head_dim": 8, "rope_parameters": _ROPE},
        vision_config={
            "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": SMALL,
            "deepstack_visual_indexes": [0],
        },
    )  # fmt: skip
    transformer = Krea2Transformer2DModel(
        in_channels=4 * LATENT, num_layers=1, attention_head_dim=8, num_attention_heads=8,
        num_key_value_heads=4, intermediate_size=64, timestep_embed_dim=8, text_hidden_dim=SMALL,
        num_text_layers=2, text_num_attention_heads=2, text_num_key_value_heads=2, text_intermediate_size=16,
        num_layerwise_text_blocks=1, num_refiner_text_blocks=1, axes_dims_rope=(4, 2, 2),
    ).eval()  # fmt: skip
    return Krea2Pipeline(
        scheduler=shifting(), vae=qwen_vae(), text_encoder=Qwen3VLModel(config).eval(),
        tokenizer=qwen_tokenizer(), transformer=transformer, text_encoder_select_layers=(1, 2),
    )  # fmt: skip


def qwen3(kind: Any, layers: int, width: int) -> Any:
    return kind(Qwen3Config(**_text(layers, width), head_dim=8, max_position_embeddings=1024)).eval()


def z_image() -> Any:
    torch.manual_seed(0)
    transformer = ZImageTransformer2DModel(
        in_channels=LATENT, dim=32, n_layers=1, n_refiner_layers=1, n_heads=2, n_kv_heads=2,
        cap_feat_dim=SMALL, axes_dims=[4, 6, 6], axes_lens=[1024, 64, 64],
    ).eval()  # fmt: skip
    return ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0), vae=vae(LATENT, shift_factor=0.1),
        text_encoder=qwen3(Qwen3Model, 2, SMALL), tokenizer=qwen_tokenizer(HOSTILE), transformer=transformer,
    )  # fmt: skip


def flux2_vae() -> Any:
    made = AutoencoderKLFlux2(
        block_out_channels=(8, 8, 16, 16), layers_per_block=1, latent_channels=LATENT, norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    ).eval()  # fmt: skip
    made.bn.running_mean.normal_()
    made.bn.running_var.uniform_(0.5, 2)
    return made


def flux2_transformer(guided: bool) -> Any:
    return Flux2Transformer2DModel(
        in_channels=4 * LATENT, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=3 * 8, axes_dims_rope=(4, 4, 4, 4),
        timestep_guidance_channels=8, guidance_embeds=guided,
    ).eval()  # fmt: skip


def flux2() -> Any:
    """Layers 10, 20 and 30 of its text encoder are read."""
    torch.manual_seed(0)
    config = Mistral3Config(
        text_config={
            "model_type": "mistral", "vocab_size": len(_BYTES) + len(_MISTRAL), "hidden_size": 8,
            "intermediate_size": 8, "num_hidden_layers": 30, "num_attention_heads": 2,
            "num_key_value_heads": 2, "head_dim": 4,
        },
        vision_config={
            "model_type": "pixtral", "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 1, "image_size": 28, "patch_size": 14,
        },
        image_token_index=len(_BYTES) + _MISTRAL.index("[IMG]"),
    )  # fmt: skip
    processor = PixtralProcessor(
        image_processor=PixtralImageProcessor(), tokenizer=mistral_tokenizer(), chat_template=HOSTILE
    )
    return Flux2Pipeline(
        scheduler=shifting(), vae=flux2_vae(), text_encoder=Mistral3ForConditionalGeneration(config).eval(),
        tokenizer=processor, transformer=flux2_transformer(guided=True),
    )  # fmt: skip


def flux2_klein() -> Any:
    """Not distilled. Layers 9, 18 and 27 of its text encoder are read."""
    torch.manual_seed(0)
    return Flux2KleinPipeline(
        scheduler=shifting(), vae=flux2_vae(), text_encoder=qwen3(Qwen3ForCausalLM, 27, 8),
        tokenizer=qwen_tokenizer(HOSTILE), transformer=flux2_transformer(guided=False),
    )  # fmt: skip


def _long_clip() -> Any:
    config = CLIPTextConfig(
        vocab_size=30_522, hidden_size=WIDTH, intermediate_size=37, num_hidden_layers=1,
        num_attention_heads=4, max_position_embeddings=128, bos_token_id=101, eos_token_id=102,
        pad_token_id=0, projection_dim=WIDTH,
    )  # fmt: skip
    return CLIPTextModelWithProjection(config).eval()


def hidream() -> Any:
    torch.manual_seed(0)
    transformer = HiDreamImageTransformer2DModel(
        patch_size=2, in_channels=LATENT, out_channels=LATENT, num_layers=1, num_single_layers=1,
        attention_head_dim=8, num_attention_heads=4, caption_channels=[WIDTH, SMALL], text_emb_dim=2 * WIDTH,
        num_routed_experts=2, num_activated_experts=1, axes_dims_rope=(4, 2, 2), max_resolution=(16, 16),
        llama_layers=(0, 1),
    ).eval()  # fmt: skip
    llama = LlamaConfig(
        vocab_size=len(_BYTES) + len(_MISTRAL), hidden_size=SMALL, intermediate_size=16, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2,
    )  # fmt: skip
    return HiDreamImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0), vae=vae(LATENT, shift_factor=0.1),
        text_encoder=_long_clip(), tokenizer=tokenizer(), text_encoder_2=_long_clip(),
        tokenizer_2=tokenizer(), text_encoder_3=t5(), tokenizer_3=tokenizer(),
        text_encoder_4=LlamaForCausalLM(llama).eval(), tokenizer_4=mistral_tokenizer(),
        transformer=transformer,
    )  # fmt: skip


def kandinsky5(kind: Any = Kandinsky5T2IPipeline, **config: Any) -> Any:
    torch.manual_seed(0)
    transformer = Kandinsky5Transformer3DModel(
        in_visual_dim=LATENT, out_visual_dim=LATENT, in_text_dim=SMALL, in_text_dim2=WIDTH, time_dim=16,
        model_dim=64, ff_dim=64, num_text_blocks=1, num_visual_blocks=1, axes_dims=(4, 2, 2),
        **config,
    ).eval()  # fmt: skip
    for name, weight in transformer.named_parameters():
        if "modulation" in name:  # zeros in the beginning: nothing would steer
            torch.nn.init.normal_(weight, std=0.5)
    text = CLIPTextConfig(**{**clip().config.to_dict(), "max_position_embeddings": 77})
    return kind(
        transformer=transformer, vae=vae(LATENT, shift_factor=0.1), text_encoder=qwen_vl(),
        tokenizer=qwen_processor(), text_encoder_2=type(clip())(text).eval(), tokenizer_2=tokenizer(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )  # fmt: skip


BUILT = {
    "qwen-image": qwen_image, "krea2": krea2, "z-image": z_image, "flux2-dev": flux2,
    "flux2-klein": flux2_klein, "hidream": hidream, "kandinsky5": kandinsky5,
}  # fmt: skip
DISTILLED = frozenset({"flux2-dev"})


def bare(name: str, pipeline: Any, negative: str, width: int, height: int) -> dict[str, Any]:
    """What a bare call of one of these pipelines needs, beside what all take, to draw what guidance of 4
    draws here: some count it from 0, some draw in sizes of their own, some read a template of their folder.
    """
    match name:
        case "qwen-image":
            return {"negative_prompt": negative, "true_cfg_scale": 4.0, "guidance_scale": None}
        case "krea2":
            return {"negative_prompt": negative, "guidance_scale": 3.0}
        case "z-image":
            pipeline.tokenizer.chat_template = _QWEN_TEMPLATE
            return {"negative_prompt": negative, "guidance_scale": 3.0}
        case "flux2-dev":
            pipeline.tokenizer.chat_template = _MISTRAL_TEMPLATE
        case "flux2-klein":
            pipeline.tokenizer.chat_template = _THOUGHTLESS
            return {"negative_prompt_embeds": pipeline.encode_prompt(negative)[0]}
        case "hidream":
            pipeline.default_sample_size = (width * height) ** 0.5 / 8 * 1.000001
            return {"negative_prompt": negative}
        case "kandinsky5":  # its noise has the channels last
            pipeline.resolutions = [(width, height)]
            noise = torch.randn(
                1, LATENT, height // 8, width // 8, generator=torch.Generator().manual_seed(3)
            )
            return {"negative_prompt": negative, "latents": noise.permute(0, 2, 3, 1).unsqueeze(1)}
    return {}
