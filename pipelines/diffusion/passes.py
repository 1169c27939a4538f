"""How the passes of one drawing tell their progress: what each is called, and of how many it is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipelines.diffusion.any_size import SizePlan
from pipelines.diffusion.part_context import PartContext, told
from pipelines.graph.values import Image
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
        if preview is not None:
            width = max(1, round(preview.width * self._stretch))
            preview = resize(preview, width, preview.height, "bilinear")
        phase = self._phase if phase == "denoising" else phase
        self.whole.progress(step, total, phase=phase, preview=preview, text=text, asked=asked, **told(moved))


class OneOfSeveral(PartContext):
    """The context of picture ``index`` of ``count`` that are made one after the other: one progress of all.

    Args:
        phase: what denoising is called.
    """

    def __init__(self, whole: Context, index: int, count: int, phase: str = "denoising") -> None:
        super().__init__(whole)
        self._index, self._count, self._phase = index, count, phase

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
        if self._index > 0 and step == 0:
            return
        if phase == "denoising" != self._phase:
            phase, asked = self._phase, None
        step, total = self._index * total + step, self._count * total
        asked = asked and asked * self._count
        self.whole.progress(step, total, phase=phase, preview=preview, text=text, asked=asked, **told(moved))
