"""Nodes from outside as the engine serves them: loaded in a thread of their own, before the first run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from pipelines.engine.protocol import (
    AskPorts,
    Failure,
    LoadNodes,
    Message,
    NodeSource,
    OutsideNodes,
    Ports,
    Settings,
)
from pipelines.engine.refs import error_data
from pipelines.errors import OutsideTooSlow, describe
from pipelines.graph.described import description, input_json, output_json
from pipelines.graph.registry import OpenRegistry
from pipelines.outside.library import Listed, Outside

LOAD_SECONDS: Final = 60.0
"""Runs and questions wait for code that is being read, but not for longer than this."""


class OutsideService:
    """Loads what was agreed to when the engine starts, and again on request. Runs wait in :meth:`wait`."""

    def __init__(self, settings: Settings, registry: OpenRegistry, emit: Callable[[Message], None]) -> None:
        self._registry, self._emit = registry, emit
        self._library: Outside | None = None
        if settings.nodes_dir and settings.agreements:
            folder, agreements = Path(settings.nodes_dir), Path(settings.agreements)
            self._library = Outside(registry, folder, agreements, Path(settings.cache_dir))
        self._ready, self._lock, self._pending = threading.Event(), threading.Lock(), 0
        if self._library is not None and self._library.is_needed():
            self._start(LoadNodes(request=""))
        else:
            self._ready.set()

    def load(self, request: LoadNodes) -> None:
        """Start to load; what comes after it waits for the end of it."""
        if self._library is None:
            self._emit(OutsideNodes(request=request.request, sources=(), nodes=()))
        else:
            self._start(request)

    def wait(self) -> None:
        """Wait until the nodes are there; code that takes too long is told, and waited for no more."""
        if not self._ready.wait(LOAD_SECONDS) and self._library is not None:
            slow = OutsideTooSlow(origin=self._library.loading or "outside", seconds=round(LOAD_SECONDS))
            self._emit(Failure(error=error_data(replace(slow.info(), severity="warning"))))
            self._ready.set()

    def ports(self, request: AskPorts) -> Ports:
        """The ports of a type with these params."""
        schema = self._registry.get(request.type)
        inputs, outputs = (), ()  # type: tuple[dict[str, object], ...], tuple[dict[str, object], ...]
        if schema is not None:
            try:
                inputs = tuple(input_json(port) for port in schema.inputs(request.params))
                outputs = tuple(output_json(port) for port in schema.outputs(request.params))
            except Exception:  # noqa: BLE001 - the check of the document says what is wrong, at the node
                inputs = tuple(input_json(port) for port in schema.node.inputs)
                outputs = tuple(output_json(port) for port in schema.node.outputs)
        return Ports(
            request=request.request, type=request.type, params=request.params, inputs=inputs, outputs=outputs
        )

    def close(self) -> None:
        """Let the modules go."""
        if self._library is not None:
            self._library.close()

    def _start(self, request: LoadNodes) -> None:
        with self._lock:
            self._ready.clear()
            self._pending += 1
        threading.Thread(target=self._load, args=(request,), name="diptych-nodes", daemon=True).start()

    def _load(self, request: LoadNodes) -> None:
        assert self._library is not None
        try:
            listed = self._library.load(again=request.again)
        except Exception as error:  # noqa: BLE001 - a thread has nobody else to tell
            self._emit(Failure(request=request.request, error=error_data(describe(error))))
            return
        finally:
            with self._lock:
                self._pending -= 1
                if not self._pending:
                    self._ready.set()
        nodes = tuple(description(schema) for schema in self._registry.outside)
        self._emit(OutsideNodes(request=request.request, sources=tuple(map(told, listed)), nodes=nodes))


def told(listed: Listed) -> NodeSource:
    """A source as a message says it."""
    source = listed.source
    return NodeSource(
        source=source.kind,
        name=source.name,
        version=source.version,
        hash=source.digest,
        state=listed.state,
        types=listed.types,
        errors=tuple(map(error_data, listed.errors)),
        files=tuple(source.code),
    )
