"""Models that see a control picture themselves, beside the latents that are drawn: FLUX.1 Canny and Depth in
each token, Stable Diffusion 2 made for depth in one more channel of its U-Net.

As with models that look at references (:mod:`.looking`), what is seen is put before the denoiser of a run's
own pipeline, so that batches, starting from a picture, masks and samplers work as they do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pipelines.diffusion.families.base import NOTHING, LatentLayout, PipelineFamily
from pipelines.diffusion.wrapped import WrappedDenoiser, wrap_denoiser

if TYPE_CHECKING:
    import torch


class Following(PipelineFamily):
    """What they have in common."""

    wanted: ClassVar[str] = "lines or depth"
    """What the control picture must show, for the user."""
    by_depth: ClassVar[bool] = False
    """Whether it sees a depth as it is, and not a picture's latent: then it can be told from the picture that
    a drawing starts from."""

    def layout(self, pipeline: Any) -> LatentLayout:
        return LatentLayout(self.latent_channels(pipeline), self.factor(pipeline), self.packed(pipeline))

    def follow(self, pipeline: Any, seen: torch.Tensor) -> Mapping[str, Any]:
        """Let a run's own copy of the pipeline see a control picture.

        Args:
            seen: 1×C×h×w float32 on the CPU: its latent in the model's scaling, or its depth in -1..1.

        Returns:
            More arguments of its call.
        """
        return NOTHING


class FluxControl(Following):
    """FLUX.1 Canny or Depth: the control picture's latent follows that of the drawing in each token. Which of
    the two a model was trained with, its tensors don't tell.
    """

    wanted = "Canny edges or depth, whichever it was trained with"

    def follow(self, pipeline: Any, seen: torch.Tensor) -> Mapping[str, Any]:
        packed = self.pack(pipeline, seen)

        def prepare_image(*_: Any, batch_size: int, device: Any, **named: Any) -> torch.Tensor:
            """In the form that diffusers' pipeline takes over without encoding it, by chance."""
            return packed.to(device, pipeline.transformer.dtype).expand(batch_size, -1, -1)

        # Past the pipeline's own __setattr__, which is for components.
        vars(pipeline)["prepare_image"] = prepare_image
        return {"control_image": seen}


class Depth(Following):
    """Stable Diffusion 2 made for depth."""

    wanted = "depth"
    by_depth = True

    def follow(self, pipeline: Any, seen: torch.Tensor) -> Mapping[str, Any]:
        wrap_denoiser(pipeline, lambda inner: _Deep(inner, seen))
        return NOTHING


WANTED: Final[Mapping[str, str]] = {"flux-control": FluxControl.wanted, "sd2-depth": Depth.wanted}
"""By family: what the control picture must show."""


def sees_depth(pipeline: Any) -> bool:
    """Whether a U-Net sees one channel more than a picture's latents have."""
    channels = getattr(getattr(pipeline, "unet", None), "config", None)
    latent = getattr(getattr(getattr(pipeline, "vae", None), "config", None), "latent_channels", 0)
    return bool(latent) and getattr(channels, "in_channels", 0) == latent + 1


class _Deep(WrappedDenoiser):
    """A U-Net that sees a depth, 1×1×h×w, beside the latents it is asked about."""

    def __init__(self, inner: Any, depth: torch.Tensor) -> None:
        super().__init__(inner)
        self._depth = depth

    def __call__(self, sample: torch.Tensor, timestep: Any, **named: Any) -> Any:
        import torch

        depth = self._depth.to(sample).expand(len(sample), -1, -1, -1)
        return self._inner(torch.cat([sample, depth], dim=1), timestep, **named)
