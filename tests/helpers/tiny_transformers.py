"""Tiny diffusion transformers with random weights and the text encoders they are made with: one of each
family."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    AuraFlowPipeline,
    AuraFlowTransformer2DModel,
    AutoencoderDC,
    ChromaPipeline,
    ChromaTransformer2DModel,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    Lumina2Pipeline,
    Lumina2Transformer2DModel,
    PixArtAlphaPipeline,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
    SanaPipeline,
    SanaSprintPipeline,
    SanaTransformer2DModel,
    SCMScheduler,
)
from transformers import Gemma2Config, Gemma2Model, T5Config, T5EncoderModel, UMT5Config, UMT5EncoderModel

from tests.helpers import tiny_pipelines
from tests.helpers.tiny_pipelines import SD_SCHEDULE, WIDTH, clip, tokenizer, vae
from tests.helpers.tiny_tokenizers import VOCABULARY, gemma_tokenizer, llama_tokenizer, t5_tokenizer


def t5(width: int = WIDTH) -> Any:
    config = T5Config(vocab_size=VOCABULARY, d_model=width, d_ff=37, d_kv=8, num_heads=4, num_layers=1)
    return T5EncoderModel(config).eval()


def gemma() -> Any:
    config = Gemma2Config(
        vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=37, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=16, sliding_window=64,
        query_pre_attn_scalar=16,
    )  # fmt: skip
    return Gemma2Model(config).eval()


def sd3() -> Any:
    """Stable Diffusion 3 without the third text encoder."""
    return tiny_pipelines.sd3()


def sd3_t5() -> Any:
    """The same with all three."""
    pipeline = tiny_pipelines.sd3()
    pipeline.register_modules(text_encoder_3=t5(2 * WIDTH), tokenizer_3=t5_tokenizer())
    return pipeline


def _flux(guidance_embeds: bool) -> Any:
    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH,
        axes_dims_rope=(4, 4, 8), guidance_embeds=guidance_embeds,
    ).eval()  # fmt: skip
    return FluxPipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=guidance_embeds),
        vae=vae(4, shift_factor=0.1), text_encoder=clip(), tokenizer=tokenizer(), text_encoder_2=t5(),
        tokenizer_2=t5_tokenizer(),
    )  # fmt: skip


def flux_dev() -> Any:
    return _flux(guidance_embeds=True)


def flux_schnell() -> Any:
    return _flux(guidance_embeds=False)


def chroma(layers: int = 1) -> Any:
    torch.manual_seed(0)
    transformer = ChromaTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=layers, num_single_layers=layers, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=WIDTH, axes_dims_rope=(4, 4, 8),
        approximator_num_channels=8, approximator_hidden_dim=16, approximator_layers=1,
    ).eval()  # fmt: skip
    return ChromaPipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae(4, shift_factor=0.1), text_encoder=t5(), tokenizer=t5_tokenizer(),
    )  # fmt: skip


def _pixart(kind: Any, sized: bool) -> Any:
    torch.manual_seed(0)
    transformer = PixArtTransformer2DModel(
        sample_size=8, num_layers=1, patch_size=2, attention_head_dim=8, num_attention_heads=4,
        caption_channels=WIDTH, in_channels=4, cross_attention_dim=32, out_channels=8, attention_bias=True,
        activation_fn="gelu-approximate", num_embeds_ada_norm=1000, norm_type="ada_norm_single",
        norm_elementwise_affine=False, norm_eps=1e-6, use_additional_conditions=sized,
    ).eval()  # fmt: skip
    return kind(
        transformer=transformer, vae=vae(), text_encoder=t5(), tokenizer=t5_tokenizer(),
        scheduler=DPMSolverMultistepScheduler(**{**SD_SCHEDULE, "beta_schedule": "linear"}),
    )  # fmt: skip


def pixart_alpha() -> Any:
    return _pixart(PixArtAlphaPipeline, sized=False)


def pixart_sigma() -> Any:
    return _pixart(PixArtSigmaPipeline, sized=False)


def auraflow(layers: int = 1) -> Any:
    torch.manual_seed(0)
    transformer = AuraFlowTransformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, num_mmdit_layers=layers, num_single_dit_layers=layers,
        attention_head_dim=8, num_attention_heads=4, caption_projection_dim=WIDTH, joint_attention_dim=WIDTH,
        pos_embed_max_size=256,
    ).eval()  # fmt: skip
    config = UMT5Config(vocab_size=VOCABULARY, d_model=WIDTH, d_ff=37, d_kv=8, num_heads=4, num_layers=1)
    return AuraFlowPipeline(
        transformer=transformer, vae=vae(), text_encoder=UMT5EncoderModel(config).eval(),
        tokenizer=llama_tokenizer(), scheduler=FlowMatchEulerDiscreteScheduler(shift=1.73),
    )  # fmt: skip


def dc_ae() -> Any:
    """32 latent channels, 32 pixels of a side to one latent pixel."""
    widths = (8, 8, 8, 8, 16, 32)
    return AutoencoderDC(
        latent_channels=32, attention_head_dim=8, encoder_block_out_channels=widths,
        decoder_block_out_channels=widths, encoder_layers_per_block=(1,) * 6,
        decoder_layers_per_block=(1,) * 6, encoder_qkv_multiscales=((),) * 6,
        decoder_qkv_multiscales=((),) * 6, scaling_factor=0.41407,
    ).eval()  # fmt: skip


def _sana(kind: Any, scheduler: Any, **config: Any) -> Any:
    torch.manual_seed(0)
    transformer = SanaTransformer2DModel(
        patch_size=1, in_channels=32, out_channels=32, num_layers=1, num_attention_heads=2,
        attention_head_dim=16, num_cross_attention_heads=2, cross_attention_head_dim=16,
        cross_attention_dim=32,
        caption_channels=WIDTH, sample_size=2, **config,
    ).eval()  # fmt: skip
    return kind(
        transformer=transformer, vae=dc_ae(), text_encoder=gemma(), tokenizer=gemma_tokenizer(),
        scheduler=scheduler,
    )  # fmt: skip


def sana() -> Any:
    flow = {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 3.0}
    return _sana(SanaPipeline, DPMSolverMultistepScheduler(**flow))


def sana_sprint() -> Any:
    return _sana(SanaSprintPipeline, SCMScheduler(), guidance_embeds=True, qk_norm="rms_norm_across_heads")


def lumina2(layers: int = 1) -> Any:
    torch.manual_seed(0)
    transformer = Lumina2Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, hidden_size=WIDTH, num_layers=layers,
        num_refiner_layers=1, num_attention_heads=2, num_kv_heads=1, multiple_of=16, scaling_factor=1.0,
        axes_dim_rope=(4, 4, 8), axes_lens=(300, 64, 64), cap_feat_dim=WIDTH,
    ).eval()  # fmt: skip
    return Lumina2Pipeline(
        transformer=transformer, vae=vae(4, shift_factor=0.1), text_encoder=gemma(),
        tokenizer=gemma_tokenizer(), scheduler=FlowMatchEulerDiscreteScheduler(shift=6.0),
    )  # fmt: skip
