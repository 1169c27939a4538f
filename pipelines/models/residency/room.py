"""Which models are in memory, what each takes of a device, and which leave when others need the room."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipelines.errors import OutOfMemory
from pipelines.files import bytes_text
from pipelines.models import memory
from pipelines.models.residency.slot import HOST, Key, Slot

if TYPE_CHECKING:
    from pipelines.models.loading import Loader

Budget = Callable[[str, int], int]
"""(device, bytes our models hold there) -> bytes they may hold in all."""


def default_budget(device: str, held: int, reserve: int = 0) -> int:
    """What is free on the device now, with what we hold, less a tenth (1 GB at least, on a card half of it)
    that the computation itself needs, and less what the user keeps for other programs.
    """
    import torch

    from pipelines.models.device import memory as device_memory

    now = device_memory(device, torch)
    spare = max(now.total // 10, 2**30 if device == HOST else 2**29) + reserve
    ours = held if device == HOST else max(held, now.used)  # what torch keeps there can be used again
    return max(now.free + ours - spare, 0)


class Room:
    """The models in memory and those on their way. Its methods are called with :attr:`changed` held."""

    def __init__(self, loader: Loader, budget: Budget) -> None:
        self.budget = budget
        self.slots: dict[Key, Slot] = {}
        self.coming: dict[Key, tuple[str, int]] = {}
        """The device each is brought to, and the bytes that are kept free for it there."""
        self.changed = threading.Condition()
        self._loader = loader
        self._clock = 0

    def tick(self) -> int:
        """A number larger than any before: when something was used."""
        self._clock += 1
        return self._clock

    def make_room(self, device: str, need: int, name: str, *, strict: bool = True) -> None:
        """Evict what is idle until ``need`` bytes are free; where that isn't enough, fail if ``strict``."""
        held = self.bytes_on(device)
        budget = self.budget(device, held)
        self.evict_until(device, need, budget)
        if self.bytes_on(device) + need > budget and strict:
            raise OutOfMemory(device=device, reason=self.why(device, need, budget, name))

    def evict_until(self, device: str, need: int, budget: int) -> None:
        """Evict what is idle, as far as ``need`` more bytes ask for it."""
        held, models = self.bytes_on(device), len(self.slots)
        for victim in self.idle_on(device):
            if self.bytes_on(device) + need <= budget:
                break
            self.evict(victim, device)
        if len(self.slots) < models:
            give_back()
        elif self.bytes_on(device) < held:
            empty_caches()

    def why(self, device: str, need: int, budget: int, name: str, but: Slot | None = None) -> str:
        """The reason why something doesn't fit: what it needs, what there is, and beside what."""
        taken = self.bytes_on(device) if but is None else 0
        room = bytes_text(max(budget - taken, 0))
        busy = ", ".join(
            slot.name
            for slot in self.slots.values()
            if slot.place == device and slot.users and slot is not but
        )
        reason = f"{name} needs {bytes_text(need)}, {room} can be used"
        return f"{reason} beside {busy}." if busy else f"{reason}."

    def bytes_on(self, device: str) -> int:
        """Bytes that models hold of a device, or are about to."""
        coming = sum(size for place, size in self.coming.values() if place == device)
        return coming + sum(slot.bytes_on(device) for slot in self.slots.values())

    def idle_on(self, device: str) -> list[Slot]:
        """The models there that nobody uses, the one not used for the longest time first."""
        idle = [slot for slot in self.slots.values() if not slot.users and slot.bytes_on(device)]
        return sorted(idle, key=lambda slot: slot.used)

    def evict(self, slot: Slot, device: str) -> None:
        """Off ``device``: to main memory if it works elsewhere and there is room, else drop."""
        if device == HOST or not self._loader.movable(slot.loaded):
            self.drop(slot)
            return
        need = slot.bytes - slot.bytes_on(HOST) if slot.parts else slot.bytes
        budget = self.budget(HOST, self.bytes_on(HOST))
        for older in self.idle_on(HOST):
            if self.bytes_on(HOST) + need <= budget:
                break
            # A model that works on the processor is not worth less than one that waits.
            if older.home != HOST and older is not slot:
                self.drop(older)
        if self.bytes_on(HOST) + need > budget:
            self.drop(slot)
        elif slot.parts:
            for part in slot.parts:
                part.leave()
        else:
            self._loader.move(slot.loaded, HOST)
            slot.place = HOST

    def drop(self, slot: Slot) -> None:
        """Forget a model; its memory is free when nobody uses it any more."""
        self.slots.pop(slot.key, None)
        if not slot.users:
            for part in slot.parts:
                part.close()
            slot.parts = []
            slot.loaded = None


def give_back() -> None:
    """Return freed memory to the system and to the card's driver; cheap where torch was never imported.

    Models that were dropped are held by circles until these are looked for, which takes up to half a second;
    what moved to main memory is free without (:func:`empty_caches`).
    """
    gc.collect()
    empty_caches()
    memory.trim()


def empty_caches() -> None:
    """Return what torch keeps of freed memory to the card's driver."""
    torch = sys.modules.get("torch")
    if torch is not None:
        for kind in ("cuda", "xpu", "mps"):
            module = getattr(torch, kind, None)
            if module is not None and getattr(module, "is_initialized", lambda: False)():
                module.empty_cache()
