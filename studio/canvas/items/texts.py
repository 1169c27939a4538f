"""Fitting text into the little room a node has, and saying progress in few words."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QFontMetricsF, QTextLayout, QTextOption

from studio.canvas.run_state import NodeState
from studio.engine.phases import bytes_text
from studio.translate import tr


def wrapped(text: str, font: QFont, width: float, count: int, *, tail: bool = False) -> list[str]:
    """At most ``count`` lines of ``text``, the last one elided; with ``tail`` the last lines."""
    text = " ".join(text[-1_200:].split()) if tail else " ".join(text[:600].split())
    layout = QTextLayout(text, font)
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    layout.setTextOption(option)
    starts: list[int] = []
    layout.beginLayout()
    while (line := layout.createLine()).isValid():
        line.setLineWidth(width)
        starts.append(line.textStart())
        if not tail and len(starts) > count:
            break
    layout.endLayout()
    if tail:
        ends = [*starts[1:], len(text)]
        return [text[a:b].strip() for a, b in zip(starts, ends, strict=True)][-count:]
    lines = [text[a:b].strip() for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    if len(lines) <= count:
        return lines
    rest = text[starts[count - 1] :]
    elided = QFontMetricsF(font).elidedText(rest, Qt.TextElideMode.ElideRight, width)
    return [*lines[: count - 1], elided]


def seconds_text(seconds: float) -> str:
    """A duration in few characters: ``0.04 s``, ``1.2 s``, ``35 s``, ``2 min 5 s``; nothing below 5 ms."""
    if seconds < 0.005:
        return ""
    if seconds < 0.095:
        return tr("{n} s", n=f"{seconds:.2f}")
    if seconds < 9.95:
        return tr("{n} s", n=f"{seconds:.1f}")
    if seconds < 59.5:
        return tr("{n} s", n=f"{seconds:.0f}")
    minutes, rest = divmod(round(seconds), 60)
    return tr("{m} min {s} s", m=minutes, s=rest)


def progress_texts(state: NodeState) -> list[str]:
    """How far a node is, from the longest way to say it to the shortest.

    ``3/12 · 7/16 · 9.2 it/s · 2 s left``, ``23 · 18 tokens/s``, ``3.2 of 6.6 GB``, or the phase."""
    each = [f"{state.item + 1}/{state.items}"] if state.items > 1 else []
    if state.unit == "byte" and state.total > 0:
        return _shorter([*each, bytes_text(state.step, state.total)], _left(state))
    if state.total > 1 and state.unit != "token":
        count = f"{state.step}/{state.total}"
    else:
        count = str(state.step) if state.unit == "token" and state.step else ""
    parts = [*each, count] if count else each
    if state.rate:
        speed = f"{state.rate:.1f}" if state.rate < 99.5 else f"{state.rate:.0f}"
        unit = tr("tokens/s") if state.unit == "token" else tr("it/s")
        return _shorter(parts, f"{speed} {unit}", _left(state))
    return _shorter(parts or [tr(state.phase.capitalize())], _left(state))


def _left(state: NodeState) -> str:
    """The seconds left at this rate, for all items of a list together; nothing below one."""
    seconds = state.seconds_left
    if seconds is not None and state.rate:
        seconds += max(0, state.items - 1 - state.item) * state.total / state.rate
    return tr("{time} left", time=seconds_text(seconds)) if seconds is not None and seconds >= 0.95 else ""


def _shorter(parts: list[str], *more: str) -> list[str]:
    """``parts`` with all of ``more``, then with the last of it alone (time matters more than speed), then
    without, then the first part alone."""
    extra = [part for part in more if part]
    first = (parts or extra)[:1]
    ways = [[*parts, *extra], [*parts, *extra[-1:]], [*first, *extra[-1:]], parts or first, first]
    ways = [list(dict.fromkeys(way)) for way in ways]
    return list(dict.fromkeys(" · ".join(way) for way in ways))


def progress_text(state: NodeState) -> str:
    """How far a node is, in full."""
    return progress_texts(state)[0]


def status_texts(state: NodeState) -> list[str]:
    """What can stand at the right of a node's title, the longest first."""
    match state.status:
        case "running":
            return progress_texts(state)
        case "queued":
            return [tr("Waiting")]
        case "executed" if state.seconds is not None:
            return [seconds_text(state.seconds)]
        case "cached" | "skipped" if state.took is not None:
            return [seconds_text(state.took)]
        case "failed":
            return [tr("Failed")]
        case "blocked":
            return [tr("Blocked")]
        case "cancelled":
            return [tr("Cancelled")]
    return [""]


def status_text(state: NodeState) -> str:
    """What stands at the right of a node's title, if there is room for all of it."""
    return status_texts(state)[0]
