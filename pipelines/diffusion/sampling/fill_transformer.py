"""Transformers made for filling (Flux Fill): they see the mask and the masked picture in every token.

diffusers' own pipeline denoises and puts the parts of a token together. The masked picture comes from us,
encoded once, without chance, and in full precision where half precision overflows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.diffusion.latents.shape import LatentLayout, pack

if TYPE_CHECKING:
    import torch


def show_condition(
    pipeline: Any, condition: torch.Tensor | None, found: LatentLayout, width: int, height: int
) -> dict[str, Any]:
    """Let one run's copy of a fill pipeline see ``condition``; what its call needs for that.

    Args:
        pipeline: the copy, which belongs to the run.
        condition: 1×(M + C)×h×w, the mask's M pixels below each latent pixel, then the masked picture's
            latents; None for other models.

    Returns:
        Arguments of the pipeline's call; none for a pipeline whose denoiser sees the condition by other ways.
    """
    import torch

    if condition is None or not found.packed:
        return {}
    mask, masked = condition.split([condition.shape[1] - found.channels, found.channels], dim=1)

    def prepare_mask_latents(
        _mask: Any, _masked_image: Any, batch_size: int, *_rest: Any, **_named: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        device = pipeline._execution_device
        parts = (part.to(device, pipeline.transformer.dtype) for part in (mask, masked))
        packed = [pack(pipeline, part.expand(batch_size, -1, -1, -1), found) for part in parts]
        return packed[0], packed[1]

    # Past the pipeline's own __setattr__, which is for components.
    vars(pipeline)["prepare_mask_latents"] = prepare_mask_latents
    # It looks at the sizes of these alone.
    return {"image": torch.zeros(1, 3, height, width), "mask_image": torch.zeros(1, 1, height, width)}
