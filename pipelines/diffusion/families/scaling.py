"""The way into and out of a VAE's own scaling: ``(z - shift) * scale``, or by channel where the VAE has a
mean and a standard deviation of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def to_vae(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Latents in the model's scaling -> what ``vae.decode`` takes."""
    statistics = _statistics(vae, latents)
    if statistics is not None:
        mean, deviation = statistics
        return latents * deviation / _factor(vae) + mean
    shift = float(getattr(vae.config, "shift_factor", None) or 0.0)
    return latents / _factor(vae) + shift


def from_vae(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """What ``vae.encode`` gives -> latents in the model's scaling."""
    statistics = _statistics(vae, latents)
    if statistics is not None:
        mean, deviation = statistics
        return (latents - mean) * _factor(vae) / deviation
    shift = float(getattr(vae.config, "shift_factor", None) or 0.0)
    return (latents - shift) * _factor(vae)


def _factor(vae: Any) -> float:
    """VAEs that state no factor (Qwen-Image's) give what the model takes."""
    return float(getattr(vae.config, "scaling_factor", None) or 1.0)


def _statistics(vae: Any, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Mean and standard deviation per channel, where the VAE has both."""
    import torch

    mean = getattr(vae.config, "latents_mean", None)
    deviation = getattr(vae.config, "latents_std", None)
    if mean is None or deviation is None:
        return None
    shape = (1, -1, *(1,) * (like.ndim - 2))
    return (
        torch.tensor(mean, dtype=like.dtype, device=like.device).view(shape),
        torch.tensor(deviation, dtype=like.dtype, device=like.device).view(shape),
    )
