"""The canvas's commands: id, title, keys and callback, one table. The window's command table takes them over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio.canvas.workspace import GraphWorkspace


@dataclass(frozen=True, slots=True)
class CanvasCommand:
    """One thing to do. ``hidden`` commands are keys only (walking from node to node), not in menus."""

    id: str
    title: str
    shortcuts: tuple[str, ...]
    callback: Callable[[], object]
    icon: str = ""
    enabled: Callable[[], bool] = lambda: True
    hidden: bool = False


def canvas_commands(workspace: GraphWorkspace) -> tuple[CanvasCommand, ...]:
    """All commands of a workspace; titles are source texts."""
    do = workspace.actions_

    def nodes() -> bool:
        return bool(do.chosen)

    def anything() -> bool:
        return bool(do.chosen) or workspace.scene.selected_wire() is not None

    def some() -> bool:
        return bool(workspace.scene.nodes)

    def one() -> bool:
        return len(do.chosen) == 1

    def runnable() -> bool:
        return bool(do.chosen) and workspace.bridge is not None

    def command(
        id: str, title: str, shortcuts: str, callback: Callable[[], object], icon: str = "",
        enabled: Callable[[], bool] = lambda: True, *, hidden: bool = False,
    ) -> CanvasCommand:  # fmt: skip
        keys = tuple(shortcuts.split()) if shortcuts else ()
        return CanvasCommand(f"graph.{id}", title, keys, callback, icon, enabled, hidden)

    walks = (("Left", -1, 0), ("Right", 1, 0), ("Up", 0, -1), ("Down", 0, 1))
    return (
        command("add", "Add a node", "Tab Shift+A Space", workspace.add_node, "node_add"),
        command("run_to", "Run to selected node", "Ctrl+Shift+Return", workspace.run_to_selected, "play", runnable),
        command("cut", "Cut nodes", "Ctrl+X", do.cut, "", nodes),
        command("copy", "Copy nodes", "Ctrl+C", do.copy, "copy", nodes),
        command("paste", "Paste nodes", "Ctrl+V", do.paste, "paste"),
        command("duplicate", "Duplicate nodes", "Ctrl+D", do.duplicate, "", nodes),
        command("delete", "Delete", "Delete Backspace", do.delete, "trash", anything),
        command("rename", "Rename node", "F2", workspace.rename, "pen", one),
        command("bypass", "Bypass", "M", do.bypass, "bypass", nodes),
        command("mute", "Mute", "Ctrl+M", do.mute, "mute", nodes),
        command("select_all", "Select all nodes", "Ctrl+A", do.select_all, "", some),
        command("select_upstream", "Select what it needs", "Ctrl+Shift+U", do.select_upstream, "", nodes),
        command("frame_selection", "Show selected nodes", "F", do.frame_selection, "frame", some),
        command("frame_all", "Show the whole graph", "Home", do.frame_all, "fit", some),
        command("zoom_in", "Zoom in on the graph", "Ctrl++ Ctrl+=", do.zoom_in, "zoom_in"),
        command("zoom_out", "Zoom out of the graph", "Ctrl+-", do.zoom_out, "zoom_out"),
        command("actual_size", "Graph at 100 %", "Ctrl+0", do.actual_size, "actual"),
        command("arrange", "Arrange nodes", "L", do.arrange, "align", some),
        *(
            command(f"walk_{key.lower()}", f"Go to the node: {key.lower()}", key, do.walk(x, y), hidden=True)
            for key, x, y in walks
        ),
        *(
            command(
                f"nudge_{key.lower()}", f"Move the node: {key.lower()}", f"Ctrl+{key}", do.nudge(x, y), "", nodes,
                hidden=True,
            )
            for key, x, y in walks
        ),
    )  # fmt: skip
