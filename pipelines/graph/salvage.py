"""What can still be read of a damaged document: the nodes that are whole, the files of an archive that are.

The strict reader comes first; this one is asked when it refuses. Text is read member by member, and a member
that is broken is left out; an archive is read entry by entry, without its table of contents, which is what a
file that was cut off lacks.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from pipelines.errors import GraphFromTheFuture, GraphUnreadable
from pipelines.graph import jsontext
from pipelines.graph.assets import FOLDER
from pipelines.graph.document import FORMAT, Graph, NodeRecord
from pipelines.graph.storage import GRAPH_NAME, MAX_UNPACKED, ZIP_START, read_bytes

MAX_LOST: Final = 200
"""More broken members than this aren't looked for: it is no document."""
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}"]', re.DOTALL)
_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
"""The header of an entry (PKWARE's APPNOTE, 4.3.7)."""


class Salvaged(NamedTuple):
    """What was read: the graph, the files beside it, and the names of nodes and files that are lost."""

    graph: Graph
    assets: dict[str, bytes]
    lost: tuple[str, ...]


class _Member(NamedTuple):
    key: str
    text: str
    whole: bool


def salvage(data: bytes, name: str) -> Salvaged:
    """What can be read of a document that :func:`pipelines.graph.storage.read_bytes` refuses.

    Raises:
        GraphUnreadable: nothing; or it isn't a document at all.
        GraphFromTheFuture: it is whole, but of a newer format.
    """
    if not data.startswith(ZIP_START):
        graph, lost = _graph(data, name)
        return Salvaged(graph, {}, lost)
    entries, broken = _entries(data)
    text = entries.pop(GRAPH_NAME, None) or broken.pop(GRAPH_NAME, b"")
    try:
        graph, lost = Graph.loads(text, name), ()
    except GraphUnreadable:
        graph, lost = _graph(text, name)
    return Salvaged(graph, entries, (*lost, *(entry for entry in broken if entry.startswith(FOLDER))))


def why(data: bytes, name: str) -> str:
    """Where a document breaks, in the strict reader's words; empty if it doesn't."""
    try:
        read_bytes(data, name)
    except GraphUnreadable as error:
        return str(error.arguments["reason"])
    except GraphFromTheFuture:
        return ""
    return ""


# --- text --------------------------------------------------------------------------------------------------


def _graph(data: bytes, name: str) -> tuple[Graph, tuple[str, ...]]:
    text = data.decode("utf-8-sig", "replace")
    fields: dict[str, Any] = {}
    nodes: dict[str, NodeRecord] = {}
    lost: list[str] = []
    for member in _members(text):
        if member.key == "nodes":
            _read_nodes(member.text, name, nodes, lost)
        elif member.whole and member.key not in fields:
            value = _value(member.text, name)
            if value is not None:
                fields[member.key] = value
    found = fields.get("format", FORMAT)
    if type(found) is int and found > FORMAT:
        raise GraphFromTheFuture(name=name, found=found, known=FORMAT)
    if not nodes:
        reason = why(data, name) or "There is nothing in it that can be read."
        raise GraphUnreadable(name=name, reason=reason)
    return Graph(nodes, {**fields, "format": FORMAT}), tuple(dict.fromkeys(lost))


def _read_nodes(text: str, name: str, nodes: dict[str, NodeRecord], lost: list[str]) -> None:
    for member in _members(text, lambda part: _value(part, name) is not None):
        value = _value(member.text, name) if member.whole else None
        try:
            record = NodeRecord.from_json(value, member.key, name) if value is not None else None
        except GraphUnreadable:
            record = None
        if record is None or member.key in nodes:
            lost.append(member.key)
        else:
            nodes[member.key] = record
        if len(lost) > MAX_LOST:
            return


def _value(text: str, name: str) -> Any:
    try:
        return jsontext.loads(text, name)
    except (GraphUnreadable, RecursionError):
        return None


