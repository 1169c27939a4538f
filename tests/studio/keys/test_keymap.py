"""Keys in force: layers, conflicts, sets, and what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt

from studio.canvas.workspace import GraphWorkspace
from studio.commands.table import COMMANDS
from studio.documents.document import GraphDocument
from studio.keys import GESTURE_TABLE, KEY_SETS, Bindings, Entry, Keymap, Scope, Trigger
from studio.keys.gestures import gesture_of, suits
from studio.keys.image_keys import IMAGE_KEYS, LAYER, TOOL
from studio.keys.keymap import resolved
from studio.keys.latin import normal
from studio.mask.layer_operations import OPERATIONS
from studio.mask.tools import TOOLS
from studio.settings import SettingsStore, load
from tests.helpers.canvas_fakes import FakeBridge, small_graph, stub_registry

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NO, ALT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.AltModifier
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
ENTRIES = (
    Entry("a.one", "One", "Edit", Scope.WINDOW, ("Ctrl+1", "F2")),
    Entry("a.two", "Two", "Edit", Scope.WINDOW, ("Ctrl+2",)),
    Entry("a.none", "None", "Edit", Scope.WINDOW),
    Entry("g.one", "One there", "Graph", Scope.GRAPH, ("Ctrl+1", "Q")),
)


@pytest.fixture
def keymap(qapp: object) -> Keymap:
    made = Keymap()
    made.add(*ENTRIES)
    return made


@pytest.fixture
def everything(qapp: object) -> Keymap:
    """All commands there are."""
    made = Keymap()
    made.add(*IMAGE_KEYS)
    for command in COMMANDS:
        keys = tuple(key for key in (command.shortcut, *command.also) if key)
        made.add(Entry(command.id, command.title, command.menu, Scope.WINDOW, keys))
    workspace = GraphWorkspace(GraphDocument(small_graph(), stub_registry()), FakeBridge())
    workspace.use_keys(made)
    return made


def test_each_scope_has_its_own_keys(keymap: Keymap) -> None:
    assert keymap.keys("a.one") == ("Ctrl+1", "F2")
    assert keymap.keys("g.one") == ("Ctrl+1", "Q")
    assert keymap.holder("a.two", "ctrl+1") == ENTRIES[0]
    assert keymap.holder("g.one", "Ctrl+2") is None
    assert [entry.id for entry in keymap.elsewhere("a.one", "Ctrl+1")] == ["g.one"]


def test_a_key_is_taken_from_whoever_has_it_and_comes_back(keymap: Keymap) -> None:
    told: list[int] = []
    keymap.changed.connect(lambda: told.append(1))
    keymap.bind("a.two", ("Ctrl+2", "Ctrl+1"))
    assert keymap.keys("a.two") == ("Ctrl+2", "Ctrl+1")
    assert keymap.keys("a.one") == ("F2",)
    assert keymap.keys("g.one") == ("Ctrl+1", "Q")
    assert not keymap.is_changed("a.one")
    keymap.bind("a.none", ("Ctrl+1",))
    assert keymap.keys("a.two") == ("Ctrl+2",)
    keymap.reset("a.none")
    assert keymap.keys("a.one") == ("Ctrl+1", "F2")
    assert not keymap.has_changes
    assert len(told) == 3


def test_giving_a_command_its_own_keys_is_no_change(keymap: Keymap) -> None:
    keymap.bind("a.one", ())
    assert keymap.keys("a.one") == ()
    assert keymap.is_changed("a.one")
    keymap.bind("a.one", ("Ctrl+1", "F2"))
    assert not keymap.has_changes


def test_only_changes_are_kept_and_unknown_ones_stay(tmp_path: Path, qapp: object) -> None:
    path = tmp_path / "studio.json"
    path.write_text(json.dumps({"keys": {"plugin.thing": ["F7"], "wrong": 7}, "gestures": {"cut": ["Alt"]}}))
    keymap = Keymap(SettingsStore(path))
    keymap.add(*ENTRIES)
    keymap.bind("a.two", ("F9",))
    assert load(path).keys == {"plugin.thing": ("F7",), "a.two": ("F9",)}
    keymap.reset_all()
    assert load(path).keys == {"plugin.thing": ("F7",)}
    assert Keymap(SettingsStore(path)).gestures.triggers("pan") == Bindings().triggers("pan")


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a", "b", "c"]), st.lists(st.sampled_from(["F1", "F2", "F3"]), max_size=3)
        ),
        max_size=3,
    )
)
def test_no_key_belongs_to_two(layers: list[dict[str, list[str]]]) -> None:
    entries = [Entry(id, id, "", Scope.WINDOW) for id in "abc"]
    texts = [{id: tuple(keys) for id, keys in layer.items()} for layer in layers]
    found = resolved(entries, texts)
    keys = [key for mine in found.values() for key in mine]
    assert len(keys) == len(set(keys))
    for id, mine in found.items():
        asked = next(layer[id] for layer in texts if id in layer)
        assert set(mine) <= {normal(key) for key in asked}


# --- what ships ------------------------------------------------------------------------------------


def test_no_two_commands_of_a_scope_have_one_key(everything: Keymap) -> None:
    for entry in everything.entries:
        assert everything.keys(entry.id) == tuple(dict.fromkeys(map(normal, entry.keys))), entry.id
        assert not any(everything.is_needed(entry.id, key) for key in entry.keys)


def test_the_comfyui_set_is_whole(everything: Keymap) -> None:
    everything.choose("comfyui")
    chosen = everything.key_set
    assert chosen.title == "ComfyUI"
    for id, keys in chosen.keys.items():
        assert everything.keys(id) == tuple(map(normal, keys)), id
    for expected, id in (
        ("Ctrl+B", "graph.bypass"), ("Ctrl+G", "graph.frame"), (".", "graph.frame_selection"),
        ("Alt+M", "graph.minimap"), ("Ctrl+Alt+Return", "run.cancel"), ("Ctrl+M", "graph.mute"),
    ):  # fmt: skip
        assert expected in everything.keys(id)
    lost = [entry.id for entry in everything.entries if entry.keys and not everything.keys(entry.id)]
    assert lost == ["graph.backspace"]
    everything.choose("no such set")
    assert everything.key_set is KEY_SETS[0]


@pytest.mark.parametrize("chosen", [one.id for one in KEY_SETS])
def test_gestures_of_a_set_are_apart_and_can_be_read(chosen: str, qapp: object) -> None:
    keymap = Keymap()
    keymap.choose(chosen)
    for gesture in GESTURE_TABLE:
        triggers = keymap.gestures.triggers(gesture.id)
        assert triggers
        assert set(keymap.key_set.gestures) <= {one.id for one in GESTURE_TABLE}
        for trigger in triggers:
            assert Trigger.read(trigger.text) == trigger
            assert suits(gesture, trigger)
            assert keymap.gesture_holder(gesture.id, trigger.text) is None


def test_the_canvas_tables_say_the_same() -> None:
    keys = {entry.id: (entry.title, entry.keys) for entry in IMAGE_KEYS}
    assert {id for id in keys if id.startswith(TOOL)} == {TOOL + tool.id for tool in TOOLS}
    assert all(keys[TOOL + tool.id] == (tool.title, (tool.key,)) for tool in TOOLS)
    for entry in OPERATIONS:
        title, own = keys[LAYER + entry.id]
        assert (title.removeprefix("Layer: ").lower(), own) == (
            entry.title.lower(), (entry.key,) if entry.key else ()
        )  # fmt: skip


# --- gestures --------------------------------------------------------------------------------------


def test_what_begins_a_gesture() -> None:
    bindings = Bindings()
    assert bindings.begun_by("cut", RIGHT, CONTROL | SHIFT, False) is not None
    assert bindings.begun_by("cut", RIGHT, SHIFT, False) is None
    assert bindings.begun_by("pan", LEFT, NO, True) is not None
    assert bindings.begun_by("pan", LEFT, NO, False) is None
    best = bindings.best("blank", LEFT, CONTROL | SHIFT, False)
    assert best is not None
    assert best[0] == "lasso"
    assert bindings.holds("free", CONTROL | ALT)
    assert not bindings.holds("free", ALT)


def test_a_gesture_takes_a_trigger_from_another_of_its_place(qapp: object) -> None:
    keymap = Keymap()
    assert keymap.gesture_holder("lasso", "LeftButton") == gesture_of("box")
    assert keymap.gesture_holder("dot", "LeftButton") is None
    keymap.bind_gesture("lasso", ("LeftButton",))
    assert keymap.gesture_texts("lasso") == ("LeftButton",)
    assert keymap.gesture_texts("box") == ()
    keymap.reset_gesture("lasso")
    keymap.reset_gesture("box")
    assert not keymap.has_changes


@pytest.mark.parametrize("text", ["", "Ctrl+", "Hyper+LeftButton", "LeftButton+RightButton", "Ctrl+Shake"])
def test_what_is_no_trigger(text: str) -> None:
    trigger = Trigger.read(text)
    assert trigger is None or not suits(gesture_of("cut"), trigger)
