"""Every action, in one table: id, title, shortcut, menu, when it can be used, and what it calls.

Menus, tool buttons, shortcuts, the command palette and the keyboard table of the README are made from it;
nothing
else defines an action.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from PySide6.QtCore import QKeyCombination, QObject, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from studio.commands.canvas_commands import CANVAS_COMMANDS
from studio.commands.command import Command, Studio
from studio.commands.document_commands import DOCUMENT_COMMANDS
from studio.commands.model_commands import MODEL_COMMANDS
from studio.commands.preset_commands import PRESET_COMMANDS
from studio.commands.run_commands import RUN_COMMANDS
from studio.keys import Entry, Keymap, Scope
from studio.keys.other_layouts import OtherLayouts
from studio.theme import current_theme
from studio.translate import tr

MENUS: Final = ("File", "Edit", "Picture", "Canvas", "Graph", "Models", "Run", "View", "Help")

COMMANDS: Final[tuple[Command, ...]] = (
    Command("file.new", "Start page", "Ctrl+N", "File", lambda s: s.new(), icon="new"),
    Command("file.prompt_to_image", "New: prompt to image", "Ctrl+Alt+1", "File",
            lambda s: s.open_template("prompt_to_image"), icon="image"),
    Command("file.text_model_writes", "New: let the text model write the prompt", "Ctrl+Alt+2", "File",
            lambda s: s.open_template("text_model_writes"), icon="language"),
    Command("file.variations", "New: variations", "Ctrl+Alt+3", "File",
            lambda s: s.open_template("variations"), icon="variations"),
    Command("file.inpaint", "New: paint over a picture", "Ctrl+Alt+4", "File",
            lambda s: s.open_template("inpaint"), icon="canvas"),
    Command("file.open", "Open…", "Ctrl+O", "File", lambda s: s.open(), icon="open", break_before=True),
    Command("file.save", "Save the graph", "Ctrl+S", "File", lambda s: s.save(), icon="save"),
    Command("file.save_as", "Save the graph as…", "Ctrl+Shift+S", "File", lambda s: s.save_as(),
            icon="save_as"),
    Command("file.versions", "Earlier versions…", "Ctrl+Alt+V", "File", lambda s: s.show_versions(),
            icon="clock"),
    *DOCUMENT_COMMANDS,
    Command("file.preferences", "Settings…", "Ctrl+,", "File", lambda s: s.preferences(), icon="settings",
            break_before=True),
    Command("file.quit", "Quit", "Ctrl+Q", "File", lambda s: s.quit(), icon="close", break_before=True),
    Command("edit.undo", "Undo", "Ctrl+Z", "Edit", lambda s: s.undo(), lambda s: s.can_undo(), "undo"),
    Command("edit.redo", "Redo", "Ctrl+Shift+Z", "Edit", lambda s: s.redo(), lambda s: s.can_redo(), "redo",
            ("Ctrl+Y",)),
    Command("edit.paste_picture", "Paste a picture", "Ctrl+Shift+V", "Edit", lambda s: s.pictures.paste(),
            icon="paste", break_before=True),
    Command("edit.focus_prompt", "Go to the prompt", "Ctrl+L", "Edit", lambda s: s.focus_prompt(),
            icon="text"),
    Command("edit.form", "Form of Create…", "Ctrl+Shift+F", "Edit", lambda s: s.arrange_form(),
            lambda s: s.can_arrange_form(), "create"),
    *PRESET_COMMANDS,
    Command("picture.copy", "Copy the picture", "Ctrl+Shift+C", "Picture", lambda s: s.pictures.copy(),
            lambda s: s.has_result(), "copy"),
    Command("picture.save_as", "Save the picture as…", "Ctrl+E", "Picture", lambda s: s.pictures.save_as(),
            lambda s: s.has_result(), "save_as"),
    Command("picture.open_folder", "Open its folder", "Ctrl+Shift+O", "Picture",
            lambda s: s.pictures.open_folder(), lambda s: s.has_saved_result(), "folder"),
    Command("picture.use_settings", "Use these settings", "Ctrl+U", "Picture",
            lambda s: s.pictures.use_settings(), lambda s: s.has_result(), "reuse", break_before=True),
    Command("picture.use_seed", "Use this seed", "Ctrl+Shift+E", "Picture", lambda s: s.pictures.use_seed(),
            lambda s: s.has_result(), "seed"),
    Command("picture.open_graph", "Open the graph that made it", "Ctrl+Shift+G", "Picture",
            lambda s: s.pictures.open_graph(), lambda s: s.has_saved_result(), "graph"),
    Command("picture.previous", "Previous picture", "Alt+Left", "Picture", lambda s: s.pictures.step(-1),
            lambda s: s.has_result(), "chevron_left", break_before=True),
    Command("picture.next", "Next picture", "Alt+Right", "Picture", lambda s: s.pictures.step(1),
            lambda s: s.has_result(), "chevron_right"),
    Command("picture.delete", "Move to the bin…", "Ctrl+Delete", "Picture", lambda s: s.pictures.delete(),
            lambda s: s.has_result(), "trash", break_before=True),
    *CANVAS_COMMANDS,
    Command("graph.outside", "Nodes from outside…", "Shift+F5", "Graph", lambda s: s.outside.show(),
            icon="node_add"),
    *MODEL_COMMANDS,
    *RUN_COMMANDS,
    Command("view.create", "Create", "Ctrl+1", "View", lambda s: s.show_workspace("create"), icon="create"),
    Command("view.graph", "Graph", "Ctrl+2", "View", lambda s: s.show_workspace("graph"), icon="graph"),
    Command("view.canvas", "Canvas", "Ctrl+3", "View", lambda s: s.show_workspace("canvas"), icon="canvas"),
    Command("view.models", "Models", "Ctrl+4", "View", lambda s: s.show_workspace("models"), icon="model"),
    Command("view.panel", "Show or hide the side panel", "F9", "View", lambda s: s.toggle_panel(),
            icon="panel_right", break_before=True),
    Command("view.inspector", "Inspector", "Ctrl+Shift+I", "View", lambda s: s.show_panel("inspector"),
            icon="inspector"),
    Command("view.viewer", "Viewer", "Ctrl+Shift+W", "View", lambda s: s.show_panel("viewer"), icon="eye"),
    Command("view.history", "History", "Ctrl+Shift+H", "View", lambda s: s.show_panel("history"),
            icon="undo"),
    Command("view.queue", "Queue", "Ctrl+Shift+Q", "View", lambda s: s.show_panel("queue"), icon="queue"),
    Command("view.log", "Log", "Ctrl+Shift+J", "View", lambda s: s.show_panel("log"), icon="log"),
    Command("view.zoom_in", "Zoom in", "Ctrl++", "View", lambda s: s.zoom("in"), icon="zoom_in",
            also=("Ctrl+=",), break_before=True),
    Command("view.zoom_out", "Zoom out", "Ctrl+-", "View", lambda s: s.zoom("out"), icon="zoom_out"),
    Command("view.fit", "Fit into the view", "Ctrl+0", "View", lambda s: s.zoom("fit"), icon="fit"),
    Command("view.actual", "100 %", "Ctrl+Alt+0", "View", lambda s: s.zoom("actual"), icon="actual"),
    Command("view.theme", "Switch between dark and light", "Ctrl+Shift+L", "View", lambda s: s.next_theme(),
            icon="theme", break_before=True),
    Command("view.text_larger", "Larger text", "Ctrl+Alt++", "View", lambda s: s.scale_text(0.1), icon="plus",
            also=("Ctrl+Alt+=",)),
    Command("view.text_smaller", "Smaller text", "Ctrl+Alt+-", "View", lambda s: s.scale_text(-0.1),
            icon="minus"),
    Command("view.full_screen", "Full screen", "F11", "View", lambda s: s.full_screen(), icon="actual"),
    Command("help.palette", "Find a command…", "Ctrl+Shift+P", "Help", lambda s: s.open_palette(),
            icon="search",
            in_palette=False),
    Command("help.keyboard", "Keyboard", "F1", "Help", lambda s: s.show_keyboard(), icon="keyboard"),
    Command("help.problems", "Problems", "F8", "Help", lambda s: s.show_problems(), icon="warning"),
    Command("help.diagnostics", "Copy diagnostics", "Ctrl+Shift+F1", "Help", lambda s: s.copy_diagnostics(),
            icon="copy", break_before=True),
    Command("help.about", "About Diptych", "Shift+F1", "Help", lambda s: s.about(), icon="info"),
)  # fmt: skip


def native(shortcut: str) -> str:
    """A shortcut as this system writes it."""
    return QKeySequence(shortcut).toString(QKeySequence.SequenceFormat.NativeText)


def keyboard_table(extra: Iterable[tuple[str, str, str]] = ()) -> str:
    """The keyboard table as Markdown, menu by menu. ``extra`` rows are (menu, title, shortcut); those of one
    title become one row."""
    rows = [(command.menu, command.title.rstrip("…"), command.shortcut) for command in COMMANDS]
    found: dict[tuple[str, str], dict[str, None]] = {}
    for menu, title, shortcut in [*rows, *extra]:
        keys = (
            shortcut.replace("Return", "Enter")
            .replace("Ctrl++", "Ctrl+Plus")
            .replace("Ctrl+Alt++", "Ctrl+Alt+Plus")
        )
        found.setdefault((menu, title), {})[f"`{keys}`"] = None
    lines = ["| Menu | Action | Keys |", "|---|---|---|"]
    lines += [f"| {menu} | {title} | {', '.join(keys)} |" for (menu, title), keys in found.items()]
    return "\n".join(lines) + "\n"


def _entry(command: Command) -> Entry:
    """What the keymap is to know of a command."""
    scope = Scope.GRAPH if command.scoped else Scope.WINDOW
    keys = tuple(key for key in (command.shortcut, *command.also) if key)
    return Entry(command.id, command.title, command.menu, scope, keys)


class CommandTable(QObject):
    """The commands as :class:`QAction` s of one window, with the keys that :attr:`keymap` has for them."""

    def __init__(
        self,
        studio: Studio,
        window: QWidget,
        commands: Iterable[Command] = COMMANDS,
        keymap: Keymap | None = None,
    ) -> None:
        super().__init__(window)
        self._studio, self._window = studio, window
        self._commands: dict[str, Command] = {}
        self._actions: dict[str, QAction] = {}
        self.keymap = keymap if keymap is not None else Keymap(parent=self)
        self.add_all(commands)
        self.keymap.changed.connect(self._show_keys)
        self._other_layouts = OtherLayouts(window, self._action_for)

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())

    def add(self, command: Command) -> QAction:
        """One more. Ids and shortcuts can be given once only."""
        return self.add_all((command,))[0]

    def add_all(self, commands: Iterable[Command]) -> list[QAction]:
        """Several at once: all keys are known before the first is asked for."""
        commands = tuple(commands)
        self.keymap.add(*map(_entry, commands))
        return [self._made(command) for command in commands]

    def _made(self, command: Command) -> QAction:
        if command.id in self._commands:
            raise ValueError(f"command {command.id} is there twice")
        action = QAction(tr(command.title), self)
        action.setObjectName(command.id)
        action.setAutoRepeat(False)
        action.setCheckable(command.checked is not None)
        if command.icon:
            action.setIcon(current_theme().icon(command.icon))
        action.triggered.connect(lambda: self.run(command.id))
        self._commands[command.id] = command
        self._actions[command.id] = action
        self._show_keys_of(command)
        self._window.addAction(action)
        return action

    @Slot()
    def _show_keys(self) -> None:
        for command in self._commands.values():
            self._show_keys_of(command)

    def _show_keys_of(self, command: Command) -> None:
        """The keys in force, in shortcut, menu and tooltip. Those of a view are only named in the menu."""
        action, title, shown = self._actions[command.id], tr(command.title), self.keys_text(command.id)
        if command.scoped:
            action.setText(f"{title}\t{shown}")
        else:
            action.setShortcuts([QKeySequence(key) for key in self.keymap.keys(command.id)])
        action.setToolTip(f"{title.rstrip('…')} ({shown})" if shown else title)

    def keys_text(self, command: str) -> str:
        """The first key of a command, as this system writes it; empty for none."""
        return next((native(key) for key in self.keymap.keys(command)), "")

    def _action_for(self, keys: QKeyCombination) -> QAction | None:
        """The action of the whole window that has exactly these keys."""
        return self._actions.get(self.keymap.find(Scope.WINDOW, keys))

    def action(self, command: str) -> QAction:
        """The action of a command, for a menu or a button."""
        return self._actions[command]

    def command(self, command: str) -> Command:
        """The command itself."""
        return self._commands[command]

    def available(self) -> list[Command]:
        """All that can be used now (for the palette)."""
        return [item for item in self._commands.values() if item.in_palette and item.when(self._studio)]

    def run(self, command: str) -> None:
        """Do it, if it can be done now."""
        found = self._commands[command]
        if found.when(self._studio):
            found.callback(self._studio)

    @Slot()
    def refresh(self) -> None:
        """Grey out what can't be used now, tick what is on."""
        for name, action in self._actions.items():
            command = self._commands[name]
            action.setEnabled(command.when(self._studio))
            if command.checked is not None:
                action.setChecked(command.checked(self._studio))

    def fill(self, bar: QMenuBar) -> dict[str, QMenu]:
        """The menus, in the order of :data:`MENUS`."""
        menus = {}
        for title in MENUS:
            menu = QMenu(tr(title), bar)
            bar.addMenu(menu)
            for command in self._commands.values():
                if command.menu == title:
                    if command.break_before:
                        menu.addSeparator()
                    menu.addAction(self._actions[command.id])
            menu.aboutToShow.connect(self.refresh)
            menu.menuAction().setVisible(not menu.isEmpty())
            menus[title] = menu
        return menus
