"""The node that takes things out of a picture. No torch import here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipelines.errors import DiptychError, InpaintModelMissing
from pipelines.graph import types
from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param, Resources
from pipelines.graph.values import ModelHandle
from pipelines.inpaint.geometry import MaskSettings
from pipelines.inpaint.remove import Removal, remove

MAX_REACH: Final = 4096


def _length(title: str, description: str) -> Any:
    """A length beside the mask; -1 is chosen by size."""
    return Param(
        -1.0, title, f"{description} −1 is chosen by size.",
        unit="px", ge=-1, le=MAX_REACH, step=1, advanced=True,
    )  # fmt: skip


class RemoveObject(Node):
    """Take away what a mask covers, and go on with what is round it. Needs no prompt."""

    id, title, category, lane = "image.remove", "Remove", "Image", "gpu"
    inputs = (
        Input("image", types.Image, description="The picture with the thing in it."),
        Input("mask", types.Mask, description="What to take away; whatever it touches goes."),
    )
    outputs = (Output("image", types.Image, description="The picture without it."),)
    preview = "image"

    class Params(NodeParams):
        method: Removal = Param(
            Removal.AUTO, "Method",
            "A model for it if there is one; smooth surroundings; or pieces of the picture. "
            "“auto” takes what suits.",
            primary=True,
        )  # fmt: skip
        model: str = Param(
            "", "Model", "A model that fills gaps (LaMa): an id from the list or a path of your own.",
            widget="model", choices="models:inpaint", max_length=4096, empty="The first there is",
        )  # fmt: skip
        grow: float = _length("Grow", "How far beyond the mask it is taken away, shadows and edges included.")
        blend: float = _length("Blend", "How far past that what was made up fades into the picture.")
        context: float = _length("Context", "How much round the mask is looked at.")
        padding: int = Param(
            0, "Padding", "Still more round the mask, on every side.",
            unit="px", ge=0, le=MAX_REACH, step=8, advanced=True,
        )  # fmt: skip

    @classmethod
    def fingerprint(cls, params: Mapping[str, Any], resources: Resources) -> str:
        """That of the model's files: another model, or the first one there is, makes another picture."""
        method, model = params.get("method", Removal.AUTO), params.get("model", "")
        if method not in (Removal.AUTO, Removal.MODEL) or not isinstance(model, str):
            return ""
        try:
            return resources.find("inpaint", _place(model, resources), "fp32").fingerprint
        except DiptychError:
            return ""

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        image, mask = inputs["image"], inputs["mask"]
        given = {name: getattr(params, name) for name in ("grow", "blend", "context")}
        lengths = {name: value if value >= 0 else None for name, value in given.items()}
        settings = MaskSettings(**lengths, padding=params.padding)
        context.progress(0, 1, phase="removing")
        handle = self._model(params, context)
        if handle is None:
            return {"image": remove(image, mask, params.method, settings)}
        from pipelines.inpaint.by_model import remove_by_model

        with context.models.use(handle, context) as loaded:
            context.progress(0, 1, phase="removing")
            return {"image": remove_by_model(loaded, image, mask, settings, context.cancel)}

    def _model(self, params: Params, context: Context) -> ModelHandle | None:
        """The model to use; ``None`` where the method needs none, or may do without."""
        if params.method not in (Removal.AUTO, Removal.MODEL):
            return None
        try:
            return context.models.find("inpaint", _place(params.model, context), "fp32")
        except InpaintModelMissing:
            if params.method is Removal.MODEL:
                raise
            return None


def _place(model: str, resources: Resources | Context) -> str:
    """A model written as a relative path belongs to the document's folder; ids stay."""
    relative = model.startswith(("./", "../", ".\\", "..\\", "~"))
    return str(resources.path(model)) if relative else model


NODES = (RemoveObject,)
