"""The commands that run the document, rows of the one table in :mod:`studio.commands.table`. Plain data."""

from __future__ import annotations

from typing import Final

from studio.commands.command import Command

MENU: Final = "Run"

RUN_COMMANDS: Final[tuple[Command, ...]] = (
    Command("run.generate", "Generate", "Ctrl+Return", MENU, lambda s: s.generate(), lambda s: s.can_run(),
            "play", ("Ctrl+Enter",)),
    Command("run.new_seed", "Generate with a new seed", "Ctrl+Shift+Return", MENU,
            lambda s: s.generate_new_seed(), lambda s: s.can_run(), "dice", ("Ctrl+Shift+Enter",)),
    Command("run.cancel", "Cancel the run", "Ctrl+.", MENU, lambda s: s.cancel(),
            lambda s: s.is_running(), "stop"),
    Command("run.all", "Run the whole graph", "F6", MENU, lambda s: s.runs.run_all(),
            lambda s: s.can_run(), "graph", break_before=True),
    Command("run.stale", "Run only what is stale", "Shift+F6", MENU, lambda s: s.runs.run_stale(),
            lambda s: s.can_run(), "reset"),
    Command("run.several", "Queue several runs…", "Ctrl+F6", MENU, lambda s: s.runs.ask_for_several(),
            lambda s: s.can_run(), "queue"),
    Command("run.on_change", "Run on each change", "Ctrl+Shift+F6", MENU,
            lambda s: s.runs.toggle_on_change(), lambda s: s.can_run(), "clock",
            checked=lambda s: s.runs.on_change),
    Command("run.own_model", "Use a model of my own…", "Ctrl+Shift+M", MENU, lambda s: s.own_model(),
            icon="model", break_before=True),
    Command("run.rescan_models", "Look for models again", "F5", MENU, lambda s: s.rescan_models(),
            icon="reset"),
)  # fmt: skip
