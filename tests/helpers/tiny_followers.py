"""Tiny pipelines of models that see a control picture themselves, with random weights: FLUX.1 Control, and
Stable Diffusion 2 made for depth."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxControlPipeline,
    FluxTransformer2DModel,
    StableDiffusionDepth2ImgPipeline,
)
from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessor

from tests.helpers import tiny_pipelines
from tests.helpers.tiny_pipelines import SD_SCHEDULE, WIDTH, clip, t5, tokenizer, vae


def flux_control() -> Any:
    """A transformer that sees the latents of a control picture in each token."""
    torch.manual_seed(0)
    latent = 4
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=8 * latent, out_channels=4 * latent, num_layers=1, num_single_layers=1,
        attention_head_dim=16, num_attention_heads=2, joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH,
        axes_dims_rope=(4, 4, 8), guidance_embeds=True,
    ).eval()  # fmt: skip
    return FluxControlPipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=without_chance(vae(latent, shift_factor=0.1)), text_encoder=clip(), tokenizer=tokenizer(),
        text_encoder_2=t5(), tokenizer_2=tokenizer(),
    )  # fmt: skip


def sd2_depth() -> Any:
    """With an estimator of depth in its folder."""
    torch.manual_seed(0)
    config = DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=24, image_size=32,
        patch_size=8, backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
        reassemble_factors=[4, 2, 1, 0.5], is_hybrid=False, readout_type="project",
    )  # fmt: skip
    size = {"height": 32, "width": 32}
    return StableDiffusionDepth2ImgPipeline(
        vae=without_chance(vae()), text_encoder=clip(), tokenizer=tokenizer(),
        unet=tiny_pipelines.unet(in_channels=5, sample_size=8),
        scheduler=DDIMScheduler(**SD_SCHEDULE, clip_sample=False, steps_offset=1),
        depth_estimator=DPTForDepthEstimation(config).eval(), feature_extractor=DPTImageProcessor(size=size),
    )  # fmt: skip


def without_chance(made: Any) -> Any:
    """A VAE whose posterior is as sure as ours is taken to be: then the bare library call is comparable."""
    channels = made.config.latent_channels
    with torch.no_grad():
        made.quant_conv.weight[channels:] = 0
        made.quant_conv.bias[channels:] = -100
    return made
