"""The table of cards and families: counted from architectures, honest about what wasn't checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.bench.forecast import BEGIN, CARDS, END, cell, drawing_of, line, markdown, remark, write
from pipelines.bench.forecast_families import ROWS, Row, components
from pipelines.models.forecast.verdict import VERDICTS

DOCS = Path(__file__).parents[4] / "docs" / "memory.md"
BY_TITLE = {row.title: row for row in ROWS}


@pytest.mark.parametrize("title", ["Stable Diffusion 1.5", "Stable Diffusion XL", "FLUX.1 dev"])
def test_the_page_has_the_lines_that_are_computed_now(title: str) -> None:
    assert line(BY_TITLE[title]) in DOCS.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("title", ["FLUX.1 dev", "PixArt-Σ"])
def test_a_larger_card_is_never_worse_and_a_change_is_always_better(title: str) -> None:
    row = BY_TITLE[title]
    drawing = drawing_of(row, components(row))
    cells = [cell(drawing, card) for card in CARDS]
    ranks = [VERDICTS.index(made.needs.verdict) for made in cells]
    assert ranks == sorted(ranks, reverse=True)
    moved = [made.needs.moved for made in cells]
    assert moved == sorted(moved, reverse=True)
    for card, made in zip(CARDS, cells, strict=True):
        assert made.needs.peak <= card * 2**30
        if made.better is not None:
            assert VERDICTS.index(made.better.verdict) < VERDICTS.index(made.needs.verdict)
            assert made.weights


def test_a_row_that_could_not_be_checked_says_so() -> None:
    row = BY_TITLE["Stable Diffusion 1.5"]
    parts = components(row)
    assert "not checked" not in remark(row, parts)
    assert "not checked" in remark(Row("x", "sd1", config="sd1", stated=1.0), parts)
    assert "not checked" in remark(Row("x", "sd1", config="sd1"), parts)


def test_the_table_goes_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    table = markdown((BY_TITLE["Stable Diffusion 1.5"],))
    write(page, table)
    assert page.read_text(encoding="utf-8") == f"before\n{BEGIN}\n{table}\n{END}\nafter\n"
    assert len({row.count("|") for row in table.splitlines()}) == 1
    page.write_text("no marks", encoding="utf-8")
    with pytest.raises(ValueError, match="no place"):
        write(page, table)


def test_every_row_of_the_page_is_of_a_family_and_the_other_way_round() -> None:
    text = DOCS.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    titles = [row.split("|")[1].rpartition(",")[0].strip() for row in text.strip().splitlines()[2:]]
    assert titles == [row.title for row in ROWS]
