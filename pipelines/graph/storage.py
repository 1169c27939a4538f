"""Documents as files: bare JSON, or a ``.diptych`` archive of ``graph.json`` and its assets, or inside a
picture."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Final

from pipelines.errors import FileMissing, GraphUnreadable
from pipelines.graph.document import Graph

GRAPH_NAME: Final = "graph.json"
ASSETS: Final = "assets/"
MAX_GRAPH: Final = 256 * 2**20
"""Largest graph text in bytes that is read."""
PICTURES: Final = (".png", ".webp", ".jpg", ".jpeg")


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
    try:
        if path.stat().st_size > MAX_GRAPH:
            raise GraphUnreadable(name=path.name, reason=f"It is larger than {MAX_GRAPH // 2**20} MB.")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise FileMissing(path=str(path)) from error
    except OSError as error:
        raise GraphUnreadable(name=path.name, reason=f"{error.strerror or error}.") from error
    return read_bytes(data, path.name)


def read_bytes(data: bytes, name: str) -> Graph:
    """The graph in the bytes of a file (JSON or archive)."""
    if data[:4] != b"PK\x03\x04":
        return Graph.loads(data, name)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            info = archive.getinfo(GRAPH_NAME)
            if info.file_size > MAX_GRAPH:
                raise GraphUnreadable(name=name, reason=f"Its graph is larger than {MAX_GRAPH // 2**20} MB.")
            return Graph.loads(archive.read(info), name)
    except KeyError as error:
        raise GraphUnreadable(name=name, reason=f"There is no {GRAPH_NAME} in the archive.") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise GraphUnreadable(name=name, reason="The archive is damaged.") from error


def write_archive(graph: Graph, assets: dict[str, bytes] | None = None) -> bytes:
    """A ``.diptych`` archive; without time stamps, so that equal documents are equal files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [(GRAPH_NAME, graph.dumps()), *sorted((assets or {}).items())]:
            full = name if name == GRAPH_NAME else ASSETS + name
            archive.writestr(zipfile.ZipInfo(full, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
