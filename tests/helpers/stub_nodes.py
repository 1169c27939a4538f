"""Stub node types, threads and contexts for tests of the graph: no torch, no files, everything counted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import ArithmeticFailed, ErrorInfo, FileMissing
from pipelines.graph import types
from pipelines.graph.cache import Cache
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.executor import NodeResult, execute
from pipelines.graph.node import FlagToken, Input, Node, NodeParams, Output, Param, file_fingerprint
from pipelines.graph.plan import plan
from pipelines.graph.registry import Registry
from pipelines.graph.values import Image, ListValue

RUNS: Counter[str] = Counter()
"""How often each node type ran; the ``runs`` fixture empties it."""


class Constant(Node):
    """Any JSON value."""

    id, title = "stub.constant", "Constant"
    outputs = (Output("value", types.Any),)

    class Params(NodeParams):
        value: Any = Param(0, "Value")

    def run(self, inputs, params, context):
        RUNS[self.id] += 1
        return {"value": params.value}


class Add(Node):
    """a + b."""

    id, title = "stub.add", "Add"
    inputs = (Input("a", types.Number), Input("b", types.Number, default=0.0))
    outputs = (Output("value", types.Number),)

    def run(self, inputs, params, context):
        RUNS[self.id] += 1
        return {"value": inputs["a"] + inputs["b"]}


class Fail(Node):
    """Always fails."""

    id, title = "stub.fail", "Fail"
    inputs = (Input("a", types.Any, default=None),)
    outputs = (Output("value", types.Any),)

    def run(self, inputs, params, context):
        RUNS[self.id] += 1
        raise ArithmeticFailed(left=1, operation="/", right=0)


class Crash(Node):
    """Raises what it should not."""

    id, title = "stub.crash", "Crash"
    outputs = (Output("value", types.Any),)

    def run(self, inputs, params, context):
        raise RuntimeError("boom")


class Switch(Node):
    """One of two, lazily."""

    id, title = "stub.switch", "Switch"
    inputs = (Input("on", types.Any, lazy=True), Input("off", types.Any, lazy=True))
    outputs = (Output("value", types.Any),)

    class Params(NodeParams):
        use_on: bool = Param(True, "Use on")

    @classmethod
    def wanted(cls, params):
        return frozenset({"on" if params["use_on"] else "off"})

    def run(self, inputs, params, context):
        RUNS[self.id] += 1
        return {"value": inputs["on" if params.use_on else "off"]}


class Items(Node):
    """A list."""

    id, title = "stub.items", "Items"
    outputs = (Output("items", types.list_of(types.Text)),)

    class Params(NodeParams):
        items: list[Any] = Param([], "Items")

    def run(self, inputs, params, context):
        RUNS[self.id] += 1
        return {"items": ListValue(params.items)}


class Seeded(Node):
    """Text with a seed behind it."""

    id, title = "stub.seeded", "Seeded"
    inputs = (Input("text", types.Text, default=""), Input("seed", types.Seed, default=None))
    outputs = (Output("text", types.Text),)

    def run(self, inputs, params, context):
        RUNS[self.id] += 1
        return {"text": f"{inputs['text']}:{inputs['seed']}"}


class Picture(Node):
    """A black picture."""

    id, title = "stub.picture", "Picture"
    outputs = (Output("image", types.Image),)

    class Params(NodeParams):
        size: int = Param(4, "Size", ge=1, le=64)

    def run(self, inputs, params, context):
        RUNS[self.id] += 1
        return {"image": Image(np.zeros((params.size, params.size, 3), np.uint8))}


class Scribble(Node):
    """Tries to change its input."""

    id, title = "stub.scribble", "Scribble"
    inputs = (Input("image", types.Image),)
    outputs = (Output("image", types.Image),)

    def run(self, inputs, params, context):
        inputs["image"].pixels[0, 0] = 255
        return {"image": inputs["image"]}


class Slow(Node):
    """Counts steps until it is cancelled."""

    id, title, lane = "stub.slow", "Slow", "gpu"
    outputs = (Output("value", types.Number),)

    class Params(NodeParams):
        steps: int = Param(1000, "Steps")

    def run(self, inputs, params, context):
        RUNS[self.id] += 1
        for step in range(params.steps):
            context.cancel.check()
            context.progress(step + 1, params.steps)
            time.sleep(0.002)
        return {"value": 1.0}


class Read(Node):
    """The text of a file."""

    id, title = "stub.read", "Read"
    outputs = (Output("text", types.Text),)

    class Params(NodeParams):
        path: str = Param("", "Path")

    @classmethod
    def fingerprint(cls, params, resources):
        return file_fingerprint(resources.path(params["path"]))

    def run(self, inputs, params, context):
        RUNS[self.id] += 1
        path = context.path(params.path)
        if not path.exists():
            raise FileMissing(path=str(path))
        return {"text": path.read_text()}


class Save(Node):
    """Writes a text file."""

    id, title, saves = "stub.save", "Save", True
    inputs = (Input("text", types.Text),)
    outputs = (Output("path", types.Text),)

    def run(self, inputs, params, context):
        RUNS[self.id] += 1
        path = context.output_dir / "saved.txt"
        path.write_text(inputs["text"])
        return {"path": str(path)}


REGISTRY = Registry(
    Constant, Add, Fail, Crash, Switch, Items, Seeded, Picture, Scribble, Slow, Read, Save
)  # fmt: skip


class ThreadLanes:
    """Every piece of work in a thread of its own lane, as the engine does, but minimal."""

    def __init__(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self.pools = {"gpu": ThreadPoolExecutor(1), "cpu": ThreadPoolExecutor(2), "io": ThreadPoolExecutor(2)}

    def submit(self, lane: str, work: Callable[[], Any]) -> Future[Any]:
        return self.pools[lane].submit(work)

    def close(self) -> None:
        for pool in self.pools.values():
            pool.shutdown()


class StubContext:
    """A context that only remembers."""

    def __init__(self, node: str, item: int, items: int, bench: Bench) -> None:
        self.node, self.item, self.items = node, item, items
        self.device, self.cancel = "cpu", bench.cancel
        self.output_dir = self.cache_dir = bench.folder
        self.bench = bench

    def progress(self, step: int, total: int, **_: Any) -> None:
        self.bench.progress.append((self.node, step, total))

    def warn(self, warning: ErrorInfo) -> None:
        self.bench.warnings.append(warning)

    def path(self, text: str) -> Path:
        return self.bench.folder / text

    def provenance(self) -> dict[str, Any]:
        return {}

    def memo(self, key: tuple[object, ...], make: Callable[[], Any]) -> Any:
        return self.bench.cache.memo(key, make)


class Bench:
    """Runs graphs of stub nodes and remembers what happened."""

    def __init__(self, folder: Path, limit: int = 2**24) -> None:
        self.folder = folder
        self.cache = Cache(limit)
        self.lanes = ThreadLanes()
        self.cancel = FlagToken()
        self.progress: list[tuple[str, int, int]] = []
        self.warnings: list[ErrorInfo] = []
        self.started: list[str] = []
        self.lock = threading.Lock()

    # --- Listener, Resources
    def node_started(self, node: str) -> None:
        self.started.append(node)

    def node_finished(self, node: str, result: NodeResult) -> None:
        pass

    def path(self, text: str) -> Path:
        return self.folder / text

    def run(self, graph: Graph, targets: list[str] | None = None, registry: Registry = REGISTRY, salt: str = ""):
        self.started.clear()
        return execute(
            plan(graph, registry, targets), cache=self.cache, lanes=self.lanes, cancel=self.cancel, listener=self,
            resources=self, salt=salt,
            make_context=lambda node, item, items: StubContext(node, item, items, self),
        )  # fmt: skip


def graph(**nodes: tuple[Any, ...]) -> Graph:
    """A graph from ``name=(type, params, {input: (node, output)})``."""
    made = Graph()
    for name, (kind, *rest) in nodes.items():
        params = rest[0] if rest else {}
        inputs = rest[1] if len(rest) > 1 else {}
        made = made.with_node(name, NodeRecord.new(kind, params=params, inputs=inputs))
    return made
