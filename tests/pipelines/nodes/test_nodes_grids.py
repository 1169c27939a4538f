"""Parameter sweeps: lists gathered and crossed, seeds that stay, and the labelled sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.errors import ImageTooLarge, SheetEmpty, TooManyItems
from pipelines.graph.registry import builtin
from pipelines.graph.values import Image, ListValue, ModelHandle
from pipelines.image import SheetStyle, SheetWords, columns_of, sheet
from tests.helpers.stub_nodes import Bench, graph

Run = Callable[..., Any]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.lanes.close()


def colour(value: int, width: int = 8, height: int = 8) -> Image:
    return Image(np.full((height, width, 3), value, np.uint8))


def test_collect_gathers_values_and_lists_in_order(run: Run) -> None:
    found = run("list.collect", {"ports": 3}, item_1=ListValue(["a", "b"]), item_3=ListValue([3]))
    assert found == {"items": ListValue(["a", "b", 3]), "count": 3}


def test_a_grid_crosses_its_lists_row_by_row(run: Run) -> None:
    found = run(
        "list.grid",
        {"column_name": "Steps", "seed": 7},
        columns=ListValue([10, 20.5]),
        rows=ListValue(["a", "b"]),
        blocks=ListValue([True]),
    )
    assert found["column"] == ListValue([10, 20.5, 10, 20.5])
    assert found["row"] == ListValue(["a", "a", "b", "b"])
    assert found["seed"] == ListValue([7] * 4)
    assert found["column_labels"] == ListValue(["Steps 10", "Steps 20.5"])
    assert found["row_labels"] == ListValue(["on · a", "on · b"])
    assert found["count"] == 4


def test_labels_name_models_and_count_what_has_no_words(run: Run) -> None:
    handle = ModelHandle("diffusion", "checkpoints/dream.safetensors", "", "sd15")
    found = run("list.grid", columns=ListValue([handle, colour(1), "x" * 500]))
    assert found["column_labels"][:2] == ("dream", "2")
    assert len(found["column_labels"][2]) == 120
    assert found["row_labels"] == ListValue()


def test_a_grid_has_a_limit(run: Run) -> None:
    with pytest.raises(TooManyItems):
        run("list.grid", columns=ListValue(range(200)), rows=ListValue(range(51)))


def test_a_sweep_runs_every_combination_and_ends_on_one_sheet(bench: Bench) -> None:
    done = bench.run(
        graph(
            widths=("list.range", {"start": 4, "stop": 7}),
            colours=("list.text", {"lines": "#ff0000\n#0000ff"}),
            cross=("list.grid", {"row_name": "Colour"}, {
                "columns": ("widths", "items"), "rows": ("colours", "items"),
            }),
            made=("image.solid", {"height": 5}, {"width": ("cross", "column"), "color": ("cross", "row")}),
            shown=("image.grid", {"gap": 2}, {
                "images": ("made", "image"), "column_labels": ("cross", "column_labels"),
                "row_labels": ("cross", "row_labels"),
            }),
        ),
        registry=builtin(),
    )  # fmt: skip
    assert [(image.width, image.pixels[0, 0, 0]) for image in done["made"].outputs["image"]] == [
        (4, 255), (5, 255), (6, 255), (4, 0), (5, 0), (6, 0),
    ]  # fmt: skip
    made = done["shown"].outputs["image"]
    assert made.info["sheet"]["rows"] == ["Colour #ff0000", "Colour #0000ff"]
    red = (made.pixels == (255, 0, 0)).all(axis=2)
    assert int(red.sum()) == 5 * (4 + 5 + 6)


def test_a_sheet_without_words_is_cells_and_gaps() -> None:
    images = [colour(10), colour(20, 4, 4), Image(np.zeros((8, 8, 4), np.uint8))]
    made = sheet(images, 2, SheetWords(), SheetStyle(gap=2, background="#ff0000"))
    assert (made.width, made.height) == (2 + 2 * 10, 2 + 2 * 10)
    assert made.pixels[2, 2].tolist() == [10, 10, 10]
    assert made.pixels[6, 16].tolist() == [20, 20, 20], "smaller ones stand in the middle"
    assert made.pixels[2, 12].tolist() == [255, 0, 0]
    assert made.pixels[15, 5].tolist() == [255, 0, 0], "what is transparent shows the ground"


@pytest.mark.parametrize(("ground", "ink"), [("#ffffff", 20), ("#000000", 240)])
def test_words_are_written_where_they_belong(ground: str, ink: int) -> None:
    words = SheetWords(["left", "right"], ["row"], ["under"], "All of it")
    made = sheet([colour(128, 90, 60)] * 2, 2, words, SheetStyle(background=ground)).pixels[..., 0]
    written = np.abs(made.astype(int) - ink) < 20
    lines, columns = (np.flatnonzero((made == 128).sum(axis=axis) > 55) for axis in (1, 0))
    top, bottom, left = int(lines[0]), int(lines[-1]), int(columns[0])
    assert written[: top // 2].any(), "the heading"
    assert written[top // 2 : top, left : left + 90].any(), "the first column"
    assert written[top:bottom, :left].any(), "the row"
    assert written[bottom + 1 :, left : left + 90].any()
    assert not written[bottom + 1 :, left + 100 :].any(), "only the first has a caption"


def test_long_words_are_broken_and_cut_to_the_cell() -> None:
    words = SheetWords(["pneumonoultramicroscopicsilicovolcanoconiosis " * 9], [], [], "")
    made = sheet([colour(128, 64, 64)], 1, words, SheetStyle(gap=4, text_size=10, background="#ffffff"))
    assert made.width == 64 + 8
    assert made.height < 64 + 8 + 5 * 13
    assert (made.pixels[:, :2] == 255).all(), "nothing runs into the margin"


def test_letters_the_plain_font_lacks_come_from_another() -> None:
    def head(text: str) -> Any:
        return sheet([colour(128, 80, 20)], 1, SheetWords([text]), SheetStyle()).pixels

    assert head("é").shape == head("è").shape
    assert (head("é") != head("è")).any() or (head("é") == head("\ue123")).all(), "no other font here"


@pytest.mark.parametrize(
    ("count", "asked", "heads", "sides", "columns"),
    [(6, 0, 3, 2, 3), (6, 2, 3, 0, 2), (6, 0, 0, 2, 3), (7, 0, 0, 0, 3), (1, 0, 0, 0, 1)],
)
def test_how_many_columns(count: int, asked: int, heads: int, sides: int, columns: int) -> None:
    assert columns_of(count, asked, heads, sides) == columns


def test_what_no_sheet_can_be_made_of(run: Run) -> None:
    with pytest.raises(SheetEmpty):
        run("image.grid", images=ListValue())
    with pytest.raises(ImageTooLarge):
        sheet([colour(1, 3000, 3000)] * 2, 1000, SheetWords(), SheetStyle(gap=1000))
    smaller = sheet([colour(1, 300, 150)], 1, SheetWords(), SheetStyle(gap=0, largest=30))
    assert (smaller.width, smaller.height) == (30, 15)
