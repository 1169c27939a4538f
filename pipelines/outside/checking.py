"""Whether a class from outside keeps to what a node type is: everything that the studio and the engine rely
on."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

from pipelines.errors import NodeTypeWrong
from pipelines.graph.described import description, from_description
from pipelines.graph.node import Input, Lane, Node, NodeParams, Output
from pipelines.graph.registry import NodeSchema, schema_of
from pipelines.graph.types import TYPES, PortType
from pipelines.outside.sources import Source

NODE_TYPE: Final = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
"""What an id looks like: ``mine.soft_glow``."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_ID_HINT: Final = (
    "Write it in small letters as a word of your own, a dot and a name, such as “mine.soft_glow”."
)


def checked(node: Any, source: Source) -> NodeSchema:
    """The schema of a class of a source.

    Raises:
        NodeTypeWrong: naming the first fault, its line, and what to do about it.
        BaseException: whatever its code raises when it is asked for its ports.
    """
    name = getattr(node, "__name__", repr(node)[:60])
    place = line_of(name, source)
    if not (isinstance(node, type) and issubclass(node, Node)):
        reason, hint = "It is no subclass of Node.", "Derive it from pipelines.graph.node.Node."
        raise NodeTypeWrong(name=name, origin=str(source.origin), reason=reason, hint=hint, place=place)
    for reason, hint in _faults(node):
        raise NodeTypeWrong(name=name, origin=str(source.origin), reason=reason, hint=hint, place=place)
    schema = schema_of(node, source.origin)
    try:
        from_description(json.loads(json.dumps(description(schema), allow_nan=False)))
    except (KeyError, TypeError, ValueError) as error:
        reason = f"It can't be described as JSON: {error}."
        hint = "Give its params and inputs defaults that JSON can say: text, numbers, true, false, lists."
        wrong = NodeTypeWrong(name=name, origin=str(source.origin), reason=reason, hint=hint, place=place)
        raise wrong from error
    return schema


def line_of(name: str, source: Source) -> str:
    """Where a class is defined: ``my_nodes.py, line 12``; the source's name if it isn't found."""
    for path, data in source.code.items():
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError):
            continue
        for item in ast.walk(tree):
            if isinstance(item, ast.ClassDef) and item.name == name:
                return f"{Path(path).name}, line {item.lineno}"
    return source.name


def _faults(node: type[Node]) -> Iterator[tuple[str, str]]:
    """What is wrong with a class, and what to do about it, most telling first."""
    kind = getattr(node, "id", None)
    if not isinstance(kind, str):
        yield "It has no id.", _ID_HINT
    elif not NODE_TYPE.fullmatch(kind):
        yield f"Its id can't be “{kind}”.", _ID_HINT
    if type(node.version) is not int or node.version < 1:
        yield (
            f"Its version can't be {node.version!r}.",
            "Give a whole number from 1; raise it with each change.",
        )
    if node.lane not in get_args(Lane):
        yield f"Its lane can't be {node.lane!r}.", f"Write one of: {', '.join(get_args(Lane))}."
    for name in ("title", "category", "preview"):
        if not isinstance(getattr(node, name), str):
            yield f"Its {name} is no text.", "Write it in quotes."
    missing = sorted(getattr(node, "__abstractmethods__", ()))
    if missing:
        yield (
            f"It has no {missing[0]}.",
            "Write run(self, inputs, params, context), giving a dict of outputs.",
        )
    if not (isinstance(node.Params, type) and issubclass(node.Params, NodeParams)):
        yield "Its Params is no NodeParams.", "Write: class Params(NodeParams)."
        return
    yield from _port_faults("input", Input, node.input_ports(_defaults(node)), node)
    yield from _port_faults("output", Output, node.output_ports(_defaults(node)), node)
    if node.saves and "path" not in {port.name for port in node.outputs}:
        yield "It saves files, and has no output called path.", "Add Output(“path”, types.Text)."


def _defaults(node: type[Node]) -> Mapping[str, Any]:
    return {param.name: param.default for param in schema_of(node).params}


def _port_faults(
    word: str, kind: type[Input | Output], ports: Any, node: type[Node]
) -> Iterator[tuple[str, str]]:
    if not isinstance(ports, tuple | list):
        yield f"Its {word}s are no tuple.", f"Write: {word}s = ({kind.__name__}(…),) with a comma at the end."
        return
    taken = set(node.Params.model_fields) if word == "input" else set()
    for port in ports:
        if not isinstance(port, kind):
            yield f"One of its {word}s is {port!r}.", f"Each must be an {kind.__name__}."
            continue
        if not isinstance(port.name, str) or not _NAME.fullmatch(port.name):
            yield f"An {word} can't be called {port.name!r}.", "Use letters, digits and underscores."
        if port.name in taken:
            yield f"The name {port.name} is there twice.", "Give inputs and params different names."
        if not isinstance(port.type, PortType) or port.type.name not in TYPES:
            yield (
                f"The {word} {port.name} has no type.",
                "Take one of pipelines.graph.types, such as types.Image.",
            )
        taken.add(port.name)
