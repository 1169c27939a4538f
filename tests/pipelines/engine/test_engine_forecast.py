"""The engine says what a graph will need, and learns from what it ran."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.engine.protocol import Calibrate, Calibrated, Failure, Forecast, Forecasted
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.registry import builtin
from pipelines.models.forecast.history import NAME
from tests.helpers.engine_drive import Drive, in_process


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Drive]:
    made = in_process(tmp_path, builtin(), device="cpu").start()
    yield made
    made.client.close()


def drawing(model: str = "starter/text-to-image", **params: object) -> Graph:
    values = {"prompt": "a", "width": 64, "height": 64, "steps": 2, "seed": 1, **params}
    draw = NodeRecord.new("diffusion.text_to_image", params=values, inputs={"model": ("model", "model")})
    loader = NodeRecord.new("model.diffusion", params={"model": model})
    return Graph().with_node("model", loader).with_node("draw", draw)


def ask(drive: Drive, graph: Graph, request: str) -> Forecasted:
    drive.client.send(Forecast(request=request, graph=graph.dumps().decode()))
    return drive.until(Forecasted, request=request)


@pytest.mark.starter
def test_a_run_teaches_the_next_forecast(drive: Drive, tmp_path: Path) -> None:
    before = ask(drive, drawing(), "before")
    assert (before.device, before.seconds, before.models[0].seen) == ("cpu", None, False)
    assert set(before.models[0].weights) == {"text_encoder", "unet", "vae"}
    assert before.peak_bytes > sum(before.models[0].weights.values())
    finished = drive.run(drawing())
    assert finished.nodes["draw"] == "executed"
    kept = tmp_path / "cache" / NAME
    end = time.monotonic() + 10
    while not kept.exists() and time.monotonic() < end:
        time.sleep(0.02)
    (row,) = json.loads(kept.read_text())
    drive.client.close()
    assert 0 < row["seconds"][0] <= finished.seconds
    again = in_process(tmp_path, builtin(), device="cpu").start()
    after = ask(again, drawing(), "after")
    other = ask(again, drawing(steps=2, width=128), "other")
    again.client.close()
    assert after.models[0].seen
    assert after.seconds is not None
    assert after.seconds[0] <= row["seconds"][0] <= after.seconds[1]
    assert other.seconds is None


def test_the_device_is_measured_on_demand(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.models.forecast.calibration.SECONDS", 0.01)
    drive.client.send(Calibrate(request="measure"))
    assert drive.until(Calibrated).request == "measure"
    assert (drive.folder / "cache" / "calibration.json").is_file()


def test_openvino_is_offered_where_it_wins_and_is_not_chosen_yet(drive: Drive) -> None:
    measured = {"device": "cpu", "products": {"bf16": 1e11}, "copy": 1e9, "disk": 1e9}
    kept = drive.folder / "cache" / "calibration.json"
    kept.parent.mkdir(exist_ok=True)
    offered = []
    speed = NodeRecord.new(
        "model.speed", params={"runtime": "openvino"}, inputs={"model": ("model", "model")}
    )
    chosen = drawing().with_node("speed", speed).with_link("draw", "model", ("speed", "model"))
    packed = drawing().with_param("model", "quantization", "int8")
    for times, graph in ((2.5, drawing()), (1.4, drawing()), (2.5, chosen), (2.5, packed)):
        kept.write_text(json.dumps({**measured, "openvino": times}))
        offered.append(ask(drive, graph, f"ask {len(offered)}").openvino)
    assert offered == [2.5, 0, 0, 0]


def test_what_is_no_graph_is_an_answer_too(drive: Drive) -> None:
    missing = ask(drive, drawing("nowhere"), "missing")
    assert (missing.models, missing.verdict) == ((), "fits")
    assert "nowhere" in missing.problems["draw"]
    drive.client.send(Forecast(request="broken", graph="{"))
    assert drive.until(Failure).request == "broken"
