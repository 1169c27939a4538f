"""Commands for the documents in their tabs."""

from __future__ import annotations

from typing import Final

from studio.commands.command import Command

DOCUMENT_COMMANDS: Final[tuple[Command, ...]] = (
    Command("file.close", "Close the document", "Ctrl+W", "File", lambda s: s.tabs.close(),
            lambda s: s.tabs.can_close(), "close", break_before=True),
    Command("file.reopen", "Open the closed document again", "Ctrl+Shift+T", "File",
            lambda s: s.tabs.reopen(), lambda s: s.tabs.can_reopen(), "undo"),
    Command("file.next_document", "Next document", "Ctrl+Tab", "File", lambda s: s.tabs.step(1),
            lambda s: s.tabs.has_several(), "chevron_right", ("Ctrl+PgDown",)),
    Command("file.previous_document", "Previous document", "Ctrl+Shift+Tab", "File",
            lambda s: s.tabs.step(-1), lambda s: s.tabs.has_several(), "chevron_left", ("Ctrl+PgUp",)),
)  # fmt: skip
