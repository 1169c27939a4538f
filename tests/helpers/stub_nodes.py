"""Stub node types, threads and contexts for tests of the graph: no torch, no files, everything counted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipelines.errors import ArithmeticFailed, ErrorInfo, FileMissing
from pipelines.graph import types
from pipelines.graph.assets import AssetStore
from pipelines.graph.cache import Cache
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.executor import NodeResult, execute
from pipelines.graph.node import FlagToken, Input, Node, NodeParams, Output, Param, file_fingerprint
from pipelines.graph.plan import plan
from pipelines.graph.registry import Registry
from pipelines.graph.values import Image, ListValue

RUNS: Counter[str] = Counter()
"""How often each node type ran; the ``runs`` fixture empties it."""
_LOCK = threading.Lock()


def count(node: Node) -> None:
    """Note one run; lanes run nodes at the same time."""
    with _LOCK:
        RUNS[node.id] += 1


class Constant(Node):
    """Any JSON value."""

    id, title = "stub.constant", "Constant"
    outputs = (Output("value", types.Any),)

    class Params(NodeParams):
        value: Any = Param(0, "Value")

    def run(self, inputs, params, context):
        count(self)
        return {"value": params.value}


class Add(Node):
    """a + b."""

    id, title = "stub.add", "Add"
    inputs = (Input("a", types.Number), Input("b", types.Number, default=0.0))
    outputs = (Output("value", types.Number),)

    def run(self, inputs, params, context):
        count(self)
        return {"value": inputs["a"] + inputs["b"]}


class Sum(Node):
    """a + b + 1000 times a number of its own."""

    id, title = "stub.sum", "Sum"
    inputs = (Input("a", types.Number), Input("b", types.Number))
    outputs = (Output("value", types.Number),)

    class Params(NodeParams):
        own: int = Param(0, "Own")

    def run(self, inputs, params, context):
        count(self)
        return {"value": inputs["a"] + inputs["b"] + 1000 * params.own}


class Fail(Node):
    """Always fails."""

    id, title = "stub.fail", "Fail"
    inputs = (Input("a", types.Any, default=None),)
    outputs = (Output("value", types.Any),)

    def run(self, inputs, params, context):
        count(self)
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
        count(self)
        return {"value": inputs["on" if params.use_on else "off"]}


class Items(Node):
    """A list."""

    id, title = "stub.items", "Items"
    outputs = (Output("items", types.list_of(types.Text)),)

    class Params(NodeParams):
        items: list[Any] = Param([], "Items")

    def run(self, inputs, params, context):
        count(self)
        return {"items": ListValue(params.items)}


class Flags(Node):
    """A list of booleans."""

    id, title = "stub.flags", "Flags"
    outputs = (Output("items", types.list_of(types.Boolean)),)

    class Params(NodeParams):
        items: list[bool] = Param([], "Items")

    def run(self, inputs, params, context):
        count(self)
        return {"items": ListValue(params.items)}


class Seeded(Node):
    """Text with a seed behind it."""

    id, title = "stub.seeded", "Seeded"
    inputs = (Input("text", types.Text, default=""), Input("seed", types.Seed, default=None))
    outputs = (Output("text", types.Text),)

    def run(self, inputs, params, context):
        count(self)
        return {"text": f"{inputs['text']}:{inputs['seed']}"}


class Picture(Node):
    """A black picture."""

    id, title = "stub.picture", "Picture"
    outputs = (Output("image", types.Image),)

    class Params(NodeParams):
        size: int = Param(4, "Size", ge=1, le=64)

    def run(self, inputs, params, context):
        count(self)
        return {"image": Image(np.zeros((params.size, params.size, 3), np.uint8))}


class Scribble(Node):
    """Tries to change its input."""

    id, title = "stub.scribble", "Scribble"
    inputs = (Input("image", types.Image),)
    outputs = (Output("image", types.Image),)

    def run(self, inputs, params, context):
        inputs["image"].pixels[0, 0] = 255
        return {"image": inputs["image"]}


class Shown(Node):
    """A picture as it is, with a thumbnail."""

    id, title, preview = "stub.shown", "Shown", "image"
    inputs = (Input("image", types.Image),)
    outputs = (Output("image", types.Image),)

    def run(self, inputs, params, context):
        RUNS[self.id] += 1
        return {"image": inputs["image"]}


class Passed(Shown):
    """A picture as it is, without one."""

    id, title, preview = "stub.passed", "Passed", ""


class Slow(Node):
    """Counts steps until it is cancelled."""

    id, title, lane = "stub.slow", "Slow", "gpu"
    outputs = (Output("value", types.Number),)

    class Params(NodeParams):
        steps: int = Param(1000, "Steps")

    def run(self, inputs, params, context):
        count(self)
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
        count(self)
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
        count(self)
        path = context.output_dir / "saved.txt"
        path.write_text(inputs["text"])
        return {"path": str(path)}


class Sampler(Node):
    """Params with ranges, a choice and a seed; ``batch`` > 1 gives a list."""

    id, title, version = "stub.sampler", "Sampler", 2
    outputs = (Output("image", types.Image),)

    class Params(NodeParams):
        steps: int = Param(16, "Steps", ge=1, le=1000)
        strength: float = Param(0.5, "Strength", gt=0, le=1)
        method: Literal["euler", "heun"] = Param("euler", "Method")
        seed: int | None = Param(None, "Seed", widget="seed", ge=0, le=2**64 - 1)
        batch: int = Param(1, "Batch", ge=1, le=8)

    @classmethod
    def output_ports(cls, params):
        many = params.get("batch", 1) > 1
        return (Output("image", types.list_of(types.Image) if many else types.Image),)

    def run(self, inputs, params, context):
        count(self)
        seeds = [(params.seed or 0) + index for index in range(params.batch)]
        made = ListValue(Image(np.full((2, 2, 3), seed % 256, np.uint8), {"seed": seed}) for seed in seeds)
        return {"image": made if params.batch > 1 else made[0]}


class Slots(Node):
    """A template whose slots are ports."""

    id, title = "stub.slots", "Slots"
    outputs = (Output("text", types.Text),)

    class Params(NodeParams):
        template: str = Param("", "Template")

    @classmethod
    def input_ports(cls, params):
        return tuple(Input(name, types.Text) for name in dict.fromkeys(params["template"].split()))

    def run(self, inputs, params, context):
        count(self)
        return {"text": " ".join(str(inputs[name]) for name in params.template.split())}


class Typed(Node):
    """One input of each type that has a literal or a conversion; gives back what it got."""

    id, title = "stub.typed", "Typed"
    inputs = tuple(
        Input(kind.name.lower(), kind, default=None)
        for kind in (
            types.Text, types.Number, types.Integer, types.Boolean, types.Choice, types.Seed, types.Size,
            types.Json, types.Image, types.Mask,
        )
    )  # fmt: skip
    outputs = (Output("got", types.Json),)

    def run(self, inputs, params, context):
        count(self)
        return {"got": {name: value for name, value in inputs.items() if value is not None}}


class Gather(Node):
    """Takes a list whole."""

    id, title = "stub.gather", "Gather"
    inputs = (Input("items", types.list_of(types.Text)), Input("joint", types.Text, default=","))
    outputs = (Output("text", types.Text), Output("length", types.Integer))

    def run(self, inputs, params, context):
        count(self)
        return {"text": inputs["joint"].join(inputs["items"]), "length": len(inputs["items"])}


class Split(Node):
    """Makes a list of each text."""

    id, title = "stub.split", "Split"
    inputs = (Input("text", types.Text),)
    outputs = (Output("items", types.list_of(types.Text)),)

    def run(self, inputs, params, context):
        count(self)
        return {"items": ListValue(inputs["text"].split())}


class Join(Node):
    """a then b."""

    id, title = "stub.join", "Join"
    inputs = (Input("b", types.Text), Input("a", types.Text))
    outputs = (Output("text", types.Text),)

    class Params(NodeParams):
        separator: str = Param("+", "Separator")

    def run(self, inputs, params, context):
        count(self)
        return {"text": f"{inputs['a']}{params.separator}{inputs['b']}"}


class Tamper(Node):
    """Changes the JSON it is given, input and param."""

    id, title = "stub.tamper", "Tamper"
    inputs = (Input("data", types.Json),)
    outputs = (Output("data", types.Json),)

    class Params(NodeParams):
        extra: Any = Param([], "Extra")

    def run(self, inputs, params, context):
        inputs["data"]["list"].append("tampered")
        params.extra.append("tampered")
        return {"data": inputs["data"]}


class Meet(Node):
    """Waits until another one waits too: only two lanes' threads at once can end it."""

    id, title = "stub.meet", "Meet"
    inputs = (Input("after", types.Any, default=None),)
    outputs = (Output("value", types.Text),)
    barrier = threading.Barrier(2)

    class Params(NodeParams):
        name: str = Param("", "Name")

    def run(self, inputs, params, context):
        self.barrier.wait(20)
        return {"value": params.name}


