"""The engine, its messages, and the command line."""

from __future__ import annotations

from pipelines.errors.base import DiptychError


class EngineDied(DiptychError):
    what = "The engine stopped in the middle of this run."
    why = "{reason}"
    remedy = "It has been started again; run once more. Everything else is as it was."


class EngineUnavailable(DiptychError):
    what = "The engine can't be started."
    why = "{reason}"
    remedy = "Run packaging/start.py --repair once, then start Diptych again."


class EngineBusy(DiptychError):
    what = "Another Diptych is using {device} ({owner})."
    remedy = "Wait until it is idle, or close it."


class ProtocolError(DiptychError):
    what = "A message between the studio and the engine could not be read."
    why = "{reason}"
    remedy = "Restart Diptych; if it comes back, copy the diagnostics into a bug report."


class WrongUse(DiptychError):
    """The command line was used wrongly (exit code 2)."""

    what = "{reason}"
    remedy = "{hint}"
