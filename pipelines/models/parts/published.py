"""Where parts in files of their own are published: repositories of Hugging Face that hold them in the layout
that is opened here. For a user who is told that a part is missing; nothing is fetched from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

_FLUX: Final = "comfyanonymous/flux_text_encoders"
_HIDREAM: Final = "Comfy-Org/HiDream-I1_ComfyUI"
_PLACES: Final[Mapping[str, str]] = {
    "CLIP-L text encoder": _FLUX, "T5-XXL text encoder": _FLUX,
    "CLIP-L text encoder for 248 tokens": _HIDREAM, "CLIP-G text encoder for 248 tokens": _HIDREAM,
    "Llama 3.1 8B text encoder": _HIDREAM, "tokenizer (Llama 3)": "HiDream-ai/HiDream-I1-Full",
    "Gemma 2 2B text encoder": "Comfy-Org/Lumina_Image_2.0_Repackaged",
    "tokenizer (Gemma)": "Efficient-Large-Model/gemma-2-2b-it",
    "Qwen3 4B text encoder": "Comfy-Org/z_image_turbo",
    "Qwen3 8B text encoder": "Comfy-Org/vae-text-encorder-for-flux-klein-9b",
    "Qwen2.5-VL 7B text encoder": "Comfy-Org/Qwen-Image_ComfyUI",
    "Qwen3-VL 4B text encoder": "Qwen/Qwen3-VL-4B-Instruct", "tokenizer (Qwen2)": "Qwen/Qwen3-4B",
    "Mistral Small 3 24B text encoder": "Comfy-Org/flux2-dev",
    "tokenizer (Mistral)": "black-forest-labs/FLUX.2-dev",
    "VAE with 16 latent channels": _HIDREAM, "VAE with 32 latent channels": "Comfy-Org/flux2-dev",
    "deep compression autoencoder": "mit-han-lab/dc-ae-f32c32-sana-1.1-diffusers",
}  # fmt: skip
"""Title of a part -> the repository that holds it."""


def where_text(titles: Iterable[str]) -> str:
    """For the user: ``comfyanonymous/flux_text_encoders, Comfy-Org/flux2-dev (Hugging Face)``."""
    known = dict.fromkeys(_PLACES[title] for title in titles if title in _PLACES)
    return f"{', '.join(known)} (Hugging Face)" if known else "the page its file is from"
