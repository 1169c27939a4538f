"""What is known of models outlives the program, follows the files, and survives damage and company."""

from __future__ import annotations

import os
import struct
import threading
import time
from pathlib import Path

import pytest

from pipelines.errors import Cancelled, ModelUnreadable
from pipelines.graph.node import FlagToken
from pipelines.models.catalogue import scanning
from pipelines.models.catalogue.catalogue import Catalogue, Root, Scan
from pipelines.models.catalogue.watching import Watch
from pipelines.models.records import index, known
from pipelines.models.records.examiners import Examiners, Job
from pipelines.models.records.index import NAME, Digests, ModelIndex, Notes, Row
from pipelines.models.records.walk import Place
from tests.helpers.model_files import SD1, SDXL, sparse


@pytest.fixture
def models(tmp_path: Path) -> Path:
    root = tmp_path / "models"
    for number in range(6):
        sparse(root / "deep" / f"{number}.safetensors", SD1, metadata={"ss_output_name": f"number {number}"})
    (root / "old.ckpt").write_bytes(b"PK\x03\x04" + bytes(100))
    return root


def opened(models: Path) -> Catalogue:
    return Catalogue([Root(models)], ModelIndex(models.parent / NAME))


def refuse(*_: object) -> None:
    raise AssertionError("a file was opened again")


