"""Tiny diffusers pipelines with random weights, made from configs in milliseconds: one of each family."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    AutoTokenizer,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    T5Config,
    T5EncoderModel,
)

from tests.helpers.diffusion_context import STARTER

WIDTH = 32
SD_SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
}


def tokenizer() -> Any:
    """The starter's tokenizer: a real one, there offline."""
    return AutoTokenizer.from_pretrained(STARTER / "tokenizer")


def clip(projection: bool = False) -> Any:
    config = CLIPTextConfig(
        vocab_size=30_522, hidden_size=WIDTH, intermediate_size=37, num_hidden_layers=3,
        num_attention_heads=4, max_position_embeddings=32, bos_token_id=101, eos_token_id=102, pad_token_id=0,
        projection_dim=WIDTH,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config).eval()


def t5() -> Any:
    config = T5Config(vocab_size=30_522, d_model=WIDTH, d_ff=37, d_kv=8, num_heads=4, num_layers=1)
    return T5EncoderModel(config).eval()


def vae(channels: int = 4, **config: Any) -> Any:
    return AutoencoderKL(
        block_out_channels=(8, 8, 16, 16), layers_per_block=1, latent_channels=channels, norm_num_groups=4,
        sample_size=64, down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, **config,
    ).eval()  # fmt: skip


def unet(**config: Any) -> Any:
    return UNet2DConditionModel(
        **{
            "block_out_channels": (8, 16), "layers_per_block": 1, "sample_size": 64, "norm_num_groups": 4,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "cross_attention_dim": WIDTH, "attention_head_dim": 4, **config,
        }
    ).eval()  # fmt: skip


def sd1(scheduler: Any = None) -> Any:
    torch.manual_seed(0)
    return StableDiffusionPipeline(
        vae=vae(), text_encoder=clip(), tokenizer=tokenizer(), unet=unet(),
        scheduler=scheduler or DDIMScheduler(**SD_SCHEDULE, clip_sample=False, steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def sdxl() -> Any:
    torch.manual_seed(0)
    added = {
        "addition_embed_type": "text_time", "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 6 * 8 + WIDTH, "cross_attention_dim": 2 * WIDTH,
    }  # fmt: skip
    return StableDiffusionXLPipeline(
        vae=vae(force_upcast=True), text_encoder=clip(), text_encoder_2=clip(projection=True),
        tokenizer=tokenizer(), tokenizer_2=tokenizer(), unet=unet(**added),
        scheduler=EulerDiscreteScheduler(**SD_SCHEDULE, timestep_spacing="leading", steps_offset=1),
        add_watermarker=False,
    )  # fmt: skip


def sd3() -> Any:
    torch.manual_seed(0)
    transformer = SD3Transformer2DModel(
        sample_size=16, patch_size=2, in_channels=16, num_layers=1, attention_head_dim=8,
        num_attention_heads=4, caption_projection_dim=WIDTH, joint_attention_dim=2 * WIDTH,
        pooled_projection_dim=2 * WIDTH, out_channels=16, pos_embed_max_size=32,
    ).eval()  # fmt: skip
    return StableDiffusion3Pipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae(16, shift_factor=0.06, scaling_factor=1.5),
        text_encoder=clip(projection=True), tokenizer=tokenizer(),
        text_encoder_2=clip(projection=True), tokenizer_2=tokenizer(), text_encoder_3=None, tokenizer_3=None,
    )  # fmt: skip


def flux() -> Any:
    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH,
        axes_dims_rope=(4, 4, 8), guidance_embeds=True,
    ).eval()  # fmt: skip
    return FluxPipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae(4, shift_factor=0.1), text_encoder=clip(), tokenizer=tokenizer(), text_encoder_2=t5(),
        tokenizer_2=tokenizer(),
    )  # fmt: skip
