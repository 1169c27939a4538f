"""LoRAs in Create: a list that is nodes of the graph; what is done to it is one undo step each."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from pipelines.engine.protocol import ModelInfo
from pipelines.graph.document import Graph
from pipelines.graph.registry import builtin
from studio.app import StudioApp
from studio.create.form_loras import LoraList
from studio.graph.loras import LORA, base_of, chain, loras, with_lora, without_lora
from studio.inpaint.canvas_graph import find_parts
from studio.inpaint.canvas_graph import template as canvas_template
from studio.widgets.param_editors import editor_for
from tests.helpers.studio_fakes import OTHER, STARTER, FakeBridge, template


def lora(name: str, base: str = "sd1", **more: object) -> ModelInfo:
    return ModelInfo(
        kind="lora", id=f"{name}.safetensors", title=name.title(), path=f"/models/{name}.safetensors",
        family=base, base=base, **more,
    )  # fmt: skip


INK = lora("ink", trigger_words=("ink wash", "paper"), strength=0.7)
FELT, LARGE = lora("felt"), lora("large", "sdxl")


def users(graph: Graph, source: str) -> set[tuple[str, str]]:
    return {(node, port) for node, port, link in graph.links() if link.node == source}


def model_of(graph: Graph) -> str:
    return next(node for node, record in graph.nodes.items() if record.type == "model.diffusion")


# --- the edit -----------------------------------------------------------------------------------------------


def test_each_goes_behind_the_others_and_out_again() -> None:
    start = canvas_template()
    model = model_of(start)
    one, first = with_lora(start, builtin(), model, {"lora": "a", "strength": 0.5})
    two, second = with_lora(one, builtin(), model, {"lora": "b"})
    assert chain(two, model) == (first, second)
    assert [(item.lora, item.strength, item.on) for item in loras(two, model)] == [
        ("a", 0.5, True),
        ("b", 1.0, True),
    ]
    assert users(two, second) == users(start, model)
    assert two.nodes[first].inputs["model"].node == model
    assert len({two.position(node) for node in two.nodes}) == len(two.nodes)
    assert base_of(two, second) == model
    assert find_parts(two).model == model
    left = without_lora(two, builtin(), first)
    assert chain(left, model) == (second,)
    again = without_lora(left, builtin(), second)
    assert set(again.links()) == set(start.links())
    assert set(again.nodes) == set(start.nodes)


def test_a_model_that_is_also_used_without_them_has_no_list() -> None:
    graph = canvas_template()
    model = model_of(graph)
    graph, node = with_lora(graph, builtin(), model, {"lora": "a"})
    user = next(iter(users(graph, node)))[0]
    branched, _ = with_lora(graph, builtin(), model, {"lora": "b"})
    branched = branched.with_link(user, "model", (model, "model"))
    assert loras(branched, model) is None
    with pytest.raises(KeyError):
        with_lora(branched, builtin(), model, {})


# --- the form -----------------------------------------------------------------------------------------------


@pytest.fixture
def studio(open_studio: Callable[..., tuple[StudioApp, FakeBridge]]) -> StudioApp:
    app, bridge = open_studio(template(), open_sections=("loras",))
    app.window.show_workspace("create")
    bridge.tell_ready(STARTER, OTHER, INK, FELT, LARGE)
    return app


def listed(app: StudioApp) -> LoraList:
    found = app.window.create_page.form.findChild(LoraList)
    assert found is not None
    return found


def nodes(app: StudioApp) -> list[str]:
    return [node for node, record in app.parts.document.graph.nodes.items() if record.type == LORA]


def test_those_that_fit_are_offered_and_added_as_one_step(studio: StudioApp, qtbot: QtBot) -> None:
    panel, document = listed(studio), studio.parts.document
    before = document.graph
    assert panel.add.choices() == [("", "Add a LoRA…"), (INK.id, "Ink"), (FELT.id, "Felt")]
    panel.add.value_changed.emit(INK.id)
    panel.add.value_changed.emit(FELT.id)
    assert list(panel.rows) == nodes(studio) == list(chain(document.graph, model_of(document.graph)))
    assert [document.graph.nodes[node].params["strength"] for node in nodes(studio)] == [0.7, 1.0]
    assert studio.window.create_page.form.sections["loras"].header.text() == "LoRA (2)"
    first = next(iter(panel.rows.values()))
    for value in (0.5, 0.55):
        first.strength.value_changed.emit(value)
    first.switch.click()
    assert document.graph.nodes[first.node].mode == "bypassed"
    assert not first.strength.isEnabled()
    document.undo_stack.undo()
    document.undo_stack.undo()
    assert document.graph.nodes[first.node].params["strength"] == 0.7
    qtbot.mouseClick(first.remove, Qt.MouseButton.LeftButton)
    assert [row.title.text() for row in panel.rows.values()] == ["Felt"]
    for _ in range(3):
        document.undo_stack.undo()
    assert document.graph == before
    assert panel.rows == {}


def test_a_trigger_word_is_one_click_and_added_once(studio: StudioApp, qtbot: QtBot) -> None:
    panel = listed(studio)
    panel.add.value_changed.emit(INK.id)
    row = next(iter(panel.rows.values()))
    chips = row.words.findChildren(QPushButton)
    assert [chip.text() for chip in chips] == ["ink wash", "paper"]
    studio.parts.binding.set("prompt", "a hill,")
    for _ in range(2):
        qtbot.mouseClick(chips[0], Qt.MouseButton.LeftButton)
    assert studio.parts.binding.value("prompt") == "a hill, ink wash"


def test_one_that_does_not_fit_the_model_says_so(studio: StudioApp) -> None:
    panel = listed(studio)
    panel.edits.add(LARGE.id)
    assert "another family" in next(iter(panel.rows.values())).message.text()
    panel._models._take((STARTER, LARGE))
    assert not panel.add.isEnabled()
    assert "None of your LoRAs" in panel.note.text()


def test_a_graph_that_branches_is_left_alone(studio: StudioApp) -> None:
    panel, document = listed(studio), studio.parts.document
    panel.edits.add(INK.id)
    branched = document.graph
    model, draw = (
        model_of(branched),
        next(n for n, _, link in branched.links() if link.node == nodes(studio)[0]),
    )
    document.replace(branched.with_link(draw, "model", (model, "model")), "Branch")
    assert panel.rows == {}
    assert not panel.add.isEnabled()
    assert "with and without" in panel.note.text()


def test_the_strength_on_the_prompt_may_be_left_out(qtbot: QtBot) -> None:
    editor = editor_for(builtin()[LORA].params_by_name["text_strength"])
    qtbot.addWidget(editor)
    told: list[object] = []
    editor.value_changed.connect(told.append)
    assert (editor.value(), editor.field.placeholderText()) == (None, "Same as the strength")
    for text in ("1/2", "9", "nonsense", ""):
        editor.field.setText(text)
        editor.field.editingFinished.emit()
    assert told == [0.5, 4.0, None]
    assert editor.value() is None


def test_blocks_are_one_click_away_and_checked_as_they_are_typed(studio: StudioApp) -> None:
    panel, document = listed(studio), studio.parts.document
    panel.edits.add(INK.id)
    row = next(iter(panel.rows.values()))
    assert row.blocks.isHidden()
    row.more.click()
    assert not row.blocks.isHidden()
    for text in ("IN04", "IN04=0.5"):
        row.blocks.value_changed.emit(text)
    assert document.graph.nodes[row.node].params["blocks"] == "IN04=0.5"
    assert row.message.isHidden()
    row.blocks.value_changed.emit("IN04=0.5, MIDDLE=1")
    assert "MIDDLE=1" in row.message.text()
    document.undo_stack.undo()
    assert "blocks" not in document.graph.nodes[row.node].params


def test_a_tag_of_the_prompt_becomes_a_row_in_one_step(studio: StudioApp, qtbot: QtBot) -> None:
    panel, document, binding = listed(studio), studio.parts.document, studio.parts.binding
    binding.set("prompt", "a hill, <lora:INK:0.8:0.5:MID=0>, <lora:nobody>, mist")
    assert [line.title for line in panel.tags.lines] == ["Ink", ""]
    assert studio.window.create_page.form.sections["loras"].header.text() == "LoRA (2)"
    known, unknown = panel.tags.lines
    assert unknown.button.isHidden()
    assert "None of your LoRAs" in unknown.message.text()
    before = document.graph
    qtbot.mouseClick(known.button, Qt.MouseButton.LeftButton)
    (node,) = nodes(studio)
    params = dict(document.graph.nodes[node].params)
    assert params == {"lora": INK.id, "strength": 0.8, "text_strength": 0.5, "blocks": "MID=0"}
    assert binding.value("prompt") == "a hill, <lora:nobody>, mist"
    assert not next(iter(panel.rows.values())).blocks.isHidden()
    document.undo_stack.undo()
    assert document.graph == before
