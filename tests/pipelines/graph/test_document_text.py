"""Documents keep every byte they were read with, and what isn't one is refused in clear words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import paths
from pipelines.errors import DiptychError, GraphFromTheFuture, GraphUnreadable
from pipelines.graph import jsontext
from pipelines.graph.document import Graph, NodeRecord

ODD = b"""\xef\xbb\xbf{ "zebra": [1e5, 1.50, -0, -0.0, 1E+2, 0.10],
\t"nodes": {"b": {"type": "stub.add", "version": 1, "params": {"a": 1e5, "b": 1.50}, "later": {"x": -0}},
  "a": {"version": 9, "type": "from.elsewhere", "inputs": {}, "params":
   {"z": "\\u00e9\\ud83d\\ude00", "a": [ ]}}},
 "format": 1, "apple": null
}"""

NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(["1e5", "1.50", "-0", "-0.0", "1E+2", "0.10", "1e-400", "2.50e-3", "1.0", "100000.0"]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
NAMES = st.text(st.characters(exclude_categories=()), max_size=6)


@st.composite
def json_text(draw: Any, depth: int = 3) -> str:
    """A JSON value as text, with numbers, spaces and escapes as nobody's writer would choose them."""
    gap = draw(st.sampled_from(["", " ", "\n", "\t "]))
    kinds = ["number", "text", "word"] + (["list", "object"] if depth else [])
    match draw(st.sampled_from(kinds)):
        case "number":
            return gap + str(draw(NUMBERS))
        case "text":
            return gap + json.dumps(draw(NAMES), ensure_ascii=draw(st.booleans()) or True)
        case "word":
            return gap + str(draw(st.sampled_from(["true", "false", "null"])))
        case "list":
            items = draw(st.lists(json_text(depth - 1), max_size=3))
            return f"{gap}[{','.join(items)}{gap}]"
        case _:
            names = draw(st.lists(NAMES, max_size=3, unique=True))
            pairs = [f"{gap}{json.dumps(name)}:{draw(json_text(depth - 1))}" for name in names]
            return f"{gap}{{{','.join(pairs)}{gap}}}"


def document(params: str, extra: str = "null") -> bytes:
    node = f'{{"type":"stub.any","params":{{"p":{params}}},"odd":{extra}}}'
    return f'{{"more":{extra},"nodes":{{"n":{node}}},"format":1}}'.encode()


def test_an_unedited_document_is_written_as_it_was_read() -> None:
    assert Graph.loads(ODD).dumps() == ODD


def test_an_edit_that_is_undone_leaves_no_trace() -> None:
    graph = Graph.loads(ODD)
    original = graph.nodes["b"].params["a"]
    edited = graph.with_param("b", "a", 7)
    assert edited.dumps() != ODD
    assert edited.with_param("b", "a", original).dumps() == ODD


def test_an_edit_keeps_number_literals_key_order_and_unknown_fields() -> None:
    text = Graph.loads(ODD).with_param("b", "a", 2).dumps().decode()
    read = json.loads(text)
    assert list(read) == ["zebra", "nodes", "format", "apple"]
    assert list(read["nodes"]) == ["b", "a"]
    assert list(read["nodes"]["a"]) == ["version", "type", "inputs", "params"]
    assert "[1e5, 1.50, -0, -0.0, 1E+2, 0.10]" in text
    assert '"b": 1.50' in text
    assert '"x": -0' in text
    assert '"a": 2' in text
    assert read["apple"] is None


@settings(max_examples=150, database=None, deadline=None, derandomize=True)
@given(params=json_text(), extra=json_text())
def test_any_document_survives(params: str, extra: str) -> None:
    raw = document(params, extra)
    graph = Graph.loads(raw)
    assert graph.dumps() == raw
    other = graph.with_field("title", "x").dumps()
    again = Graph.loads(other)
    assert again.dumps() == other
    assert jsontext.canonical(again.nodes["n"].fields) == jsontext.canonical(graph.nodes["n"].fields)
    assert again.with_field("more", 0).dumps() == graph.with_field("title", "x").with_field("more", 0).dumps()


@settings(max_examples=100, database=None, deadline=None, derandomize=True)
@given(text=NUMBERS)
def test_number_literals_survive_an_edit_elsewhere(text: str) -> None:
    written = Graph.loads(document(text)).with_field("title", "x").dumps().decode()
    assert f'"p": {text}\n' in written


def test_half_a_surrogate_pair_can_be_written_again() -> None:
    raw = b'{"nodes": {"n": {"type": "t", "params": {"p\\udc00": "\\ud800"}}}}'
    edited = Graph.loads(raw).with_field("title", "x").dumps()
    assert Graph.loads(edited).nodes["n"].params == {"p\udc00": "\ud800"}


