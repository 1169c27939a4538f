"""What is said of a model in the detail pane, as rows of text. Plain functions."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pipelines.engine.protocol import Device, ModelInfo
from studio.models.fitting import WORDS, fit_of, fit_text
from studio.models.words import (
    count_text,
    day_text,
    family_of,
    family_text,
    kind_text,
    program_text,
    size_text,
    variant_text,
)
from studio.translate import tr

Row = tuple[str, str, str]
"""Name, value, tooltip."""
_DEFAULTS: Final = {
    "steps": "Steps", "guidance_scale": "Guidance scale", "guidance_rescale": "Guidance rescale",
    "sampler": "Sampler", "schedule": "Schedule", "clip_skip": "Clip skip", "width": "Width",
    "height": "Height",
}  # fmt: skip
SETTINGS: Final = tuple(_DEFAULTS)
"""Arguments that can be a model's own defaults."""


def subtitle(info: ModelInfo) -> str:
    """Kind, family and variant."""
    family = family_text(family_of(info))
    made_for = tr("for {family}", family=family) if info.base and family else family
    return " · ".join(part for part in (kind_text(info.kind), made_for, variant_text(info)) if part)


def fact_rows(info: ModelInfo, device: Device | None) -> list[Row]:
    """What it is, as far as it is known."""
    fit = fit_of(info, device)
    fit_words = fit_text(fit, device) if fit is not None and device is not None else ""
    size = info.native_size
    return [
        (tr("File"), Path(info.path).name, info.path),
        (tr("Folder"), str(Path(info.path).parent), ""),
        (tr("Found in"), program_text(info.origin), ""),
        (tr("Size"), size_text(info), f"{info.bytes:,} bytes" if info.bytes else ""),
        (tr("Precision"), info.dtype.upper(), ""),
        (tr("Parameters"), count_text(info.parameters) if info.parameters else "", f"{info.parameters:,}"),
        (tr("This device"), tr(WORDS[fit.verdict]) if fit else "", fit_words),
        (tr("Resolution"), f"{size[0]} × {size[1]} px" if size else "", ""),
        (tr("Made from"), info.base_model, ""),
        (tr("Names as in"), info.layout, tr("Whose names its tensors have")),
        (tr("Recommended weight"), f"{info.strength:g}" if info.strength is not None else "", ""),
        (tr("Author"), info.author, ""),
        (tr("Licence"), info.licence, ""),
        (tr("Page"), info.source, ""),
        (tr("Changed"), day_text(info.modified), ""),
        (tr("Last used"), day_text(info.used), ""),
        (tr("Id"), info.id, tr("The name under which graphs and commands know it")),
    ]  # fmt: skip


def default_rows(info: ModelInfo) -> list[Row]:
    """The settings that a form takes over from it."""
    return [
        (tr(title), f"{value:g}" if isinstance(value, float) else str(value), "")
        for name, title in _DEFAULTS.items()
        if (value := info.defaults.get(name)) is not None
    ]


def hash_rows(info: ModelInfo) -> list[Row]:
    """Its hashes, as other programs show them."""
    return [
        ("SHA-256", info.sha256, ""),
        (tr("Short"), info.sha256[:10], tr("As Stable Diffusion WebUI shows it")),
        ("AutoV3", info.autov3, tr("Of the numbers alone: an edit of its metadata leaves it as it is")),
        ("AutoV1", info.autov1, ""),
        ("BLAKE3", info.blake3, ""),
    ]
