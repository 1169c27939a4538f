"""The keyboard dialog by hand, and what a changed key does at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu
from pytestqt.qtbot import QtBot

from pipelines.graph.document import Graph
from pipelines.paths import RESOURCES
from studio.app import StudioApp
from studio.preferences.keyboard import KeyboardDialog
from tests.helpers.studio_fakes import FakeBridge

Open = Callable[..., tuple[StudioApp, FakeBridge]]
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
ES, ES_PLACE = Qt.Key(0x0421), 54
"""The key of C on a Russian layout."""


def template() -> Graph:
    return Graph.loads((RESOURCES / "templates" / "prompt_to_image.json").read_bytes())


@pytest.fixture
def studio(open_studio: Open) -> StudioApp:
    studio, bridge = open_studio(template())
    studio.window.show_workspace("graph")
    bridge.tell_ready()
    return studio


@pytest.fixture
def dialog(studio: StudioApp, qtbot: QtBot) -> KeyboardDialog:
    studio.window.commands.run("help.keyboard")
    found = studio.window.findChild(KeyboardDialog)
    assert found is not None
    return found


def press(dialog: KeyboardDialog, key: Qt.Key, modifiers: Qt.KeyboardModifier = CONTROL) -> None:
    """Record keys for the current row."""
    QTest.mouseClick(dialog.keys.recorder, Qt.MouseButton.LeftButton)
    QTest.keyClick(dialog.keys.recorder, key, modifiers)


def shown(dialog: KeyboardDialog) -> list[str]:
    rows = (dialog.tree.topLevelItem(row) for row in range(dialog.tree.topLevelItemCount()))
    return [row.text(0) for row in rows if row is not None and not row.isHidden()]


def test_every_command_is_listed_with_where_it_counts(dialog: KeyboardDialog, studio: StudioApp) -> None:
    ids = {command.id for command in studio.window.commands}
    assert ids <= {entry.id for entry in studio.window.commands.keymap.entries}
    rows = (dialog.tree.topLevelItem(row) for row in range(dialog.tree.topLevelItemCount()))
    places = {row.text(2) for row in rows if row is not None}
    assert places == {"Whole window", "Node editor", "Image canvas"}
    dialog.line.setText("bypass")
    assert shown(dialog) == ["Graph · Bypass"]
    QTest.mouseClick(dialog.by_key, Qt.MouseButton.LeftButton)
    QTest.keyClick(dialog.by_key, Qt.Key.Key_G, CONTROL)
    assert shown(dialog) == ["Graph · Group nodes"]


def test_a_recorded_key_counts_at_once(dialog: KeyboardDialog, studio: StudioApp) -> None:
    window = studio.window
    dialog.keys.choose("view.full_screen")
    press(dialog, Qt.Key.Key_F12)
    action = window.commands.action("view.full_screen")
    assert [key.toString() for key in action.shortcuts()] == ["F11", "Ctrl+F12"]
    QTest.mouseClick(dialog.keys.editor.chips["F11"], Qt.MouseButton.LeftButton)
    assert "Ctrl+F12" in action.toolTip()
    assert window.parts.settings.values.keys == {"view.full_screen": ("Ctrl+F12",)}
    dialog.keys.choose("graph.mute")
    press(dialog, Qt.Key.Key_F4, Qt.KeyboardModifier.NoModifier)
    dialog.accept()
    view, scene = window.graph.view, window.graph.scene
    scene.select([next(iter(scene.nodes))])
    QTest.keyClick(view, Qt.Key.Key_F4)
    assert studio.parts.document.graph.nodes[scene.selected_nodes()[0]].mode == "muted"
    window.commands.keymap.reset_all()
    assert action.shortcut() == QKeySequence("F11")


def test_a_conflict_names_the_other_and_waits_for_an_answer(
    dialog: KeyboardDialog, studio: StudioApp
) -> None:
    keymap, editor = studio.window.commands.keymap, dialog.keys.editor
    dialog.keys.choose("graph.note")
    press(dialog, Qt.Key.Key_G)
    assert "Group nodes" in editor.question.text()
    assert keymap.keys("graph.note") == ("N",)
    QTest.mouseClick(editor.leave, Qt.MouseButton.LeftButton)
    assert not editor.question.isVisible()
    press(dialog, Qt.Key.Key_G)
    QTest.mouseClick(editor.take, Qt.MouseButton.LeftButton)
    assert keymap.keys("graph.note") == ("N", "Ctrl+G")
    assert keymap.keys("graph.group") == ()
    dialog.keys.choose("graph.group")
    assert "Put a note" in editor.note.text()
    dialog.keys.choose("graph.note")
    QTest.mouseClick(editor.reset_button, Qt.MouseButton.LeftButton)
    assert keymap.keys("graph.group") == ("Ctrl+G",)


def test_keys_that_lead_out_stay(dialog: KeyboardDialog, studio: StudioApp) -> None:
    dialog.keys.choose("graph.note")
    press(dialog, Qt.Key.Key_Backtab, SHIFT)
    assert "Shift+Tab" in dialog.keys.editor.question.text()
    assert studio.window.commands.keymap.keys("graph.note") == ("N",)
    assert dialog.keys.editor.question.isVisible()
    QTest.mouseClick(dialog.keys.recorder, Qt.MouseButton.LeftButton)
    QTest.keyClick(dialog.keys.recorder, Qt.Key.Key_Escape)
    assert dialog.isVisible()
    assert not dialog.keys.recorder.recording


def test_a_set_is_chosen_and_the_users_keys_stay_on_top(dialog: KeyboardDialog, studio: StudioApp) -> None:
    keymap = studio.window.commands.keymap
    keymap.bind("graph.bypass", ("F4",))
    dialog.sets.set_value("comfyui")
    dialog.sets.value_changed.emit("comfyui")
    assert keymap.keys("graph.bypass") == ("F4",)
    assert keymap.keys("graph.frame") == ("Ctrl+G",)
    assert studio.window.graph.view.gestures.holds("add", SHIFT)
    assert studio.window.graph.view.gestures.triggers("box")[0].text == "Ctrl+LeftButton"


def test_gestures_are_put_together_without_a_mouse(dialog: KeyboardDialog, studio: StudioApp) -> None:
    table, keymap = dialog.gestures, studio.window.commands.keymap
    dialog.tabs.setCurrentWidget(table)
    table.choose("cut")
    table.modifiers["Alt"].setChecked(True)
    table.button.set_value("RightButton")
    table.add.click()
    assert keymap.gesture_texts("cut") == ("Ctrl+RightButton", "Alt+RightButton")
    table.choose("lasso")
    table.button.set_value("LeftButton")
    table.add.click()
    assert "Select with a box" in table.editor.question.text()
    table.editor.take.click()
    assert keymap.gesture_texts("box") == ()
    table.choose("free")
    table.add.click()
    assert table.editor.question.isVisible()
    assert keymap.gesture_texts("free") == ("Ctrl",)


def test_gestures_are_armed_from_the_window_and_say_what_to_do(studio: StudioApp) -> None:
    window = studio.window
    graph_menu = window.head.menus["Graph"]
    submenus = {menu.title(): menu for menu in graph_menu.findChildren(QMenu)}
    assert "Cut wires…" in [action.text().strip() for action in submenus["Next drag"].actions()]
    window.commands.run("graph.arm_cut")
    assert window.status.text.text().startswith("Draw a stroke")
    QTest.keyClick(window.graph.view, Qt.Key.Key_Escape)
    assert not window.status.text.text().startswith("Draw a stroke")


# --- layouts without Latin letters -----------------------------------------------------------------


def cyrillic(target: QObject, modifiers: Qt.KeyboardModifier, text: str = "") -> bool:
    """Press the key of C on a Russian layout; whether anything took it."""
    event = QKeyEvent(QEvent.Type.KeyPress, ES, modifiers, ES_PLACE, 0x43, 0, text)
    QApplication.sendEvent(target, event)
    return event.isAccepted()


def test_a_shortcut_of_the_window_works_by_the_place_of_its_key(studio: StudioApp) -> None:
    window = studio.window
    window.commands.keymap.bind("view.panel", ("Ctrl+Alt+C",))
    window.show_workspace("create")
    before = window.panel.isVisible()
    assert cyrillic(window.create_page, CONTROL | Qt.KeyboardModifier.AltModifier)
    assert window.panel.isVisible() is not before
    assert not cyrillic(window.create_page, CONTROL | SHIFT | Qt.KeyboardModifier.AltModifier)


def test_typing_is_never_taken_for_a_shortcut(studio: StudioApp) -> None:
    window = studio.window
    window.commands.keymap.bind("view.panel", ("C",))
    before = window.panel.isVisible()
    field = QLineEdit(window)
    field.show()
    assert cyrillic(field, Qt.KeyboardModifier.NoModifier, "с")
    assert field.text() == "с"
    assert window.panel.isVisible() is before


def test_the_node_editors_keys_work_on_any_layout(studio: StudioApp) -> None:
    graph = studio.window.graph
    graph.scene.select([next(iter(graph.scene.nodes))])
    assert cyrillic(graph.view, CONTROL)
    assert Graph.loads(QApplication.clipboard().text()).nodes


def test_a_key_is_recorded_by_its_place_where_its_letter_is_not_latin(
    dialog: KeyboardDialog, studio: StudioApp
) -> None:
    dialog.keys.choose("view.full_screen")
    QTest.mouseClick(dialog.keys.recorder, Qt.MouseButton.LeftButton)
    cyrillic(dialog.keys.recorder, CONTROL | SHIFT | Qt.KeyboardModifier.AltModifier)
    assert studio.window.commands.keymap.keys("view.full_screen") == ("F11", "Ctrl+Alt+Shift+C")
