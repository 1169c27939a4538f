"""Code from outside becomes classes here, and only here: compiled from the very bytes that were agreed to.

Python's own import machinery does it, with a loader that has those bytes instead of a path: what is written
into a file between looking and loading is never run, nor is cached bytecode.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

from blake3 import blake3

from pipelines.errors import NoNodesFound
from pipelines.graph.node import Node
from pipelines.outside.sources import Source

PREFIX = "diptych_nodes_"
"""What the names of modules made of single files begin with."""


class BytesLoader(SourceLoader):
    """Compiles ``data``, whatever the file at ``path`` holds by now."""

    def __init__(self, path: str, data: bytes) -> None:
        self._path, self._data = path, data

    def get_filename(self, fullname: str) -> str:
        return self._path

    def get_data(self, path: str) -> bytes:
        if path != self._path:  # bytecode, or a file beside it
            raise FileNotFoundError(path)
        return self._data


class AgreedFinder(MetaPathFinder):
    """Finds the modules of a package among the files that were agreed to, and refuses others of its own."""

    def __init__(self, source: Source) -> None:
        self.tops = frozenset(entry.module.partition(".")[0] for entry in source.entries)
        self._code, self._compiled = source.code, source.compiled

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in self.tops:
            return None
        spec = self._elsewhere(fullname, path, target)
        if spec is None or spec.origin is None:
            return spec
        real = str(Path(spec.origin).resolve())
        if real in self._code:
            spec.loader, spec.cached = BytesLoader(real, self._code[real]), None
            return spec
        if real in self._compiled and blake3(Path(real).read_bytes()).hexdigest() == self._compiled[real]:
            return spec
        raise ImportError(f"{fullname} is not among the files that were agreed to", name=fullname, path=real)

    def _elsewhere(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in sys.meta_path:
            if not isinstance(finder, AgreedFinder):
                spec = finder.find_spec(fullname, path, target)
                if spec is not None:
                    return spec
        return None


class Loaded:
    """The classes of a source, and what has to be undone when they go."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.nodes: tuple[type[Node], ...] = ()
        self._finder: AgreedFinder | None = None

    def load(self) -> None:
        """Execute the source's code and find its nodes.

        Raises:
            NoNodesFound: it has none.
            BaseException: whatever its code raises.
        """
        try:
            found = self._file() if self.source.kind == "file" else self._package()
        except BaseException:
            self.unload()
            raise
        self.nodes = tuple(dict.fromkeys(found))
        if not self.nodes:
            self.unload()
            raise NoNodesFound(origin=str(self.source.origin))

    def unload(self) -> None:
        """Forget its modules, so that other code can take their place. What still runs goes on."""
        self.nodes = ()
        if self._finder is not None:
            if self._finder in sys.meta_path:
                sys.meta_path.remove(self._finder)
            _forget(self._finder.tops)
        elif self.source.kind == "file":
            sys.modules.pop(self._module_name(), None)

    def _module_name(self) -> str:
        return f"{PREFIX}{Path(self.source.name).stem}_{self.source.digest[:12]}"

    def _file(self) -> Iterable[type[Node]]:
        path, data = next(iter(self.source.code.items()))
        name = self._module_name()
        loader = BytesLoader(path, data)
        spec = spec_from_loader(name, loader)
        assert spec is not None
        module = module_from_spec(spec)
        sys.modules[name] = module  # annotations are looked up there
        loader.exec_module(module)
        return nodes_in(module)

    def _package(self) -> Iterable[type[Node]]:
        self._finder = AgreedFinder(self.source)
        _forget(self._finder.tops)
        sys.meta_path.insert(0, self._finder)
        importlib.invalidate_caches()
        found: list[type[Node]] = []
        for entry in self.source.entries:
            module = importlib.import_module(entry.module)
            found += nodes_in(reduce(getattr, filter(None, entry.attr.split(".")), module))
        return found


def nodes_in(found: Any) -> list[type[Node]]:
    """The node types of a module, of a list, or a class itself.

    Of a module: its list ``NODES``; without one, the subclasses of :class:`Node` that it defines and that
    have an id.
    """
    if isinstance(found, ModuleType):
        listed = getattr(found, "NODES", None)
        if listed is not None:
            return nodes_in(listed)
        own = (item for item in vars(found).values() if isinstance(item, type) and issubclass(item, Node))
        return [item for item in own if item.__module__ == found.__name__ and hasattr(item, "id")]
    if isinstance(found, type):
        return [found]
    return list(found) if isinstance(found, list | tuple) else []


def _forget(tops: frozenset[str]) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in tops]:
        del sys.modules[name]


def place_of(error: BaseException, code: Mapping[str, bytes], fallback: str) -> str:
    """Where in this code an error arose: ``my_nodes.py, line 12``; ``fallback`` if nowhere in it."""
    if isinstance(error, SyntaxError) and error.filename and error.filename in code:
        return f"{Path(error.filename).name}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename in code]
    return f"{Path(own[-1].filename).name}, line {own[-1].lineno}" if own else fallback
