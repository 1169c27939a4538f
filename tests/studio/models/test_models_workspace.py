"""The Models workspace: finding, choosing, using, noting, converting, removing; folders; what is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from pipelines.engine.protocol import (
    Device,
    Duplicates,
    ErrorData,
    Failure,
    Lost,
    ModelConverted,
    ModelDescribed,
    ModelImported,
    ModelInfo,
    ModelProgress,
    ModelRemoved,
    ModelTold,
)
from pipelines.errors import ConversionRefused, EngineDied
from studio.app import StudioApp
from studio.models import actions as actions_module
from studio.models.shelf import FAVOURITES, UNUSABLE, Query
from studio.models.table import FIT, NAME, SIZE
from studio.models.workspace import ModelsWorkspace
from tests.helpers.file_drop import drop_on, files
from tests.helpers.studio_fakes import DEVICE, LANGUAGE, OTHER, STARTER, FakeBridge, picture, template

Open = Callable[..., tuple[StudioApp, FakeBridge]]

LORA = ModelInfo(
    kind="lora", id="ink.safetensors", title="Ink wash", path="/m/ink.safetensors", base="sdxl",
    bytes=40_000_000, dtype="F16", trigger_words=("inkwash style",), tags=("watercolour",),
    modified=1_700_000_000.0, used=5.0,
)  # fmt: skip
PICKLED = ModelInfo(
    kind="diffusion", id="old.ckpt", title="Old", path="/m/old.ckpt", bytes=4_000_000_000,
    problem="It holds a Python pickle. Convert it.", problem_code="ModelPickled",
)  # fmt: skip
HUGE = ModelInfo(
    kind="diffusion", id="huge.safetensors", title="Huge", path="/m/huge.safetensors", family="flux",
    bytes=40_000_000_000, dtype="F32", parameters=10_000_000_000,
)  # fmt: skip
OWN = STARTER.model_copy(update={"id": "starter/text-to-image"})
ALL = (OWN, OTHER, LANGUAGE, LORA, PICKLED, HUGE)


@pytest.fixture
def opened(open_studio: Open) -> tuple[StudioApp, FakeBridge, ModelsWorkspace]:
    studio, bridge = open_studio(template())
    bridge.tell_ready(*ALL)
    studio.window.commands.run("view.models")
    return studio, bridge, studio.window.models_page


Opened = tuple[StudioApp, FakeBridge, ModelsWorkspace]


def titles(page: ModelsWorkspace) -> list[str]:
    return [page.table.info(row).title for row in range(page.table.rowCount())]


def requests(bridge: FakeBridge, what: str) -> list[tuple[str, dict[str, Any]]]:
    return [(path, more) for kind, path, more in bridge.model_requests if kind == what]


# --- finding -----------------------------------------------------------------------------------------------


def test_models_are_found_by_name_family_tag_and_trigger_word(opened: Opened) -> None:
    _, _, page = opened
    assert len(titles(page)) == len(ALL)
    for text, expected in (
        ("photo", ["Photos"]), ("watercol", ["Ink wash"]), ("inkwash sdxl", ["Ink wash"]), ("sdxl photo", []),
    ):  # fmt: skip
        page.filters.search.setText(text)
        assert titles(page) == expected
    assert page.count.text() == "No model is like this."
    assert page.nothing.isVisible()
    assert not page.list.isVisible()
    page.nothing.all.click()
    assert not page.nothing.isVisible()
    assert len(titles(page)) == len(ALL)
    page.filters.search.setText("sdxl photo")
    page.clear.click()
    assert len(titles(page)) == len(ALL)
    assert page.filters.search.text() == ""


def test_kinds_families_and_orders_narrow_and_sort(opened: Opened) -> None:
    _, _, page = opened
    page.filters.choose_kind("lora")
    assert titles(page) == ["Ink wash"]
    page.filters.choose_kind(UNUSABLE)
    assert titles(page) == ["Old"]
    page.filters.choose_kind(UNUSABLE)  # pressed again: all
    page.filters.set_query(Query(family="sd1"))
    assert titles(page) == ["Diptych starter", "Photos"]
    page.filters.set_query(Query())
    header = page.list.horizontalHeader()
    assert (header.sortIndicatorSection(), header.sortIndicatorOrder()) == (NAME, Qt.SortOrder.AscendingOrder)
    header.sectionClicked.emit(SIZE)
    assert titles(page)[:3] == ["Huge", "Old", "Photos"]
    header.sectionClicked.emit(SIZE)
    assert titles(page)[-1] == "Huge"
    page.filters.set_query(Query(order="used"))
    assert titles(page)[0] == "Ink wash"
    assert page.filters.chips["lora"].text().endswith("1")
    assert page.filters.chips["vae"].isHidden()


def test_the_choice_stays_while_the_list_changes(opened: Opened) -> None:
    _, bridge, page = opened
    page.choose(LORA.path)
    page.filters.search.setText("ink")
    assert page.current == LORA
    bridge.tell_ready(*ALL, LORA.model_copy(update={"path": "/m/a.safetensors", "id": "a", "title": "A ink"}))
    assert page.current is not None
    assert page.current.path == LORA.path
    page.filters.search.setText("huge")
    assert page.current == HUGE


def test_keys_go_from_the_search_to_the_list_and_use_a_model(opened: Opened, qtbot: QtBot) -> None:
    studio, _, page = opened
    page.filters.search.setFocus()
    qtbot.keyClicks(page.filters.search, "photos")
    qtbot.keyClick(page.filters.search, Qt.Key.Key_Down)
    assert page.list.hasFocus()
    count = studio.parts.document.undo_stack.count()
    qtbot.keyClick(page.list, Qt.Key.Key_Return)
    assert studio.parts.binding.value("model") == OTHER.id
    assert studio.parts.binding.value("steps") == 25
    assert studio.window.workspace == "create"
    assert studio.parts.document.undo_stack.count() == count + 1


# --- using -------------------------------------------------------------------------------------------------


def test_a_model_that_nothing_takes_says_so(opened: Opened) -> None:
    studio, bridge, page = opened
    before = studio.parts.document.graph
    part = LORA.model_copy(update={"kind": "vision", "path": "/m/eye", "id": "eye", "title": "Part"})
    bridge.tell_ready(*ALL, part)
    for info in (PICKLED, part):
        page.choose(info.path)
        assert not page.details.use.isEnabled()
        assert page.details.use.toolTip()
        studio.window.actions_.models.use()
        assert studio.parts.document.graph is before
    assert "reads pictures" in page.details.reason.text()


def test_loras_go_one_behind_the_other_into_the_wire_of_the_model(opened: Opened) -> None:
    studio, bridge, page = opened
    other = LORA.model_copy(update={"path": "/m/b.safetensors", "id": "b.safetensors", "title": "B"})
    bridge.tell_ready(*ALL, other)
    document, steps = studio.parts.document, studio.parts.document.undo_stack.count()
    (model,) = [id for id, node in document.graph.nodes.items() if node.type == "model.diffusion"]
    users = {(node, port) for node, port, link in document.graph.links() if link.node == model}
    for info in (LORA, other):
        studio.window.commands.run("view.models")
        page.choose(info.path)
        studio.window.commands.run("models.use")
    chain = {
        node.params["lora"]: (id, node.inputs["model"].node)
        for id, node in document.graph.nodes.items() if node.type == "model.lora"
    }  # fmt: skip
    first, second = chain[LORA.id], chain[other.id]
    assert (first[1], second[1]) == (model, first[0])
    assert {(node, port) for node, port, link in document.graph.links() if link.node == second[0]} == users
    assert document.undo_stack.count() == steps + 2


def test_a_text_model_joins_the_graph_where_nothing_takes_one(opened: Opened) -> None:
    studio, _, page = opened
    page.choose(LANGUAGE.path)
    studio.window.commands.run("models.use")
    added = [node for node in studio.parts.document.graph.nodes.values() if node.type == "model.language"]
    assert [node.params["model"] for node in added] == [LANGUAGE.id]
    assert studio.window.workspace == "graph"
    studio.parts.document.undo_stack.undo()
    assert all(node.type != "model.language" for node in studio.parts.document.graph.nodes.values())


def test_without_a_document_a_template_is_opened(open_studio: Open) -> None:
    studio, bridge = open_studio()
    bridge.tell_ready(*ALL)
    studio.window.commands.run("view.models")
    studio.window.models_page.choose(OTHER.path)
    studio.window.commands.run("models.use")
    assert studio.parts.binding.value("model") == OTHER.id


def test_who_uses_a_model_is_listed(opened: Opened, qtbot: QtBot, tmp_path: Path) -> None:
    studio, _, page = opened
    named = tmp_path / "named.json"
    named.write_text(json.dumps({"nodes": {"m": {"type": "x", "params": {"model": OTHER.id}}}}))
    (tmp_path / "other.json").write_text("{}")
    studio.parts.settings.change(recent=(str(named), str(tmp_path / "other.json"), "/gone.json"))
    studio.parts.binding.set("model", OTHER.id)
    page.choose(OTHER.path)
    title = studio.parts.document.title or "Untitled"
    qtbot.waitUntil(lambda: page.details.users.shown == (title, f"{tmp_path.name}/named.json"))
    page.choose(HUGE.path)
    qtbot.wait(200)
    assert page.details.users.shown == ()


# --- noting ------------------------------------------------------------------------------------------------


def test_notes_are_kept_when_the_field_is_left(opened: Opened, qtbot: QtBot) -> None:
    _, bridge, page = opened
    page.choose(LORA.path)
    qtbot.keyClick(page.list, Qt.Key.Key_F2)
    notes = page.details.notes
    assert notes.text.hasFocus()
    qtbot.keyClicks(notes.text, "soft skies")
    notes.tags.setText("mine,  soft , mine")
    page.list.setFocus()
    notes.tags.editingFinished.emit()
    assert requests(bridge, "note") == [
        (LORA.path, {"text": "soft skies", "tags": ("mine", "soft")}),
    ]
    noted = LORA.model_copy(
        update={"notes": "soft skies", "user_tags": ("mine", "soft"), "sha256": "ab" * 32}
    )
    bridge.model_answered.emit(ModelTold(request="model-1", model=noted))
    page.filters.search.setText("skies")
    assert titles(page) == ["Ink wash"]
    assert page.details.notes.tags.text() == "mine, soft"
    assert not page.details.notes.hint.isVisible()


def test_what_is_being_written_goes_to_its_own_model(opened: Opened) -> None:
    _, bridge, page = opened
    page.choose(LORA.path)
    page.details.notes.text.setPlainText("of the ink")
    page.choose(OTHER.path)
    assert requests(bridge, "note") == [(LORA.path, {"text": "of the ink"})]
    assert page.details.notes.text.toPlainText() == ""


def test_a_favourite_has_a_chip_and_a_star(opened: Opened, qtbot: QtBot) -> None:
    _, bridge, page = opened
    page.choose(LORA.path)
    qtbot.keyClick(page.list, Qt.Key.Key_Space)
    assert requests(bridge, "note") == [(LORA.path, {"favourite": True})]
    bridge.model_answered.emit(
        ModelTold(request="model-1", model=LORA.model_copy(update={"favourite": True}))
    )
    page.filters.choose_kind(FAVOURITES)
    assert titles(page) == ["Ink wash"]
    assert page.details.star.isChecked()


def test_a_trigger_word_is_copied_and_a_tag_searched(opened: Opened) -> None:
    studio, _, page = opened
    page.choose(LORA.path)
    page.details.triggers.pressed.emit("inkwash style")
    assert QGuiApplication.clipboard().text() == "inkwash style"
    assert "inkwash style" in studio.window.status.text.text()
    page.details.tags.pressed.emit("watercolour")
    assert titles(page) == ["Ink wash"]


def test_create_lends_its_settings(opened: Opened) -> None:
    studio, bridge, page = opened
    studio.parts.binding.set("steps", 11)
    page.choose(OTHER.path)
    page.details.take.click()
    ((path, kept),) = requests(bridge, "note")
    assert path == OTHER.path
    assert kept["defaults"]["steps"] == 11


# --- the file ----------------------------------------------------------------------------------------------


def test_hashing_is_shown_and_can_be_stopped(opened: Opened) -> None:
    studio, bridge, page = opened
    page.choose(HUGE.path)
    page.details.hashes.make.click()
    (request,) = [f"model-{at + 1}" for at, item in enumerate(bridge.model_requests) if item[0] == "hash"]
    progress = ModelProgress(
        request=request, phase="hashing", path=HUGE.path, done=10_000_000_000, total=40_000_000_000
    )
    bridge.model_answered.emit(progress)
    assert studio.window.status.text.text() == "Making hashes: 10.0 of 40.0 GB"
    assert page.details.work.isVisible()
    assert not page.details.hashes.make.isEnabled()
    page.details.work.stop.click()
    assert requests(bridge, "stop") == [(request, {})]
    bridge.engine_lost.emit(Lost(error=ErrorData(**EngineDied(reason="It ended.").info().to_json())))
    assert not page.details.work.isVisible()


def test_a_pickle_is_converted_and_the_new_file_chosen(opened: Opened) -> None:
    studio, bridge, page = opened
    page.choose(PICKLED.path)
    assert page.details.problem.isVisible()
    page.details.problem.copy.click()
    assert QGuiApplication.clipboard().text() == 'diptych models convert "/m/old.ckpt"'
    page.details.problem.convert.click()
    refused = ConversionRefused(model="old.ckpt", reason="It calls os.system.")
    bridge.tell_failure(f"model-{len(bridge.model_requests)}", refused)
    assert "was not converted" in studio.window.banner.heading.text()
    page.details.problem.convert.click()
    request, target = f"model-{len(bridge.model_requests)}", "/m/old.safetensors"
    bridge.model_answered.emit(
        ModelConverted(request=request, path=PICKLED.path, target=target, dropped=("epoch",))
    )
    assert "epoch" in studio.window.banner.body.text()
    new = PICKLED.model_copy(update={"path": target, "id": "old.safetensors", "title": "New", "problem": ""})
    bridge.tell_ready(*ALL, new)
    assert page.current is not None
    assert page.current.title == "New"


def test_files_that_are_dropped_are_taken_in_and_folders_searched(opened: Opened, tmp_path: Path) -> None:
    studio, bridge, page = opened
    drop_on(page.list, files(tmp_path, tmp_path / "ink.safetensors"))
    assert requests(bridge, "import") == [(str(tmp_path / "ink.safetensors"), {})]
    assert str(tmp_path) in studio.parts.settings.values.model_folders
    request = f"model-{len(bridge.model_requests)}"
    told = ModelImported(request=request, path="/d/ink.safetensors", target=LORA.path, already=True)
    bridge.model_answered.emit(told)
    assert page.current == LORA
    assert "is there already" in studio.window.banner.heading.text()
    assert LORA.path in studio.window.banner.body.text()


def test_removing_asks_and_the_programs_own_models_stay(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, bridge, page = opened
    answers = [False, True]
    monkeypatch.setattr(actions_module, "ask", lambda *words: answers.pop(0))
    page.choose(OWN.path)
    assert not studio.window.commands.action("models.remove").isEnabled()
    page.choose(LORA.path)
    studio.window.commands.run("models.remove")
    assert requests(bridge, "remove") == []
    studio.window.commands.run("models.remove")
    assert requests(bridge, "remove") == [(LORA.path, {})]
    bridge.model_answered.emit(ModelRemoved(request="model-1", path=LORA.path, files=(LORA.path,)))
    assert "Ink wash" not in titles(page)


def test_the_same_file_is_named(opened: Opened, qtbot: QtBot) -> None:
    studio, bridge, page = opened
    copy = LORA.model_copy(update={"path": "/n/copy.safetensors", "id": "copy.safetensors", "title": "Copy"})
    bridge.tell_ready(*ALL, copy)
    page.choose(LORA.path)
    qtbot.waitUntil(lambda: page.details.same.shown != ())
    assert page.details.same.shown == ("n/copy.safetensors may be: it has the same size", "Compare the files")
    studio.window.commands.run("models.duplicates")
    request = f"model-{len(bridge.model_requests)}"
    bridge.model_answered.emit(Duplicates(request=request, groups=((LORA.path, copy.path),)))
    assert "ink.safetensors = copy.safetensors" in studio.window.banner.body.text()


def test_what_is_written_in_the_file_is_asked_for_when_it_is_unfolded(opened: Opened, qtbot: QtBot) -> None:
    _, bridge, page = opened
    page.choose(LORA.path)
    qtbot.wait(200)
    assert requests(bridge, "describe") == []
    page.details.inside.header.click()
    assert requests(bridge, "describe") == [(LORA.path, {})]
    described = ModelDescribed(request="x", path=LORA.path, tensors=2, metadata={"ss_epoch": "12"})
    bridge.model_answered.emit(described)
    assert page.details.metadata.texts() == {"Tensors": "2", "ss_epoch": "12"}


def test_a_failure_of_another_request_is_not_said_here(opened: Opened) -> None:
    studio, bridge, _ = opened
    error = ErrorData(**ConversionRefused(model="x", reason="y").info().to_json())
    bridge.failed.emit(Failure(request="somebody-else", error=error))
    assert not studio.window.banner.isVisible()


# --- device, folders ---------------------------------------------------------------------------------------


def test_verdicts_count_weights_in_the_devices_precision(opened: Opened) -> None:
    _, bridge, page = opened

    def verdict(title: str) -> str:
        return str(page.table.index(titles(page).index(title), FIT).data())

    assert (verdict("Photos"), verdict("Huge"), verdict("Old")) == (
        "Weights fit",
        "Over memory",
        "Can't be used",
    )
    card = {"device": "cuda:0", "name": "Card", "dtype": "bf16"}
    bridge.device_changed.emit(Device(**card, total_bytes=24_000_000_000))  # 10 G numbers of 2 bytes
    assert verdict("Huge") == "Weights fit"
    bridge.device_changed.emit(Device(**card, total_bytes=20_500_000_000))
    assert verdict("Huge") == "Barely fits"
    page.choose(HUGE.path)
    assert page.details.facts.texts()["This device"] == "Barely fits"
    bridge.device_changed.emit(DEVICE)


def test_folders_are_added_at_once_and_taken_away_again(
    opened: Opened, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    studio, bridge, page = opened
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    studio.window.commands.run("models.add_folder")
    ((_, sent),) = requests(bridge, "folders")
    assert sent["folders"][0] == str(tmp_path)
    page.manage.click()
    assert page.folders.isVisible()
    rows = page.folders.places
    qtbot.waitUntil(lambda: rows.count() > 2)
    page.folders.folder_dropped.emit(str(tmp_path))
    assert studio.parts.settings.values.model_folders == ()
    assert len(requests(bridge, "folders")) == 2


def test_a_folder_that_is_dropped_is_searched(opened: Opened, tmp_path: Path) -> None:
    studio, _, page = opened
    assert drop_on(page, files(tmp_path))
    assert studio.parts.settings.values.model_folders == (str(tmp_path),)


def test_the_empty_state_teaches_until_there_are_models_of_ones_own(opened: Opened) -> None:
    _, bridge, page = opened
    assert not page.folders.isVisible()
    bridge.tell_ready(OWN)
    assert page.folders.isVisible()
    assert page.folders.button.text() == "Add a folder of models…"
    bridge.tell_ready(*ALL)
    assert not page.folders.isVisible()


def test_pictures_are_read_beside_the_window(opened: Opened, qtbot: QtBot, tmp_path: Path) -> None:
    _, bridge, page = opened
    picture(90, 300).save(str(tmp_path / "ink.png"))
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    shown = LORA.model_copy(update={"preview": str(tmp_path / "ink.png")})
    bad = HUGE.model_copy(update={"preview": str(tmp_path / "bad.png")})
    bridge.tell_ready(shown, bad)
    page.choose(shown.path)
    qtbot.waitUntil(lambda: not page.details.picture.pixmap().isNull())
    thumbnails = page.list.thumbnails
    qtbot.waitUntil(lambda: thumbnails.get(shown.preview) is not None)
    assert thumbnails.get(bad.preview) is None


def test_a_long_list_is_put_in_order_by_a_worker(opened: Opened, qtbot: QtBot) -> None:
    _, bridge, page = opened
    many = [
        LORA.model_copy(update={"path": f"/m/{at}", "id": f"{at}", "title": f"Ink {at:04}"})
        for at in range(1500)
    ]
    bridge.tell_ready(*many)
    qtbot.waitUntil(lambda: page.table.rowCount() == 1500)
    assert titles(page)[700] == "Ink 0700"
    bridge.model_answered.emit(ModelTold(request="", model=many[3].model_copy(update={"notes": "nightfall"})))
    page.filters.search.setText("nightfall")
    assert titles(page) == ["Ink 0003"]
