"""Nodes that make what steers a drawing: control pictures, control layers, regions. No torch import here."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Literal

from pipelines.diffusion.prompts.tagged_models import fingerprint_of_tags
from pipelines.errors import DiptychError
from pipelines.graph import types
from pipelines.graph.node import (
    Context,
    Input,
    Inputs,
    Lane,
    Node,
    NodeParams,
    Output,
    Outputs,
    Param,
    Resources,
)
from pipelines.graph.values import Image, Layer, ListValue
from pipelines.nodes.model import absolute

Control = Literal["lineart", "scribble", "canny", "depth", "normal", "pose", "tile", "other"]
Leads = Literal["all", "style", "composition"]
_MORE: Final = Input("layers", types.list_of(types.Layer), "More layers", "Those to add it to.", default=None)
_LAYERS: Final = Output(
    "layers", types.list_of(types.Layer), description="Those that came in, and the new one."
)
_START: Any = Param(
    0.0, "Start", "The part of the steps after which it begins.", ge=0, le=1, step=0.05, widget="slider"
)
_END: Any = Param(
    1.0, "End", "The part of the steps after which it ends.", ge=0, le=1, step=0.05, widget="slider"
)
_NAME: Any = Param(
    "", "Name", "How errors and the picture's history call it.", max_length=1_000, advanced=True
)


class Method(StrEnum):
    """How a control picture is derived."""

    LINE_ART = "line art"
    EDGES = "edges"
    SCRIBBLE = "scribble"
    DEPTH = "depth"
    NORMALS = "normals"
    POSE = "pose"


BY_MODEL: Final = {
    Method.DEPTH: {"depth": "model"},
    Method.NORMALS: {"depth": "model"},
    Method.POSE: {"pose": "pose_model", "detector": "detector"},
}
"""Methods that need models: their kinds, and the params that choose them."""


class Preprocess(Node):
    """Derive a control picture: white lines on black; depth, normals or the poses of people by a model."""

    id, title, category = "control.preprocess", "Control picture", "Control"
    inputs = (Input("image", types.Image, description="The picture whose lines, depth or poses are wanted."),)
    outputs = (Output("image", types.Image, description="The control picture."),)
    preview = "image"

    class Params(NodeParams):
        method: Method = Param(
            Method.LINE_ART,
            "Method",
            "Soft lines, thin hard edges (Canny), a few broad strokes; the others need a model.",
            primary=True,
        )
        model: str = Param(
            "", "Depth model", "What finds depth and normals: an id from the list or a path of your own.",
            widget="model", choices="models:depth", max_length=4096, empty="First that is found",
        )  # fmt: skip
        pose_model: str = Param(
            "", "Pose model", "What finds the joints of a person: an id from the list or a path of your own.",
            widget="model", choices="models:pose", max_length=4096, empty="First that is found",
        )  # fmt: skip
        detector: str = Param(
            "", "Detector",
            "What finds people for the pose model; where there is none, the whole picture is taken as one.",
            widget="model", choices="models:detector", max_length=4096, empty="First that is found",
        )  # fmt: skip
        confidence: float = Param(
            0.3, "Confidence", "How sure the models must be of a person and of each joint.",
            ge=0, le=1, step=0.05, widget="slider",
        )  # fmt: skip
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

    @classmethod
    def lane_for(cls, params: Mapping[str, Any]) -> Lane:
        """Lines are found beside whatever draws; a model waits for the device."""
        return "gpu" if params.get("method") in BY_MODEL else cls.lane

    @classmethod
    def fingerprint(cls, params: Mapping[str, Any], resources: Resources) -> str:
        """Those of the models' files, where there are any, so that a replaced one is never stale."""
        kinds = BY_MODEL.get(params.get("method", ""), {})
        return " ".join(_fingerprint(kind, params.get(name, ""), resources) for kind, name in kinds.items())

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        from pipelines.control import edges, line_art, scribble

        image = inputs["image"]
        match params.method:
            case Method.DEPTH | Method.NORMALS:
                return {"image": _depth(image, params, context)}
            case Method.POSE:
                return {"image": _pose(image, params, context)}
            case Method.EDGES:
                return {"image": edges(image, params.low, params.high)}
            case Method.SCRIBBLE:
                return {"image": scribble(image, params.detail)}
            case _:
                return {"image": line_art(image, params.detail)}


