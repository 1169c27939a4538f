"""From what is painted to a run: checks what a task needs, keeps the layers, plans the crop, and submits."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from PySide6.QtCore import QMargins, QObject, Signal, Slot
from PySide6.QtGui import QImage

from pipelines.graph.document import Graph, NodeRecord
from pipelines.inpaint.geometry import MaskSettings
from pipelines.models.families.controls import drawn_family, follows_controls, reads_references
from studio.background import in_background
from studio.documents.sheet import Sheet
from studio.inpaint.canvas_binding import CanvasBinding
from studio.inpaint.canvas_form import CanvasForm
from studio.inpaint.canvas_graph import (
    CANVAS,
    SIDES,
    CanvasParts,
    targets,
    with_control,
    with_params,
    with_references,
)
from studio.inpaint.canvas_runs import LIVE_STEPS, CanvasRuns
from studio.inpaint.crop_watcher import Planned, Sides, Wish, plan_for
from studio.inpaint.layer_keeper import LayerKeeper
from studio.inpaint.layer_records import pixels_of
from studio.inpaint.tasks import task
from studio.mask.layers import LayerKind
from studio.mask.mask_canvas import MaskCanvas
from studio.parts import Parts
from studio.translate import tr

LENGTHS: Final = ("grow", "feather", "blend", "context")
SEEDS: Final = 2**63
MADE: Final = "made"
"""The node that a picture is fetched from (see :meth:`Drawing.process`)."""


class Drawing(QObject):
    """``refused`` (heading, text, buttons) says why nothing is drawn and what can be done."""

    refused = Signal(str, str, object)

    def __init__(
        self,
        parts: Parts,
        binding: CanvasBinding,
        canvas: MaskCanvas,
        keeper: LayerKeeper,
        runs: CanvasRuns,
        form: CanvasForm,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._parts, self._binding, self._canvas = parts, binding, canvas
        self._keeper, self._runs, self._form = keeper, runs, form
        self.may_run: Callable[[], bool] = lambda: True
        """Whether the document may run; a draft asks it too."""
        self._live = False
        self._submission = 0
        self._live_seed = secrets.randbelow(SEEDS)
        form.live_toggled.connect(self.set_live)
        canvas.document.committed.connect(self._painted)
        runs.live_due.timeout.connect(self._draw_live)

    # --- what is wanted --------------------------------------------------------------------------------

    def sides(self) -> Sides:
        """How far the picture grows: left, top, right, bottom."""
        left, top, right, bottom = (self._binding.value(side) or 0 for side in SIDES)
        return int(left), int(top), int(right), int(bottom)

    def margins(self) -> QMargins:
        """:meth:`sides`, as Qt says them."""
        return QMargins(*self.sides())

    def wish(self) -> Wish:
        """What the crop is planned from."""
        value = self._binding.value
        lengths = {name: float(value(name)) for name in LENGTHS if _length(value(name)) is not None}
        settings = MaskSettings(**lengths, padding=int(value("padding") or 0))
        strength = value("strength")
        model = self._parts.models.find(str(value("model") or ""))
        return Wish.of(
            model, settings=settings, sides=self.sides(), beyond=self._canvas_param("beyond", True),
            whole=self._canvas_param("whole", False),
            strength=float(strength) if isinstance(strength, int | float) else 1.0,
        )  # fmt: skip

    def _canvas_param(self, name: str, default: bool) -> bool:
        parts = self._binding.parts
        if parts is None:
            return default
        return bool(self._parts.document.graph.nodes[parts.canvas].params.get(name, default))

    def has_mask(self) -> bool:
        """Whether anything is masked."""
        return any(
            layer.kind is LayerKind.MASK
            and layer.counts
            and layer.surface is not None
            and layer.surface.tiles
            for layer in self._canvas.document.stack.layers
        )

    @Slot(QMargins)
    def set_expansion(self, margins: QMargins) -> None:
        """The edges were dragged."""
        sides = (margins.left(), margins.top(), margins.right(), margins.bottom())
        if sides != self.sides():
            self._form.set_expansion(dict(zip(SIDES, sides, strict=True)))

    # --- generate --------------------------------------------------------------------------------------

    @Slot()
    def generate(self, *, whole: bool = False) -> None:
        """Draw what the task says. What it lacks is said, and shown on the canvas."""
        parts = self._binding.parts
        if self._canvas.document.stack.size.isEmpty():
            return
        if parts is None:
            text = tr(
                "The node that held what is painted here is gone. Undo that, or open the picture again."
            )
            self.refused.emit(tr("This graph can't do that."), text, ())
            return
        chosen = task(self._form.task)
        if chosen.id == "expand" and not any(self.sides()):
            self._canvas.show_hint(tr(chosen.hint))
            self.refused.emit(tr("The picture doesn't grow yet."), tr(chosen.hint), ())
            return
        if chosen.needs_mask and not whole and not self.has_mask():
            self._canvas.show_hint(tr(chosen.hint))
            button = (tr("Use the whole picture"), lambda: self.generate(whole=True))
            self.refused.emit(tr("Nothing is masked yet."), tr(chosen.hint), (button,))
            return
        if not self._makes_anything(parts, chosen.id):
            return
        self._form.clear_messages()
        self._runs.cancel("live")
        self._keeper.keep(lambda: self._submit("generate", whole=whole))

    def _makes_anything(self, parts: CanvasParts, id: str) -> bool:
        node = parts.remove if id == "remove" else parts.draw
        if node or targets(self._parts.document.graph, parts):
            return True
        text = tr("Nothing in the graph uses what is painted here for this task.")
        self.refused.emit(tr("This graph can't do that."), text, ())
        return False

    def _submit(self, purpose: str, *, whole: bool = False) -> None:
        parts = self._binding.parts
        if parts is None:
            return
        graph, wanted = self._graph_for(parts, purpose, whole=whole)
        before = self._canvas.current_image() or QImage()
        if self._form.task == "remove":
            self._send(graph, wanted, purpose, before, None, self._parts.document.sheet)
            return
        stack, wish = self._canvas.document.stack, self.wish()
        wish = replace(wish, whole=wish.whole or whole)
        masks = [pixels_of(layer) for layer in stack.layers if layer.kind is LayerKind.MASK and layer.counts]
        self._submission += 1
        number, sheet = self._submission, self._parts.document.sheet

        def planned(plan: Planned | None) -> None:
            late = number != self._submission or sheet is not self._parts.document.sheet
            if purpose != "live" or not late:  # else another document is shown, or a newer draft is due
                self._send(graph, wanted, purpose, before, plan, sheet)

        in_background(self, lambda: plan_for(masks, stack.size, wish), planned)

    def _send(
        self, graph: Graph, wanted: tuple[str, ...], purpose: str, before: QImage, plan: Planned | None,
        sheet: Sheet,
    ) -> None:  # fmt: skip
        with self._parts.tracker.announced(graph, sheet):
            self._runs.submit(graph, wanted, purpose, before, plan, home=sheet)

    def _graph_for(self, parts: CanvasParts, purpose: str, *, whole: bool) -> tuple[Graph, tuple[str, ...]]:
        """The document as it is run, and the nodes that are asked for."""
        graph = self._parts.document.graph
        if whole and graph.nodes[parts.canvas].type == CANVAS:
            graph = with_params(graph, parts.canvas, {"whole": True})
        usable = self._usable()
        controls = LayerKind.CONTROL in usable and any(
            layer.kind is LayerKind.CONTROL and layer.counts for layer in self._canvas.document.stack.layers
        )
        graph = with_control(graph, parts, wanted=controls, by_model=not self._follows())
        references = LayerKind.REFERENCE in usable and any(
            layer.kind is LayerKind.REFERENCE and layer.counts for layer in self._canvas.document.stack.layers
        )
        graph = with_references(graph, parts, wanted=references, adapter=self._adapter())
        for kind, port in ((LayerKind.REGION, "regions"), (LayerKind.REFERENCE, "references")):
            if parts.draw and kind not in usable:
                graph = graph.without_link(parts.draw, port)
        if purpose != "live" or not parts.draw:
            return graph, targets(graph, parts)
        record = graph.nodes[parts.draw]
        steps = record.params.get("steps", LIVE_STEPS)
        few = min(int(steps), LIVE_STEPS) if isinstance(steps, int | float) else LIVE_STEPS
        seed = record.params.get("seed")
        seed = self._live_seed if seed is None else seed
        quick = {"steps": few, "batch": 1, "seed": seed, "sizes": "exact"}
        return with_params(graph, parts.draw, quick), (parts.draw,)

    def _usable(self) -> frozenset[LayerKind]:
        """The kinds of layers that the chosen model can use; the panel says why it can't use the others."""
        model = self._parts.models.find(str(self._binding.value("model") or ""))
        reasons = model.unavailable if model is not None else {}
        return frozenset(kind for kind in LayerKind if f"layer:{kind.value}" not in reasons)

    def _follows(self) -> bool:
        """Whether the chosen model sees control pictures itself."""
        model = self._parts.models.find(str(self._binding.value("model") or ""))
        return model is not None and follows_controls(model.family)

    def _adapter(self) -> str:
        """The first adapter that lets the chosen model follow references; empty if it needs or finds none."""
        model = self._parts.models.find(str(self._binding.value("model") or ""))
        if model is None or reads_references(model.family, model.variant):
            return ""
        family = drawn_family(model.family)
        fitting = (
            info.id
            for info in self._parts.models.of_kind("adapter")
            if info.base == family and not info.problem
        )
        return next(fitting, "")

    # --- live ------------------------------------------------------------------------------------------

    @Slot(bool)
    def set_live(self, on: bool) -> None:
        """Draw a draft after each stroke, or no more."""
        self._live = on
        if on:
            self._painted()
        else:
            self._runs.live_due.stop()
            self._runs.cancel("live")

    @Slot()
    def _painted(self) -> None:
        if (
            self._live
            and self._form.task != "remove"
            and (self.has_mask() or not task(self._form.task).needs_mask)
        ):
            self._runs.live_due.start()

    @Slot()
    def _draw_live(self) -> None:
        if self._runs.is_active("generate") or self._binding.parts is None:
            return
        if not self.may_run():
            self._form.live.setChecked(False)
            return
        self._runs.cancel("live")
        self._keeper.keep(lambda: self._submit("live"))

    # --- pictures of other nodes -----------------------------------------------------------------------

    def fetch(self, node: str, done: Callable[[QImage], object]) -> None:
        """Run the graph up to a node, for its picture."""
        graph = self._parts.document.graph
        self._runs.submit(graph, (node,), "picture", QImage(), None, done)

    def process(self, type_id: str, params: dict[str, Any], done: Callable[[QImage], object]) -> None:
        """Run one node on the picture that is painted, beside the document; its picture goes to ``done``."""

        def submit() -> None:
            parts = self._binding.parts
            if parts is None:
                return
            layers = self._parts.document.graph.nodes[parts.canvas]
            graph = Graph().with_node("canvas", layers)
            inputs = {"image": ("canvas", "image")}
            if type_id == "upscale.model":
                graph = graph.with_node("upscaler", NodeRecord.new("model.upscale"))
                inputs["model"] = ("upscaler", "model")
            graph = graph.with_node(MADE, NodeRecord.new(type_id, params=params, inputs=inputs))
            self._runs.submit(graph, (MADE,), "picture", QImage(), None, done)

        self._keeper.keep(submit)


def _length(value: Any) -> float | None:
    """A length that was set; ``None`` where the formulas choose."""
    return float(value) if isinstance(value, int | float) and value >= 0 else None
