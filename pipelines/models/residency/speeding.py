"""One model in memory, used at different speeds by turns: what one user switched on, no other ever meets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from pipelines.graph.values import Speed

if TYPE_CHECKING:
    from pipelines.graph.node import Context
    from pipelines.models.residency.room import Room
    from pipelines.models.residency.slot import Slot

PLAIN: Final = Speed()


class Speeding:
    """Switches on what a user of a model asks for, and off again when the last one is done."""

    def __init__(self, room: Room) -> None:
        self._room = room

    @contextmanager
    def at(self, slot: Slot, speed: Speed, context: Context) -> Iterator[None]:
        """The model of ``slot`` works at ``speed`` while the block runs; whoever wants another one waits.

        A thread that uses the model already, and asks for it again within, gets it as it is: it can't wait
        for itself.

        Raises:
            Cancelled: while it waited.
        """
        me = threading.get_ident()
        with self._room.changed:
            while slot.speed != speed and any(worker != me for worker in slot.workers):
                context.cancel.check()
                self._room.changed.wait(0.05)
            if not slot.workers:
                self._switch(slot, speed, context)
            slot.workers.append(me)
        try:
            yield
        finally:
            with self._room.changed:
                slot.workers.remove(me)
                if not slot.workers:
                    slot.switched.close()
                    slot.speed = PLAIN
                self._room.changed.notify_all()

    def _switch(self, slot: Slot, speed: Speed, context: Context) -> None:
        slot.switched = ExitStack()
        if speed != PLAIN:
            from pipelines.models.speed.applying import applied

            slot.switched.enter_context(applied(slot.loaded, speed, context))
        slot.speed = speed
