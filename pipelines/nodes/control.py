"""Nodes that make what steers a drawing: control pictures, control layers, regions. No torch import here."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Literal

from pipelines.graph import types
from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param
from pipelines.graph.values import Layer, ListValue

Control = Literal["lineart", "scribble", "canny", "depth", "pose", "other"]
_MORE: Final = Input("layers", types.list_of(types.Layer), "More layers", "Those to add it to.", default=None)
_LAYERS: Final = Output(
    "layers", types.list_of(types.Layer), description="Those that came in, and the new one."
)
_NAME: Any = Param(
    "", "Name", "How errors and the picture's history call it.", max_length=1_000, advanced=True
)


class Method(StrEnum):
    """How a control picture is derived."""

    LINE_ART = "line art"
    EDGES = "edges"
    SCRIBBLE = "scribble"


class Preprocess(Node):
    """Derive a control picture: white lines on black. Depth and poses need models; draw or import those."""

    id, title, category = "control.preprocess", "Control picture", "Control"
    inputs = (Input("image", types.Image, description="The picture whose lines are wanted."),)
    outputs = (Output("image", types.Image, description="The control picture."),)
    preview = "image"

    class Params(NodeParams):
        method: Method = Param(
            Method.LINE_ART,
            "Method",
            "Soft lines, thin hard edges (Canny), or a few broad strokes.",
            primary=True,
        )
        detail: float = Param(
            0.5, "Detail", "How fine the lines of line art and scribbles are.",
            ge=0, le=1, step=0.05, widget="slider", primary=True,
        )  # fmt: skip
        low: float = Param(
            100.0,
            "Lower threshold",
            "How faint an edge may become before it ends.",
            ge=0,
            le=1020,
            advanced=True,
        )
        high: float = Param(
            200.0, "Upper threshold", "How strong an edge must be to begin.", ge=0, le=1020, advanced=True
        )

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        from pipelines.control import edges, line_art, scribble

        image = inputs["image"]
        match params.method:
            case Method.EDGES:
                return {"image": edges(image, params.low, params.high)}
            case Method.SCRIBBLE:
                return {"image": scribble(image, params.detail)}
            case _:
                return {"image": line_art(image, params.detail)}


class ControlLayer(Node):
    """Let a picture lead the shapes of a drawing: layers for “Control layers” of a node that draws."""

    id, title, category = "control.layer", "Control layer", "Control"
    inputs = (
        Input("image", types.Image, description="The control picture, white on black for lines."),
        Input(
            "model", types.ControlModel, "Control model",
            "What reads it; without one, what is connected to the node that draws.", default=None,
        ),
        _MORE,
    )  # fmt: skip
    outputs = (_LAYERS,)

    class Params(NodeParams):
        control: Control = Param("lineart", "Kind", "What the picture shows.", primary=True)
        weight: float = Param(
            1.0, "Weight", "How strongly it leads; 0 is not at all.",
            ge=0, le=2, step=0.05, widget="slider", primary=True,
        )  # fmt: skip
        start: float = Param(
            0.0, "Start", "The part of the steps after which it begins.",
            ge=0, le=1, step=0.05, widget="slider",
        )  # fmt: skip
        end: float = Param(
            1.0, "End", "The part of the steps after which it ends.", ge=0, le=1, step=0.05, widget="slider"
        )
        name: str = _NAME

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        info: dict[str, Any] = params.model_dump(include={"control", "weight", "start", "end"})
        if inputs.get("model") is not None:
            info["model"] = inputs["model"].id
        return _with(inputs, Layer("control", params.name or params.control, inputs["image"], info=info))


class RegionLayer(Node):
    """Give a part of the picture a prompt of its own: layers for “Regions” of a node that draws."""

    id, title, category = "control.region", "Region", "Control"
    inputs = (
        Input("mask", types.Mask, description="Where the prompt counts: 1 is fully, 0 not at all."),
        Input("prompt", types.Text, description="What is to be seen there.", default="", multiline=True),
        _MORE,
    )
    outputs = (_LAYERS,)

    class Params(NodeParams):
        weight: float = Param(
            1.0, "Weight", "How much it counts beside the prompt of the whole picture.",
            ge=0, le=1, step=0.05, widget="slider", primary=True,
        )  # fmt: skip
        name: str = _NAME

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        prompt = inputs.get("prompt", "")
        info = {"prompt": prompt, "weight": params.weight}
        return _with(inputs, Layer("region", params.name or prompt[:40], mask=inputs["mask"], info=info))


def _with(inputs: Inputs, layer: Layer) -> Outputs:
    """The layers that came in, and one more."""
    return {"layers": ListValue([*(inputs.get("layers") or ()), layer])}


NODES = (Preprocess, ControlLayer, RegionLayer)
