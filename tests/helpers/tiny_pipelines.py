"""Tiny diffusers pipelines with random weights, made from configs in milliseconds: one of each family."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    DDPMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxFillPipeline,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionLatentUpscalePipeline,
    StableDiffusionPipeline,
    StableDiffusionUpscalePipeline,
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


def flux_fill() -> Any:
    """A transformer that sees the mask (8×8 pixels a latent pixel) and the masked picture in each token."""
    torch.manual_seed(0)
    latent = 4
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=4 * (2 * latent + 64), out_channels=4 * latent, num_layers=1,
        num_single_layers=1, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH, axes_dims_rope=(4, 4, 8), guidance_embeds=True,
    ).eval()  # fmt: skip
    return FluxFillPipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae(latent, shift_factor=0.1), text_encoder=clip(), tokenizer=tokenizer(), text_encoder_2=t5(),
        tokenizer_2=tokenizer(),
    )  # fmt: skip


def x4_upscaler() -> Any:
    """Sees the small picture beside latents of the same size; its VAE enlarges by 4."""
    torch.manual_seed(0)
    schedule = {**SD_SCHEDULE, "prediction_type": "v_prediction"}
    small = AutoencoderKL(
        block_out_channels=(8, 8, 16), layers_per_block=1, latent_channels=4, norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
        scaling_factor=0.08333,
    ).eval()  # fmt: skip
    return StableDiffusionUpscalePipeline(
        vae=small, text_encoder=clip(), tokenizer=tokenizer(),
        unet=unet(in_channels=7, num_class_embeds=1000, sample_size=64),
        low_res_scheduler=DDPMScheduler(**SD_SCHEDULE),
        scheduler=DDIMScheduler(**schedule, clip_sample=False, set_alpha_to_one=False, steps_offset=1),
        max_noise_level=350,
    )  # fmt: skip


def latent_upscaler() -> Any:
    """Sees the latents of the picture, twice as large, beside those it draws; knows how noisy they are."""
    torch.manual_seed(0)
    return StableDiffusionLatentUpscalePipeline(
        vae=vae(), text_encoder=clip(), tokenizer=tokenizer(),
        unet=unet(
            in_channels=8, out_channels=5, time_cond_proj_dim=128 + WIDTH, sample_size=16,
            down_block_types=("KDownBlock2D", "KCrossAttnDownBlock2D", "KCrossAttnDownBlock2D"),
            up_block_types=("KCrossAttnUpBlock2D", "KCrossAttnUpBlock2D", "KUpBlock2D"), mid_block_type=None,
            block_out_channels=(32, 64, 64), layers_per_block=2, attention_head_dim=8, act_fn="gelu",
            norm_num_groups=None, conv_in_kernel=1, conv_out_kernel=1, time_embedding_type="fourier",
            resnet_time_scale_shift="scale_shift", timestep_post_act="gelu",
        ),
        scheduler=EulerDiscreteScheduler(prediction_type="sample"),
    )  # fmt: skip


def control_net(unet: Any) -> Any:
    """A control network for a U-Net. Real ones begin with zeros at their ends; these say something."""
    torch.manual_seed(1)
    network = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 8, 8, 8)).eval()
    for layer in (*network.controlnet_down_blocks, network.controlnet_mid_block):
        torch.nn.init.normal_(layer.weight, std=0.5)
    torch.nn.init.normal_(network.controlnet_cond_embedding.conv_out.weight, std=0.5)
    return network
