"""The text that A1111 writes beside a picture: prompt, negative prompt, and one line of settings.

a red apple
Negative prompt: blurry
Steps: 16, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 4, Seed: 1, Size: 64x64, Model: starter
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipelines.diffusion.samplers.table import SAMPLERS, SCHEDULE_TITLES

_NEGATIVE: Final = "Negative prompt:"
_SETTING: Final = re.compile(r'\s*(\w[\w \-/.]{0,60}):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')
_SIZE: Final = re.compile(r"(\d{1,6})x(\d{1,6})")
_OLD_SCHEDULES: Final = ("Karras", "Exponential", "Uniform", "SGM Uniform")

_NAMES: Final[tuple[tuple[str, tuple[str, ...], type], ...]] = (
    ("Steps", ("steps",), int),
    ("Sampler", ("sampler_title", "sampler"), str),
    ("Schedule type", ("schedule",), str),
    ("CFG scale", ("guidance_scale", "cfg_scale"), float),
    ("CFG Rescale", ("guidance_rescale",), float),
    ("Seed", ("seed",), int),
    ("Size", ("size",), str),
    ("Model hash", ("model_hash",), str),
    ("Model", ("model", "model_name"), str),
    ("VAE", ("vae",), str),
    ("Variation seed", ("variation_seed",), int),
    ("Variation seed strength", ("variation_strength",), float),
    ("Denoising strength", ("denoising_strength", "strength"), float),
    ("Clip skip", ("clip_skip",), int),
    ("Hires upscaler", ("upscaler",), str),
    ("Hires upscale", ("upscale_factor",), float),
)
"""A1111's name, our names in ``Image.info`` by precedence, and the kind of value."""

_SAMPLERS: Final = {str(sampler): spec.title for sampler, spec in SAMPLERS.items()}
_SCHEDULES: Final = {str(schedule): title for schedule, title in SCHEDULE_TITLES.items()} | {
    "sgm_uniform": "SGM Uniform"
}
_IDS: Final[Mapping[str, Mapping[str, str]]] = {
    "sampler": {title.casefold(): name for name, title in _SAMPLERS.items()}
    | {
        "euler_ancestral": "euler_a",
        "dpm_2": "dpm2",
        "dpm_2_ancestral": "dpm2_a",
        "uni_pc": "unipc",
        "dpm2 a": "dpm2_a",
    },
    "schedule": {title.casefold(): name for name, title in _SCHEDULES.items()},
}
"""Other programs' names of samplers and schedules, in small letters, and our ids."""


def known_ids(info: Mapping[str, Any]) -> dict[str, str]:
    """Our ids for the ``sampler`` and ``schedule`` in ``info``, where we have the same."""
    found = {name: ids.get(str(info.get(name, "")).casefold()) for name, ids in _IDS.items()}
    return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class Parameters:
    """The text in its parts; ``settings`` keeps names, order and values as written."""

    prompt: str = ""
    negative: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)

    def info(self) -> dict[str, Any]:
        """The same under the names of ``Image.info``, without what should be a number and isn't."""
        result: dict[str, Any] = {"prompt": self.prompt}
        if self.negative:
            result["negative"] = self.negative
        for name, keys, kind in _NAMES:
            if name in self.settings and name != "Size":
                try:
                    result[keys[-1] if name == "Sampler" else keys[0]] = kind(self.settings[name])
                except ValueError:
                    continue
        if size := _SIZE.fullmatch(self.settings.get("Size", "")):
            result["width"], result["height"] = int(size[1]), int(size[2])
        sampler = str(result.get("sampler", ""))
        for (
            word
        ) in _OLD_SCHEDULES:  # before it had a name of its own, the schedule was the sampler's last word
            if "schedule" not in result and sampler.endswith(f" {word}"):
                result["sampler"], result["schedule"] = sampler.removesuffix(f" {word}"), word
        return result | known_ids(result)


def format_parameters(info: Mapping[str, Any], width: int, height: int, version: str = "") -> str:
    """The text for a picture made as ``info`` says; ``width`` × ``height`` px where ``info`` has no size."""
    values = dict(info)
    values["size"] = f"{info.get('width', width)}x{info.get('height', height)}"
    values["sampler_title"] = _SAMPLERS.get(str(info.get("sampler")), info.get("sampler_title"))
    values["schedule"] = _SCHEDULES.get(str(info.get("schedule")), info.get("schedule"))
    settings = []
    for name, keys, kind in _NAMES:
        value = next((values[key] for key in keys if values.get(key) not in (None, "")), None)
        if _says_something(name, value, values):
            settings.append(f"{name}: {_quoted(_written(value, kind))}")
    settings.extend(f"{name}: {_quoted(value)}" for name, value in _loras(info.get("loras")).items())
    settings.append(f"Version: {_quoted(f'Diptych {version}'.strip())}")
    lines = [str(info.get("prompt") or "")]
    negative = str(info.get("negative") or info.get("negative_prompt") or "")
    if negative:
        lines.append(f"{_NEGATIVE} {negative}")
    return "\n".join([*lines, ", ".join(settings)])


def _loras(loras: Any) -> dict[str, str]:
    """A1111's list of the LoRAs by their hashes, and one of our own with their strengths: A1111 itself finds
    those in the prompt, where we write nothing that the user didn't.
    """
    known = [lora for lora in loras if isinstance(lora, Mapping)] if isinstance(loras, list | tuple) else []
    hashes = [f"{lora.get('name', '')}: {lora['hash']}" for lora in known if lora.get("hash")]
    weights = [f"{lora.get('name', '')}: {lora.get('strength', 1):g}" for lora in known]
    lists = {"Lora hashes": ", ".join(hashes), "Lora weights": ", ".join(weights)}
    return {name: value for name, value in lists.items() if value}


def parse_parameters(text: str) -> Parameters:
    """Read such a text; without a line of settings at the end all of it is the prompt."""
    lines = text.strip().split("\n")
    settings: dict[str, str] = {}
    found = _SETTING.findall(lines[-1])
    if len(found) >= 3 or (found and lines[-1].startswith("Steps: ")):
        settings = {name.strip(): _unquoted(value.strip()) for name, value in found}
        lines.pop()
    prompt: list[str] = []
    negative: list[str] = []
    target = prompt
    for line in lines:
        if target is prompt and line.startswith(_NEGATIVE):
            target = negative
            line = line.removeprefix(_NEGATIVE).lstrip()
        target.append(line)
    return Parameters("\n".join(prompt).strip(), "\n".join(negative).strip(), settings)


def _says_something(name: str, value: Any, values: Mapping[str, Any]) -> bool:
    """Whether a setting belongs into the line: what has no effect does not."""
    if value is None or (isinstance(value, Mapping | list | tuple)):
        return False
    if name in ("Sampler", "Schedule type"):
        return str(value).casefold() not in ("default", "model default")
    if name == "Clip skip":
        return isinstance(value, int) and value > 1
    if name.startswith("Variation seed"):
        return bool(values.get("variation_strength"))
    return not (name == "CFG Rescale" and not value)


def _written(value: Any, kind: type) -> str:
    if kind is not str and isinstance(value, float):
        return f"{value:g}" if abs(value) < 1e6 else repr(value)
    return str(value)


def _quoted(text: str) -> str:
    """Quoted where the line would break otherwise, the way A1111 does it (a JSON string)."""
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ',:\n"') else text


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    try:
        return str(json.loads(text))
    except json.JSONDecodeError:
        return text
