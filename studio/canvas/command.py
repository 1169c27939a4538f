"""One command of the canvas, as a plain record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from studio.commands.command import Command

MENU = "Graph"


def always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class CanvasCommand:
    """One thing to do. ``hidden`` ones are keys only (walking between nodes), not in palette and menus."""

    id: str
    title: str
    keys: tuple[str, ...]
    callback: Callable[[], object]
    icon: str = ""
    enabled: Callable[[], bool] = always
    hidden: bool = False
    group: str = ""
    """The submenu it stands in; a source text."""

    def for_window(self) -> Command:
        """The same as an entry of the window's command table."""

        def run(studio: object) -> None:
            self.callback()

        return Command(
            self.id, self.title, "".join(self.keys[:1]), MENU, run,
            lambda studio: studio.in_graph() and self.enabled(), self.icon, self.keys[1:],
            in_palette=not self.hidden, scoped=True, group=self.group,
        )  # fmt: skip
