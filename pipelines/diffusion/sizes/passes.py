"""How the passes of one drawing tell their progress: what each is called, and of how many it is one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pipelines.diffusion.part_context import PartContext, Report
from pipelines.diffusion.sizes.any_size import SizePlan
from pipelines.image import resize

if TYPE_CHECKING:
    from pipelines.graph.node import Context

COMPOSING: Final = "composing"
"""The phase of a first pass, followed by its size."""
ENLARGING: Final = "enlarging"
DRAWING_DETAIL: Final = "drawing detail"


class FirstPass(PartContext):
    """The context of a first pass: it is called composing, and its previews have the final proportions."""

    def __init__(self, whole: Context, plan: SizePlan) -> None:
        super().__init__(whole)
        width, height = plan.first
        self._phase = f"{COMPOSING} {width} × {height}"
        self._stretch = plan.width / plan.height * height / width

    def retold(self, report: Report) -> Report:
        preview = report.preview
        if preview is not None:
            width = max(1, round(preview.width * self._stretch))
            preview = resize(preview, width, preview.height, "bilinear")
        return replace(
            report, preview=preview, phase=self._phase if report.phase == "denoising" else report.phase
        )


class OneOfSeveral(PartContext):
    """The context of picture ``index`` of ``count`` that are made one after the other: one progress of all.

    Args:
        phase: what denoising is called.
    """

    def __init__(self, whole: Context, index: int, count: int, phase: str = "denoising") -> None:
        super().__init__(whole)
        self._index, self._count, self._phase = index, count, phase

    def retold(self, report: Report) -> Report | None:
        if self._index > 0 and report.step == 0:
            return None
        if report.phase == "denoising" != self._phase:
            report = replace(report, phase=self._phase, asked=None)
        return report.of_several(self._index, self._count)
