"""Model folders that try to run code, or to lead outside."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipelines.errors import ModelUnreadable, ModelUnsafe, UnknownModelFamily
from pipelines.models.files.safety import MAX_FILES, check_folder
from pipelines.paths import RESOURCES
from tests.helpers.model_files import sparse

STARTER = RESOURCES / "starter" / "text-to-image"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A diffusers folder with true settings and empty weights."""
    target = tmp_path / "model"
    shutil.copytree(STARTER, target, ignore=shutil.ignore_patterns("*.safetensors"))
    for part in ("unet", "vae"):
        sparse(target / part / "diffusion_pytorch_model.safetensors", {"w": (2, 2)})
    sparse(target / "text_encoder" / "model.safetensors", {"w": (2, 2)})
    return target


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_clean_folder_passes(folder: Path) -> None:
    assert len(check_folder(folder)) == 3


@pytest.mark.parametrize("name", ["modeling.py", "unet/evil.PY", "tokenizer/x.so", "scheduler/a.dll"])
def test_code_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("raise SystemExit")
    with pytest.raises(ModelUnsafe, match="program code"):
        check_folder(folder)


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("unet/config.json", {"auto_map": {"AutoModel": "evil.Model"}}),
        ("tokenizer/tokenizer_config.json", {"nested": [{"auto_map": {"AutoTokenizer": ["a.B", None]}}]}),
        ("model_index.json", {"custom_pipeline": "someone/else"}),
        ("text_encoder/config.json", {"attn_implementation": "someone/kernel"}),
        ("text_encoder/config.json", {"trust_remote_code": True}),
    ],
)
def test_settings_that_ask_for_code(folder: Path, file: str, changes: dict[str, object]) -> None:
    edit(folder / file, **changes)
    with pytest.raises(ModelUnsafe):
        check_folder(folder)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"unet": ["os", "system"]}, ModelUnsafe),
        ({"unet": ["my_module", "UNet2DConditionModel"]}, ModelUnsafe),
        ({"_class_name": ["pipeline", "Evil"]}, ModelUnreadable),
        ({"unet": ["diffusers", "UNet2DConditionModel", "extra"]}, ModelUnsafe),
        ({"unet": ["diffusers", "FluxTransformer2DModel"]}, UnknownModelFamily),
        ({"text_encoder": ["transformers", "Trainer"]}, UnknownModelFamily),
        ({"_class_name": "FluxPipeline"}, UnknownModelFamily),
    ],
)
def test_foreign_classes(folder: Path, changes: dict[str, object], error: type[Exception]) -> None:
    edit(folder / "model_index.json", **changes)
    with pytest.raises(error):
        check_folder(folder)


@pytest.mark.parametrize(
    "shard", ["../outside.safetensors", "sub/x.safetensors", "/etc/passwd", "C:\\x.safetensors"]
)
def test_shards_stay_in_the_folder(folder: Path, shard: str) -> None:
    sparse(folder / "outside.safetensors", {"w": (1,)})
    sparse(folder / "unet" / "sub" / "x.safetensors", {"w": (1,)})
    index = folder / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": shard}}))
    with pytest.raises(ModelUnsafe, match="names a file"):
        check_folder(folder)


def test_a_missing_shard_is_named(folder: Path) -> None:
    index = folder / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": "gone-00001-of-00002.safetensors"}}))
    with pytest.raises(ModelUnreadable, match="gone-00001"):
        check_folder(folder)


@pytest.mark.posix
def test_links_that_leave_are_refused_and_cache_links_are_not(folder: Path, tmp_path: Path) -> None:
    outside = sparse(tmp_path / "outside.safetensors", {"w": (1,)})
    (folder / "unet" / "extra.safetensors").symlink_to(outside)
    with pytest.raises(ModelUnsafe, match="link"):
        check_folder(folder)
    (folder / "unet" / "extra.safetensors").unlink()

    cache = tmp_path / "models--someone--model"
    blobs = cache / "blobs"
    blobs.mkdir(parents=True)
    snapshot = cache / "snapshots" / "abc"
    shutil.copytree(folder, snapshot)
    weights = snapshot / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(blobs / "123")
    weights.symlink_to(Path("../../../blobs/123"))
    assert len(check_folder(snapshot)) == 3


@pytest.mark.posix
def test_a_linked_folder_is_not_walked_in_circles(folder: Path) -> None:
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    assert len(check_folder(folder)) == 3


def test_a_pickle_among_the_weights_is_refused(folder: Path) -> None:
    (folder / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(ModelUnsafe, match="pickle"):
        check_folder(folder)


def test_the_walk_is_bounded(tmp_path: Path) -> None:
    folder = tmp_path / "wide"
    folder.mkdir()
    for index in range(MAX_FILES + 1):
        (folder / f"{index}.txt").touch()
    with pytest.raises(ModelUnreadable, match="more than one model"):
        check_folder(folder)


@pytest.mark.parametrize("part", ["", "text_encoder"])
def test_an_adapter_does_not_lead_to_another_model(folder: Path, part: str) -> None:
    (folder / part / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/elsewhere"}))
    with pytest.raises(UnknownModelFamily, match="adapter"):
        check_folder(folder)


def test_deep_settings_are_no_crash(folder: Path) -> None:
    (folder / "unet" / "config.json").write_text("[" * 200_000)
    with pytest.raises(ModelUnreadable):
        check_folder(folder)
