"""The context of a part of a node's work: everything is the whole's, only progress is told in its own way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from pipelines.errors import ErrorInfo
from pipelines.graph.values import Image

if TYPE_CHECKING:
    from pipelines.graph.node import Context


class Moved(TypedDict, total=False):
    """Arguments of ``progress``."""

    moved: int


def told(moved: int) -> Moved:
    """The argument of ``progress`` that is left out where nothing was moved, as it nearly always is."""
    return {"moved": moved} if moved else {}


class PartContext:
    """Implements :class:`pipelines.graph.node.Context` by another; what it changes, subclasses say."""

    def __init__(self, whole: Context) -> None:
        self.whole = whole
        self.node, self.models, self.cancel = whole.node, whole.models, whole.cancel
        self.cache_dir, self.output_dir = whole.cache_dir, whole.output_dir

    @property
    def device(self) -> str:
        return self.whole.device

    def progress(
        self,
        step: int,
        total: int,
        *,
        phase: str = "",
        preview: Image | None = None,
        text: str | None = None,
        asked: int | None = None,
        moved: int = 0,
    ) -> None:
        self.whole.progress(step, total, phase=phase, preview=preview, text=text, asked=asked, **told(moved))

    def warn(self, warning: ErrorInfo) -> None:
        self.whole.warn(warning)

    def path(self, text: str) -> Path:
        return self.whole.path(text)

    def asset(self, name: str) -> bytes:
        return self.whole.asset(name)

    def provenance(self) -> dict[str, Any]:
        return self.whole.provenance()

    def memo(self, key: tuple[object, ...], make: Callable[[], Any]) -> Any:
        return self.whole.memo(key, make)
