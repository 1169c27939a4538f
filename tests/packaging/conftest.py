"""Checkouts with the real set-up code and nothing else real."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.packaging import fake_python
from tests.packaging.checkouts import Checkout, make_wheel, pin_for

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bare(tmp_path: Path) -> Checkout:
    """A checkout in which nothing was set up."""
    root, home = tmp_path / "check out", tmp_path / "home"
    home.mkdir()
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "packaging", root / "packaging", ignore=ignored)
    (root / "pyproject.toml").write_text('[project]\nname = "x"\n')
    content = b"GGUF" + bytes(range(256)) * 40
    make_wheel(root / "wheel.whl", content)
    starter = root / "resources" / "starter"
    starter.mkdir(parents=True)
    (starter / "language.json").write_text(json.dumps(pin_for(root / "wheel.whl", content)))
    return Checkout(root, home)


@pytest.fixture
def checkout(bare: Checkout) -> Checkout:
    """A checkout with an empty environment."""
    fake_python.make_environment(bare.root)
    return bare
