"""Pickles are offered to be converted wherever one meets them: dropped, in a problem, after a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QPushButton

from pipelines.engine.protocol import ErrorData, ModelConverted, ModelProgress, Problems
from pipelines.errors import ConversionRefused, ModelPickled
from studio.app import StudioApp
from studio.models.convert_dialog import ConvertDialog
from studio.problems.offers import Offer, offers
from tests.helpers.file_drop import drop_on, files
from tests.helpers.studio_fakes import OTHER, FakeBridge

Open = Callable[..., tuple[StudioApp, FakeBridge]]
Opened = tuple[StudioApp, FakeBridge, Path]


@pytest.fixture
def opened(shared_studio: Open, tmp_path: Path) -> Opened:
    studio, bridge = shared_studio()
    bridge.tell_ready()
    path = tmp_path / "old.ckpt"
    path.write_bytes(bytes(3_000_000))
    return studio, bridge, path


def dialog_of(studio: StudioApp) -> ConvertDialog:
    return [found for found in studio.window.findChildren(ConvertDialog) if found.isVisible()][-1]


def test_a_pickle_that_is_dropped_is_converted_and_can_be_shown(opened: Opened) -> None:
    studio, bridge, path = opened
    drop_on(studio.window.status, files(path))
    dialog = dialog_of(studio)
    assert dialog.facts.texts() == {"Reads": "old.ckpt (3 MB)", "Writes beside it": "old.safetensors"}
    assert bridge.model_requests == [] or bridge.model_requests[-1][0] != "convert"
    dialog.convert.click()
    request = f"model-{len(bridge.model_requests)}"
    assert bridge.model_requests[-1] == ("convert", str(path), {})
    progress = ModelProgress(request=request, phase="converting", path=str(path), done=1, total=2)
    bridge.model_answered.emit(progress)
    assert dialog.line.isVisible()
    assert not dialog.convert.isEnabled()
    target = str(path.with_suffix(".safetensors"))
    bridge.model_answered.emit(ModelConverted(request=request, path=str(path), target=target))
    assert not dialog.isVisible()
    banner = studio.window.banner
    assert banner.heading.text() == "Converted old.ckpt"
    buttons = {button.text(): button for button in banner.findChildren(QPushButton)}
    buttons["Show it among the models"].click()
    new = OTHER.model_copy(update={"id": target, "path": target, "title": "Old"})
    bridge.tell_ready(OTHER, new)
    assert studio.window.models_page.current == new


def test_a_refusal_names_what_it_found(opened: Opened) -> None:
    studio, bridge, path = opened
    studio.window.actions_.models.convert_file(str(path))
    dialog = dialog_of(studio)
    dialog.convert.click()
    refused = ConversionRefused(model="old.ckpt", reason="It holds the opcode REDUCE of os.mkdir.")
    bridge.tell_failure(f"model-{len(bridge.model_requests)}", refused)
    assert dialog.isVisible()
    assert "REDUCE" in dialog.banner.body.text()
    assert dialog.convert.isEnabled()
    dialog.leave.click()


def test_the_param_that_named_it_takes_the_result(opened: Opened) -> None:
    studio, bridge, path = opened
    document = studio.parts.document
    (node,) = [id for id, record in document.graph.nodes.items() if record.type == "model.diffusion"]
    document.set_param(node, "model", str(path))
    error = ModelPickled(model="old.ckpt", reason="A pickle.", file=str(path)).info().at(node, "model")
    found = offers(error, document.graph, document.registry)
    assert found[0] == Offer("convert", node, "model", str(path))
    bridge.problems_found.emit(Problems(request="", problems=(ErrorData(**error.to_json()),)))
    studio.window.repairs.do(found[0])
    dialog_of(studio).convert.click()
    request, target = f"model-{len(bridge.model_requests)}", str(path.with_suffix(".safetensors"))
    bridge.model_answered.emit(ModelConverted(request=request, path=str(path), target=target))
    buttons = {button.text(): button for button in studio.window.banner.findChildren(QPushButton)}
    buttons["Use it"].click()
    assert document.graph.nodes[node].params["model"] == target


def test_a_run_that_meets_one_offers_it(opened: Opened) -> None:
    studio, bridge, path = opened
    studio.window.actions_.generate()
    job = bridge.submitted[-1][0]
    bridge.tell_started(job)
    pickled = ModelPickled(model="old.ckpt", reason="A pickle.", file=str(path))
    bridge.tell_finished(job, "failed", pickled, node="model")
    buttons = studio.window.create_page.result.banner.findChildren(QPushButton)
    next(button for button in buttons if button.text() == "Convert it…").click()
    assert dialog_of(studio).facts.texts()["Reads"].startswith("old.ckpt")
