"""System libraries that Qt needs on Linux: which are missing, and the command that installs them.

The list is what the platform plugins and QtGui of PySide6 are linked to, beyond what they bring themselves.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap.console import Console


@dataclass(frozen=True)
class Library:
    """A file the loader must find and the packages that bring it (``rpm``: asked for by what it provides)."""

    file: str
    apt: str
    pacman: str
    apk: str


CORE = (
    Library("libEGL.so.1", "libegl1", "libglvnd", "mesa-egl"),
    Library("libGL.so.1", "libgl1", "libglvnd", "mesa-gl"),
    Library("libX11.so.6", "libx11-6", "libx11", "libx11"),
    Library("libfontconfig.so.1", "libfontconfig1", "fontconfig", "fontconfig"),
    Library("libfreetype.so.6", "libfreetype6", "freetype2", "freetype"),
    Library("libxkbcommon.so.0", "libxkbcommon0", "libxkbcommon", "libxkbcommon"),
    Library("libglib-2.0.so.0", "libglib2.0-0", "glib2", "glib"),
    Library("libgthread-2.0.so.0", "libglib2.0-0", "glib2", "glib"),
    Library("libzstd.so.1", "libzstd1", "zstd", "zstd-libs"),
    Library("libz.so.1", "zlib1g", "zlib", "zlib"),
    Library("libdbus-1.so.3", "libdbus-1-3", "dbus", "dbus-libs"),
)
"""Needed for any window, and for tests without a screen."""

X11 = (
    Library("libxcb.so.1", "libxcb1", "libxcb", "libxcb"),
    Library("libX11-xcb.so.1", "libx11-xcb1", "libx11", "libx11"),
    Library("libxkbcommon-x11.so.0", "libxkbcommon-x11-0", "libxkbcommon-x11", "libxkbcommon"),
    Library("libxcb-cursor.so.0", "libxcb-cursor0", "xcb-util-cursor", "xcb-util-cursor"),
    Library("libxcb-icccm.so.4", "libxcb-icccm4", "xcb-util-wm", "xcb-util-wm"),
    Library("libxcb-util.so.1", "libxcb-util1", "xcb-util", "xcb-util"),
    Library("libxcb-image.so.0", "libxcb-image0", "xcb-util-image", "xcb-util-image"),
    Library("libxcb-keysyms.so.1", "libxcb-keysyms1", "xcb-util-keysyms", "xcb-util-keysyms"),
    Library("libxcb-randr.so.0", "libxcb-randr0", "libxcb", "libxcb"),
    Library("libxcb-render.so.0", "libxcb-render0", "libxcb", "libxcb"),
    Library("libxcb-render-util.so.0", "libxcb-render-util0", "xcb-util-renderutil", "xcb-util-renderutil"),
    Library("libxcb-shape.so.0", "libxcb-shape0", "libxcb", "libxcb"),
    Library("libxcb-shm.so.0", "libxcb-shm0", "libxcb", "libxcb"),
    Library("libxcb-sync.so.1", "libxcb-sync1", "libxcb", "libxcb"),
    Library("libxcb-xfixes.so.0", "libxcb-xfixes0", "libxcb", "libxcb"),
    Library("libxcb-xkb.so.1", "libxcb-xkb1", "libxcb", "libxcb"),
)
WAYLAND = (
    Library("libwayland-client.so.0", "libwayland-client0", "wayland", "wayland-libs-client"),
    Library("libwayland-cursor.so.0", "libwayland-cursor0", "wayland", "wayland-libs-cursor"),
    Library("libwayland-egl.so.1", "libwayland-egl1", "wayland", "wayland-libs-egl"),
)
GROUPS = {"core": CORE, "x11": X11, "wayland": WAYLAND}

FONTS = {
    "apt": "fonts-dejavu-core",
    "dnf": "dejavu-sans-fonts",
    "zypper": "dejavu-fonts",
    "pacman": "ttf-dejavu",
    "apk": "font-dejavu",
}
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")

COMMANDS = {
    "apt": "apt-get install -y",
    "dnf": "dnf install -y",
    "zypper": "zypper --non-interactive install",
    "pacman": "pacman -S --needed --noconfirm",
    "apk": "apk add",
}
_FAMILIES = {
    "apt": ("debian", "ubuntu"),
    "dnf": ("fedora", "rhel", "centos"),
    "zypper": ("suse", "opensuse", "sles"),
    "pacman": ("arch", "manjaro"),
    "apk": ("alpine",),
}


def groups_needed(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Which libraries a window needs in this session, by the display servers that are there."""
    needed = ["core"]
    if environment.get("QT_QPA_PLATFORM", "").startswith(("offscreen", "minimal", "vnc")):
        return tuple(needed)
    if environment.get("DISPLAY"):
        needed.append("x11")
    if environment.get("WAYLAND_DISPLAY"):
        needed.append("wayland")
    return tuple(needed)


