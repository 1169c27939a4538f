"""Numbers, the switch and lists."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import (
    ArithmeticFailed,
    Cancelled,
    FileMissing,
    InvalidParameter,
    ItemMissing,
    MissingInput,
    TableUnreadable,
    TooManyItems,
)
from pipelines.graph.registry import builtin
from pipelines.graph.values import ListValue
from pipelines.nodes.list import number_range
from pipelines.nodes.number import Operation, calculate

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("operation", "a", "b", "value"),
    [
        ("add", 0.1, 0.2, 0.1 + 0.2), ("subtract", 1, 3, -2), ("multiply", 2, 2.5, 5), ("divide", 1, 4, 0.25),
        ("power", 2, 10, 1024), ("power", 4, 0.5, 2), ("power", 0, 0, 1), ("modulo", 7, 3, 1),
        ("modulo", -7, 3, 2),
        ("min", 1, 2, 1), ("max", 1, 2, 2), ("add", 2**53, 0, 2**53), ("divide", 5e-324, 2, 0),
    ],
)  # fmt: skip
def test_operations(run: Run, operation: str, a: float, b: float, value: float) -> None:
    result = run("number.math", {"operation": operation}, a=a, b=b)
    assert result == value
    assert type(result) is float


@pytest.mark.parametrize(
    ("operation", "a", "b"),
    [
        ("divide", 1, 0), ("modulo", 1, 0), ("power", 0, -1), ("power", -8, 1 / 3), ("power", 10, 400),
        ("multiply", 1e200, 1e200), ("add", 1.7e308, 1.7e308), ("subtract", -1.7e308, 1.7e308),
        ("min", math.nan, 1), ("max", math.inf, 1),
    ],
)  # fmt: skip
def test_what_has_no_finite_result(operation: Operation, a: float, b: float) -> None:
    with pytest.raises(ArithmeticFailed):
        calculate(operation, a, b)


@given(
    st.sampled_from(["add", "subtract", "multiply", "divide", "power", "modulo", "min", "max"]),
    st.floats(),
    st.floats(),
)
def test_any_numbers_give_a_finite_result_or_the_error(operation: Operation, a: float, b: float) -> None:
    with contextlib.suppress(ArithmeticFailed):
        assert math.isfinite(calculate(operation, a, b))


def test_a_number(run: Run) -> None:
    assert run("number.constant", {"value": 3}) == 3
    assert type(run("number.constant", {"value": 3})) is float


@pytest.mark.parametrize(
    ("operation", "answers"),
    [
        ("equal", (False, True, False)), ("not equal", (True, False, True)), ("less", (True, False, False)),
        ("less or equal", (True, True, False)), ("greater", (False, False, True)),
        ("greater or equal", (False, True, True)),
    ],
)  # fmt: skip
def test_comparing(run: Run, operation: str, answers: tuple[bool, ...]) -> None:
    assert (
        tuple(run("number.compare", {"operation": operation}, a=a, b=2.0) for a in (1.0, 2.0, 3.0)) == answers
    )


# --- the switch ------------------------------------------------------------------------------------------


def test_the_switch_wants_only_what_it_passes_on(run: Run) -> None:
    node = builtin()["logic.switch"].node
    assert node.wanted({"use_on": True}) == node.wanted({}) == {"on"}
    assert node.wanted({"use_on": False}) == {"off"}
    assert run("logic.switch", {"use_on": True}, on=1) == 1
    assert run("logic.switch", {"use_on": False}, off=ListValue("ab")) == ListValue("ab")


def test_the_switch_without_what_it_needs(run: Run) -> None:
    with pytest.raises(MissingInput):
        run("logic.switch", {"use_on": False}, on=1)


# --- lists -----------------------------------------------------------------------------------------------


def test_lines(run: Run) -> None:
    assert run("list.text", {"lines": "a\n\n b \r\nc\n"}) == ListValue(["a", " b ", "c"])
    assert run("list.text", {"lines": "a\n\nb", "skip_empty": False}) == ListValue(["a", "", "b"])
    assert run("list.text", {"lines": ""}) == ListValue()


@pytest.mark.parametrize(
    ("start", "stop", "step", "items"),
    [
        (0, 3, 1, [0, 1, 2]), (3, 0, -1, [3, 2, 1]), (0, 3, -1, []), (0, 0, 1, []), (1, 2, 5, [1]),
        (0, 1.1, 0.1, [0.1 * index for index in range(11)]), (0, 0.3, 0.1, [0, 0.1, 0.2]),
    ],
)  # fmt: skip
def test_ranges(run: Run, start: float, stop: float, step: float, items: list[float]) -> None:
    result = run("list.range", {"start": start, "stop": stop, "step": step})
    assert isinstance(result, ListValue)
    assert list(result) == pytest.approx(items)


@given(st.integers(-500, 500), st.integers(-500, 500), st.integers(-50, 50).filter(bool))
def test_whole_ranges_are_pythons(start: int, stop: int, step: int) -> None:
    assert list(number_range(start, stop, step)) == list(range(start, stop, step))


def test_ranges_without_an_end() -> None:
    with pytest.raises(InvalidParameter):
        number_range(0, 1, 0)
    for stop, step in ((1e9, 1), (1, 1e-300), (1e308, 1e-308)):
        with pytest.raises(TooManyItems):
            number_range(0, stop, step)
    with pytest.raises(TooManyItems):
        number_range(-1.7e308, 1.7e308, 1)
    assert len(number_range(0, 100_000, 1)) == 100_000


def test_joining_and_picking(run: Run) -> None:
    items = ListValue(["a", "b", "c"])
    assert run("list.join", {"separator": "\\n"}, items=items) == "a\nb\nc"
    assert run("list.join", {}, items=ListValue()) == ""
    assert [run("list.item", {"index": index}, items=items) for index in (0, 2, -1)] == ["a", "c", "c"]
    for index in (3, -4):
        with pytest.raises(ItemMissing, match="3"):
            run("list.item", {"index": index}, items=items)


# --- tables ----------------------------------------------------------------------------------------------


def ports(path: Path, **params: str) -> list[str]:
    return [port.name for port in builtin()["list.table"].outputs({"path": str(path), **params})]


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_csv_file_makes_a_port_a_column(run: Run, tmp_path: Path, separator: str) -> None:
    path = write(
        tmp_path / "t.csv",
        'name,größe\r\n"a ""x""",1\r\n"two\nlines",2\r\nshort\r\n\r\n'.replace(",", separator),
    )
    assert ports(path) == ["name", "größe"]
    table = run("list.table", {"path": str(path)})
    assert table["name"] == ListValue(['a "x"', "two\nlines", "short"])
    assert table["größe"] == ListValue(["1", "2", ""])


