"""The forecast in the window: asked after changes, shown in words, applied by one click, told when long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from pipelines.engine.protocol import Calibrated, ForecastChange, Forecasted, ForecastModel, NodeProgress
from studio.app import StudioApp, engine_settings
from studio.engine.forecast_words import change_text, range_text, short
from studio.engine.phases import progress_text
from studio.preferences.dialog import Preferences
from studio.settings import Settings, SettingsStore
from tests.helpers.studio_fakes import FakeBridge, template

Open = Callable[..., tuple[StudioApp, FakeBridge]]
GB = 10**9


def made(bridge: FakeBridge, **values: Any) -> Forecasted:
    model = ForecastModel(
        node="draw", model="photos.safetensors", precision="fp16", verdict=values.get("verdict", "fits"),
        weights={"unet": 4 * GB, "vae": GB}, activations=GB, error=0.3,
    )  # fmt: skip
    fields = {
        "request": f"forecast-{len(bridge.forecast_requests)}", "device": "cuda:0", "memory_bytes": 8 * GB,
        "peak_bytes": 6 * GB, "verdict": "fits", "models": (model,), **values,
    }  # fmt: skip
    return Forecasted(**fields)


def asked(studio: StudioApp, bridge: FakeBridge, qtbot: QtBot) -> None:
    bridge.tell_ready()
    qtbot.waitUntil(lambda: len(bridge.forecast_requests) > 0)


def offers(studio: StudioApp) -> list[QAction]:
    return [action for action in studio.forecasts.menu.actions() if action.isEnabled() and action.text()]


def test_it_is_asked_once_the_device_is_known_and_after_changes(open_studio: Open, qtbot: QtBot) -> None:
    studio, bridge = open_studio(template())
    studio.parts.document.set_param("draw", "steps", 9)
    qtbot.wait(600)
    assert bridge.forecast_requests == []
    asked(studio, bridge, qtbot)
    for steps in (10, 11, 12):
        studio.parts.document.set_param("draw", "steps", steps)
    qtbot.waitUntil(lambda: len(bridge.forecast_requests) == 2)
    assert bridge.forecast_requests[-1].nodes["draw"].params["steps"] == 12


def test_what_computes_faster_is_offered_and_chosen_in_one_step(open_studio: Open, qtbot: QtBot) -> None:
    studio, bridge = open_studio(template())
    asked(studio, bridge, qtbot)
    bridge.forecasted.emit(made(bridge, seconds=(1.0, 2.0), openvino=2.14))
    (offer,) = offers(studio)
    assert offer.text() == "Use OpenVINO: about 2.1 times as fast here"
    before = studio.parts.document.graph
    offer.trigger()
    chosen = [node for node in studio.parts.document.graph.nodes.values() if node.type == "model.speed"]
    assert [node.params["runtime"] for node in chosen] == ["openvino"]
    studio.window.actions_.undo()
    assert studio.parts.document.graph == before
    bridge.forecasted.emit(made(bridge, seconds=(1.0, 2.0)))
    assert offers(studio) == []


def test_the_answer_stands_beside_the_device_in_words(open_studio: Open, qtbot: QtBot) -> None:
    studio, bridge = open_studio(template())
    button = studio.window.status.forecast
    assert not button.isVisible()
    asked(studio, bridge, qtbot)
    bridge.forecasted.emit(made(bridge, seconds=(12.2, 19.8)))
    assert button.isVisible()
    assert button.text() == "fits · about 12–20 s"
    assert "fits" in button.accessibleName()
    assert "Photos (fp16)" in button.toolTip()
    assert offers(studio) == []
    bridge.forecasted.emit(made(bridge, request="an older one", verdict="too_large"))
    assert button.text() == "fits · about 12–20 s"
    times = studio.window.create_page.form.findChild(QLabel, "create.speed.times")
    model = (
        made(bridge)
        .models[0]
        .model_copy(update={"seconds": (1.8, 2.0), "seen": True, "plain_seconds": (3.0, 3.2)})
    )
    bridge.forecasted.emit(made(bridge, models=(model,)))
    assert times.text() == "About 1.9 s, 3.1 s without"
    bridge.forecasted.emit(made(bridge, models=()))
    assert not button.isVisible()
    assert times.text() == ""


def test_one_click_makes_it_fit_and_one_undo_takes_it_back(open_studio: Open, qtbot: QtBot) -> None:
    studio, bridge = open_studio(template())
    document = studio.parts.document
    before = document.graph
    asked(studio, bridge, qtbot)
    change = ForecastChange(
        params={"model": {"quantization": "fp8"}, "draw": {"width": 512, "height": 512}},
        verdict="fits", peak_bytes=5 * GB,
    )  # fmt: skip
    bridge.forecasted.emit(made(bridge, verdict="offload", change=change))
    offer, _ = offers(studio)
    assert offer.text() == "Use 8-bit weights, Draw 512 × 512 · fits"
    offer.trigger()
    assert document.graph.nodes["model"].params["quantization"] == "fp8"
    assert document.graph.nodes["draw"].params["width"] == 512
    studio.window.commands.run("edit.undo")
    assert document.graph.dumps() == before.dumps()


def test_a_change_of_what_is_not_in_the_document_is_not_offered(open_studio: Open, qtbot: QtBot) -> None:
    studio, bridge = open_studio(template())
    asked(studio, bridge, qtbot)
    inside = ForecastChange(params={"group/model": {"quantization": "nf4"}}, verdict="fits", peak_bytes=GB)
    bridge.forecasted.emit(made(bridge, verdict="too_large", change=inside))
    assert studio.window.status.forecast.text() == "too large"
    assert offers(studio) == []
    studio.forecasts.apply_change()
    assert "group/model" not in studio.parts.document.graph.nodes


def test_the_computer_is_measured_where_no_time_is_known(open_studio: Open, qtbot: QtBot) -> None:
    studio, bridge = open_studio(template())
    asked(studio, bridge, qtbot)
    bridge.forecasted.emit(made(bridge))
    (offer,) = offers(studio)
    offer.trigger()
    assert bridge.calibrations == 1
    bridge.calibrated.emit(Calibrated(request="calibrate", device="cpu"))
    qtbot.waitUntil(lambda: len(bridge.forecast_requests) == 2)


def test_a_long_run_says_so_once_before_it_starts(open_studio: Open, qtbot: QtBot) -> None:
    studio, bridge = open_studio(template())
    studio.window.show_workspace("create")
    asked(studio, bridge, qtbot)
    bridge.forecasted.emit(made(bridge, seconds=(150.0, 290.0), long=True))
    banner = studio.window.banner
    assert not banner.isVisible()
    studio.parts.tracker.submit()
    assert banner.isVisible()
    assert banner.heading.text() == "This run will take about 2–5 min."
    banner.hide()
    studio.parts.tracker.submit()
    assert not banner.isVisible()


@pytest.mark.parametrize(
    ("least", "most", "text"),
    [(12.2, 19.8, "12–20 s"), (0.2, 0.7, "1 s"), (30.0, 32.0, "31 s"), (40.0, 200.0, "40 s to 3 min 20 s"),
     (121.0, 299.0, "2–5 min"), (7200.0, 14400.0, "2 h 0 min to 4 h 0 min")],
)  # fmt: skip
def test_times_are_no_more_exact_than_is_known(least: float, most: float, text: str) -> None:
    assert range_text(least, most) == text


def test_the_words_of_verdicts_and_changes(tmp_path: Any) -> None:
    bridge = FakeBridge(tmp_path)
    assert short(made(bridge, verdict="offload")) == "fits with offload"
    assert short(made(bridge, verdict="too_large", seconds=(1.0, 2.0))) == "too large"
    change = ForecastChange(
        params={"a": {"quantization": "nf4"}, "b": {"quantization": "nf4"}}, verdict="offload", peak_bytes=1,
        seconds=(60.0, 61.0),
    )  # fmt: skip
    assert change_text(change) == "Use 4-bit weights · fits with offload · about 1 min 0 s"


def test_what_streams_is_told_with_each_step() -> None:
    progress = NodeProgress(job="j", node="n", step=3, total=8, phase="denoising", moved_bytes=1_200_000_000)
    assert progress_text(progress) == "step 3 of 8 · 1.2 GB moved a step"


def test_memory_is_kept_free_for_other_programs(qtbot: QtBot) -> None:
    settings = SettingsStore(None)
    dialog = Preferences(settings)
    qtbot.addWidget(dialog)
    dialog.reserve.setText("1.5")
    dialog.reserve.editingFinished.emit()
    assert settings.values.reserve_gb == 1.5
    assert engine_settings(settings.values).reserve_bytes == 1_500_000_000
    assert engine_settings(Settings()).reserve_bytes == 0
