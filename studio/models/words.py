"""What kinds, families and precisions of models are called. Plain functions, no Qt."""

from __future__ import annotations

import time
from typing import Final

from pipelines.engine.protocol import ModelInfo
from pipelines.models.families.facts import FAMILIES
from studio.engine.phases import memory_text
from studio.translate import tr

KINDS: Final = {
    "diffusion": ("Image model", "Image models", "diffusion"),
    "language": ("Text model", "Text models", "language"),
    "lora": ("LoRA", "LoRAs", "layers"),
    "control": ("Control model", "Control models", "control"),
    "upscale": ("Upscaler", "Upscalers", "upscale"),
    "inpaint": ("Gap filler", "Gap fillers", "task_fill"),
    "vae": ("VAE", "VAEs", "image"),
    "text_encoder": ("Text encoder", "Text encoders", "text"),
    "embedding": ("Embedding", "Embeddings", "text"),
    "adapter": ("Image adapter", "Image adapters", "link"),
    "vision": ("Image encoder", "Image encoders", "eye"),
    "depth": ("Depth model", "Depth models", "layers"),
    "pose": ("Pose model", "Pose models", "layers"),
    "detector": ("Detector", "Detectors", "eye"),
}
"""Kind -> one, several (source texts), icon."""
WHOLE: Final = ("diffusion", "language", "upscale", "inpaint", "control", "text_encoder")
"""Kinds that take a part of a device's memory for themselves; the rest joins another model."""
_PROGRAMS: Final = {
    "comfyui": "ComfyUI", "a1111": "Stable Diffusion WebUI", "invokeai": "InvokeAI",
    "lm-studio": "LM Studio", "hugging-face": "Hugging Face",
}  # fmt: skip
_DAY: Final = 86_400


def kind_text(kind: str) -> str:
    """What one model of a kind is called."""
    return tr(KINDS[kind][0])


def kinds_text(kind: str) -> str:
    """What several of a kind are called."""
    return tr(KINDS[kind][1])


def family_of(info: ModelInfo) -> str:
    """The family a model belongs to, or is made for; of an embedding only what it is made for is known."""
    return info.base or (info.family if info.kind != "embedding" else "")


def variant_text(info: ModelInfo) -> str:
    """Its variant, where that says more than kind and family do."""
    said = info.variant == info.kind or info.family.endswith(info.variant)
    return "" if said else info.variant


def family_text(family: str) -> str:
    """A family's title; its plain name where it has none."""
    known = FAMILIES.get(family)
    return tr(known.title) if known is not None else family


def short_family_text(family: str) -> str:
    """A family's title where there is little room."""
    return family_text(family).replace("Stable Diffusion", "SD")


def program_text(origin: str) -> str:
    """The program in whose folder a model is."""
    return _PROGRAMS.get(origin, origin)


def count_text(numbers: int) -> str:
    """``2.6 billion``, of the numbers a model holds."""
    if numbers >= 1_000_000_000:
        return tr("{count} billion", count=f"{numbers / 1e9:.1f}")
    if numbers >= 1_000_000:
        return tr("{count} million", count=f"{numbers / 1e6:.0f}")
    return f"{numbers:,}"


def day_text(seconds: float, now: float | None = None) -> str:
    """A day in the past, as people say it; empty for 0."""
    if not seconds:
        return ""
    now = time.time() if now is None else now
    then, today = time.localtime(seconds), time.localtime(now)
    if then[:3] == today[:3]:
        return tr("today")
    if then[:3] == time.localtime(now - _DAY)[:3]:
        return tr("yesterday")
    return time.strftime("%Y-%m-%d", then)


def size_text(info: ModelInfo) -> str:
    """How large a model is; empty if that isn't known."""
    return memory_text(info.bytes) if info.bytes else ""


def reason_text(info: ModelInfo) -> str:
    """The first sentence of why a model can't be used."""
    text = tr(info.problem)
    return text.split(". ", 1)[0].rstrip(".") + "." if text else ""
