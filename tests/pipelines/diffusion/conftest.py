from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.models.loaded import LoadedDiffusion
from tests.helpers import tiny_pipelines
from tests.helpers.diffusion_context import DiffusionContext, load, wrap


@pytest.fixture(scope="session")
def starter_model() -> LoadedDiffusion:
    return load()


@pytest.fixture
def starter(starter_model: LoadedDiffusion, tmp_path: Path) -> DiffusionContext:
    """A fresh context on the starter model."""
    return DiffusionContext(starter_model, tmp_path)


@pytest.fixture(scope="session")
def families() -> dict[str, LoadedDiffusion]:
    """A tiny random model of each family."""
    made = {name: getattr(tiny_pipelines, name)() for name in ("sd1", "sdxl", "sd3", "flux")}
    return {name: wrap(pipeline, name=name) for name, pipeline in made.items()}


@pytest.fixture
def sd1(families: dict[str, LoadedDiffusion], tmp_path: Path) -> DiffusionContext:
    """A fresh context on a tiny Stable Diffusion 1 with a CLIP text encoder."""
    return DiffusionContext(families["sd1"], tmp_path)
