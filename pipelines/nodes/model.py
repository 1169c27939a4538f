"""Nodes that choose a model. They resolve a handle; weights are read by the node that uses it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pipelines.errors import DiptychError
from pipelines.graph import types
from pipelines.graph.node import Context, Inputs, Node, NodeParams, Output, Outputs, Param, Resources

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Quantization = Literal["none", "int8", "nf4"]

_MODEL = "An id from the list or a path of your own; empty is the default."
_PRECISION = "Numbers of 16 bits take half the memory; “auto” is what suits the device."
_QUANTIZATION = "Weights of 8 or 4 bits take less memory and cost some quality."


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


NODES = (DiffusionModelNode, LanguageModelNode, UpscaleModelNode, ControlModelNode)