def _fingerprint(kind: str, model: Any, resources: Resources) -> str:
    try:
        return resources.find(kind, absolute(str(model), resources.path)).fingerprint
    except DiptychError:
        return ""


def _depth(image: Image, params: Preprocess.Params, context: Context) -> Image:
    from pipelines.control.depth import depth_of, normals_of

    context.progress(0, 1, phase="finding the depth")
    model = context.models.find("depth", absolute(params.model, context.path))
    with context.models.use(model, context) as loaded:
        depth = depth_of(loaded, image, context)
    return normals_of(depth) if params.method is Method.NORMALS else depth


def _pose(image: Image, params: Preprocess.Params, context: Context) -> Image:
    """In full precision: rounded, the places of joints would be, too."""
    from pipelines.control.pose import pose_picture

    context.progress(0, 1, phase="finding the pose")
    models = context.models
    pose = models.find("pose", absolute(params.pose_model, context.path), "fp32")
    detector = models.fitting("detector", {})
    if params.detector:
        detector = models.find("detector", absolute(params.detector, context.path))
    if detector is not None:
        detector = detector.replace(dtype="fp32")
    return pose_picture(image, pose, detector, params.confidence, context)


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
        start: float = _START
        end: float = _END
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
    reads = frozenset({"prompt"})

    class Params(NodeParams):
        weight: float = Param(
            1.0, "Weight", "How much it counts beside the prompt of the whole picture.",
            ge=0, le=1, step=0.05, widget="slider", primary=True,
        )  # fmt: skip
        name: str = _NAME

    @classmethod
    def fingerprint(cls, params: Mapping[str, Any], resources: Resources) -> str:
        """Of the embeddings that the prompt names, so that a replaced file is never stale."""
        return fingerprint_of_tags(str(params.get("prompt") or ""), resources)

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        prompt = inputs.get("prompt", "")
        info = {"prompt": prompt, "weight": params.weight}
        return _with(inputs, Layer("region", params.name or prompt[:40], mask=inputs["mask"], info=info))


class ReferenceLayer(Node):
    """Let a picture lead the look of a drawing: layers for “References” of a node that draws."""

    id, title, category = "control.reference", "Reference", "Control"
    inputs = (
        Input("image", types.Image, description="The picture whose look is followed."),
        Input(
            "mask", types.Mask, description="Where it leads: 1 is fully, 0 not at all; none is everywhere.",
            default=None,
        ),
        Input(
            "adapter", types.Adapter,
            description="What reads it; without one, what is connected to the node that draws.", default=None,
        ),
        _MORE,
    )  # fmt: skip
    outputs = (_LAYERS,)

    class Params(NodeParams):
        weight: float = Param(
            1.0, "Weight", "How strongly it leads; 0 is not at all. Models that edit know no weight.",
            ge=0, le=2, step=0.05, widget="slider", primary=True,
        )  # fmt: skip
        leads: Leads = Param("all", "Leads", "What is taken over from it.", primary=True)
        start: float = _START
        end: float = _END
        name: str = _NAME

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        info: dict[str, Any] = params.model_dump(include={"leads", "weight", "start", "end"})
        if inputs.get("adapter") is not None:
            info["adapter"] = inputs["adapter"].id
        name = params.name or "reference"
        return _with(inputs, Layer("reference", name, inputs["image"], inputs.get("mask"), info))


def _with(inputs: Inputs, layer: Layer) -> Outputs:
    """The layers that came in, and one more."""
    return {"layers": ListValue([*(inputs.get("layers") or ()), layer])}


NODES = (Preprocess, ControlLayer, RegionLayer, ReferenceLayer)
