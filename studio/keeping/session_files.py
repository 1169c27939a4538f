"""The files of a session: each open document with its journal, and what else was shown.

``session.json`` lists the documents in the order of their tabs; each has a folder of its own, with its graph
as it was at the end and its journal (:mod:`studio.keeping.journal`). Each file is whole or not at all.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipelines import paths
from pipelines.errors import DiptychError
from pipelines.files import atomic_write
from pipelines.graph.assets import assets_of
from pipelines.graph.document import Graph
from studio.keeping import journal
from studio.keeping.journal import State
from studio.pictures.results import Result

GRAPH, ABOUT, TABS = "graph.json", "session.json", "tabs"
FORMAT: Final = 2
MAX_BYTES: Final = 64 * 2**20
MAX_TABS: Final = 200
WORKSPACE: Final = "workspace"
_ID: Final = re.compile(r"[0-9a-f]{1,32}")


@dataclass(frozen=True, slots=True)
class SavedSheet:
    """One document of last time."""

    state: State
    id: str = ""
    workspace: str = "create"
    crashed: bool = False
    """Whether it comes from the journal of a session that did not end."""
    whole: bool = True
    """Whether all of that journal could be read."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What was found of last time: the documents, and what else was shown."""

    sheets: tuple[SavedSheet, ...] = ()
    shown: int = -1
    """The place of the one that was shown."""
    workspace: str = "create"
    selected: int = -1
    results: tuple[Result, ...] = ()
    whole: bool = True
    """Whether all journals could be read."""

    @property
    def crashed(self) -> bool:
        """Whether the session did not end."""
        return any(sheet.crashed for sheet in self.sheets)

    @property
    def sheet(self) -> SavedSheet | None:
        """The document that was shown."""
        return self.sheets[self.shown] if 0 <= self.shown < len(self.sheets) else None

    @property
    def state(self) -> State | None:
        """That document's state."""
        return self.sheet.state if self.sheet is not None else None

    @property
    def graph(self) -> Graph | None:
        """That document's graph."""
        return self.state.graph if self.state is not None else None


def session_dir() -> Path:
    """Where this profile keeps its session."""
    return paths.data_dir() / "session"


def folder_of(folder: Path, id: str) -> Path:
    """Where a session keeps a document."""
    return folder / TABS / id


def write_graph(folder: Path, id: str, graph: Graph) -> None:
    """Write a document as it is at the end."""
    atomic_write(folder_of(folder, id) / GRAPH, graph.dumps())


def write_about(folder: Path, about: Mapping[str, Any]) -> None:
    """Write which documents there are, and what else is shown."""
    atomic_write(folder / ABOUT, json.dumps(about, ensure_ascii=False) + "\n")


def load(folder: Path, *, look_only: bool = False) -> Saved:
    """Last time's session; what can't be read is left out, and kept under another name.

    Args:
        look_only: the session is another studio's, which is at work: it did not crash, and nothing is moved.
    """
    about = _about(folder / ABOUT)
    sheets, whole = [], True
    for place, item in _places(folder, about):
        sheet, read = _sheet(place, item, look_only)
        whole = whole and read
        if sheet is not None:
            sheets.append(sheet)
    kept = about.get("results")
    results = (
        [Result.from_json(item) for item in kept if isinstance(item, dict)] if isinstance(kept, list) else []
    )
    selected, shown = about.get("selected"), str(about.get("shown", ""))
    return Saved(
        tuple(sheets),
        next((at for at, sheet in enumerate(sheets) if sheet.id == shown), len(sheets) - 1),
        str(about.get(WORKSPACE, "create")),
        selected if isinstance(selected, int) else -1,
        tuple(item for item in results if item is not None),
        whole,
    )


def _places(folder: Path, about: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The folders of the documents, in the order of their tabs, each with what is noted of it; those that a
    killed studio had no time to list come last."""
    tabs = about.get("tabs")
    if not isinstance(tabs, list):  # a session with one document, as they once were
        yield folder, about
        tabs = []
    listed: set[str] = set()
    for item in tabs[:MAX_TABS]:
        id = item.get("id") if isinstance(item, dict) else None
        if isinstance(id, str) and _ID.fullmatch(id) and id not in listed:
            listed.add(id)
            yield folder_of(folder, id), item
    for path in _below(folder / TABS)[: MAX_TABS - len(listed)]:
        if path.name not in listed:
            yield path, {"id": path.name}


def _below(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if _ID.fullmatch(path.name) and path.is_dir())
    except OSError:
        return []


def _sheet(place: Path, about: Mapping[str, Any], look_only: bool) -> tuple[SavedSheet | None, bool]:
    """A document, if there is one, and whether its journal could be read."""
    path = place / journal.NAME
    found = journal.Found(ended=True) if journal.has_ended(path) else journal.read(path)
    if not found.whole and not found.states and not look_only:
        _keep_aside(path, journal.UNREADABLE)
    unfinished = bool(found.states) and not found.ended
    if about.keys() == {"id"} and not unfinished:  # closed, and its folder could not be deleted
        return None, found.whole
    graph = found.states[-1].graph if unfinished else _graph(place / GRAPH, look_only)
    if graph is None:
        return None, found.whole
    state = found.states[-1] if unfinished else State.of(graph, about)
    id, workspace = str(about.get("id", "")), str(about.get(WORKSPACE, "create"))
    return SavedSheet(state, id, workspace, unfinished and not look_only, found.whole), found.whole


def forget_single(folder: Path) -> None:
    """Remove what sessions with one document have left, once the list of documents is there."""
    if isinstance(_about(folder / ABOUT).get("tabs"), list):
        for name in (GRAPH, journal.NAME, journal.BEFORE):
            with contextlib.suppress(OSError):
                (folder / name).unlink()


def named_assets(folder: Path) -> set[str]:
    """The pixels that the session and the journals name."""
    found: set[str] = set()
    for place in (folder, *_below(folder / TABS)):
        for name in (journal.NAME, journal.BEFORE):
            for state in journal.read(place / name).states:
                found |= assets_of(state.graph)
        graph = _graph(place / GRAPH, True)
        found |= assets_of(graph) if graph is not None else set()
    return found


def _about(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _graph(path: Path, look_only: bool) -> Graph | None:
    try:
        return Graph.loads(path.read_bytes(), path.name)
    except FileNotFoundError:
        return None
    except (OSError, DiptychError):
        if not look_only:
            _keep_aside(path, "graph-unreadable.json")
        return None


def _keep_aside(path: Path, name: str) -> None:
    try:
        path.replace(path.with_name(name))
    except OSError:  # it can't be moved either: it stays where it is
        return