def loads(file: str) -> bool:
    """Whether the system's loader finds a library."""
    try:
        ctypes.CDLL(file)
    except OSError:
        return False
    return True


def missing(groups: Iterable[str], check: Callable[[str], bool] = loads) -> dict[str, list[Library]]:
    """Missing libraries by group; groups without any are left out."""
    found = {group: [library for library in GROUPS[group] if not check(library.file)] for group in groups}
    return {group: libraries for group, libraries in found.items() if libraries}


def blocking(lacking: Mapping[str, Sequence[Library]], groups: Sequence[str]) -> bool:
    """Whether no window can open: the core is incomplete, or every display server's part is."""
    servers = [group for group in groups if group != "core"]
    return "core" in lacking or (bool(servers) and all(group in lacking for group in servers))


def fonts_missing(folders: Sequence[str] = FONT_FOLDERS) -> bool:
    """Whether there is no font file at all, so that every text would be boxes."""
    return not any(True for folder in folders for _ in _font_files(Path(folder).expanduser()))


def _font_files(folder: Path) -> Iterator[str]:
    for _, _, files in os.walk(folder):
        yield from (file for file in files if file.lower().endswith((".ttf", ".otf", ".ttc", ".pfb")))


def package_manager(os_release: str) -> str | None:
    """The package manager of a distribution, from the text of ``/etc/os-release``."""
    fields = dict(line.partition("=")[::2] for line in os_release.splitlines() if "=" in line)
    names = [fields.get("ID", ""), *fields.get("ID_LIKE", "").strip("\"'").split()]
    for name in (name.strip("\"'").lower() for name in names):
        for manager, family in _FAMILIES.items():
            if name in family or name.split("-")[0] in family:
                return manager
    return None


def packages(libraries: Iterable[Library], manager: str, bits: int = 64) -> list[str]:
    """Package names for a manager, each once. RPM systems are asked for the library itself."""
    suffix = "()(64bit)" if bits == 64 else ""
    if manager in ("dnf", "zypper"):
        names = [library.file + suffix for library in libraries]
    else:
        names = [str(getattr(library, manager)) for library in libraries]
    return list(dict.fromkeys(names))


class Installer:
    """Names the command that installs system packages, and runs it where that is allowed."""

    def __init__(self, console: Console, allowed: bool, os_release: Path = Path("/etc/os-release")) -> None:
        """``allowed``: the user said ``--yes``, or this is CI."""
        self.console = console
        self.allowed = allowed
        try:
            self.manager = package_manager(os_release.read_text("utf-8"))
        except OSError:
            self.manager = None

    def offer(self, reason: str, wanted: Mapping[str, Sequence[str]], otherwise: str = "") -> bool:
        """Install what ``wanted`` names for this manager, or say how; True if it was installed."""
        self.console.note(reason)
        names = list(wanted.get(self.manager or "", ()))
        if not self.manager or not names:
            if otherwise:
                self.console.note(otherwise)
            return False
        command = install_command(self.manager, names)
        if not self.allowed:
            self.console.note(f"Install it with:\n  {' '.join(_quoted(word) for word in command)}")
            self.console.note("or start again with --yes to have it done.")
            return False
        return self._run(command)

    def _run(self, command: list[str]) -> bool:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        steps = [command]
        if self.manager == "apt":
            steps.insert(0, [*command[: command.index("apt-get") + 1], "update"])
        for step in steps:
            self.console.note(f"running {' '.join(step)}")
            try:
                done = subprocess.run(step, env=environment, capture_output=True, text=True, errors="replace")
            except OSError as error:
                self.console.note(f"That can't be run: {error}")
                return False
            if done.returncode and step is command:
                self.console.note("\n".join((done.stdout + done.stderr).strip().splitlines()[-3:]))
                return False
        return True


def install_command(manager: str, names: Sequence[str]) -> list[str]:
    """The command as words, with ``sudo`` for anybody but the administrator where it exists."""
    root = sys.platform == "win32" or os.geteuid() == 0
    return [*([] if root or not shutil.which("sudo") else ["sudo"]), *COMMANDS[manager].split(), *names]


def _quoted(word: str) -> str:
    return f"'{word}'" if "(" in word else word


def offer_missing(installer: Installer, lacking: Mapping[str, Sequence[Library]], no_fonts: bool) -> bool:
    """Name what is missing and install it where allowed; True if something was installed."""
    libraries = [library for group in lacking.values() for library in group]
    wanted = {
        manager: packages(libraries, manager) + ([FONTS[manager]] if no_fonts else []) for manager in COMMANDS
    }
    files = [library.file for library in libraries] + (["a font"] if no_fonts else [])
    named = ", ".join(files)
    return installer.offer(
        f"The window needs what this system lacks: {named}.",
        wanted,
        "Install the packages of your system that contain these files.",
    )
