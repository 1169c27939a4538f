"""What can be wanted of a picture: the tasks of the canvas, each with what it sets; all of it editable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

WHOLE_CONTEXT: Final = 4096.0
"""More context than most pictures have pixels: the model sees all of it."""
AUTO: Final = -1.0
"""A length that the formulas choose (see :func:`pipelines.inpaint.geometry.resolve`)."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task. ``hint`` says where to brush; ``values`` are params of the node that draws."""

    id: str
    title: str
    sentence: str
    hint: str
    icon: str
    values: Mapping[str, Any] = field(default_factory=dict)
    needs_mask: bool = True
    has_prompt: bool = True


def _values(fill: str, strength: float, context: float = AUTO, blend: float = AUTO) -> dict[str, Any]:
    return {
        "fill": fill,
        "strength": strength,
        "context": context,
        "blend": blend,
        "grow": AUTO,
        "feather": AUTO,
    }


TASKS: Final = (
    Task("fill", "Fill", "Draws the masked part anew, so that it fits what is round it.",
         "Brush over what should be drawn anew.", "task_fill", _values("blur", 1.0)),
    Task("add", "Add", "Puts something new into the masked part; say what in the prompt.",
         "Brush where the new thing should be.", "task_add", _values("neutral", 1.0)),
    Task("remove", "Remove", "Takes away what the mask covers; what is round it goes on. No prompt needed.",
         "Brush over what should disappear.", "task_remove", has_prompt=False),
    Task("background", "Replace background", "Draws a new background; the model sees the whole picture.",
         "Brush over the background, or mask the subject and invert the mask.", "task_background",
         _values("noise", 1.0, context=WHOLE_CONTEXT)),
    Task("refine", "Refine", "Keeps what is there and draws it better; without a mask, all of it.",
         "Brush over what should become finer, or leave the mask empty for the whole picture.", "task_refine",
         _values("original", 0.4), needs_mask=False),
    Task("expand", "Expand", "Makes the picture larger and draws what lies past its edges.",
         "Drag an edge of the picture outwards, or type how far.", "task_expand", _values("original", 1.0),
         needs_mask=False),
)  # fmt: skip


def task(id: str) -> Task:
    """The task called ``id``. Raises :class:`KeyError` for another name."""
    for item in TASKS:
        if item.id == id:
            return item
    raise KeyError(id)