class OutOfMemoryError(RuntimeError):
    """Named like that of a library that must not be imported here."""


class Greedy(Node):
    """Runs out of memory."""

    id, title = "stub.greedy", "Greedy"
    outputs = (Output("value", types.Any),)

    class Params(NodeParams):
        device: bool = Param(False, "Device")

    def run(self, inputs, params, context):
        if params.device:
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        raise MemoryError


class Told(Node):
    """The text of a file that is named at an input; another says nothing of files."""

    id, title = "stub.told", "Told"
    inputs = (Input("path", types.Text), Input("after", types.Any, default=None))
    outputs = (Output("text", types.Text),)
    reads = frozenset({"path"})

    @classmethod
    def fingerprint(cls, params, resources):
        return file_fingerprint(resources.path(params["path"]))

    def run(self, inputs, params, context):
        return Read().run({}, Read.Params(path=inputs["path"]), context)


class Careless(Node):
    """Raises where it says what it reads, or returns what it didn't declare."""

    id, title = "stub.careless", "Careless"
    outputs = (Output("value", types.Any),)

    class Params(NodeParams):
        path: str = Param("", "Path")

    @classmethod
    def fingerprint(cls, params, resources):
        return {}[params["path"]] if params["path"] else ""

    def run(self, inputs, params, context):
        return {"surprise": 1}


