"""Networks of a model on a card: they come when they are used, and make room for each other."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from pipelines.errors import OutOfMemory
from pipelines.models.residency.room import Room, give_back
from pipelines.models.residency.slot import Slot

if TYPE_CHECKING:
    from pipelines.models.loaded import Stage
    from pipelines.models.residency.part import Part

_STAGES: Final[tuple[Stage, ...]] = ("encode", "decode", "main")
"""In the order in which they make room for others."""


class Placing:
    """Puts networks on their device, within the budget that ``room`` has for it."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def settle(self, slot: Slot) -> None:
        """A run begins: put on the device what fits there as a whole; the lock is held.

        Text encoders come when a prompt is to be encoded, since most often it was encoded before.
        """
        wanted = [part for part in slot.parts if part.stage != "encode" and not part.whole]
        for part in slot.parts:
            part.ceiling = sys.maxsize
            part.planned = False
        need = sum(part.bytes - part.held for part in wanted)
        budget = self._room.budget(slot.home, self._room.bytes_on(slot.home))
        self._room.evict_until(slot.home, need, budget)
        if self._room.bytes_on(slot.home) + need <= budget:
            for part in wanted:
                self._placed(slot, part, part.bytes)

    def enter(self, slot: Slot, part: Part) -> None:
        """A network is about to be used: bring it, or what fits of it.

        Raises:
            OutOfMemory: not even its largest blocks fit.
        """
        with self._room.changed:
            part.used = self._room.tick()
            if part.stage != "encode":
                for other in slot.parts:
                    if other.stage == "encode" and other.held and not other.running:
                        other.leave()
            if part.settled:
                return
            device = slot.home
            budget = self._room.budget(device, self._room.bytes_on(device))
            self._room.evict_until(device, part.bytes - part.held, budget)
            self._yield(slot, part, part.bytes, budget)
            self._yield(slot, part, part.minimum, budget)
            room = budget - self._room.bytes_on(device) + part.held
            if part.streaming and not part.grows_by(room) and room >= part.held:
                part.planned = True
                return
            self._placed(slot, part, room)

    def _placed(self, slot: Slot, part: Part, room: int) -> None:
        """Fit a network into ``room``; where the device has less than it said, into half, and so on."""
        import torch

        name = f"{slot.name} ({part.name})"
        while room >= part.minimum:
            try:
                part.fit(room)
                return
            except torch.OutOfMemoryError:
                part.leave()
            give_back()
            if room <= part.minimum:
                raise OutOfMemory(device=slot.home, reason=f"{name} needs more than is free.")
            room = part.ceiling = max(min(room, part.bytes) // 2, part.minimum)
        raise OutOfMemory(device=slot.home, reason=self._room.why(slot.home, part.minimum, room, name, slot))

    def _yield(self, slot: Slot, part: Part, wanted: int, budget: int) -> None:
        """Let other networks in use make room, until ``part`` may hold ``wanted`` bytes.

        What computes in the same step gives way to a smaller one only: a denoiser streams beside its control
        network, not the other way round. At the least a part needs, anything else makes room.
        """
        others = [
            (owner is not slot, _STAGES.index(other.stage), other)
            for owner in self._room.slots.values()
            if owner.home == slot.home
            for other in owner.parts
            if other is not part and other.held and not other.running
        ]
        for _, _, other in sorted(others, key=lambda item: item[:2]):
            short = wanted - part.held - (budget - self._room.bytes_on(slot.home))
            if short <= 0:
                return
            same = other.stage == part.stage
            if not same or other.bytes > part.bytes or wanted <= part.minimum:
                other.give(short)

    def offload(self, slot: Slot, stage: Stage) -> bool:
        """See :meth:`pipelines.models.residency.slot.Residence.offload`."""
        with self._room.changed:
            before = self._room.bytes_on(slot.home)
            for idle in self._room.idle_on(slot.home):
                self._room.evict(idle, slot.home)
            for part in slot.parts:
                if part.stage != stage and not part.running:
                    part.leave()
            if self._room.bytes_on(slot.home) == before:
                for part in slot.parts:
                    if part.stage == stage and part.held > part.minimum:
                        part.ceiling = max(part.held // 2, part.minimum)
                        part.fit(part.ceiling)
            freed = self._room.bytes_on(slot.home) < before
        if freed:
            give_back()
        return freed
