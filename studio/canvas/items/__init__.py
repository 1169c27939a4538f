"""The items of the scene: nodes, wires and the wire being drawn.

They paint what a :class:`~studio.canvas.face.NodeFace` and a run state say, and decide nothing.
"""

from studio.canvas.items.box import BoxItem
from studio.canvas.items.dot import DotItem
from studio.canvas.items.node import NodeItem
from studio.canvas.items.wire import DraftWire, WireItem

__all__ = ["BoxItem", "DotItem", "DraftWire", "NodeItem", "WireItem"]
