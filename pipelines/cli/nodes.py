"""``diptych nodes``: the node types there are, and those from outside: begin one, agree to it, withdraw."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipelines import paths
from pipelines.cli.session import FAILED, OK, Session, print_json
from pipelines.engine.outside import told
from pipelines.engine.protocol import NodeSource
from pipelines.errors import ErrorInfo, OutsideNotFound
from pipelines.graph.registry import NodeSchema
from pipelines.outside.agreements import Agreements
from pipelines.outside.library import Listed
from pipelines.outside.scaffold import new_node
from pipelines.outside.sources import Source, scan

STATES = {
    "on": "in use",
    "new": "not agreed to",
    "changed": "changed since it was agreed to",
    "failed": "can't be used",
}


def list_nodes(options: argparse.Namespace) -> int:
    """The node types, with ports and params, and what there is from outside; ``--json`` has the JSON Schema
    of their params."""
    with Session() as session:
        sources = session.outside().sources or _not_agreed()
        registry = sorted(session.registry(), key=lambda schema: (schema.category, schema.id))
    if options.json:
        outside = [source.model_dump(exclude={"files"}) for source in sources]
        print_json({"nodes": [schema.to_json() for schema in registry], "outside": outside})
        return OK
    for schema in registry:
        _print_type(schema)
    for source in sources:
        _print_source(source)
    return OK


def new(options: argparse.Namespace) -> int:
    """Write a node that works, and its test, to begin with."""
    folder = Path(options.folder).expanduser().absolute() if options.folder else paths.nodes_dir()
    node, test = new_node(options.name, folder)
    if options.json:
        print_json({"node": str(node), "test": str(test)})
    else:
        print(f"{node}\n{test}")
        agree_hint = "" if options.folder else f", then: diptych nodes agree {node.name}"
        print(f"Change it, run its test{agree_hint}", file=sys.stderr)
    return OK


def agree(options: argparse.Namespace) -> int:
    """Agree to a file or package as it is now, and say whether its nodes can be used."""
    source = _find(options.name)
    if source.problem is not None:
        print(source.problem.text(), file=sys.stderr)
        return FAILED
    Agreements(paths.agreements_path()).agree(source.key, source.digest, source.version)
    print(f"Agreed to {source.origin} as it is now (hash {source.digest}).", file=sys.stderr)
    with Session() as session:
        found = session.outside(again=True)
    item = next((item for item in found.sources if _is(item, source)), None)
    if options.json:
        print_json(item.model_dump(exclude={"files"}) if item is not None else {})
    elif item is not None:
        _print_source(item)
    return OK if item is not None and item.state == "on" and not item.errors else FAILED


def withdraw(options: argparse.Namespace) -> int:
    """Agree to a file or package no longer. It may be gone already."""
    agreements = Agreements(paths.agreements_path())
    name = _bare(options.name)
    gone = [key for key in (f"file {name}", f"package {name}") if agreements.withdraw(key)]
    if not gone:
        known = ", ".join(key.partition(" ")[2] for key in agreements.read())
        raise OutsideNotFound(name=name, folder=str(paths.nodes_dir()), known=known or "none agreed to")
    if options.json:
        print_json({"withdrawn": gone})
    return OK


def _not_agreed() -> tuple[NodeSource, ...]:
    """What there is, where nothing was agreed to: no engine is needed to say so."""
    found = (Listed(source, "failed" if source.problem else "new") for source in scan(paths.nodes_dir()))
    return tuple(map(told, found))


def _find(text: str) -> Source:
    """The file or package of a name; a path counts if it leads into the folder for nodes.

    Raises:
        OutsideNotFound: with what is there instead.
    """
    name = _bare(text)
    sources = scan(paths.nodes_dir())
    for source in sources:
        if source.name in (name, f"{name}.py"):
            return source
    known = ", ".join(source.name for source in sources) or "none"
    raise OutsideNotFound(name=text, folder=str(paths.nodes_dir()), known=known)


def _bare(text: str) -> str:
    """The name in a path that leads into the folder for nodes; any other text as it is."""
    path = Path(text).expanduser().absolute()
    return path.name if path.parent.resolve() == paths.nodes_dir().resolve() else text


def _is(item: NodeSource, source: Source) -> bool:
    return (item.source, item.name) == (source.kind, source.name)


def _print_type(schema: NodeSchema) -> None:
    inputs = ", ".join(f"{port.name}: {port.type}" for port in schema.inputs({})) or "–"
    outputs = ", ".join(f"{port.name}: {port.type}" for port in schema.outputs({})) or "–"
    origin = f"  (from {schema.origin})" if schema.origin else ""
    print(f"{schema.id:28} {schema.title}{origin}\n{'':28} {inputs} → {outputs}")
    print(f"{'':28} {', '.join(param.name for param in schema.params)}")


def _print_source(source: NodeSource) -> None:
    name = f"{source.name} {source.version}".strip()
    types = f": {', '.join(source.types)}" if source.types else ""
    print(f"{name:28} {STATES[source.state]}{types}")
    for error in source.errors:
        print(ErrorInfo.from_json(error.model_dump()).text(), file=sys.stderr)
