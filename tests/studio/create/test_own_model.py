"""A model of one's own in Create: examined wherever it lies, and why it can't be used said at its field."""

from __future__ import annotations

import pytest

from pipelines.engine.protocol import ModelInfo
from tests.helpers.create_desk import Desk
from tests.helpers.studio_fakes import STARTER

OWN = ModelInfo(
    kind="diffusion",
    id="/elsewhere/own.safetensors",
    title="own",
    path="/elsewhere/own.safetensors",
    family="sd1",
    native_size=(512, 512),
    defaults={"steps": 25, "guidance_scale": 7.5, "width": 512, "height": 512},
)


@pytest.fixture
def asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The paths the engine was asked about."""
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr(desk.parts.models, "_examine", found.append)
    return found


def test_a_model_elsewhere_brings_its_values_when_it_is_known(
    desk: Desk, asked: list[tuple[str, ...]]
) -> None:
    steps = desk.parts.document.undo_stack.count()
    desk.form.choose_model(OWN.path)
    assert asked == [(OWN.path,)]
    assert (desk.value("model"), desk.value("steps")) == (OWN.path, 16)
    desk.bridge.tell_ready(STARTER, OWN)
    assert (desk.value("steps"), desk.value("width")) == (25, 512)
    assert desk.parts.document.undo_stack.count() == steps + 1
    desk.window.commands.run("edit.undo")
    assert (desk.value("model"), desk.value("steps"), desk.value("width")) == ("", 16, 64)
    desk.bridge.tell_ready(STARTER, OWN)
    assert desk.value("steps") == 16
    assert len(asked) == 1


def test_locked_values_stay_when_a_model_elsewhere_is_known(desk: Desk, asked: list[tuple[str, ...]]) -> None:
    desk.parts.settings.change(locked=("steps",))
    desk.form.choose_model(OWN.path)
    desk.bridge.tell_ready(STARTER, OWN)
    assert (desk.value("steps"), desk.value("guidance_scale")) == (16, 7.5)


def test_a_model_elsewhere_that_was_given_up_changes_nothing(
    desk: Desk, asked: list[tuple[str, ...]]
) -> None:
    desk.form.choose_model(OWN.path)
    desk.form.choose_model("")
    desk.bridge.tell_ready(STARTER, OWN)
    assert (desk.value("model"), desk.value("steps")) == ("", 16)


def test_a_model_found_in_a_document_is_examined_and_its_values_are_left(
    desk: Desk, asked: list[tuple[str, ...]]
) -> None:
    desk.parts.document.set_param("model", "model", OWN.path)
    assert asked == [(OWN.path,)]
    desk.bridge.tell_ready(STARTER, OWN)
    assert desk.value("steps") == 16
    assert desk.row("model").message.text() == ""


def test_why_a_model_elsewhere_cannot_be_used_stands_at_its_field(
    desk: Desk, asked: list[tuple[str, ...]]
) -> None:
    problem = "It holds a pickle, which could run any program. Use a safetensors file."
    desk.form.choose_model(OWN.path)
    desk.bridge.tell_ready(STARTER, OWN.model_copy(update={"problem": problem, "defaults": {}}))
    assert desk.row("model").message.text() == problem
    assert (desk.value("width"), desk.value("steps")) == (64, 16)
    desk.form.choose_model("")
    assert desk.row("model").message.text() == ""


def test_a_model_that_does_something_else_is_said_at_the_field(
    desk: Desk, asked: list[tuple[str, ...]]
) -> None:
    desk.form.choose_model(OWN.path)
    desk.bridge.tell_ready(STARTER, OWN.model_copy(update={"kind": "language"}))
    assert "can't draw" in desk.row("model").message.text()
