"""Folders of pipelines that diffusers runs whole, fill transformers and upscalers: tiny ones, saved."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from pipelines.cli.main import main
from pipelines.errors import ModelUnreadable, ModelUnsuitable, UnknownModelFamily
from pipelines.models.access import Models
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.loaded import LoadedDiffusion
from pipelines.models.loading import ModelLoader
from pipelines.models.residency import Residency
from tests.helpers import tiny_pipelines
from tests.helpers.disc import picture
from tests.helpers.model_files import LoadingContext

KINDS = {"flux_fill": "diffusion", "x4_upscaler": "upscale", "latent_upscaler": "upscale"}
FAMILIES = {
    "flux_fill": "flux-fill", "x4_upscaler": "sd-x4-upscaler", "latent_upscaler": "sd-latent-upscaler"
}  # fmt: skip
DENOISER = {"flux_fill": "transformer", "x4_upscaler": "unet", "latent_upscaler": "unet"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's models folder with one of each."""
    root = tmp_path_factory.mktemp("saved")
    for name, kind in KINDS.items():
        getattr(tiny_pipelines, name)().save_pretrained(root / kind / name)
    return root


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """The same, to be spoiled."""
    return Path(shutil.copytree(saved, tmp_path / "models"))


def access(root: Path) -> Models:
    catalogue = Catalogue(default_roots(root))
    return Models(catalogue, Residency(ModelLoader(catalogue)))


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_they_are_listed_by_what_they_are(saved: Path) -> None:
    found = {info.id: info for info in access(saved).list()}
    for name, kind in KINDS.items():
        info = found[name]
        assert (info.kind, info.family, info.problem) == (kind, FAMILIES[name], "")
    fill = found["flux_fill"]
    assert (fill.native_size, fill.size_multiple) == ((1024, 1024), 16)
    assert (fill.defaults["guidance_scale"], fill.defaults["steps"]) == (30.0, 50)
    assert "clip_skip" in fill.unavailable
    assert "sampler:dpmpp_2m" not in fill.unavailable
    assert found["x4_upscaler"].defaults["noise_level"] == 20


@pytest.mark.parametrize("name", list(KINDS))
def test_they_open_as_their_own_pipeline(saved: Path, name: str) -> None:
    models = access(saved)
    handle = models.find(KINDS[name], name, dtype="fp32")
    context = LoadingContext()
    with models.use(handle, context) as loaded:
        assert isinstance(loaded, LoadedDiffusion)
        assert type(loaded.pipeline) is type(getattr(tiny_pipelines, name)())
        assert loaded.card["defaults"]["steps"] >= 20
        assert not getattr(loaded.pipeline, DENOISER[name]).training
    assert context.reports[-1][0] == context.reports[-1][1] > 0
    assert [held.model for held in models.held()] == [name]


def test_each_serves_its_own_kind_alone(saved: Path) -> None:
    models = access(saved)
    with pytest.raises(ModelUnsuitable, match="enlarging"):
        models.find("diffusion", str(saved / "upscale" / "x4_upscaler"))
    with pytest.raises(ModelUnsuitable, match="drawing"):
        models.find("upscale", str(saved / "diffusion" / "flux_fill"))


@pytest.mark.parametrize(
    ("name", "channels"), [("flux_fill", 16), ("x4_upscaler", 4), ("latent_upscaler", 9)]
)
def test_the_content_decides_not_the_name_of_the_class(folder: Path, name: str, channels: int) -> None:
    """A denoiser that doesn't see what such a pipeline shows it."""
    edit(folder / KINDS[name] / name / DENOISER[name] / "config.json", in_channels=channels)
    with pytest.raises(UnknownModelFamily, match=f"takes {channels} channels"):
        access(folder).find(KINDS[name], name)
    problems = {info.id: (info.kind, bool(info.problem)) for info in access(folder).list()}
    assert problems[name] == (KINDS[name], True)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("flux_fill", {"_class_name": "DiTPipeline"}),
        ("flux_fill", {"transformer": ["diffusers", "UNet2DConditionModel"]}),
        ("flux_fill", {"text_encoder_2": ["transformers", "Trainer"]}),
        ("flux_fill", {"pipeline": ["diffusers", "FluxFillPipeline"]}),
        ("x4_upscaler", {"unet": ["diffusers", "FluxTransformer2DModel"]}),
        ("x4_upscaler", {"low_res_scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"]}),
        ("latent_upscaler", {"vae": ["diffusers", "AsymmetricAutoencoderKL"]}),
    ],
)
def test_what_a_pipeline_is_not_made_of_is_refused(folder: Path, name: str, changes: dict[str, Any]) -> None:
    edit(folder / KINDS[name] / name / "model_index.json", **changes)
    with pytest.raises(UnknownModelFamily, match="no use for"):
        access(folder).find(KINDS[name], name)


@pytest.mark.parametrize(
    ("name", "part"),
    [("flux_fill", "text_encoder_2"), ("flux_fill", "transformer"), ("x4_upscaler", "text_encoder")],
)
def test_missing_weights_are_named(folder: Path, name: str, part: str) -> None:
    for file in (folder / KINDS[name] / name / part).glob("*.safetensors"):
        file.unlink()
    with pytest.raises(UnknownModelFamily, match=f"weights for: {part}"):
        access(folder).find(KINDS[name], name)


def test_a_missing_scheduler_for_the_small_picture_is_named(folder: Path) -> None:
    shutil.rmtree(folder / "upscale" / "x4_upscaler" / "low_res_scheduler")
    with pytest.raises(ModelUnreadable, match="low_res_scheduler is missing"):
        access(folder).find("upscale", "x4_upscaler")


def test_the_command_line_enlarges_with_one(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Pillow.fromarray(picture(40, 24).pixels).save(tmp_path / "in.png")
    model = str(saved / "upscale" / "latent_upscaler")
    code = main(["upscale", str(tmp_path / "in.png"), "-o", str(tmp_path / "out.png"), "--model", model])
    assert code == 0, capsys.readouterr().err
    with Pillow.open(tmp_path / "out.png") as made:
        assert np.asarray(made).shape == (48, 80, 3)
