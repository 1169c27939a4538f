"""Large graphs of real node types for the canvas's bench: the same for every editor that is measured."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

from pipelines.graph import types as port_types
from pipelines.graph.document import Graph, Link, NodeRecord
from pipelines.graph.node import Input as InputPort
from pipelines.graph.node import Node
from pipelines.graph.registry import NodeSchema, Registry, builtin
from pipelines.graph.types import connects

TYPES: Final = (
    "text.constant", "model.diffusion", "text.template", "diffusion.text_to_image", "image.load",
    "text.join", "image.resize", "image.adjust", "number.constant", "mask.from_image", "mask.grow",
    "image.blend", "language.generate", "model.language", "diffusion.image_to_image", "image.crop",
    "number.math", "upscale.simple", "text.replace", "control.preprocess", "diffusion.inpaint",
    "mask.combine", "image.save", "logic.switch", "image.stitch",
)  # fmt: skip
"""What graphs of people consist of: sources, texts, pictures, masks, numbers, and the large ones between."""
WORDS: Final = "a red apple on a blue table, morning light from the left, soft shadows, 50 mm, painted in oil"
COLUMN: Final = 320
GAP: Final = 40
BACK: Final = 3
"""How many columns a wire may lead over."""
NEAR: Final = 12
"""Most wires come from so many of the nodes next to theirs, one in ten from any."""


def large_graph(nodes: int, wires: int) -> Graph:
    """A graph of columns from left to right, about as wide as high, with titles, params and places.

    The same numbers give the same graph. Each wire leads from one of the last :data:`BACK` columns, and every
    type fits or is converted.
    """
    registry, chance = builtin(), random.Random(nodes)
    schemas = [registry[TYPES[index % len(TYPES)]] for index in range(nodes)]
    chance.shuffle(schemas)
    rows = max(1, round((nodes * COLUMN / 200 / 1.6) ** 0.5))
    columns = [range(start, min(start + rows, nodes)) for start in range(0, nodes, rows)]
    places: dict[str, list[int]] = {}
    for number, column in enumerate(columns):
        y = 0
        for index in column:
            places[_name(index)] = [number * COLUMN, y]
            y += _height(schemas[index]) + GAP
    links = _links(schemas, columns, wires, chance)
    records = {
        _name(index): NodeRecord.new(
            schema.id,
            schema.node.version,
            title=f"{schema.title} {index + 1}",
            params=_params(schema, index, set(links.get(_name(index), ()))),
            inputs=links.get(_name(index)),
        )
        for index, schema in enumerate(schemas)
    }
    return Graph(records).with_view("positions", places)


def _name(index: int) -> str:
    return f"node_{index:05d}"


def _height(schema: NodeSchema) -> int:
    """About what a node of this type takes, in pixels of the scene."""
    inputs, outputs = schema.inputs({}), schema.outputs({})
    wires = sum(not port.takes_literal for port in inputs)
    values = len(inputs) - wires + min(4, sum(param.primary for param in schema.params))
    return 60 + 22 * (max(wires, len(outputs)) + values + 3 * any(port.multiline for port in inputs))


def _params(schema: NodeSchema, index: int, linked: set[str]) -> dict[str, Any]:
    """Values that a person might have set."""
    found: dict[str, Any] = {}
    for param in schema.params:
        if not param.primary or param.name in linked or param.name == "template":  # it makes the ports
            continue
        if param.type == port_types.Text and not param.dynamic_choices:
            found[param.name] = f"{WORDS} {index}"
        elif param.type == port_types.Integer and isinstance(param.default, int):
            found[param.name] = param.default
        elif param.type == port_types.Choice:
            found[param.name] = param.choices[index % len(param.choices)] if param.choices else param.default
    for port in schema.inputs({}):
        if port.multiline and port.name not in linked:
            found[port.name] = f"{WORDS} {index}"
    return found


def _links(
    schemas: Sequence[NodeSchema], columns: Sequence[range], wires: int, chance: random.Random
) -> dict[str, dict[str, Link]]:
    """One wire for each node that takes one, then more, until there are ``wires``."""
    free: list[list[tuple[int, InputPort, list[int]]]] = []
    for number, column in enumerate(columns):
        earlier = [index for other in columns[max(0, number - BACK) : number] for index in other]
        for row, index in enumerate(column):
            before = sorted(earlier, key=lambda other: abs(other % len(columns[0]) - row))
            before = before if chance.random() < 0.1 else before[:NEAR]
            ports = list(schemas[index].inputs({})) if before else []
            chance.shuffle(ports)
            free.append([(index, port, before) for port in ports])
    most = max(map(len, free))
    turns = [entry for turn in range(most) for ports in free for entry in ports[turn : turn + 1]]
    links: dict[str, dict[str, Link]] = {}
    count = 0
    for index, port, before in turns:
        if count == wires:
            break
        for source in chance.sample(before, min(6, len(before))):
            out = next((o for o in schemas[source].outputs({}) if connects(o.type, port.type)), None)
            if out is not None:
                links.setdefault(_name(index), {})[port.name] = Link(_name(source), out.name)
                count += 1
                break
    return links


def many_types(count: int) -> Registry:
    """The built-in node types, and as many more like them as make ``count``."""
    registry = Registry(*(schema.node for schema in builtin()))
    known = [schema.node for schema in builtin()]
    words = ("Soft", "Hard", "Wide", "Narrow", "Warm", "Cold", "Fast", "Fine", "Bright", "Deep")
    number = 0
    while len(registry) < count:
        base, word = known[number % len(known)], words[number // len(known) % len(words)]
        registry.add(_another(base, f"more.{base.id}.{number}", f"{word} {base.title.lower()} {number}"))
        number += 1
    return registry


def _another(base: type[Node], type_id: str, name: str) -> type[Node]:
    """A node type that differs from another in id and title alone."""

    class Another(base):  # type: ignore[valid-type, misc]
        __doc__ = base.__doc__
        id, title = type_id, name

    return Another
