"""Nodes that choose or change a model. They resolve a handle; weights are read by the node that uses it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import field_validator

from pipelines.errors import DiptychError, LoraBlocksUnreadable
from pipelines.graph import types
from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param, Resources
from pipelines.graph.values import Embedding, Lora, ModelHandle
from pipelines.models.lora.blocks import read_blocks

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Quantization = Literal["none", "auto", "fp8", "int8", "nf4"]

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
            found = resources.find(cls.kind, absolute(model, resources.path))
        except DiptychError:
            return ""
        return "".join((found.fingerprint, *(part.fingerprint for part in found.parts)))

    def run(self, inputs: Inputs, params: Any, context: Context) -> Outputs:
        model = absolute(params.model, context.path)
        quantization = getattr(params, "quantization", "none")
        if (text := getattr(params, "text_quantization", "none")) != "none":
            quantization = f"{quantization},text={text}"
        handle = context.models.find(self.kind, model, params.dtype, quantization)
        return {"model": handle.replace(vae_dtype=getattr(params, "vae_dtype", "auto"))}


def absolute(model: str, resolve: Any) -> str:
    """A model written as a relative path (``./…``, ``../…``, ``~…``) belongs to the document's folder; ids
    stay.
    """
    relative = model.startswith(("./", "../", ".\\", "..\\", "~")) or model in (".", "..")
    return str(Path(resolve(model))) if relative else model


def file_fingerprint(kind: str, model: Any, resources: Resources) -> str:
    """The fingerprint of a file that changes a model; empty for none."""
    if not isinstance(model, str) or not model:
        return ""
    try:
        return resources.find(kind, absolute(model, resources.path)).fingerprint
    except DiptychError:
        return ""


class DiffusionModelNode(_ModelNode):
    """Choose a model that draws pictures."""

    id, title, kind = "model.diffusion", "Diffusion model", "diffusion"
    outputs = (Output("model", types.DiffusionModel),)

    class Params(NodeParams):
        model: str = _Model("diffusion")
        dtype: Precision = Param("auto", "Precision", _PRECISION, advanced=True)
        quantization: Quantization = Param("none", "Quantization", _QUANTIZATION, advanced=True)
        text_quantization: Quantization = Param(
            "none", "Quantization of text encoders", "Those of large models take as much memory as the rest.",
            advanced=True,
        )  # fmt: skip
        vae_dtype: Precision = Param(
            "auto", "Precision of the VAE", "32 bits are the most exact; “auto” is that of the rest.",
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


class AdapterNode(_ModelNode):
    """Choose an adapter that reads references: an IP-Adapter or Redux, made for the model that draws."""

    id, title, kind = "model.adapter", "Adapter", "adapter"
    outputs = (Output("model", types.Adapter),)

    class Params(NodeParams):
        model: str = _Model("adapter", "First that is found")
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
        blocks: str = Param(
            "", "Block weights",
            "The strength of single blocks, times the one above: IN04=0.5, MID=0, OUT*=1 (BASE: the prompt), "
            "0-9=0.5 for transformers, or a list of 12 or 20 (SDXL), 17 or 26 (Stable Diffusion) numbers.",
            max_length=512, empty="All alike", advanced=True,
        )  # fmt: skip

        @field_validator("blocks")
        @classmethod
        def _readable(cls, text: str) -> str:
            try:
                read_blocks(text)
            except LoraBlocksUnreadable as error:
                raise ValueError(error.info().sentences()[1].rstrip(".")) from None
            return text

    @classmethod
    def fingerprint(cls, params: Mapping[str, Any], resources: Resources) -> str:
        """The fingerprint of the file, so that a replaced one is never stale."""
        return file_fingerprint("lora", params.get("lora", ""), resources)

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        from pipelines.models.probing.lora_families import check_fits

        model: ModelHandle = inputs["model"]
        text = params.strength if params.text_strength is None else params.text_strength
        if not params.lora or params.strength == text == 0:
            return {"model": model}
        found = context.models.find("lora", absolute(params.lora, context.path))
        check_fits(found.id, found.family, model.id, model.family)
        read_blocks(params.blocks).check(model.family)
        lora = Lora(found.id, found.path, found.fingerprint, params.strength, text, params.blocks.strip())
        return {"model": model.replace(loras=(*model.loras, lora))}


class EmbeddingNode(Node):
    """Teach a model a word: an embedding (textual inversion) that stands for a style, a person or a thing."""

    id, title, category, lane = "model.embedding", "Embedding", "Model", "io"
    inputs = (Input("model", types.DiffusionModel, description="The model that learns it."),)
    outputs = (Output("model", types.DiffusionModel, description="The same model with the word."),)

    class Params(NodeParams):
        embedding: str = Param(
            "", "Embedding", "An id from the list or a path of your own; empty changes nothing.",
            widget="model", choices="models:embedding", max_length=4096, empty="None", primary=True,
        )  # fmt: skip
        word: str = Param(
            "", "Trigger word", "What stands for it in a prompt; “embedding:” may be written before it.",
            max_length=100, empty="The file's own, or its name", primary=True,
        )  # fmt: skip

    @classmethod
    def fingerprint(cls, params: Mapping[str, Any], resources: Resources) -> str:
        """The fingerprint of the file, so that a replaced one is never stale."""
        return file_fingerprint("embedding", params.get("embedding", ""), resources)

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        from pipelines.models.probing.embedding_families import check_fits, own_word

        model: ModelHandle = inputs["model"]
        if not params.embedding:
            return {"model": model}
        found = context.models.find("embedding", absolute(params.embedding, context.path))
        check_fits(found.id, found.family, model.id, model.family)
        word = params.word.strip() or own_word(Path(found.path))
        embedding = Embedding(found.id, found.path, found.fingerprint, word)
        others = tuple(each for each in model.embeddings if each.word.casefold() != word.casefold())
        return {"model": model.replace(embeddings=(*others, embedding))}


NODES = (
    DiffusionModelNode,
    LanguageModelNode,
    UpscaleModelNode,
    ControlModelNode,
    AdapterNode,
    LoraNode,
    EmbeddingNode,
)
