"""Importing OpenVINO: only if it is installed, and without what it would tell its makers."""

from __future__ import annotations

import importlib.util
import sys
import threading
from typing import Any, Final

_TELEMETRY: Final = "openvino_telemetry"
_LOCK: Final = threading.Lock()


def available() -> bool:
    """Whether it is installed. Nothing is imported."""
    return importlib.util.find_spec("openvino") is not None


def import_openvino() -> Any:
    """The module.

    Importing it sends a notice of its use over the network, unless the package that would isn't there: it is
    kept from being found. Nothing in Diptych reports on its user.

    Raises:
        ImportError: it isn't installed.
    """
    with _LOCK:
        if "openvino" not in sys.modules:
            sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
        import openvino

        return openvino
