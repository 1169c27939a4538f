"""Files of nodes for tests, and agreeing to them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from pipelines import paths
from pipelines.outside.agreements import Agreements
from pipelines.outside.sources import Source, scan

HEAD = """
from __future__ import annotations
from typing import Any, Literal
from pipelines.graph import types
from pipelines.graph.node import Input, Node, NodeParams, Output, Param
"""
SHOUT = """
class Shout(Node):
    \"\"\"Say it louder.\"\"\"

    id, title, category, preview = "mine.shout", "Shout", "Mine", "text"
    inputs = (Input("text", types.Text, default="hi"),)
    outputs = (Output("text", types.Text),)

    class Params(NodeParams):
        times: int = Param(1, "Times", "How often.", ge=1, le=9, unit="×", primary=True)
        mark: Literal["?", "."] = Param(".", "Mark", "What comes last.")
        seed: int | None = Param(None, "Seed", "A number.", widget="seed")

    def run(self, inputs, params, context):
        return {"text": inputs["text"].upper() * params.times + params.mark}
"""


def write(folder: Path, name: str, code: str) -> Path:
    """A file of nodes, with the imports it needs before it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(HEAD + dedent(code), encoding="utf-8")
    return path


def agree(folder: Path | None = None, agreements: Path | None = None) -> tuple[Source, ...]:
    """Agree to all that is there now."""
    found = scan(folder or paths.nodes_dir())
    for source in found:
        Agreements(agreements or paths.agreements_path()).agree(source.key, source.digest, source.version)
    return found
