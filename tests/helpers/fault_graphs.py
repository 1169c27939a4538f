"""Short ways to hostile graphs and engines for the tests of faults."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.engine.hosts import InProcessHost
from pipelines.engine.protocol import ErrorData, NodeFinished, RunFinished
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.registry import builtin
from tests.helpers.engine_drive import Drive


def one(type_id: str, **params: Any) -> Graph:
    """A graph of one node, called ``n``."""
    return Graph().with_node("n", NodeRecord.new(type_id, params=params))


def document(nodes: dict[str, Any], **fields: Any) -> str:
    """The text of a graph file, whatever is in it."""
    return json.dumps({"format": 1, "nodes": nodes, **fields})


def saving(folder: Path | str, name: str = "picture", **params: Any) -> Graph:
    """A small picture without a model, and a node that saves it."""
    solid = NodeRecord.new("image.solid", params={"color": "#d2ae66", "width": 48, "height": 32})
    save = NodeRecord.new(
        "image.save",
        params={"folder": str(folder), "name": name, **params},
        inputs={"image": ("solid", "image")},
    )
    return Graph().with_node("solid", solid).with_node("save", save)


def engine(folder: Path) -> Drive:
    """An engine in this process with the product's nodes, started."""
    return Drive(folder, partial(InProcessHost, registry=builtin()), builtin()).start()


def error_of(drive: Drive, graph: Graph, node: str = "n", **options: Any) -> ErrorData:
    """How a node fails; the run must fail, too, and say all three sentences of its error."""
    finished = drive.run(graph, **options)
    assert finished.status == "failed", finished
    told = next(
        event.error
        for event in drive.of(NodeFinished)
        if (event.job, event.node) == (finished.job, node) and event.error
    )
    assert_readable(told)
    return told


def assert_readable(error: ErrorData) -> None:
    """What, and what to do, in sentences: no slot left open, no traceback, no library's words."""
    assert error.code != "UnexpectedError", error.details
    assert error.message
    for sentence in (error.what, error.why, error.remedy):
        assert set(re.findall(r"{([a-z_]+)}", sentence)) <= set(error.arguments), error
    assert "Traceback" not in error.message
    assert error.remedy
    assert len(error.message) < 1_500


def outputs(finished: RunFinished) -> Any:
    """What the targets of a run gave."""
    return finished.result["outputs"]
