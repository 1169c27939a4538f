"""Models as the engine serves them: lists in parts, notes by content, hashes, checks, conversion, the bin."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.engine import library
from pipelines.engine.protocol import (
    ConvertModel,
    DescribeModel,
    Duplicates,
    Failure,
    FindDuplicates,
    HashModel,
    ImportModel,
    ListModels,
    ModelConverted,
    ModelDescribed,
    ModelImported,
    ModelInfo,
    ModelProgress,
    ModelRemoved,
    Models,
    ModelTold,
    ModelWorkStopped,
    NoteModel,
    RemoveModel,
    SetModelFolders,
    StopModelWork,
)
from pipelines.models.catalogue import watching
from pipelines.models.records.hashes import digests_of
from tests.helpers.engine_drive import Drive, in_process
from tests.helpers.model_files import SD1, sparse
from tests.helpers.stub_nodes import REGISTRY

SMALL = {"lora_unet_x.lora_down.weight": (4, 8), "lora_unet_x.lora_up.weight": (8, 4)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    models = tmp_path / "own"
    sparse(models / "dreamy.safetensors", SD1)
    sparse(models / "one.safetensors", SMALL, metadata={"ss_output_name": "One", "ss_epoch": "3"})
    sparse(models / "two.safetensors", SMALL, metadata={"ss_output_name": "One", "ss_epoch": "3"})
    torch.save({"a.weight": torch.ones(3, 3)}, models / "old.pt")
    return models


@pytest.fixture
def drive(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drive]:
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))
    made = in_process(tmp_path, REGISTRY, model_folders=(str(folder),)).start()
    yield made
    made.client.close()


def ask(drive: Drive, request: Any, answer: type) -> Any:
    drive.client.send(request)
    return drive.until(answer, request=request.request)


def listed(drive: Drive, request: Any) -> dict[str, ModelInfo]:
    drive.client.send(request)
    found: list[ModelInfo] = []
    while True:
        part = drive.until(Models, request=request.request)
        found += part.models
        if not part.more:
            return {Path(info.path).name: info for info in found}


def test_a_long_list_comes_in_parts_and_folders_change_while_it_runs(
    drive: Drive, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "PART", 2)
    first = listed(drive, ListModels(request="a"))
    assert {"dreamy.safetensors", "one.safetensors", "old.pt"} <= set(first)
    assert len(drive.of(Models)) >= 3
    assert first["old.pt"].problem_code == "ModelPickled"
    assert first["one.safetensors"].modified == pytest.approx((folder / "one.safetensors").stat().st_mtime)
    other = sparse(tmp_path / "other" / "another.safetensors", SD1)
    second = listed(drive, SetModelFolders(request="b", folders=(str(other.parent),)))
    assert "another.safetensors" in second
    assert "dreamy.safetensors" not in second


def test_notes_stay_with_the_content(drive: Drive, folder: Path) -> None:
    path = listed(drive, ListModels(request="a"))["dreamy.safetensors"].path
    told = ask(drive, NoteModel(request="b", path=path, text="soft", tags=("mine",)), ModelTold).model
    assert (told.notes, told.user_tags, told.favourite) == ("soft", ("mine",), False)
    assert told.sha256 == digests_of(Path(path)).sha256
    told = ask(drive, NoteModel(request="c", path=path, favourite=True), ModelTold).model
    assert (told.notes, told.favourite) == ("soft", True)
    Path(path).rename(folder / "renamed.safetensors")
    moved = listed(drive, ListModels(request="d"))["renamed.safetensors"]
    assert moved.notes == ""  # nobody has read it yet
    hashed = ask(drive, HashModel(request="e", path=moved.path), ModelTold).model
    assert (hashed.notes, hashed.favourite) == ("soft", True)


def test_a_check_says_what_it_compared_and_what_is_wrong(drive: Drive) -> None:
    info = listed(drive, ListModels(request="a"))["dreamy.safetensors"]
    ask(drive, HashModel(request="b", path=info.path), ModelTold)
    sound = ask(drive, HashModel(request="c", path=info.path, verify=True), ModelTold)
    assert (sound.checked, sound.compared, sound.fault) == (True, ("its last hash",), "")
    stat = Path(info.path).stat()
    with Path(info.path).open("r+b") as file:  # in place, as a failing disk would
        file.seek(-1, os.SEEK_END)
        file.write(b"\x01")
    os.utime(info.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    broken = ask(drive, HashModel(request="d", path=info.path, verify=True), ModelTold)
    assert "differs from its last hash" in broken.fault
    assert any(event.phase == "verifying" for event in drive.of(ModelProgress))


def test_a_file_says_what_is_in_it_and_duplicates_are_found(drive: Drive, folder: Path) -> None:
    infos = listed(drive, ListModels(request="a"))
    described = ask(drive, DescribeModel(request="b", path=infos["one.safetensors"].path), ModelDescribed)
    assert described.tensors == 2
    assert described.metadata["ss_epoch"] == "3"
    found = ask(drive, FindDuplicates(request="c"), Duplicates)
    assert {str(folder / "one.safetensors"), str(folder / "two.safetensors")} in map(set, found.groups)


def test_a_pickle_becomes_a_safetensors_file(drive: Drive, folder: Path) -> None:
    path = listed(drive, ListModels(request="a"))["old.pt"].path
    made = ask(drive, ConvertModel(request="b", path=path), ModelConverted)
    assert made.target == str(folder / "old.safetensors")
    assert Path(made.target).exists()
    again = ask(drive, ConvertModel(request="c", path=path), Failure)
    assert again.error.code == "AlreadyConverted"
    unknown = ask(drive, ConvertModel(request="d", path="/nowhere/x.pt"), Failure)
    assert unknown.error.code == "ModelMissing"


def test_a_file_is_taken_in_once(drive: Drive, tmp_path: Path) -> None:
    listed(drive, ListModels(request="a"))
    path = str(sparse(tmp_path / "downloads" / "ink.safetensors", {**SMALL, "lora_unet_x.alpha": ()}))
    first = ask(drive, ImportModel(request="b", path=path), ModelImported)
    assert (Path(first.target).parts[-2:], first.already) == (("lora", "ink.safetensors"), False)
    assert Path(path).exists()
    again = ask(drive, ImportModel(request="c", path=path), ModelImported)
    assert (again.target, again.already) == (first.target, True)
    assert [file.name for file in Path(first.target).parent.iterdir()] == ["ink.safetensors"]
    Path(path).write_bytes(b"no model")
    assert ask(drive, ImportModel(request="d", path=path), Failure).error.code == "ModelUnreadable"


def test_what_waits_can_be_stopped(drive: Drive) -> None:
    infos = listed(drive, ListModels(request="a"))
    path = infos["dreamy.safetensors"].path
    drive.client.send(HashModel(request="b", path=path))
    drive.client.send(HashModel(request="c", path=path, verify=True))
    drive.client.send(StopModelWork(request="c"))
    drive.until(ModelWorkStopped, request="c")
    assert not any(event.request == "c" for event in drive.of(ModelTold))
    assert (
        infos["dreamy.safetensors"].path in listed(drive, ListModels(request="d"))["dreamy.safetensors"].path
    )


def test_a_model_goes_to_the_bin(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[str] = []

    def bin_(path: str) -> None:
        gone.append(path)
        Path(path).unlink()

    monkeypatch.setattr("send2trash.send2trash", bin_)
    infos = listed(drive, ListModels(request="a"))
    removed = ask(drive, RemoveModel(request="b", path=infos["one.safetensors"].path), ModelRemoved)
    assert list(removed.files) == gone == [infos["one.safetensors"].path]
    assert "one.safetensors" not in listed(drive, ListModels(request="c"))
    starter = next(info for info in infos.values() if info.id.startswith("starter/"))
    refused = ask(drive, RemoveModel(request="d", path=starter.path), Failure)
    assert refused.error.code == "ModelNotRemoved"


def test_a_folder_is_watched(drive: Drive, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching.Watch.__init__, "__defaults__", (0.1, None))
    listed(drive, ListModels(request="a"))
    sparse(folder / "sub" / "new.safetensors", SD1)
    told = drive.until(Models, request="")
    assert any(info.path.endswith("new.safetensors") for info in told.models)
