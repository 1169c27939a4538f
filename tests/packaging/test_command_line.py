"""How the command line is split, and what an old Python is told."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap.arguments import Arguments, WrongUse, parse

START = Path(__file__).resolve().parents[2] / "packaging" / "start.py"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], Arguments()),
        (
            ["render", "a red apple", "-o", "apple.png"],
            Arguments(words=("render", "a red apple", "-o", "apple.png")),
        ),
        (
            ["--yes", "--device", "cpu", "run", "--yes"],
            Arguments(device="cpu", yes=True, words=("run", "--yes")),
        ),
        (["--device=rocm"], Arguments(device="rocm")),
        (["--", "--version"], Arguments(words=("--version",))),
        (["--offline", "--repair", "--no-start"], Arguments(offline=True, repair=True, start=False)),
        (["nodes", "--help"], Arguments(words=("nodes", "--help"))),
        (["-h"], Arguments(help=True)),
    ],
)
def test_options_before_the_first_word_are_its_own(words: list[str], expected: Arguments) -> None:
    assert parse(words) == expected


@pytest.mark.parametrize(
    "words",
    [["--device"], ["--device", "tpu"], ["--device=", "x"], ["--version"], ["--yes=1"], ["-x", "render"]],
)
def test_unknown_options_are_wrong_use(words: list[str]) -> None:
    with pytest.raises(WrongUse):
        parse(words)


def test_what_opens_a_window() -> None:
    assert parse([]).studio
    assert parse(["studio", "graph.diptych"]).studio
    assert not parse(["--no-start"]).studio
    assert not parse(["render", "x"]).studio
    assert parse(["test", "-x"]).test
    assert not parse(["render", "test"]).test


def test_help_needs_no_set_up_and_wrong_use_exits_2() -> None:
    shown = subprocess.run([sys.executable, str(START), "--help"], capture_output=True, text=True)
    assert shown.returncode == 0
    assert "--device" in shown.stdout
    assert "DIPTYCH_TORCH_INDEX" in shown.stdout
    wrong = subprocess.run([sys.executable, str(START), "--nonsense"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "--nonsense" in wrong.stderr
    assert wrong.stdout == ""


def test_an_old_python_can_read_the_file() -> None:
    ast.parse(START.read_text("utf-8"), feature_version=(3, 5))


def test_an_old_python_says_what_is_needed() -> None:
    program = (
        "import sys, runpy; sys.version_info = (3, 9, 1, 'final', 0); sys.argv = ['start.py'];"
        f"runpy.run_path({str(START)!r}, run_name='__main__')"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={"PATH": "/nowhere"}
    )
    assert told.returncode == 2
    assert "needs Python 3.11 or newer" in told.stderr
    assert "3.9.1" in told.stderr
