"""How the commands of the canvas are put together in menus: the window's and the context menu. Plain data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from studio.canvas.arming import GROUP as NEXT_DRAG
from studio.canvas.command import CanvasCommand

SELECT, ARRANGE, WIRES = "Select", "Arrange", "Wires and ports"
GROUPS, BOXES, LOOK = "Groups and library", "Frames and notes", "Look"
VIEWER, BOOKMARKS = "Viewer", "Bookmarks"

MEMBERS: Final = {
    SELECT: ("select_all", "select_upstream", "select_downstream"),
    ARRANGE: ("arrange", "straighten", "align_left", "align_centre", "align_right", "align_top",
              "align_middle", "align_bottom", "distribute_across", "distribute_down"),
    WIRES: ("add_dot", "take_out", "to_inputs", "to_outputs"),
    GROUPS: ("group", "ungroup", "enter", "leave", "rename_group", "independent", "keep_group", "library"),
    BOXES: ("frame", "note", "box_words", "box_colour"),
    LOOK: ("frame_selection", "frame_all", "zoom_in", "zoom_out", "actual_size", "minimap", "thumbnails",
           "thumbnails_reset", "times", "memory"),
    VIEWER: tuple(f"viewer_{number}" for number in range(1, 10)),
    BOOKMARKS: tuple(f"{kind}_{number}" for kind in ("bookmark", "set_bookmark") for number in range(1, 10)),
}  # fmt: skip
"""Submenus and what stands in them, by ids without ``graph.``."""

CONTEXT_MENU: Final = (
    "graph.run_to", "", "graph.cut", "graph.copy", "graph.paste", "graph.duplicate", "graph.delete", "",
    "graph.edit", "graph.rename", "graph.bypass", "graph.mute", "",
    GROUPS, BOXES, WIRES, ARRANGE, SELECT, VIEWER, LOOK, BOOKMARKS, NEXT_DRAG, "",
    "graph.add", "graph.find",
)  # fmt: skip
"""Ids of commands, titles of submenus (source texts), and nothing for a line between."""


def grouped(commands: Iterable[CanvasCommand]) -> tuple[CanvasCommand, ...]:
    """The commands, each with the submenu it stands in."""
    groups = {f"graph.{id}": group for group, ids in MEMBERS.items() for id in ids}
    return tuple(replace(command, group=groups.get(command.id, command.group)) for command in commands)


def listed(group: str, commands: Iterable[CanvasCommand]) -> list[CanvasCommand]:
    """What a submenu of the context menu shows. Of the bookmarks: those that are set, the next free one."""
    members = [command for command in commands if command.group == group]
    if group != BOOKMARKS:
        return [command for command in members if not command.hidden]
    known = [command for command in members if ".set_" not in command.id and command.enabled()]
    taken = {command.id.removeprefix("graph.bookmark_") for command in known}
    free = (
        command
        for command in members
        if ".set_" in command.id and command.id.removeprefix("graph.set_bookmark_") not in taken
    )
    return [*known, *[command for command in [next(free, None)] if command is not None]]
