"""What canvas tests need: a bridge that says what it is told to say, a small registry, pictures."""

from __future__ import annotations

from typing import Any, Literal

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor, QImage, QLinearGradient, QPainter

from pipelines.engine.protocol import (
    CachedNodes,
    ErrorData,
    ImageRef,
    NodeFinished,
    NodeProgress,
    NodeStarted,
    RunFinished,
    RunStarted,
    ValueRef,
)
from pipelines.graph import types
from pipelines.graph.document import Graph
from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param
from pipelines.graph.registry import Registry


class FakeBridge(QObject):
    """An engine bridge without an engine: tests emit what an engine would."""

    ready = Signal(object)
    run_submitted = Signal(str)
    run_started = Signal(object)
    node_started = Signal(object)
    node_progressed = Signal(object)
    node_warned = Signal(object)
    node_finished = Signal(object)
    run_finished = Signal(object)
    cached_found = Signal(object)
    failed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.submitted: list[tuple[Graph, tuple[str, ...] | None, str, str]] = []
        self.asked: list[Graph] = []
        self.pictures: dict[str, QImage] = {}

    def submit(
        self, graph: Graph, targets: tuple[str, ...] | None = None, name: str = "", base: str = ""
    ) -> str:
        self.submitted.append((graph, targets, name, base))
        job = f"job-{len(self.submitted)}"
        self.run_submitted.emit(job)
        return job

    def find_cached(self, graph: Graph, base: str = "") -> str:
        self.asked.append(graph)
        return f"cached-{len(self.asked)}"

    def image(self, ref: ImageRef) -> QImage:
        return self.pictures.get(ref.file, QImage())

    # --- what an engine would say ----------------------------------------------------------------------

    def start(self, job: str, *nodes: str) -> None:
        self.run_started.emit(RunStarted(job=job, nodes=nodes))

    def begin(self, job: str, node: str) -> None:
        self.node_started.emit(NodeStarted(job=job, node=node))

    def progress(self, job: str, node: str, step: int, total: int, **more: Any) -> None:
        self.node_progressed.emit(NodeProgress(job=job, node=node, step=step, total=total, **more))

    def finish(
        self, job: str, node: str, status: Any = "executed", seconds: float = 1.0, *,
        outputs: dict[str, ValueRef] | None = None, error: ErrorData | None = None, stored: int = 0,
    ) -> None:  # fmt: skip
        self.node_finished.emit(
            NodeFinished(
                job=job,
                node=node,
                status=status,
                seconds=seconds,
                outputs=outputs or {},
                error=error,
                stored_bytes=stored,
            )
        )

    def tell_cached(self, **outputs: dict[str, ValueRef]) -> None:
        """These nodes' results are there: the answer to the last question."""
        request = f"cached-{len(self.asked)}"
        nodes = tuple(
            NodeFinished(
                job=request, node=node.replace("__", "/"), status="cached", seconds=2.0, outputs=held
            )
            for node, held in outputs.items()
        )
        self.cached_found.emit(CachedNodes(request=request, nodes=nodes))

    def end(self, job: str, status: Any = "finished", **nodes: Any) -> None:
        self.run_finished.emit(RunFinished(job=job, status=status, seconds=1.0, nodes=nodes))

    def picture(self, name: str, width: int = 256, height: int = 256, hue: int = 20) -> ValueRef:
        """A picture on an output; :meth:`image` gives it."""
        self.pictures[name] = gradient(width, height, hue)
        ref = ImageRef(file=name, width=width, height=height, channels=3)
        return ValueRef(type="Image", images=(ref,), sizes=((width, height),))


