"""Beginning a file of nodes, and the helper that its test runs nodes with."""

from __future__ import annotations

import pytest

from pipelines.errors import Cancelled, NodeFileThere, NodeNameUnusable, NodeTypeWrong, OutsideOutputWrong
from pipelines.graph import types
from pipelines.graph.node import Input, Node, NodeParams, Output, Param, steps
from pipelines.outside.scaffold import new_node
from pipelines.outside.testing import NodeContext, run_node


class Count(Node):
    """Count up, a step at a time."""

    id, category = "mine.count", "Mine"
    inputs = (Input("start", types.Integer, default=0),)
    outputs = (Output("value", types.Number),)

    class Params(NodeParams):
        upto: int = Param(3, "Up to", "Where it ends.", ge=0)

    def run(self, inputs, params, context):
        value = inputs["start"]
        for _ in steps(params.upto, context, "counting"):
            value += 1
        return {"value": value if params.upto < 9 else [value]}


def test_nothing_is_replaced_and_bad_names_are_explained(tmp_path):
    node, test = new_node("soft_glow", tmp_path)
    assert "class SoftGlow(Node)" in node.read_text(encoding="utf-8")
    test.unlink()
    node.write_text("mine", encoding="utf-8")
    with pytest.raises(NodeFileThere):
        new_node("soft_glow.py", tmp_path)
    for name in ("Soft Glow", "random", "numpy", "../up", "test_x", "class", ""):
        with pytest.raises(NodeNameUnusable, match="soft_glow"):
            new_node(name, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["soft_glow.py"]
    assert node.read_text(encoding="utf-8") == "mine"


def test_a_node_runs_in_its_test_as_in_the_engine():
    context = NodeContext()
    assert run_node(Count, context=context) == {"value": 3.0}
    assert context.reports == [(1, 3, "counting"), (2, 3, "counting"), (3, 3, "counting")]
    assert run_node(Count, {"upto": 1}, start=[1, "2"])["value"] == (2.0, 3.0)
    context.cancel.cancel()
    with pytest.raises(Cancelled):
        run_node(Count, context=context)


def test_what_the_engine_would_refuse_fails_the_test_too():
    with pytest.raises(ValueError, match="at least 0"):
        run_node(Count, {"upto": -1})
    with pytest.raises(ValueError, match="no input called startt"):
        run_node(Count, startt=1)
    with pytest.raises(OutsideOutputWrong, match="declared as Number, and got list"):
        run_node(Count, {"upto": 9})
    with pytest.raises(NodeTypeWrong, match="Its lane can't be 'fast'"):
        run_node(type("Fast", (Count,), {"lane": "fast"}))
