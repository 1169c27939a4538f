"""Words a user reads: source text with named slots, translated by Qt, filled in afterwards."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from pipelines.errors import fill

CONTEXT = "diptych"


def tr(text: str, /, **slots: object) -> str:
    """``text`` in the user's language with ``{name}`` slots filled in."""
    translated = QCoreApplication.translate(CONTEXT, text)
    return fill(translated, slots) if slots else translated
