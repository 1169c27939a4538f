"""Runs beside Generate, in the real window with a bridge that plays the engine; and recent files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from pipelines.engine.protocol import NodeFinished, RunFinished, RunStarted, ValueRef
from pipelines.graph.registry import builtin
from studio.actions import run_modes
from studio.actions.run_modes import RunModes, with_later_seeds
from studio.app import StudioApp
from studio.panels.several_runs import SeveralRuns
from tests.helpers.studio_fakes import FakeBridge, picture, template

Open = Callable[..., tuple[StudioApp, FakeBridge]]
Desk = tuple[StudioApp, FakeBridge, RunModes]


@pytest.fixture
def desk(open_studio: Open, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(run_modes, "DELAY_MS", 0)
    studio, bridge = open_studio(template())
    studio.window.show_workspace("graph")
    bridge.tell_ready()
    return studio, bridge, studio.window.actions_.runs


def finish(bridge: FakeBridge, seconds: float = 0.2, status: str = "executed") -> None:
    """The last run goes well."""
    job, graph = bridge.submitted[-1]
    bridge.tell_started(job)
    for node in graph.nodes:
        bridge.node_finished.emit(NodeFinished(job=job, node=node, status=status))
    states: dict[str, Any] = dict.fromkeys(graph.nodes, status)
    bridge.run_finished.emit(RunFinished(job=job, status="finished", seconds=seconds, nodes=states))


def test_only_what_is_stale_is_run(desk: Desk) -> None:
    studio, bridge, runs = desk
    document = studio.parts.document
    (end,) = document.graph.sinks()
    studio.window.commands.run("run.stale")
    assert bridge.targets[bridge.submitted[-1][0]] == (end,)
    finish(bridge)
    assert runs.stale_targets() == ()
    studio.window.commands.run("run.stale")
    assert len(bridge.submitted) == 1
    document.set_title("draw", "Only a name")
    assert runs.stale_targets() == ()
    document.set_param("draw", "steps", 3)
    assert runs.stale_targets() == (end,)
    studio.window.commands.run("run.all")
    assert bridge.targets[bridge.submitted[-1][0]] is None
    finish(bridge, status="failed")
    assert runs.stale_targets() == (end,), "what failed isn't there"


def test_ends_inside_of_groups_run_and_their_pictures_are_results(desk: Desk) -> None:
    studio, bridge, runs = desk
    document, results = studio.parts.document, studio.parts.tracker.results
    (end,) = document.graph.sinks()
    group = document.group_nodes([end], "Output")
    assert runs.stale_targets() == (f"{group}/{end}",)
    studio.window.commands.run("run.stale")
    job = bridge.submitted[-1][0]
    bridge.run_started.emit(RunStarted(job=job, nodes=(f"{group}/{end}",)))
    shown = ValueRef(type="Image", images=(bridge.ref(picture()),))
    bridge.node_finished.emit(
        NodeFinished(job=job, node=f"{group}/{end}", status="executed", outputs={"image": shown})
    )
    bridge.run_finished.emit(RunFinished(job=job, status="finished", seconds=1.0))
    assert len(results.results) == 1
    assert runs.stale_targets() == ()


def test_several_runs_are_queued_as_the_document_is_now(desk: Desk) -> None:
    studio, bridge, _ = desk
    document = studio.parts.document
    document.set_param("draw", "seed", 7)
    studio.window.commands.run("run.several")
    dialog = studio.window.findChild(SeveralRuns)
    assert dialog is not None
    dialog.count.set_value(3)
    dialog.go.click()
    document.set_param("draw", "seed", 1)
    assert [graph.nodes["draw"].params["seed"] for _, graph in bridge.submitted] == [9, 8, 7]
    assert [run.settings["seed"] for run in studio.parts.tracker.runs] == [9, 8, 7]
    assert studio.parts.tracker.waiting == 2


def test_empty_seeds_stay_empty_and_large_ones_go_round() -> None:
    graph = template().with_param("draw", "seed", 2**64 - 1)
    assert with_later_seeds(graph, builtin(), 2).nodes["draw"].params["seed"] == 1
    empty = template().with_param("draw", "seed", None)
    assert with_later_seeds(empty, builtin(), 2) is empty


def test_each_change_is_run_while_runs_are_cheap(desk: Desk, qtbot: QtBot) -> None:
    studio, bridge, runs = desk
    document, action = studio.parts.document, studio.window.commands.action("run.on_change")
    action.trigger()
    assert runs.on_change
    assert action.isChecked()
    qtbot.waitUntil(lambda: len(bridge.submitted) == 1)
    finish(bridge)
    document.move_nodes({"draw": (5.0, 5.0)})
    document.set_param("draw", "steps", 3)
    qtbot.waitUntil(lambda: len(bridge.submitted) == 2)
    document.set_param("draw", "steps", 4)
    document.set_param("draw", "steps", 5)
    qtbot.wait(20)
    assert len(bridge.submitted) == 2, "one at a time"
    finish(bridge)
    qtbot.waitUntil(lambda: len(bridge.submitted) == 3)
    assert bridge.submitted[-1][1].nodes["draw"].params["steps"] == 5
    finish(bridge, seconds=5.1)
    assert not runs.on_change, "that is too dear"
    assert not action.isChecked()
    document.set_param("draw", "steps", 6)
    qtbot.wait(20)
    assert len(bridge.submitted) == 3


def test_places_alone_and_other_documents_are_not_run(desk: Desk, qtbot: QtBot) -> None:
    studio, bridge, runs = desk
    studio.window.commands.run("run.on_change")
    qtbot.waitUntil(lambda: len(bridge.submitted) == 1)
    finish(bridge)
    studio.parts.document.move_nodes({"draw": (5.0, 5.0)})
    studio.parts.document.set_title("draw", "Other")
    qtbot.wait(20)
    assert len(bridge.submitted) == 1
    studio.parts.document.load_bytes(template("variations").dumps(), "From elsewhere")
    qtbot.wait(20)
    assert not runs.on_change
    assert len(bridge.submitted) == 1


def test_recent_files_are_offered_and_can_be_forgotten(
    open_studio: Open, tmp_path: Path, qtbot: QtBot
) -> None:
    here = tmp_path / "a & b.json"
    here.write_bytes(template().dumps())
    studio, _ = open_studio(recent=(str(here), str(tmp_path / "gone.json")))
    menu = studio.window.recent
    menu.fill()
    first, second = menu.actions()[:2]
    assert "a && b.json" in first.text()
    assert first.isEnabled()
    assert not second.isEnabled()
    assert second.text().endswith("gone.json — not there any more")
    page = studio.window.start_page
    gone = page.recent[str(tmp_path / "gone.json")]
    qtbot.waitUntil(lambda: not gone.isEnabled())
    assert gone.text() == "gone.json — not there any more"
    assert page.recent[str(here)].isEnabled()
    first.trigger()
    qtbot.waitUntil(lambda: studio.parts.document.path == here)
    menu.forget()
    menu.aboutToShow.emit()
    assert studio.parts.settings.values.recent == ()
