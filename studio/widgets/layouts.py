"""Taking widgets out of layouts for good."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtWidgets import QLayout, QWidget


def empty(layout: QLayout) -> None:
    """Take all out; see :func:`discard`."""
    while (item := layout.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            _let_go(widget)


def discard(layout: QLayout, widgets: Iterable[QWidget]) -> None:
    """Take some out, hidden at once and deleted later: one may be the button whose click led here."""
    for widget in widgets:
        layout.removeWidget(widget)
        _let_go(widget)


def _let_go(widget: QWidget) -> None:
    widget.hide()
    widget.deleteLater()