def _members(text: str, is_whole: Callable[[str], bool] = bool) -> Iterator[_Member]:
    """The members of the object that ``text`` begins with, the last one perhaps cut off. ``is_whole`` judges
    the text of one that has an end."""
    at = text.find("{") + 1
    if not at:
        return
    while True:
        key = _STRING.search(text, at)
        if key is None or (text.find("}", at, key.start()) >= 0):
            return
        start = _skip(text, key.end(), " \t\r\n:")
        end = _end(text, start)
        name = _value(key[0], "") or key[0]
        whole = end is not None and is_whole(text[start:end])
        yield _Member(str(name), text[start:end], whole)
        # brackets that don't match have taken in members that follow: these are lines of the same kind
        resumed = -1 if whole else _next_line_like(text, key.start(), start)
        if resumed >= 0:
            at = resumed
        elif end is not None:
            at = end
        else:
            return


def _next_line_like(text: str, key: int, start: int) -> int:
    """Where the next member begins on a line of its own, as far in as the one at ``key``; -1 without one."""
    margin = text[text.rfind("\n", 0, key) + 1 : key]
    if margin.strip(" \t") or text[start : start + 1] != "{":
        return -1
    found = re.compile(rf'\n{margin}(?="(?:[^"\\\n]|\\.)*+"[ \t]*:[ \t]*{{)').search(text, start)
    return found.end() if found else -1


def _skip(text: str, at: int, letters: str) -> int:
    while at < len(text) and text[at] in letters:
        at += 1
    return at


def _end(text: str, start: int) -> int | None:
    """Where the value at ``start`` ends; ``None`` if the text ends first."""
    if text[start : start + 1] not in ("{", "["):
        if text[start : start + 1] == '"':
            string = _STRING.match(text, start)
            return string.end() if string else None
        end = re.compile(r"[,}\]\s]").search(text, start)
        return end.start() if end else None
    depth = 0
    for match in _TOKEN.finditer(text, start):
        if match[0] == '"':
            return None  # a string without an end
        if match[0] in "[{":
            depth += 1
        elif match[0] in "]}":
            depth -= 1
            if depth == 0:
                return match.end()
    return None


# --- archives ----------------------------------------------------------------------------------------------


def _entries(data: bytes) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The whole entries of an archive, and what there is of the broken ones."""
    whole: dict[str, bytes] = {}
    broken: dict[str, bytes] = {}
    at, room = data.find(ZIP_START), MAX_UNPACKED
    while at >= 0 and room > 0 and at + _LOCAL.size <= len(data):
        _, _, _, method, _, _, check, packed, _, name_length, extra = _LOCAL.unpack_from(data, at)
        start = at + _LOCAL.size + name_length + extra
        name = data[at + _LOCAL.size : at + _LOCAL.size + name_length].decode("utf-8", "replace")
        content, used, complete = _unpacked(data, start, method, packed, room)
        room -= len(content)
        good = complete and zlib.crc32(content) == check
        if name and not name.endswith("/"):
            (whole if good else broken).setdefault(name, content)
        at = data.find(ZIP_START, start + used if good else start)
    return whole, {name: content for name, content in broken.items() if name not in whole}


def _unpacked(data: bytes, start: int, method: int, packed: int, room: int) -> tuple[bytes, int, bool]:
    """The content of an entry as far as it goes, how many bytes it took, and whether that is all of it."""
    if method == 0:
        content = data[start : start + min(packed, room)]
        return content, len(content), len(content) == packed
    if method != zlib.DEFLATED:
        return b"", 0, False
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    content, at = b"", start
    parts: list[bytes] = []
    try:
        while at < len(data) and not unpacker.eof and room > 0:
            content = unpacker.decompress(data[at : at + 65_536], room)
            parts.append(content)
            room -= len(content)
            at = min(at + 65_536, len(data))
    except zlib.error:
        return b"".join(parts), 0, False
    used = at - start - len(unpacker.unused_data)
    return b"".join(parts), used, unpacker.eof
