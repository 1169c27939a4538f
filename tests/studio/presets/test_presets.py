"""Presets: kept as files, used as one undo step; what is missing is named, and nothing else is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from pipelines.engine.protocol import ModelInfo
from pipelines.errors import PresetFromTheFuture, PresetUnreadable
from pipelines.graph.document import Graph
from studio.app import StudioApp
from studio.create.binding import Binding
from studio.create.form_layers import PictureList
from studio.create.layer_edits import LayerEdits
from studio.documents.document import GraphDocument
from studio.graph.loras import loras, with_lora
from studio.graph.model_changes import TEXT_ENCODER, changes, with_change
from studio.graph.refiner import refined_nodes, refining, with_refiner
from studio.models.choices import ModelChoices
from studio.presets import store as store_module
from studio.presets.apply import applied, found_again
from studio.presets.capture import captured, name_of
from studio.presets.dialogs import PresetManager, SavePreset
from studio.presets.preset import ModelName, Preset, parse
from studio.presets.store import PresetStore
from tests.helpers.studio_fakes import STARTER, FakeBridge, picture, template

PHOTOS = ModelInfo(
    kind="diffusion", id="photos.safetensors", title="Photos", path="/models/photos.safetensors",
    family="sd1", sha256="a" * 64,
)  # fmt: skip
INK = ModelInfo(
    kind="lora", id="styles/ink.safetensors", title="Ink", path="/models/styles/ink.safetensors",
    family="sd1", base="sd1", sha256="b" * 64,
)  # fmt: skip
CANNY = ModelInfo(
    kind="control", id="canny.safetensors", title="Canny", path="/models/canny.safetensors", family="sd1",
    base="sd1",
)  # fmt: skip


# --- names and files --------------------------------------------------------------------------------------


def test_a_model_is_found_by_its_bytes_then_its_id_then_its_file(tmp_path: Path) -> None:
    name = name_of(INK.path, INK)
    assert (name.id, name.sha256) == (INK.id, INK.sha256)
    moved = INK.model_copy(update={"id": "other/renamed.safetensors"})
    other = INK.model_copy(update={"id": "old/ink.safetensors", "sha256": "", "family": "sd1"})
    assert found_again(name, [other, moved]) is moved
    assert found_again(name, [other]) is other
    assert found_again(name, [other.model_copy(update={"family": "sdxl"})]) is None
    # one outside the known folders is named by its file alone: no folder of the user's is kept
    for value in (
        "/srv/somebody/secret/x.safetensors",
        "D:\\People\\somebody\\x.safetensors",
        "~/x.safetensors",
    ):
        outside = INK.model_copy(update={"id": value, "path": value})
        assert name_of(value, outside).id == name_of(value, None).id == "x.safetensors"


def test_files_keep_what_they_do_not_know(tmp_path: Path) -> None:
    store = PresetStore(tmp_path)
    first = store.save(Preset(name="Ink / wash", values={"steps": 9}), {})
    written = json.loads(first.read_text())
    first.write_text(json.dumps({**written, "later": {"a": [1]}}))
    again = store.save(Preset(name="ink / WASH", values={"steps": 12}), {})
    assert again == first
    assert store.rename(first, "Wash") == first
    found = json.loads(first.read_text())
    assert (found["later"], found["name"], found["values"]) == ({"a": [1]}, "Wash", {"steps": 12})
    assert [kept.name for kept in store.all()] == ["Wash"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"format": 2, "name": "x"}', PresetFromTheFuture),
        ('{"format": 1}', PresetUnreadable),
        ('{"format": true, "name": "x"}', PresetUnreadable),
        ('{"format": 1, "name": "x", "pictures": [{"port": "regions"}]}', PresetUnreadable),
        (
            '{"format": 1, "name": "x", "pictures": [{"port": "controls", "picture": "../x"}]}',
            PresetUnreadable,
        ),
        ('{"format": 1, "name": "x", "changes": [{"type": "model.lora", "words": [""]}]}', PresetUnreadable),
        ("[]", PresetUnreadable),
    ],
)  # fmt: skip
def test_a_file_that_is_no_preset_says_why(text: str, error: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(error):
        parse(text.encode(), "x.json")
    (tmp_path / "x.json").write_text(text)
    (kept,) = PresetStore(tmp_path).all()
    assert kept.preset is None
    assert kept.error is not None
    assert kept.error.code == error.__name__


def test_pictures_travel_with_an_exported_one(tmp_path: Path) -> None:
    mine, theirs = PresetStore(tmp_path / "mine"), PresetStore(tmp_path / "theirs")
    file = tmp_path / "hill.png"
    picture().save(str(file))
    preset = Preset(name="Hill", pictures=({"port": "references", "name": "hill.png"},))
    kept = mine.save(preset, {0: str(file)})
    name = mine.read(kept).pictures[0].picture
    assert Path(mine.picture(name)).read_bytes() == file.read_bytes()
    sent = mine.export(kept, tmp_path / "sent.json")
    for expected in ("Hill", "Hill 2"):
        taken = theirs.read(theirs.take_in(sent))
        assert (taken.name, taken.files) == (expected, {})
    assert Path(theirs.picture(name)).read_bytes() == file.read_bytes()
    forged = json.loads(sent.read_text())
    forged["files"] = {"0" * 64: next(iter(forged["files"].values()))}
    sent.write_text(json.dumps(forged))
    with pytest.raises(PresetUnreadable):
        theirs.take_in(sent)
    Path(theirs.picture(name)).write_bytes(b"changed")
    assert theirs.picture(name) == ""


# --- in the window ----------------------------------------------------------------------------------------


@pytest.fixture
def studio(open_studio: Callable[..., tuple[StudioApp, FakeBridge]], tmp_path: Path) -> StudioApp:
    app, bridge = open_studio(template())
    app.window.show_workspace("create")
    bridge.tell_ready(STARTER, PHOTOS, INK, CANNY)
    app.window.actions_.presets.store = PresetStore(tmp_path / "presets")
    return app


def edits(app: StudioApp) -> LayerEdits:
    found = app.window.create_page.form.findChildren(PictureList)
    return next(item.edits for item in found if item.sort.port == "controls")


def shown(app: StudioApp) -> tuple[object, ...]:
    """What a preset is about, as the document has it."""
    graph: Graph = app.parts.document.graph
    binding = app.parts.binding
    layers = edits(app).layers
    pictures = [
        (Path(item.path).read_bytes(), item.method_params, item.params, item.model_id)
        for item in layers.items
    ]
    values = [
        binding.value(name) for name in ("model", "steps", "guidance_scale", "sampler", "width", "prompt")
    ]
    draws = refined_nodes(graph, binding.registry, binding.node_of("model"))
    refiner = refining(graph, draws), [graph.nodes[draws[0]].params.get(name) for name in ("switch", "noise")]
    return loras(graph, binding.node_of("model")), pictures, values, refiner


def test_all_that_goes_with_a_model_comes_back_in_one_step(
    studio: StudioApp, tmp_path: Path, qtbot: QtBot
) -> None:
    actions, document, binding = studio.window.actions_.presets, studio.parts.document, studio.parts.binding
    file = tmp_path / "hill.png"
    picture().save(str(file))
    plain = document.graph
    studio.window.create_page.form.choose_model(PHOTOS.id)
    binding.set_many({"steps": 31, "guidance_scale": 5.5, "sampler": "dpmpp_2m", "prompt": "a hill"}, "Set")
    graph, node = with_lora(
        document.graph, binding.registry, binding.node_of("model"), {"lora": INK.id, "strength": 0.4}
    )
    graph = graph.with_node(node, graph.nodes[node].with_mode("bypassed"))
    draws = refined_nodes(graph, binding.registry, binding.node_of("model"))
    graph = with_refiner(graph, binding.registry, draws, PHOTOS.id).with_param(draws[0], "switch", 0.6)
    graph = graph.with_param(draws[0], "noise", "philox")
    document.replace(graph, "Add")
    edits(studio).add([str(file)])
    edits(studio).set_param(edits(studio).layers.items[0], "weight", 0.3)
    wanted = shown(studio)
    actions.save("Ink hill")
    qtbot.waitUntil(lambda: [kept.name for kept in actions.kept] == ["Ink hill"])
    assert "/" not in json.loads(actions.kept[0].path.read_text())["model"]["id"]
    assert str(tmp_path) not in actions.kept[0].path.read_text()
    file.unlink()
    document.replace(plain, "Back")
    binding.set("prompt", "a hill")
    before = document.graph
    steps = document.undo_stack.count()
    actions.use(actions.kept[0].preset)
    qtbot.waitUntil(lambda: document.graph is not before)
    assert shown(studio) == wanted
    assert document.undo_stack.count() == steps + 1
    document.undo_stack.undo()
    assert document.graph == before
    # used again, nothing is left of what was set meanwhile
    document.undo_stack.redo()
    count = len(document.graph.nodes)
    actions.use(actions.kept[0].preset)
    qtbot.wait(50)
    assert (shown(studio), len(document.graph.nodes)) == (wanted, count)


def test_what_is_missing_is_named_and_the_rest_is_set(qapp: QApplication) -> None:
    document, models = GraphDocument(template()), ModelChoices()
    binding = Binding(document)
    models._take((STARTER, PHOTOS, INK, CANNY))
    gone = ModelName(id="gone.safetensors", title="Gone", sha256="c" * 64)
    preset = Preset(
        name="Half",
        model=gone,
        changes=(
            {"type": "model.lora", "params": {"strength": 0.5}, "models": {"lora": gone}},
            {"type": "model.lora", "params": {"strength": "much"}, "models": {"lora": name_of(INK.id, INK)}},
            {"type": "evil.node", "params": {}},
        ),
        pictures=({"port": "controls", "name": "lost.png", "picture": "0" * 64},),
        values={"steps": 7, "guidance_scale": "a lot", "nonsense": 1},
    )
    guidance = binding.value("guidance_scale")
    made = applied(preset, binding, models, lambda name: "")
    document.replace(made.graph, "Use")
    assert [item.lora for item in loras(document.graph, binding.node_of("model"))] == [INK.id]
    assert binding.value("steps") == 7
    assert binding.value("guidance_scale") == guidance
    words = "\n".join(made.missing)
    for expected in ("Gone", "evil.node", "lost.png"):
        assert expected in words
    assert "Ink" not in words


@pytest.mark.parametrize(
    ("saved", "on", "used", "expected"),
    [
        ("a hill, INK wash", True, "", "ink wash"),
        ("a hill, (ink wash:1.2), paper", True, "a lake,", "a lake, ink wash, paper"),
        ("paper", True, "a Paper boat, newspaper", "a Paper boat, newspaper"),
        ("newspaper", True, "a lake", "a lake"),  # it never had the word
        ("paper", False, "a lake", "a lake"),
    ],
)
def test_trigger_words_that_were_used_come_back_once(
    saved: str, on: bool, used: str, expected: str, qapp: QApplication
) -> None:
    document, models = GraphDocument(template()), ModelChoices()
    binding = Binding(document)
    models._take((STARTER, INK.model_copy(update={"trigger_words": ("ink wash", "paper")})))
    start = document.graph
    graph, node = with_lora(start, binding.registry, binding.node_of("model"), {"lora": INK.id})
    document.replace(graph if on else graph.with_node(node, graph.nodes[node].with_mode("bypassed")), "Add")
    binding.set("prompt", saved)
    preset = parse(captured(binding, models, "Ink", prompts=False)[0].dumps(), "ink.json")
    document.replace(start, "Back")
    binding.set("prompt", used)
    for _ in range(2):
        document.replace(applied(preset, binding, models, lambda name: "").graph, "Use")
        assert binding.value("prompt") == expected


def test_a_text_encoder_of_its_own_is_kept(qapp: QApplication) -> None:
    encoder = INK.model_copy(update={"kind": "text_encoder", "id": "t5.safetensors", "path": "/models/t5.st"})
    document, models = GraphDocument(template()), ModelChoices()
    binding = Binding(document)
    models._take((STARTER, encoder))
    start, model = document.graph, binding.node_of("model")
    params = {"text_encoder": encoder.path}
    document.replace(with_change(start, binding.registry, model, TEXT_ENCODER, params)[0], "Add")
    preset = parse(captured(binding, models, "T5", prompts=False)[0].dumps(), "t5.json")
    document.replace(start, "Back")
    models._take((STARTER, encoder.model_copy(update={"id": "moved.safetensors", "path": "/moved"})))
    document.replace(applied(preset, binding, models, lambda name: "").graph, "Use")
    (kept,) = changes(document.graph, model)
    assert (kept.type, kept.params) == (TEXT_ENCODER, {"text_encoder": "moved.safetensors"})


def test_they_are_saved_renamed_and_binned_in_the_window(
    studio: StudioApp, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    actions, window = studio.window.actions_.presets, studio.window
    binned: list[str] = []

    def to_bin(path: str) -> None:
        binned.append(path)
        Path(path).unlink()

    monkeypatch.setattr(store_module, "to_bin", to_bin)
    window.commands.run("preset.save")
    qtbot.waitUntil(lambda: window.findChild(SavePreset) is not None)
    dialog = window.findChild(SavePreset)
    dialog.name.setText("Mine")
    qtbot.mouseClick(dialog.go, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(actions.kept) == 1)
    window.commands.run("preset.manage")
    manager = window.findChild(PresetManager)
    qtbot.waitUntil(lambda: manager.tree.topLevelItemCount() == 1)
    manager.tree.topLevelItem(0).setText(0, "Yours")
    qtbot.waitUntil(lambda: actions.kept[0].name == "Yours")
    menu = actions.menu()
    assert next(action.text() for action in menu.actions()) == "Yours"
    menu.deleteLater()
    qtbot.mouseClick(manager.delete, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: manager.tree.topLevelItemCount() == 0)
    assert len(binned) == 1
    assert not manager.use.isEnabled()
    assert "None yet" in manager.note.text()
    manager.reject()
