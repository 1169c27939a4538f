"""Gestures: one small class each, from press to release, cancelled by Esc.

``GESTURES`` is the order in which a press is offered to them; the first that takes it has it until it ends.
"""

from studio.canvas.interactions.base import Interaction, Press
from studio.canvas.interactions.connect import Connect, GrabWire, Rewire
from studio.canvas.interactions.move import Move
from studio.canvas.interactions.pan import Pan
from studio.canvas.interactions.select import BoxSelect

GESTURES: tuple[type[Interaction], ...] = (Pan, Rewire, Connect, Move, GrabWire, BoxSelect)

__all__ = ["GESTURES", "BoxSelect", "Connect", "GrabWire", "Interaction", "Move", "Pan", "Press", "Rewire"]
