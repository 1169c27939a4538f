"""What an error is: a class with three source texts, and the same as plain data.

The three sentences are *source texts* with named slots (``"{path}"``); the arguments travel beside them, so
that the studio can translate the text and fill it in afterwards. :class:`ErrorInfo` is the same thing as
plain data: it is what crosses threads and processes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

_SLOT = re.compile(r"\{([a-z_]+)\}")


def fill(template: str, arguments: Mapping[str, object]) -> str:
    """Put ``arguments`` into the ``{name}`` slots of ``template``; a slot without an argument stays as it is.

    Not :meth:`str.format`: no attribute access, no conversions, no surprises from text a user typed.
    """
    return _SLOT.sub(lambda match: str(arguments.get(match[1], match[0])), template)


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error as data.

    ``what``, ``why`` and ``remedy`` are source texts with named slots; ``arguments`` fills them. ``node`` and
    ``port`` say where it belongs in a graph, ``details`` is for a bug report (a traceback), never needed to
    go on.
    """

    code: str
    what: str
    why: str = ""
    remedy: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    node: str | None = None
    port: str | None = None
    severity: str = "error"
    details: str = ""

    def sentences(self, translate: Callable[[str], str] = str) -> tuple[str, str, str]:
        """What, why and what to do, translated and filled in (an empty one stays empty)."""
        return (
            fill(translate(self.what), self.arguments),
            fill(translate(self.why), self.arguments) if self.why else "",
            fill(translate(self.remedy), self.arguments) if self.remedy else "",
        )

    def text(self, translate: Callable[[str], str] = str) -> str:
        """All three sentences in one line."""
        return " ".join(part for part in self.sentences(translate) if part)

    def at(self, node: str | None, port: str | None = None) -> ErrorInfo:
        """The same error, placed at a node (and a port)."""
        return replace(self, node=node, port=port if port is not None else self.port)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object; the filled-in English ``message`` is added for people and scripts."""
        return {
            "code": self.code,
            "what": self.what,
            "why": self.why,
            "remedy": self.remedy,
            "arguments": dict(self.arguments),
            "node": self.node,
            "port": self.port,
            "severity": self.severity,
            "details": self.details,
            "message": self.text(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ErrorInfo:
        """The inverse of :meth:`to_json`."""
        return cls(**{key: value for key, value in data.items() if key != "message"})


class DiptychError(Exception):
    """Base of all errors with a text for the user. Subclasses set the three source texts; arguments are
    named."""

    what: ClassVar[str] = "Something went wrong."
    why: ClassVar[str] = ""
    remedy: ClassVar[str] = ""

    def __init__(self, *, node: str | None = None, port: str | None = None, **arguments: Any) -> None:
        self.arguments = arguments
        self.node = node
        self.port = port
        super().__init__(self.info().text())

    def info(self, details: str = "") -> ErrorInfo:
        """This error as data."""
        return ErrorInfo(
            type(self).__name__,
            self.what,
            self.why,
            self.remedy,
            self.arguments,
            self.node,
            self.port,
            "error",
            details,
        )


class Cancelled(DiptychError):
    """The user cancelled; not a failure."""

    what = "Cancelled."
