"""Earlier versions: which stay, that they can be read, and that a document finds its own."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import BackupNotKept, GraphUnreadable
from studio.keeping import backups as module
from studio.keeping.backups import DAYS, SLOTS, Backups, kept, key_of, new_key
from tests.helpers.studio_fakes import template

DAY = 86_400.0
NOON = time.mktime((2026, 11, 24, 12, 0, 0, 0, 0, -1))


def test_a_week_of_work_leaves_six_eight_and_five() -> None:
    times = [NOON + day * DAY + minute * 60 for day in range(7) for minute in range(0, 600, 10)]
    stay = sorted(kept(times), reverse=True)
    newest = max(times)
    assert stay[:6] == [newest - number * 600 for number in range(6)]
    hours = {int(moment // 3600) for moment in stay}
    assert {int(newest // 3600) - number for number in range(8)} <= hours
    days = {time.localtime(moment).tm_yday for moment in stay}
    assert len(days) == 5
    assert len(stay) <= 6 + 8 + 5


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40 * 86_400), max_size=80))
def test_thinning_again_and_again_keeps_what_thinning_once_keeps(seconds: list[int]) -> None:
    times = [NOON + second for second in seconds]
    once = kept(times)
    assert once <= set(times)
    assert kept(once) == once
    assert len(once) <= sum(count for _, count in SLOTS) + DAYS
    assert not times or max(times) in once
    step_by_step: set[float] = set()
    for moment in sorted(times):
        step_by_step = kept(step_by_step | {moment})
    assert step_by_step == once


def test_versions_are_kept_and_read(tmp_path: Path) -> None:
    store, graph = Backups(tmp_path), template()
    for number in range(4):
        changed = graph.with_param("draw", "steps", number + 1)
        assert store.put("k", changed, "timed", name="mine", now=NOON + number * 600)
        assert not store.put("k", changed, "timed", now=NOON + number * 600 + 1)
    versions = store.versions("k")
    assert [version.time for version in versions] == [NOON + number * 600 for number in (3, 2, 1, 0)]
    assert versions[0].read().nodes["draw"].params["steps"] == 4
    assert [(item.key, item.name) for item in store.documents()] == [("k", "mine")]


def test_other_kinds_are_not_thinned_with_the_timed_ones(tmp_path: Path) -> None:
    store, graph = Backups(tmp_path), template()
    for number in range(9):
        changed = graph.with_param("draw", "steps", number + 1)
        store.put("k", changed, "other" if number % 3 == 0 else "timed", now=NOON + number)
    kinds = [version.why for version in store.versions("k")]
    assert kinds.count("other") == 3
    assert kinds.count("timed") == 1


def test_a_damaged_version_is_said_and_harms_no_other(tmp_path: Path) -> None:
    store, graph = Backups(tmp_path), template()
    store.put("k", graph, "timed", now=NOON)
    path = store.versions("k")[0].path
    for content in (b"", b"\x1f\x8b", path.read_bytes()[:-20], gzip.compress(b"{")):
        path.write_bytes(content)
        with pytest.raises(GraphUnreadable):
            store.versions("k")[0].read()
        assert store.assets() == set()
    assert store.put("k", graph, "timed", now=NOON + 700)
    assert store.versions("k")[0].read().dumps() == graph.dumps()


def test_keys_follow_the_file_and_take_any_name(tmp_path: Path) -> None:
    inner = tmp_path / "a"
    inner.mkdir()
    assert key_of(tmp_path / "x.json") == key_of(inner / ".." / "x.json")
    assert key_of(tmp_path / "x.json") != key_of(inner / "x.json")
    assert new_key() != new_key()
    names = [
        "ü" * 120 + ".json",
        "con.json",
        "a:b.json",
        "..json",
        "\u202egnp.json",
        "x" * 250 + ".json",
        "日本.json",
    ]
    for name in names:
        Backups(tmp_path / "b").put(key_of(tmp_path / name), template(), "timed")
    found = [path.name for path in (tmp_path / "b").iterdir()]
    assert len(found) == len(names)
    assert all(len(os.fsencode(name)) <= 255 for name in found)


def test_a_document_that_gets_a_file_takes_its_versions_along(tmp_path: Path) -> None:
    store = Backups(tmp_path)
    store.put("untitled-1", template(), "timed", now=NOON)
    store.rename("untitled-1", "mine-2")
    assert len(store.versions("mine-2")) == 1
    store.put("untitled-3", template(), "timed", now=NOON)
    store.rename("untitled-3", "mine-2")
    assert len(store.versions("untitled-3")) == 1


def test_old_documents_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Backups(tmp_path)
    for number in range(5):
        store.put(f"k{number}", template(), "timed", now=NOON + number)
    monkeypatch.setattr(module, "DOCUMENTS", 4)
    store.sweep()
    assert {item.key for item in store.documents()} == {"k1", "k2", "k3", "k4"}
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    store.sweep()
    assert {item.key for item in store.documents()} == {"k4"}


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Backups(tmp_path / "file")
    with pytest.raises(BackupNotKept):
        store.put("k", template(), "timed")
    assert store.documents() == []
