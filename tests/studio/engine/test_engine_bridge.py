"""The bridge: a picture is there for every view that asks, models elsewhere stay asked about."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from pipelines.engine.client import default_settings
from pipelines.engine.hosts import InProcessHost
from pipelines.engine.protocol import ImageRef, Models
from studio.engine import bridge as engine
from studio.engine.bridge import EngineBridge
from tests.helpers.stub_nodes import REGISTRY


@pytest.fixture
def bridge(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineBridge]:
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path))
    made = EngineBridge(default_settings(), host=partial(InProcessHost, registry=REGISTRY))
    monkeypatch.setattr(made, "prepare", lambda: None)
    yield made
    made.close()


def pixels(bridge: EngineBridge, name: str, side: int = 4) -> ImageRef:
    """A picture as the engine leaves it."""
    folder = bridge._client.run_dir
    assert folder is not None
    (folder / name).write_bytes(bytes([200]) * side * side * 3)
    return ImageRef(file=name, width=side, height=side, channels=3)


def listed(qtbot: QtBot, bridge: EngineBridge, act: Any) -> Models:
    with qtbot.waitSignal(bridge.models_listed, timeout=20_000) as told:
        act()
    event = told.args[0]
    assert isinstance(event, Models)
    return event


def test_every_view_gets_the_picture_though_its_file_is_read_once(qtbot: QtBot, bridge: EngineBridge) -> None:
    listed(qtbot, bridge, bridge.start)
    ref = pixels(bridge, "a.raw")
    first, second = bridge.image(ref), bridge.image(ref)
    assert first == second
    assert first.pixelColor(0, 0).red() == 200
    assert bridge.image(ref.model_copy(update={"file": "gone.raw"})).isNull()


def test_only_the_last_pictures_are_kept(
    qtbot: QtBot, bridge: EngineBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(qtbot, bridge, bridge.start)
    monkeypatch.setattr(engine, "KEPT_BYTES", 100)
    old, new = pixels(bridge, "a.raw"), pixels(bridge, "b.raw", 5)
    assert not bridge.image(old).isNull()
    assert not bridge.image(new).isNull()
    assert bridge.image(old).isNull()
    assert bridge.image(new.model_copy(update={"file": "c.raw"})).isNull()


def test_models_elsewhere_are_told_of_with_what_is_wrong_with_them(
    qtbot: QtBot, bridge: EngineBridge, tmp_path: Path
) -> None:
    pickled = tmp_path / "elsewhere" / "renamed.safetensors"
    pickled.parent.mkdir()
    pickled.write_bytes(b"\x80\x04\x95" + bytes(64))
    missing = str(pickled.parent / "missing.safetensors")
    before = listed(qtbot, bridge, bridge.start)
    models = listed(qtbot, bridge, lambda: bridge.list_models((str(pickled), missing))).models
    assert models[: len(before.models)] == before.models
    found = {model.path: model for model in models[len(before.models) :]}
    assert "pickle" in found[str(pickled)].problem.casefold()
    assert found[missing].problem
    again = listed(qtbot, bridge, bridge.list_models).models
    assert [model.path for model in again] == [model.path for model in models]


def test_a_usable_model_elsewhere_brings_its_defaults_once(
    qtbot: QtBot, bridge: EngineBridge, tmp_path: Path
) -> None:
    from pipelines.paths import RESOURCES

    own = tmp_path / "elsewhere" / "mine"
    own.parent.mkdir()
    own.symlink_to(RESOURCES / "starter" / "text-to-image", target_is_directory=True)
    listed(qtbot, bridge, bridge.start)
    models = listed(qtbot, bridge, lambda: bridge.list_models((str(own), str(own)))).models
    (mine,) = [model for model in models if model.path == str(own)]
    assert (mine.kind, mine.problem) == ("diffusion", "")
    assert mine.defaults["steps"]
