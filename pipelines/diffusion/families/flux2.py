"""FLUX.2 and its small version klein: a token is a pixel of latents whose 2×2 pixels became channels.

Latents travel so, in the scaling of the VAE's batch normalisation: 128 channels, a pixel of which is 16 of
the picture's.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.families.base import NOTHING, LatentLayout, Tokens, denoiser_of
from pipelines.diffusion.families.chat import count, laid_out
from pipelines.diffusion.families.looking import Beside, Looking, Size, reduced
from pipelines.diffusion.wrapped import wrap_denoiser
from pipelines.graph.values import Image

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.sampling.sampling import SamplingOptions

_QWEN_BEFORE: Final = "<|im_start|>user\n"
_QWEN_AFTER: Final = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"


class Flux2(Looking):
    """Guidance is an input of its transformer; there is no negative prompt. It draws from a prompt alone, and
    looks at pictures where there are some."""

    most = 10
    needed = False
    embeddings = MappingProxyType({0: "prompt_embeds"})
    widths = ("joint_attention_dim",)

    def encode(self, pipeline: Any, text: str, device: Any, clip_skip: int, negative: bool) -> Any:
        before, after = self._round(pipeline)
        return laid_out(pipeline, self._tokenizer(pipeline), before, after).encode_prompt(text, device=device)

    def tokens(self, pipeline: Any) -> Tokens:
        tokenizer, (before, _) = self._tokenizer(pipeline), self._round(pipeline)
        return Tokens(tokenizer, int(pipeline.tokenizer_max_length), count(tokenizer, before))

    def _tokenizer(self, pipeline: Any) -> Any:
        """The processor's own: no picture is shown to its text encoder."""
        return pipeline.tokenizer.tokenizer

    def _round(self, pipeline: Any) -> tuple[str, str]:
        """What stands before and after a prompt."""
        return f"<s>[SYSTEM_PROMPT]{pipeline.system_message}[/SYSTEM_PROMPT][INST]", "[/INST]"

    # --- latents ---

    def layout(self, pipeline: Any) -> LatentLayout:
        channels = int(denoiser_of(pipeline).config.in_channels)
        return LatentLayout(channels, self.factor(pipeline), self.packed(pipeline))

    def latent_channels(self, pipeline: Any) -> int:
        return 4 * super().latent_channels(pipeline)

    def factor(self, pipeline: Any) -> int:
        return 2 * super().factor(pipeline)

    def packed(self, pipeline: Any) -> bool:
        return True

    def mask_channels(self, pipeline: Any) -> int:
        return 0

    def size_multiple(self, pipeline: Any) -> int:
        return self.factor(pipeline)

    def pack(self, pipeline: Any, latents: torch.Tensor) -> torch.Tensor:
        return latents.flatten(2).transpose(1, 2)

    def unpack(self, pipeline: Any, latents: torch.Tensor, width: int, height: int) -> torch.Tensor:
        """The pipeline of klein hands out what its VAE would take."""
        if latents.ndim == 4:
            return _normalised(pipeline.vae, latents)
        _, h, w = self.layout(pipeline).shape(width, height)
        return latents.transpose(1, 2).unflatten(2, (h, w))

    def prepare(self, pipeline: Any, options: SamplingOptions) -> None:
        """Of what it steps on as tokens, its pipeline takes the beginning as a picture."""
        original = pipeline.prepare_latents

        @functools.wraps(original)
        def prepare_latents(*, latents: torch.Tensor, **named: Any) -> Any:
            picture = self.unpack(pipeline, latents, options.width, options.height)
            return original(latents=picture, **named)

        vars(pipeline)["prepare_latents"] = prepare_latents

    # --- pictures that are looked at ---

    def seen(self, pipeline: Any, image: Image, native: Size, drawn: Size) -> Image:
        """Smaller pictures are seen as they are."""
        return reduced(image, math.prod(native), self.size_multiple(pipeline))

    def look(
        self, pipeline: Any, latents: Sequence[torch.Tensor], options: SamplingOptions
    ) -> Mapping[str, Any]:
        import torch

        tokens = torch.cat([self.pack(pipeline, picture) for picture in latents], dim=1)
        places = pipeline._prepare_image_ids(list(latents))

        def more(named: dict[str, Any]) -> dict[str, Any]:
            drawn = named["img_ids"]
            return {**named, "img_ids": torch.cat([drawn, places.to(drawn).expand(len(drawn), -1, -1)], 1)}

        wrap_denoiser(pipeline, lambda inner: Beside(inner, tokens, more))
        return NOTHING

    # --- the VAE ---

    def encode_pixels(self, vae: Any, pixels: torch.Tensor) -> torch.Tensor:
        return _normalised(vae, vae.encode(pixels).latent_dist.mode().float().cpu())

    def decode_latents(self, vae: Any, latents: torch.Tensor, device: Any) -> torch.Tensor:
        import torch

        mean, deviation = _statistics(vae, latents)
        ready = torch.nn.functional.pixel_shuffle(latents.float() * deviation + mean, 2)
        pixels: torch.Tensor = vae.decode(ready.to(device=device, dtype=vae.dtype), return_dict=False)[0]
        return pixels.float().cpu()


class Flux2Klein(Flux2):
    """Four steps without guidance where it is distilled, else true guidance."""

    def _tokenizer(self, pipeline: Any) -> Any:
        return pipeline.tokenizer

    def _round(self, pipeline: Any) -> tuple[str, str]:
        return _QWEN_BEFORE, _QWEN_AFTER

    def uses_negative(self, pipeline: Any, guidance_scale: float) -> bool:
        return guidance_scale > 1 and not pipeline.config.is_distilled

    def arguments(self, pipeline: Any, options: SamplingOptions) -> Mapping[str, Any]:
        return {"guidance_scale": 1.0 if pipeline.config.is_distilled else options.guidance_scale}


def _normalised(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """N×C×h×w as the VAE gives it -> N×4C×h/2×w/2 float32, of mean 0 and deviation 1."""
    import torch

    folded = torch.nn.functional.pixel_unshuffle(latents.float(), 2)
    mean, deviation = _statistics(vae, folded)
    return (folded - mean) / deviation


def _statistics(vae: Any, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    mean = vae.bn.running_mean.view(1, -1, 1, 1).to(like.device, torch.float32)
    variance = vae.bn.running_var.view(1, -1, 1, 1).to(like.device, torch.float32)
    return mean, torch.sqrt(variance + vae.config.batch_norm_eps)
