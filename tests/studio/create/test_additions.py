"""What Create adds to a model: pictures that steer, a VAE, embeddings, speed. Nodes of the graph, one undo
step each.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from pipelines.engine.protocol import Forecasted, ForecastModel, ModelInfo
from pipelines.errors import fill
from pipelines.graph import types
from pipelines.graph.document import Graph
from pipelines.graph.node import Input, Node, NodeParams, Output, Param
from pipelines.graph.registry import Registry, builtin
from pipelines.models.families.abilities import lacking, limits_of, needs_control, needs_reference, vae_fits
from pipelines.models.speed import runtime_reason
from studio.app import StudioApp
from studio.create import form_speed
from studio.create.binding import Binding
from studio.create.fitting import ready_for
from studio.create.form import CreateForm
from studio.create.form_encoders import EncoderList
from studio.create.form_layers import PictureList
from studio.create.form_parts import EmbeddingList
from studio.create.form_speed import SpeedRow
from studio.documents.document import GraphDocument
from studio.graph.model_changes import (
    SPEED,
    TEXT_ENCODER,
    VAE,
    users_of,
)
from studio.graph.picture_layers import (
    CONTROLS,
    REFERENCES,
    LayerSort,
)
from studio.graph.refiner import refined_nodes, refining
from studio.models.choices import ModelChoices
from studio.settings import SettingsStore
from studio.widgets.choice_field import ChoiceField
from studio.widgets.field_row import FieldRow
from studio.widgets.shape_picker import ShapePicker
from tests.helpers.studio_fakes import DEVICE, STARTER, FakeBridge, picture, template


def known(kind: str, name: str, base: str = "sd1", **more: object) -> ModelInfo:
    return ModelInfo(
        kind=kind, id=f"{name}.safetensors", title=name.title(), path=f"/models/{name}.safetensors",
        family=str(more.pop("family", base)), base=base, **more,
    )  # fmt: skip


CANNY, DEPTH = known("control", "canny"), known("control", "depth-xl", "sdxl")
LOOK = known("adapter", "look", family="ip-adapter")
MSE, WIDE = known("vae", "mse", "sd", family="kl-4"), known("vae", "wide", "flux", family="kl-16")
BAD = known("embedding", "badhands", trigger_words=("bad_hands",))


def model_of(graph: Graph) -> str:
    return next(node for node, record in graph.nodes.items() if record.type == "model.diffusion")


# --- what families can take -------------------------------------------------------------------------------


def test_the_table_says_what_a_family_lacks() -> None:
    assert set(lacking("sdxl")) == {"cache"}
    assert set(lacking("sdxl-inpaint")) == {"text_to_image", "cache"}
    assert {"embeddings", "refiner"} <= set(lacking("sd3"))
    assert not {"regions", "clip_skip"} & set(lacking("sd3"))
    assert "regions" not in lacking("chroma")
    assert "regions" in lacking("flux-kontext")
    assert "regions" not in lacking("flux", "dev")
    assert "negative" in lacking("flux", "dev")
    assert "references" in lacking("chroma")
    assert not {"references", "control"} & {*lacking("flux", "kontext"), *lacking("flux-control")}
    assert needs_control("flux-control", True)
    assert not needs_control("sd2-depth", True)
    assert needs_reference("sd1-edit")
    assert not needs_reference("flux2", "dev")
    assert lacking("") == {}
    assert vae_fits("sd", "sdxl-inpaint")
    assert not vae_fits("flux", "sd1")
    assert vae_fits("wan, qwen-image", "qwen-image-edit")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("control_v11p_sd15_canny", ("edges", "canny")),
        ("control_v11f1p_sd15_depth", ("", "depth")),  # nothing here finds depth
        ("control-openpose-xl", ("", "pose")),
        ("mine", ("line art", "lineart")),
    ],
)
def test_a_picture_is_made_ready_as_the_name_of_its_model_suggests(
    name: str, expected: tuple[str, str]
) -> None:
    assert ready_for(known("control", name), ("line art", "edges", "scribble")) == expected
    assert ready_for(None, ()) == ("", "other")


# --- the form ---------------------------------------------------------------------------------------------


MODELS = (STARTER.model_copy(update={"unavailable": {}}), CANNY, DEPTH, LOOK, MSE, WIDE, BAD)


class Form:
    """Create's form alone, with a document and what is known of models."""

    def __init__(self, registry: Registry | None = None) -> None:
        self.document = GraphDocument(template(), registry)
        self.binding, self.models = Binding(self.document), ModelChoices()
        settings = SettingsStore(None)
        settings.change(open_sections=("references", "controls", "parts", "speed"))
        self.widget = CreateForm(self.binding, self.models, settings)
        self.models._take(MODELS)
        self.edits = self.widget.edits

    def pictures(self, sort: LayerSort) -> PictureList:
        found = self.widget.findChildren(PictureList)
        return next(item for item in found if item.sort is sort)


