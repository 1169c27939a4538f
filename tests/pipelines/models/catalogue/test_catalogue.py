"""The catalogue over a folder as users have them."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.errors import (
    ModelMissing,
    ModelUnreadable,
    ModelUnsafe,
    ModelUnsuitable,
    StarterTextModelMissing,
    UnknownModelFamily,
)
from pipelines.models.catalogue.catalogue import Catalogue, Root, default_roots, fingerprint
from pipelines.models.probing.limits import FROM_PROMPT, unavailable
from pipelines.models.probing.probe import Probe
from pipelines.models.records import known as module
from pipelines.paths import RESOURCES
from tests.helpers.model_files import REFINER, SD1, SDXL, U, sparse

STARTER = RESOURCES / "starter"
LORA = {
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": (8, 768),
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight": (320, 8),
}


def language(folder: Path) -> Path:
    sparse(folder / "model.safetensors", {"model.embed_tokens.weight": (4, 4)})
    (folder / "config.json").write_text(
        json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama"})
    )
    (folder / "tokenizer.json").write_text("{}")
    return folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    sparse(folder / "diffusion" / "photo" / "dreamy.safetensors", SD1)
    sparse(folder / "diffusion" / "big.safetensors", SDXL)
    (folder / "diffusion" / "old.ckpt").write_bytes(b"PK\x03\x04" + bytes(100))
    (folder / "diffusion" / "notes.txt").write_text("not a model")
    language(folder / "language" / "tiny")
    return folder


@pytest.fixture
def catalogue(models: Path) -> Catalogue:
    return Catalogue(default_roots(models))


def test_the_list(catalogue: Catalogue) -> None:
    found = {(info.kind, info.id): info for info in catalogue.list()}
    assert set(found) == {
        ("diffusion", "starter/text-to-image"), ("upscale", "starter/upscaler"),
        ("diffusion", "photo/dreamy.safetensors"), ("diffusion", "big.safetensors"),
        ("diffusion", "old.ckpt"), ("language", "tiny"),
    }  # fmt: skip
    big = found["diffusion", "big.safetensors"]
    assert (big.family, big.native_size, big.problem) == ("sdxl", (1024, 1024), "")
    assert (big.defaults["steps"], big.defaults["guidance_scale"], big.defaults["width"]) == (30, 6.0, 1024)
    assert "zip" in found["diffusion", "old.ckpt"].problem
    assert "dreamy" in found["diffusion", "photo/dreamy.safetensors"].title


def test_the_starter_is_described_by_its_card(catalogue: Catalogue) -> None:
    info = catalogue.find("diffusion", "").info
    assert info.id == "starter/text-to-image"
    assert info.defaults == {
        "steps": 16, "guidance_scale": 4.0, "guidance_rescale": 0.7, "width": 64, "height": 64,
        "upscale": "starter/upscaler",
    }  # fmt: skip
    assert 8 <= len(info.examples) <= 12
    assert info.unavailable["clip_skip"] == "This model has no CLIP text encoder."
    assert any(name.startswith("sampler:") for name in info.unavailable)
    upscaler = catalogue.find("upscale", "").info
    assert "bicubic-equivalent" in upscaler.card
    assert upscaler.problem == ""


def test_ids_and_paths_name_the_same_model(catalogue: Catalogue, models: Path) -> None:
    path = models / "diffusion" / "photo" / "dreamy.safetensors"
    by_id = catalogue.find("diffusion", "photo/dreamy.safetensors")
    assert catalogue.find("diffusion", str(path)) is by_id
    assert by_id.info.path == str(path)


def test_a_path_outside_every_root_works(catalogue: Catalogue, tmp_path: Path) -> None:
    path = sparse(tmp_path / "elsewhere" / "mine.safetensors", SD1)
    entry = catalogue.find("diffusion", str(path))
    assert (entry.info.id, entry.error) == (str(path), None)


@pytest.mark.parametrize(
    "model", ["none", "../diffusion/big.safetensors", "/no/such.safetensors", "starter/", "."]
)
def test_what_is_not_there(catalogue: Catalogue, model: str) -> None:
    with pytest.raises(ModelMissing):
        catalogue.find("diffusion", model)


def test_the_default_language_model_is_the_first_that_works(models: Path) -> None:
    broken = language(models / "language" / "a-broken")
    (broken / "model.safetensors").write_bytes(b"oops")
    assert Catalogue(default_roots(models)).find("language", "").info.id == "tiny"
    shutil.rmtree(models / "language" / "tiny")
    with pytest.raises(StarterTextModelMissing):
        Catalogue(default_roots(models)).find("language", "")


def test_why_a_model_cannot_be_used(catalogue: Catalogue, models: Path) -> None:
    with pytest.raises(ModelUnsafe):
        catalogue.find("diffusion", "old.ckpt").check("diffusion")
    with pytest.raises(ModelUnsuitable, match="writing text"):
        catalogue.find("diffusion", str(models / "language" / "tiny")).check("diffusion")
    lora = sparse(models / "diffusion" / "style.safetensors", LORA)
    with pytest.raises(ModelUnsuitable, match="changing the style"):
        catalogue.find("diffusion", lora.name).check("diffusion")
    odd = sparse(models / "diffusion" / "odd.safetensors", {"x.lora_up.weight": (1, 1)})
    with pytest.raises(UnknownModelFamily, match="no family"):
        catalogue.find("diffusion", odd.name).check("diffusion")
    refiner = sparse(models / "diffusion" / "refiner.safetensors", REFINER)
    entry = catalogue.find("diffusion", refiner.name)
    entry.check("diffusion")  # it is of use, but not for that
    assert "refines" in entry.info.unavailable["task:text_to_image"]


def test_a_model_made_for_inpainting_can_be_used(catalogue: Catalogue, models: Path) -> None:
    shapes = {**SD1, U + "input_blocks.0.0.weight": (320, 9, 3, 3)}
    entry = catalogue.find("diffusion", sparse(models / "diffusion" / "i.safetensors", shapes).name)
    entry.check("diffusion")
    assert (entry.info.family, entry.probe.facts["in_channels"]) == ("sd1-inpaint", 9)
    assert entry.info.native_size == (512, 512)


def test_searching_again_examines_nothing_again(
    catalogue: Catalogue, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = catalogue.list()
    seen = []
    examine = module.examine
    monkeypatch.setattr(
        module, "examine", lambda place, *rest: seen.append(Path(place.path).name) or examine(place, *rest)
    )
    assert catalogue.list() == first
    assert seen == []
    changed = sparse(models / "diffusion" / "big.safetensors", SD1)
    os.utime(changed, ns=(1, 1))
    assert catalogue.find("diffusion", "big.safetensors").info.family == "sd1"
    assert seen == ["big.safetensors"]


def test_the_fingerprint_follows_every_file(models: Path) -> None:
    folder = models / "language" / "tiny"
    before = fingerprint(folder)
    assert fingerprint(folder) == before
    (folder / "tokenizer.json").write_text("{ }")
    assert fingerprint(folder) != before


def test_the_same_name_in_two_roots(tmp_path: Path) -> None:
    for name in ("one", "two"):
        sparse(tmp_path / name / "same.safetensors", SD1)
    found = Catalogue([Root(tmp_path / "one"), Root(tmp_path / "two")]).list()
    assert [info.id for info in found] == ["same.safetensors", str(tmp_path / "two" / "same.safetensors")]


def test_a_root_that_is_a_model_itself(tmp_path: Path) -> None:
    folder = language(tmp_path / "mine")
    own = Catalogue([Root(folder)])
    assert [info.id for info in own.list()] == ["mine"]
    assert own.find("language", "mine").info.path == str(folder)


@pytest.mark.posix
def test_linked_models_are_found_by_their_name(models: Path, tmp_path: Path) -> None:
    target = language(tmp_path / "far")
    (models / "language" / "linked").symlink_to(target, target_is_directory=True)
    (models / "language" / "loop").symlink_to(models, target_is_directory=True)
    catalogue = Catalogue(default_roots(models))
    assert "linked" in {info.id for info in catalogue.list()}
    assert catalogue.find("language", "linked").error is None


def test_a_hugging_face_cache(tmp_path: Path) -> None:
    language(tmp_path / "models--someone--clever" / "snapshots" / "abc")
    (info,) = Catalogue([Root(tmp_path)]).list()
    assert (info.title, info.problem) == ("someone/clever", "")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{",
        '{"examples": "no list"}',
        '{"native_size": [1e400, 5]}',
        '{"defaults": {"steps": []}}',
    ],
)
def test_a_broken_card_is_no_reason_to_refuse(models: Path, text: str) -> None:
    (models / "diffusion" / "big.diptych.json").write_text(text)
    info = Catalogue(default_roots(models)).find("diffusion", "big.safetensors").info
    assert (info.problem, info.title) == ("", "big")


def test_a_card_beside_a_model(models: Path) -> None:
    (models / "diffusion" / "big.diptych.json").write_text(
        json.dumps({"title": "Big", "defaults": {"steps": 4}, "native_size": [512, 768]})
    )
    info = Catalogue(default_roots(models)).find("diffusion", "big.safetensors").info
    assert (info.title, info.native_size) == ("Big", (512, 768))
    assert (info.defaults["steps"], info.defaults["width"], info.defaults["height"]) == (4, 512, 768)


def test_a_card_cannot_name_weights_outside(tmp_path: Path) -> None:
    sparse(tmp_path / "outside.safetensors", SD1)
    (tmp_path / "root" / "model").mkdir(parents=True)
    (tmp_path / "root" / "model" / "diptych.json").write_text(
        json.dumps({"weights": "../../outside.safetensors"})
    )
    (info,) = Catalogue([Root(tmp_path / "root")]).list()
    assert info.problem


@pytest.mark.parametrize("value", [None, [], {}, "x", -1, 1e300, [[[]]], True])
@pytest.mark.parametrize(
    "file", ["model_index.json", "unet/config.json", "vae/config.json", "scheduler/scheduler_config.json"]
)
def test_odd_settings_never_hide_the_other_models(tmp_path: Path, file: str, value: object) -> None:
    folder = tmp_path / "odd"
    shutil.copytree(STARTER / "text-to-image", folder, ignore=shutil.ignore_patterns("model.safetensors"))
    sparse(folder / "text_encoder" / "model.safetensors", {"w": (1,)})
    sparse(tmp_path / "good.safetensors", SD1)
    settings = json.loads((folder / file).read_text())
    for changed in (value, *({**settings, key: value} for key in settings)):
        (folder / file).write_text(json.dumps(changed))
        assert "good.safetensors" in {info.id for info in Catalogue([Root(tmp_path)]).list()}


def test_an_unreadable_folder_is_an_entry_with_a_reason(tmp_path: Path) -> None:
    folder = language(tmp_path / "many")
    for index in range(2_001):
        (folder / f"{index}.txt").touch()
    catalogue = Catalogue([Root(tmp_path)])
    (info,) = catalogue.list()
    assert "more than one model" in info.problem
    with pytest.raises(ModelUnreadable):
        catalogue.find("language", "many").check("diffusion")


class _Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self._path),)


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("upscale_models/4x.pth", "upscale"), ("ESRGAN/deep/4x.pt", "upscale"), ("4x.pth", "upscale"),
        ("Stable-diffusion/small.pt", "diffusion"), ("controlnet/edges.pth", "control"),
        ("weights.ckpt", "diffusion"),
    ],
)  # fmt: skip
def test_a_pickle_is_listed_where_it_belongs_and_never_opened(
    models: Path, tmp_path: Path, place: str, kind: str
) -> None:
    added = tmp_path / "added"
    path = added / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(_Trap(tmp_path / "sprung")))
    catalogue = Catalogue(default_roots(models, [added]))
    (info,) = (info for info in catalogue.list() if info.id == place)
    assert (info.kind, info.bytes) == (kind, path.stat().st_size)
    assert "pickle" in info.problem
    assert "diptych models convert" in info.problem
    with pytest.raises(ModelUnsafe):
        catalogue.find("upscale", place).check("upscale")
    assert not (tmp_path / "sprung").exists()


def test_listing_imports_no_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from pipelines.models.access import open_models; "
        "print(len(open_models(Path('none')).list()), 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["2", "False"]


@pytest.mark.parametrize(("family", "can"), [("sd1-inpaint", False), ("flux-fill", False), ("sdxl", True)])
def test_models_made_for_repainting_say_that_they_need_a_picture(family: str, can: bool) -> None:
    found = unavailable(Probe("diffusion", family, facts={"scheduler": {"_class_name": "DDIMScheduler"}}))
    assert (FROM_PROMPT not in found) is can
