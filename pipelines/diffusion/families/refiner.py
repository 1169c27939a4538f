"""The refiner of Stable Diffusion XL (Podell et al. 2023, "SDXL: Improving Latent Diffusion Models for
High-Resolution Image Synthesis", section 2.5): it knows the last, least noisy steps alone.

It is told how beautiful a picture is to be where the base model is told its size, and reads the prompt with
the second text encoder alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.families.base import PipelineFamily

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.sampling.sampling import SamplingOptions

BEAUTY: Final = 6.0
PLAIN: Final = 2.5
"""Aesthetic scores that a picture is to have, and not to have: those its makers chose."""
_TOLD: Final = 5
"""Numbers it is told: height and width, where the crop begins, and the score."""


def refines(pipeline: Any) -> bool:
    """Whether the U-Net is told one number less than that of the base model."""
    unet, encoder = getattr(pipeline, "unet", None), getattr(pipeline, "text_encoder_2", None)
    config = getattr(unet, "config", None)
    if config is None or encoder is None or config.addition_embed_type != "text_time":
        return False
    told = config.projection_class_embeddings_input_dim - encoder.config.projection_dim
    return bool(told == _TOLD * config.addition_time_embed_dim)


class Refiner(PipelineFamily):
    """The plain pipeline of SDXL, told a score instead of a size."""

    def prepare(self, pipeline: Any, options: SamplingOptions) -> None:
        scores = iter((BEAUTY, PLAIN))  # asked for the prompt first, then for the negative one

        def told(
            original_size: tuple[int, int], crops_coords_top_left: tuple[int, int], *_: Any,
            dtype: torch.dtype, **__: Any,
        ) -> torch.Tensor:  # fmt: skip
            import torch

            return torch.tensor([[*original_size, *crops_coords_top_left, next(scores)]], dtype=dtype)

        vars(pipeline)["_get_add_time_ids"] = told

    def arguments(self, pipeline: Any, options: SamplingOptions) -> Mapping[str, Any]:
        """Sizes for the negative prompt, so that it is told numbers of its own."""
        size = (options.height, options.width)
        return {"negative_original_size": size, "negative_target_size": size}

    def refusal(self, pipeline: Any, from_picture: bool) -> str:
        if from_picture:
            return ""
        return "It refines pictures that another model has begun, and can't draw one from a prompt alone."