def gradient(width: int, height: int, hue: int) -> QImage:
    """A picture that is recognisable in a thumbnail."""
    picture = QImage(width, height, QImage.Format.Format_RGB32)
    fill = QLinearGradient(0, 0, width, height)
    fill.setColorAt(0, QColor.fromHsv(hue, 120, 250))
    fill.setColorAt(1, QColor.fromHsv((hue + 60) % 360, 200, 120))
    painter = QPainter(picture)
    painter.fillRect(picture.rect(), fill)
    painter.setBrush(QColor.fromHsv((hue + 180) % 360, 180, 220))
    painter.drawEllipse(width // 4, height // 4, width // 2, height // 2)
    painter.end()
    return picture


class _Stub(Node):
    def run(self, inputs: Inputs, params: Any, context: Context) -> Outputs:
        raise NotImplementedError


class Words(_Stub):
    """A text to start from."""

    id, title, category = "test.words", "Words", "Text"
    outputs = (Output("text", types.Text),)

    class Params(NodeParams):
        text: str = Param("", "Text", "What it says.", widget="multiline", primary=True)


class Paint(_Stub):
    """A picture from a text.

    More about it.
    """

    id, title, category, lane = "test.paint", "Paint", "Diffusion", "gpu"
    inputs = (
        Input("model", types.DiffusionModel),
        Input("prompt", types.Text, multiline=True, description="What to draw."),
        Input("seed", types.Seed, default=None),
    )
    outputs = (Output("image", types.Image), Output("seed", types.Seed))
    preview = "image"

    class Params(NodeParams):
        steps: int = Param(16, "Steps", "How many.", ge=1, le=100, primary=True)
        guidance: float = Param(4.0, "Guidance scale", ge=0, le=30, primary=True)
        sampler: Literal["default", "Euler", "Heun"] = Param("default", "Sampler", primary=True)
        batch: int = Param(1, "Count", ge=1, le=16)
        tiles: bool = Param(False, "Tiles", advanced=True)

    @classmethod
    def output_ports(cls, params: Any) -> tuple[Output, ...]:
        many = isinstance(params.get("batch"), int) and params["batch"] > 1
        return (Output("image", types.list_of(types.Image) if many else types.Image), cls.outputs[1])


class Model(_Stub):
    """A model of the catalogue."""

    id, title, category = "test.model", "Model", "Models"
    outputs = (Output("model", types.DiffusionModel),)

    class Params(NodeParams):
        model: str = Param("", "Model", widget="model", choices="models:diffusion", primary=True)


class Blur(_Stub):
    """A softer picture."""

    id, title, category = "test.blur", "Blur", "Image"
    inputs = (Input("image", types.Image), Input("mask", types.Mask, default=None))
    outputs = (Output("image", types.Image),)
    preview = "image"

    class Params(NodeParams):
        radius: float = Param(2.0, "Radius", unit="px", ge=0, le=100, primary=True)


class Number(_Stub):
    """A number."""

    id, title, category = "test.number", "Number", "Numbers"
    outputs = (Output("value", types.Number),)

    class Params(NodeParams):
        value: float = Param(0.0, "Value", primary=True)


class Join(_Stub):
    """Two texts as one."""

    id, title, category = "test.join", "Join", "Text"
    inputs = (Input("a", types.Text, default=""), Input("b", types.Text, default=""))
    outputs = (Output("text", types.Text),)


def stub_registry() -> Registry:
    """Node types of every kind a canvas has to show."""
    return Registry(Words, Paint, Model, Blur, Number, Join)


def small_graph() -> Graph:
    """words → paint → blur, model → paint; the picture has a place for everything."""
    return Graph.loads(
        """{"format": 1,
 "nodes": {
  "blur": {"type": "test.blur", "version": 1, "inputs": {"image": ["paint", "image"]}},
  "model": {"type": "test.model", "version": 1},
  "paint": {"type": "test.paint", "version": 1,
            "inputs": {"model": ["model", "model"], "prompt": ["words", "text"]}},
  "words": {"type": "test.words", "version": 1, "params": {"text": "a red apple"}}},
 "view": {"positions": {"blur": [640, 0], "model": [0, 0], "paint": [320, 0], "words": [0, 200]}}}
"""
    )
