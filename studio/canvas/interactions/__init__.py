"""Gestures: one small class each, from press to release, cancelled by Esc.

``GESTURES`` is the order in which a press is offered to them; the first that takes it has it until it ends.
"""

from studio.canvas.interactions.base import Interaction, Press
from studio.canvas.interactions.boxes import MoveBox, ResizeBox
from studio.canvas.interactions.connect import Connect, GrabWire, Rewire
from studio.canvas.interactions.cut import CutWires
from studio.canvas.interactions.move import Move
from studio.canvas.interactions.move_wires import MoveWires
from studio.canvas.interactions.pan import Pan, PanBlank
from studio.canvas.interactions.reroute import AddDot, MoveDots
from studio.canvas.interactions.resize import ResizePreview
from studio.canvas.interactions.select import BoxSelect, LassoSelect

GESTURES: tuple[type[Interaction], ...] = (
    Pan,
    CutWires,
    MoveWires,
    Rewire,
    Connect,
    ResizePreview,
    Move,
    MoveDots,
    AddDot,
    GrabWire,
    ResizeBox,
    MoveBox,
    PanBlank,
    LassoSelect,
    BoxSelect,
)

__all__ = [
    "GESTURES",
    "AddDot",
    "BoxSelect",
    "Connect",
    "CutWires",
    "GrabWire",
    "Interaction",
    "LassoSelect",
    "Move",
    "MoveBox",
    "MoveDots",
    "MoveWires",
    "Pan",
    "PanBlank",
    "Press",
    "ResizeBox",
    "ResizePreview",
    "Rewire",
]
