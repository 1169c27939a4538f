"""What there is that could bring nodes: read as bytes and metadata, never executed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import Distribution, EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from blake3 import blake3

from pipelines.errors import DiptychError, ErrorInfo, OutsideFileUnusable
from pipelines.files import bytes_text, open_file, reason_of, safe_join
from pipelines.graph.registry import Origin

GROUP: Final = "diptych.nodes"
"""The entry point group of packages with nodes."""
MAX_FILE: Final = 2**20
"""Bytes of a single file of nodes."""
MAX_FILES: Final = 5_000
"""Files of a package."""
MAX_CODE: Final = 64 * 2**20
"""Bytes of all Python files of a package."""
OURS: Final = frozenset({"pipelines", "studio"})

Kind = Literal["file", "package"]


@dataclass(frozen=True)
class Source:
    """A file or a package that may bring nodes.

    ``code`` is what would be executed: the bytes of each Python file by its path. ``compiled`` are the hashes
    of extension modules. ``digest`` is of them all, whatever folder they lie in.
    """

    kind: Kind
    name: str
    version: str = ""
    digest: str = ""
    code: Mapping[str, bytes] = field(default_factory=dict)
    compiled: Mapping[str, str] = field(default_factory=dict)
    entries: tuple[EntryPoint, ...] = ()
    problem: ErrorInfo | None = None
    """Why it can't even be offered."""

    @property
    def key(self) -> str:
        """Its name among the agreements."""
        return f"{self.kind} {self.name}"

    @property
    def origin(self) -> Origin:
        return Origin(self.kind, self.name, self.version, self.digest)


def scan(folder: Path, packages: bool = True) -> tuple[Source, ...]:
    """The files in ``folder``, by name, then the installed packages with the entry point, by name."""
    return (*files_in(folder), *(installed() if packages else ()))


def files_in(folder: Path) -> Iterator[Source]:
    """The Python files of a folder but ``test_…``, ``_…`` and ``conftest.py``; none if there is no folder."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if is_node_file(entry.name))
    except OSError:
        return
    for name in names:
        yield read_source(folder, name)


def is_node_file(name: str) -> bool:
    """Whether a file of this name in the folder is one of nodes."""
    return name.endswith(".py") and not name.startswith(("_", ".", "test_")) and name != "conftest.py"


def read_source(folder: Path, name: str) -> Source:
    """One file of the folder. What is wrong with it is in ``problem``."""
    try:
        path = safe_join(folder, name)
        with open_file(path) as file:
            data = file.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            reason = "It is too large for a file written by hand."
            raise OutsideFileUnusable(name=name, reason=reason, limit=bytes_text(MAX_FILE))
    except DiptychError as error:
        return Source("file", name, problem=error.info())
    except OSError as error:
        unread = OutsideFileUnusable(name=name, reason=reason_of(error), limit=bytes_text(MAX_FILE))
        return Source("file", name, problem=unread.info())
    return Source("file", name, "", blake3(data).hexdigest(), {str(path): data})


def installed() -> Iterator[Source]:
    """The installed packages with the entry point."""
    found: dict[str, tuple[Distribution, list[EntryPoint]]] = {}
    for entry in entry_points(group=GROUP):
        if entry.dist is not None:
            found.setdefault(entry.dist.name, (entry.dist, []))[1].append(entry)
    for name, (dist, entries) in sorted(found.items()):
        yield _package(name, dist, sorted(entries))


def _package(name: str, dist: Distribution, entries: list[EntryPoint]) -> Source:
    tops = {entry.module.partition(".")[0] for entry in entries}
    if tops & OURS:
        reason = f"It says that {', '.join(sorted(tops & OURS))} is its own."
        return _unusable(name, dist.version, reason)
    code: dict[str, bytes] = {}
    compiled: dict[str, str] = {}
    whole = blake3()
    try:
        for inside, path in sorted(_files_of(dist, tops).items()):
            data = path.read_bytes()
            if path.suffix == ".py":
                code[str(path)] = data
            else:
                compiled[str(path)] = blake3(data).hexdigest()
            whole.update(f"{len(inside)} {inside} {len(data)} ".encode())
            whole.update(data)
            if len(code) + len(compiled) > MAX_FILES or sum(map(len, code.values())) > MAX_CODE:
                return _unusable(name, dist.version, "It has too many files to be looked at.")
    except OSError as error:
        return _unusable(name, dist.version, reason_of(error))
    return Source("package", name, dist.version, whole.hexdigest(), code, compiled, tuple(entries))


def _unusable(name: str, version: str, reason: str) -> Source:
    error = OutsideFileUnusable(name=name, reason=reason, limit=bytes_text(MAX_FILE))
    return Source("package", name, version, problem=error.info())


def _files_of(dist: Distribution, tops: Iterable[str]) -> dict[str, Path]:
    """The code of a package: what its list of files names, and what lies in its top folders (one installed
    for editing lists none)."""
    found: dict[Path, str] = {}
    for item in dist.files or ():
        if _is_code(item.name):
            found[Path(os.path.realpath(str(dist.locate_file(item))))] = item.as_posix()
    for top in tops:
        for inside, path in _top_files(top):
            found.setdefault(Path(os.path.realpath(path)), inside)
    return {inside: path for path, inside in found.items() if path.is_file()}


def _top_files(top: str) -> Iterator[tuple[str, Path]]:
    """The files of a top-level module. It is only looked for, not imported."""
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return
    if spec is None:
        return
    for folder in spec.submodule_search_locations or ():
        root = Path(folder)
        for path in root.rglob("*"):
            if _is_code(path.name):
                yield path.relative_to(root.parent).as_posix(), path
    if spec.submodule_search_locations is None and spec.origin is not None and _is_code(spec.origin):
        yield Path(spec.origin).name, Path(spec.origin)


def _is_code(name: str) -> bool:
    return name.endswith((".py", *EXTENSION_SUFFIXES))
