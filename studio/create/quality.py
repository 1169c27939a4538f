"""Draft, normal or fine: steps as a part of what the model asks for."""

from __future__ import annotations

from typing import Final

FACTORS: Final = {"draft": 0.5, "normal": 1.0, "fine": 2.0}


def steps_for(quality: str, default: int) -> int:
    """Steps of a quality, from the model's default number of steps."""
    return max(1, round(default * FACTORS[quality]))


def quality_of(steps: int, default: int) -> str | None:
    """The quality that has exactly these steps; ``None`` for a number of one's own."""
    return next((name for name in FACTORS if steps_for(name, default) == steps), None)