def test_new_documents_are_sorted_with_one_param_a_line() -> None:
    record = NodeRecord.new("t", params={"b": 2, "a": [1, 2]}, inputs={"z": ("m", "o")})
    graph = Graph().with_node("n", record).with_node("m", NodeRecord.new("t"))
    lines = graph.dumps().decode().splitlines()
    assert list(json.loads(graph.dumps())) == ["format", "nodes"]
    assert '        "a": [1, 2],' in lines
    assert '        "b": 2' in lines
    assert [line.strip() for line in lines if line.startswith('    "')] == ['"m": {', '"n": {']


@pytest.mark.parametrize("name", [path.name for path in (paths.RESOURCES / "templates").glob("*.json")])
def test_templates_are_written_in_our_own_layout(name: str) -> None:
    raw = (paths.RESOURCES / "templates" / name).read_bytes()
    graph = Graph.loads(raw)
    fresh = Graph(graph.nodes, graph.fields, nodes_at=graph.nodes_at)
    assert fresh.dumps() == raw


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"nodes": {"n": {"type": "t", "params": {"x": NaN}}}}', "NaN"),
        (b'{"nodes": {"n": {"type": "t", "params": {"x": -Infinity}}}}', "-Infinity"),
        (b'{"nodes": {"n": {"type": "t", "params": {"x": 1e999}}}}', "1e999 is too large"),
        (b'{"nodes": {}, "x": ' + b"9" * 5000 + b"}", "5000 digits"),
        (b'{"nodes": {"n": {"type": "a", "type": "b"}}}', "\u201ctype\u201d is there twice"),
        (b'{"nodes": {"n": {}}, "a": {"k": 1, "\\u006b": 2}}', "\u201ck\u201d is there twice"),
        (b"[" * 100_000 + b"]" * 100_000, "more than 200 levels"),
        (b'{"a":' * 100_000, "more than 200 levels"),
        (b'{"nodes": {"caf\xe9": 1}}', "not UTF-8 text (byte 15)"),
        (b'{"nodes": {},\n  "x": }', "Line 2, column 8"),
        (b"", "Line 1, column 1"),
        (b'{"nodes": {"n": "' + b'\\"' * 300_000, "Line 1"),
        (b"[1, 2]", "not a Diptych graph"),
        (b'{"format": 1}', "not a Diptych graph"),
        (b'{"nodes": [], "format": 1}', "nodes are not an object"),
        (b'{"nodes": {}, "format": "1"}', "format is not a whole number"),
        (b'{"nodes": {}, "format": true}', "format is not a whole number"),
        (b'{"nodes": {"n": 5}}', "Node n: it is not an object"),
        (b'{"nodes": {"n": {"params": {}}}}', "Node n: its type is missing"),
        (b'{"nodes": {"n": {"type": ["t"]}}}', "Node n: its type is missing"),
        (b'{"nodes": {"n": {"type": "t", "version": 1.5}}}', "Node n: its version"),
        (b'{"nodes": {"n": {"type": "t", "title": 5}}}', "Node n: its title"),
        (b'{"nodes": {"n": {"type": "t", "mode": []}}}', "Node n: its mode is not one of active"),
        (b'{"nodes": {"n": {"type": "t", "params": []}}}', "Node n: params and inputs"),
        (b'{"nodes": {"n": {"type": "t", "inputs": {"a": ["m"]}}}}', "the input a is not a link"),
        (b'{"nodes": {"n": {"type": "t", "inputs": {"a": ["m", 1]}}}}', "the input a is not a link"),
    ],
)  # fmt: skip
def test_what_is_no_document_is_refused_with_the_reason(raw: bytes, words: str) -> None:
    with pytest.raises(GraphUnreadable) as caught:
        Graph.loads(raw, "My graph.json")
    assert words in str(caught.value)
    assert str(caught.value).startswith("My graph.json can't be opened.")


def test_text_that_utf8_cannot_say_is_refused_too() -> None:
    with pytest.raises(GraphUnreadable, match="UTF-8"):
        Graph.loads('{"nodes": {}, "x": "\ud800"}')


def test_brackets_in_strings_have_no_depth() -> None:
    raw = json.dumps({"nodes": {}, "x": '[{"' * 1000, "y": "\\"}).encode()
    assert Graph.loads(raw).dumps() == raw


def test_a_newer_format_is_refused_without_touching_it() -> None:
    with pytest.raises(GraphFromTheFuture) as caught:
        Graph.loads(b'{"format": 2, "nodes": []}', "new.json")
    assert "format 2, this version knows 1" in str(caught.value)


@settings(max_examples=200, database=None, deadline=None, derandomize=True)
@given(raw=st.binary(max_size=60) | st.text('[]{}":,\\ntfu0123e.-I \n', max_size=40).map(str.encode))
def test_arbitrary_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        graph = Graph.loads(raw)
    except DiptychError:
        return
    assert graph.dumps() == raw


def test_reading_takes_linear_time_for_a_large_document(tmp_path: Path) -> None:
    nodes = {f"n{i}": {"type": "stub.add", "params": {"a": i}} for i in range(5000)}
    raw = json.dumps({"format": 1, "nodes": nodes}).encode()
    assert len(Graph.loads(raw).nodes) == 5000
