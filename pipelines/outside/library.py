"""The nodes from outside of one engine: what the user agreed to is loaded, and what changed since is not."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pipelines.engine.exchange import is_alive
from pipelines.errors import (
    DiptychError,
    ErrorInfo,
    NodeTypeTaken,
    OutsideEndedEngine,
    OutsideNotLoaded,
)
from pipelines.files import atomic_write
from pipelines.graph.registry import NodeSchema, OpenRegistry
from pipelines.outside.agreements import Agreements, standing
from pipelines.outside.checking import checked, line_of
from pipelines.outside.loading import Loaded, place_of
from pipelines.outside.sources import Source, scan

State = Literal["on", "new", "changed", "failed"]
_MARK: Final = "nodes-loading-"


@dataclass(frozen=True)
class Listed:
    """A source and what became of it. ``errors`` may be there beside nodes that are all right."""

    source: Source
    state: State
    types: tuple[str, ...] = ()
    errors: tuple[ErrorInfo, ...] = ()


class Outside:
    """Keeps the registry's types from outside in step with folder, packages and agreements.

    Args:
        folder: where the user's single files are.
        agreements: the file with what was agreed to.
        scratch: a folder for a note of what is being loaded, so that code which ends the process is known
            when the next one starts.
    """

    def __init__(self, registry: OpenRegistry, folder: Path, agreements: Path, scratch: Path) -> None:
        self.registry, self.folder = registry, folder
        self.agreements = Agreements(agreements)
        self.loading = ""
        """The source whose code is being executed now; empty if none is."""
        self._scratch = scratch
        self._lock = threading.Lock()
        self._loaded: dict[str, Loaded] = {}
        self._failed: dict[tuple[str, str], ErrorInfo] = {}

    def is_needed(self) -> bool:
        """Whether anything was agreed to: where nothing was, nothing is looked for."""
        return bool(self.agreements.read())

    def load(self, *, again: bool = False) -> tuple[Listed, ...]:
        """Look at everything that is there now, load what is agreed to, let go of the rest.

        Args:
            again: try what failed before once more.
        """
        with self._lock:
            if again:
                self._failed.clear()
                self._clear_marks()
            agreed = self.agreements.read()
            found = scan(self.folder)
            wanted = {source.key: source for source in found if standing(source, agreed) == "agreed"}
            for key, loaded in list(self._loaded.items()):
                if key not in wanted or wanted[key].digest != loaded.source.digest:
                    self._loaded.pop(key).unload()
            listed, schemas = [], list[NodeSchema]()
            owners = {schema.id: "Diptych" for schema in self.registry if schema.origin is None}
            for source in found:
                state = standing(source, agreed)
                if source.problem is not None:
                    listed.append(Listed(source, "failed", errors=(source.problem,)))
                elif state != "agreed":
                    listed.append(Listed(source, state))
                else:
                    made, errors = self._take(source, owners)
                    schemas += made
                    types = tuple(schema.id for schema in made)
                    listed.append(Listed(source, "on" if made else "failed", types, errors))
            self.registry.set_outside(schemas)
            return tuple(listed)

    def close(self) -> None:
        """The engine ends as it should: whatever was being loaded is not to blame."""
        self._mark_path().unlink(missing_ok=True)
        for loaded in self._loaded.values():
            loaded.unload()
        self._loaded.clear()

    # --- one source ------------------------------------------------------------------------------------

    def _take(self, source: Source, owners: dict[str, str]) -> tuple[list[NodeSchema], tuple[ErrorInfo, ...]]:
        """The node types of a source, and what is wrong with others of it; ``owners`` has the ids that are
        taken."""
        failed = (source.key, source.digest)
        if failed in self._failed:
            return [], (self._failed[failed],)
        try:
            loaded = self._loaded.get(source.key) or self._execute(source)
        except DiptychError as error:
            self._failed[failed] = error.info()
            return [], (self._failed[failed],)
        schemas, errors = [], []
        for node in loaded.nodes:
            try:
                schema = _guarded(source, lambda node=node: checked(node, source))  # type: ignore[misc]
                self._claim(schema, source, owners)
            except DiptychError as error:
                errors.append(error.info())
            else:
                schemas.append(schema)
        return schemas, tuple(errors)

    def _execute(self, source: Source) -> Loaded:
        if source.digest in self._marked():
            raise OutsideEndedEngine(origin=str(source.origin))
        loaded = Loaded(source)
        with self._mark(source):
            _guarded(source, loaded.load)
        self._loaded[source.key] = loaded
        return loaded

    def _claim(self, schema: NodeSchema, source: Source, owners: dict[str, str]) -> None:
        if schema.id in owners:
            name = schema.node.__name__
            raise NodeTypeTaken(
                name=name, origin=str(source.origin), id=schema.id, owner=owners[schema.id],
                place=line_of(name, source), suggestion=f"mine.{schema.id.rpartition('.')[2]}",
            )  # fmt: skip
        owners[schema.id] = str(source.origin)

    # --- what ends the process -------------------------------------------------------------------------

    def _mark_path(self) -> Path:
        return self._scratch / f"{_MARK}{os.getpid()}.json"

    @contextmanager
    def _mark(self, source: Source) -> Iterator[None]:
        """Note on the disk what is being executed. Without room for a note it is executed all the same."""
        self.loading = str(source.origin)
        with contextlib.suppress(DiptychError):
            atomic_write(self._mark_path(), json.dumps({"digest": source.digest}))
        try:
            yield
        finally:
            self.loading = ""
            self._mark_path().unlink(missing_ok=True)

    def _marked(self) -> set[str]:
        """The hashes of what was being executed when an engine ended."""
        found = set()
        for path in self._scratch.glob(f"{_MARK}*.json"):
            pid = path.stem.removeprefix(_MARK)
            if pid.isdigit() and not is_alive(int(pid)):
                with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                    found.add(str(json.loads(path.read_bytes())["digest"]))
        return found

    def _clear_marks(self) -> None:
        for path in self._scratch.glob(f"{_MARK}*.json"):
            path.unlink(missing_ok=True)


def _guarded(source: Source, work: Callable[[], Any]) -> Any:
    """Do what executes code from outside; whatever it raises becomes an error with file and line.

    Raises:
        DiptychError: as our own checks say, or :class:`OutsideNotLoaded`.
    """
    try:
        return work()
    except DiptychError:
        raise
    except (Exception, SystemExit) as error:
        message = traceback.format_exception_only(error)[-1].strip().partition(": ")[2] or "it gave no reason"
        raise OutsideNotLoaded(
            origin=str(source.origin), kind=type(error).__name__, message=message[:500].rstrip(".") + ".",
            place=place_of(error, source.code, source.name),
        ) from error  # fmt: skip