@pytest.fixture
def form(qtbot: QtBot) -> Form:
    made = Form()
    qtbot.addWidget(made.widget)
    return made


def reason_of(field: ChoiceField, value: str) -> str:
    item = field.model().index(field.findData(value, Qt.ItemDataRole.UserRole), 0)
    return str(item.data(Qt.ItemDataRole.ToolTipRole) or "")


def test_a_dropped_picture_becomes_a_layer_in_one_step(
    open_studio: Callable[..., tuple[StudioApp, FakeBridge]], tmp_path: Path, qtbot: QtBot
) -> None:
    studio, bridge = open_studio(template())
    studio.window.show_workspace("create")
    bridge.tell_ready(*MODELS)
    create = studio.window.create_page.form
    document, panel = studio.parts.document, create.findChildren(PictureList)[1]
    before = document.graph
    file = tmp_path / "hill.png"
    picture().save(str(file))
    section = create.sections["controls"]
    middle = section.header.mapTo(studio.window, section.header.rect().center())
    studio.window.drops.drop([str(file)], middle)
    assert section.expanded
    assert section.header.text() == "Control pictures (1)"
    (item,) = panel.edits.layers.items
    assert (item.path, item.method_params, item.params, item.model_id) == (
        str(file), {"method": "edges"}, {"control": "canny"}, CANNY.id,
    )  # fmt: skip
    row = panel.rows[item.node]
    assert row.title.text() == "hill.png"
    assert "another family" in reason_of(row.model, DEPTH.id)
    qtbot.waitUntil(lambda: row.picture.iconSize().width() > 20)  # its thumbnail has come
    for value in (0.6, 0.7):
        row.weight.value_changed.emit(value)
    row.mode.value_changed.emit("")
    assert row.kind.isVisible()
    row.kind.value_changed.emit("depth")
    row.switch.click()
    (item,) = panel.edits.layers.items
    assert (item.method, item.params["control"], item.params["weight"], item.on) == ("", "depth", 0.7, False)
    for _ in range(4):
        document.undo_stack.undo()
    assert panel.edits.layers.items[0].params == {"control": "canny"}
    panel.rows[item.node].remove.click()
    assert panel.rows == {}
    assert set(document.graph.links()) == set(before.links())
    document.undo_stack.undo()
    document.undo_stack.undo()
    assert document.graph == before


def test_a_reference_takes_an_adapter_unless_the_model_looks_itself(form: Form) -> None:
    panel = form.pictures(REFERENCES)
    panel.take(["/pictures/a.png"])
    assert panel.edits.layers.items[0].model_id == LOOK.id
    edit = STARTER.model_copy(update={"family": "flux", "variant": "kontext", "unavailable": {}})
    form.models._take((edit, LOOK))
    panel.edits.remove(panel.edits.layers.items[0])
    assert "give it one" in panel.note.text()
    panel.take(["/pictures/a.png"])
    assert panel.edits.layers.items[0].model == ""
    assert panel.guidance.isHidden()
    form.models._take((STARTER.model_copy(update={"family": "sd1-edit", "unavailable": {}}),))
    assert not panel.guidance.isHidden()
    panel.guidance.field.value_changed.emit(2.0)
    (draw,) = panel.edits.draws
    assert form.document.graph.nodes[draw].params["image_guidance_scale"] == 2.0
    assert panel.rows[panel.edits.layers.items[0].node].model.isHidden()


def test_a_model_that_sees_control_pictures_itself_needs_no_other_for_them(form: Form) -> None:
    panel = form.pictures(CONTROLS)
    assert "along" not in panel.note.text()
    own = {"family": "flux-control", "title": "FLUX.1 Canny", "unavailable": {}}
    form.models._take((STARTER.model_copy(update=own), CANNY))
    assert "along a control picture" in panel.note.text()
    panel.take(["/pictures/a.png"])
    (item,) = panel.edits.layers.items
    assert (item.model, item.method_params) == ("", {"method": "edges"})
    assert panel.rows[item.node].model.isHidden()
    assert panel.note.text() == ""


