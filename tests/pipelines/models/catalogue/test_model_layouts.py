"""The folders of other programs are known by what is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.models.catalogue.catalogue import Catalogue, default_roots, open_catalogue
from pipelines.models.catalogue.layouts import (
    extra_paths,
    folders_of,
    hub_caches,
    program_of,
    suggestions,
    usual_places,
)
from tests.helpers.model_files import SD1, sparse


def ids(folder: Path) -> set[str]:
    found = Catalogue(default_roots(folder / "none", [folder])).list()
    return {info.id for info in found if not info.id.startswith("starter/")}


def test_comfyui_its_models_alone_and_the_paths_it_names(tmp_path: Path) -> None:
    comfy, shared = tmp_path / "ComfyUI", tmp_path / "shared"
    sparse(comfy / "models" / "checkpoints" / "a.safetensors", SD1)
    (comfy / "models" / "text_encoders").mkdir()
    sparse(comfy / "output" / "no.safetensors", SD1)
    sparse(shared / "sd" / "b.safetensors", SD1)
    sparse(shared / "more" / "c.safetensors", SD1)
    (comfy / "extra_model_paths.yaml").write_text(
        f"a1111:\n  base_path: {shared}\n  checkpoints: |\n    sd\n    more\n    gone\n  custom_nodes: sd\n"
    )
    assert program_of(comfy) == "comfyui"
    assert ids(comfy) == {"models/checkpoints/a.safetensors", "sd/b.safetensors", "more/c.safetensors"}


@pytest.mark.parametrize(
    "text",
    [
        "a: [", "- a\n- b", "a: {base_path: [1], checkpoints: 3}",
        "!!python/object/apply:os.system ['false']", "\0", "",
    ],
)  # fmt: skip
def test_odd_yaml_names_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "extra_model_paths.yaml").write_text(text)
    assert list(extra_paths(tmp_path)) == []


def test_yaml_that_multiplies_is_not_followed(tmp_path: Path) -> None:
    rows = ["a0: &a0 x", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30))]
    (tmp_path / "extra_model_paths.yaml").write_text("\n".join(rows))
    assert list(extra_paths(tmp_path)) == []


def test_the_layouts_of_others(tmp_path: Path) -> None:
    for place in ("webui/models/Stable-diffusion", "webui/embeddings", "invoke/models/sd-1/main", "plain/x"):
        sparse(tmp_path / place / "m.safetensors", SD1)
    sparse(tmp_path / "webui" / "venv" / "no.safetensors", SD1)
    (tmp_path / "invoke" / "invokeai.yaml").write_text("schema_version: 4")
    assert [program_of(tmp_path / name) for name in ("webui", "invoke", "plain")] == ["a1111", "invokeai", ""]
    assert ids(tmp_path / "webui") == {"models/Stable-diffusion/m.safetensors", "embeddings/m.safetensors"}
    assert ids(tmp_path / "invoke") == {"models/sd-1/main/m.safetensors"}
    assert ids(tmp_path / "plain") == {"x/m.safetensors"}
    assert [found.path for found in folders_of(tmp_path / "plain")] == [tmp_path / "plain"]


def test_the_caches_are_where_their_variables_say(tmp_path: Path) -> None:
    assert hub_caches({}, tmp_path) == (tmp_path / ".cache" / "huggingface" / "hub",)
    assert hub_caches({"XDG_CACHE_HOME": "/x"}, tmp_path) == (Path("/x/huggingface/hub"),)
    assert hub_caches({"HF_HOME": "/h", "XDG_CACHE_HOME": "/x"}, tmp_path) == (Path("/h/hub"),)
    assert hub_caches({"HF_HUB_CACHE": "/c", "HF_HOME": "/h"}, tmp_path) == (Path("/c"),)


def test_usual_places_are_those_that_are_there(tmp_path: Path) -> None:
    assert list(usual_places({}, tmp_path)) == []
    hub = tmp_path / ".cache" / "huggingface" / "hub"
    sparse(hub / "models--a--b" / "snapshots" / "1" / "m.safetensors", SD1)
    sparse(tmp_path / ".lmstudio" / "models" / "a" / "m.safetensors", SD1)
    (tmp_path / "ComfyUI" / "models" / "checkpoints").mkdir(parents=True)
    (tmp_path / "ComfyUI" / "models" / "unet").mkdir(parents=True)
    assert [found.program for found in usual_places({}, tmp_path)] == ["hugging-face", "lm-studio"]
    assert [found.path.name for found in suggestions(tmp_path)] == ["ComfyUI"]


def test_a_portable_installation_looks_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    sparse(tmp_path / "hf" / "hub" / "models--a--b" / "snapshots" / "1" / "m.safetensors", SD1)
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))
    portable = open_catalogue(tmp_path / "home" / "models")
    assert all(info.origin == "" for info in portable.list())
    monkeypatch.delenv("DIPTYCH_HOME")
    found = {info.origin for info in open_catalogue(tmp_path / "home" / "models").list()}
    assert "hugging-face" in found
