"""InstructPix2Pix (Brooks, Holynski & Efros 2023): U-Nets that see a picture in more channels of their input.

They know two scales of guidance (section 3.2): how far from the picture to the instruction, and how close to
the picture. The plain pipelines of Stable Diffusion guide by two answers of the U-Net; the three that are
needed are asked for here, and their sum is told so that the pipeline arrives at the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.diffusion.families.base import NOTHING, LatentLayout
from pipelines.diffusion.families.looking import Looking, Size
from pipelines.diffusion.families.scaling import to_vae
from pipelines.diffusion.wrapped import WrappedDenoiser, wrap_denoiser
from pipelines.graph.values import Image
from pipelines.image import resize

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.sampling.sampling import SamplingOptions


class Pix2Pix(Looking):
    """One picture, in the size of what is drawn, in the VAE's own scaling."""

    one_prompt = True

    def layout(self, pipeline: Any) -> LatentLayout:
        return LatentLayout(self.latent_channels(pipeline), self.factor(pipeline), packed=False)

    def seen(self, pipeline: Any, image: Image, native: Size, drawn: Size) -> Image:
        return resize(image, *drawn)

    def look(
        self, pipeline: Any, latents: Sequence[torch.Tensor], options: SamplingOptions
    ) -> Mapping[str, Any]:
        (picture,) = latents
        shown = to_vae(pipeline.vae, picture)
        guided = options.guidance_scale, options.image_guidance_scale
        wrap_denoiser(pipeline, lambda inner: _Seeing(inner, shown, guided))
        return NOTHING


def sees_picture(pipeline: Any) -> bool:
    """Whether a U-Net sees as many channels more as a picture's latents have."""
    channels = getattr(getattr(pipeline, "unet", None), "config", None)
    latent = getattr(getattr(getattr(pipeline, "vae", None), "config", None), "latent_channels", 0)
    return bool(latent) and getattr(channels, "in_channels", 0) == 2 * latent


class _Seeing(WrappedDenoiser):
    """A U-Net that sees a picture's latents, 1×C×h×w, beside those it is asked about.

    Args:
        guided: the guidance scale and the image guidance scale.
    """

    def __init__(self, inner: Any, shown: torch.Tensor, guided: tuple[float, float]) -> None:
        super().__init__(inner)
        self._shown, (self._scale, self._image_scale) = shown, guided

    def __call__(self, sample: torch.Tensor, timestep: Any, **named: Any) -> Any:
        import torch

        shown = self._shown.to(sample)
        if self._scale <= 1:
            beside = shown.expand(len(sample), -1, -1, -1)
            return self._inner(torch.cat([sample, beside], dim=1), timestep, **named)
        # (unwanted, prompt) becomes (unwanted without the picture, unwanted, prompt).
        count = len(sample) // 2
        beside = torch.cat([torch.zeros_like(shown), shown, shown]).repeat_interleave(count, dim=0)
        thrice = torch.cat([_first_twice(sample), beside], dim=1)
        answer = self._inner(thrice, timestep, **{name: _thrice(value) for name, value in named.items()})
        nothing, unwanted, wanted = answer[0].chunk(3)
        told = wanted - unwanted + self._image_scale / self._scale * (unwanted - nothing)
        return (torch.cat([nothing, nothing + told]), *answer[1:])


def _first_twice(tensor: torch.Tensor) -> torch.Tensor:
    import torch

    first, second = tensor.chunk(2)
    return torch.cat([first, first, second])


def _thrice(value: Any) -> Any:
    """An argument of the call for three instead of two: the embeddings, also those within others."""
    import torch

    if isinstance(value, Mapping):
        return {name: _thrice(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):  # what control networks add
        return [_thrice(inner) for inner in value]
    return _first_twice(value) if isinstance(value, torch.Tensor) and value.ndim > 1 else value
