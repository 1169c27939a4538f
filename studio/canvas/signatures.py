"""What a node's result depends on, as one digest per node: how the canvas knows that a result is stale.

Only what the document says counts (type, version, mode, params, links and everything upstream); titles and
places don't. The engine's own keys know more (files, models); these need nothing but the graph, no recursion.
"""

from __future__ import annotations

from collections import deque

from blake3 import blake3

from pipelines.graph import jsontext
from pipelines.graph.document import Graph, NodeRecord, drop
from studio.graph.fragments import needed_definitions
from studio.graph.subgraph_ports import group_name


class Signatures:
    """Digests of graphs; those of records that did not change are remembered."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[NodeRecord, bytes]] = {}
        self._groups: object = None

    def of(self, graph: Graph) -> dict[str, bytes]:
        """One digest per node; nodes in a circle get that of their own record alone."""
        if graph.fields.get("subgraphs") is not self._groups:
            self._groups = graph.fields.get("subgraphs")
            self._known = {node: known for node, known in self._known.items() if not group_name(known[0])}
        own = {node: self._own(graph, node, record) for node, record in graph.nodes.items()}
        self._known = {node: (graph.nodes[node], digest) for node, digest in own.items()}
        waiting = dict.fromkeys(graph.nodes, 0)
        users: dict[str, list[str]] = {node: [] for node in graph.nodes}
        for node, _, link in graph.links():
            if link.node in users:
                waiting[node] += 1
                users[link.node].append(node)
        ready = deque(node for node, count in waiting.items() if count == 0)
        result: dict[str, bytes] = {}
        while ready:
            node = ready.popleft()
            sources = b"".join(
                result.get(link.node, b"") for _, link in sorted(graph.nodes[node].inputs.items())
            )
            result[node] = blake3(own[node] + sources).digest() if sources else own[node]
            for user in users[node]:
                waiting[user] -= 1
                if waiting[user] == 0:
                    ready.append(user)
        return {**own, **result}

    def _own(self, graph: Graph, node: str, record: NodeRecord) -> bytes:
        known = self._known.get(node)
        if known is not None and known[0] is record:
            return known[1]
        links = {port: list(link) for port, link in record.inputs.items()}
        text = jsontext.canonical([record.type, record.version, record.mode, dict(record.params), links])
        if group_name(record):
            inside = needed_definitions(graph, [record])
            text += jsontext.canonical({name: drop(found, "view") for name, found in inside.items()})
        return blake3(text.encode()).digest()
