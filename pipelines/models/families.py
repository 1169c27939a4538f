"""What is known of each family of models: native size, and the values a form takes over when it is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipelines.models.signatures import Kind


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


LATER: Final = "Its family is recognised, but this version of Diptych can't draw with it yet."
"""For families that have a signature, but no loader."""
WHOLE_FOLDER: Final = "Single files of its family can't be opened yet; use its whole diffusers folder."
"""For a single file of a family that is opened from folders alone."""


def _later(title: str, side: int, steps: int, guidance_scale: float, multiple: int = 16) -> Family:
    defaults = _diffusion(steps, guidance_scale, side)
    return Family(title, (side, side), multiple, defaults, problem=LATER)


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
    "sd1-edit": Family("Stable Diffusion 1.x editing", (512, 512), 8, problem=LATER),
    "sdxl-edit": Family("Stable Diffusion XL editing", (1024, 1024), 8, problem=LATER),
    "sd2-depth": Family("Stable Diffusion 2 depth", (512, 512), 8, problem=LATER),
    "stable-cascade": Family("Stable Cascade", (1024, 1024), 32, problem=LATER),
    "sd3": _later("Stable Diffusion 3", 1024, 28, 4.5),
    "pixart": _later("PixArt", 1024, 20, 4.5),
    "sana": _later("Sana", 1024, 20, 4.5, 32),
    "flux": _later("FLUX.1", 1024, 28, 3.5),
    "flux-control": _later("FLUX.1 control", 1024, 50, 30.0),
    "flux2": _later("FLUX.2", 1024, 50, 4.0),
    "flux3": _later("FLUX.3", 1024, 50, 4.0),
    "chroma": _later("Chroma", 1024, 35, 5.0),
    "qwen-image": _later("Qwen-Image", 1328, 50, 4.0),
    "qwen-image-edit": _later("Qwen-Image-Edit", 1024, 50, 4.0),
    "qwen-image-2.1": _later("Qwen-Image 2.1", 1328, 50, 4.0),
    "z-image": _later("Z-Image", 1024, 9, 0.0),
    "lumina2": _later("Lumina Image 2", 1024, 30, 4.0),
    "hidream": _later("HiDream", 1024, 50, 5.0),
    "kandinsky5": _later("Kandinsky 5", 1024, 50, 3.5),
    "auraflow": _later("AuraFlow", 1024, 50, 3.5),
    "krea2": _later("Krea 2", 1024, 28, 4.0),
    "wan": Family("Wan", (832, 480), 16, problem=LATER),
    "ltx": Family("LTX-Video", (704, 480), 32, problem=LATER),
    "ltx2": Family("LTX-2", (768, 512), 32, problem=LATER),
    "hunyuan-video": Family("HunyuanVideo", (1280, 720), 16, problem=LATER),
    "mochi": Family("Mochi", (848, 480), 16, problem=LATER),
    "cosmos": Family("Cosmos", (1280, 704), 16, problem=LATER),
}  # fmt: skip
"""Families of diffusion models by id; other kinds need no facts beyond their probe."""

UNUSED_KINDS: Final[Mapping[Kind, str]] = {
    "embedding": "Textual inversions are recognised, but this version of Diptych can't use them yet.",
    "vae": "VAEs in a file of their own are recognised, but this version of Diptych can't use them yet.",
    "text_encoder": "Text encoders in a file of their own are recognised, but can't be used yet.",
    "adapter": "Adapters of its kind are recognised, but this version of Diptych can't use them yet.",
    "vision": "Encoders of pictures are recognised, but this version of Diptych can't use them yet.",
}
"""Kinds that no node takes so far, with what is said of them."""


def family(name: str) -> Family:
    """The facts of a family; an empty description for one without."""
    return FAMILIES.get(name, Family(name))
