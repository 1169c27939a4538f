"""Nodes that give a model another VAE or text encoder than its own, or the one that its file lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pipelines.graph import types
from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param, Resources
from pipelines.nodes.model import absolute, file_fingerprint


class _PartNode(Node):
    """What both have in common; ``kind`` is the catalogue's, and the name of the param."""

    category, lane = "Model", "io"
    inputs = (Input("model", types.DiffusionModel, description="The model that is changed."),)
    outputs = (Output("model", types.DiffusionModel, description="The same model with the part."),)
    kind: ClassVar[str]

    @classmethod
    def fingerprint(cls, params: Mapping[str, Any], resources: Resources) -> str:
        """The fingerprint of the file, so that a replaced one is never stale."""
        return file_fingerprint(cls.kind, params.get(cls.kind, ""), resources)

    def run(self, inputs: Inputs, params: Any, context: Context) -> Outputs:
        chosen = getattr(params, self.kind)
        if not chosen:
            return {"model": inputs["model"]}
        return {"model": context.models.with_part(inputs["model"], self.kind, absolute(chosen, context.path))}


class VaeNode(_PartNode):
    """Give a model another VAE: what turns its latents into a picture, and a picture into latents."""

    id, title, kind = "model.vae", "VAE", "vae"

    class Params(NodeParams):
        vae: str = Param(
            "", "VAE", "An id from the list or a path of your own; tiny ones are fast and less exact.",
            widget="model", choices="models:vae", max_length=4096, empty="The model's own", primary=True,
        )  # fmt: skip


class TextEncoderNode(_PartNode):
    """Give a model another text encoder: what reads the prompt. Of several, each is given by its own node."""

    id, title, kind = "model.text_encoder", "Text encoder", "text_encoder"

    class Params(NodeParams):
        text_encoder: str = Param(
            "", "Text encoder", "An id from the list or a path of your own; its kind tells which one it is.",
            widget="model", choices="models:text_encoder", max_length=4096, empty="The model's own",
            primary=True,
        )  # fmt: skip


NODES = (VaeNode, TextEncoderNode)
