"""Documents as files: bare JSON, or a ``.diptych`` archive of ``graph.json`` and its assets, or inside a
picture."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from pipelines.errors import FileMissing, GraphFromTheFuture, GraphUnreadable
from pipelines.files import open_file
from pipelines.graph import jsontext
from pipelines.graph.document import FORMAT, Graph

GRAPH_NAME: Final = "graph.json"
MAX_GRAPH: Final = 256 * 2**20
"""Largest graph in bytes that is read."""
MAX_ARCHIVE: Final = 2**30
"""Largest archive in bytes that is read: most of it are pixels."""
MAX_UNPACKED: Final = 2 * MAX_ARCHIVE
"""Most bytes an archive may unpack to."""
ARCHIVE_SUFFIX: Final = ".diptych"
ZIP_START: Final = b"PK\x03\x04"
PICTURES: Final = (".png", ".webp", ".jpg", ".jpeg")
BROKEN: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, NotImplementedError, OSError,
    OverflowError, RuntimeError, ValueError,
)  # fmt: skip
"""What Python's zipfile raises for broken archives."""


class Stored(NamedTuple):
    """What a file holds: the graph, and the files that came with it by name."""

    graph: Graph
    assets: Mapping[str, bytes]


def read_document(path: Path) -> Graph:
    """The graph in a file, by content: JSON, an archive, or a picture made by Diptych.

    Raises:
        FileMissing: there is no such file.
        GraphUnreadable, GraphFromTheFuture: see :meth:`Graph.loads`.
    """
    if path.suffix.lower() in PICTURES:
        from pipelines.metadata import graph_of

        graph = graph_of(path)
        if graph is None:
            raise GraphUnreadable(name=path.name, reason="The picture holds no Diptych graph.")
        return graph
    return read_file(path).graph


def read_file(path: Path) -> Stored:
    """A document and its assets from a JSON file or an archive. Raises as :func:`read_document`."""
    return read_bytes(read_data(path), path.name)


def read_data(path: Path) -> bytes:
    """The bytes of a file that may be a document.

    Raises:
        FileMissing: there is no such file.
        GraphUnreadable: it is larger than :data:`MAX_GRAPH` (an archive: :data:`MAX_ARCHIVE`), or can't be
            read at all.
    """
    try:
        size = path.stat().st_size
        with open_file(path) as file:
            start = file.read(len(ZIP_START))
            most = MAX_ARCHIVE if start == ZIP_START else MAX_GRAPH
            if size > most:
                raise GraphUnreadable(name=path.name, reason=f"It is larger than {most // 2**20} MB.")
            return start + file.read()
    except FileNotFoundError as error:
        raise FileMissing(path=str(path)) from error
    except OSError as error:
        raise GraphUnreadable(name=path.name, reason=f"{error.strerror or error}.") from error


def read_any(data: bytes, name: str) -> Stored:
    """:func:`read_bytes` that reads newer formats too, as far as they are understood: to look at, never to
    save. Their graph keeps its ``format``."""
    try:
        return read_bytes(data, name)
    except GraphFromTheFuture as newer:
        try:
            return read_bytes(data, name, _newer)
        except GraphUnreadable:
            raise newer from None


def _newer(data: bytes, name: str) -> Graph:
    tree = jsontext.loads(data, name)
    graph = Graph.from_json({**tree, "format": FORMAT}, name)
    if not graph.nodes:
        raise GraphUnreadable(name=name, reason="There is no node in it.")
    return replace(graph, fields={**graph.fields, "format": tree["format"]})


def read_bytes(data: bytes, name: str, loads: Callable[[bytes, str], Graph] = Graph.loads) -> Stored:
    """A document and its assets from the bytes of a JSON file or an archive."""
    if not data.startswith(ZIP_START):
        return Stored(loads(data, name), {})
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED:
                raise GraphUnreadable(name=name, reason="It unpacks to more than a graph can hold.")
            if archive.getinfo(GRAPH_NAME).file_size > MAX_GRAPH:
                raise GraphUnreadable(name=name, reason=f"Its graph is larger than {MAX_GRAPH // 2**20} MB.")
            entries = {entry: archive.read(entry) for entry in archive.namelist() if not entry.endswith("/")}
        return Stored(loads(entries.pop(GRAPH_NAME), name), entries)
    except BROKEN as error:
        raise GraphUnreadable(name=name, reason="It is damaged, or there is no graph in it.") from error


def file_bytes(graph: Graph, assets: Mapping[str, bytes], suffix: str) -> bytes:
    """What to write: an archive where ``suffix`` is ``.diptych``, else JSON alone.

    An archive has no time stamps, so that equal documents are equal files. The graph comes first: a file that
    is cut off still has it.
    """
    if suffix.lower() != ARCHIVE_SUFFIX:
        return graph.dumps()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in ((GRAPH_NAME, graph.dumps()), *sorted(assets.items())):
            packed = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, packed)
    return buffer.getvalue()
