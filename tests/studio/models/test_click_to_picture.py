"""From one click to a picture, from a pickle to a model: with a real engine and a server of the test's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from pipelines.engine import downloads as engine_downloads
from pipelines.engine.client import default_settings
from pipelines.engine.hosts import InProcessHost
from pipelines.engine.protocol import ModelOffer
from pipelines.graph.registry import builtin
from pipelines.models.download.control import Limits
from pipelines.models.download.jobs import Downloader
from studio.app import StudioApp
from studio.appearance import apply_theme
from studio.assembly import assemble
from studio.documents.document import GraphDocument
from studio.engine.bridge import EngineBridge
from studio.models.convert_dialog import ConvertDialog
from studio.settings import SettingsStore
from tests.helpers.file_drop import drop_on, files
from tests.helpers.file_server import Server, file_server
from tests.helpers.studio_fakes import template
from tests.helpers.tiny_pipelines import sd1

PATIENCE_MS = 60_000
OFFER = ModelOffer(
    id="tiny", title="Tiny", model_kind="diffusion", source="some/tiny",
    page="https://huggingface.co/some/tiny", text="", licence="MIT", licence_url="https://x.org", sell="yes",
    steps=2, verdict="fits", precision="bf16",
)  # fmt: skip


@pytest.fixture
def server() -> Iterator[Server]:
    with file_server() as made:
        yield made


@pytest.fixture
def studio(qtbot: QtBot, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> StudioApp:
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))
    limits = Limits(timeout=10, attempts=4, backoff=0.01, longest_wait=0.05)
    policy = server.policy()
    monkeypatch.setattr(
        engine_downloads,
        "downloader",
        lambda models, offline: Downloader(
            models, policy=policy, hub=server.url, tokens=lambda host: "", limits=limits
        ),
    )
    bridge = EngineBridge(default_settings(offline=""), host=partial(InProcessHost, registry=builtin()))
    graph = template().with_param("draw", "prompt", "a red fox").with_param("draw", "seed", 7)
    for name in ("width", "height"):
        graph = graph.with_param("draw", name, 64)
    settings = SettingsStore(None)
    settings.change(locked=("width", "height"), reduced_motion=True)
    parts = assemble(GraphDocument(graph), bridge, settings)
    apply_theme(parts)
    made = StudioApp(parts, None)
    qtbot.addWidget(made.window, before_close_func=lambda _: made.close())
    made.window.show()
    qtbot.waitExposed(made.window)
    return made


def test_one_click_fetches_a_model_and_draws_the_prompt(
    qtbot: QtBot, studio: StudioApp, server: Server, tmp_path: Path
) -> None:
    pipeline = sd1()
    pipeline.save_pretrained(tmp_path / "tiny")
    served = {
        path.relative_to(tmp_path / "tiny").as_posix(): path.read_bytes()
        for path in (tmp_path / "tiny").rglob("*")
        if path.is_file()
    }
    server.serve_repository("some/tiny", served)
    weights = next(path for path in server.files if "unet" in path and path.endswith(".safetensors"))
    server.files[weights].faults = ["drop 9000", "wrong bytes"]
    parts, getting = studio.parts, studio.window.actions_.models.getting
    studio.window.show_workspace("create")
    qtbot.waitUntil(lambda: bool(parts.models.models), timeout=PATIENCE_MS)
    with qtbot.waitSignal(parts.tracker.run_ended, timeout=PATIENCE_MS) as ended:
        getting.get(OFFER)
        assert studio.window.create_page.form.foot.itemAt(0).widget().isVisible()
    run = ended.args[0]
    assert (run.state, run.errors) == ("finished", [])
    (info,) = [info for info in parts.models.models if "tiny" in info.path and info.kind == "diffusion"]
    assert parts.binding.value("model") == info.id
    assert parts.binding.value("steps") == 2
    (result,) = parts.results.results
    assert Path(result.path).is_file()
    assert getting.downloads.all == {}


def test_a_pickle_that_is_dropped_becomes_a_model_of_the_list(
    qtbot: QtBot, studio: StudioApp, tmp_path: Path
) -> None:
    path = tmp_path / "dropped" / "ink.pt"
    path.parent.mkdir()
    torch.save({"lora_unet_x.lora_down.weight": torch.ones(4, 8),
                "lora_unet_x.lora_up.weight": torch.ones(8, 4)}, path)  # fmt: skip
    qtbot.waitUntil(lambda: bool(studio.parts.models.models), timeout=PATIENCE_MS)
    drop_on(studio.window.status, files(path))
    (dialog,) = studio.window.findChildren(ConvertDialog)
    with qtbot.waitSignal(studio.window.actions_.models.work.converted, timeout=PATIENCE_MS):
        dialog.convert.click()
    target = str(path.with_suffix(".safetensors"))
    buttons = studio.window.banner.findChildren(QPushButton)
    next(button for button in buttons if button.text() == "Show it among the models").click()
    page = studio.window.models_page
    qtbot.waitUntil(lambda: page.current is not None and page.current.path == target, timeout=PATIENCE_MS)
    assert page.current.kind == "lora"
    assert path.is_file()
