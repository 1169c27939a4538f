"""The same graphs in NodeGraphQt, the usual node editor for Qt in Python, measured the same way.

``python -m studio.canvas.bench_peer NODES WIRES`` prints JSON: ``{}`` if it isn't installed (extra ``dev``).
It is given less to do than the node editor here: titles and ports, but no values on the nodes.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from PySide6.QtCore import QEvent, QPointF
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pipelines.bench.canvas_graphs import large_graph
from pipelines.graph.document import Graph
from pipelines.graph.registry import builtin
from studio.canvas.bench import FRAMES, VIEW, Figures, Watch, send_mouse


def installed() -> bool:
    """Whether NodeGraphQt is there."""
    return find_spec("NodeGraphQt") is not None


def measure(nodes: int, wires: int) -> Figures:
    """Build, repaint at zoom 1 and of the whole graph, and dragging one node."""
    os.environ["QT_PREFERRED_BINDING"] = "PySide6"
    source, watch = large_graph(nodes, wires), Watch()
    graph = import_module("NodeGraphQt").NodeGraph()
    viewer, made = graph.viewer(), {}
    graph.widget.resize(*VIEW)
    graph.widget.show()
    QTest.qWaitForWindowExposed(graph.widget)
    watch.take("build", lambda _: made.update(_build(graph, source)), 1)
    QApplication.processEvents()
    viewport = viewer.viewport()
    graph.clear_selection()
    views = [node.view for node in made.values()]
    graph.reset_zoom()
    viewer.center_selection(views)
    QApplication.processEvents()
    watch.take("near", lambda _: viewport.repaint(), FRAMES, 2)
    middle = viewer.mapToScene(viewport.rect().center())
    item = min(views, key=lambda view: (view.sceneBoundingRect().center() - middle).manhattanLength())
    start = QPointF(viewer.mapFromScene(item.mapToScene(QPointF(item.width / 2, 10))))
    send_mouse(viewport, QEvent.Type.MouseButtonPress, start)
    watch.take(
        "near_drag",
        lambda index: send_mouse(
            viewport, QEvent.Type.MouseMove, start + QPointF(14 + 5 * index, 9 + 3 * index)
        ),
        FRAMES, 2,
    )  # fmt: skip
    send_mouse(viewport, QEvent.Type.MouseButtonRelease, start)
    viewer.zoom_to_nodes(views)
    QApplication.processEvents()
    watch.take("far", lambda _: viewport.repaint(), 5, 1)
    graph.widget.close()
    return watch.figures


def _build(graph: Any, source: Graph) -> dict[str, Any]:
    """The nodes of a graph with their ports and wires, by id."""
    base, registry, made = import_module("NodeGraphQt").BaseNode, builtin(), {}
    for key, record in source.nodes.items():
        schema = registry[record.type]
        node = base()
        for port in schema.inputs(record.params):
            node.add_input(port.name)
        for output in schema.outputs(record.params):
            node.add_output(output.name)
        node.set_name(record.title)
        graph.add_node(node, pos=source.position(key), selected=False, push_undo=False)
        made[key] = node
    for key, name, link in source.links():
        target, out = made[key].get_input(name), made[link.node].get_output(link.output)
        target.connect_to(out, push_undo=False, emit_signal=False)
    return made


def main(nodes: str, wires: str) -> int:
    """Measure, and print one JSON object."""
    figures: Figures = {}
    if installed():
        app = QApplication([])
        figures = measure(int(nodes), int(wires))
        app.quit()
    print(json.dumps(figures), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
