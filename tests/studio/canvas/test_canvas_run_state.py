"""What a run looks like on the canvas, from events as an engine sends them."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QImage

from pipelines.engine.protocol import ErrorData, Failure, ValueRef
from pipelines.errors import SaveFailed
from studio.canvas.items.node import NodeItem
from studio.canvas.items.texts import progress_text, seconds_text, status_text
from studio.canvas.run_state import NodeState
from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from tests.helpers.canvas_fakes import FakeBridge

ALL = ("model", "words", "paint", "blur")


@pytest.fixture
def job(workspace: GraphWorkspace, bridge: FakeBridge) -> str:
    job = workspace.run()
    bridge.start(job, *ALL)
    return job


def item(workspace: GraphWorkspace, node: str) -> NodeItem:
    return workspace.scene.nodes[node]


def failure() -> ErrorData:
    return ErrorData(**SaveFailed(path="a.png", reason="No room.").info().to_json())


def finish_all(bridge: FakeBridge, job: str) -> None:
    for node in ALL:
        bridge.finish(job, node)
    bridge.end(job)


def test_progress_rate_and_preview(workspace: GraphWorkspace, bridge: FakeBridge, job: str) -> None:
    assert item(workspace, "paint").state.status == "queued"
    bridge.begin(job, "paint")
    assert workspace.scene.wires["paint", "prompt"].flowing
    height = item(workspace, "paint").size[1]
    preview = bridge.picture("p", 64, 64).images[0]
    bridge.progress(job, "paint", 7, 16, rate=9.2, preview=preview)
    state = item(workspace, "paint").state
    assert state.fraction == pytest.approx(7 / 16)
    assert status_text(state) == "7/16 · 9.2 it/s"
    assert state.pictures[0].width() == 64
    assert item(workspace, "paint").size[1] > height
    bridge.finish(job, "paint", seconds=1.74, outputs={"image": bridge.picture("q", 128, 64)})
    assert status_text(item(workspace, "paint").state) == "1.7 s"
    assert item(workspace, "paint").state.pictures[0].width() == 128
    assert not workspace.scene.wires["paint", "prompt"].flowing


def test_text_streams_into_its_node(workspace: GraphWorkspace, bridge: FakeBridge) -> None:
    job = workspace.run()
    bridge.start(job, "words")
    bridge.progress(job, "words", 3, 32, unit="token", rate=18.0, text="A small")
    assert workspace.run_state.state("words").text == "A small"
    assert status_text(workspace.run_state.state("words")) == "3 · 18.0 tokens/s"
    bridge.finish(job, "words", outputs={"text": ValueRef(type="Text", value="A small fox.")})
    assert workspace.run_state.state("words").text == "A small fox."


def test_failed_blocked_and_cached(workspace: GraphWorkspace, bridge: FakeBridge, job: str) -> None:
    bridge.finish(job, "model", "cached", 0.0)
    bridge.finish(job, "paint", "failed", error=failure())
    bridge.finish(job, "blur", "blocked", error=failure())
    bridge.end(job, "failed")
    assert item(workspace, "paint").state.errors[0].code == "SaveFailed"
    assert item(workspace, "paint").state.failures == 1
    assert status_text(item(workspace, "blur").state) == "Blocked"
    assert item(workspace, "blur").state.failures == 0
    assert status_text(item(workspace, "model").state) == ""
    again = workspace.run()
    bridge.start(again, *ALL)
    assert item(workspace, "paint").state.errors == ()


def test_what_depends_on_an_edit_is_stale_and_undo_makes_it_good(
    workspace: GraphWorkspace, bridge: FakeBridge, job: str, document: GraphDocument
) -> None:
    finish_all(bridge, job)

    def stale() -> set[str]:
        return {node for node in ALL if item(workspace, node).state.stale}

    assert stale() == set()
    document.set_param("words", "text", "a green pear")
    assert stale() == {"words", "paint", "blur"}
    assert workspace.scene.wires["paint", "prompt"].stale
    assert not workspace.scene.wires["paint", "model"].stale
    document.set_title("model", "My model")
    document.move_nodes({"model": (0, 40)})
    assert "model" not in stale()
    document.set_param("words", "text", "a red apple")
    assert stale() == set()
    document.disconnect_port("paint", "model")
    assert stale() == {"paint", "blur"}
    document.undo_stack.undo()
    assert stale() == set()


def test_an_edit_during_a_run_makes_its_result_stale(
    workspace: GraphWorkspace, bridge: FakeBridge, job: str, document: GraphDocument
) -> None:
    bridge.begin(job, "paint")
    document.set_param("paint", "steps", 30)
    bridge.finish(job, "paint")
    assert item(workspace, "paint").state.stale
    document.undo_stack.undo()
    assert not item(workspace, "paint").state.stale


def test_a_cancelled_run_leaves_nothing_running(
    workspace: GraphWorkspace, bridge: FakeBridge, job: str
) -> None:
    bridge.begin(job, "paint")
    bridge.end(job, "cancelled", paint="cancelled", words="executed")
    assert item(workspace, "paint").state.status == "cancelled"
    assert item(workspace, "blur").state.status == "cancelled"
    assert not workspace.run_state.is_running


def test_a_run_that_cannot_be_served_leaves_nothing_waiting(
    workspace: GraphWorkspace, bridge: FakeBridge, job: str
) -> None:
    bridge.failed.emit(Failure(request="another", error=failure()))
    assert workspace.run_state.is_running
    bridge.failed.emit(Failure(request=job, error=failure()))
    assert not workspace.run_state.is_running
    assert item(workspace, "blur").state.status == "cancelled"


def test_events_for_another_document_or_a_deleted_node_are_ignored(
    workspace: GraphWorkspace, bridge: FakeBridge, job: str, document: GraphDocument
) -> None:
    document.remove_nodes(["blur"])
    bridge.begin(job, "blur")
    bridge.finish(job, "blur")
    document.load_bytes(b'{"nodes": {"paint": {"type": "test.paint"}}}', "Other")
    bridge.progress(job, "paint", 1, 2)
    bridge.finish(job, "paint")
    bridge.finish("nobody", "paint")
    bridge.end(job)
    assert item(workspace, "paint").state.status == ""


def test_nodes_inside_a_subgraph_show_on_the_outer_one(workspace: GraphWorkspace, bridge: FakeBridge) -> None:
    job = workspace.run()
    bridge.start(job, "paint/inner", "paint/other")
    bridge.begin(job, "paint/inner")
    assert item(workspace, "paint").state.status == "running"
    bridge.finish(job, "paint/inner")
    assert item(workspace, "paint").state.status == "running"
    bridge.finish(job, "paint/other", "failed", error=failure())
    assert item(workspace, "paint").state.status == "failed"


def test_a_group_shows_what_its_end_nodes_made(
    workspace: GraphWorkspace, bridge: FakeBridge, document: GraphDocument
) -> None:
    inner = document.group_nodes(["blur"], "Softer")
    group = document.group_nodes(["paint", inner], "Picture")
    job = workspace.run()
    bridge.start(job, "model", "words", f"{group}/paint", f"{group}/{inner}/blur")
    bridge.finish(job, f"{group}/paint", outputs={"image": bridge.picture("p", 64, 32)})
    assert item(workspace, group).state.pictures == (), "nobody sees that from outside"
    value = bridge.picture("b", 128, 64)
    bridge.finish(job, f"{group}/{inner}/blur", outputs={"image": value})
    bridge.end(job)
    state = item(workspace, group).state
    assert [picture.width() for picture in state.pictures] == [128]
    assert state.outputs == {"image": value}
    workspace.canvas.enter(group)
    assert workspace.run_state.state(inner).pictures[0].width() == 128


def test_what_is_cached_shows_without_a_run(
    workspace: GraphWorkspace, bridge: FakeBridge, document: GraphDocument
) -> None:
    assert [graph.nodes.keys() for graph in bridge.asked] == [document.graph.nodes.keys()]
    document.set_param("paint", "steps", 30)
    bridge.tell_cached(words={}, paint={"image": bridge.picture("p", 64, 32)})
    states = {node: item(workspace, node).state for node in ALL}
    assert [state.status for state in states.values()] == ["", "cached", "cached", ""]
    assert [state.stale for state in states.values()] == [False, False, True, False]
    assert states["paint"].pictures[0].width() == 64
    document.undo_stack.undo()
    assert not item(workspace, "paint").state.stale
    bridge.ready.emit(None)  # another engine: what ran meanwhile isn't told anew
    job = workspace.run()
    bridge.start(job, "paint")
    bridge.tell_cached(paint={})
    assert item(workspace, "paint").state.status == "queued"


def test_a_group_is_cached_if_all_that_it_gives_is(
    workspace: GraphWorkspace, bridge: FakeBridge, document: GraphDocument
) -> None:
    inner = document.group_nodes(["blur"], "Softer")
    group = document.group_nodes(["paint", inner], "Picture")
    workspace.run_state.ask()
    bridge.tell_cached(**{f"{group}__paint": {}})
    assert item(workspace, group).state.status == ""
    workspace.run_state.ask()
    bridge.tell_cached(**{f"{group}__{inner}__blur": {"image": bridge.picture("b", 64, 32)}})
    assert item(workspace, group).state.status == "cached"
    assert item(workspace, group).state.pictures[0].width() == 64
    workspace.canvas.enter(group)
    assert [workspace.run_state.state(node).status for node in ("paint", inner)] == ["cached", "cached"]
    workspace.canvas.enter(inner)
    assert workspace.run_state.state("blur").status == "cached"


def test_a_run_goes_on_while_another_document_is_shown(
    workspace: GraphWorkspace, bridge: FakeBridge, job: str, document: GraphDocument
) -> None:
    bridge.begin(job, "paint")
    sheet = document.sheet
    document.load_bytes(document.graph.dumps(), "The same again")
    assert item(workspace, "paint").state.status == ""
    bridge.finish(job, "paint", outputs={"image": bridge.picture("p", 64, 32)})
    assert item(workspace, "paint").state.status == ""
    bridge.end(job)
    document.show_sheet(sheet)
    assert item(workspace, "paint").state.status == "executed"
    assert item(workspace, "paint").state.pictures[0].width() == 64
    assert not workspace.run_state.is_running


def test_a_lost_picture_is_no_picture(workspace: GraphWorkspace, bridge: FakeBridge, job: str) -> None:
    value = bridge.picture("gone")
    bridge.pictures["gone"] = QImage()
    bridge.finish(job, "paint", outputs={"image": value})
    assert item(workspace, "paint").state.pictures == ()
    assert item(workspace, "paint").state.status == "executed"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.001, ""), (0.04, "0.04 s"), (1.25, "1.2 s"), (9.96, "10 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


def test_progress_of_bytes_and_phases() -> None:
    reading = NodeState("running", 3_200_000_000, 6_600_000_000, "reading", "byte")
    assert progress_text(reading) == "3.2 of 6.6 GB"
    assert progress_text(NodeState("running", 0, 0, "encoding")) == "Encoding"


def test_a_thumbnail_shrinks_rather_than_cover_the_node_below(
    workspace: GraphWorkspace, bridge: FakeBridge, job: str, document: GraphDocument
) -> None:
    bridge.finish(job, "paint", outputs={"image": bridge.picture("q", 256, 256)})
    full = item(workspace, "paint").size[1]
    rows = item(workspace, "paint").face.height
    document.move_nodes({"blur": (320, rows + 90)})
    assert rows < item(workspace, "paint").size[1] < rows + 90
    document.undo_stack.undo()
    assert item(workspace, "paint").size[1] == full
