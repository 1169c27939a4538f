"""What has no effect, or can't be chosen, with a given model: names of params and samplers, each with the
reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.diffusion.samplers.table import availability
from pipelines.models.families.abilities import NO_WORDS, limits_of
from pipelines.models.probing.probe import Probe
from pipelines.models.probing.single_file import schedule_settings
from pipelines.paths import RESOURCES

FROM_PROMPT = "task:text_to_image"
"""Drawing from a prompt alone."""


def unavailable(probe: Probe) -> dict[str, str]:
    """Param name, ``sampler:NAME`` or a key of :mod:`pipelines.models.families.abilities` -> why it has no
    effect with this model.
    """
    limits = limits_of(probe.family, probe.variant)
    if not str(probe.facts.get("text_encoder", "CLIPTextModel")).startswith("CLIP"):
        limits |= {"clip_skip": "This model has no CLIP text encoder.", "embeddings": NO_WORDS}
    for sampler, reason in availability(scheduler_config(probe)).items():
        limits[f"sampler:{sampler.value}"] = reason
    return limits


def scheduler_config(probe: Probe, configs: Path = RESOURCES / "configs") -> Mapping[str, Any]:
    """The scheduler a model is opened with: its folder's own, or its family's with what the file says."""
    if "scheduler" in probe.facts:
        return dict(probe.facts["scheduler"])
    config = schedule_settings(probe, configs)
    return config | zero_snr_changes(config) if config and probe.facts.get("zero_snr") else config


def zero_snr_changes(config: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a family's scheduler serve a checkpoint trained to zero terminal SNR.

    Lin et al. 2023 (arXiv:2305.08891): rescaled betas and trailing timesteps. PNDM ignores them, DDIM does
    not.
    """
    kind = "DDIMScheduler" if config["_class_name"] == "PNDMScheduler" else config["_class_name"]
    return {"_class_name": kind, "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