def test_what_the_model_cannot_take_is_disabled_with_the_reason(form: Form) -> None:
    panel, why = form.pictures(CONTROLS), "Control models can't steer models of its family."
    form.models._take((STARTER.model_copy(update={"unavailable": {"layer:control": why}}),))
    assert not panel.add.isEnabled()
    assert panel.add.toolTip() == panel.note.text() == why
    before = form.document.graph
    panel.take(["/pictures/a.png"])
    assert form.document.graph is before
    form.binding.set("guidance_scale", 1.0)
    row = form.widget.rows["negative"]
    assert not row.field.isEnabled()
    assert "above 1" in row.message.text()
    form.binding.set("guidance_scale", 5.0)
    assert row.field.isEnabled()
    assert row.message.text() == ""


def test_what_the_graph_sets_is_left_to_it(form: Form) -> None:
    document, panel = form.document, form.pictures(REFERENCES)
    panel.take(["/pictures/a.png"])
    node = panel.edits.layers.items[0].node
    graph = document.graph.with_node("other", document.graph.nodes[node])
    document.replace(graph.with_link("other", "layers", (node, "layers")), "Branch")
    assert panel.rows == {}
    assert not panel.add.isEnabled()
    assert "set in the graph" in panel.note.text()


def test_a_vae_is_chosen_and_given_back(form: Form) -> None:
    document, before = form.document, form.document.graph
    field = form.widget.findChild(ChoiceField, "create.vae")
    assert field.values() == ["", MSE.id, WIDE.id]
    assert "another family" in reason_of(field, WIDE.id)
    field.value_changed.emit(MSE.id)
    field.value_changed.emit(WIDE.id)
    (node,) = [node for node, record in document.graph.nodes.items() if record.type == VAE]
    assert document.graph.nodes[node].params == {"vae": WIDE.id}
    assert "another family" in form.widget.sections["parts"].findChild(FieldRow).message.text()
    assert form.widget.sections["parts"].header.text() == "VAE and embeddings (1)"
    field.value_changed.emit("")
    assert set(document.graph.links()) == set(before.links())
    for _ in range(3):
        document.undo_stack.undo()
    assert document.graph == before


def test_text_encoders_are_chosen_where_the_family_takes_them(form: Form) -> None:
    document, section = form.document, form.widget.sections["parts"]
    panel = form.widget.findChild(EncoderList)
    assert panel.isHidden()  # a checkpoint of Stable Diffusion 1 holds its own
    draws = known("diffusion", "draws", "flux", unavailable=limits_of("flux", "dev"))
    large, small = (
        known("text_encoder", name, "", family="t5", variant=size)
        for name, size in (("t5xxl", "xxl"), ("t5base", "base"))
    )
    other = known("text_encoder", "t5xxl-fp8", "", family="t5", variant="xxl")
    clip = known("text_encoder", "clip", "", family="clip-l")
    form.models._take((STARTER, draws, large, small, other, clip))
    form.binding.set("model", draws.id)
    assert not panel.isHidden()
    assert panel.add.values() == ["", large.id, small.id, other.id, clip.id]
    assert "another text encoder" in reason_of(panel.add, small.id)
    assert reason_of(panel.add, clip.id) == "CLIP-L text encoder"
    before, steps = document.graph, document.undo_stack.count()
    for value in (large.id, clip.id, other.id):
        panel.add.value_changed.emit(value)
    assert document.undo_stack.count() == steps + 3
    found = [record.params for record in document.graph.nodes.values() if record.type == TEXT_ENCODER]
    assert found == [{"text_encoder": other.id}, {"text_encoder": clip.id}]
    assert section.header.text() == "VAE, text encoders and embeddings (2)"
    first, second = panel.rows.values()
    assert (first.title.text(), first.message.text()) == (other.title, "T5-XXL text encoder")
    form.binding.set("model", STARTER.id)
    assert "another text encoder" in second.message.text()
    assert (panel.own.isEnabled(), panel.note.text()) == (
        False, "This model's file holds its own text encoders.",
    )  # fmt: skip
    document.undo_stack.undo()
    second.remove.click()
    first.remove.click()
    assert set(document.graph.links()) == set(before.links())
    for _ in range(5):
        document.undo_stack.undo()
    assert document.graph == before


