"""Paths that leave the user's folders are found wherever they hide."""

from __future__ import annotations

import pytest

from pipelines.graph.outside import outside_paths
from pipelines.graph.registry import builtin
from tests.helpers.stub_nodes import graph


def found(made, *roots, base=None):
    return [(item.node, item.param, item.writes) for item in outside_paths(made, builtin(), roots, base)]


def test_paths_inside_are_not_named(tmp_path):
    made = graph(
        a=("image.load", {"path": str(tmp_path / "x.png")}), b=("image.save", {"folder": str(tmp_path)})
    )
    assert found(made, tmp_path) == []


def test_paths_outside_are_named_with_what_they_do(tmp_path):
    made = graph(
        a=("text.load", {"path": "/etc/hostname"}), b=("image.save", {"folder": str(tmp_path / "..")})
    )
    assert found(made, tmp_path) == [("a", "path", False), ("b", "folder", True)]


def test_relative_paths_start_from_the_document(tmp_path):
    made = graph(a=("text.load", {"path": "notes.txt"}), b=("text.load", {"path": "../../secret"}))
    assert found(made, base=tmp_path) == [("b", "path", False)]
    assert found(made) == []


@pytest.mark.posix
def test_a_link_that_leads_out_is_followed(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "door").symlink_to(outside)
    made = graph(a=("image.folder", {"folder": str(inside / "door")}))
    assert found(made, inside) == [("a", "folder", False)]


def test_empty_odd_and_unknown_are_left_alone(tmp_path):
    made = graph(
        a=("text.load", {"path": ""}), b=("text.load", {"path": "/x\0y"}), c=("text.load", {"path": 5}),
        d=("nobody.knows", {"path": "/etc/hostname"}),
    )  # fmt: skip
    assert found(made, tmp_path) == []


def test_paths_inside_subgraphs_are_named(tmp_path):
    inner = {
        "nodes": {"t": {"type": "text.load", "params": {"path": "/etc/hostname"}}},
        "inputs": {},
        "outputs": {},
    }
    made = graph(g=("graph.subgraph", {"subgraph": "reader"})).with_field("subgraphs", {"reader": inner})
    assert found(made, tmp_path) == [("g/t", "path", False)]
