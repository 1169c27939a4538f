"""What is known of each family of models: native size, and the values a form takes over when it is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipelines.models.families.class_names import VIDEO


@dataclass(frozen=True, slots=True)
class Family:
    """Facts that hold for every model of a family, unless its own card says otherwise.

    ``config`` names the folder below ``resources/configs`` from which a single-file checkpoint is opened;
    empty if there is none. ``problem`` says why a model of this family can't draw from a prompt. ``variants``
    are defaults that are otherwise with some of the family, by the probe's variant.
    """

    title: str
    native_size: tuple[int, int] | None = None
    size_multiple: int = 8
    defaults: Mapping[str, Any] = field(default_factory=dict)
    config: str = ""
    problem: str = ""
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def packed(self) -> bool:
        """Whether GGUF files of it can be opened: diffusers computes with packed transformers, not U-Nets."""
        return bool(self.config) and not self.config.startswith(("sd1", "sd2", "sdxl"))

    def defaults_of(self, variant: str) -> dict[str, Any]:
        """The values a form takes over for a model of this family and variant."""
        return {**self.defaults, **self.variants.get(variant, {})}


def _diffusion(steps: int, guidance_scale: float, side: int) -> dict[str, Any]:
    return {
        "steps": steps, "guidance_scale": guidance_scale, "guidance_rescale": 0.0,
        "width": side, "height": side,
    }  # fmt: skip


LATER: Final = "Its family is recognised, but this version of Diptych can't draw with it yet."
"""For families that have a signature, but no loader."""
WHOLE_FOLDER: Final = "Single files of its family can't be opened yet; use its whole diffusers folder."
"""For a single file of a family that is opened from folders alone."""


def _later(title: str, side: int, steps: int, guidance_scale: float, multiple: int = 16) -> Family:
    defaults = _diffusion(steps, guidance_scale, side)
    return Family(title, (side, side), multiple, defaults, problem=LATER)


def _drawn(
    title: str, side: int, steps: int, guidance_scale: float, multiple: int = 16, config: str = "",
    **variants: Mapping[str, Any],
) -> Family:  # fmt: skip
    """A family of transformers that draw; ``variants`` as :class:`Family` has them."""
    defaults = _diffusion(steps, guidance_scale, side)
    return Family(title, (side, side), multiple, defaults, config, variants=variants)


_KLEIN: Final = {"steps": 4, "guidance_scale": 1.0}

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
    "flux-fill": Family("FLUX.1 Fill", (1024, 1024), 16, _diffusion(50, 30.0, 1024), "flux"),
    "sd-x4-upscaler": Family(
        "Stable Diffusion upscaler", defaults={"steps": 30, "guidance_scale": 9.0, "noise_level": 20}
    ),
    "sd-latent-upscaler": Family(
        "Stable Diffusion latent upscaler", defaults={"steps": 20, "guidance_scale": 1.0}
    ),
    "sdxl-refiner": Family(
        "Stable Diffusion XL refiner", (1024, 1024), 8, _diffusion(30, 6.0, 1024), "sdxl-refiner"
    ),
    "sd1-edit": Family("Stable Diffusion 1.x editing", (512, 512), 8, _diffusion(30, 7.5, 512), "sd1"),
    "sdxl-edit": Family(
        "Stable Diffusion XL editing", (768, 768), 8, _diffusion(30, 5.0, 768), "sdxl"
    ),
    "sd2-depth": Family("Stable Diffusion 2 depth", (512, 512), 8, _diffusion(25, 7.0, 512), "sd2"),
    "stable-cascade": Family("Stable Cascade", (1024, 1024), 32, problem=LATER),
    "sd3": _drawn("Stable Diffusion 3", 1024, 28, 4.5, config="sd3"),
    "pixart": _drawn("PixArt", 1024, 20, 4.5, config="pixart-sigma"),
    "sana": _drawn("Sana", 1024, 20, 4.5, 32, config="sana", sprint={"steps": 2}),
    "flux": _drawn(
        "FLUX.1", 1024, 28, 3.5, config="flux", schnell={"steps": 4, "guidance_scale": 1.0}
    ),
    "flux-control": _drawn("FLUX.1 control", 1024, 50, 30.0, config="flux"),
    "flux-kontext": _drawn("FLUX.1 Kontext", 1024, 28, 2.5, config="flux"),
    "flux2": Family(
        "FLUX.2", (1024, 1024), 16, _diffusion(50, 4.0, 1024), "flux2",
        variants={"klein": _KLEIN, "klein-4b": _KLEIN, "klein-9b": _KLEIN},
    ),
    "flux3": _later("FLUX.3", 1024, 50, 4.0),
    "chroma": _drawn("Chroma", 1024, 35, 5.0, config="chroma"),
    "qwen-image": _drawn("Qwen-Image", 1328, 50, 4.0, config="qwen-image"),
    "qwen-image-edit": _drawn("Qwen-Image-Edit", 1024, 50, 4.0, config="qwen-image"),
    "qwen-image-2.1": _later("Qwen-Image 2.1", 1328, 50, 4.0),
    "z-image": _drawn("Z-Image", 1024, 9, 1.0, config="z-image"),
    "lumina2": _drawn("Lumina Image 2", 1024, 30, 4.0, config="lumina2"),
    "hidream": _drawn("HiDream", 1024, 50, 5.0, config="hidream"),
    "kandinsky5": _drawn("Kandinsky 5", 1024, 50, 3.5, config="kandinsky5"),
    "kandinsky5-edit": _drawn("Kandinsky 5 editing", 1024, 50, 3.5, config="kandinsky5"),
    "auraflow": _drawn("AuraFlow", 1024, 50, 3.5, config="auraflow"),
    "krea2": _drawn("Krea 2", 1024, 28, 5.5, config="krea2"),
    "wan": Family("Wan", (832, 480), 16, problem=VIDEO),
    "ltx": Family("LTX-Video", (704, 480), 32, problem=VIDEO),
    "ltx2": Family("LTX-2", (768, 512), 32, problem=VIDEO),
    "hunyuan-video": Family("HunyuanVideo", (1280, 720), 16, problem=VIDEO),
    "mochi": Family("Mochi", (848, 480), 16, problem=VIDEO),
    "cosmos": Family("Cosmos", (1280, 704), 16, problem=VIDEO),
}  # fmt: skip
"""Families of diffusion models by id; other kinds need no facts beyond their probe."""


def family(name: str) -> Family:
    """The facts of a family; an empty description for one without."""
    return FAMILIES.get(name, Family(name))
