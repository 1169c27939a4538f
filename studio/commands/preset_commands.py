"""The commands of presets, as rows of the one table in :mod:`studio.commands.table`. Plain data."""

from __future__ import annotations

from typing import Final

from studio.commands.command import Command

MENU: Final = "Edit"

PRESET_COMMANDS: Final[tuple[Command, ...]] = (
    Command("preset.use", "Use a preset…", "Ctrl+Alt+K", MENU, lambda s: s.presets.open_menu(),
            lambda s: s.presets.can_use(), "preset", break_before=True),
    Command("preset.save", "Save as a preset…", "Ctrl+Alt+Shift+K", MENU, lambda s: s.presets.ask_to_save(),
            lambda s: s.presets.can_use(), "save"),
    Command("preset.manage", "Presets…", "Ctrl+Alt+J", MENU, lambda s: s.presets.manage(), icon="list"),
)  # fmt: skip
