"""Frames and messages: what is written is read, what is torn or oversized is refused."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engine import frames, protocol
from pipelines.engine.protocol import (
    ErrorData,
    Hello,
    NodeFinished,
    Run,
    Settings,
    ValueRef,
    read_event,
    read_request,
)
from pipelines.errors import ModelMissing, ProtocolError


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_frames_come_back_in_order(parts):
    stream = io.BytesIO()
    for part in parts:
        frames.write_frame(stream, part)
    stream.seek(0)
    assert [frames.read_frame(stream) for _ in parts] == parts
    assert frames.read_frame(stream) is None


@pytest.mark.parametrize("data", [b"\0\0", b"\0\0\0\5abc"])
def test_a_torn_stream_is_refused(data):
    with pytest.raises(ProtocolError, match="inside a frame"):
        frames.read_frame(io.BytesIO(data))


def test_an_absurd_length_is_refused_before_memory_is_taken():
    with pytest.raises(ProtocolError, match="longer than"):
        frames.read_frame(io.BytesIO(b"\xff\xff\xff\xff"))


def test_too_long_a_message_is_not_sent(monkeypatch):
    monkeypatch.setattr(frames, "MAX_FRAME", 10)
    with pytest.raises(ProtocolError):
        frames.write_frame(io.BytesIO(), b"x" * 11)


def test_messages_survive_the_wire():
    settings = Settings(data_dir="d", cache_dir="c", output_dir="o")
    for request in (Hello(run_dir="r", settings=settings), Run(job="1", graph="{}", targets=("a",))):
        assert read_request(protocol.write(request)) == request
    error = ErrorData(**ModelMissing(model="x").info().to_json())
    event = NodeFinished(
        job="1", node="a", status="failed", error=error, outputs={"v": ValueRef(type="Seed", value=2**64 - 1)}
    )
    assert read_event(protocol.write(event)) == event


@pytest.mark.parametrize("data", [b"", b"{}", b'{"kind": "nonsense"}', b'{"kind": "run"}', b"\xff"])
def test_what_is_no_message_is_refused(data):
    with pytest.raises(ProtocolError):
        read_request(data)


def test_unknown_fields_of_a_newer_engine_are_ignored():
    assert read_event(b'{"kind": "node_started", "job": "1", "node": "a", "mood": "good"}').node == "a"