def test_a_refiner_takes_over_where_the_model_can_hand_over(form: Form) -> None:
    document = form.document
    large = known("diffusion", "large", "sdxl", unavailable=limits_of("sdxl"))
    ends = known("diffusion", "ends", "sdxl", family="sdxl-refiner")
    small = known("diffusion", "small", "sd1", unavailable=limits_of("sd1"))
    form.models._take((large, ends, small))
    field = form.widget.findChild(ChoiceField, "create.refiner")
    assert field.values() == ["", ends.id, large.id]
    before = document.graph
    field.value_changed.emit(ends.id)
    draws = refined_nodes(document.graph, document.registry, model_of(document.graph))
    found = refining(document.graph, draws)
    assert found.model == ends.id
    assert len({document.graph.position(node) for node in document.graph.nodes}) == len(document.graph.nodes)
    form.binding.set("model", small.id)
    assert "Stable Diffusion XL only" in form.widget.sections["refiner"].findChild(FieldRow).message.text()
    form.binding.set("model", large.id)
    field.value_changed.emit("")
    assert set(document.graph.links()) == set(before.links())
    assert set(document.graph.nodes) == set(before.nodes)
    assert refining(document.graph.with_link(draws[0], "refiner", (found.node, "model")), draws) is None


def test_the_word_of_an_embedding_goes_where_it_is_wanted(form: Form) -> None:
    panel = form.widget.findChild(EmbeddingList)
    panel.add.value_changed.emit(BAD.id)
    (row,) = panel.rows.values()
    assert form.document.graph.nodes[row.item.node].params == {"embedding": BAD.id, "word": "bad_hands"}
    into, out = row.words.findChildren(QPushButton)
    assert (into.text(), out.text()) == ("bad_hands", "bad_hands → negative")
    for chip in (into, out, out):
        chip.click()
    assert form.binding.value("prompt").endswith(", bad_hands")
    assert form.binding.value("negative") == "bad_hands"
    form.models._take((STARTER.model_copy(update={"unavailable": {"embeddings": "No words."}}), BAD))
    assert row.message.text() == panel.note.text() == "No words."
    assert not panel.add.isEnabled()
    row.remove.click()
    assert panel.rows == {}


def test_options_of_speed_are_a_node_while_one_differs(qtbot: QtBot) -> None:
    class Speed(Node):
        id, title, category = SPEED, "Speed", "Model"
        inputs = (Input("model", types.DiffusionModel),)
        outputs = (Output("model", types.DiffusionModel),)

        class Params(NodeParams):
            attention: Literal["auto", "native", "sage"] = Param("auto", "Attention")
            channels_last: bool = Param(False, "Channels last")

    others = [schema.node for schema in builtin() if schema.id != SPEED]
    form = Form(Registry(*others, Speed))
    qtbot.addWidget(form.widget)
    before = form.document.graph
    rows = {row.param.name: row for row in form.widget.findChildren(SpeedRow)}
    rows["attention"].editor.value_changed.emit("native")
    rows["channels_last"].editor.value_changed.emit(True)
    (record,) = [record for record in form.document.graph.nodes.values() if record.type == SPEED]
    assert record.params == {"attention": "native", "channels_last": True}
    assert form.widget.sections["speed"].header.text() == "Speed (2)"
    form.models._take((STARTER, known("diffusion", "dit", "sd3", unavailable=limits_of("sd3"))))
    form.models.set_device(DEVICE)
    assert "NVIDIA" in reason_of(rows["attention"].editor.field, "sage")
    assert rows["channels_last"].field.isEnabled()
    form.binding.set("model", "dit.safetensors")
    assert "transformer" in rows["channels_last"].disabled_reason
    rows["attention"].reset.click()
    rows["channels_last"].reset.click()
    assert set(form.document.graph.links()) == set(before.links())
    for _ in range(form.document.undo_stack.count()):
        form.document.undo_stack.undo()
    assert form.document.graph == before


# --- models that change a picture -------------------------------------------------------------------------


EDIT = STARTER.model_copy(update={"family": "flux", "variant": "kontext", "unavailable": {}})


def size_of(form: Form) -> object:
    return form.binding.beside("width", "sizes")


