"""An undo stack that can be garbage, which PySide's can't, and steps that keep nothing alive."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from weakref import WeakMethod

from PySide6.QtGui import QUndoStack
from shiboken6 import isValid

T = TypeVar("T")


class UndoStack(QUndoStack):
    """Collected as part of a cycle, a stack's wrapper may be taken apart before the stack itself: the steps
    that Python made are then freed while Qt still has them. So the steps go first; what they call is held
    :func:`weak`, or the end of the last one could end the stack a second time.
    """

    def __del__(self) -> None:
        if isValid(self):
            self.blockSignals(True)  # whoever listens may be garbage, too
            self.clear()


def weak(call: Callable[[T], object]) -> Callable[[T], object]:
    """A method, without keeping the object alive whose it is (nothing is called once that is gone); any other
    function as it is."""
    if not hasattr(call, "__self__"):
        return call
    method = WeakMethod(call)

    def called(value: T) -> object:
        found = method()
        return found(value) if found is not None else None

    return called
