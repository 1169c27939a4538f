"""What goes into a bug report: versions, system and device, never prompts, pictures or the names of
folders."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from PySide6.QtCore import qVersion

from pipelines.engine.protocol import Device

_PACKAGES = ("diptych-studio", "PySide6-Essentials", "torch", "diffusers", "transformers", "accelerate")


def diagnostics(message: str, device: Device | None = None) -> str:
    """A text for the clipboard: the message, then what it happened on."""
    lines = [
        message.strip(),
        "",
        f"System: {platform.platform()}, Python {platform.python_version()}, Qt {qVersion()}",
    ]
    for name in _PACKAGES:
        try:
            lines.append(f"{name}: {version(name)}")
        except PackageNotFoundError:
            lines.append(f"{name}: not installed")
    if device is not None:
        lines.append(f"Device: {device.device} ({device.name}), {device.dtype}, {device.total_bytes} bytes")
    return "\n".join(lines) + "\n"
