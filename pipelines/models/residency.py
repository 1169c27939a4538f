"""How long models stay in memory: one manager for every model of every kind.

What fits stays. When room is needed, the model that was used longest ago moves to main memory, or goes; one
in use never does. Safe to use from several threads: a model is read once, whoever asks for it in the
meantime waits.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pipelines.errors import OutOfMemory
from pipelines.files import bytes_text
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models import memory
from pipelines.models.loading import Loader

HOST: Final = "cpu"
Key = tuple[str, str, str, str, str, str]
Budget = Callable[[str, int], int]
"""(device, bytes our models hold there) -> bytes they may hold in all."""


@dataclass(slots=True)
class _Slot:
    """One model in memory. ``home`` is the device it works on, ``place`` where its weights are now."""

    key: Key
    name: str
    loaded: Any
    bytes: int
    home: str
    place: str
    users: int = 0
    used: int = 0
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """One model in memory, for the status bar and for tests."""

    model: str
    place: str
    bytes: int
    in_use: bool


def default_budget(device: str, held: int) -> int:
    """What is free on the device now, with what we hold, less a tenth (1 GB at least, on a card half of it)
    that the computation itself and other programs need.
    """
    import torch

    from pipelines.models.device import memory as device_memory

    now = device_memory(device, torch)
    spare = max(now.total // 10, 2**30 if device == HOST else 2**29)
    return max(now.free + held - spare, 0)


class Residency:
    """Keeps models of a loader in memory, within a budget for each device."""

    def __init__(self, loader: Loader, budget: Budget = default_budget) -> None:
        self._loader = loader
        self._budget = budget
        self._slots: dict[Key, _Slot] = {}
        self._coming: dict[Key, tuple[str, int]] = {}
        self._clock = 0
        self._changed = threading.Condition()

    @contextmanager
    def use(self, handle: ModelHandle, context: Context) -> Iterator[Any]:
        """The loaded model on ``context.device``, kept there while the block runs.

        Raises:
            Cancelled: while it was read, or while another thread was reading it.
            OutOfMemory: it doesn't fit beside the models in use.
            DiptychError: whatever the loader raises.
        """
        slot = self._acquire(handle, context)
        try:
            yield slot.loaded
        finally:
            with self._changed:
                slot.users -= 1
                if slot.stale and not slot.users:
                    self._drop(slot)

    def held(self) -> tuple[Held, ...]:
        """The models in memory, the one used last at the end."""
        with self._changed:
            slots = sorted(self._slots.values(), key=lambda slot: slot.used)
            return tuple(Held(slot.name, slot.place, slot.bytes, slot.users > 0) for slot in slots)

    def free(self) -> int:
        """Drop every model that isn't in use; returns their bytes."""
        with self._changed:
            idle = [slot for slot in self._slots.values() if not slot.users]
            for slot in idle:
                self._drop(slot)
        total = sum(slot.bytes for slot in idle)
        idle.clear()
        _give_back()
        return total

    # --- in and out -----------------------------------------------------------------------------------------

    def _acquire(self, handle: ModelHandle, context: Context) -> _Slot:
        key = _key(handle, context.device)
        while True:
            with self._changed:
                slot = self._slots.get(key)
                if slot is not None and slot.place == slot.home:
                    return self._taken(slot)
                if key not in self._coming:
                    self._coming[key] = (context.device, 0)
                    break
                self._changed.wait(0.05)
            context.cancel.check()
        try:
            return self._bring(key, handle, context)
        finally:
            with self._changed:
                del self._coming[key]
                self._changed.notify_all()

    def _taken(self, slot: _Slot) -> _Slot:
        self._clock += 1
        slot.used = self._clock
        slot.users += 1
        return slot

    def _bring(self, key: Key, handle: ModelHandle, context: Context) -> _Slot:
        """Load the model, or move it back from main memory; only one thread does this for a key."""
        device = context.device
        with self._changed:
            slot = self._slots.get(key)
            if slot is not None:
                slot.users += 1  # so that making room doesn't drop it
                need = slot.bytes
        if slot is None:
            self._retire_older(key)
            need = self._loader.estimate(handle, device)
        try:
            with self._changed:
                self._make_room(device, need, handle.id)
                self._coming[key] = (device, need)
            if slot is None:
                loaded = self._load(handle, context)
                slot = _Slot(key, handle.id, loaded, self._loader.size(loaded), device, device, users=1)
            else:
                self._loader.move(slot.loaded, device)
        except BaseException:
            if slot is not None:
                with self._changed:
                    slot.users -= 1
            raise
        with self._changed:
            self._coming[key] = (device, 0)  # it counts as a slot from here on
            self._slots[key] = slot
            slot.place = device
            slot.users -= 1
            return self._taken(slot)

    def _load(self, handle: ModelHandle, context: Context) -> Any:
        """Load; where memory ran out in spite of the estimate, once more with everything idle dropped."""
        try:
            return self._loader.load(handle, context.device, context)
        except OutOfMemory:
            if not self.free():
                raise
        return self._loader.load(handle, context.device, context)

    def _retire_older(self, key: Key) -> None:
        """Drop the same model from before its file was replaced, at once or when its last user is done."""
        with self._changed:
            for slot in list(self._slots.values()):
                if slot.key[:-1] == key[:-1]:
                    slot.stale = True
                    if not slot.users:
                        self._drop(slot)

    # --- room; all of it with the lock held -----------------------------------------------------------------

    def _make_room(self, device: str, need: int, name: str) -> None:
        held = self._bytes_on(device)
        budget = self._budget(device, held)
        for victim in self._idle_on(device):
            if self._bytes_on(device) + need <= budget:
                break
            self._evict(victim)
        else:
            if self._bytes_on(device) + need > budget:
                raise OutOfMemory(device=device, reason=self._why(device, need, budget, name))
        if self._bytes_on(device) < held:
            _give_back()

    def _why(self, device: str, need: int, budget: int, name: str) -> str:
        room = bytes_text(max(budget - self._bytes_on(device), 0))
        busy = ", ".join(slot.name for slot in self._slots.values() if slot.place == device and slot.users)
        reason = f"{name} needs {bytes_text(need)}, {room} can be used"
        return f"{reason} beside {busy}." if busy else f"{reason}."

    def _bytes_on(self, device: str) -> int:
        coming = sum(size for place, size in self._coming.values() if place == device)
        return coming + sum(slot.bytes for slot in self._slots.values() if slot.place == device)

    def _idle_on(self, device: str) -> list[_Slot]:
        idle = [slot for slot in self._slots.values() if slot.place == device and not slot.users]
        return sorted(idle, key=lambda slot: slot.used)

    def _evict(self, slot: _Slot) -> None:
        """Move to main memory if it works elsewhere and there is room, else drop."""
        if slot.place == HOST or not self._loader.movable(slot.loaded):
            self._drop(slot)
            return
        budget = self._budget(HOST, self._bytes_on(HOST))
        for older in self._idle_on(HOST):
            if self._bytes_on(HOST) + slot.bytes <= budget:
                break
            if (
                older.home != HOST
            ):  # a model that works on the processor is not worth less than one that waits
                self._drop(older)
        if self._bytes_on(HOST) + slot.bytes > budget:
            self._drop(slot)
            return
        self._loader.move(slot.loaded, HOST)
        slot.place = HOST

    def _drop(self, slot: _Slot) -> None:
        self._slots.pop(slot.key, None)
        if not slot.users:
            slot.loaded = None


def _key(handle: ModelHandle, device: str) -> Key:
    return (handle.kind, handle.path, handle.dtype, handle.quantization, device, handle.fingerprint)


def _give_back() -> None:
    """Return freed memory to the system and to the card's driver; cheap where torch was never imported."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None:
        for kind in ("cuda", "xpu", "mps"):
            module = getattr(torch, kind, None)
            if module is not None and getattr(module, "is_initialized", lambda: False)():
                module.empty_cache()
    memory.trim()
