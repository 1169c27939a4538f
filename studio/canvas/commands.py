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

    def wired() -> bool:
        return do.wire() is not None

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
        make("take_out", "Take out and heal the wires", "Shift+X", do.take_out, "", nodes),
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
        make("add_dot", "Put a dot on the wire", "Shift+D", do.add_dot, "", wired),
        make("to_inputs", "To the inputs of the node", "I", do.ports.enter(outputs=False), "", one),
        make("to_outputs", "To the outputs of the node", "O", do.ports.enter(outputs=True), "", one),
        *arranging_commands(do.arranging, workspace.scene),
        *_directions(workspace),
    )


def _directions(workspace: Canvas) -> list[CanvasCommand]:
    """Arrows walk from node to node, or from port to port; with Ctrl they move what is selected, with Ctrl
    and Shift they resize it, with Alt and Shift they move the view."""
    do, nudging = workspace.actions_, workspace.actions_.nudging
    texts = (
        ("Left", -1, 0, "Node or port to the left", "Move to the left", "Make narrower"),
        ("Right", 1, 0, "Node or port to the right", "Move to the right", "Make wider"),
        ("Up", 0, -1, "Node or port above", "Move up", "Make lower"),
        ("Down", 0, 1, "Node or port below", "Move down", "Make higher"),
    )
    result = [
        CanvasCommand("graph.next_box", "Next frame or note", ("G",), nudging.next_box(1),
                      enabled=nudging.has_boxes, hidden=True),
        CanvasCommand("graph.previous_box", "Frame or note before", ("Shift+G",), nudging.next_box(-1),
                      enabled=nudging.has_boxes, hidden=True),
    ]  # fmt: skip
    for key, x, y, walk, nudge, resize in texts:
        name, look = key.lower(), f"Look {key.lower()}"
        result += [
            CanvasCommand(f"graph.walk_{name}", walk, (key,), do.walk(x, y), hidden=True),
            CanvasCommand(f"graph.nudge_{name}", nudge, (f"Ctrl+{key}",), nudging.nudge(x, y),
                          enabled=nudging.can_nudge, hidden=True),
            CanvasCommand(f"graph.resize_{name}", resize, (f"Ctrl+Shift+{key}",), nudging.resize(x, y),
                          enabled=nudging.has_box, hidden=True),
            CanvasCommand(f"graph.pan_{name}", look, (f"Alt+Shift+{key}",), nudging.pan(x, y), hidden=True),
        ]  # fmt: skip
    return result
