"""Whether a window can open in this session: a display, the libraries for it, a font."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from bootstrap import libraries
from bootstrap.console import Console
from bootstrap.libraries import Installer, Library

NO_SCREEN = (
    "There is no screen here (neither DISPLAY nor WAYLAND_DISPLAY is set), so the studio can't open.\n"
    'Without one, use for example: python3 packaging/start.py render "a red apple" -o apple.png'
)


class Window:
    """Checks once or again and says what is missing; ``lacking`` holds the missing libraries by group."""

    def __init__(self, console: Console, installer: Installer, environment: Mapping[str, str]) -> None:
        self.console = console
        self.installer = installer
        self.groups: Sequence[str] = libraries.groups_needed(environment) if sys.platform == "linux" else ()
        self.screen = len(self.groups) != 1 or bool(environment.get("QT_QPA_PLATFORM"))
        self.lacking: dict[str, list[Library]] = {}

    def check(self) -> bool:
        """Look for what is needed, install it where that is allowed; False if no window can open."""
        if not self.groups:
            return True
        if not self.screen:
            self.console.note(NO_SCREEN)
            return False
        self.lacking = libraries.missing(self.groups)
        fonts = libraries.fonts_missing()
        if (self.lacking or fonts) and libraries.offer_missing(self.installer, self.lacking, fonts):
            self.lacking = libraries.missing(self.groups)
        return not libraries.blocking(self.lacking, self.groups)
