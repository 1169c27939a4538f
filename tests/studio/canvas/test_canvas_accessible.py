"""What a screen reader finds on the canvas, asked for by the view's accessible interface."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, Qt
from PySide6.QtGui import QAccessible, QAccessibleEvent, QAccessibleInterface

from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from studio.graph.annotations import Box
from tests.helpers.canvas_fakes import FakeBridge, small_graph, stub_registry
from tests.helpers.canvas_mouse import Hand

Role, Text = QAccessible.Role, QAccessible.Text


@pytest.fixture
def root(workspace: GraphWorkspace) -> QAccessibleInterface:
    return QAccessible.queryAccessibleInterface(workspace.view)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """A screen reader listens: the events that it is sent, by kind and name."""
    events: list[tuple[str, str]] = []

    def tell(event: QAccessibleEvent) -> None:
        events.append((event.type().name, event.accessibleInterface().text(Text.Name)))

    monkeypatch.setattr(QAccessible, "isActive", lambda: True)
    monkeypatch.setattr(QAccessible, "updateAccessibility", tell)
    return events


def children(interface: QAccessibleInterface) -> list[QAccessibleInterface]:
    return [interface.child(index) for index in range(interface.childCount())]


def names(interfaces: list[QAccessibleInterface]) -> list[str]:
    return [one.text(Text.Name) for one in interfaces]


def find(root: QAccessibleInterface, start: str) -> QAccessibleInterface:
    return next(one for one in children(root) if one.text(Text.Name).startswith(start))


def test_nodes_ports_and_wires_have_names_and_roles(root: QAccessibleInterface) -> None:
    assert (root.role(), root.text(Text.Name)) == (Role.List, "Nodes and wires")
    assert names(children(root)) == [
        "Blur, node", "Model, node", "Paint, node", "Words, node",
        "Wire from Paint, Image, to Blur, Image", "Wire from Model, Model, to Paint, Model",
        "Wire from Words, Text, to Paint, Prompt",
    ]  # fmt: skip
    assert {one.role() for one in children(root)} == {Role.ListItem, Role.Link}
    paint = find(root, "Paint")
    ports = children(paint)
    assert {one.role() for one in ports} == {Role.Button}
    assert names(ports)[:2] == ["Model, input, DiffusionModel, connected to Model",
                                "Image, output, Image, connected to Blur"]  # fmt: skip
    assert "Steps, input, Integer, 16" in names(ports)
    for parent in (root, paint):
        for index, one in enumerate(children(parent)):
            assert one.parent() is parent
            assert parent.indexOfChild(one) == index


def test_the_state_of_a_node_is_said(
    workspace: GraphWorkspace, bridge: FakeBridge, root: QAccessibleInterface, told: list[tuple[str, str]]
) -> None:
    paint = find(root, "Paint")
    job = workspace.run(None)
    bridge.start(job, "paint")
    bridge.begin(job, "paint")
    bridge.progress(job, "paint", 3, 16)
    assert paint.text(Text.Name) == "Paint, node, running 3 of 16"
    assert told[-1] == ("NameChanged", "Paint, node, running 3 of 16")
    bridge.finish(job, "paint")
    workspace.document.set_mode(["paint"], "bypassed")
    assert paint.text(Text.Name) == "Paint, node, bypassed, done, out of date"


def test_frames_and_notes_are_there_too(document: GraphDocument, root: QAccessibleInterface) -> None:
    frame = Box("frames", "f", (0, 0, 400, 300), "Sketches")
    document.set_boxes([frame, Box("notes", "n", (10, 400, 200, 100), "Try\nmore steps")], "Put")
    found = {one.text(Text.Name): one.role() for one in children(root)[-2:]}
    assert found == {"Sketches, frame": Role.Grouping, "Try more steps, note": Role.Note}


def test_focus_follows_the_keys(hand: Hand, root: QAccessibleInterface, told: list[tuple[str, str]]) -> None:
    hand.scene.select(["model"])
    hand.key(Qt.Key.Key_Right)
    assert told[-1] == ("Focus", "Paint, node")
    hand.key(Qt.Key.Key_I)
    assert told[-1] == ("Focus", "Model, input, DiffusionModel, connected to Model")
    focus = root.focusChild()
    assert focus is not None
    assert focus.state().focused
    assert focus.parent().text(Text.Name) == "Paint, node"
    hand.key(Qt.Key.Key_Return)
    assert told[-1][1].startswith("Model, output")
    hand.key(Qt.Key.Key_Escape)


def test_places_are_those_on_the_screen(hand: Hand, root: QAccessibleInterface) -> None:
    corner = hand.view.viewport().mapToGlobal(hand.at(hand.body("paint")))
    paint = root.childAt(corner.x(), corner.y())
    assert paint is not None
    assert paint.text(Text.Name) == "Paint, node"
    assert paint.rect().contains(corner)
    at: QPoint = hand.view.viewport().mapToGlobal(hand.at(hand.port("paint", "image", output=True)))
    port = paint.childAt(at.x(), at.y())
    assert port is not None
    assert port.text(Text.Name).startswith("Image, output")
    assert port.rect().contains(at)


def test_what_can_be_done_is_done(workspace: GraphWorkspace, root: QAccessibleInterface) -> None:
    actions = find(root, "Words").actionInterface()
    actions.doAction("SetFocus")
    assert workspace.scene.selected_nodes() == ["words"]
    output = children(find(root, "Words"))[0]
    output.actionInterface().doAction("Press")
    assert workspace.actions_.ports.connecting is not None
    workspace.actions_.ports.escape()


def test_what_is_gone_is_said_to_be_gone(document: GraphDocument, root: QAccessibleInterface) -> None:
    blur = find(root, "Blur")
    number = QAccessible.uniqueId(blur)
    assert QAccessible.accessibleInterface(number) is blur
    document.remove_nodes(["blur"])
    assert QAccessible.accessibleInterface(number) is None
    assert "Blur, node" not in names(children(root))
    assert len(children(root)) == 5


def test_nothing_is_made_while_nobody_listens(hand: Hand, workspace: GraphWorkspace) -> None:
    hand.scene.select(["model"])
    hand.key(Qt.Key.Key_Right)
    assert workspace.access._root is None
    assert workspace.access._things == {}


def test_interfaces_end_with_their_view(themed: None) -> None:
    numbers: list[int] = []

    def use(make: Callable[[], GraphWorkspace]) -> None:
        workspace = make()
        root = QAccessible.queryAccessibleInterface(workspace.view)
        things = [root, *children(root), *children(children(root)[0])]
        numbers.extend(QAccessible.uniqueId(one) for one in things)
        workspace.deleteLater()

    for _ in range(5):
        use(lambda: GraphWorkspace(GraphDocument(small_graph(), stub_registry()), FakeBridge()))
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert [QAccessible.accessibleInterface(number) for number in numbers] == [None] * len(numbers)
