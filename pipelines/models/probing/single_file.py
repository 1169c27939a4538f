"""How a model in a single file is put together: whose settings it has, and what its own tensors say of them.

``resources/configs/<family>`` holds the settings of a family as a diffusers folder has them, without weights.
Members of a family differ in depth, width and the like; those numbers are read from the tensors, so that one
folder serves all of them, and the ones somebody will prune or widen. No torch import here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pipelines.models.families.facts import family
from pipelines.models.files.safety import read_json
from pipelines.models.probing.probe import Probe

_FLUX_2: Final = {
    "blocks": "num_layers", "single_blocks": "num_single_layers", "in_channels": "in_channels",
    "guidance_embeds": "guidance_embeds", "context_dim": "joint_attention_dim",
}  # fmt: skip
_PIXART: Final = {
    "blocks": "num_layers", "in_channels": "in_channels", "width": "cross_attention_dim",
    "context_dim": "caption_channels", "sized": "use_additional_conditions", "sample_size": "sample_size",
}  # fmt: skip
_SANA: Final = {
    "blocks": "num_layers", "width": "cross_attention_dim", "context_dim": "caption_channels",
    "cross_heads": "num_cross_attention_heads", "cross_head_width": "cross_attention_head_dim",
    "qk_norm": "qk_norm", "sample_size": "sample_size", "interpolation": "interpolation_scale",
}  # fmt: skip
_SETTINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "sd3": {
        "blocks": "num_layers", "in_channels": "in_channels", "width": "caption_projection_dim",
        "positions": "pos_embed_max_size", "dual_layers": "dual_attention_layers", "qk_norm": "qk_norm",
    },
    "flux": {
        "blocks": "num_layers", "single_blocks": "num_single_layers", "in_channels": "in_channels",
        "guidance_embeds": "guidance_embeds", "context_dim": "joint_attention_dim",
    },
    "chroma": {
        "blocks": "num_layers", "single_blocks": "num_single_layers", "in_channels": "in_channels",
        "context_dim": "joint_attention_dim",
    },
    "qwen-image": {
        "blocks": "num_layers", "in_channels": "in_channels", "context_dim": "joint_attention_dim",
        "zero_cond": "zero_cond_t",
    },
    "z-image": {"blocks": "n_layers", "width": "dim", "context_dim": "cap_feat_dim"},
    "lumina2": {"blocks": "num_layers", "width": "hidden_size", "context_dim": "cap_feat_dim"},
    "auraflow": {
        "blocks": "num_mmdit_layers", "single_blocks": "num_single_dit_layers",
        "positions": "pos_embed_max_size",
    },
    **dict.fromkeys(("flux2", "flux2-klein-4b", "flux2-klein-9b"), _FLUX_2),
    **dict.fromkeys(("pixart-alpha", "pixart-sigma"), _PIXART),
    **dict.fromkeys(("sana", "sana-sprint"), _SANA),
    "krea2": {
        "blocks": "num_layers", "in_channels": "in_channels", "context_dim": "text_hidden_dim",
        "inner_width": "intermediate_size",
    },
    "hidream": {"blocks": "num_layers", "single_blocks": "num_single_layers"},
    "kandinsky5": {
        "blocks": "num_visual_blocks", "text_blocks": "num_text_blocks", "width": "model_dim",
        "inner_width": "ff_dim", "time_width": "time_dim", "context_dim": "in_text_dim",
        "pooled_dim": "in_text_dim2", "sees": "visual_cond",
    },
}  # fmt: skip
"""Family's folder -> fact of a probe -> the setting of the denoiser that it decides."""

_HEADS: Final[Mapping[str, tuple[str, int]]] = {
    "sd3": ("num_attention_heads", 64), "flux": ("num_attention_heads", 128),
    "chroma": ("num_attention_heads", 128), "z-image": ("n_heads", 128),
    "qwen-image": ("num_attention_heads", 128), "hidream": ("num_attention_heads", 128),
    "krea2": ("num_attention_heads", 128),
    **dict.fromkeys(("flux2", "flux2-klein-4b", "flux2-klein-9b"), ("num_attention_heads", 128)),
    **dict.fromkeys(("pixart-alpha", "pixart-sigma"), ("num_attention_heads", 72)),
    **dict.fromkeys(("sana", "sana-sprint"), ("num_attention_heads", 32)),
}  # fmt: skip
"""The setting that counts attention heads, and how many numbers wide each is in that family."""

_FOLDERS: Final[Mapping[tuple[str, str], str]] = {
    ("flux2", "klein"): "flux2-klein-4b", ("flux2", "klein-4b"): "flux2-klein-4b",
    ("flux2", "klein-9b"): "flux2-klein-9b", ("pixart", "alpha"): "pixart-alpha",
    ("sana", "sprint"): "sana-sprint",
}  # fmt: skip
"""Family and variant -> the folder of settings, where it isn't that of the family."""

