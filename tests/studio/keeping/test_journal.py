"""The journal: each state comes back byte for byte; damage costs what is behind it, never what is before."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from pipelines.errors import JournalNotKept
from pipelines.graph.document import Graph, NodeRecord
from studio.keeping import journal
from studio.keeping.journal import JournalWriter, State, has_ended, read
from tests.helpers.studio_fakes import template

ODD = b'{ "later" : 1e5,\n "nodes": {"z": {"type": "from.elsewhere", "params": {"a": 1.50}}}, "format": 1}'


def states(count: int) -> list[State]:
    graph, found = Graph.loads(ODD), []
    for number in range(count):
        found.append(
            State(graph, float(number), f"step {number}", "/a.json", "a", "a-1", (3, number), True, False)
        )
        graph = graph.with_param("z", "n", number) if number % 3 else graph.with_node(
            f"n{number}", NodeRecord.new("a.b")
        )  # fmt: skip
    return found


def same(found: tuple[State, ...], written: list[State]) -> bool:
    texts = [state.graph.dumps() for state in written]
    return [state.graph.dumps() for state in found] == texts and [state.about() for state in found] == [
        json.loads(json.dumps(state.about())) | {"stamp": state.stamp} for state in written
    ]


def test_states_come_back_byte_for_byte(tmp_path: Path) -> None:
    writer, written = JournalWriter(tmp_path), states(20)
    for state in written:
        writer.write(state)
    found = read(writer.path)
    assert same(found.states, written)
    assert (found.ended, found.whole) == (False, True)
    writer.end(written[-1])
    assert read(writer.path).ended
    assert has_ended(writer.path)
    writer.path.write_bytes(writer.path.read_bytes()[:-1])
    assert not has_ended(writer.path)


def test_another_document_is_written_whole(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    one, other = State(template()), State(Graph.loads(ODD))
    for state in (one, other, one):
        writer.write(state)
    assert [item.graph.dumps() for item in read(writer.path).states] == [
        item.graph.dumps() for item in (one, other, one)
    ]


def test_damage_costs_what_is_behind_it(tmp_path: Path) -> None:
    writer, written, ends = JournalWriter(tmp_path), states(9), []
    for state in written:
        writer.write(state)
        ends.append(writer.path.stat().st_size)
    data = writer.path.read_bytes()
    for cut in range(0, len(data), 7):
        writer.path.write_bytes(data[:cut])
        found = read(writer.path)
        assert len(found.states) == sum(end <= cut for end in ends)
        assert same(found.states, written[: len(found.states)])
        assert found.whole == (cut in (0, *ends))
    for at in range(0, len(data), 11):
        writer.path.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        found = read(writer.path)
        assert len(found.states) == sum(end <= at for end in ends)
        assert not found.whole


@pytest.mark.parametrize("content", [b"{", b"\0" * 99, journal.MAGIC + b"\xff" * 40, b"DIPTYCH JOURNAL 2\n"])
def test_garbage_is_no_journal(tmp_path: Path, content: bytes) -> None:
    (tmp_path / journal.NAME).write_bytes(content)
    found = read(tmp_path / journal.NAME)
    assert (found.states, found.whole) == ((), False)


def test_a_record_that_unpacks_to_too_much_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = JournalWriter(tmp_path)
    writer.write(State(template()))
    monkeypatch.setattr(journal, "MAX_GRAPH", 1000)
    packed = zlib.compress(b"x" * 10_000)
    record = journal._HEAD.pack(len(packed), journal.blake3(packed).digest(16)) + packed
    writer.path.write_bytes(journal.MAGIC + record)
    assert read(writer.path).states == ()


def test_it_is_bounded_and_the_one_before_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_RECORDS", 5)
    writer, written = JournalWriter(tmp_path), states(13)
    for state in written:
        writer.write(state)
    assert same(read(writer.path).states, written[10:])
    assert same(read(tmp_path / journal.BEFORE).states, written[5:10])


def test_a_new_session_keeps_the_journal_until_its_own_is_safe(tmp_path: Path) -> None:
    written = states(4)
    first = JournalWriter(tmp_path)
    for state in written[:3]:
        first.write(state)
    JournalWriter(tmp_path).end(written[0])  # nothing was done, and what is found counts as told
    assert read(first.path).ended
    JournalWriter(tmp_path).write(written[3])
    assert same(read(first.path).states, written[3:])
    assert read(tmp_path / journal.BEFORE).states


def test_a_journal_that_somebody_changed_is_begun_anew(tmp_path: Path) -> None:
    writer, written = JournalWriter(tmp_path), states(4)
    writer.write(written[0])
    writer.path.unlink()
    writer.write(written[1])
    assert same(read(writer.path).states, written[1:2])
    writer.path.write_bytes(writer.path.read_bytes() + b"tail")
    writer.write(written[2])
    writer.write(written[3])
    assert same(read(writer.path).states, written[2:])


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalNotKept):
        JournalWriter(tmp_path / "file").write(states(1)[0])
