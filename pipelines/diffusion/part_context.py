"""The context of a part of a node's work: everything is the whole's, only progress is told in its own way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from pipelines.errors import ErrorInfo
from pipelines.graph.values import Image

if TYPE_CHECKING:
    from pipelines.graph.node import Context, ProgressDetails


class Moved(TypedDict, total=False):
    """Arguments of ``progress``."""

    moved: int


def told(moved: int) -> Moved:
    """The argument of ``progress`` that is left out where nothing was moved, as it nearly always is."""
    return {"moved": moved} if moved else {}


@dataclass(frozen=True, slots=True)
class Report:
    """Arguments of :meth:`pipelines.graph.node.Context.progress`."""

    step: int
    total: int
    phase: str = ""
    preview: Image | None = None
    text: str | None = None
    asked: int | None = None
    moved: int = 0

    def of_several(self, index: int, count: int) -> Report:
        """The progress of all, where this one is part ``index`` of ``count`` that are as long."""
        step, total = index * self.total + self.step, count * self.total
        return replace(self, step=step, total=total, asked=self.asked and self.asked * count)


class PartContext:
    """Implements :class:`pipelines.graph.node.Context` by another; what it changes, subclasses say."""

    def __init__(self, whole: Context) -> None:
        self.whole = whole
        self.node, self.models, self.cancel = whole.node, whole.models, whole.cancel
        self.cache_dir, self.output_dir = whole.cache_dir, whole.output_dir

    @property
    def device(self) -> str:
        return self.whole.device

    def progress(self, step: int, total: int, **details: Unpack[ProgressDetails]) -> None:
        """Tell the whole of it, as :meth:`retold` has it."""
        found = self.retold(Report(step, total, **details))
        if found is not None:
            self.whole.progress(
                found.step, found.total, phase=found.phase, preview=found.preview, text=found.text,
                asked=found.asked, **told(found.moved),
            )  # fmt: skip

    def retold(self, report: Report) -> Report | None:
        """What the whole is told of the part's progress; None for nothing."""
        return report

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
