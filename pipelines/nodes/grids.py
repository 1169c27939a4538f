"""Nodes that try out every combination of values, and show what comes of it on one labelled sheet."""

from __future__ import annotations

import re
from itertools import product
from pathlib import PurePath
from typing import Any as AnyValue
from typing import Final

from pydantic import field_validator

from pipelines.errors import SheetEmpty, TooManyItems
from pipelines.graph import types
from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param
from pipelines.graph.types import Any, Image, Integer, Text, list_of
from pipelines.graph.values import ListValue, ModelHandle, Size
from pipelines.image import SheetStyle, SheetWords, columns_of, sheet

MAX_CELLS: Final = 10_000
_LABEL: Final = 120
"""Characters of a value that a label shows."""


def label_of(value: AnyValue, name: str, number: int) -> str:
    """A value in a few words, ``name`` before it; what has no words is counted from 1."""
    match value:
        case bool():
            words = "on" if value else "off"
        case int() | float():
            words = f"{value:.6g}" if isinstance(value, float) else str(value)[:_LABEL]
        case str():
            words = " ".join(value.split()) or "(empty)"
        case ModelHandle():
            words = PurePath(value.id).stem or value.id
        case Size():
            words = f"{value.width} x {value.height}"
        case _:
            words = str(number)
    words = words if len(words) <= _LABEL else words[: _LABEL - 1] + "…"
    return f"{name} {words}" if name else words


def _labels(values: ListValue, name: str) -> list[str]:
    return [label_of(value, name, number) for number, value in enumerate(values, 1)]


class CrossLists(Node):
    """Combine every item of a list with every item of others: a grid of values to try out."""

    id, title, category = "list.grid", "Grid of values", "List"
    inputs = (
        Input("columns", list_of(Any), "Columns", "What changes from left to right."),
        Input("rows", list_of(Any), "Rows", "What changes from top to bottom.", default=None),
        Input(
            "blocks", list_of(Any), "Blocks", "A third one: all rows again for each of these.", default=None
        ),
    )
    outputs = (
        Output("column", list_of(Any), "Column’s value", "The first list’s item, picture by picture."),
        Output("row", list_of(Any), "Row’s value", "The second list’s item, picture by picture."),
        Output("block", list_of(Any), "Block’s value", "The third list’s item, picture by picture."),
        Output(
            "seed", list_of(types.Seed), "Seed", "One seed for all, so that only what is crossed differs."
        ),
        Output("column_labels", list_of(Text), "Column labels", "For the sheet."),
        Output("row_labels", list_of(Text), "Row labels", "For the sheet."),
        Output("count", Integer, "Count", "How many combinations there are."),
    )
    preview = "count"

    class Params(NodeParams):
        column_name: str = Param("", "Name of columns", "Stands before each label (Steps 20).", max_length=60)
        row_name: str = Param("", "Name of rows", "Stands before each label.", max_length=60)
        block_name: str = Param("", "Name of blocks", "Stands before each label.", max_length=60)
        seed: int | None = Param(
            None, "Seed", "The same for every combination.", widget="seed", ge=0, lt=2**64, primary=True
        )

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        columns, rows, blocks = (inputs.get(name) for name in ("columns", "rows", "blocks"))
        lists = [values if values is not None else ListValue([None]) for values in (blocks, rows, columns)]
        count = len(lists[0]) * len(lists[1]) * len(lists[2])
        if count > MAX_CELLS:
            raise TooManyItems(count=f"{count:,}", limit=f"{MAX_CELLS:,}")
        cells = list(product(*lists))
        of_rows = _labels(rows, params.row_name) if rows is not None else [""]
        of_blocks = _labels(blocks, params.block_name) if blocks is not None else [""]
        both = (" · ".join(filter(None, words)) for words in product(of_blocks, of_rows))
        given = rows is not None or blocks is not None
        return {
            "column": ListValue(cell[2] for cell in cells),
            "row": ListValue(cell[1] for cell in cells) if rows is not None else ListValue(),
            "block": ListValue(cell[0] for cell in cells) if blocks is not None else ListValue(),
            "seed": ListValue([params.seed or 0] * count),
            "column_labels": ListValue(_labels(columns or ListValue(), params.column_name)),
            "row_labels": ListValue(both if given else ()),
            "count": count,
        }


class PictureSheet(Node):
    """Lay pictures out in rows and columns on one sheet, with labels."""

    id, title, category = "image.grid", "Sheet of pictures", "Image"
    inputs = (
        Input("images", list_of(Image), "Images", "The pictures, row by row."),
        Input("column_labels", list_of(Text), "Column labels", "Written above the columns.", default=None),
        Input("row_labels", list_of(Text), "Row labels", "Written left of the rows.", default=None),
        Input("captions", list_of(Text), "Captions", "Written below each picture.", default=None),
    )
    outputs = (Output("image", Image),)
    preview = "image"

    class Params(NodeParams):
        columns: int = Param(
            0, "Columns", "How many pictures stand side by side.", ge=0, le=1000, primary=True,
            empty="As labelled, or square",
        )  # fmt: skip
        heading: str = Param("", "Heading", "Written above the whole.", max_length=500, primary=True)
        text_size: int = Param(
            20, "Text size", "Height of the letters.", unit="px", ge=6, le=400, primary=True
        )
        gap: int = Param(8, "Gap", "Between the pictures.", unit="px", ge=0, le=1000, advanced=True)
        largest: int = Param(
            0, "Largest side", "Pictures with a longer side are shown smaller.", unit="px", ge=0, le=65_536,
            empty="As they are", advanced=True,
        )  # fmt: skip
        background: str = Param(
            "#ffffff", "Background", "As #rrggbb; the letters are black or white on it.", widget="color",
            max_length=7, advanced=True,
        )  # fmt: skip

        @field_validator("background")
        @classmethod
        def _is_colour(cls, value: str) -> str:
            if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
                raise ValueError("Write a colour as #rrggbb.")
            return value

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        images = inputs["images"]
        if not images:
            raise SheetEmpty(port="images")
        names = ("column_labels", "row_labels", "captions")
        columns, rows, captions = (tuple(inputs.get(name) or ()) for name in names)
        style = SheetStyle(params.gap, params.text_size, params.background, params.largest)
        words = SheetWords(columns, rows, captions, params.heading)
        wide = columns_of(len(images), params.columns, len(columns), len(rows))
        return {"image": sheet(images, wide, words, style)}


NODES = (CrossLists, PictureSheet)
