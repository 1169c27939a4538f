"""The stamp: what has been set up, part by part, so that the next start can see that nothing changed.

A part is written when its work is done and removed before the work begins, each time by replacing the whole
file; a set-up that stops half-way is therefore continued where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bootstrap.layout import Layout

SETUP_VERSION = 1
"""Raised when the set-up code does something that old environments must get too."""
DATA_VARIABLES = ("DIPTYCH_HOME", "XDG_DATA_HOME", "LOCALAPPDATA", "HOME", "USERPROFILE")
"""What the user's data folder depends on."""


def read(path: Path) -> dict[str, Any]:
    """The parts of a stamp; none if there is no readable one."""
    try:
        parts = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return parts if isinstance(parts, dict) else {}


def write(path: Path, parts: Mapping[str, Any]) -> None:
    """Replace the stamp as a whole."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(json.dumps(parts, indent=1, sort_keys=True) + "\n", "utf-8")
    os.replace(temporary, path)  # noqa: PTH105 - atomic on every system


def digest(*files: Path) -> str:
    """One SHA-256 over the contents of files; line ends don't count, since git may change them."""
    total = hashlib.sha256()
    for file in files:
        content = file.read_bytes().replace(b"\r\n", b"\n")
        total.update(len(content).to_bytes(8, "big") + content)
    return total.hexdigest()


def environment_part(layout: Layout) -> dict[str, Any]:
    """What ties the environment to this checkout and its Python."""
    return {"setup": SETUP_VERSION, "python": environment_python(layout), "root": str(layout.root)}


def environment_python(layout: Layout) -> str:
    """The version in the environment's ``pyvenv.cfg``; empty if there is no usable environment."""
    if not layout.python.exists():  # follows the link: false when the Python it was made from is gone
        return ""
    try:
        lines = (layout.environment / "pyvenv.cfg").read_text("utf-8").splitlines()
    except OSError:
        return ""
    fields = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    return fields.get("version", fields.get("version_info", ""))


def packages_part(layout: Layout) -> str:
    """Changes whenever other packages may be needed."""
    return digest(layout.project, layout.constraints)


def index_part(address: str) -> str:
    """A package index as a fingerprint: an address can hold a password, so it is never written down."""
    return hashlib.sha256(address.encode()).hexdigest() if address else ""


def window_part(environment: Mapping[str, str]) -> list[str]:
    """What decides which libraries a window needs."""
    return [name for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM") if environment.get(name)]


def data_part(environment: Mapping[str, str]) -> dict[str, str]:
    """What decides where the user's data folder is."""
    return {name: environment[name] for name in DATA_VARIABLES if environment.get(name)}


def starter_text_ready(layout: Layout, parts: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    """Whether the starter text model of this version was prepared for this user, and is still there."""
    part = parts.get("starter_text")
    if not isinstance(part, dict) or part.get("data") != data_part(environment):
        return False
    if part.get("pin") != digest(layout.starter_text):
        return False
    return Path(str(part.get("folder")), "config.json").exists()


def torch_part(layout: Layout, device: str, index: str) -> dict[str, str]:
    """Which torch was installed: its device, the index it came from and the tested versions at that time."""
    return {"device": device, "index": index_part(index), "versions": digest(layout.constraints)}


def torch_ready(layout: Layout, parts: Mapping[str, Any], device: str | None, index: str) -> bool:
    """Whether torch is there in the build that is asked for; nothing asked for is content with any."""
    part = parts.get("torch")
    if not isinstance(part, dict) or part.get("versions") != digest(layout.constraints):
        return False
    return (device is None or part.get("device") == device) and (
        not index or part.get("index") == index_part(index)
    )
