"""What the result of a node depends on, as one key: type, version, values, the keys of its inputs, files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipelines.errors import DiptychError
from pipelines.graph.cache import key_of
from pipelines.graph.node import Node, Resources
from pipelines.graph.planned import PlannedNode
from pipelines.graph.values import ListValue


def needed_values(planned: PlannedNode) -> tuple[str, ...]:
    """The linked names whose values the key can't be found without: they choose among lazy inputs, or name a
    file."""
    assert planned.schema is not None
    node = planned.schema.node
    names = set(planned.linked_params) if any(port.lazy for port in planned.inputs) else set()
    if _reads_files(node):
        names.update(planned.linked_params if node.reads is None else node.reads.intersection(planned.links))
    return tuple(name for name in planned.links if name in names)


def used_links(planned: PlannedNode, values: Mapping[str, Any]) -> tuple[str, ...]:
    """The linked names that a run with these params needs: all but the lazy ones nobody wants."""
    unwanted = _unwanted(planned, values)
    return tuple(name for name in planned.links if name not in unwanted)


def key_for(
    planned: PlannedNode,
    names: Iterable[str],
    keys: Mapping[str, bytes | None],
    values: Mapping[str, Any],
    resources: Resources,
    salt: str,
) -> bytes:
    """The key of a node.

    Args:
        names: the links it uses (see :func:`used_links`).
        keys: of the nodes these come from.
        values: its params, and what comes over the links that :func:`needed_values` names.
        salt: for nodes that save files: where they go if the document doesn't say.
    """
    schema = planned.schema
    assert schema is not None
    used = set(names)
    links = []
    for name in sorted(used):
        link = planned.links[name]
        links.append([name, link.output, (keys[link.node] or b"").hex()])
    prints = _fingerprints(schema.node, values, resources) if _reads_files(schema.node) else ""
    unwanted = _unwanted(planned, values)
    literals = {name: value for name, value in planned.literals.items() if name not in unwanted}
    code = (
        [schema.origin.digest] if schema.origin else []
    )  # keys of built-in types, on disks too, stay as they are
    salt = salt if schema.node.saves else ""
    return key_of(schema.id, schema.node.version, literals, links, prints, salt, *code)


def _unwanted(planned: PlannedNode, values: Mapping[str, Any]) -> set[str]:
    """The lazy inputs that no item of these values asks for."""
    assert planned.schema is not None
    unwanted = {port.name for port in planned.inputs if port.lazy}
    for item in _items(values) if unwanted else ():
        unwanted -= planned.schema.node.wanted(item)
    return unwanted


def _fingerprints(node: type[Node], values: Mapping[str, Any], resources: Resources) -> list[str]:
    """What the node reads, for each item where a linked param is a list."""
    prints = []
    for item in _items(values):
        try:
            prints.append(node.fingerprint(item, resources))
        except (DiptychError, OSError, ValueError) as error:  # the run itself says it, at the node
            prints.append(type(error).__name__)
    return prints


def _items(values: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The values as they are, or those of each item where some are lists."""
    lists = {name: value for name, value in values.items() if isinstance(value, ListValue)}
    if not lists:
        yield values
        return
    for index in range(max(len(value) for value in lists.values())):
        yield {
            **values,
            **{name: value[min(index, len(value) - 1)] for name, value in lists.items() if value},
        }


def _reads_files(node: type[Node]) -> bool:
    return getattr(node.fingerprint, "__func__", None) is not getattr(Node.fingerprint, "__func__", None)
