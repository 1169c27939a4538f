"""Any exception as an error a user can read."""

from __future__ import annotations

import traceback

from pipelines.errors.base import DiptychError, ErrorInfo
from pipelines.errors.models import OutOfMemory


class UnexpectedError(DiptychError):
    """A bug of ours or of a library: the only error whose ``why`` is not ours."""

    what = "The step stopped because of an unexpected error."
    why = "{kind}: {message}"
    remedy = "Try again. If it comes back, copy the diagnostics into a bug report."


def describe(error: BaseException) -> ErrorInfo:
    """Any exception as an :class:`ErrorInfo`, with its traceback in ``details``."""
    details = "".join(traceback.format_exception(error))[-20_000:]
    if isinstance(error, DiptychError):
        return error.info(details)
    if _is_out_of_memory(error):
        device = "this computer" if isinstance(error, MemoryError) else "the device"
        return OutOfMemory(device=device, reason=str(error)[:2_000] or type(error).__name__).info(details)
    message = str(error).strip()[:2_000].rstrip(".") or "it gave no reason"
    return UnexpectedError(kind=type(error).__name__, message=f"{message}.").info(details)


def _is_out_of_memory(error: BaseException) -> bool:
    """By name, since the libraries whose errors these are must not be imported for it."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"MemoryError", "OutOfMemoryError"}) or "DefaultCPUAllocator" in str(error)
