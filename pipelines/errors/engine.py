"""The engine, its messages, and the command line."""

from __future__ import annotations

from pipelines.errors.base import DiptychError


class EngineDied(DiptychError):
    what = "The engine stopped in the middle of this run."
    why = "{reason}"
    remedy = "It has been started again; run once more. Everything else is as it was."


class EngineDiedIdle(EngineDied):
    """Nothing ran."""

    what = "The engine stopped while nothing was drawn."
    remedy = "It is started again, and nothing is lost."


class EngineUnavailable(DiptychError):
    what = "The engine can't be started."
    why = "{reason}"
    remedy = "Run packaging/start.py --repair once, then start Diptych again."


class ProtocolError(DiptychError):
    what = "A message between the studio and the engine could not be read."
    why = "{reason}"
    remedy = "Restart Diptych; if it comes back, copy the diagnostics into a bug report."


class WrongUse(DiptychError):
    """The command line was used wrongly (exit code 2)."""

    what = "{reason}"
    remedy = "{hint}"


class QueueNotKept(DiptychError):
    """A warning, not a failure: runs go on, but those still waiting are gone when the program ends."""

    what = "The list of waiting runs can't be written to {path}."
    why = "{reason}"
    remedy = "Runs go on as usual. What still waits when Diptych ends has to be started again."


class QueueUnreadable(DiptychError):
    """A warning, not a failure."""

    what = "The list of waiting runs could not be read."
    why = "{reason}"
    remedy = "A new one was begun; the old file is kept as {kept}."


class RequestUnreadable(ProtocolError):
    what = "This request can't be understood."
    why = "{reason}"
    remedy = "Send one JSON object a line, with the fields its kind has."


class MessageTooLong(ProtocolError):
    what = "{name} is too long to be handed over."
    why = "It has {bytes}; at most {limit} go through."
    remedy = "Use fewer or shorter items, or save them to a file."
