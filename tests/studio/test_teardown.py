"""The end is silent, whatever goes first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import gc, sys
from pathlib import Path
import shiboken6
from studio.app import StudioApp, application
from studio.documents.document import GraphDocument
from studio.assembly import assemble
from studio.settings import SettingsStore
from tests.helpers.studio_fakes import FakeBridge, template

app = application()
parts = assemble(GraphDocument(template()), FakeBridge(Path(sys.argv[1])), SettingsStore(None))
studio = StudioApp(parts, None)
studio.window.show()
studio.window.show_workspace("graph")
parts.document.set_param("draw", "steps", 3)
app.processEvents()
if sys.argv[2] == "document first":
    shiboken6.delete(parts.document)
elif sys.argv[2] == "window first":
    shiboken6.delete(studio.window)
elif sys.argv[2] == "closed":
    studio.window.close()
app.processEvents()
del studio, parts
gc.collect()
app.processEvents()
"""


@pytest.mark.parametrize("order", ["document first", "window first", "closed", "garbage"])
def test_nothing_is_said_at_the_end(tmp_path: Path, order: str) -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), order]
    done = subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=False, timeout=60,
        env=offscreen(tmp_path),
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if "propagateSizeHints" not in line]
    assert (done.returncode, said) == (0, [])


def offscreen(folder: Path) -> dict[str, str]:
    return {**os.environ, "QT_QPA_PLATFORM": "offscreen", "DIPTYCH_HOME": str(folder)}
