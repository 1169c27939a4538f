"""The node that makes a model faster: it changes the handle, and the rest is done where the model is used."""

from __future__ import annotations

from typing import Literal

from pipelines.graph import types
from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param
from pipelines.graph.values import ModelHandle, Speed

Attention = Literal["auto", "native", "cudnn", "math", "flash", "sage", "xformers"]
Cache = Literal["none", "first_block", "pyramid", "taylor"]
Tiling = Literal["auto", "on", "off"]
Runtime = Literal["torch", "openvino"]


class SpeedNode(Node):
    """Make a model faster, or fit it into less memory, at the cost that each setting states."""

    id, title, category, lane = "model.speed", "Speed", "Model", "io"
    inputs = (Input("model", types.DiffusionModel, description="The model that is used so."),)
    outputs = (Output("model", types.DiffusionModel, description="The same model, used so."),)

    class Params(NodeParams):
        attention: Attention = Param(
            "auto", "Attention",
            "How it is computed: flash, sage and xformers are libraries to be installed. Pictures differ by "
            "rounding alone, with sage by more (8 bits); math is the slowest and takes the most memory.",
            primary=True,
        )  # fmt: skip
        cache: Cache = Param(
            "none", "Step cache",
            "Takes what changed little from the step before: up to twice as fast, fine detail suffers. "
            "first_block takes the memory of a few layers, the others that of every layer's result.",
            primary=True,
        )  # fmt: skip
        cache_threshold: float = Param(
            0.1, "Change that counts", "For first_block: smaller changes aren't computed; more is faster.",
            ge=0.01, le=1, step=0.01, widget="slider",
        )  # fmt: skip
        cache_every: int = Param(
            3, "One step of", "For pyramid and taylor: one step of so many is computed.", ge=2, le=10
        )  # fmt: skip
        channels_last: bool = Param(
            False, "Channels last",
            "Another layout for the weights of U-Nets: often faster on a card, and costs no memory.",
        )  # fmt: skip
        compile: bool = Param(
            False, "Compile",
            "The first step waits a minute or two while blocks are compiled, the ones after it are faster. "
            "LoRAs may change without compiling again; another size compiles again.",
        )  # fmt: skip
        tiling: Tiling = Param(
            "auto", "VAE in tiles",
            "on takes a ninth of the memory to decode, with faint seams at most; off never does it; auto "
            "does where memory runs out. Batches are decoded one by one in any case.",
        )  # fmt: skip

        runtime: Runtime = Param(
            "torch", "Computed by",
            "openvino computes on processors, small pictures more than twice as fast as torch; it takes the "
            "memory of the denoiser once more, and the first step waits while it is compiled.",
        )  # fmt: skip

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        model: ModelHandle = inputs["model"]
        return {"model": model.replace(speed=Speed(**params.model_dump()))}


NODES = (SpeedNode,)
