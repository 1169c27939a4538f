"""The plain nodes together, through the real planner and executor: lists, lazy inputs, files, the cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.graph.registry import builtin
from pipelines.graph.values import ListValue
from pipelines.metadata import read_metadata
from tests.helpers.stub_nodes import Bench, graph


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.lanes.close()


def run(bench: Bench, **nodes: Any) -> Any:
    return bench.run(graph(**nodes), registry=builtin())


def test_a_list_runs_what_it_feeds_once_for_each_item(bench: Bench) -> None:
    done = run(
        bench,
        ideas=("list.text", {"lines": "fox\nowl"}),
        prompt=("text.template", {"template": "a {what}"}, {"what": ("ideas", "items")}),
        joined=("list.join", {"separator": "; "}, {"items": ("prompt", "text")}),
    )
    assert done["joined"].outputs["text"] == "a fox; a owl"


def test_pictures_of_a_folder_are_changed_and_saved_one_by_one(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    colours = ("list.text", {"lines": "#ff0000\n#00ff00\n#0000ff"})
    made = ("image.solid", {"width": 4, "height": 4}, {"color": ("colours", "items")})
    saved = ("image.save", {"folder": "in", "name": "c{n}"}, {"image": ("made", "image")})
    done = run(bench, colours=colours, made=made, saved=saved)
    assert [Path(path).name for path in done["saved"].outputs["path"]] == [
        "c0001.png",
        "c0002.png",
        "c0003.png",
    ]

    opened = ("image.folder", {"folder": "in", "pattern": "c*.png"})
    small = ("image.resize", {"width": 2, "height": 2}, {"image": ("opened", "images")})
    nodes = {"opened": opened, "small": small}
    done = run(bench, **nodes)
    images = done["small"].outputs["image"]
    assert isinstance(images, ListValue)
    assert [image.pixels[0, 0].tolist() for image in images] == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert run(bench, **nodes)["small"].status == "cached"
    (tmp_path / "in" / "c0002.png").unlink()
    done = run(bench, **nodes)
    assert len(done["small"].outputs["image"]) == 2


def test_the_branch_a_switch_does_not_take_neither_runs_nor_matters(bench: Bench) -> None:
    def nodes(path: str, width: int) -> dict[str, Any]:
        return {
            "question": ("number.compare", {"operation": "less", "a": 1.0, "b": 2.0}),
            "plain": ("image.solid", {"width": width, "height": 3}),
            "file": ("image.load", {"path": path}),
            "switch": (
                "logic.switch",
                {},
                {"use_on": ("question", "value"), "on": ("plain", "image"), "off": ("file", "image")},
            ),
        }

    done = run(bench, **nodes("missing.png", 5))
    assert done["switch"].outputs["value"].width == 5
    assert "file" not in bench.started
    done = run(bench, **nodes("another.png", 5))
    assert done["switch"].status == "cached"


def test_a_table_feeds_names_and_numbers(bench: Bench, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("name,size\nsmall,2\nlarge,5\n")
    done = run(
        bench,
        table=("list.table", {"path": str(table)}),
        made=("image.solid", {}, {"width": ("table", "size"), "height": ("table", "size")}),
        saved=("image.save", {}, {"image": ("made", "image"), "name": ("table", "name")}),
    )
    found = [read_metadata(Path(path)) for path in done["saved"].outputs["path"]]
    assert [(item.width, item.height) for item in found] == [(2, 2), (5, 5)]
    assert (tmp_path / "large.png").exists()


def test_a_saved_picture_that_was_deleted_is_saved_again(bench: Bench) -> None:
    nodes = {
        "made": ("image.solid", {"width": 2, "height": 2}),
        "saved": ("image.save", {"name": "x"}, {"image": ("made", "image")}),
    }
    path = Path(run(bench, **nodes)["saved"].outputs["path"])
    assert run(bench, **nodes)["saved"].status == "cached"
    path.unlink()
    done = run(bench, **nodes)
    assert done["saved"].status == "executed"
    assert path.exists()


def test_a_failing_branch_leaves_its_sibling_alone(bench: Bench) -> None:
    done = run(
        bench,
        bad=("number.math", {"operation": "divide", "a": 1.0, "b": 0.0}),
        good=("number.math", {"operation": "divide", "a": 1.0, "b": 4.0}),
    )
    assert done["bad"].error.code == "ArithmeticFailed"
    assert done["good"].outputs["value"] == 0.25
