"""Documents as files: what is written is read, what is damaged is said."""

from __future__ import annotations

import io
import zipfile

import pytest

from pipelines.errors import FileMissing, GraphUnreadable
from pipelines.graph import storage
from pipelines.graph.storage import file_bytes, read_bytes, read_document, read_file
from tests.helpers.stub_nodes import graph

GRAPH = graph(a=("stub.constant", {"value": 1}))


def test_an_archive_keeps_graph_and_assets_and_is_the_same_each_time(tmp_path):
    data = file_bytes(GRAPH, {"assets/b": b"2", "assets/a": b"1"}, ".diptych")
    assert data == file_bytes(GRAPH, {"assets/a": b"1", "assets/b": b"2"}, ".DIPTYCH")
    (tmp_path / "x.diptych").write_bytes(data)
    stored = read_file(tmp_path / "x.diptych")
    assert stored.graph.dumps() == GRAPH.dumps()
    assert stored.assets == {"assets/a": b"1", "assets/b": b"2"}


def test_json_is_told_by_content_not_by_name(tmp_path):
    (tmp_path / "x.diptych").write_bytes(file_bytes(GRAPH, {}, ".json"))
    assert read_document(tmp_path / "x.diptych").dumps() == GRAPH.dumps()


def broken_archives():
    whole = file_bytes(GRAPH, {}, ".diptych")
    yield whole[:60]
    yield whole[: len(whole) // 2]
    yield b"PK\x03\x04" + b"\0" * 100
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("other.json", "{}")
    yield buffer.getvalue()


@pytest.mark.parametrize("data", list(broken_archives()))
def test_a_damaged_archive_is_said(data):
    with pytest.raises(GraphUnreadable, match="damaged"):
        read_bytes(data, "x.diptych")


def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(storage, "MAX_UNPACKED", 1000)
    data = file_bytes(GRAPH, {"assets/big": b"\0" * 100_000}, ".diptych")
    with pytest.raises(GraphUnreadable, match="unpacks"):
        read_bytes(data, "x.diptych")


def test_a_huge_file_a_missing_one_and_a_folder(tmp_path, monkeypatch):
    with pytest.raises(FileMissing):
        read_document(tmp_path / "gone.json")
    with pytest.raises(GraphUnreadable):
        read_document(tmp_path)
    monkeypatch.setattr(storage, "MAX_GRAPH", 10)
    (tmp_path / "big.json").write_bytes(GRAPH.dumps())
    with pytest.raises(GraphUnreadable, match="larger"):
        read_document(tmp_path / "big.json")
