"""What other programs write: where ComfyUI keeps its graphs, and the settings in its and InvokeAI's JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pipelines.metadata.exif import Exif
from pipelines.metadata.parameters import known_ids

_STRING_OR_NAN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\b(?:NaN|-?Infinity)\b', re.DOTALL)
_MAX_HOPS: Final = 50


def comfyui_texts(texts: Mapping[str, str], exif: Exif) -> dict[str, str]:
    """``prompt`` and ``workflow``: PNG texts of these names, in WebP EXIF texts that begin with the name."""
    result = {
        name: texts[name] for name in ("prompt", "workflow") if texts.get(name, "").lstrip().startswith("{")
    }
    for text in exif.texts.values():
        name, _, rest = text.partition(":")
        if name.lower() in ("prompt", "workflow") and rest.lstrip().startswith("{"):
            result.setdefault(name.lower(), rest)
    return result


def without_nan(text: str) -> str:
    """``null`` for NaN and Infinity outside strings: ComfyUI writes them, JSON doesn't have them."""
    return _STRING_OR_NAN.sub(lambda match: match[0] if match[0][0] == '"' else "null", text)


def comfyui_info(prompt: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the first sampling node of a ComfyUI graph, and the texts and the model that lead to it."""
    nodes = {key: node for key, node in prompt.items() if isinstance(node, Mapping)}
    for node in nodes.values():
        if str(node.get("class_type", "")).startswith("KSampler"):
            inputs = _inputs(node)
            names = {
                "seed": "seed", "noise_seed": "seed", "steps": "steps", "cfg": "guidance_scale",
                "sampler_name": "sampler", "scheduler": "schedule", "denoise": "denoising_strength",
            }  # fmt: skip
            info = {ours: inputs[theirs] for theirs, ours in names.items() if _is_scalar(inputs.get(theirs))}
            texts = {"prompt": "positive", "negative": "negative"}
            info |= {
                ours: text
                for ours, port in texts.items()
                if (text := _found(nodes, inputs.get(port), "text"))
            }
            info |= known_ids(info)
            if model := _found(nodes, inputs.get("model"), "ckpt_name", "unet_name"):
                info["model"] = model
            return info
    return {}


def invokeai_info(data: Mapping[str, Any]) -> dict[str, Any]:
    """InvokeAI's metadata under our names."""
    names = {
        "positive_prompt": "prompt", "negative_prompt": "negative", "seed": "seed", "steps": "steps",
        "cfg_scale": "guidance_scale", "cfg_rescale_multiplier": "guidance_rescale", "scheduler": "sampler",
        "width": "width", "height": "height", "strength": "denoising_strength", "clip_skip": "clip_skip",
    }  # fmt: skip
    info = {ours: data[theirs] for theirs, ours in names.items() if _is_scalar(data.get(theirs))}
    model = data.get("model")
    if isinstance(model, Mapping) and isinstance(name := model.get("name", model.get("model_name")), str):
        info["model"] = name
    return info | known_ids(info)


def _found(nodes: Mapping[str, Any], link: Any, *names: str) -> str:
    """The text under one of ``names`` in the node that ``link`` leads to, or the nearest before it."""
    waiting, seen = [link], set[str]()
    while waiting and len(seen) < _MAX_HOPS:
        link = waiting.pop(0)
        if not (isinstance(link, list) and link and str(link[0]) in nodes) or str(link[0]) in seen:
            continue
        seen.add(str(link[0]))
        inputs = _inputs(nodes[str(link[0])])
        for name in names:
            if isinstance(text := inputs.get(name), str):
                return text
        waiting.extend(value for value in inputs.values() if isinstance(value, list))
    return ""


def _inputs(node: Mapping[str, Any]) -> Mapping[str, Any]:
    inputs = node.get("inputs")
    return inputs if isinstance(inputs, Mapping) else {}


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)
