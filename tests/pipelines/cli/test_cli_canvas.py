"""A document with painted layers runs from its file alone, wherever that was copied to."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.graph.assets import asset_name, entry_name
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.storage import file_bytes
from pipelines.image import load_image
from pipelines.image.png import png_bytes

PIXELS = np.random.default_rng(2).integers(0, 256, (5, 7, 3), np.uint8)


def test_an_archive_runs_with_its_layers_and_bare_json_says_what_is_missing(diptych, tmp_path, monkeypatch):
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "clean"))
    data = png_bytes(PIXELS)
    layers = [{"id": "a", "kind": "image", "asset": asset_name(data)}]
    graph = Graph().with_node("canvas", NodeRecord.new("image.canvas", params={"layers": layers}))
    graph = graph.with_node("save", NodeRecord.new("image.save", inputs={"image": ("canvas", "image")}))
    (tmp_path / "bare.json").write_bytes(graph.dumps())
    (tmp_path / "doc.diptych").write_bytes(
        file_bytes(graph, {entry_name(asset_name(data)): data}, ".diptych")
    )
    missing = diptych("run", "bare.json", "--json")
    assert missing.code == 1
    assert missing.json["graphs"][0]["nodes"]["canvas"]["error"]["code"] == "AssetMissing"
    result = diptych("run", "doc.diptych", "--json")
    assert result.code == 0, result.err
    path = result.json["graphs"][0]["outputs"]["save"]["path"]
    assert np.array_equal(load_image(Path(path)).pixels, PIXELS)