REGISTRY = Registry(
    Shown,
    Passed,
    Constant, Add, Sum, Fail, Crash, Switch, Items, Flags, Seeded, Picture, Scribble, Slow, Read, Save,
    Sampler, Slots, Typed, Gather, Split, Join, Tamper, Meet, Greedy, Careless, Told,
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
        bench.on_context(self)

    def progress(self, step: int, total: int, **_: Any) -> None:
        self.bench.progress.append((self.node, step, total))

    def warn(self, warning: ErrorInfo) -> None:
        self.bench.warnings.append(warning)

    def path(self, text: str) -> Path:
        return self.bench.folder / text

    def asset(self, name: str) -> bytes:
        return AssetStore(self.bench.folder / "assets").get(name)

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
        self.on_context: Callable[[StubContext], None] = lambda context: None

    # --- Listener, Resources
    def node_started(self, node: str) -> None:
        self.started.append(node)

    def node_finished(self, node: str, result: NodeResult) -> None:
        pass

    def path(self, text: str) -> Path:
        return self.folder / text

    def cached_keys(self) -> list[bytes]:
        """Keys of the results in memory."""
        return [key for key in self.cache._entries if isinstance(key, bytes)]

    def run(
        self, graph: Graph, targets: list[str] | None = None, registry: Registry = REGISTRY, salt: str = ""
    ):
        self.started.clear()
        return execute(
            plan(graph, registry, targets), cache=self.cache, lanes=self.lanes, cancel=self.cancel,
            listener=self, resources=self, salt=salt,
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
