"""What has no effect, or can't be chosen, with a given model: names of params and samplers, each with the reason."""

from __future__ import annotations

from pipelines.models.probe import Probe


def unavailable(probe: Probe) -> dict[str, str]:
    """Param name, or ``sampler:NAME``, -> why it has no effect with this diffusion model."""
    limits: dict[str, str] = {}
    if not str(probe.facts.get("text_encoder", "CLIPTextModel")).startswith("CLIP"):
        limits["clip_skip"] = "This model has no CLIP text encoder."
    return limits
