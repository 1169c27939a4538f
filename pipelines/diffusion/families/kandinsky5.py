"""Kandinsky 5: a transformer for film that draws pictures as films of one, its channels last."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.families.base import LatentLayout, PipelineFamily, Tokens, denoiser_of
from pipelines.diffusion.families.chat import count

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.sampling.sampling import SamplingOptions

_LENGTHS: Final = "prompt_cu_seqlens"
_LONGEST: Final = 512


class Kandinsky5(PipelineFamily):
    """Its pipeline would draw in seven sizes only."""

    def named(self, pipeline: Any, result: Any) -> dict[str, torch.Tensor]:
        """The tokens of each prompt are counted; its pipeline adds them up."""
        qwen, clip, ends = result
        return {"prompt_embeds_qwen": qwen, "prompt_embeds_clip": clip, _LENGTHS: ends.diff()}

    def batched(self, name: str, tensor: torch.Tensor, count: int) -> torch.Tensor:
        repeated = tensor.repeat_interleave(count, dim=0)
        if name != _LENGTHS:
            return repeated
        ends = repeated.new_zeros(count + 1)
        ends[1:] = repeated.cumsum(0)
        return ends

    def tokens(self, pipeline: Any) -> Tokens:
        tokenizer = pipeline.tokenizer.tokenizer  # the processor's: no picture is shown to the text encoder
        before = pipeline.prompt_template.partition("{}")[0]
        limit = _LONGEST + int(pipeline.prompt_template_encode_start_idx)
        return Tokens(tokenizer, limit, count(tokenizer, before))

    def layout(self, pipeline: Any) -> LatentLayout:
        channels = int(denoiser_of(pipeline).config.in_visual_dim)
        return LatentLayout(channels, self.factor(pipeline), self.packed(pipeline))

    def factor(self, pipeline: Any) -> int:
        return int(pipeline.vae_scale_factor_spatial)

    def packed(self, pipeline: Any) -> bool:
        return True

    def size_multiple(self, pipeline: Any) -> int:
        return math.lcm(8, 2 * self.factor(pipeline))

    def pack(self, pipeline: Any, latents: torch.Tensor) -> torch.Tensor:
        return latents.permute(0, 2, 3, 1).unsqueeze(1).contiguous()

    def unpack(self, pipeline: Any, latents: torch.Tensor, width: int, height: int) -> torch.Tensor:
        return latents[:, 0].permute(0, 3, 1, 2)

    def encode_pixels(self, vae: Any, pixels: torch.Tensor) -> torch.Tensor:
        """Its VAE is that of FLUX.1, whose shift it leaves out."""
        latents: torch.Tensor = vae.encode(pixels).latent_dist.mode().float().cpu()
        return latents * float(vae.config.scaling_factor)

    def decode_latents(self, vae: Any, latents: torch.Tensor, device: Any) -> torch.Tensor:
        ready = latents.float() / float(vae.config.scaling_factor)
        pixels: torch.Tensor = vae.decode(ready.to(device=device, dtype=vae.dtype), return_dict=False)[0]
        return pixels.float().cpu()

    def prepare(self, pipeline: Any, options: SamplingOptions) -> None:
        vars(pipeline)["resolutions"] = [(options.width, options.height)]
