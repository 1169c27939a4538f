"""The commands of the Models workspace, rows of the one table in :mod:`studio.commands.table`. Plain data."""

from __future__ import annotations

from typing import Final

from studio.commands.command import Command

MENU: Final = "Models"

MODEL_COMMANDS: Final[tuple[Command, ...]] = (
    Command("models.get", "Get models…", "Ctrl+Alt+Shift+G", MENU, lambda s: s.models.get(),
            icon="download"),
    Command("models.use", "Use this model", "Alt+Return", MENU, lambda s: s.models.use(),
            lambda s: s.models.can_use(), "play"),
    Command("models.favourite", "Favourite", "Ctrl+Alt+Shift+F", MENU, lambda s: s.models.toggle_favourite(),
            lambda s: s.models.has_current(), "star"),
    Command("models.notes", "Edit its notes", "Ctrl+Alt+Shift+E", MENU, lambda s: s.models.edit_notes(),
            lambda s: s.models.has_current(), "pen"),
    Command("models.reveal", "Show it in its folder", "Ctrl+Alt+Shift+O", MENU, lambda s: s.models.reveal(),
            lambda s: s.models.has_current(), "folder", break_before=True),
    Command("models.copy_id", "Copy its id", "Ctrl+Alt+Shift+I", MENU, lambda s: s.models.copy_id(),
            lambda s: s.models.has_current(), "copy"),
    Command("models.hash", "Make its hashes", "Ctrl+Alt+H", MENU, lambda s: s.models.hash(),
            lambda s: s.models.has_current(), "number"),
    Command("models.verify", "Check its file", "Ctrl+Alt+Shift+H", MENU, lambda s: s.models.verify(),
            lambda s: s.models.has_current(), "check"),
    Command("models.convert", "Convert to safetensors", "Ctrl+Alt+Shift+V", MENU,
            lambda s: s.models.convert(), lambda s: s.models.can_convert(), "reuse"),
    Command("models.duplicates", "Find the same file among models", "Ctrl+Alt+Shift+D", MENU,
            lambda s: s.models.find_duplicates(), icon="layers", break_before=True),
    Command("models.add_folder", "Add a folder of models…", "Ctrl+Alt+Shift+A", MENU,
            lambda s: s.models.add_folder(), icon="open"),
    Command("models.remove", "Move the model to the bin…", "Ctrl+Alt+Shift+Delete", MENU,
            lambda s: s.models.remove(), lambda s: s.models.can_remove(), "trash", break_before=True),
)  # fmt: skip
