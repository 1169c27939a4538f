"""What the tooltip says about whatever is under the pointer."""

from __future__ import annotations

from html import escape

from pipelines.errors import ErrorInfo
from studio.canvas.face import PortFace
from studio.canvas.interactions.base import Press
from studio.canvas.items import NodeItem, WireItem
from studio.canvas.items.texts import progress_text, seconds_text
from studio.canvas.scene import GraphScene
from studio.canvas.value_words import bytes_words, value_words
from studio.translate import tr


def tip_at(scene: GraphScene, press: Press) -> str:
    """Rich text for a port, a row, a node or a wire; empty for blank canvas."""
    if press.port is not None:
        lines = [f"<b>{escape(press.port.label)}</b> — {escape(str(press.port.type))}"]
        if press.port.description:
            lines.append(escape(press.port.description))
        if press.port.required and not press.port.linked:
            lines.append(escape(tr("Has to be connected.")))
        lines += _port_value(scene, press.port)
        lines += [escape(text) for text in _problems(scene, press.port.node, press.port.name)]
        return "<br>".join(lines)
    if press.node is not None:
        return _node_tip(scene, press.node, press)
    return _wire_tip(scene, press.wire) if press.wire is not None else ""


def _port_value(scene: GraphScene, port: PortFace) -> list[str]:
    """What an output holds, or what comes into an input."""
    if port.is_output:
        return _value(scene, port.node, port.name)
    wire = scene.wires.get((port.node, port.name))
    return _value(scene, wire.source, wire.output) if wire is not None else []


def _value(scene: GraphScene, node: str, output: str) -> list[str]:
    """What an output held after the last run, and how long that took."""
    state = scene.run.state(node)
    value = state.outputs.get(output)
    words = value_words(value) if value is not None else ""
    lines = [f"<b>{escape(words)}</b>"] if words else []
    if value is not None and state.took is not None and (time := seconds_text(state.took)):
        lines.append(escape(tr("Made in {time}.", time=time)))
    if value is not None and state.stale:
        lines.append(escape(tr("Out of date: something it depends on was changed since.")))
    return lines


def _problems(scene: GraphScene, node: str, port: str | None = None) -> list[str]:
    found: list[ErrorInfo] = scene.problems.of(node)
    return [problem.text(tr) for problem in found if port is None or problem.port == port]


def _node_tip(scene: GraphScene, item: NodeItem, press: Press) -> str:
    row = item.row_at(press.at)
    if row is not None and row.param:
        value = escape(row.value[:400])
        text = f"<b>{escape(row.label)}</b>" + (f"<br>{value}" if value else "")
        return "<br>".join([text, *map(escape, _problems(scene, item.node, row.param))])
    state = item.state
    lines = [f"<b>{escape(item.face.title)}</b>"]
    schema = scene.document.registry.get(item.face.type)
    if schema is not None and schema.origin is not None:
        lines.append(escape(tr("From {origin}", origin=schema.origin)))
    if not item.face.known:
        lines.append(escape(tr("This node type is not known here. Its settings are kept, but it can't run.")))
    words = {
        "queued": tr("Waits for its turn."),
        "cached": tr("Already made: nothing had to be computed."),
        "skipped": tr("Not needed for the last run."),
        "blocked": tr("Could not run, because a step it needs failed."),
    }
    if state.status in words:
        lines.append(escape(words[state.status]))
    if state.status == "running" and (text := progress_text(state)):
        lines.append(escape(text))
    if state.took is not None and (time := seconds_text(state.took)):
        taken = tr("Took {time}.", time=time)
        lines.append(escape(taken if state.status == "executed" else tr("The last time: {time}", time=time)))
    if memory := bytes_words(state.stored_bytes):
        lines.append(escape(tr("Its results take {memory}.", memory=memory)))
    if state.stale:
        lines.append(escape(tr("Out of date: something it depends on was changed since.")))
    if item.face.mode != "active":
        known = {
            "bypassed": tr("Bypassed: its input goes straight through."),
            "muted": tr("Muted: it doesn't run."),
        }
        lines.append(escape(known[item.face.mode]))
    errors = [
        ErrorInfo.from_json({k: v for k, v in e.model_dump().items() if k != "message"}) for e in state.errors
    ]
    warnings = [
        ErrorInfo.from_json({k: v for k, v in e.model_dump().items() if k != "message"})
        for e in state.warnings
    ]
    lines += [escape(problem.text(tr)) for problem in (*errors, *warnings)]
    lines += [escape(text) for text in _problems(scene, item.node)]
    return "<br>".join(lines)


def _wire_tip(scene: GraphScene, wire: WireItem) -> str:
    source, target = scene.nodes.get(wire.source), scene.nodes.get(wire.target)
    if source is None or target is None:
        return ""
    out, into = source.face.port(wire.output, True), target.face.port(wire.input, False)
    text = tr(
        "{source}, {output} → {target}, {input}",
        source=source.face.title, output=out.label if out else wire.output,
        target=target.face.title, input=into.label if into else wire.input,
    )  # fmt: skip
    lines = [escape(text), *_value(scene, wire.source, wire.output)]
    if wire.words:
        lines.append(escape(tr("Converted on the way: {words}.", words=tr(wire.words))))
    if wire.wrong:
        lines += [escape(problem) for problem in _problems(scene, wire.target, wire.input)]
    return "<br>".join(lines)
