"""What the set-up says: pip's output made readable, and why it failed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from bootstrap import pip
from bootstrap.console import Console, size
from bootstrap.layout import Layout
from bootstrap.pip import Outcome


class Terminal(io.StringIO):
    """A terminal that keeps what it was sent."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("count", "text"),
    [(12, "12 bytes"), (2_500, "2.5 kB"), (92_871_040, "93 MB"), (5.4e9, "5.4 GB"), (14e9, "14 GB")],
)
def test_sizes_for_people(count: float, text: str) -> None:
    assert size(count) == text


def test_progress_is_one_line_on_a_terminal_and_rare_elsewhere() -> None:
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        console = Console(stream, every=60)
        console._last -= 1
        console.progress("1 of 2")
        console.note("done")
    assert "\n" not in terminal.getvalue()[: terminal.getvalue().index("1 of 2")]
    assert terminal.getvalue().endswith("\r  done\n")
    assert file.getvalue() == "  done\n"


def test_what_the_screen_cannot_show_does_not_stop_the_set_up() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n")
    Console(stream).note("“größer”")
    stream.seek(0)
    assert stream.read() == "  ?gr??er?\n"


def test_only_large_downloads_are_announced(tmp_path: Path) -> None:
    said = io.StringIO()
    reader = pip._Reader(Layout(tmp_path), Console(said))
    for line in (
        "Collecting torch",
        "  Downloading torch-2.14.1-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (30 kB)",
        "  Downloading torch-2.14.1-cp311-cp311-manylinux_2_28_x86_64.whl (554.6 MB)",
        "Progress 1000 of 554600000",
        "Using cached nvidia_cublas-13.1.1.3-py3-none-manylinux_2_27_x86_64.whl (423.1 MB)",
        "  Downloading idna-3.20-py3-none-any.whl (70 kB)",
        "WARNING: something of no interest",
        "ERROR: what is said at the end",
    ):
        reader.take(line)
    assert said.getvalue().splitlines() == [
        "  torch 2.14.1 (555 MB)",
        "  nvidia-cublas 13.1.1.3 (423 MB, kept from an earlier download)",
    ]


def test_why_pip_failed() -> None:
    missing = "ERROR: No matching distribution found for torch==2.14.1"
    assert Outcome(1, lines=[missing]).no_match
    lost = Outcome(1, lines=["WARNING: Retrying: Failed to establish a new connection", missing])
    assert lost.no_network
    assert not lost.no_match, "the index never answered"
    assert Outcome(1, lines=["OSError: [Errno 28] No space left on device"]).no_space
    assert not Outcome(0, lines=[missing]).no_match
    assert Outcome(1, lines=["a", missing, "b"]).errors == "No matching distribution found for torch==2.14.1"
    assert Outcome(1, lines=["a", "b"]).errors == "a\nb"


def test_pip_keeps_the_users_configuration_but_not_what_breaks_it(tmp_path: Path) -> None:
    given = {"PIP_INDEX_URL": "index:/mine", "PIP_USER": "1", "TMPDIR": "/small"}
    variables = pip.environment(given, Layout(tmp_path))
    assert variables["PIP_INDEX_URL"] == "index:/mine"
    assert variables["PIP_USER"] == "0"
    assert variables["TMPDIR"] == str(Layout(tmp_path).scratch)
