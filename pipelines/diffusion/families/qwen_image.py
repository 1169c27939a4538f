"""Qwen-Image, and Krea 2, which shares its VAE: a VAE made for video, and a language model that reads.

Both put a fixed text before the prompt and leave its embeddings out again.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.families.base import PipelineFamily, Tokens, denoiser_of
from pipelines.diffusion.families.chat import count
from pipelines.diffusion.families.scaling import from_vae, to_vae

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.sampling.sampling import SamplingOptions

LONGEST: Final = 1024
"""Tokens of a prompt that Qwen-Image reads at most."""


class VideoVae(PipelineFamily):
    """A VAE that makes pictures as films of one: N×C×1×h×w."""

    def latent_channels(self, pipeline: Any) -> int:
        return int(pipeline.vae.config.z_dim)

    def encode_pixels(self, vae: Any, pixels: torch.Tensor) -> torch.Tensor:
        latents = vae.encode(pixels.unsqueeze(2)).latent_dist.mode().float().cpu()
        return from_vae(vae, latents).squeeze(2)

    def decode_latents(self, vae: Any, latents: torch.Tensor, device: Any) -> torch.Tensor:
        ready = to_vae(vae, latents.float()).unsqueeze(2).to(device=device, dtype=vae.dtype)
        pixels: torch.Tensor = vae.decode(ready, return_dict=False)[0][:, :, 0].float().cpu()
        return pixels


class QwenImage(VideoVae):
    """True guidance, after which a token is as long as without; no model of it is distilled so far."""

    embeddings = MappingProxyType({0: "prompt_embeds", 1: "prompt_embeds_mask"})
    widths = ("joint_attention_dim",)

    def named(self, pipeline: Any, result: Any) -> dict[str, torch.Tensor]:
        """A mask that hides nothing comes as none; without one, its pipeline would complain."""
        found = super().named(pipeline, result)
        if found and "prompt_embeds_mask" not in found:
            embeddings = found["prompt_embeds"]
            found["prompt_embeds_mask"] = embeddings.new_ones(embeddings.shape[:2]).long()
        return found

    def tokens(self, pipeline: Any) -> Tokens:
        before = pipeline.prompt_template_encode.partition("{}")[0]
        limit = LONGEST + int(pipeline.prompt_template_encode_start_idx)
        return Tokens(pipeline.tokenizer, limit, count(pipeline.tokenizer, before))

    def uses_negative(self, pipeline: Any, guidance_scale: float) -> bool:
        return guidance_scale > 1 and not _distilled(pipeline)

    def unpack(self, pipeline: Any, latents: torch.Tensor, width: int, height: int) -> torch.Tensor:
        return super().unpack(pipeline, latents, width, height).squeeze(2)

    def arguments(self, pipeline: Any, options: SamplingOptions) -> Mapping[str, Any]:
        distilled = _distilled(pipeline)
        return {
            "true_cfg_scale": 1.0 if distilled else options.guidance_scale,
            "guidance_scale": options.guidance_scale if distilled else None,
            "max_sequence_length": LONGEST,
        }


def _distilled(pipeline: Any) -> bool:
    """Whether guidance is an input of its transformer."""
    return bool(denoiser_of(pipeline).config.guidance_embeds)


class Krea2(VideoVae):
    """Several layers of its text encoder are read. Its pipeline counts guidance from 0, as something added to
    the prompt's own; here as everywhere 1 is none."""

    embeddings = MappingProxyType({0: "prompt_embeds", 1: "prompt_embeds_mask"})
    widths = ("text_hidden_dim",)

    def tokens(self, pipeline: Any) -> Tokens:
        found = super().tokens(pipeline)
        more = pipeline.prompt_template_encode_start_idx - pipeline.prompt_template_encode_num_suffix_tokens
        before = count(pipeline.tokenizer, pipeline.prompt_template_encode_prefix)
        return Tokens(pipeline.tokenizer, found.limit + int(more), before)

    def unpack(self, pipeline: Any, latents: torch.Tensor, width: int, height: int) -> torch.Tensor:
        unpacked: torch.Tensor = pipeline._unpack_latents(latents, height, width)
        return unpacked.squeeze(2)

    def arguments(self, pipeline: Any, options: SamplingOptions) -> Mapping[str, Any]:
        return {"guidance_scale": max(options.guidance_scale - 1, 0.0)}
