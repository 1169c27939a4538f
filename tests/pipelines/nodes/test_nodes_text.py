"""Text nodes: joining, slots, and files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import DiptychError, FileMissing, InvalidParameter, TextNotSaved, TextUnreadable
from pipelines.graph.registry import builtin
from pipelines.nodes.text import MAX_BYTES, fill_template, slots

Run = Callable[..., Any]


def test_a_constant(run: Run) -> None:
    assert run("text.constant", {"text": "ü\n😀"}) == "ü\n😀"


@pytest.mark.parametrize(
    ("a", "b", "separator", "text"),
    [
        ("x", "y", " ", "x y"),
        ("x", "y", "", "xy"),
        ("x", "y", "\\n", "x\ny"),
        ("", "y", ", ", "y"),
        ("x", "", ", ", "x"),
    ],
)
def test_joining(run: Run, a: str, b: str, separator: str, text: str) -> None:
    assert run("text.join", {"separator": separator}, a=a, b=b) == text


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("{a} and {b} and {a}", ["a", "b"]),
        ("{{a}} {b}", ["b"]),
        ("{red|blue} {} {1} {a b} { a }", []),
        ("{über} {_x1}", ["über", "_x1"]),
        ("{template}", []),
        ("{a", []),
        ("{{{a}}}", ["a"]),
        ("{a.__class__} {a[0]} {a!r}", []),
    ],
)
def test_slots_make_ports(template: str, names: list[str]) -> None:
    ports = builtin()["text.template"].inputs({"template": template})
    assert [port.name for port in ports] == names
    assert all(port.required and str(port.type) == "Text" for port in ports)


def test_a_template_that_is_linked_or_no_text_has_no_ports() -> None:
    assert builtin()["text.template"].inputs({"template": 5}) == ()
    assert [port.name for port in builtin()["text.template"].inputs({})] == ["subject", "style"]


def test_filling_slots(run: Run) -> None:
    text = run("text.template", {"template": "{a}, {{b}} {red|blue} {b}"}, a="x", b="{a}")
    assert text == "x, {b} {red|blue} {a}"  # what was filled in is not looked at again


@given(st.text(alphabet="{}ab ", max_size=40))
def test_any_template_is_taken(template: str) -> None:
    filled = fill_template(template, dict.fromkeys(slots(template), ""))
    assert len(filled) <= len(template)
    assert filled.count("a") <= template.count("a")


@given(st.text(max_size=60))
def test_doubled_braces_come_out_as_they_were_meant(text: str) -> None:
    template = text.replace("{", "{{").replace("}", "}}")
    assert slots(template) == ()
    assert fill_template(template, {}) == text


def test_replacing(run: Run) -> None:
    assert run("text.replace", {"find": "a", "replace": "b"}, text="aXa") == "bXb"
    assert run("text.replace", {"find": "\\n", "replace": ", "}, text="a\nb") == "a, b"
    assert run("text.replace", {"find": ".", "replace": ""}, text="a.b") == "ab"
    assert run("text.replace", {"find": "", "replace": "x"}, text="ab") == "ab"


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        ("lower", " one two "),
        ("upper", " ONE TWO "),
        ("title", " One Two "),
        ("sentence", " oNE two "),
        ("trim", "oNE two"),
    ],
)
def test_letters(run: Run, operation: str, text: str) -> None:
    assert run("text.case", {"operation": operation}, text=" oNE two ") == text


def test_sentence_begins_with_a_capital(run: Run) -> None:
    assert run("text.case", {"operation": "sentence"}, text="élan") == "Élan"
    assert run("text.case", {"operation": "sentence"}, text="") == ""


# --- files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"caf\xc3\xa9\r\nx",
        b"\xef\xbb\xbfcaf\xc3\xa9\nx",
        "café\rx".encode("utf-16"),
        "café\nx".encode(),
    ],
)
def test_opening_a_text(run: Run, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.txt").write_bytes(data)
    assert run("text.load", {"path": "x.txt"}) == "café\nx"


def test_texts_that_can_not_be_opened(run: Run, tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    expected: dict[str, type[DiptychError]] = {
        "none.txt": FileMissing, "latin": TextUnreadable, "large": TextUnreadable, "": InvalidParameter,
        "a\0b": TextUnreadable,
    }  # fmt: skip
    for path, error in expected.items():
        with pytest.raises(error):
            run("text.load", {"path": path})


def test_the_key_changes_with_the_file(context: Any, tmp_path: Path) -> None:
    node = builtin()["text.load"].node
    prints = [node.fingerprint({"path": "x"}, context)]
    (tmp_path / "x").write_text("a")
    prints.append(node.fingerprint({"path": "x"}, context))
    (tmp_path / "x").write_text("ab")
    prints.append(node.fingerprint({"path": "x"}, context))
    assert len(set(prints)) == 3
    assert node.fingerprint({}, context)  # the path comes over a link


def test_saving_a_text_keeps_both(run: Run, tmp_path: Path) -> None:
    paths = [run("text.save", {"path": "sub/x.txt"}, text=text) for text in ("a\n", "b\ud800")]
    assert paths == [str(tmp_path / "sub" / "x.txt"), str(tmp_path / "sub" / "x-2.txt")]
    assert Path(paths[0]).read_bytes() == b"a\n"
    assert Path(paths[1]).read_bytes() == b"b?"


def test_saving_a_text_over_another_if_wanted(run: Run, tmp_path: Path) -> None:
    for text in ("a", "b"):
        assert run("text.save", {"path": "x.txt", "existing": "replace"}, text=text) == str(
            tmp_path / "x.txt"
        )
    assert (tmp_path / "x.txt").read_text() == "b"


def test_saving_a_text_without_a_name_or_into_a_folder(run: Run, tmp_path: Path) -> None:
    assert run("text.save", {}, text="a") == str(tmp_path / "pictures" / "text.txt")
    assert run("text.save", {"path": "pictures"}, text="a") == str(tmp_path / "pictures" / "text-2.txt")


def test_a_text_that_can_not_be_saved(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(TextNotSaved, match="The text could not be saved"):
        run("text.save", {"path": "file/x.txt"}, text="a")
