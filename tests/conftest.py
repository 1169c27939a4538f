"""Every test run has folders of its own and no network; a prepared starter text model is lent to it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from pipelines import paths
from pipelines.engine.exchange import is_alive

SCRATCH = "diptych-tests-"
"""How folders of test runs begin that no fixture can remove; the number of the process follows."""

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the engine does: tests run on busy machines
if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def pytest_configure(config: pytest.Config) -> None:
    """Move Diptych's folders before any test module asks for them, and let what tests start hear Ctrl-C.

    A shell starts what runs in its background with that signal ignored, and every child inherits it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    prepared = paths.models_dir() / "language"
    _sweep()
    home = Path(tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-"))
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    os.environ["DIPTYCH_HOME"] = str(home)
    models = paths.models_dir() / "language"
    models.mkdir(parents=True)
    for model in prepared.iterdir() if prepared.is_dir() else ():
        _lend(model, models / model.name)


def _sweep() -> None:
    """Delete what runs left that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*-*"):
        pid = folder.name.removeprefix(SCRATCH).split("-")[0]
        if pid.isdigit() and not is_alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _lend(model: Path, target: Path) -> None:
    try:
        target.symlink_to(model.resolve(), target_is_directory=True)
    except OSError:  # Windows without the right to make links
        shutil.copytree(model, target)


@pytest.fixture(scope="session")
def starter_text_model() -> Path:
    """The folder of the starter text model, which ``packaging/start.py`` prepares; other runs may lack it."""
    folder = paths.models_dir() / "language" / "SmolLM2-135M-Instruct"
    if not (folder / "config.json").exists():
        pytest.skip("the starter text model is not prepared here: run packaging/start.py")
    return folder
