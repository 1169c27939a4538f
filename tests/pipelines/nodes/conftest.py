"""A context for single nodes, and a way to run a small graph of them through the real executor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import ErrorInfo
from pipelines.graph.assets import AssetStore
from pipelines.graph.node import FlagToken
from pipelines.graph.registry import builtin
from pipelines.graph.values import Image, ModelHandle


class NodeContext:
    """Implements ``Context``, ``ModelAccess`` and ``Resources``; notes what a node reports."""

    def __init__(self, folder: Path) -> None:
        self.node, self.device = "node", "cpu"
        self.folder = folder
        self.models = self
        self.cancel = FlagToken()
        self.cache_dir, self.output_dir = folder / "cache", folder / "pictures"
        self.reports: list[tuple[int, int, str]] = []
        self.previews: list[Image] = []
        self.warnings: list[ErrorInfo] = []
        self.loaded: Any = None
        self.story: dict[str, Any] = {"graph": {"format": 1, "nodes": {}}}

    def progress(
        self, step: int, total: int, *, phase: str = "", preview: Image | None = None,
        text: str | None = None, asked: int | None = None,
    ) -> None:  # fmt: skip
        self.reports.append((step, total, phase))
        if preview is not None:
            self.previews.append(preview)

    def warn(self, warning: ErrorInfo) -> None:
        self.warnings.append(warning)

    def path(self, text: str) -> Path:
        return self.folder / Path(text).expanduser()

    def asset(self, name: str) -> bytes:
        return AssetStore(self.folder / "assets").get(name)

    def provenance(self) -> dict[str, Any]:
        return self.story

    def memo(self, key: tuple[object, ...], make: Callable[[], Any]) -> Any:
        return make()

    def find(self, kind: str, model: str, dtype: str = "auto", quantization: str = "none") -> ModelHandle:
        raise AssertionError("no node here looks for a model")

    @contextmanager
    def use(self, handle: ModelHandle, context: Any) -> Iterator[Any]:
        yield self.loaded


@pytest.fixture
def context(tmp_path: Path) -> NodeContext:
    return NodeContext(tmp_path)


@pytest.fixture
def run(context: NodeContext) -> Callable[..., Any]:
    """``run("text.join", {"separator": ""}, a="x", b="y")``: params are validated, ports get their defaults.

    Gives the only output, or all of them as a dict.
    """

    def call(type_id: str, params: dict[str, Any] | None = None, **inputs: Any) -> Any:
        node = builtin()[type_id].node
        values = node.Params.model_validate(params or {})
        given = {
            port.name: port.default for port in node.input_ports(params or {}) if not port.required
        } | inputs
        outputs = dict(node().run(given, values, context))
        assert set(outputs) == {port.name for port in node.output_ports(values.model_dump())}
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    return call
