"""Old formats and node versions are brought up to date step by step; an unedited file stays as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from pipelines.errors import GraphUnreadable
from pipelines.graph import document, migrations
from pipelines.graph.document import FORMAT, Graph


def to_two(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """A format that spelled nodes as a list."""
    nodes = {node["id"]: {key: node[key] for key in node if key != "id"} for node in tree["nodes"]}
    return {**tree, "format": 2, "nodes": nodes}


def renamed(node: Mapping[str, Any]) -> Mapping[str, Any]:
    params = dict(node.get("params", {}))
    params["scale"] = params.pop("factor", 1)
    return {**node, "version": 2, "params": params}


def doubled(node: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**node, "version": 3, "params": {"scale": node["params"]["scale"] * 2}}


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A future with format 2 and two versions more of one node."""
    monkeypatch.setattr(document, "FORMAT", 2)
    monkeypatch.setattr(migrations, "FORMATS", (to_two,))
    monkeypatch.setattr(migrations, "NODES", {("old.scale", 1): renamed, ("old.scale", 2): doubled})


def test_there_is_a_migration_for_every_format_before_this_one() -> None:
    assert len(migrations.FORMATS) == FORMAT - 1


def test_a_current_tree_is_returned_as_it_is() -> None:
    tree = {"format": FORMAT, "nodes": {"n": {"type": "stub.add", "version": 1}}}
    assert migrations.migrate(tree) is tree


@pytest.mark.usefixtures("newer")
def test_formats_and_node_versions_are_migrated_in_order() -> None:
    raw = b'{"format": 1, "nodes": [{"id": "a", "type": "old.scale", "params": {"factor": 3}}], "x": 1.50}'
    graph = Graph.loads(raw)
    record = graph.nodes["a"]
    assert (record.version, dict(record.params)) == (3, {"scale": 6})
    assert graph.fields["format"] == 2
    assert graph.dumps() == raw, "nobody edited it"
    edited = graph.with_param("a", "scale", 7).dumps()
    assert json.loads(edited)["nodes"]["a"] == {"type": "old.scale", "version": 3, "params": {"scale": 7}}
    assert b"1.50" in edited


@pytest.mark.usefixtures("newer")
def test_only_outdated_nodes_change() -> None:
    tree = {
        "format": 2,
        "nodes": {"a": {"type": "old.scale", "version": 3}, "b": {"type": "other"}, "c": {"type": []}},
    }
    assert migrations.migrate(tree) is tree
    tree["nodes"]["a"] = {"type": "old.scale", "version": 2, "params": {"scale": 2}}
    new = migrations.migrate(tree)
    assert new["nodes"]["a"]["params"] == {"scale": 4}
    assert new["nodes"]["b"] is tree["nodes"]["b"]


@pytest.mark.usefixtures("newer")
@pytest.mark.parametrize(
    "node", ["5", "[]", '{"type": ["old.scale"]}', '{"type": "old.scale", "version": true}']
)
def test_malformed_nodes_are_refused_by_name_not_by_a_migration(node: str) -> None:
    with pytest.raises(GraphUnreadable, match="Node bad"):
        Graph.loads(f'{{"format": 2, "nodes": {{"bad": {node}}}}}')
