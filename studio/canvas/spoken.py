"""Nodes, ports, wires, frames and notes in words: what a screen reader says of them, and the status line."""

from __future__ import annotations

from studio.canvas.face import PortFace
from studio.canvas.items import NodeItem, WireItem
from studio.canvas.run_state import NodeState
from studio.canvas.scene import GraphScene
from studio.canvas.value_words import value_words
from studio.graph.annotations import Box
from studio.translate import tr

MAX_WORDS = 200


def node_words(item: NodeItem) -> str:
    """``Prompt to image, node, running 3 of 16``."""
    face, state = item.face, item.state
    kind = tr("group") if face.category == "Group" else tr("node") if face.known else tr("unknown node")
    parts = [face.title, kind, _mode(face.mode), state_words(state)]
    if state.stale:
        parts.append(tr("out of date"))
    count = max(item.marks.problem_count, state.failures)
    if count:
        parts.append(tr("1 problem") if count == 1 else tr("{n} problems", n=count))
    return ", ".join(part for part in parts if part)


def _mode(mode: str) -> str:
    return {"bypassed": tr("bypassed"), "muted": tr("muted")}.get(mode, "")


def state_words(state: NodeState) -> str:
    """What became of a node in the last run, or how far it is."""
    if state.status == "running":
        if state.total > 1 and state.unit != "token":
            return tr("running {step} of {total}", step=state.step, total=state.total)
        return tr("running")
    return {
        "queued": tr("waiting"),
        "executed": tr("done"),
        "cached": tr("done before"),
        "failed": tr("failed"),
        "blocked": tr("blocked"),
        "cancelled": tr("cancelled"),
    }.get(state.status, "")


def port_words(scene: GraphScene, port: PortFace) -> str:
    """``image, output, Image, connected to Save``."""
    parts = [port.label, tr("output") if port.is_output else tr("input"), str(port.type)]
    others = connected_titles(scene, port)
    if others:
        parts.append(tr("connected to {names}", names=", ".join(others)))
    elif port.required:
        parts.append(tr("has to be connected"))
    else:
        parts.append(port_value(scene, port) or tr("not connected"))
    return ", ".join(parts)


def port_value(scene: GraphScene, port: PortFace) -> str:
    """What a port has of itself: the value set on the node, or what the last run gave."""
    item = scene.nodes.get(port.node)
    if item is None:
        return ""
    if port.is_output:
        value = item.state.outputs.get(port.name)
        return value_words(value) if value is not None else ""
    row = next((row for row in item.face.rows if row.param == port.name), None)
    return row.value[:MAX_WORDS] if row is not None else ""


def connected_titles(scene: GraphScene, port: PortFace) -> list[str]:
    """Names of the nodes at the other ends of a port's wires."""
    ends = [wire.target if port.is_output else wire.source for wire in wires_of(scene, port)]
    return [scene.nodes[node].face.title for node in dict.fromkeys(ends) if node in scene.nodes]


def wires_of(scene: GraphScene, port: PortFace) -> list[WireItem]:
    """The wires that start or end in a port."""
    if not port.is_output:
        wire = scene.wires.get((port.node, port.name))
        return [wire] if wire is not None else []
    wires = scene.wires_of(port.node)
    return [wire for wire in wires if (wire.source, wire.output) == (port.node, port.name)]


def wire_words(scene: GraphScene, wire: WireItem) -> str:
    """``Wire from Words, text, to Prompt to image, prompt``."""
    source, target = scene.nodes.get(wire.source), scene.nodes.get(wire.target)
    if source is None or target is None:
        return tr("Wire")
    out, into = source.face.port(wire.output, True), target.face.port(wire.input, False)
    text = tr(
        "Wire from {source}, {output}, to {target}, {input}",
        source=source.face.title, output=out.label if out else wire.output,
        target=target.face.title, input=into.label if into else wire.input,
    )  # fmt: skip
    if wire.words:
        text += ", " + tr("converted: {words}", words=tr(wire.words))
    return text + ", " + tr("does not fit") if wire.wrong else text


def box_words(box: Box) -> str:
    """``Sketches, frame``; the words of a note."""
    kind = tr("frame") if box.kind == "frames" else tr("note")
    words = " ".join(box.text.split())[:MAX_WORDS]
    return f"{words}, {kind}" if words else kind
