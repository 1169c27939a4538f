"""One run of one graph: from the message that asks for it to the message that says how it ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipelines.engine.context import RunContext
from pipelines.engine.exchange import PixelWriter
from pipelines.engine.protocol import (
    ImageRef,
    Message,
    ModelInfo,
    NodeFinished,
    NodeProgress,
    NodeStarted,
    NodeStatus,
    NodeWarning,
    Run,
    RunFinished,
    RunStarted,
    RunStatus,
    ValueRef,
)
from pipelines.engine.refs import error_data, plain_value, value_ref
from pipelines.engine.seeds import draw_seeds
from pipelines.errors import PathUnusable, PictureNotShown
from pipelines.files import reason_of
from pipelines.graph.assets import AssetStore
from pipelines.graph.cache import Cache
from pipelines.graph.document import Graph
from pipelines.graph.executor import Lanes, NodeResult, execute
from pipelines.graph.node import FlagToken, ModelAccess
from pipelines.graph.plan import Plan, plan
from pipelines.graph.registry import NodeSchema, Registry
from pipelines.graph.requires import with_requires
from pipelines.graph.values import Image, nbytes

LIBRARIES = ("torch", "diffusers", "transformers")


@dataclass(frozen=True, slots=True)
class Services:
    """What every job of an engine uses."""

    registry: Registry
    models: ModelAccess
    cache: Cache
    lanes: Lanes
    device: Callable[[], str]
    """The torch device that draws; the first call imports torch."""
    cache_dir: Path
    output_dir: Path
    assets: AssetStore
    pixels: PixelWriter
    emit: Callable[[Message], None]
    previews: bool = True


class Job:
    """Runs a :class:`Run` message. Also the listener of the executor, the resources of keys, and the nodes'
    job."""

    def __init__(self, request: Run, services: Services) -> None:
        self.request, self.services = request, services
        self.id = request.job
        self._cancel = FlagToken()
        self.models = services.models
        self.cache = Cache(services.cache.limit) if request.fresh else services.cache
        self.cache_dir = services.cache_dir
        self.output_dir = Path(request.output_dir) if request.output_dir else services.output_dir
        self.pixels, self.previews, self.emit = services.pixels, services.previews, services.emit
        self.graph = Graph()
        self.seconds: dict[str, float] = {}
        self.results: dict[str, NodeResult] = {}
        self.is_started = False
        self._began = time.perf_counter()
        self._full: frozenset[str] = frozenset()
        self._unseen = False
        self._codes: dict[str, str] = {}

    def run(self) -> RunFinished:
        """Run to the end, telling everything on the way; the closing message is returned, not yet sent.

        Raises:
            GraphUnreadable, GraphFromTheFuture: there is no graph to run.
        """
        self.is_started, self._began = True, time.perf_counter()
        self.graph = Graph.loads(self.request.graph, self.request.name or "The graph")
        self.graph = with_requires(draw_seeds(self.graph, self.services.registry), self.services.registry)
        planned = plan(self.graph, self.services.registry, self.request.targets)
        self._codes = {node: _code_of(item.schema) for node, item in planned.nodes.items()}
        self._full = frozenset(planned.targets)
        self.emit(RunStarted(job=self.id, nodes=planned.order))
        results = execute(
            planned,
            cache=self.cache,
            lanes=self.services.lanes,
            resources=self,
            cancel=self.cancel,
            listener=self,
            make_context=self._context,
            salt=self.salt,
        )
        self.results = results
        self._show_left_out(planned)
        return self._finished(planned, results)

    def _context(self, node: str, item: int, items: int) -> RunContext:
        """The context of one call. Which one of several it is, is told even if the node tells no progress."""
        if items > 1:
            self.emit(NodeProgress(job=self.id, node=node, step=0, total=0, item=item, items=items))
        return RunContext(self, node, item, items, self._codes[node])

    def _show_left_out(self, planned: Plan) -> None:
        """Tell the views what nodes hold that were not asked for, because what needs them was cached."""
        for node, result in self.results.items():
            schema = planned.nodes[node].schema
            if result.status == "skipped" and result.outputs and schema is not None and schema.node.preview:
                self.node_finished(node, replace(result, status="cached"))

    def _finished(self, planned: Plan, results: dict[str, NodeResult]) -> RunFinished:
        nodes: dict[str, NodeStatus] = {node: result.status for node, result in results.items()}
        errors = [result.error for result in results.values() if result.status == "failed" and result.error]
        errors += [problem for problem in planned.errors if problem.node is None]
        status: RunStatus = "finished"
        if self.cancel.cancelled and "cancelled" in nodes.values():
            status = "cancelled"
        elif errors:
            status = "failed"
        seconds = time.perf_counter() - self._began
        return RunFinished(
            job=self.id,
            status=status,
            seconds=seconds,
            nodes=nodes,
            errors=tuple(error_data(error) for error in errors),
            result=self._result(planned, results, status, seconds),
        )

    def _result(
        self, planned: Plan, results: dict[str, NodeResult], status: str, seconds: float
    ) -> dict[str, Any]:
        """The entry of ``run --json`` for this graph."""
        nodes: dict[str, Any] = {}
        for node, result in results.items():
            nodes[node] = {"status": result.status, "seconds": round(result.seconds, 6)}
            if result.error is not None:
                nodes[node]["error"] = result.error.to_json() | {"details": ""}
        outputs = {
            node: {port: plain_value(value) for port, value in results[node].outputs.items()}
            for node in planned.targets
            if results[node].status in ("executed", "cached")
        }
        return {
            "graph": self.request.name,
            "status": status,
            "seconds": round(seconds, 6),
            "nodes": nodes,
            "outputs": outputs,
        }

    @property
    def salt(self) -> str:
        """Goes into the keys of nodes that save files: where they go if the document doesn't say."""
        return str(self.output_dir)

    @property
    def device(self) -> str:
        return self.services.device()

    @property
    def cancel(self) -> FlagToken:
        return self._cancel

    # --- Listener ------------------------------------------------------------------------------------------

    def node_started(self, node: str) -> None:
        self.emit(NodeStarted(job=self.id, node=node))

    def node_finished(self, node: str, result: NodeResult) -> None:
        self.seconds[node] = round(result.seconds, 4)
        self.emit(self.finished(node, result))

    def finished(self, node: str, result: NodeResult) -> NodeFinished:
        """What became of a node, as it is told: whole pictures of targets, thumbnails of others."""
        values = dict(result.outputs)
        if result.shown is not None:
            schema = self.services.registry.get(self.graph.nodes[node].type) if node in self.graph else None
            values.setdefault(schema.node.preview if schema else "image", result.shown)
        full = node in self._full
        return NodeFinished(
            job=self.id,
            node=node,
            status=result.status,
            seconds=result.seconds,
            error=error_data(result.error) if result.error else None,
            outputs={port: self._ref(node, value, full) for port, value in values.items()},
            stored_bytes=sum(nbytes(value) for value in result.outputs.values()),
        )

    def show(self, node: str, picture: Image) -> ImageRef | None:
        """A preview for the views. No space for it is no reason to stop drawing."""
        try:
            return self.pixels.write_image(picture)
        except OSError as error:
            self._not_shown(node, error)
            return None

    def _ref(self, node: str, value: Any, full: bool) -> ValueRef:
        try:
            return value_ref(value, self.pixels, full)
        except OSError as error:
            self._not_shown(node, error)
            return value_ref(value, None, full)

    def _not_shown(self, node: str, error: OSError) -> None:
        """Say once a run that pictures can't be handed to the views."""
        if not self._unseen:
            self._unseen = True
            info = replace(PictureNotShown(reason=reason_of(error)).info(), severity="warning")
            self.emit(NodeWarning(job=self.id, node=node, warning=error_data(info.at(node))))

    # --- Resources and what contexts ask for ---------------------------------------------------------------

    def path(self, text: str) -> Path:
        """A path of the document: absolute, from the home folder, or from the document's folder.

        Raises:
            PathUnusable: no file can be called that.
        """
        if "\0" in text:
            shown = text.replace("\0", "␀")
            raise PathUnusable(path=shown, reason="It holds a character that no file name can have.")
        try:
            path = Path(text).expanduser()
        except RuntimeError as error:
            raise PathUnusable(path=text, reason="There is no user of this name here.") from error
        return path if path.is_absolute() or not self.request.base else Path(self.request.base) / path

    def asset(self, name: str) -> bytes:
        """Pixels that the document names. Raises :class:`AssetMissing`."""
        return self.services.assets.get(name)

    def find(self, kind: str, model: str, dtype: str = "auto", quantization: str = "none") -> Any:
        return self.models.find(kind, model, dtype, quantization)

    def known(self, kind: str) -> Sequence[ModelInfo]:
        return self.models.known(kind)

    def provenance(self) -> dict[str, Any]:
        """What is written into files: the graph as run and what ran it."""
        return {
            "graph": self.graph.to_json(),
            "name": self.request.name,
            "versions": versions(),
            **({"device": self.device} if "torch" in sys.modules else {}),
            "seconds": dict(self.seconds),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def _code_of(schema: NodeSchema | None) -> str:
    """The hash of a type's code, if it is from outside."""
    return schema.origin.digest if schema is not None and schema.origin is not None else ""


def versions() -> dict[str, str]:
    """Versions of what decides a picture, without importing it."""
    found = {"python": sys.version.split()[0]}
    for name in ("diptych-studio", *LIBRARIES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
