"""A tiny refiner of SDXL with random weights: one text encoder, the second, and a score instead of a size."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

from tests.helpers import tiny_pipelines as tiny


def sdxl_refiner() -> Any:
    torch.manual_seed(8)
    added = {
        "addition_embed_type": "text_time", "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 5 * 8 + tiny.WIDTH, "cross_attention_dim": tiny.WIDTH,
    }  # fmt: skip
    return StableDiffusionXLPipeline(
        vae=tiny.vae(force_upcast=True), text_encoder=None, text_encoder_2=tiny.clip(projection=True),
        tokenizer=None, tokenizer_2=tiny.tokenizer(), unet=tiny.unet(**added),
        scheduler=EulerDiscreteScheduler(**tiny.SD_SCHEDULE, timestep_spacing="leading", steps_offset=1),
        force_zeros_for_empty_prompt=False, add_watermarker=False,
    )  # fmt: skip