def test_a_jsonl_file(run: Run, tmp_path: Path) -> None:
    rows = [
        {"prompt": "ü", "steps": 4, "on": True},
        {"prompt": None, "steps": 1.5},
        {"prompt": [1, {"a": "é"}]},
    ]
    path = write(
        tmp_path / "t.jsonl", "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n"
    )
    assert ports(path) == ["prompt", "steps", "on"]
    table = run("list.table", {"path": str(path)})
    assert table["prompt"] == ListValue(["ü", "", '[1, {"a": "é"}]'])
    assert table["steps"] == ListValue(["4", "1.5", ""])
    assert table["on"] == ListValue(["true", "", ""])


def test_odd_headers_get_names(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "\ufeffa, a ,,b,a\n1,2,3,4,5\n")
    assert ports(path) == ["a", "a 2", "column 3", "b", "a 3"]


def test_chosen_columns_need_no_look_at_the_file(run: Run, tmp_path: Path) -> None:
    assert ports(tmp_path / "none.csv", columns="b, a") == ["b", "a"]
    write(tmp_path / "t.csv", "a,b,c\n1,2,3\n")
    assert run("list.table", {"path": "t.csv", "columns": "b,a"}) == {
        "b": ListValue(["2"]),
        "a": ListValue(["1"]),
    }
    with pytest.raises(TableUnreadable, match="no column “x”"):
        run("list.table", {"path": "t.csv", "columns": "x"})


def test_the_header_is_read_again_when_the_file_changes(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "a\n1\n")
    assert ports(path) == ["a"]
    write(path, "one,two\n1,2\n")
    assert ports(path) == ["one", "two"]


def test_what_can_not_be_read_has_no_ports(tmp_path: Path) -> None:
    write(tmp_path / "broken.csv", 'a\n"')
    write(tmp_path / "broken.jsonl", "{\n")
    write(tmp_path / "latin.csv", "größe\n", "latin-1")
    write(tmp_path / "wide.csv", ",".join("a" * 300))
    for name in ("none.csv", "broken.jsonl", "latin.csv", "wide.csv", ".", "a\0b"):
        assert ports(tmp_path / name) == []
    assert builtin()["list.table"].outputs({}) == ()
    assert builtin()["list.table"].outputs({"path": 5}) == ()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("t.csv", "", "first line is empty"), ("t.csv", "a\n1,2\n", "Line 2 has 2 cells"),
        ("t.csv", 'a\n"x', "Line"),
        ("t.jsonl", "{}\n", "no columns"), ("t.jsonl", '{"a": 1}\n[1]\n', "Line 2 is not an object"),
        ("t.jsonl", '{"a": NaN}', "NaN"), ("t.jsonl", '{"a": 1, "a": 2}', "twice"),
    ],
)  # fmt: skip
def test_broken_tables_say_where(run: Run, tmp_path: Path, name: str, text: str, words: str) -> None:
    write(tmp_path / name, text)
    with pytest.raises(TableUnreadable, match=words):
        run("list.table", {"path": name, "columns": "a"})


def test_tables_are_bounded_and_can_be_cancelled(run: Run, context: Any, tmp_path: Path) -> None:
    write(tmp_path / "long.csv", "a\n" + "1\n" * 100_001)
    with pytest.raises(TooManyItems):
        run("list.table", {"path": "long.csv", "columns": "a"})
    with (tmp_path / "large.csv").open("wb") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(TableUnreadable, match="larger than"):
        run("list.table", {"path": "large.csv", "columns": "a"})
    with pytest.raises(FileMissing):
        run("list.table", {"path": "none.csv", "columns": "a"})
    context.cancel.cancel()
    with pytest.raises(Cancelled):
        run("list.table", {"path": "long.csv", "columns": "a"})
