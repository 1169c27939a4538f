"""Tiny pipelines of models that edit pictures, with random weights: FLUX.1 Kontext, both kinds of
Qwen-Image-Edit, InstructPix2Pix of Stable Diffusion 1.x and XL, Kandinsky 5 made for editing."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    FluxKontextPipeline,
    Kandinsky5I2IPipeline,
    QwenImageEditPipeline,
    QwenImageEditPlusPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionXLInstructPix2PixPipeline,
)

from tests.helpers import tiny_large, tiny_pipelines


def kontext() -> Any:
    parts = tiny_pipelines.flux().components
    return FluxKontextPipeline(**{**parts, "image_encoder": None, "feature_extractor": None})


def qwen_edit(kind: Any = QwenImageEditPipeline) -> Any:
    torch.manual_seed(0)
    return kind(
        scheduler=tiny_large.shifting(), vae=tiny_large.qwen_vae(), text_encoder=tiny_large.qwen_vl(),
        tokenizer=tiny_large.qwen_tokenizer(), processor=tiny_large.qwen_processor(),
        transformer=tiny_large.qwen_transformer(),
    )  # fmt: skip


def qwen_edit_plus() -> Any:
    return qwen_edit(QwenImageEditPlusPipeline)


def sd1_edit() -> Any:
    parts = tiny_pipelines.sd1().components
    parts["unet"] = tiny_pipelines.unet(in_channels=8, sample_size=8)
    return StableDiffusionInstructPix2PixPipeline(**parts, requires_safety_checker=False)


def sdxl_edit() -> Any:
    parts = tiny_pipelines.sdxl().components
    same = ("addition_embed_type", "addition_time_embed_dim", "projection_class_embeddings_input_dim")
    config = {name: parts["unet"].config[name] for name in (*same, "cross_attention_dim")}
    parts["unet"] = tiny_pipelines.unet(in_channels=8, sample_size=8, **config)
    for name in ("image_encoder", "feature_extractor"):
        parts.pop(name)
    return StableDiffusionXLInstructPix2PixPipeline(**parts, add_watermarker=False)


def kandinsky5_edit() -> Any:
    made = tiny_large.kandinsky5(Kandinsky5I2IPipeline, visual_cond=True)
    with torch.no_grad():  # the posterior without chance, as ours is
        made.vae.quant_conv.weight[tiny_large.LATENT :] = 0
        made.vae.quant_conv.bias[tiny_large.LATENT :] = -100
    return made


EDITORS = {
    "flux-kontext": kontext, "qwen-image-edit": qwen_edit, "qwen-image-edit-plus": qwen_edit_plus,
    "sd1-edit": sd1_edit, "sdxl-edit": sdxl_edit, "kandinsky5-edit": kandinsky5_edit,
}  # fmt: skip
