"""Damaged documents: what is whole is read, what isn't is named, and nothing is made up."""

from __future__ import annotations

import random

import pytest

from pipelines.errors import GraphFromTheFuture, GraphUnreadable
from pipelines.graph.document import Graph
from pipelines.graph.salvage import salvage, why
from pipelines.graph.storage import file_bytes, read_any
from tests.helpers.studio_fakes import template

WHOLE = template("inpaint")
NODES = list(WHOLE.nodes)
ASSETS = {f"assets/{name}.png": bytes(range(256)) * 40 for name in "abc"}


def test_a_text_that_was_cut_off_has_the_nodes_before_the_cut() -> None:
    data = WHOLE.dumps()
    seen, reasons = set[int](), list[str]()
    for cut in range(0, len(data), 41):
        try:
            found = salvage(data[:cut], "x.json")
        except GraphUnreadable as error:
            reasons.append(error.arguments["reason"])
            continue
        names = list(found.graph.nodes)
        assert names == NODES[: len(names)]
        assert set(found.lost) <= set(NODES[len(names) :])
        assert all(found.graph.nodes[name].fields == WHOLE.nodes[name].fields for name in names)
        seen.add(len(names))
    assert seen == {1, 2, 3, 4, 5}
    assert all(reason.startswith("Line") for reason in reasons)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"type": "diffusion.inpaint"', b'"type": diffusion.inpaint'), (b'"diffusion.inpaint"', b'"\xff\x00'),
     (b'"type": "diffusion.inpaint",', b'"type": "diffusion.inpaint", {'), (b'"diffusion.inpaint"', b"NaN")],
)  # fmt: skip
def test_one_broken_node_costs_one_node(old: bytes, new: bytes) -> None:
    data = WHOLE.dumps()
    assert data.count(old) == 1
    found = salvage(data.replace(old, new), "x.json")
    broken = next(name for name, record in WHOLE.nodes.items() if record.type == "diffusion.inpaint")
    assert [name for name in NODES if name != broken] == list(found.graph.nodes)
    assert found.lost == (broken,)
    assert why(data.replace(old, new), "x.json")


def test_an_archive_that_was_cut_off_still_has_its_graph() -> None:
    data = file_bytes(WHOLE, ASSETS, ".diptych")
    end = data.index(b"PK\x01\x02")
    found = salvage(data[:end], "x.diptych")
    assert found.graph.dumps() == WHOLE.dumps()
    assert found.assets == ASSETS
    cut = data.index(b"assets/b.png") + 500
    found = salvage(data[:cut], "x.diptych")
    assert found.graph.dumps() == WHOLE.dumps()
    assert list(found.assets) == ["assets/a.png"]
    assert found.lost == ("assets/b.png",)


def test_a_damaged_asset_costs_that_asset() -> None:
    data = bytearray(file_bytes(WHOLE, ASSETS, ".diptych"))
    data[data.index(b"assets/b.png") + 300] ^= 0xFF
    with pytest.raises(GraphUnreadable):
        read_any(bytes(data), "x.diptych")
    found = salvage(bytes(data), "x.diptych")
    assert list(found.assets) == ["assets/a.png", "assets/c.png"]
    assert found.lost == ("assets/b.png",)


@pytest.mark.parametrize("suffix", [".json", ".diptych"])
def test_any_damage_ends_in_a_graph_or_in_words(suffix: str) -> None:
    whole = file_bytes(WHOLE, ASSETS, suffix)
    draw = random.Random(4)
    for _ in range(120):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 6)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        try:
            found = salvage(bytes(data[: draw.randint(0, len(data))]), "x")
        except (GraphUnreadable, GraphFromTheFuture):
            continue
        assert Graph.loads(found.graph.dumps()).nodes
    for nothing in (b"", b"{", b"PK\x03\x04", b"\x89PNG", b'{"nodes": {}}', b"[" * 50_000, b'{"a":' * 50_000):
        with pytest.raises(GraphUnreadable):
            salvage(nothing, "x")


def test_a_newer_format_is_read_to_look_at() -> None:
    data = b'{"format": 9, "new": [1], "nodes": {"z": {"type": "a.b", "later": 1.50}}}'
    found = read_any(data, "x").graph
    assert found.nodes["z"].type == "a.b"
    assert found.fields["format"] == 9
    with pytest.raises(GraphFromTheFuture):
        read_any(b'{"format": 9, "nodes": [3]}', "x")
