"""The canvas's commands: id, title, keys and callback, in one table; the window's table takes them over.

Their keys (letters, arrows, Tab) mean something only while the canvas has the focus: the workspace handles
them there, and gives the window the commands without shortcuts of the whole window.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from studio.canvas.actions import CanvasActions
from studio.canvas.arranging import arranging_commands
from studio.canvas.command import CanvasCommand, always
from studio.canvas.scene import GraphScene


class Canvas(Protocol):
    """What the commands need of :class:`studio.canvas.workspace.GraphWorkspace`."""

    actions_: CanvasActions
    scene: GraphScene
    bridge: Any

    def add_node(self) -> None: ...
    def run_to_selected(self) -> None: ...
    def rename(self) -> None: ...
    def edit(self) -> None: ...


def canvas_commands(workspace: Canvas) -> tuple[CanvasCommand, ...]:
    """All commands of a workspace; titles are source texts."""
    do = workspace.actions_

    def nodes() -> bool:
        return bool(do.chosen)

    def things() -> bool:
        return bool(do.chosen or do.held)

    def anything() -> bool:
        scene = workspace.scene
        return things() or scene.selected_wire() is not None or bool(scene.dots.selected)

    def some() -> bool:
        return bool(workspace.scene.nodes)

    def one() -> bool:
        return len(do.chosen) + len(do.held) == 1

    def runnable() -> bool:
        return bool(do.chosen) and workspace.bridge is not None

    def make(
        id: str, title: str, keys: str, callback: Callable[[], object], icon: str = "",
        enabled: Callable[[], bool] = always,
    ) -> CanvasCommand:  # fmt: skip
        return CanvasCommand(f"graph.{id}", title, tuple(keys.split()), callback, icon, enabled)

    return (
        make("add", "Add a node", "Tab Shift+A Space", workspace.add_node, "node_add"),
        make(
            "run_to", "Run to selected node", "Ctrl+Alt+Return", workspace.run_to_selected, "play", runnable
        ),
        make("cut", "Cut nodes", "Ctrl+X", do.cut, "", things),
        make("copy", "Copy nodes", "Ctrl+C", do.copy, "copy", things),
        make("paste", "Paste nodes", "Ctrl+V", do.paste, "paste"),
        make(
            "paste_linked",
            "Paste nodes with their links",
            "Ctrl+Shift+V",
            do.paste_linked,
            "paste",
            do.can_paste,
        ),
        make("duplicate", "Duplicate nodes", "Ctrl+D", do.duplicate, "", things),
        make(
            "duplicate_linked",
            "Duplicate nodes with their links",
            "Ctrl+Shift+D",
            do.duplicate_linked,
            "",
            things,
        ),
        make("delete", "Delete", "Delete", do.delete, "trash", anything),
        make("delete_heal", "Delete and heal the wires", "Ctrl+Delete", do.delete_and_heal, "trash", nodes),
        make("rename", "Rename node", "F2", workspace.rename, "pen", one),
        make("edit", "Edit the settings", "Return Enter", workspace.edit, "inspector", one),
        make("bypass", "Bypass", "M", do.bypass, "bypass", nodes),
        make("mute", "Mute", "Ctrl+M", do.mute, "mute", nodes),
        make("select_all", "Select all nodes", "Ctrl+A", do.select_all, "", some),
        make("select_upstream", "Select also what it needs", "U", do.select_upstream, "", nodes),
        make("select_downstream", "Select also what needs it", "Shift+U", do.select_downstream, "", nodes),
        make("frame_selection", "Show the selected nodes", "F", do.frame_selection, "frame", some),
        make("frame_all", "Show the whole graph", "Home Ctrl+0", do.frame_all, "fit", some),
        make("zoom_in", "Zoom in on the graph", "Ctrl++ Ctrl+=", do.zoom_in, "zoom_in"),
        make("zoom_out", "Zoom out of the graph", "Ctrl+-", do.zoom_out, "zoom_out"),
        make("actual_size", "Graph at 100 %", "Ctrl+Alt+0", do.actual_size, "actual"),
        make("arrange", "Arrange nodes", "L", do.arrange, "align", some),
        *arranging_commands(do.arranging, workspace.scene),
        *_directions(workspace),
    )


def _directions(workspace: Canvas) -> list[CanvasCommand]:
    """Arrows walk from node to node; with Ctrl they move the selected ones."""
    do = workspace.actions_
    texts = (
        ("Left", -1, 0, "Node to the left", "Move nodes left"),
        ("Right", 1, 0, "Node to the right", "Move nodes right"),
        ("Up", 0, -1, "Node above", "Move nodes up"),
        ("Down", 0, 1, "Node below", "Move nodes down"),
    )
    result = []
    for key, x, y, walk, nudge in texts:
        name = key.lower()
        result.append(CanvasCommand(f"graph.walk_{name}", walk, (key,), do.walk(x, y), hidden=True))
        result.append(
            CanvasCommand(f"graph.nudge_{name}", nudge, (f"Ctrl+{key}",), do.nudge(x, y), hidden=True)
        )
    return result
