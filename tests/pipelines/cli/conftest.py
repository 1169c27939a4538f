"""Running the real command line, as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.graph.document import Graph, NodeRecord

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def diptych(tmp_path):
    """``diptych(*words, stdin=…)`` in an empty folder."""

    def call(*words: str | Path, stdin: str = "", timeout: float = 200) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *map(str, words)],
            cwd=tmp_path,
            input=stdin,
            text=True,
            capture_output=True,
            timeout=timeout,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def greeting(tmp_path) -> Path:
    """A graph without a model: "hello" joined with a name, exposed as ``who``."""
    graph = Graph().with_node("who", NodeRecord.new("text.constant", params={"text": "world"}))
    inputs = {"b": ("who", "text")}
    graph = graph.with_node(
        "join", NodeRecord.new("text.join", params={"a": "hello", "separator": " "}, inputs=inputs)
    )
    graph = graph.with_exposed("who", "who", "text")
    path = tmp_path / "greeting.json"
    path.write_bytes(graph.dumps())
    return path


@pytest.fixture
def sums(tmp_path) -> Path:
    """A graph that adds two numbers."""
    graph = Graph().with_node(
        "sum", NodeRecord.new("number.math", params={"a": 1, "b": 2, "operation": "add"})
    )
    path = tmp_path / "sum.json"
    path.write_bytes(graph.dumps())
    return path
