"""Models that are missing, cut off, or traps: told in words before anything of them is run."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import time
from pathlib import Path

import pytest

from pipelines import paths
from pipelines.cli import main
from tests.helpers.fault_graphs import document, engine, error_of, one

STARTER = paths.RESOURCES / "starter" / "text-to-image"


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    made = engine(tmp_path_factory.mktemp("engine"))
    yield made
    made.client.close()


@pytest.fixture
def folder(tmp_path):
    """A copy of the starter to break."""
    return Path(shutil.copytree(STARTER, tmp_path / "model"))


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return Path.touch, (self.canary,)


def trap(path, canary, protocol=2):
    path.write_bytes(pickle.dumps(Trap(canary), protocol))


def refusal(drive, model, kind="diffusion"):
    """How the model's node fails, and how a drawing with it does: at the model, never later."""
    return error_of(drive, one(f"model.{kind}", model=str(model)))


def half(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def test_half_of_a_file_is_named_with_what_is_missing(drive, tmp_path):
    weights = tmp_path / "half.safetensors"
    shutil.copy(next(STARTER.rglob("*.safetensors")), weights)
    half(weights)
    error = refusal(drive, weights)
    assert error.code == "ModelUnreadable"
    assert "truncated" in error.message


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 100])
def test_the_very_beginning_of_a_file_is_not_enough(drive, tmp_path, length):
    source = next(STARTER.rglob("*.safetensors"))
    (tmp_path / "x.safetensors").write_bytes(source.read_bytes()[:length])
    assert refusal(drive, tmp_path / "x.safetensors").code == "ModelUnreadable"


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_folder_with_half_of_a_part_is_named(drive, folder, part):
    half(next((folder / part).glob("*.safetensors")))
    error = refusal(drive, folder)
    assert error.code == "ModelUnreadable"
    assert "truncated" in error.message


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
def test_half_of_a_folder_is_named(drive, folder, part, tmp_path):
    """A copy that was stopped: a part isn't there at all."""
    shutil.rmtree(folder / part)
    error = refusal(drive, folder)
    assert error.code in ("ModelUnreadable", "UnknownModelFamily"), error
    assert part in error.message


def test_half_of_a_settings_file_is_named(drive, folder):
    half(folder / "unet" / "config.json")
    error = refusal(drive, folder)
    assert error.code == "ModelUnreadable"
    assert "config.json" in error.message


def test_a_missing_shard_is_named(drive, folder):
    weights = next((folder / "unet").glob("*.safetensors"))
    weights.rename(weights.with_name("diffusion_pytorch_model-00001-of-00002.safetensors"))
    index = {
        "metadata": {},
        "weight_map": {
            "conv_in.weight": "diffusion_pytorch_model-00001-of-00002.safetensors",
            "conv_out.weight": "diffusion_pytorch_model-00002-of-00002.safetensors",
        },
    }
    (folder / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    error = refusal(drive, folder)
    assert error.code == "ModelUnreadable"
    assert "00002-of-00002" in error.message


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", ["diffusion", "language", "upscale"])
def test_a_pickle_called_safetensors_is_never_run(drive, tmp_path, protocol, kind):
    canary = tmp_path / "canary"
    trap(tmp_path / "nice.safetensors", canary, protocol)
    error = refusal(drive, tmp_path / "nice.safetensors", kind)
    assert error.code == "ModelPickled"
    assert not canary.exists()


@pytest.mark.parametrize(
    "place",
    [
        "unet/diffusion_pytorch_model.safetensors",
        "unet/extra.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
        "tokenizer/x.safetensors",
    ],
)
def test_a_pickle_called_safetensors_inside_a_folder_is_never_run(drive, folder, tmp_path, place):
    canary = tmp_path / "canary"
    trap(folder / place, canary)
    error = refusal(drive, folder)
    assert error.code == "ModelPickled"
    assert not canary.exists()


@pytest.mark.parametrize("place", ["unet/diffusion_pytorch_model.bin", "text_encoder/pytorch_model.bin"])
def test_a_pickle_beside_the_weights_is_never_opened(drive, folder, tmp_path, place):
    """Old folders have both; libraries must not fall back to it, not even if the weights go."""
    canary = tmp_path / "canary"
    trap(folder / place, canary)
    drive.run(one("model.diffusion", model=str(folder)))
    for weights in (folder / place).parent.glob("*.safetensors"):
        weights.unlink()
    assert refusal(drive, folder).code in ("ModelUnreadable", "ModelUnsafe", "UnknownModelFamily")
    assert not canary.exists()


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("model_index.json", {"_class_name": "EvilPipeline"}),
        ("model_index.json", {"unet": ["os", "system"]}),
        ("model_index.json", {"unet": ["diffusers", "DiffusionPipeline"]}),
        ("model_index.json", {"custom_pipeline": "evil/pipeline"}),
        ("unet/config.json", {"auto_map": {"AutoModel": "evil.Model"}}),
        ("text_encoder/config.json", {"trust_remote_code": True}),
    ],
)
def test_a_folder_that_asks_for_code_is_refused(drive, folder, file, change):
    settings = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(settings | change))
    assert refusal(drive, folder).code in ("ModelUnsafe", "UnknownModelFamily")


def test_a_model_that_went_away_after_it_was_chosen_is_missing(drive, folder):
    graph = one("model.diffusion", model=str(folder))
    assert drive.run(graph).status == "finished"
    shutil.rmtree(folder)
    error = error_of(drive, graph)
    assert error.code == "ModelMissing"


def test_the_command_says_it_too(tmp_path, monkeypatch, capsys, folder):
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))
    trap(tmp_path / "nice.safetensors", tmp_path / "canary")
    half(next((folder / "unet").glob("*.safetensors")))
    for model, code in ((tmp_path / "nice.safetensors", 1), (folder, 1), (tmp_path / "missing", 2)):
        assert main(["render", "x", "--model", str(model), "--json"]) == code
        told = capsys.readouterr()
        assert json.loads(told.out)["error"]["code"].startswith("Model")
        assert told.err.count("\n") == 1
    assert not (tmp_path / "canary").exists()


def test_one_broken_model_hides_no_other(tmp_path, monkeypatch, capsys, folder):
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))
    models = paths.models_dir() / "diffusion"
    models.mkdir(parents=True)
    trap(models / "a.safetensors", tmp_path / "canary")
    (models / "b.safetensors").write_bytes(b"\0" * 100)
    half(next((folder / "unet").glob("*.safetensors")))
    folder.rename(models / "c")
    if hasattr(os, "mkfifo"):
        os.mkfifo(models / "d.safetensors")
    (models / "e.safetensors").symlink_to(models / "e.safetensors")
    began = time.perf_counter()
    assert main(["models", "--json"]) == 0
    assert time.perf_counter() - began < 20
    found = {item["id"]: item["problem"] for item in json.loads(capsys.readouterr().out)["models"]}
    assert not found["starter/text-to-image"]
    assert {"a.safetensors", "b.safetensors", "c"} <= set(found)
    assert all(found[name] for name in found if not name.startswith("starter/"))
    (tmp_path / "g.json").write_text(document({"m": {"type": "model.diffusion"}}))
    assert not (tmp_path / "canary").exists()
