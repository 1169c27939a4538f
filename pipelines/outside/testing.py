"""Running a node in its own test, as the engine would: checked, converted at its ports, mapped over lists."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Unpack

from pipelines.errors import AssetMissing, ErrorInfo
from pipelines.graph.check import check_links, check_params
from pipelines.graph.document import Link, NodeRecord
from pipelines.graph.invoke import invoke
from pipelines.graph.node import FlagToken, Node, ProgressDetails
from pipelines.graph.planned import PlannedNode
from pipelines.graph.registry import NodeSchema
from pipelines.graph.types import PortType
from pipelines.graph.values import Image, ListValue
from pipelines.outside.checking import checked
from pipelines.outside.sources import Source


class NodeContext:
    """A :class:`pipelines.graph.node.Context` without an engine. It notes what the node reports.

    ``cancel.cancel()`` before or during a run plays the user who cancels. Files go to ``folder``; unless one
    is given, a temporary one that is deleted when the process ends. There are no models and no assets.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or _scratch()
        self.node, self.device = "node", "cpu"
        self.cache_dir = self.output_dir = self.folder
        self.cancel = FlagToken()
        self.reports: list[tuple[int, int, str]] = []
        """(step, total, phase) of each report of progress."""
        self.previews: list[Image] = []
        self.warnings: list[ErrorInfo] = []
        self._memory: dict[tuple[object, ...], Any] = {}

    @property
    def models(self) -> Any:
        raise NotImplementedError("give a context with models of your own to test a node that uses one")

    def progress(self, step: int, total: int, **details: Unpack[ProgressDetails]) -> None:
        self.reports.append((step, total, details.get("phase", "")))
        if (preview := details.get("preview")) is not None:
            self.previews.append(preview)

    def warn(self, warning: ErrorInfo) -> None:
        self.warnings.append(warning)

    def path(self, text: str) -> Path:
        return self.folder / Path(text).expanduser()

    def asset(self, name: str) -> bytes:
        raise AssetMissing(name=name)

    def provenance(self) -> dict[str, Any]:
        return {"graph": {"format": 1, "nodes": {}}}

    def memo(self, key: tuple[object, ...], make: Callable[[], Any]) -> Any:
        if key not in self._memory:
            self._memory[key] = make()
        return self._memory[key]


def _scratch() -> Path:
    """A folder of this process: what a node wrote into it can be looked at for as long as the tests run."""
    folder = Path(tempfile.mkdtemp(prefix="diptych-node-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def run_node(
    node: type[Node], params: Mapping[str, Any] | None = None, *, context: Any = None, **inputs: Any
) -> dict[str, Any]:
    """Run a node with these params and inputs, and give its outputs.

    Inputs come as over a wire: values of :mod:`pipelines.graph.values`, texts and numbers; a Python list is a
    list on a wire, over which a node that takes one value is run per item.

    Raises:
        NodeTypeWrong: the class isn't one that Diptych could use.
        ValueError: a param or input is wrong, in the words the user would read.
        DiptychError: what the node itself raises, or an output that isn't what it declares.
    """
    file = str(getattr(sys.modules.get(node.__module__), "__file__", None) or node.__module__)
    schema = checked(node, Source("file", Path(file).name))
    planned = _planned(schema, dict(params or {}), inputs)
    given = {name: _on_a_wire(value, planned.ports[name].type) for name, value in inputs.items()}
    shared: Any = context or NodeContext()
    return invoke(planned, given, lambda _node, _item, _items: shared)


def _planned(schema: NodeSchema, params: dict[str, Any], names: Iterable[str]) -> PlannedNode:
    """The node as a plan would have it, with a wire into each of these inputs."""
    links = {name: Link("given", name) for name in names}
    record = NodeRecord.new(schema.id, schema.node.version, params=params)
    planned = PlannedNode("node", record, schema, links=links)
    check_params(planned)
    check_links(planned, {"given": PlannedNode("given", record, None)})
    for problem in planned.problems:
        raise ValueError(problem.text())
    return planned


def _on_a_wire(value: Any, kind: PortType) -> Any:
    """A Python list is a list on a wire, but where one value is a list itself."""
    is_value = kind.name == "Json" and not kind.is_list
    return ListValue(value) if isinstance(value, list) and not is_value else value
