"""Words that look and run nothing: ``validate``, ``inputs`` and ``inspect``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pipelines.cli.arguments import load_graph
from pipelines.cli.session import FAILED, OK, WRONG_USE, Session, print_json
from pipelines.errors import DiptychError
from pipelines.graph import types
from pipelines.graph.node import Input
from pipelines.graph.registry import NodeSchema


def validate(options: argparse.Namespace) -> int:
    """Every problem of a graph at once: 0 none, 1 invalid, 2 unreadable."""
    try:
        graph = load_graph(options.graph)
        with Session() as session:
            problems = session.problems(graph)
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


def inputs(options: argparse.Namespace) -> int:
    """The arguments of a graph: its exposed params, by name."""
    graph = load_graph(options.graph)
    properties: dict[str, Any] = {}
    with Session() as session:
        registry = session.registry()
    for name, (node, param) in graph.exposed.items():
        record = graph.nodes.get(node)
        schema = registry.get(record.type) if record else None
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
