"""Runs a plan: on demand, each node in its lane, results by key, and never more than what the targets need.

Two kinds of task make up a run. ``("key", n)`` finds the key of node *n*; ``("value", n)`` finds its outputs,
in the cache or by running it. A task that needs another waits for it and is tried again. So a cached result
needs nothing upstream, a lazy input that isn't wanted is never looked at, and there is no recursion whatever
the length of a chain.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from pipelines.errors import Cancelled, DiptychError, ErrorInfo, NotExecuted
from pipelines.graph.cache import Cache, Entry
from pipelines.graph.foreign import foreign_error, is_foreign
from pipelines.graph.invoke import MakeContext, converted, invoke, located
from pipelines.graph.keys import key_for, needed_values, used_links
from pipelines.graph.node import CancelToken, Lane, Resources, file_fingerprint
from pipelines.graph.plan import Plan
from pipelines.graph.planned import PlannedNode
from pipelines.graph.tasks import Task, Tasks
from pipelines.graph.values import ListValue

Status = Literal["executed", "cached", "failed", "blocked", "skipped", "cancelled"]
NODE_ERRORS = (
    DiptychError, ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
"""What a node type's own code may raise outside its lane (what it wants, what it reads): it fails that node,
not the run."""


class Lanes(Protocol):
    """Threads by lane (see :mod:`pipelines.engine.lanes`)."""

    def submit(self, lane: Lane, work: Callable[[], Any]) -> Future[Any]: ...


@dataclass(slots=True)
class NodeResult:
    """What became of a node in one run. ``outputs`` is empty unless it was executed or cached."""

    status: Status
    seconds: float = 0.0
    outputs: Mapping[str, Any] = field(default_factory=dict)
    error: ErrorInfo | None = None
    shown: Any = None
    """The input that the node shows, also if it failed: a picture that could not be saved is not lost."""


class Listener(Protocol):
    """Told about nodes as they start and finish, from the thread that called :func:`execute`."""

    def node_started(self, node: str) -> None: ...

    def node_finished(self, node: str, result: NodeResult) -> None: ...


def execute(
    plan: Plan, *, cache: Cache, lanes: Lanes, make_context: MakeContext, resources: Resources, cancel:
    CancelToken, listener: Listener, salt: str = "",
) -> dict[str, NodeResult]:  # fmt: skip
    """Run a plan and return the result of each of its nodes.

    Args:
        salt: goes into the key of nodes that save files: where they go if the document doesn't say.

    A failed node blocks what needs it and nothing else. A cancelled or failed node is never cached.
    """
    return _Run(plan, cache, lanes, make_context, resources, cancel, listener, salt).run()


class _Run:
    def __init__(
        self,
        plan: Plan,
        cache: Cache,
        lanes: Lanes,
        make_context: MakeContext,
        resources: Resources,
        cancel: CancelToken,
        listener: Listener,
        salt: str,
    ) -> None:
        self.plan, self.cache, self.lanes, self.make_context = plan, cache, lanes, make_context
        self.resources, self.cancel, self.listener, self.salt = resources, cancel, listener, salt
        self.keys: dict[str, bytes | None] = {}
        self.used: dict[str, tuple[str, ...]] = {}
        self.results: dict[str, NodeResult] = {}
        self.running: set[str] = set()
        self.in_flight: dict[bytes | None, str] = {}
        """The running node of each key: another of the same key waits for its result."""
        self.tasks = Tasks(self._is_done)
        self.finished: queue.SimpleQueue[tuple[str, Future[Any], float]] = queue.SimpleQueue()

    def run(self) -> dict[str, NodeResult]:
        for target in self.plan.targets:
            self.tasks.start(("value", target))
        ready = self.tasks.ready
        while ready or self.running:
            while ready:
                self._advance(ready.popleft())
            if self.running:
                self._collect(*self.finished.get())
        for node in self.plan.order:
            if node not in self.results:
                self.results[node] = self._left_out(node)
        return {node: self.results[node] for node in self.plan.order}

    def _left_out(self, node: str) -> NodeResult:
        """What to say of a node that was never asked for: what it made before, if that is still there."""
        if self.cancel.cancelled:
            return NodeResult("cancelled")
        key = self.keys.get(node)
        entry = self.cache.peek(key) if key is not None else None
        if entry is None:
            return NodeResult("skipped")
        return NodeResult("skipped", entry.seconds, entry.outputs, shown=entry.shown)

    # --- tasks ---------------------------------------------------------------------------------------------

    def _is_done(self, task: Task) -> bool:
        return task[1] in (self.keys if task[0] == "key" else self.results)

    def _advance(self, task: Task) -> None:
        if self._is_done(task):
            return
        kind, node = task
        planned = self.plan.nodes[node]
        errors = [problem for problem in planned.problems if problem.severity == "error"]
        if self.cancel.cancelled:
            self._finish(node, NodeResult("cancelled"))
        elif planned.idle:
            self._finish(node, NodeResult("skipped"))
        elif errors:
            self._finish(node, NodeResult("failed", error=errors[0]))
        else:
            find = self._find_key if kind == "key" else self._find_value
            try:
                find(task, planned)
            except NODE_ERRORS as error:
                self._fail(node, error)
            except Exception as error:
                if not is_foreign(planned.schema):
                    raise
                self._fail(node, error)

    def _find_key(self, task: Task, planned: PlannedNode) -> None:
        """The key needs the keys of the inputs used, and, where these depend on linked params, their
        values."""
        node = planned.id
        values = dict(planned.literals)
        if linked := needed_values(planned):
            if self.tasks.wait(task, [("value", planned.links[name].node) for name in linked]):
                return
            if self._blocked(planned, linked):
                return
            values.update({name: converted(planned, name, self._linked(planned, name)) for name in linked})
        names = used_links(planned, values)
        if self.tasks.wait(task, [("key", planned.links[name].node) for name in names]):
            return
        if self._blocked(planned, names):
            return
        self.used[node] = names
        self.keys[node] = key_for(planned, names, self.keys, values, self.resources, self.salt)
        self.tasks.done(task)

    def _find_value(self, task: Task, planned: PlannedNode) -> None:
        node = planned.id
        if self.tasks.wait(task, [("key", node)]):
            return
        key = self.keys[node]
        entry = self.cache.get(key) if key is not None else None
        if entry is not None:
            self._finish(node, NodeResult("cached", entry.seconds, entry.outputs, shown=entry.shown))
            return
        names = self.used[node]
        if self.tasks.wait(task, [("value", planned.links[name].node) for name in names]):
            return
        if self._blocked(planned, names):
            return
        twin = self.in_flight.get(key, node)
        if twin != node and self.tasks.wait(task, [("value", twin)]):
            return
        if node not in self.running:
            self._dispatch(planned, {name: self._linked(planned, name) for name in names})

    def _linked(self, planned: PlannedNode, name: str) -> Any:
        link = planned.links[name]
        return self.results[link.node].outputs[link.output]

    def _blocked(self, planned: PlannedNode, names: tuple[str, ...] | list[str]) -> bool:
        """Finish a node that can't run because something it uses did not."""
        for name in names:
            source = planned.links[name].node
            result = self.results.get(source)
            if result is None or result.status in ("executed", "cached"):
                continue
            if result.status in ("skipped", "cancelled"):
                self._finish(planned.id, NodeResult(result.status))
            else:
                error = NotExecuted(source=self.plan.nodes[source].title).info().at(planned.id, name)
                self._finish(planned.id, NodeResult("blocked", error=error))
            return True
        return False

    # --- running -------------------------------------------------------------------------------------------

    def _dispatch(self, planned: PlannedNode, linked: Mapping[str, Any]) -> None:
        assert planned.schema is not None

        def work() -> tuple[dict[str, Any], float]:
            self.cancel.check()
            started = time.perf_counter()
            outputs = invoke(planned, linked, self.make_context)
            return outputs, time.perf_counter() - started

        def report(future: Future[Any], node: str = planned.id, since: float = time.perf_counter()) -> None:
            self.finished.put((node, future, since))

        self.listener.node_started(planned.id)
        future = self.lanes.submit(planned.schema.node.lane_for(planned.literals), work)
        self.running.add(planned.id)
        self.in_flight[self.keys[planned.id]] = planned.id
        future.add_done_callback(report)

    def _collect(self, node: str, future: Future[Any], since: float) -> None:
        self.running.discard(node)
        self.in_flight.pop(self.keys[node], None)
        error = CancelledError() if future.cancelled() else future.exception()
        seconds = time.perf_counter() - since
        if isinstance(error, Cancelled | CancelledError):
            self._finish(node, NodeResult("cancelled", seconds))
        elif error is not None:
            self._fail(node, error, seconds)
        else:
            outputs, seconds = future.result()
            try:
                files = self._files(node, outputs)
            except NODE_ERRORS as broken:
                self._fail(node, broken, seconds)
                return
            shown, key = self._shown(self.plan.nodes[node]), self.keys[node]
            if key is not None:
                self.cache.put(key, Entry(outputs, seconds, files, shown))
            self._finish(node, NodeResult("executed", seconds, outputs, shown=shown))

    def _fail(self, node: str, error: BaseException, seconds: float = 0.0) -> None:
        if isinstance(error, DiptychError):
            error = located(error, node)
        planned = self.plan.nodes[node]
        info = foreign_error(planned, error)
        shown = self._shown(planned) if node in self.used else None
        self._finish(node, NodeResult("failed", seconds, error=info.at(info.node or node), shown=shown))

    def _shown(self, planned: PlannedNode) -> Any:
        """The value of the linked input that a node shows, where it has no such output."""
        name = planned.schema.node.preview if planned.schema else ""
        is_output = any(port.name == name for port in planned.outputs)
        if is_output or name not in planned.links or planned.links[name].node not in self.results:
            return None
        return self.results[planned.links[name].node].outputs.get(planned.links[name].output)

    def _files(self, node: str, outputs: Mapping[str, Any]) -> dict[str, str]:
        schema = self.plan.nodes[node].schema
        if schema is None or not schema.node.saves:
            return {}
        paths = outputs["path"] if isinstance(outputs["path"], ListValue) else [outputs["path"]]
        return {path: file_fingerprint(Path(path)) for path in paths}

    def _finish(self, node: str, result: NodeResult) -> None:
        if node in self.results:
            return
        self.results[node] = result
        self.keys.setdefault(node, None)
        self.listener.node_finished(node, result)
        self.tasks.done(("key", node))
        self.tasks.done(("value", node))
