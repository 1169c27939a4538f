"""A collection is hashed, checked, noted, added to and cleared, and what is said beside a model is read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from blake3 import blake3

from pipelines.cli.main import main
from pipelines.errors import ModelNotRemoved, ModelThereAlready, ModelUnreadable
from pipelines.models.catalogue.catalogue import Catalogue, Root, default_roots
from pipelines.models.catalogue.library import How, Library
from pipelines.models.records.hashes import digests_of
from pipelines.models.records.index import NAME, ModelIndex, Notes
from pipelines.models.records.sidecars import describe
from tests.helpers.model_files import SD1, raw, sparse

SMALL = {"emb_params": (8, 768)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return sparse(tmp_path / "models" / "embedding" / "mine.safetensors", SMALL).parents[1]


@pytest.fixture
def library(root: Path) -> Library:
    return Library(Catalogue(default_roots(root), ModelIndex(root.parent / NAME)))


def test_every_hash_in_one_reading(tmp_path: Path) -> None:
    path = raw(
        tmp_path / "m.safetensors",
        b'{"a":{"dtype":"U8","shape":[2000000],"data_offsets":[0,2000000]}}',
        2_000_000,
    )
    content = path.read_bytes()
    digests = digests_of(path)
    assert digests.sha256 == hashlib.sha256(content).hexdigest()
    assert digests.short == digests.sha256[:10]
    assert digests.blake3 == blake3(content).hexdigest()
    assert digests.autov1 == hashlib.sha256(content[0x100000:0x110000]).hexdigest()[:8]
    assert (
        digests.autov3
        == hashlib.sha256(content[8 + int.from_bytes(content[:8], "little") :]).hexdigest()[:12]
    )
    (tmp_path / "other.gguf").write_bytes(b"GGUF")
    assert digests_of(tmp_path / "other.gguf").autov3 == ""


def test_notes_follow_the_content_through_a_move(root: Path, library: Library) -> None:
    path = root / "embedding" / "mine.safetensors"
    library.note(path, Notes("for cats", ("animals",), True, ("cat",), {"steps": 4}))
    moved = root / "embedding" / "deeper" / "renamed.safetensors"
    moved.parent.mkdir()
    path.rename(moved)
    library.hash(moved)
    (info,) = (info for info in library.models() if info.path == str(moved))
    assert (info.notes, info.user_tags, info.favourite) == ("for cats", ("animals",), True)
    assert (info.trigger_words, info.defaults["steps"], len(info.sha256)) == (("cat",), 4, 64)


def test_a_file_that_changed_has_no_hash_until_it_is_made_again(root: Path, library: Library) -> None:
    path = root / "embedding" / "mine.safetensors"
    first = library.hash(path)
    sparse(path, {"emb_params": (9, 768)})
    assert library.known_digests(path) is None
    assert library.hash(path) != first


def test_duplicates_are_the_same_byte_for_byte(root: Path, library: Library) -> None:
    path = root / "embedding" / "mine.safetensors"
    copy = root / "embedding" / "copy.safetensors"
    copy.write_bytes(path.read_bytes())
    other = root / "embedding" / "other.safetensors"
    other.write_bytes(path.read_bytes()[:-1] + b"\x01")
    (group,) = library.duplicates()
    assert {info.path for info in group} == {str(path), str(copy)}


def test_damage_is_found(root: Path, library: Library) -> None:
    path = root / "embedding" / "mine.safetensors"
    assert library.verify(path).problem == ""
    assert library.verify(path).compared == ("its last hash",)
    page = path.with_name("mine.civitai.info")
    page.write_text(json.dumps({"modelId": 1, "files": [{"hashes": {"SHA256": "0" * 64}}]}))
    assert "its page states" in library.verify(path).problem
    path.write_bytes(path.read_bytes()[:-5])
    page.unlink()
    assert "truncated" in library.verify(path).problem


def test_a_model_is_taken_in_with_what_lies_beside_it(tmp_path: Path, root: Path, library: Library) -> None:
    source = sparse(tmp_path / "downloads" / "mine.safetensors", {"emb_params": (9, 768)})
    source.with_name("mine.preview.png").write_bytes(b"picture")
    placed = library.take_in(source, root)
    assert placed == root / "embedding" / "mine-2.safetensors"
    assert (root / "embedding" / "mine-2.preview.png").read_bytes() == b"picture"
    assert source.exists()
    sparse(source, {"emb_params": (10, 768)})
    moved = library.take_in(source, root, how="move")
    assert (moved.name, source.exists(), source.with_name("mine.preview.png").exists()) == (
        "mine-3.safetensors", False, False,
    )  # fmt: skip
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing")
    with pytest.raises(ModelUnreadable):
        library.take_in(broken, root)


@pytest.mark.parametrize("how", ["copy", "move", "link"])
def test_what_is_there_already_is_not_taken_in_again(
    how: How, tmp_path: Path, root: Path, library: Library
) -> None:
    there = root / "embedding" / "mine.safetensors"
    source = tmp_path / "downloads" / "another-name.safetensors"
    source.parent.mkdir()
    source.write_bytes(there.read_bytes())
    source.with_name("another-name.png").write_bytes(b"picture")
    before = sorted(root.rglob("*"))
    for file in (source, there):
        with pytest.raises(ModelThereAlready) as caught:
            library.take_in(file, root, how)
        assert str(there) in " ".join(caught.value.info().sentences())
    assert (sorted(root.rglob("*")), source.exists()) == (before, True)
    source.write_bytes(there.read_bytes()[:-1] + b"\x01")  # as long, and with the same header
    assert library.take_in(source, root, how).name == source.name


def test_a_file_of_another_folder_that_is_searched_can_be_taken_in(tmp_path: Path, root: Path) -> None:
    theirs = sparse(tmp_path / "comfy" / "theirs.safetensors", {"emb_params": (9, 768)})
    catalogue = Catalogue((*default_roots(root), Root(theirs.parent)), ModelIndex(root.parent / NAME))
    placed = Library(catalogue).take_in(theirs, root, "link")
    assert placed == root / "embedding" / theirs.name
    with pytest.raises(ModelThereAlready):
        Library(catalogue).take_in(theirs, root, "link")


def test_removing_is_moving_to_the_bin(root: Path, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[str] = []
    monkeypatch.setattr("send2trash.send2trash", gone.append)
    path = root / "embedding" / "mine.safetensors"
    path.with_name("mine.png").write_bytes(b"")
    assert library.remove("mine.safetensors") == [path.with_name("mine.png"), path]
    assert gone == [str(path.with_name("mine.png")), str(path)]
    with pytest.raises(ModelNotRemoved):
        library.remove("starter/upscaler")
    outside = sparse(root.parent / "outside.safetensors", SMALL)
    with pytest.raises(ModelNotRemoved):
        library.remove(str(outside))


# --- what is said beside a model ----------------------------------------------------------------------------


def test_what_is_said_beside_a_model(tmp_path: Path) -> None:
    metadata = {
        "modelspec.title": "Cats", "modelspec.author": "me", "modelspec.trigger_phrase": "cat, paw",
        "ss_base_model_version": "sdxl_base_v1-0", "ss_output_name": "cats-v2",
        "ss_tag_frequency": json.dumps({"1_a": {"cat": 9, "dog": 2}, "1_b": {"dog": 8, "odd": "x"}}),
    }  # fmt: skip
    about = describe(metadata)
    assert (about.title, about.author, about.base_model) == ("Cats", "me", "sdxl_base_v1-0")
    assert (about.trigger_words, about.tags) == (("cat", "paw"), ("dog", "cat"))
    page = tmp_path / "m.civitai.info"
    page.write_text(json.dumps({
        "modelId": 7, "name": "v2", "model": {"name": "Cats", "tags": ["animal"]}, "baseModel": "SDXL 1.0",
        "trainedWords": ["kitty", "kitty"], "description": "<p>Draws <b>cats</b> &amp; dogs</p>",
    }))  # fmt: skip
    about = describe(metadata, (str(page),))
    assert (about.title, about.trigger_words, about.base_model) == ("Cats · v2", ("kitty",), "SDXL 1.0")
    assert about.description == "Draws cats & dogs"
    assert about.source.endswith("/7")
    own = tmp_path / "m.json"
    own.write_text(json.dumps({"activation text": "meow", "preferred weight": 0.8, "notes": "soft"}))
    about = describe(metadata, (str(page), str(own)))
    assert (about.trigger_words, about.strength, about.description) == (("meow",), 0.8, "soft")


@pytest.mark.parametrize(
    "text",
    [
        "", "[", "[]", "7", '{"trainedWords": 3, "model": [], "baseModel": {}}', "[" * 100_000,
        '{"preferred weight": 1e999}',
    ],
)  # fmt: skip
def test_odd_notes_say_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.json").write_text(text)
    about = describe(
        {"modelspec.title": "Kept", "ss_tag_frequency": "[" * 10_000}, (str(tmp_path / "m.json"),)
    )
    assert (about.title, about.trigger_words, about.strength) == ("Kept", (), None)


def test_pictures_and_notes_are_told_with_the_model(tmp_path: Path) -> None:
    path = sparse(tmp_path / "a.safetensors", SD1, metadata={"modelspec.title": "Dreamy"})
    (tmp_path / "a.png").write_bytes(b"")
    catalogue = Catalogue([Root(tmp_path)])
    (info,) = catalogue.list()
    assert (info.title, info.preview) == ("Dreamy", str(tmp_path / "a.png"))
    path.with_name("a.json").write_text('{"notes": "mine"}')
    (info,) = catalogue.list()
    assert info.card == "mine"


# --- the command line ---------------------------------------------------------------------------------------


def test_the_words_of_the_command_line(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))

    def run(*words: str) -> tuple[int, dict]:
        code = main(["models", *words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    path = str(root / "embedding" / "mine.safetensors")
    code, said = run("probe", path)
    assert (code, said["models"][0]["family"]) == (0, "textual-inversion")
    sparse(tmp_path / "unknown.safetensors", {"nothing.known": (2,)})
    assert run("probe", str(tmp_path / "unknown.safetensors"))[0] == 1
    code, said = run("import", path)
    (placed,) = said["models"]
    assert (code, Path(placed).parts[-3:]) == (0, ("models", "embedding", "mine.safetensors"))
    assert (
        run("hash", placed)[1]["hashes"][0]["sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    )
    assert run("import", path)[1] == {"models": [], "there_already": [{"file": path, "path": placed}]}
    assert main(["models", "import", path]) == 0
    assert placed in capsys.readouterr().out
    assert run("verify", "mine.safetensors")[1]["models"][0]["compared"] == ["its last hash"]
    run("note", "mine.safetensors", "--favourite", "yes", "--tags", "a, b")
    said = run("list", "--kind", "embedding", "--family", "sd1", "b")[1]
    assert [(info["favourite"], info["user_tags"]) for info in said["models"]] == [(True, ["a", "b"])]
    code, said = run("scan", str(root))
    assert (said["models"], said["kinds"]) == (
        1, [{"kind": "embedding", "family": "textual-inversion", "count": 1}],
    )  # fmt: skip
    assert [main(["models"]), main(["models", "list"])] == [0, 0]
