"""The engine in this process, with stub nodes: runs, events, cancel, several jobs, faults."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipelines.engine.protocol import (
    CachedNodes,
    Cancel,
    Failure,
    FindCached,
    KeepResults,
    ListNodes,
    NodeFinished,
    NodeProgress,
    Nodes,
    NodeStarted,
    Problems,
    Ready,
    ResultsKept,
    Run,
    RunFinished,
    RunStarted,
    Saved,
    SaveImage,
    Validate,
)
from tests.helpers.engine_drive import in_process
from tests.helpers.stub_nodes import REGISTRY, RUNS, graph


@pytest.fixture
def drive(tmp_path):
    RUNS.clear()
    made = in_process(tmp_path, REGISTRY).start()
    yield made
    made.client.close()


def numbers(value=1.0):
    return graph(a=("stub.constant", {"value": value}), sum=("stub.add", {"b": 2.0}, {"a": ("a", "value")}))


def test_a_run_tells_its_whole_story(drive):
    finished = drive.run(numbers())
    assert isinstance(drive.events[0], Ready)
    assert drive.of(RunStarted)[0].nodes == ("a", "sum")
    assert [event.node for event in drive.of(NodeStarted)] == ["a", "sum"]
    assert drive.of(NodeFinished)[-1].outputs["value"].value == 3.0
    assert finished.status == "finished"
    assert finished.result["outputs"] == {"sum": {"value": 3.0}}
    assert finished.result["nodes"]["sum"]["status"] == "executed"


def test_each_item_of_a_list_is_told_though_the_node_tells_nothing(drive):
    items = ("stub.items", {"items": ["x", "y", "z"]})
    drive.run(graph(i=items, s=("stub.seeded", {}, {"text": ("i", "items")})))
    told = drive.of(NodeProgress)
    assert [(event.node, event.item, event.items) for event in told] == [("s", at, 3) for at in range(3)]


def test_a_to_b_to_a_runs_two_one_and_no_nodes(drive):
    executed = []
    for value in (1.0, 5.0, 1.0):
        finished = drive.run(numbers(value))
        executed.append(sum(status == "executed" for status in finished.nodes.values()))
    assert executed == [2, 2, 0]
    changed = numbers().with_param("sum", "b", 9.0)
    assert sum(status == "executed" for status in drive.run(changed).nodes.values()) == 1


def test_a_fresh_run_ignores_what_is_cached(drive):
    drive.run(numbers())
    assert set(drive.run(numbers(), fresh=True).nodes.values()) == {"executed"}


def cached(drive, graph):
    drive.client.send(FindCached(request="ask", graph=graph.dumps().decode()))
    return {node.node: node for node in drive.until(CachedNodes, request="ask").nodes}


def test_what_is_cached_is_told_without_a_run(drive):
    drawn = graph(p=("stub.picture", {"size": 64}), s=("stub.shown", {}, {"image": ("p", "image")}))
    assert cached(drive, drawn) == {}
    drive.run(drawn)
    runs = sum(RUNS.values())
    found = cached(drive, drawn)
    assert {node: event.status for node, event in found.items()} == {"p": "cached", "s": "cached"}
    assert found["s"].outputs["image"].images[0].width == 64
    assert cached(drive, drawn.with_param("p", "size", 63)) == {}
    assert sum(RUNS.values()) == runs


def test_a_saved_picture_counts_as_cached_while_its_file_is_as_it_was(drive):
    saved = graph(a=("stub.constant", {"value": "x"}), s=("stub.save", {}, {"text": ("a", "value")}))
    path = drive.run(saved).result["outputs"]["s"]["path"]
    assert set(cached(drive, saved)) == {"a", "s"}
    Path(path).unlink()
    assert set(cached(drive, saved)) == {"a"}


def test_a_key_that_hangs_on_a_value_is_found_where_that_is_cached(drive):
    picked = graph(
        on=("stub.constant", {"value": 1.0}),
        use=("stub.constant", {"value": True}),
        s=("stub.switch", {}, {"on": ("on", "value"), "off": ("on", "value"), "use_on": ("use", "value")}),
    )
    assert cached(drive, picked) == {}
    drive.run(picked)
    assert set(cached(drive, picked)) == {"on", "use", "s"}
    broken = picked.with_node("s", picked.nodes["s"].with_input("on", ("nobody", "value")))
    assert set(cached(drive, broken)) == {"on", "use"}


def test_seeds_are_drawn_at_submit_and_differ(drive):
    seeded = graph(a=("stub.seeded", {"text": "x"}))
    texts = {drive.run(seeded).result["outputs"]["a"]["text"] for _ in range(3)}
    assert len(texts) == 3
    assert all(text.partition(":")[2].isdigit() for text in texts)


def test_cancel_takes_effect_at_the_next_step(drive):
    job = drive.client.submit(graph(a=("stub.slow", {"steps": 100_000})))
    drive.until(NodeProgress)
    started = time.monotonic()
    drive.client.cancel(job)
    assert drive.until(RunFinished).status == "cancelled"
    assert time.monotonic() - started < 2


def test_a_queued_job_can_be_cancelled_while_another_runs(drive):
    first = drive.client.submit(graph(a=("stub.slow", {"steps": 100_000})))
    second = drive.client.submit(numbers())
    drive.until(NodeProgress)
    drive.client.cancel(second)
    assert drive.until(RunFinished).job == second
    drive.client.cancel(first)
    assert drive.until(RunFinished).job == first
    assert RUNS["stub.add"] == 0


def test_a_cancelled_node_is_not_cached(drive):
    slow = graph(a=("stub.slow", {"steps": 60}))
    job = drive.client.submit(slow)
    drive.until(NodeProgress)
    drive.client.cancel(job)
    drive.until(RunFinished)
    assert drive.run(slow).nodes == {"a": "executed"}


def test_a_failing_job_leaves_the_next_alone(drive):
    failed = drive.run(graph(a=("stub.crash",)))
    assert failed.status == "failed"
    assert failed.errors[0].node == "a"
    assert "RuntimeError: boom" in failed.errors[0].message
    assert "Traceback" in failed.errors[0].details
    assert drive.run(numbers()).status == "finished"


def test_an_unreadable_graph_fails_with_the_reason(drive):
    drive.client.send(Run(job="x", graph="{nonsense"))
    finished = drive.until(RunFinished)
    assert finished.status == "failed"
    assert finished.errors[0].code == "GraphUnreadable"


def test_an_invalid_graph_runs_its_healthy_targets(drive):
    both = graph(good=("stub.constant", {"value": 1.0}), bad=("stub.add",))
    finished = drive.run(both)
    assert finished.nodes == {"good": "executed", "bad": "failed"}
    assert finished.status == "failed"
    assert finished.result["nodes"]["bad"]["error"]["port"] == "a"


def test_an_unknown_target_is_an_error_without_a_node(drive):
    finished = drive.run(numbers(), targets=("nowhere",))
    assert finished.status == "failed"
    assert finished.errors[0].code == "UnknownTarget"


def test_pictures_travel_by_file_and_can_be_taken_once(drive):
    from pipelines.engine.exchange import take_pixels

    drive.run(graph(a=("stub.picture", {"size": 5})))
    (ref,) = drive.of(NodeFinished)[-1].outputs["image"].images
    data = take_pixels(drive.client.run_dir, ref)
    assert len(data) == 5 * 5 * 3
    with pytest.raises(OSError):
        take_pixels(drive.client.run_dir, ref)


def test_only_targets_travel_in_full(drive):
    big = graph(a=("stub.picture", {"size": 64}), b=("stub.scribble", {}, {"image": ("a", "image")}))
    drive.run(big)
    shown = {event.node: event.outputs for event in drive.of(NodeFinished)}
    assert shown["a"]["image"].sizes == ((64, 64),)
    assert shown["b"] == {}


def test_a_picture_of_an_earlier_run_can_be_saved_again(drive, tmp_path):
    job = drive.run(graph(a=("stub.picture", {"size": 8}))).job
    drive.client.send(SaveImage(request="s", job=job, node="a", path=str(tmp_path / "again.png")))
    saved = drive.until(Saved)
    assert saved.path == str(tmp_path / "again.png")
    assert (tmp_path / "again.png").stat().st_size > 50
    drive.client.send(SaveImage(request="t", job="other", node="a", path=str(tmp_path / "x.png")))
    assert drive.until(Saved).error.code == "NothingToSave"


def test_validate_and_nodes_answer_while_a_job_runs(drive):
    job = drive.client.submit(graph(a=("stub.slow", {"steps": 100_000})))
    drive.until(NodeProgress)
    broken = graph(a=("stub.add", {}, {"a": ("gone", "value")}))
    drive.client.send(Validate(request="v", graph=broken.dumps().decode()))
    (problem,) = drive.until(Problems).problems
    assert (problem.node, problem.port, problem.arguments["source"]) == ("a", "a", "gone")
    drive.client.send(ListNodes(request="n"))
    assert {node["id"] for node in drive.until(Nodes).nodes} >= {"stub.add", "stub.switch"}
    drive.client.cancel(job)
    drive.until(RunFinished)


def test_cancelling_what_is_not_there_is_harmless(drive):
    drive.client.send(Cancel(job="nothing"))
    assert drive.run(numbers()).status == "finished"
    assert not drive.of(Failure)


def test_results_on_disk_are_there_after_a_new_start(tmp_path):
    slow = graph(a=("stub.slow", {"steps": 80}))
    statuses = []
    for _ in range(2):
        drive = in_process(tmp_path, REGISTRY, disk_cache_bytes=2**20).start()
        statuses.append(drive.run(slow).nodes["a"])
        drive.client.close()
    assert statuses == ["executed", "cached"]
    drive = in_process(tmp_path, REGISTRY).start()  # none is wanted any more, and one is there still
    told = []
    for number, limit in enumerate((None, 2**20, None, 1, 0)):
        drive.client.send(KeepResults(request=str(number), limit=limit, clear=number == 2))
        told.append(drive.until(ResultsKept, request=str(number)))
    assert [(item.results, item.deleted) for item in told] == [(1, 0), (1, 0), (0, 1), (0, 0), (0, 0)]
    assert told[0].bytes == told[2].deleted_bytes > 0
    drive.client.close()
    assert not list(tmp_path.rglob("*.entry"))


def test_views_are_told_what_nodes_hold_that_a_cached_run_left_out(drive):
    shown = graph(
        a=("stub.picture", {"size": 4}),
        b=("stub.shown", {}, {"image": ("a", "image")}),
        c=("stub.passed", {}, {"image": ("b", "image")}),
    )
    drive.run(shown)
    drive.events.clear()
    finished = drive.run(shown)
    assert finished.nodes == {"a": "skipped", "b": "skipped", "c": "cached"}
    told = {event.node: event for event in drive.of(NodeFinished)}
    assert set(told) == {"b", "c"}
    assert told["b"].status == "cached"
    assert told["b"].outputs["image"].sizes == ((4, 4),)
