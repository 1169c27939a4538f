"""Nodes that choose or change a model. They resolve a handle; weights are read by the node that uses it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pipelines.errors import DiptychError
from pipelines.graph import types
from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param, Resources
from pipelines.graph.values import Lora, ModelHandle

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Quantization = Literal["none", "auto", "fp8", "int8", "nf4"]
TextQuantization = Literal["none", "fp8"]

_MODEL = "An id from the list or a path of your own; empty is the default."
_PRECISION = "Numbers of 16 bits take half the memory; “auto” is what suits the device."
_QUANTIZATION = "Weights of 8 or 4 bits take less memory and cost some quality; “auto” if need be."


def _Model(kind: str, empty: str = "Starter model") -> Any:
    return Param(
        "", "Model", _MODEL, widget="model", choices=f"models:{kind}", max_length=4096, empty=empty,
        primary=True,
    )  # fmt: skip


class _ModelNode(Node):
    """What they all have in common; ``kind`` is the catalogue's."""

    category = "Model"
    lane = "io"
    kind: ClassVar[str]

    @classmethod
    def fingerprint(cls, params: Mapping[str, Any], resources: Resources) -> str:
        """The fingerprint of the model's files, so that a replaced one is never stale."""
        model = params.get("model", "")
        if not isinstance(model, str):
            return ""
        try:
            return resources.find(cls.kind, _absolute(model, resources.path)).fingerprint
        except DiptychError:
            return ""

    def run(self, inputs: Inputs, params: Any, context: Context) -> Outputs:
        model = _absolute(params.model, context.path)
        quantization = getattr(params, "quantization", "none")
        if (text := getattr(params, "text_quantization", "none")) != "none":
            quantization = f"{quantization},text={text}"
        return {"model": context.models.find(self.kind, model, params.dtype, quantization)}


def _absolute(model: str, resolve: Any) -> str:
    """A model written as a relative path (``./…``, ``../…``, ``~…``) belongs to the document's folder; ids
    stay.
    """
    relative = model.startswith(("./", "../", ".\\", "..\\", "~")) or model in (".", "..")
    return str(Path(resolve(model))) if relative else model


class DiffusionModelNode(_ModelNode):
    """Choose a model that draws pictures."""

    id, title, kind = "model.diffusion", "Diffusion model", "diffusion"
    outputs = (Output("model", types.DiffusionModel),)

    class Params(NodeParams):
        model: str = _Model("diffusion")
        dtype: Precision = Param("auto", "Precision", _PRECISION, advanced=True)
        quantization: Quantization = Param("none", "Quantization", _QUANTIZATION, advanced=True)
        text_quantization: TextQuantization = Param(
            "none", "Quantization of text encoders", "Those of large models take as much memory as the rest.",
            advanced=True,
        )  # fmt: skip


class LanguageModelNode(_ModelNode):
    """Choose a model that writes text."""

    id, title, kind = "model.language", "Language model", "language"
    outputs = (Output("model", types.LanguageModel),)

    class Params(NodeParams):
        model: str = _Model("language")
        dtype: Precision = Param("auto", "Precision", _PRECISION, advanced=True)
        quantization: Quantization = Param("none", "Quantization", _QUANTIZATION, advanced=True)


class UpscaleModelNode(_ModelNode):
    """Choose a model that enlarges pictures."""

    id, title, kind = "model.upscale", "Upscale model", "upscale"
    outputs = (Output("model", types.UpscaleModel),)

    class Params(NodeParams):
        model: str = _Model("upscale")
        dtype: Precision = Param("auto", "Precision", _PRECISION, advanced=True)


class ControlModelNode(_ModelNode):
    """Choose a model that reads control layers: a ControlNet of the family of the model that draws."""

    id, title, kind = "model.control", "Control model", "control"
    outputs = (Output("model", types.ControlModel),)

    class Params(NodeParams):
        model: str = _Model("control", "First that is found")
        dtype: Precision = Param("auto", "Precision", _PRECISION, advanced=True)


class LoraNode(Node):
    """Change a model by a LoRA: a small file that was trained to add a style, a person or a thing."""

    id, title, category, lane = "model.lora", "LoRA", "Model", "io"
    inputs = (Input("model", types.DiffusionModel, description="The model that is changed."),)
    outputs = (Output("model", types.DiffusionModel, description="The same model with the LoRA."),)

    class Params(NodeParams):
        lora: str = Param(
            "", "LoRA", "An id from the list or a path of your own; empty changes nothing.", widget="model",
            choices="models:lora", max_length=4096, empty="None", primary=True,
        )  # fmt: skip
        strength: float = Param(
            1.0, "Strength", "How much it changes; 1 is as it was trained, below 0 does the opposite.",
            ge=-4, le=4, step=0.05, widget="slider", primary=True,
        )  # fmt: skip
        text_strength: float | None = Param(
            None, "Strength on the prompt", "How much it changes the way the prompt is read.",
            ge=-4, le=4, step=0.05, empty="Same as the strength", advanced=True,
        )  # fmt: skip

    @classmethod
    def fingerprint(cls, params: Mapping[str, Any], resources: Resources) -> str:
        """The fingerprint of the file, so that a replaced one is never stale."""
        lora = params.get("lora", "")
        if not isinstance(lora, str) or not lora:
            return ""
        try:
            return resources.find("lora", _absolute(lora, resources.path)).fingerprint
        except DiptychError:
            return ""

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        from pipelines.models.lora_families import check_fits

        model: ModelHandle = inputs["model"]
        text = params.strength if params.text_strength is None else params.text_strength
        if not params.lora or params.strength == text == 0:
            return {"model": model}
        found = context.models.find("lora", _absolute(params.lora, context.path))
        check_fits(found.id, found.family, model.id, model.family)
        lora = Lora(found.id, found.path, found.fingerprint, params.strength, text)
        return {"model": model.replace(loras=(*model.loras, lora))}


NODES = (DiffusionModelNode, LanguageModelNode, UpscaleModelNode, ControlModelNode, LoraNode)
