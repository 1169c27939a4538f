"""The set-up as a whole, against a pip that only pretends: what it does, does not do again, and survives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from bootstrap import environment, lock, main, pip, stamp
from bootstrap.arguments import Arguments
from bootstrap.console import Console, SetupFailed
from bootstrap.libraries import Installer
from bootstrap.setup import Setup
from tests.packaging import fake_python
from tests.packaging.checkouts import Checkout

pytestmark = [
    pytest.mark.posix,
    pytest.mark.skipif(os.name == "nt", reason="the stand-in for Python is a script with #!"),
]


def test_everything_once_then_nothing(checkout: Checkout) -> None:
    first = checkout.start("render", "a red apple", "-o", "apple.png")
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout) == ["render", "a red apple", "-o", "apple.png"]
    assert "Installing torch" in first.stderr
    assert "torch 2.14.1 (555 MB)" in first.stderr
    assert (checkout.model / "config.json").exists()
    assert not list((checkout.home / "data").glob("starter-text-*"))
    assert not checkout.layout.scratch.exists()
    before = len(checkout.calls())
    second = checkout.start("validate", "graph.json")
    assert json.loads(second.stdout) == ["validate", "graph.json"]
    assert second.stderr == ""
    assert len(checkout.calls()) == before + 1


def test_the_exit_code_is_that_of_diptych(checkout: Checkout) -> None:
    assert checkout.start("fails").returncode == 7


def test_libraries_are_not_taken_from_the_users_folder(checkout: Checkout) -> None:
    checkout.start("nodes")
    assert checkout.calls("pipelines.cli")[-1][0] == "-P"
    assert all(call[0] == "-I" for call in checkout.calls("pip"))


@pytest.mark.parametrize("change", ["pyproject.toml", "packaging/constraints.txt"])
def test_changed_requirements_are_installed(checkout: Checkout, change: str) -> None:
    checkout.start("nodes")
    installs = len(checkout.calls("-e"))
    with (checkout.root / change).open("a") as file:
        file.write("# changed\n")
    assert checkout.start("nodes").returncode == 0
    assert len(checkout.calls("-e")) == installs + 1
    assert len(checkout.calls("--dest")) == 1


def test_the_test_extra_is_added_once(checkout: Checkout) -> None:
    checkout.start("nodes")
    installs = len(checkout.calls("-e"))
    run = checkout.start("test", "tests/x.py", QT_QPA_PLATFORM="offscreen")
    assert run.returncode == 0, run.stderr
    assert checkout.calls(f"{checkout.root}[test]")
    assert checkout.calls("pytest")[-1][-2:] == ["pytest", "tests/x.py"]
    assert not checkout.calls("ruff")
    checkout.start("test", "-x", QT_QPA_PLATFORM="offscreen")
    checkout.start("nodes")
    assert len(checkout.calls("-e")) == installs + 1


def test_all_checks_run_and_one_failure_fails(checkout: Checkout) -> None:
    checkout.start("--no-start", "test")
    checkout.plan("mypy", "fail")
    run = checkout.start("test")
    assert run.returncode == 1
    assert "mypy failed" in run.stderr
    ran = [call[2] for call in checkout.calls("-P", "-m") if call[2] in ("ruff", "mypy", "pytest")]
    assert ran == ["ruff", "ruff", "mypy", "pytest"]
    assert checkout.start("test").returncode == 0


def test_another_device_replaces_torch_and_its_libraries(checkout: Checkout) -> None:
    checkout.start("nodes")
    assert "nvidia-cublas" in pip.installed(checkout.layout)
    run = checkout.start("--device", "cpu", "nodes", DIPTYCH_TORCH_INDEX="index:/user:secret@/{build}")
    assert run.returncode == 0, run.stderr
    assert "torch 2.14.1, CPU build" in run.stderr
    assert "nvidia-cublas" not in pip.installed(checkout.layout)
    assert checkout.stamp()["torch"]["device"] == "cpu"
    assert "secret" not in checkout.layout.stamp.read_text() + run.stderr
    before = len(checkout.calls())
    checkout.start("nodes")
    assert len(checkout.calls()) == before + 1, "without --device the choice stays"


def test_the_next_build_and_then_any_version_is_tried(checkout: Checkout) -> None:
    checkout.plan("--index-url", "none", times=4)
    run = checkout.start("--device", "rocm", "nodes", DIPTYCH_TORCH_INDEX="index:/{build}")
    assert run.returncode == 0, run.stderr
    tries = checkout.calls("--index-url")
    assert len({call[call.index("--index-url") + 1] for call in tries}) == 4
    assert "-c" in tries[0]
    assert "-c" not in tries[-1]
    assert "taking the newest" in run.stderr


def test_a_card_without_its_build_is_said(checkout: Checkout) -> None:
    run = checkout.start("--device", "cuda", "nodes", DIPTYCH_TORCH_INDEX="index:/cpu")
    assert run.returncode == 0
    assert "not a build for cuda" in run.stderr


def test_no_network_is_said_and_a_second_start_goes_on(checkout: Checkout) -> None:
    checkout.plan("torch>=2.10", "offline")
    first = checkout.start("nodes")
    assert first.returncode == 1
    assert "can't be reached" in first.stderr
    assert first.stdout == ""
    second = checkout.start("nodes")
    assert second.returncode == 0
    assert len(checkout.calls("venv")) == 0


def test_without_the_starter_text_model_it_goes_on_and_tries_again(checkout: Checkout) -> None:
    checkout.plan("--dest", "offline")
    first = checkout.start("nodes")
    assert first.returncode == 0
    assert "network connection" in first.stderr
    second = checkout.start("nodes")
    assert second.returncode == 0
    assert (checkout.model / "config.json").exists()


def test_tests_need_the_starter_text_model(checkout: Checkout) -> None:
    checkout.plan("--dest", "offline")
    run = checkout.start("test")
    assert run.returncode == 1
    assert "starter text model" in run.stderr
    assert not checkout.calls("pytest")


def test_a_tampered_wheel_is_not_used(checkout: Checkout) -> None:
    wheel = checkout.root / "wheel.whl"
    wheel.write_bytes(wheel.read_bytes() + b"x")
    run = checkout.start("nodes")
    assert run.returncode == 0
    assert "checksum" in run.stderr
    assert not checkout.model.exists()
    assert not checkout.calls("pipelines.language.prepare")


def test_another_data_folder_gets_its_own_model(checkout: Checkout, tmp_path: Path) -> None:
    checkout.start("nodes")
    other = tmp_path / "other"
    checkout.start("nodes", DIPTYCH_HOME=str(other))
    assert (other / "data" / "models" / "language" / "Tiny-Instruct" / "config.json").exists()


def test_offline_uses_no_index(checkout: Checkout) -> None:
    checkout.start("--offline", "nodes")
    assert (
        len(checkout.calls("--no-index")) == len(checkout.calls("install") + checkout.calls("download")) > 2
    )


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_set_up_can_be_run_again(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, signal_number: signal.Signals
) -> None:
    checkout.plan("torch>=2.10", "hang")
    process = subprocess.Popen(
        checkout.command("nodes"), env=checkout.variables(), stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 30
    while not checkout.layout.writing.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal_number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == (130 if signal_number == signal.SIGINT else -signal_number)
    assert b"Traceback" not in said
    assert "packages" not in checkout.stamp()
    _set_up(checkout, monkeypatch)
    assert checkout.calls("venv"), "packages were half written: a new environment"
    assert not checkout.layout.writing.exists()
    assert checkout.start("nodes").stderr == ""


def test_a_full_disk_while_writing_leaves_nothing_half(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.plan("torch>=2.10", "break")
    with pytest.raises(SetupFailed, match="disk is full"):
        _set_up(checkout, monkeypatch)
    _set_up(checkout, monkeypatch)
    assert checkout.calls("venv")


@pytest.mark.parametrize("damage", ["empty", "no pip", "python gone"])
def test_a_half_made_environment_is_made_anew(
    bare: Checkout, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    if damage == "empty":
        bare.layout.environment.mkdir()
    else:
        fake_python.make_environment(bare.root)
        (bare.layout.environment / "left-over").touch()
    if damage == "no pip":
        bare.plan("--version", "fail")
    if damage == "python gone":
        bare.layout.python.unlink()
        bare.layout.python.symlink_to("/nowhere/python3.11")
    _set_up(bare, monkeypatch)
    assert len(bare.calls("venv")) == 1
    assert not (bare.layout.environment / "left-over").exists()
    assert bare.start("nodes").stderr == ""


def test_repair_makes_a_new_environment(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    _set_up(checkout, monkeypatch)
    assert not checkout.calls("venv")
    _set_up(checkout, monkeypatch, Arguments(repair=True))
    assert checkout.calls("venv")
    assert len(checkout.calls("--dest")) == 1, "the model stays"


def test_too_little_space_is_refused_with_numbers(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = SimpleNamespace(free=1_500_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(SetupFailed, match=r"1\.5 GB is free"):
        _set_up(checkout, monkeypatch)
    assert not checkout.calls("torch>=2.10")


def test_a_moved_checkout_is_set_up_again_with_the_torch_it_has(checkout: Checkout) -> None:
    checkout.start("nodes")
    parts = checkout.stamp()
    stamp.write(
        checkout.layout.stamp, {**parts, "environment": {**parts["environment"], "root": "/elsewhere"}}
    )
    assert checkout.start("nodes").returncode == 0
    assert len(checkout.calls("torch>=2.10")) == 1
    assert len(checkout.calls("-e")) == 2


def test_a_broken_stamp_is_as_none(tmp_path: Path) -> None:
    file = tmp_path / "stamp.json"
    assert stamp.read(file) == {}
    file.write_text("{")
    assert stamp.read(file) == {}
    file.write_text("[1]")
    assert stamp.read(file) == {}


def test_line_ends_change_no_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one\ntwo\n")
    (tmp_path / "b").write_bytes(b"one\r\ntwo\r\n")
    assert stamp.digest(tmp_path / "a") == stamp.digest(tmp_path / "b")
    assert stamp.digest(tmp_path / "a", tmp_path / "b") != stamp.digest(tmp_path / "a")


def test_two_at_once_wait_and_a_dead_holder_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = (
        "import sys, time; from pathlib import Path; from bootstrap import lock\n"
        f"with lock.held(Path({str(path)!r}), lambda: None): print('held', flush=True); time.sleep(60)"
    )
    packaging = str(Path(environment.__file__).parents[1])
    holder = subprocess.Popen(
        [sys.executable, "-c", program], cwd=packaging, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == "held\n"
        with lock.held(path, holder.kill, pause=0.05):
            assert holder.wait() == -signal.SIGKILL, "it was waited for, and died with the lock"


def test_a_start_with_nothing_to_do_imports_little() -> None:
    packaging = str(Path(main.__file__).parents[1])
    heavy = ("zipfile", "ctypes", "shutil", "threading", "bootstrap.pip", "bootstrap.setup")
    program = f"import sys, bootstrap.main; print([name for name in {heavy} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", program], cwd=packaging, capture_output=True, text=True)
    assert told.stdout.strip() == "[]"


def _set_up(checkout: Checkout, monkeypatch: pytest.MonkeyPatch, arguments: Arguments | None = None) -> None:
    """Run the set-up in this process, with the fake in place of the Python that makes environments."""
    maker = checkout.root / "base-python"
    if not maker.exists():
        fake_python.make_environment(checkout.root / "base")
        script = (checkout.root / "base" / ".venv" / "bin" / "python").read_text()
        maker.write_text(script.replace(str(checkout.root / "base"), str(checkout.root)))
        maker.chmod(0o755)
    monkeypatch.setattr(environment, "base_python", lambda: str(maker))
    for name, value in checkout.variables().items():
        monkeypatch.setenv(name, value)
    console = Console()
    with lock.held(checkout.layout.lock, lambda: None):
        Setup(
            checkout.layout, console, arguments or Arguments(words=("nodes",)), Installer(console, False)
        ).run()
