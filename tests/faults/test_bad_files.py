"""Graph files, pictures and tables that were broken on purpose, through the command line's own entry."""

from __future__ import annotations

import io
import json
import random
import struct
import time
import zipfile
import zlib

import numpy as np
import pytest

from pipelines.cli import main
from pipelines.errors import DiptychError, ImageUnreadable
from pipelines.graph import storage
from pipelines.graph.document import Graph
from pipelines.graph.plan import validate
from pipelines.graph.registry import builtin
from pipelines.graph.storage import read_bytes, read_document
from pipelines.graph.values import Image
from pipelines.image import load_image
from pipelines.metadata import graph_of, read_metadata, write_image
from tests.helpers.fault_graphs import document

CHAIN = {"a": {"type": "text.constant"}, "b": {"type": "text.join", "inputs": {"a": ["a", "text"]}}}


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """``call(*words)`` in this process: exit code, output, error output."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = main([str(word) for word in words])
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return code, told.out, told.err

    return run


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "Expecting value"),
        (b"null", "no list of nodes"),
        (b"[" * 100_000, "200 levels"),
        (b'{"nodes":' + b'{"a":' * 100_000, "200 levels"),
        (b'{"nodes": {"a": {"type": "x", "params": {"v": NaN}}}}', "NaN"),
        (b'{"nodes": {"a": {"type": "x", "params": {"v": -Infinity}}}}', "-Infinity"),
        (b'{"nodes": {"a": {"type": "x", "params": {"v": 1e999}}}}', "too large"),
        (b'{"nodes": {}, "n": ' + b"9" * 10_000 + b"}", "10000 digits"),
        (b'{"nodes": {}, "nodes": {}}', "twice"),
        (b'{"nodes": []}', "not an object"),
        (b'{"nodes": {"a": null}}', "Node a"),
        (b'{"nodes": {"a": {"type": 5}}}', "type"),
        (b'{"nodes": {"a": {"type": "x", "inputs": {"i": ["b"]}}}}', "link"),
        (b'{"nodes": {}, "format": 0}', "format"),
        (b"\xff\xfe{\0", "UTF-8"),
        (b"\0" * 1000, "Expecting value"),
        (b'{"nodes": {"a": {"type": "x"', "Line 1"),
        (b"PK\x03\x04 and no archive", "damaged"),
    ],
)
def test_a_file_that_is_no_graph_is_exit_code_two_with_the_reason(call, tmp_path, text, why):
    (tmp_path / "bad.json").write_bytes(text)
    for words in (("validate",), ("run",), ("inputs",)):
        code, out, err = call(*words, "bad.json")
        assert (code, out) == (2, ""), err
        assert why in err
        assert "bad.json" in err


def test_a_graph_from_the_future_is_said_to_be_one(call, tmp_path):
    (tmp_path / "new.json").write_text('{"format": 99, "nodes": {}}')
    code, _, err = call("run", "new.json")
    assert code == 2
    assert "newer version" in err


@pytest.mark.parametrize("name", ["missing.json", "folder", "folder/x.json", "x" * 300, "pipe"])
def test_what_is_no_file_is_no_graph(call, tmp_path, name):
    (tmp_path / "folder").mkdir()
    if name == "pipe":
        os = pytest.importorskip("os")
        if not hasattr(os, "mkfifo"):
            pytest.skip("no named pipes here")
        os.mkfifo(tmp_path / "pipe")
    assert call("validate", name)[0] == 2


def problems(nodes, **fields):
    return [
        (item.node, item.port, item.code)
        for item in validate(Graph.loads(document(nodes, **fields)), builtin())
    ]


def test_every_problem_is_told_with_its_place_at_once(call, tmp_path):
    nodes = {
        **CHAIN,
        "c": {"type": "text.join", "inputs": {"a": ["d", "text"], "b": ["gone", "text"]}},
        "d": {"type": "text.join", "inputs": {"a": ["c", "text"]}},
        "e": {"type": "from.tomorrow", "params": {"x": [1, 2]}, "inputs": {"q": ["nowhere", "out"]}},
        "f": {"type": "text.join", "inputs": {"a": ["a", "no_such_output"], "nope": ["a", "text"]}},
        "g": {"type": "image.resize", "inputs": {"image": ["a", "text"]}},
    }
    found = set(problems(nodes))
    assert {
        ("c", "b", "DanglingLink"),
        ("e", None, "UnknownNodeType"),
        ("e", "q", "DanglingLink"),
        ("f", "a", "UnknownOutput"),
        ("f", "nope", "UnknownInput"),
        ("g", "image", "IncompatibleLink"),
    } <= found
    assert "CycleFound" in {code for _, _, code in found}
    (tmp_path / "bad.json").write_text(document(nodes))
    code, out, _ = call("validate", "bad.json", "--json")
    assert code == 1
    told = json.loads(out)
    assert len(told["problems"]) == len(problems(nodes))
    dangling = next(item for item in told["problems"] if (item["node"], item["port"]) == ("c", "b"))
    assert "gone" in dangling["message"]
    assert all(item["remedy"] for item in told["problems"])


def test_5_000_nodes_are_validated_at_once(call, tmp_path):
    nodes = {"n0": {"type": "text.constant"}}
    nodes |= {
        f"n{index}": {"type": "text.join", "inputs": {"a": [f"n{index - 1}", "text"]}}
        for index in range(1, 5_000)
    }
    (tmp_path / "long.json").write_text(document(nodes))
    began = time.perf_counter()
    assert call("validate", "long.json")[0] == 0
    nodes["n0"] = {"type": "text.join", "inputs": {"a": ["n4999", "text"]}}
    (tmp_path / "ring.json").write_text(document(nodes))
    code, out, _ = call("validate", "ring.json")
    assert code == 1
    assert "circle" in out
    assert time.perf_counter() - began < 30


@pytest.mark.parametrize(
    "view",
    [
        7,
        {"positions": 5},
        {"positions": {"a": "left"}},
        {"positions": {"a": [1e308, -1e308]}},
        {"positions": {"a": [10**390, 0]}},
        {"positions": {"a": [None, {}]}},
        {"waypoints": [1], "frames": "x", "notes": 5},
    ],
)
def test_a_hostile_view_is_kept_and_puts_no_node_out_of_reach(view):
    text = document(CHAIN, view=view)
    graph = Graph.loads(text)
    at = graph.position("a")
    assert at is None or all(abs(value) <= 1e6 for value in at)
    assert graph.dumps().decode() == text
    assert validate(graph, builtin()) == []


def test_an_archive_changed_at_random_is_read_or_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("graph.json", document(CHAIN) * 1 + " " * 500)
    whole = buffer.getvalue()
    choose = random.Random(5)
    refused = 0
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(choose.randint(1, 6)):
            data[choose.randrange(4, len(data))] = choose.randrange(256)
        cut = bytes(data[: choose.randint(5, len(data))])
        try:
            read_bytes(cut if choose.random() < 0.3 else bytes(data), "x.diptych")
        except DiptychError:
            refused += 1
    assert refused > 100


def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(storage, "MAX_GRAPH", 2**20)
    monkeypatch.setattr(storage, "MAX_UNPACKED", 4 * 2**20)
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("it was unpacked"))
    for name, size in (("graph.json", 2 * 2**20), ("other", 8 * 2**20)):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, b" " * size)
        assert len(buffer.getvalue()) < 2**20
        with pytest.raises(DiptychError):
            read_bytes(buffer.getvalue(), "bomb.diptych")


# --- pictures --------------------------------------------------------------------------------------------


@pytest.fixture
def picture(tmp_path):
    """A picture that carries a graph."""
    image = Image(np.full((8, 8, 3), 90, np.uint8), {"prompt": "x", "seed": 3})
    graph = json.loads(document(CHAIN))
    return write_image(image, tmp_path / "made.png", provenance={"graph": graph})


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize("packed", [False, True])
def test_60_mb_of_text_in_a_picture_are_not_read_and_hide_no_pixel(call, picture, packed):
    data = picture.read_bytes()
    text = b"x" * (60 * 2**20)
    body = b"note\0\0" + zlib.compress(text) if packed else b"note\0" + text
    hostile = picture.with_name("hostile.png")
    hostile.write_bytes(data[:33] + chunk(b"zTXt" if packed else b"tEXt", body) + data[33:])
    with pytest.raises(ImageUnreadable):
        read_metadata(hostile)
    for words in (("inspect", hostile), ("inspect", hostile, "--json"), ("run", hostile)):
        code, out, err = call(*words)
        assert code == 2
        assert "MB of text" in err
        assert out == "" or "error" in json.loads(out)
    assert load_image(hostile).pixels[0, 0, 0] == 90


def test_a_picture_cut_anywhere_is_read_or_refused_but_never_crashes(picture):
    data = picture.read_bytes()
    for length in range(0, len(data), 37):
        picture.write_bytes(data[:length])
        for read in (load_image, read_metadata, graph_of, read_document):
            try:
                read(picture)
            except DiptychError:
                continue


def test_a_picture_changed_at_random_is_read_or_refused(picture):
    data, choose = picture.read_bytes(), random.Random(7)
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(8):
            changed[choose.randrange(8, len(data))] = choose.randrange(256)
        picture.write_bytes(changed)
        for read in (load_image, read_document):
            try:
                read(picture)
            except DiptychError:
                continue


def test_a_hostile_graph_inside_a_picture_is_refused_like_any_other(call, picture):
    image = Image(np.zeros((2, 2, 3), np.uint8))
    for number, graph in enumerate((5, {"nodes": []}, {"nodes": {}, "format": 99}, "[" * 100_000)):
        path = write_image(image, picture.with_name(f"{number}.png"), provenance={"graph": graph})
        assert call("validate", path)[0] == 2


# --- tables ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b"who\n" + b'"' + b"x" * 200_000),
        ("c.csv", b"who\n\xff\xfe\n"),
        ("d.jsonl", b'{"who": ' + b"[" * 100_000),
        ("e.jsonl", b'{"who": NaN}\n'),
        ("f.jsonl", b"[1]\n"),
        ("g.csv", b"who,what\n1\n"),
    ],
)
def test_a_broken_table_is_named(call, tmp_path, name, data):
    (tmp_path / "graph.json").write_text(
        document({"a": {"type": "text.constant"}}, exposed={"who": {"node": "a", "param": "text"}})
    )
    (tmp_path / name).write_bytes(data)
    code, _, err = call("run", "graph.json", "--each", name)
    assert code == 2
    assert name in err
