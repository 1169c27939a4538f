"""``diptych nodes``: begin a file of nodes, agree to it, use it headless, withdraw."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.graph.document import Graph, NodeRecord
from tests.pipelines.cli.conftest import ROOT


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """Folders of its own, so that other tests have no nodes from outside."""
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))


def test_what_new_writes_works_as_written(diptych, tmp_path):
    made = diptych("nodes", "new", "soft_glow", "--json")
    assert made.code == 0
    node, test = Path(made.json["node"]), Path(made.json["test"])
    assert (node.name, test.name) == ("soft_glow.py", "test_soft_glow.py")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test.name],
        cwd=test.parent, capture_output=True, text=True, check=False, timeout=100,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    assert "3 passed" in ran.stdout


def test_a_graph_runs_with_agreed_nodes_alone(diptych, tmp_path):
    diptych("nodes", "new", "soft_glow")
    document = Graph({"paper": NodeRecord.new("image.solid", params={"width": 8, "height": 8})})
    glow = NodeRecord.new("mine.soft_glow", inputs={"image": ("paper", "image")})
    document = document.with_node("glow", glow).with_field(
        "requires", {"soft_glow.py": {"hash": "00", "types": ["mine.soft_glow"]}}
    )
    path = tmp_path / "glow.json"
    path.write_bytes(document.dumps())
    refused = diptych("validate", path)
    assert (refused.code, "soft_glow.py" in refused.out, "agree" in refused.out) == (1, True, True)
    agreed = diptych("nodes", "agree", "soft_glow.py", "--json")
    assert (agreed.code, agreed.json["state"], agreed.json["types"]) == (0, "on", ["mine.soft_glow"])
    ran = diptych("run", path, "--set", "glow.amount=0.25", "--json")
    assert ran.json["graphs"][0]["nodes"]["glow"]["status"] == "executed", ran.err
    listed = diptych("nodes", "--json").json
    assert [source["state"] for source in listed["outside"]] == ["on"]
    assert [item["id"] for item in listed["nodes"] if item.get("origin") == "soft_glow.py"] == [
        "mine.soft_glow"
    ]
    assert diptych("nodes", "withdraw", "soft_glow.py").code == 0


def test_agreeing_to_what_does_not_work_says_why(diptych, tmp_path):
    nodes = tmp_path / "home" / "data" / "nodes"
    nodes.mkdir(parents=True)
    (nodes / "broken.py").write_text("x = 1 / 0\n", encoding="utf-8")
    result = diptych("nodes", "agree", nodes / "broken.py")
    assert (result.code, "broken.py, line 1" in result.err) == (1, True)
