"""What the start may cost: no library of the engine's is imported, and the window reports when it is
there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HEAVY = ("torch", "transformers", "diffusers", "accelerate", "cv2", "PIL", "scipy", "numpy")


def test_importing_the_studio_imports_nothing_heavy() -> None:
    code = f"import sys, studio.app; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(found.replace("'", '"')) == []


def test_every_module_of_the_studio_imports_without_torch() -> None:
    root = Path(__file__).resolve().parents[2]
    names = [
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((root / "studio").rglob("*.py"))
    ]
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "assert not {'torch', 'transformers', 'diffusers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_start_is_measured(tmp_path: Path) -> None:
    environment = {**os.environ, "DIPTYCH_HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-m", "studio.bench", "start"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=60)
    report = json.loads(done.stdout)
    assert report["interactive_at"] > 0
    assert "Traceback" not in done.stderr
    assert (tmp_path / "config" / "studio.json").is_file()