def test_the_next_start_opens_no_file_again(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = opened(models)
    listed = first.list()
    assert [info.title for info in listed[1:]] == [f"number {number}" for number in range(6)]
    first.index.close()
    monkeypatch.setattr(known, "examine", refuse)
    assert opened(models).list() == listed


def test_what_is_to_be_used_is_examined_whatever_the_index_says(models: Path) -> None:
    path = models / "deep" / "0.safetensors"
    opened(models).list()
    state = path.stat()
    with path.open("r+b") as file:  # the same size and time, another content
        file.seek(8)
        file.write(b"{oops")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    again = opened(models)
    assert "0.safetensors" in {Path(info.path).name for info in again.list() if not info.problem}
    with pytest.raises(ModelUnreadable):
        again.find("diffusion", str(path)).check("diffusion")


def test_changed_files_are_examined_and_gone_ones_forgotten(models: Path) -> None:
    first = opened(models)
    first.list()
    sparse(models / "deep" / "0.safetensors", SDXL)
    (models / "deep" / "1.safetensors").unlink()
    families = {Path(info.path).stem: info.family for info in opened(models).list()}
    assert (families["0"], "1" in families) == ("sdxl", False)
    assert str(models / "deep" / "1.safetensors") not in ModelIndex(models.parent / NAME).records()


def test_a_disk_that_is_away_takes_nothing_with_it(models: Path) -> None:
    opened(models).list()
    models.rename(models.with_name("away"))
    assert opened(models).list() == ()
    assert len(ModelIndex(models.parent / NAME).records()) == 7


def test_a_damaged_file_is_put_aside_and_made_anew(models: Path) -> None:
    first = opened(models)
    listed = first.list()
    first.index.close()
    for ending in ("-wal", "-shm"):
        (models.parent / f"{NAME}{ending}").unlink(missing_ok=True)
    (models.parent / NAME).write_bytes(b"SQLite format 3\0" + os.urandom(8_000))
    again = opened(models)
    assert again.list() == listed
    assert again.index.records()
    assert list(models.parent.glob(f"{NAME}.damaged-*"))


def test_where_it_cannot_be_kept_it_is_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = ModelIndex(tmp_path / "file" / NAME)
    kept.store([Row("p", "s", "{}", "{}")])
    assert kept.records()["p"].state == "s"


def test_several_programs_write_at_once(tmp_path: Path) -> None:
    def write(name: str) -> None:
        kept = ModelIndex(tmp_path / NAME)
        for number in range(20):
            kept.store([Row(f"{name}{number}", "s", "{}", "{}")])
            kept.store_digests(f"{name}{number}", "s", Digests("a" * 64))
        kept.close()

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = ModelIndex(tmp_path / NAME)
    assert (len(kept.records()), len(kept.digests())) == (60, 60)


def test_notes_of_another_version_are_read_as_far_as_they_are_known(tmp_path: Path) -> None:
    kept = ModelIndex(tmp_path / NAME)
    kept.store_notes("a" * 64, Notes("mine", ("tag",), True, ("word",), {"steps": 4}))
    assert ModelIndex(tmp_path / NAME).notes()["a" * 64].defaults == {"steps": 4}
    kept.store_notes("a" * 64, Notes())
    assert kept.notes() == {}
    assert Notes.from_json({"text": "t", "later": 1}).text == "t"


def test_a_search_tells_as_it_goes_and_keeps_what_it_found_when_cancelled(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "TELL_SECONDS", 0.0)
    told: list[Scan] = []
    cancel = FlagToken()

    def tell(state: Scan) -> None:
        told.append(state)
        if state.total == 3:
            cancel.cancel()

    first = opened(models)
    with pytest.raises(Cancelled):
        first.scan(tell, cancel)
    assert [state.total for state in told] == [1, 2, 3]
    assert told[1].models[0].title == "number 0"
    assert len(first.index.records()) == 3


def test_a_gguf_file_is_named_though_it_cannot_be_opened(tmp_path: Path) -> None:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    head = struct.pack("<4sIQQ", b"GGUF", 3, 1, 1) + text("general.architecture")
    head += struct.pack("<I", 8) + text("llama") + text("token_embd.weight")
    head += struct.pack("<I2QIQ", 2, 32, 4, 12, 0)
    content = head + bytes(-len(head) % 32) + bytes(256 * 144)
    (tmp_path / "m.gguf").write_bytes(content)
    (info,) = Catalogue([Root(tmp_path)]).list()
    assert (info.kind, bool(info.problem)) == ("diffusion", True)  # 128 numbers are no block of Q4_K
    head = head.replace(struct.pack("<2Q", 32, 4), struct.pack("<2Q", 256, 4))
    (tmp_path / "m.gguf").write_bytes(head + bytes(-len(head) % 32) + bytes(4 * 144))
    (info,) = Catalogue([Root(tmp_path)]).list()
    assert (info.kind, info.family, info.dtype, info.parameters) == ("language", "llama", "Q4_K", 1024)
    assert not info.problem
    other = head.replace(text("llama"), text("mamba"))
    (tmp_path / "m.gguf").write_bytes(other + bytes(-len(other) % 32) + bytes(4 * 144))
    (info,) = Catalogue([Root(tmp_path)]).list()
    assert (info.kind, info.family) == ("language", "mamba")
    assert "GGUF" in info.problem


def test_the_watch_tells_of_what_comes_goes_and_grows(models: Path) -> None:
    told: list[int] = []
    watch = Watch(Catalogue([Root(models)]), lambda found: told.append(len(found)), seconds=0.02)
    try:
        time.sleep(0.1)
        sparse(models / "new" / "one.safetensors", SD1)
        wait(lambda: told[-1:] == [8])
        (models / "new" / "one.safetensors").unlink()
        wait(lambda: told[-1:] == [7])
    finally:
        watch.close()


def wait(ready: object) -> None:
    end = time.monotonic() + 10
    while not ready():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_other_processes_examine_what_is_new_and_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "MANY", 20)
    monkeypatch.setattr(known, "TRIED", 2)
    root = tmp_path / "models"
    for number in range(40):
        sparse(root / f"{number:02}.safetensors", {**SD1, f"extra.{number}": (1,)})
    (root / "41.ckpt").write_bytes(b"PK\x03\x04" + bytes(100))
    asked: list[int] = []
    ask = Examiners._ask
    monkeypatch.setattr(Examiners, "_ask", lambda self, jobs: asked.append(len(jobs)) or ask(self, jobs))
    helped = Catalogue([Root(root)])
    found = helped.list()
    assert sum(asked) == 39
    monkeypatch.setattr(known, "MANY", 1_000)
    assert Catalogue([Root(root)]).list() == found
    assert helped.find("diffusion", "07.safetensors").probe.facts["in_channels"] == 4
    monkeypatch.setattr(known, "MANY", 20)
    monkeypatch.setattr(Examiners, "_ask", lambda self, jobs: [None] * len(jobs))  # all of them died
    assert Catalogue([Root(root)]).list() == found


def test_a_process_that_examines_ends_with_its_input(tmp_path: Path) -> None:
    with Examiners([tmp_path], processes=1) as examiners:
        (process,) = examiners._processes
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=30) == 0
        job = Job(Place(str(tmp_path / "gone.safetensors")), Root(tmp_path), "")
        assert list(examiners.examine([job])) == [None]


def test_an_update_of_the_program_looks_anew(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = opened(models)
    first.list()
    first.index.store_notes("a" * 64, Notes("kept"))
    first.index.close()
    monkeypatch.setattr(index, "_version", lambda: "later")
    again = ModelIndex(models.parent / NAME)
    assert (again.records(), again.notes()["a" * 64].text) == ({}, "kept")
