"""What is known of each family of models: native size, and the values a form takes over when it is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Family:
    """Facts that hold for every model of a family, unless its own card says otherwise.

    ``config`` names the folder below ``resources/configs`` from which a single-file checkpoint is opened;
    empty if there is none. ``problem`` says why a model of this family can't draw from a prompt.
    """

    title: str
    native_size: tuple[int, int] | None = None
    size_multiple: int = 8
    defaults: Mapping[str, Any] = field(default_factory=dict)
    config: str = ""
    problem: str = ""


def _diffusion(steps: int, guidance_scale: float, side: int) -> dict[str, Any]:
    return {
        "steps": steps, "guidance_scale": guidance_scale, "guidance_rescale": 0.0,
        "width": side, "height": side,
    }  # fmt: skip


FAMILIES: Final[Mapping[str, Family]] = {
    "sd": Family("Stable Diffusion architecture", (512, 512), 8, _diffusion(25, 7.0, 512)),
    "sd1": Family("Stable Diffusion 1.x", (512, 512), 8, _diffusion(25, 7.0, 512), "sd1"),
    "sd2": Family("Stable Diffusion 2.x", (768, 768), 8, _diffusion(25, 7.0, 768), "sd2"),
    "sdxl": Family("Stable Diffusion XL", (1024, 1024), 8, _diffusion(30, 6.0, 1024), "sdxl"),
    "sd1-inpaint": Family(
        "Stable Diffusion 1.x inpainting", (512, 512), 8, _diffusion(25, 7.0, 512), "sd1"
    ),
    "sd2-inpaint": Family(
        "Stable Diffusion 2.x inpainting", (512, 512), 8, _diffusion(25, 7.0, 512), "sd2"
    ),
    "sdxl-inpaint": Family(
        "Stable Diffusion XL inpainting", (1024, 1024), 8, _diffusion(30, 6.0, 1024), "sdxl"
    ),
    "flux-fill": Family("Flux fill", (1024, 1024), 16, _diffusion(50, 30.0, 1024)),
    "sd-x4-upscaler": Family(
        "Stable Diffusion upscaler", defaults={"steps": 30, "guidance_scale": 9.0, "noise_level": 20}
    ),
    "sd-latent-upscaler": Family(
        "Stable Diffusion latent upscaler", defaults={"steps": 20, "guidance_scale": 1.0}
    ),
    "sdxl-refiner": Family(
        "Stable Diffusion XL refiner", (1024, 1024),
        problem="It refines pictures that another model has begun, and can't draw one from a prompt alone.",
    ),
}  # fmt: skip
"""Families of diffusion models by id; other kinds need no facts beyond their probe."""


def family(name: str) -> Family:
    """The facts of a family; an empty description for one without."""
    return FAMILIES.get(name, Family(name))
