"""Missing system libraries: which matter in a session, and the command that installs them."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bootstrap import libraries
from bootstrap.console import Console
from bootstrap.libraries import Installer
from bootstrap.window import Window


@pytest.mark.parametrize(
    ("text", "manager"),
    [
        ('ID=debian\nVERSION_ID="12"\n', "apt"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "apt"),
        ('NAME="Fedora Linux"\nID=fedora\n', "dnf"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "dnf"),
        ("ID=arch\n", "pacman"),
        ('ID=endeavouros\nID_LIKE="arch"\n', "pacman"),
        ('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', "zypper"),
        ("ID=alpine\n", "apk"),
        ("ID=nixos\n", None),
        ("", None),
    ],
)
def test_the_package_manager_follows_the_distribution(text: str, manager: str | None) -> None:
    assert libraries.package_manager(text) == manager


def test_only_what_this_session_needs() -> None:
    assert libraries.groups_needed({"DISPLAY": ":0"}) == ("core", "x11")
    assert libraries.groups_needed({"WAYLAND_DISPLAY": "wayland-0"}) == ("core", "wayland")
    assert libraries.groups_needed({"DISPLAY": ":0", "QT_QPA_PLATFORM": "offscreen"}) == ("core",)


def test_what_keeps_a_window_from_opening() -> None:
    both = ("core", "x11", "wayland")
    lacking = libraries.missing(both, lambda file: file != "libxcb-cursor.so.0")
    assert [library.file for library in lacking["x11"]] == ["libxcb-cursor.so.0"]
    assert not libraries.blocking(lacking, both), "Wayland is whole"
    assert libraries.blocking(lacking, ("core", "x11"))
    assert libraries.blocking(libraries.missing(both, lambda file: file != "libEGL.so.1"), both)
    assert not libraries.blocking({}, ("core",))


def test_package_names_once_each() -> None:
    assert libraries.packages(libraries.CORE[:2], "apt") == ["libegl1", "libgl1"]
    assert libraries.packages(libraries.CORE[:2], "pacman") == ["libglvnd"]
    assert libraries.packages(libraries.CORE[:1], "dnf") == ["libEGL.so.1()(64bit)"]
    for library in (*libraries.CORE, *libraries.X11, *libraries.WAYLAND):
        assert library.apt
        assert library.pacman
        assert library.apk


def test_fonts_are_looked_for(tmp_path: Path) -> None:
    assert libraries.fonts_missing([str(tmp_path)])
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "Sans.TTF").touch()
    assert not libraries.fonts_missing([str(tmp_path / "none"), str(tmp_path)])


def make_installer(tmp_path: Path, allowed: bool, text: str = "ID=debian\n") -> tuple[Installer, io.StringIO]:
    release, said = tmp_path / "os-release", io.StringIO()
    release.write_text(text)
    return Installer(Console(said), allowed, release), said


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that were run in place of really running them, as the administrator."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(
            command, 100 if "broken" in command else 0, "", "E: no such package"
        )

    monkeypatch.setattr(libraries.subprocess, "run", run)
    monkeypatch.setattr(libraries.os, "geteuid", lambda: 0, raising=False)
    return commands


def test_without_leave_the_command_is_named_and_not_run(tmp_path: Path, ran: list[list[str]]) -> None:
    installer, said = make_installer(tmp_path, allowed=False)
    assert not libraries.offer_missing(installer, {"core": libraries.CORE[:2]}, no_fonts=True)
    assert "apt-get install -y libegl1 libgl1 fonts-dejavu-core" in said.getvalue()
    assert "libEGL.so.1" in said.getvalue()
    assert ran == []


def test_with_leave_lists_are_renewed_first(tmp_path: Path, ran: list[list[str]]) -> None:
    installer, _ = make_installer(tmp_path, allowed=True)
    assert libraries.offer_missing(installer, {"core": libraries.CORE[:1]}, no_fonts=False)
    assert ran == [["apt-get", "update"], ["apt-get", "install", "-y", "libegl1"]]


def test_others_use_sudo(tmp_path: Path, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries.os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.setattr(libraries.shutil, "which", lambda name: f"/usr/bin/{name}")
    installer, _ = make_installer(tmp_path, allowed=True)
    installer.offer("It is missing.", {"apt": ["libgl1"]})
    assert ran == [["sudo", "apt-get", "update"], ["sudo", "apt-get", "install", "-y", "libgl1"]]


def test_a_failed_installation_shows_its_reason(tmp_path: Path, ran: list[list[str]]) -> None:
    installer, said = make_installer(tmp_path, allowed=True, text="ID=arch\n")
    assert not installer.offer("It is missing.", {"pacman": ["broken"]})
    assert "E: no such package" in said.getvalue()


def test_an_unknown_distribution_gets_the_file_names(tmp_path: Path, ran: list[list[str]]) -> None:
    installer, said = make_installer(tmp_path, allowed=True, text="ID=nixos\n")
    assert not libraries.offer_missing(installer, {"core": libraries.CORE[:1]}, no_fonts=False)
    assert "libEGL.so.1" in said.getvalue()
    assert ran == []


def test_without_a_screen_the_studio_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    installer, said = make_installer(tmp_path, allowed=False)
    assert not Window(installer.console, installer, {}).check()
    assert "render" in said.getvalue()