def test_a_drawing_takes_the_shape_of_its_first_reference(form: Form) -> None:
    panel, stack = form.pictures(REFERENCES), form.document.undo_stack
    form.models._take((EDIT,))
    form.edits.set_size(64, 64)
    steps, before = stack.count(), form.document.graph
    picker = form.widget.rows["shape"].field
    assert isinstance(picker, ShapePicker)
    assert picker.follow.isHidden()
    panel.take(["/pictures/a.png", "/pictures/b.png"])
    assert size_of(form) == "reference"
    assert stack.count() == steps + 1
    assert (picker.follow.isChecked(), picker.shapes.value()) == (True, None)
    assert form.widget.rows["shape"].origin.text() == ""
    picker.size_chosen.emit((96, 64))  # choosing a shape leaves it, in one step
    assert (size_of(form), form.binding.value("width")) == ("auto", 96)
    assert stack.count() == steps + 2
    picker.follow.click()
    assert size_of(form) == "reference"
    first, second = panel.edits.layers.items
    panel.edits.remove(first)
    assert size_of(form) == "reference"
    panel.edits.remove(second)
    assert (size_of(form), picker.follow.isHidden()) == ("auto", True)
    while stack.index() > steps:
        stack.undo()
    assert form.document.graph == before


def test_a_shape_that_was_chosen_stays(form: Form) -> None:
    form.models._take((EDIT,))
    form.edits.set_size(96, 64)
    form.pictures(REFERENCES).take(["/pictures/a.png"])
    assert (size_of(form), form.binding.value("width")) == ("auto", 96)
    form.models._take((STARTER, LOOK))
    form.edits.set_size(64, 64)
    form.pictures(REFERENCES).take(["/pictures/b.png"])  # it leads the look, no more
    assert size_of(form) == "auto"


def test_a_side_that_is_typed_leaves_the_reference(form: Form) -> None:
    form.models._take((EDIT,))
    form.edits.set_size(64, 64)
    form.pictures(REFERENCES).take(["/pictures/a.png"])
    form.widget.rows["width"].field.value_changed.emit(80)
    assert (size_of(form), form.binding.value("width")) == ("auto", 80)
    form.document.undo_stack.undo()
    assert (size_of(form), form.binding.value("width")) == ("reference", 64)


def test_references_unfold_once_for_a_model_that_needs_one(form: Form) -> None:
    section, panel = form.widget.sections["references"], form.pictures(REFERENCES)
    section.set_expanded(False)
    form.models._take((EDIT,))
    assert section.expanded
    assert "give it one" in panel.note.text()
    section.header.click()
    form.binding.set("prompt", "a hat")
    assert not section.expanded


# --- speed ------------------------------------------------------------------------------------------------


def test_times_with_and_without_the_settings_stand_side_by_side(form: Form) -> None:
    draw = next(node for node, port in users_of(form.document.graph, model_of(form.document.graph)))
    model = ForecastModel(
        node=draw, model=STARTER.id, precision="bf16", verdict="fits", seconds=(3.6, 4.0), seen=True,
        plain_seconds=(6.0, 6.4),
    )  # fmt: skip
    made = Forecasted(
        request="f", device="cpu", memory_bytes=1, peak_bytes=1, verdict="fits", models=(model,)
    )
    line = form.widget.findChild(QLabel, "create.speed.times")
    form.widget.show_forecast(made)
    assert line.text() == "About 3.8 s, 6.2 s without"
    form.binding.set("batch", 2)
    assert line.text() == "About 1.9 s a picture, 3.1 s without"
    for unknown in ({"seen": False}, {"plain_seconds": None}, {"node": "elsewhere"}):
        other = model.model_copy(update=unknown)
        form.widget.show_forecast(made.model_copy(update={"models": (other,)}))
        assert line.isHidden()


def test_a_runtime_that_cannot_be_used_says_why(form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    translated = "{title}: fehlt ({package})"
    source = "{title} is not installed (the package {package})."
    monkeypatch.setattr(form_speed, "runtime_reason", lambda device: runtime_reason(device, lambda _: False))
    monkeypatch.setattr(
        form_speed, "tr", lambda text, **slots: fill(translated if text == source else text, slots)
    )
    form.models.set_device(DEVICE)
    row = next(row for row in form.widget.findChildren(SpeedRow) if row.param.name == "runtime")
    assert reason_of(row.editor.field, "openvino") == "OpenVINO: fehlt (openvino)"
    form.models.set_device(DEVICE.model_copy(update={"device": "cuda:0"}))
    assert "graphics card" in reason_of(row.editor.field, "openvino")
    assert reason_of(row.editor.field, "torch") == ""
