"""Words that look and run nothing: ``validate``, ``nodes``, ``inputs``, ``inspect``, ``models``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pipelines.cli.arguments import catalogue, load_graph
from pipelines.cli.session import FAILED, OK, WRONG_USE, print_json
from pipelines.errors import DiptychError, WrongUse
from pipelines.graph import types
from pipelines.graph.node import Input
from pipelines.graph.plan import validate as problems_of
from pipelines.graph.registry import NodeSchema, builtin


def validate(options: argparse.Namespace) -> int:
    """Every problem of a graph at once: 0 none, 1 invalid, 2 unreadable."""
    try:
        problems = problems_of(load_graph(options.graph), builtin())
    except DiptychError as error:
        if options.json:
            print_json({"graph": options.graph, "valid": False, "problems": [error.info().to_json()]})
        print(error, file=sys.stderr)
        return WRONG_USE
    valid = not any(problem.severity == "error" for problem in problems)
    if options.json:
        print_json(
            {"graph": options.graph, "valid": valid, "problems": [item.to_json() for item in problems]}
        )
    else:
        for problem in problems:
            place = ".".join(part for part in (problem.node, problem.port) if part)
            print(f"{problem.severity} {place or options.graph}: {problem.text()}")
    return OK if valid else FAILED


def nodes(options: argparse.Namespace) -> int:
    """The node types, with ports and params; ``--json`` has the JSON Schema of their params."""
    registry = sorted(builtin(), key=lambda schema: (schema.category, schema.id))
    if options.json:
        print_json({"nodes": [schema.to_json() for schema in registry]})
        return OK
    for schema in registry:
        inputs = ", ".join(f"{port.name}: {port.type}" for port in schema.inputs({})) or "–"
        outputs = ", ".join(f"{port.name}: {port.type}" for port in schema.outputs({})) or "–"
        print(f"{schema.id:28} {schema.title}\n{'':28} {inputs} → {outputs}")
        print(f"{'':28} {', '.join(param.name for param in schema.params)}")
    return OK


def inputs(options: argparse.Namespace) -> int:
    """The arguments of a graph: its exposed params, by name."""
    graph = load_graph(options.graph)
    properties: dict[str, Any] = {}
    for name, (node, param) in graph.exposed.items():
        record = graph.nodes.get(node)
        schema = builtin().get(record.type) if record else None
        port = schema.port(param, record.params) if schema and record else None
        if port is None or schema is None or record is None:
            continue
        default = record.params.get(param, port.default)
        properties[name] = json_schema(schema, port) | {"default": default, "x-node": node, "x-param": param}
        title = graph.fields["exposed"][name].get("title")
        if isinstance(title, str) and title:
            properties[name]["title"] = title
    if options.json:
        print_json(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": properties,
            }
        )
    else:
        for name, item in properties.items():
            print(
                f"{name:20} {item.get('type', 'any')!s:10} {item['default']!r}  {item.get('description', '')}"
            )
    return OK


def json_schema(schema: NodeSchema, port: Input) -> dict[str, Any]:
    """The JSON Schema of one param or input literal."""
    found = schema.node.Params.model_json_schema()["properties"].get(port.name)
    if found:
        return dict(found)
    kinds = {types.Text: "string", types.Number: "number", types.Integer: "integer", types.Boolean: "boolean"}
    made: dict[str, Any] = {"title": port.label, "description": port.description}
    if port.type == types.Seed:
        return made | {"type": ["integer", "null"], "minimum": 0, "maximum": 2**64 - 1}
    return made | ({"type": kinds[port.type]} if port.type in kinds else {})


def inspect(options: argparse.Namespace) -> int:
    """What is written in a picture: who made it, how, and the graph."""
    from pipelines.metadata import read_metadata

    metadata = read_metadata(Path(options.image))
    if options.json:
        print_json(metadata.to_json())
    else:
        _print_tree(metadata.to_json())
    return OK


def _print_tree(tree: dict[str, Any]) -> None:
    """What a person wants to know, a line each; the graph itself is in ``--json``."""
    first = ("format", "width", "height", "source", "digital_source_type")
    rows: dict[str, Any] = {key: tree[key] for key in first if key in tree}
    rows |= {f"drawn {key}" if key in rows else key: value for key, value in tree.get("info", {}).items()}
    made = tree.get("diptych", {})
    rows |= {key: made[key] for key in ("created", "device", "versions") if key in made}
    for name, value in rows.items():
        shown = (
            ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else value
        )
        print(f"{name.replace('_', ' '):20} {shown}")
    for problem in tree.get("problems", []):
        print(problem, file=sys.stderr)


def models(options: argparse.Namespace) -> int:
    """The models of the catalogue, or what one file is (``probe``)."""
    known = catalogue()
    if options.action == "probe":
        if not options.file:
            raise WrongUse(reason="No file was given.", hint="diptych models probe FILE")
        path = Path(options.file).expanduser().absolute()
        found = [known.find("diffusion", str(path)).info]
    else:
        found = list(known.list())
    if options.json:
        print_json({"models": [info.model_dump() for info in found]})
    else:
        for info in found:
            size = f"{info.bytes / 1e6:.0f} MB"
            print(f"{info.kind:10} {info.id:40} {info.family:10} {size:>9}  {info.problem or info.title}")
    return FAILED if options.action == "probe" and found[0].problem else OK
