"""A list that comes in parts is one list to the studio, and folders that are added outlive the engine."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from pipelines.engine import library
from pipelines.engine.client import default_settings
from pipelines.engine.hosts import InProcessHost
from studio.engine.bridge import EngineBridge
from tests.helpers.model_files import SD1, sparse
from tests.helpers.stub_nodes import REGISTRY


def test_parts_become_one_list_and_a_new_engine_knows_the_folders(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(library, "PART", 1)
    folder = tmp_path / "more"
    for name in ("a", "b", "c"):
        sparse(folder / f"{name}.safetensors", SD1)
    bridge = EngineBridge(default_settings(), host=partial(InProcessHost, registry=REGISTRY))
    monkeypatch.setattr(bridge, "prepare", lambda: None)
    try:
        with qtbot.waitSignal(bridge.models_listed, timeout=20_000):
            bridge.start()
        with qtbot.waitSignal(bridge.models_listed, timeout=20_000) as told:
            bridge.set_model_folders((str(folder),))
        assert {"a.safetensors", "b.safetensors", "c.safetensors"} <= {
            info.id for info in told.args[0].models
        }
        assert bridge._client.settings.model_folders == (str(folder),)
    finally:
        bridge.close()
