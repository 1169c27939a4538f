"""Opening and saving: nothing is lost, and a failure leaves both the document and the file as they were."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import FileMissing, GraphFromTheFuture, GraphNotSaved, GraphUnreadable
from pipelines.graph.document import Graph
from pipelines.paths import RESOURCES
from studio.documents.document import GraphDocument
from tests.helpers.canvas_fakes import small_graph, stub_registry

TEMPLATES = sorted((RESOURCES / "templates").glob("*.json"))
ODD = (
    b'{ "later" : 1e5,\n'
    b' "nodes": {"z": {"type": "from.elsewhere", "version": 3, "params": {"a": 1.50}}}, "format": 1}'
)


@pytest.fixture
def document(qapp: Any) -> GraphDocument:
    return GraphDocument(small_graph(), stub_registry())


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_templates_are_saved_as_they_were_opened(
    document: GraphDocument, template: Path, tmp_path: Path
) -> None:
    document.load(template)
    document.save(tmp_path / "copy.json")
    assert (tmp_path / "copy.json").read_bytes() == template.read_bytes()


def test_unknown_nodes_and_fields_survive_an_edit_beside_them(
    document: GraphDocument, tmp_path: Path
) -> None:
    path = tmp_path / "odd.json"
    path.write_bytes(ODD)
    document.load(path)
    document.save()
    assert path.read_bytes() == ODD
    document.add_node("test.words", (0, 0))
    document.save()
    assert b'"a": 1.50' in path.read_bytes()
    assert b'"later": 1e5' in path.read_bytes()
    assert Graph.loads(path.read_bytes()).nodes["z"].type == "from.elsewhere"


def test_saving_makes_it_unmodified_until_the_next_edit_or_undo(
    document: GraphDocument, tmp_path: Path
) -> None:
    moved: list[bool] = []
    document.path_changed.connect(lambda: moved.append(True))
    document.set_param("words", "text", "x")
    assert document.is_modified
    document.save(tmp_path / "a.json")
    assert not document.is_modified
    assert document.path == tmp_path / "a.json"
    assert document.title == "a"
    document.undo_stack.undo()
    assert document.is_modified
    document.undo_stack.redo()
    document.save()
    assert not document.is_modified
    assert moved == [True]


def test_opening_forgets_the_history_and_tells_views_to_start_over(
    document: GraphDocument, tmp_path: Path
) -> None:
    heard: list[str] = []
    document.replaced.connect(lambda: heard.append("replaced"))
    document.node_added.connect(lambda node: heard.append(node))
    document.set_param("words", "text", "x")
    document.load_bytes(b'{"nodes": {}}', "From a picture")
    assert heard == ["replaced"]
    assert not document.undo_stack.canUndo()
    assert not document.is_modified
    assert document.path is None
    assert document.title == "From a picture"
    document.new()
    assert document.title == ""


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", GraphUnreadable),
        (b"\x89PNG", GraphUnreadable),
        (b'{"nodes": {"a": 1}}', GraphUnreadable),
        (b'{"nodes": {}, "x": NaN}', GraphUnreadable),
        (b"[" * 100_000, GraphUnreadable),
        (b'{"format": 99, "nodes": {}}', GraphFromTheFuture),
        (b"PK\x03\x04 not really a zip", GraphUnreadable),
    ],
)
def test_what_cannot_be_opened_leaves_the_document_alone(
    document: GraphDocument, tmp_path: Path, data: bytes, error: type[Exception]
) -> None:
    document.set_param("words", "text", "kept")
    before = document.graph
    path = tmp_path / "bad.json"
    path.write_bytes(data)
    with pytest.raises(error):
        document.load(path)
    assert document.graph is before
    assert document.undo_stack.canUndo()


def test_missing_files_and_folders_are_named(document: GraphDocument, tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="gone"):
        document.load(tmp_path / "gone.json")
    with pytest.raises(GraphUnreadable):
        document.load(tmp_path)
    with pytest.raises(ValueError):
        document.save()


def test_a_save_that_fails_loses_nothing(document: GraphDocument, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    document.set_param("words", "text", "x")
    with pytest.raises(GraphNotSaved):
        document.save(blocked / "graph.json")
    assert document.is_modified
    assert document.path is None
    assert blocked.read_text() == "not a folder"


def test_a_diptych_file_keeps_its_assets_and_the_same_bytes(document: GraphDocument, tmp_path: Path) -> None:
    path = tmp_path / "with.diptych"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("graph.json", ODD)
        archive.writestr("assets/abc", b"pixels")
    path.write_bytes(buffer.getvalue())
    document.load(path)
    assert document.graph.nodes["z"].type == "from.elsewhere"
    document.save()
    first = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.read("graph.json") == ODD
        assert archive.read("assets/abc") == b"pixels"
    document.load(path)
    document.save()
    assert path.read_bytes() == first


def test_a_zip_without_a_graph_is_refused(document: GraphDocument, tmp_path: Path) -> None:
    path = tmp_path / "other.diptych"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(GraphUnreadable):
        document.load(path)
