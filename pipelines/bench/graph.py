"""Graph overhead: chains of nodes that do next to nothing, planned, run, and answered from the cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipelines.bench.report import Row, median_of, seconds
from pipelines.engine.lanes import ThreadLanes
from pipelines.graph.cache import Cache
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.executor import NodeResult, execute
from pipelines.graph.node import NeverCancelled
from pipelines.graph.plan import plan
from pipelines.graph.registry import builtin


class _Silent:
    """Listener, resources and context in one: no node of the chain asks for more."""

    device, cancel, node = "cpu", NeverCancelled(), ""

    def __init__(self, folder: Path) -> None:
        self.cache_dir = self.output_dir = folder

    def node_started(self, node: str) -> None: ...

    def node_finished(self, node: str, result: NodeResult) -> None: ...

    def path(self, text: str) -> Path:
        return self.cache_dir / text


def chain(length: int, step: float = 1.0) -> Graph:
    """A constant and ``length - 1`` additions, each fed by the one before."""
    nodes = {"n0": NodeRecord.new("number.constant", params={"value": 1.0})}
    nodes["step"] = NodeRecord.new("number.constant", params={"value": step})
    for index in range(1, length - 1):
        inputs = {"a": (f"n{index - 1}", "value"), "b": ("step", "value")}
        nodes[f"n{index}"] = NodeRecord.new("number.math", params={"operation": "add"}, inputs=inputs)
    return Graph(nodes)


def measure() -> Iterator[Row]:
    """400 nodes cached, 5,000 planned and run, and how that grows to 10,000."""
    lanes = ThreadLanes()
    with TemporaryDirectory() as folder:
        silent: Any = _Silent(Path(folder))

        def run(graph: Graph, cache: Cache) -> None:
            execute(
                plan(graph, builtin()),
                cache=cache,
                lanes=lanes,
                resources=silent,
                listener=silent,
                cancel=silent.cancel,
                make_context=lambda *_: silent,
            )

        cache = Cache()
        small = chain(400)
        run(small, cache)
        cached = median_of(9, lambda: run(small, cache))
        yield Row("graph", "400-node chain, all cached", cached * 1000, "ms", 50)
        every = Graph(small.nodes)
        targets = tuple(every.nodes)
        whole = median_of(
            5,
            lambda: execute(
                plan(every, builtin(), targets),
                cache=cache,
                lanes=lanes,
                resources=silent,
                listener=silent,
                cancel=silent.cancel,
                make_context=lambda *_: silent,
            ),
        )
        yield Row("graph", "400-node chain, all cached, every node a target", whole * 1000, "ms", 50)
        times = {length: seconds(lambda n=length: run(chain(n), Cache())) for length in (5_000, 10_000)}  # type: ignore[misc]
        yield Row("graph", "5,000-node chain, planned and run", times[5_000], "s", 3)
        growth = times[10_000] / times[5_000]
        yield Row("graph", "10,000 nodes against 5,000", growth, "×", note="2 is linear")
        text = chain(5_000).dumps()
        yield Row("graph", "5,000-node document read", median_of(3, lambda: Graph.loads(text)) * 1000, "ms")
    lanes.close()