_PIPELINES: Final[Mapping[tuple[str, str], str]] = {
    ("flux-fill", "fill"): "FluxFillPipeline",
    ("flux-kontext", "kontext"): "FluxKontextPipeline",
    ("flux-control", "control"): "FluxControlPipeline",
    ("qwen-image-edit", "edit"): "QwenImageEditPipeline",
    ("qwen-image-edit", "plus"): "QwenImageEditPlusPipeline",
    ("kandinsky5-edit", "edit"): "Kandinsky5I2IPipeline",
}
"""Family and variant -> the pipeline, where it isn't the one that the family's folder names."""

_SEEING: Final[Mapping[str, tuple[str, str]]] = {"processor": ("transformers", "Qwen2VLProcessor")}
_MORE_PARTS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "QwenImageEditPipeline": _SEEING,
    "QwenImageEditPlusPipeline": _SEEING,
}
"""Parts of such a pipeline beside those that its folder names."""

_SCHEDULES: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {
    ("flux", "schnell"): {"shift": 1.0, "use_dynamic_shifting": False},
}
"""What a variant's schedule has different from its family's."""

_SIZE_SCHEDULES: Final[Mapping[tuple[str, Any], Mapping[str, Any]]] = {("sana", 128): {"flow_shift": 6.0}}
"""The same by the folder of a family, and the size a model was trained at, in latent pixels."""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a single file is opened with.

    ``folder`` holds the settings of each part; ``pipeline`` is a class of diffusers. ``changes`` and
    ``schedule`` are settings of the denoiser and the scheduler that replace the folder's.
    """

    folder: Path
    pipeline: str
    denoiser: str
    parts: Mapping[str, tuple[str, str]]
    """Every part's name, with the library and the class it is of."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    schedule: Mapping[str, Any] = field(default_factory=dict)


def blueprint(probe: Probe, configs: Path) -> Blueprint | None:
    """The blueprint of a model; None for a family without settings of ours.

    Raises:
        ModelUnreadable: the settings themselves can't be read.
    """
    which = (probe.family, probe.variant)
    name = _FOLDERS.get(which, family(probe.family).config)
    if not name:
        return None
    folder = configs / name
    plain, parts = _index(folder)
    pipeline = _PIPELINES.get(which, plain)
    return Blueprint(
        folder, pipeline, "transformer" if "transformer" in parts else "unet",
        {**parts, **_MORE_PARTS.get(pipeline, {})}, denoiser_settings(probe, name),
        _SCHEDULES.get(which) or _SIZE_SCHEDULES.get((name, probe.facts.get("sample_size")), {}),
    )  # fmt: skip


@lru_cache(maxsize=64)
def _index(folder: Path) -> tuple[str, Mapping[str, tuple[str, str]]]:
    """The pipeline and the parts that a folder of settings names: a few, for thousands of models."""
    index = read_json(folder / "model_index.json", folder.name)
    parts = {
        part: (str(value[0]), str(value[1]))
        for part, value in index.items()
        if isinstance(value, list) and value[0] is not None
    }
    return str(index["_class_name"]), MappingProxyType(parts)


def denoiser_settings(probe: Probe, name: str) -> dict[str, Any]:
    """What the tensors of a file say of its denoiser's settings, in the words of diffusers.

    Args:
        name: the folder of its family. U-Nets differ in what they see alone (``in_channels``).
    """
    facts = probe.facts
    if name not in _SETTINGS:
        return {"in_channels": facts["in_channels"]} if facts.get("in_channels", 4) != 4 else {}
    found = {
        setting: facts[fact]
        for fact, setting in _SETTINGS[name].items()
        if facts.get(fact) not in (None, 0, "", ())  # of a packed weight, no side is known
    }
    heads, width = _HEADS.get(name, ("", 0))
    if heads and facts.get("width"):
        found[heads] = facts["width"] // width
    return found


def schedule_settings(probe: Probe, configs: Path) -> dict[str, Any]:
    """The settings of the scheduler a single file is opened with: its family's, with what its variant has
    different and what the file itself says of its prediction; empty for a family without settings.
    """
    plan = blueprint(probe, configs)
    if plan is None:
        return {}
    settings = dict(read_json(plan.folder / "scheduler" / "scheduler_config.json", plan.folder.name))
    settings |= plan.schedule
    if "prediction_type" in settings:
        settings["prediction_type"] = probe.facts.get("prediction_type", settings["prediction_type"])
    return settings
