"""What people type: sizes, ``node.param=value``, ``name=value``, graph files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pipelines import paths
from pipelines.errors import DiptychError, FileMissing, GraphUnreadable, WrongUse
from pipelines.files import is_there
from pipelines.graph import jsontext, types
from pipelines.graph.assets import AssetStore
from pipelines.graph.document import Graph
from pipelines.graph.node import Input
from pipelines.graph.registry import Registry, builtin
from pipelines.graph.storage import PICTURES, read_document, read_file
from pipelines.models.catalogue.catalogue import Catalogue, Entry, open_catalogue
from pipelines.models.probing.probe import Kind
from pipelines.preferences import read_model_folders


def load_graph(path: str, *, to_run: bool = False) -> Graph:
    """A graph from a ``.json`` or ``.diptych`` file, or from a picture made by Diptych.

    Args:
        to_run: the pixels in an archive are kept where the engine finds them.

    Raises:
        FileMissing, GraphUnreadable, GraphFromTheFuture.
    """
    file = Path(path)
    if not is_there(file):
        raise FileMissing(path=path)
    if not file.is_file():
        raise GraphUnreadable(name=path, reason="It is not a file.")
    if not to_run or file.suffix.lower() in PICTURES:
        return read_document(file)
    stored = read_file(file)
    AssetStore(paths.assets_dir()).take_in(stored.assets)
    return stored.graph


def parse_size(text: str) -> tuple[int, int]:
    """``512x768`` or ``512`` as (width, height). Raises :class:`WrongUse`."""
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) <= 2 and all(part.strip().isdecimal() and len(part) <= 40 for part in parts):
        numbers = [int(part) for part in parts]
        return numbers[0], numbers[-1]
    raise WrongUse(reason=f"{text[:80]} is not a size.", hint="Write width x height, for example 512x768.")


def apply_sets(graph: Graph, sets: list[str], registry: Registry | None = None) -> Graph:
    """The graph with every ``node.param=value`` set.

    Text is taken verbatim, anything else is JSON. The node is what stands before the last dot before ``=``.

    Raises:
        WrongUse: the form is wrong, the node or the param isn't there, or the value is no JSON.
    """
    for text in sets:
        target, sign, value = text.partition("=")
        node, dot, param = target.rpartition(".")
        if not (sign and dot and node and param):
            raise WrongUse(
                reason=f"{text} is not of the form node.param=value.", hint="See: diptych inputs GRAPH"
            )
        graph = set_param(graph, node, param, value, registry or builtin())
    return graph


def set_param(graph: Graph, node: str, param: str, text: str, registry: Registry) -> Graph:
    """Set one param or input literal from text (see :func:`apply_sets`)."""
    return graph.with_param(node, param, parse_value(port_of(graph, node, param, registry), text))


def port_of(graph: Graph, node: str, param: str, registry: Registry) -> Input:
    """The port called ``param`` of ``node``. Raises :class:`WrongUse` with what is there instead."""
    if node not in graph:
        raise WrongUse(
            reason=f"There is no node called {node}.", hint=f"The graph has: {', '.join(graph.nodes)}"
        )
    record = graph.nodes[node]
    schema = registry.get(record.type)
    port = schema.port(param, record.params) if schema else None
    if port is None or schema is None:
        known = (
            [*(port.name for port in schema.inputs(record.params)), *schema.params_by_name] if schema else []
        )
        raise WrongUse(reason=f"{node} has no setting called {param}.", hint=f"It has: {', '.join(known)}")
    return port


def parse_value(port: Input, text: str) -> Any:
    """A value of a port from text: Text and Choice verbatim, anything else JSON."""
    if port.type in (types.Text, types.Choice):
        return text
    try:
        return jsontext.loads(text, port.name)
    except DiptychError as error:
        reason = f"{text[:80]} can't be read as {port.type}."
        raise WrongUse(
            reason=reason, hint="Numbers, true, false, null and lists are written as in JSON."
        ) from error


def read_text(value: str) -> str:
    """``@file`` is the file's text, ``-`` standard input, anything else itself (``@@`` is a plain ``@``).

    Raises:
        WrongUse: it can't be read, or is no text.
    """
    if value == "-":
        try:
            return sys.stdin.read()
        except (OSError, UnicodeDecodeError) as error:
            raise WrongUse(
                reason="Standard input can't be read as text.", hint="Give text in UTF-8."
            ) from error
    if value.startswith("@@"):
        return value[1:]
    if value.startswith("@"):
        path = Path(value[1:])
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise WrongUse(
                reason=f"{path} can't be read: {error}.", hint="Give a text file in UTF-8."
            ) from error
    return value


def apply_exposed(graph: Graph, values: dict[str, str], registry: Registry | None = None) -> Graph:
    """The graph with its exposed params set by their names. Raises :class:`WrongUse` for an unknown name."""
    exposed = graph.exposed
    for name, text in values.items():
        if name not in exposed:
            known = ", ".join(exposed) or "none"
            raise WrongUse(reason=f"The graph has no argument called {name}.", hint=f"It has: {known}")
        node, param = exposed[name]
        graph = set_param(graph, node, param, read_text(text), registry or builtin())
    return graph


def catalogue() -> Catalogue:
    """The models a command can use: the starters, the user's folder, and those added in the studio's
    settings.
    """
    return open_catalogue(paths.models_dir(), read_model_folders())


def find_model(kind: Kind, model: str) -> Entry:
    """What the catalogue says of a model by id, title or path; ``""`` is the default of its kind."""
    known = catalogue()
    by_title = next((info.id for info in known.list() if model and info.title == model), model)
    entry = known.find(kind, by_title)
    entry.check(kind)
    return entry


def split_arguments(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Graph files and ``name=value`` words, told apart: a word with ``=`` that is no file is an argument."""
    files, values = [], {}
    for word in words:
        name, sign, value = word.partition("=")
        if sign and name.isidentifier() and not is_there(Path(word)):
            values[name] = value
        else:
            files.append(word)
    return files, values
