"""Pixels of a document: named by what they hold, stored once, checked when read, swept when nobody needs
them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import AssetMissing
from pipelines.graph.assets import (
    KEPT_DAYS,
    AssetStore,
    asset_name,
    asset_of_entry,
    assets_of,
    entry_name,
    is_asset_name,
)
from pipelines.graph.document import Graph, NodeRecord

NAME = asset_name(b"pixels")


@pytest.fixture
def store(tmp_path: Path) -> AssetStore:
    return AssetStore(tmp_path / "assets")


def files(store: AssetStore) -> list[Path]:
    return [path for path in store.folder.rglob("*") if path.is_file()]


def age(store: AssetStore, name: str, days: float) -> None:
    then = time.time() - days * 86_400
    os.utime(store.path(name), (then, then))


def test_what_is_put_is_got_by_its_name(store: AssetStore) -> None:
    assert is_asset_name(NAME)
    assert NAME not in store
    assert store.put(b"pixels") == NAME
    assert NAME in store
    assert store.get(NAME) == b"pixels"


def test_put_twice_it_is_one_file_that_counts_as_used(store: AssetStore) -> None:
    store.put(b"pixels")
    age(store, NAME, 100)
    store.put(b"pixels")
    assert len(files(store)) == 1
    assert store.sweep(()) == 0


@pytest.mark.parametrize("damage", [b"", b"pixelz", b"pixels and more"])
def test_damage_is_noticed_and_putting_again_repairs_it(store: AssetStore, damage: bytes) -> None:
    store.put(b"pixels")
    store.path(NAME).write_bytes(damage)
    with pytest.raises(AssetMissing):
        store.get(NAME)
    store.put(b"pixels")
    assert store.get(NAME) == b"pixels"


@pytest.mark.parametrize("name", ["", "x", NAME.upper(), NAME + "0", "../" * 21 + "a", NAME[:-1] + "/", 7])
def test_only_hashes_are_names(store: AssetStore, name: Any) -> None:
    assert not is_asset_name(name)
    assert name not in store
    with pytest.raises(AssetMissing):
        store.get(str(name))


def test_what_is_not_there_is_missing_by_name(store: AssetStore) -> None:
    with pytest.raises(AssetMissing, match=NAME):
        store.get(NAME)
    with pytest.raises(AssetMissing):
        store.entries([NAME])


def test_a_sweep_takes_only_what_is_old_and_that_nothing_names(store: AssetStore) -> None:
    named, old, new = (store.put(data) for data in (b"named", b"old", b"new"))
    age(store, named, KEPT_DAYS + 1)
    age(store, old, KEPT_DAYS + 1)
    (store.folder / "notes.txt").write_text("not an asset")
    assert store.sweep({named}) == 1
    assert (named in store, old in store, new in store) == (True, False, True)
    assert (store.folder / "notes.txt").exists()
    assert AssetStore(store.folder / "nowhere").sweep(()) == 0


def test_an_archives_assets_are_taken_in_unless_they_lie(store: AssetStore) -> None:
    store.take_in({
        entry_name(NAME): b"pixels",
        entry_name(asset_name(b"true")): b"false",
        "notes/readme.txt": b"not an asset",
        f"assets/../{NAME}.png": b"pixels",
    })  # fmt: skip
    assert [path.stem for path in files(store)] == [NAME]
    assert store.entries([NAME]) == {entry_name(NAME): b"pixels"}


def test_names_in_archives_go_both_ways() -> None:
    assert asset_of_entry(entry_name(NAME)) == NAME
    for other in ("graph.json", f"{NAME}.png", f"assets/{NAME}", f"assets/{NAME}.jpg", "assets/x.png",
                  f"more/assets/{NAME}.png"):  # fmt: skip
        assert asset_of_entry(other) is None


def test_assets_are_found_wherever_a_param_names_them() -> None:
    layers, deep, inner = (asset_name(data) for data in (b"layers", b"deep", b"inner"))
    graph = Graph().with_node(
        "canvas",
        NodeRecord.new("image.canvas", params={"layers": [{"id": "a", "asset": layers}, {"asset": ""}]}),
    )
    params = {"some": {"thing": [[{"asset": deep, "more": {"asset": "short"}}]]}, "asset": 3}
    graph = graph.with_node("other", NodeRecord.new("from.elsewhere", params=params))
    data = graph.to_json()
    node = {"type": "mask.paint", "version": 1, "params": {"layers": [{"id": "m", "asset": inner}]}}
    data["subgraphs"] = {"outer": {"nodes": {"inner": node}}}
    assert assets_of(Graph.from_json(data)) == {layers, deep, inner}
    assert assets_of(Graph()) == frozenset()
