"""Model files that are something else than they say: refused by their bytes, whatever they are called."""

from __future__ import annotations

import json
import pickle
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipelines.errors import ModelPickled, ModelUnreadable, ModelUnsafe
from pipelines.models.files.header import MAX_HEADER, read_header
from pipelines.models.files.safety import check_file, check_folder
from tests.helpers.hostile_models import Canary, hostile_forms, polyglot
from tests.helpers.model_files import raw


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def test_no_pickle_passes_under_any_name(tmp_path: Path, canary: Path) -> None:
    forms = tmp_path / "forms"
    forms.mkdir()
    for name, path in hostile_forms(forms, canary).items():
        for called in ("m.safetensors", "m.SafeTensors", "m.SAFETENSORS", "m.gguf", "m"):
            disguised = tmp_path / called
            disguised.write_bytes(path.read_bytes())
            with pytest.raises(ModelPickled) as caught:
                check_file(disguised)
            assert f'diptych models convert "{disguised}"' in str(caught.value), name
    assert not canary.exists()


@pytest.mark.parametrize("start", [b"\x80\x02G", b"NG"], ids=["with a protocol", "without one"])
def test_a_file_that_is_both_is_refused(tmp_path: Path, canary: Path, start: bytes) -> None:
    path = polyglot(tmp_path / "m.safetensors", canary, start)
    pickle.loads(path.read_bytes())  # it is one, indeed
    canary.rmdir()
    with pytest.raises(ModelUnsafe, match="safetensors file and as a Python pickle"):
        read_header(path)
    assert not canary.exists()


@pytest.mark.parametrize("length", [0x0280, 0x0380, 0x0480, 0x0580])
def test_a_header_whose_length_begins_like_a_pickle_is_none(tmp_path: Path, length: int) -> None:
    text = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path = raw(tmp_path / "m.safetensors", text.ljust(length), 4)
    assert path.read_bytes()[0] == 0x80
    assert list(read_header(path).tensors) == ["a"]


def test_no_true_header_is_taken_for_a_pickle(tmp_path: Path) -> None:
    """Whatever the first byte of the length happens to be, and whatever the numbers are."""
    for length in range(64, 64 + 256):
        text = json.dumps({"a": {"dtype": "U8", "shape": [4096], "data_offsets": [0, 4096]}}).encode()
        path = raw(tmp_path / "m.safetensors", text.ljust(length))
        with path.open("ab") as file:
            file.write(random.Random(length).randbytes(4096))
        assert read_header(path).elements() == 4096


def test_a_zip_behind_the_tensors_is_no_tensor(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(4)}, tmp_path / "m.safetensors")
    torch.save({"x": Canary(tmp_path / "canary")}, tmp_path / "m.pt")
    with (tmp_path / "m.safetensors").open("ab") as file:
        file.write((tmp_path / "m.pt").read_bytes())
    with pytest.raises(ModelUnreadable, match="belong to no tensor"):
        read_header(tmp_path / "m.safetensors")


def test_a_million_tensors(tmp_path: Path) -> None:
    entry = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    many = "{" + ",".join(f'"{number}":{entry}' for number in range(1_000_000)) + "}"
    with pytest.raises(ModelUnreadable, match=f"at most {MAX_HEADER:,}"):
        read_header(raw(tmp_path / "m.safetensors", many.encode()))


def test_ninety_megabytes_of_metadata(tmp_path: Path) -> None:
    text = b'{"__metadata__":{"note":"' + b"x" * 90_000_000 + b'"}}'
    with pytest.raises(ModelUnreadable, match="header"):
        read_header(raw(tmp_path / "m.safetensors", text))


@pytest.mark.posix
def test_links_may_lead_into_a_folder_of_models_but_nowhere_else(tmp_path: Path) -> None:
    roots = [tmp_path / "models", tmp_path / "elsewhere"]
    for root in roots:
        root.mkdir()
        save_file({"a": torch.zeros(1)}, root / "shared.safetensors")
    folder = roots[0] / "one"
    folder.mkdir()
    (folder / "model.safetensors").symlink_to(roots[0] / "shared.safetensors")
    with pytest.raises(ModelUnsafe, match="leaves its folder"):
        check_folder(folder)
    assert len(check_folder(folder, roots=roots[:1])) == 1
    (folder / "more.safetensors").symlink_to(roots[1] / "shared.safetensors")
    with pytest.raises(ModelUnsafe, match=r"more\.safetensors is a link"):
        check_folder(folder, roots=roots[:1])
    (folder / "more.safetensors").unlink()
    (folder / "more.safetensors").symlink_to("more.safetensors")
    with pytest.raises(ModelUnsafe, match="link"):
        check_folder(folder, roots=roots)


@pytest.mark.parametrize(
    ("setting", "name"),
    [("tokenizer_class", "AutoModelForCausalLM"), ("tokenizer_class", "os.system"),
     ("processor_class", "Trainer")],
)  # fmt: skip
def test_settings_may_not_name_just_any_class_of_a_library(tmp_path: Path, setting: str, name: str) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({setting: name}))
    with pytest.raises(ModelUnsafe, match=setting):
        check_folder(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "LlamaTokenizerFast"}))
    check_folder(tmp_path)
