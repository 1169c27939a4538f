"""What a model that is never opened is probably for: from where it lies, and from its size.

A pickle is listed with the reason it can't be used, among the models it would belong to. The folders are
those of ComfyUI and A1111; a name inside a pickle can't be read without running it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pipelines.models.files.safety import PICKLE_SUFFIXES
from pipelines.models.probing.probe import Kind

MAX_UPSCALER: Final = 200_000_000
"""Bytes of the largest upscalers in use (HAT-L and DAT in fp32 have about 170 MB)."""

_UPSCALERS: Final = (
    "upscale_models", "upscale", "upscalers", "esrgan", "realesrgan", "bsrgan", "swinir", "dat", "hat",
)  # fmt: skip
_FOLDERS: Final[dict[str, Kind]] = {
    **dict.fromkeys(_UPSCALERS, "upscale"),
    **dict.fromkeys(
        ("checkpoints", "diffusion", "diffusion_models", "stable-diffusion", "unet"), "diffusion"
    ),
    **dict.fromkeys(("loras", "lora"), "lora"),
    "hypernetworks": "diffusion",
    **dict.fromkeys(("vae", "vae_approx"), "vae"),
    **dict.fromkeys(("clip", "text_encoder", "text_encoders"), "text_encoder"),
    "embeddings": "embedding",
    **dict.fromkeys(("controlnet", "control", "t2i_adapter"), "control"),
    **dict.fromkeys(("language", "llm"), "language"),
    **dict.fromkeys(("inpaint", "lama"), "inpaint"),
}


def likely_kind(path: Path, root: Path) -> Kind | None:
    """The kind of model in a file that can't be read: by the folders it lies in, the nearest first.

    ``root`` is the last folder that counts: what stands above it says nothing.
    """
    for folder in path.parents:
        if folder.name.casefold() in _FOLDERS:
            return _FOLDERS[folder.name.casefold()]
        if folder == root:
            break
    small = path.suffix.lower() in PICKLE_SUFFIXES - {".ckpt"} and 0 < size_of(path) <= MAX_UPSCALER
    return "upscale" if small else None


def size_of(path: Path) -> int:
    """Bytes of a file; 0 for what isn't one."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0
