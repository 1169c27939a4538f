"""The manager of everything that holds weights.

What fits stays. When room is needed, the model that was used longest ago moves to main memory, or goes; one
in use never goes, but on a card its networks make room for each other: text encoders leave when the prompt
is encoded, and a denoiser that doesn't fit keeps as many blocks there as it can and streams the rest. Safe
to use from several threads: a model is read once, whoever asks for it in the meantime waits.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pipelines.errors import OutOfMemory
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.loading import Loader
from pipelines.models.residency.changing import Changing, bare
from pipelines.models.residency.placing import Placing
from pipelines.models.residency.room import Budget, Room, default_budget, give_back
from pipelines.models.residency.slot import HOST, Key, Residence, Slot
from pipelines.models.residency.speeding import PLAIN, Speeding

IDLE_SECONDS: Final = 600.0
"""A model nobody used for so long leaves."""


@dataclass(frozen=True, slots=True)
class Held:
    """One model in memory, for the status bar and for tests. ``on_device``: bytes of it at its place."""

    model: str
    place: str
    bytes: int
    in_use: bool
    on_device: int = 0


class Residency:
    """Keeps models of a loader in memory, within a budget for each device."""

    def __init__(
        self,
        loader: Loader,
        budget: Budget = default_budget,
        idle_seconds: float = IDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loader = loader
        self._room = Room(loader, budget)
        self._placing = Placing(self._room)
        self._speeding = Speeding(self._room)
        self._changing = Changing(self._room, loader)
        self._idle_seconds, self._now = idle_seconds, clock
        self._timer: threading.Timer | None = None

    @contextmanager
    def use(self, handle: ModelHandle, context: Context) -> Iterator[Any]:
        """The loaded model on ``context.device``, kept in memory while the block runs.

        Raises:
            Cancelled: while it was read, or while another thread was reading it.
            OutOfMemory: it doesn't fit beside the models in use.
            DiptychError: whatever the loader raises.
        """
        slot = self._acquire(handle.replace(speed=PLAIN), context)
        try:
            with self._speeding.at(slot, handle.speed, context):
                yield slot.loaded
        finally:
            with self._room.changed:
                slot.users -= 1
                slot.idle_since = self._now()
                if slot.stale and not slot.users:
                    self._room.drop(slot)
                self._watch()

    def held(self) -> tuple[Held, ...]:
        """The models in memory, the one used last at the end."""
        with self._room.changed:
            slots = sorted(self._room.slots.values(), key=lambda slot: slot.used)
            return tuple(
                Held(slot.name, slot.place, slot.bytes, slot.users > 0, slot.bytes_on(slot.place))
                for slot in slots
            )

    def free(self) -> int:
        """Drop every model that isn't in use; returns their bytes."""
        return self._drop_idle(self._now())

    def release_idle(self) -> int:
        """Drop the models that nobody has used for long; returns their bytes."""
        return self._drop_idle(self._now() - self._idle_seconds)

    def _drop_idle(self, until: float) -> int:
        with self._room.changed:
            idle = [slot for slot in self._room.slots.values() if not slot.users and slot.idle_since <= until]
            for slot in idle:
                self._room.drop(slot)
            self._watch()
        total = sum(slot.bytes for slot in idle)
        idle.clear()
        give_back()
        return total

    def _watch(self) -> None:
        """Look again when the next model will have been idle for long; with the lock held."""
        idle = [slot.idle_since for slot in self._room.slots.values() if not slot.users]
        if self._timer is not None and self._timer.is_alive():
            return
        if idle and self._idle_seconds < threading.TIMEOUT_MAX:
            seconds = max(min(idle) + self._idle_seconds - self._now(), 1.0)
            self._timer = threading.Timer(seconds, _look, (weakref.ref(self),))
            self._timer.name, self._timer.daemon = "diptych-idle-models", True
            self._timer.start()

    def _look(self) -> None:
        with self._room.changed:
            self._timer = None
        self.release_idle()

    # --- in and out -----------------------------------------------------------------------------------------

    def _acquire(self, handle: ModelHandle, context: Context, *, settle: bool = True) -> Slot:
        key = (handle, context.device)
        while True:
            with self._room.changed:
                slot = self._room.slots.get(key)
                if slot is not None and slot.place == slot.home and not slot.changing:
                    return self._taken(slot, settle)
                if key not in self._room.coming:
                    self._room.coming[key] = (context.device, 0)
                    break
                self._room.changed.wait(0.05)
            context.cancel.check()
        try:
            return self._changed(key, context) or self._bring(key, handle, context, settle)
        finally:
            with self._room.changed:
                del self._room.coming[key]
                self._room.changed.notify_all()

    def _taken(self, slot: Slot, settle: bool = True) -> Slot:
        slot.used = self._room.tick()
        slot.users += 1
        if slot.parts and settle:
            try:
                self._placing.settle(slot)
            except BaseException:
                slot.users -= 1
                raise
        return slot

    def _changed(self, key: Key, context: Context) -> Slot | None:
        """The model of a key made of one in memory that differs by LoRAs and embeddings alone; None if the
        key's own is there, or none can be changed.
        """
        handle, device = key
        base = bare(handle)
        with self._room.changed:
            if key in self._room.slots:
                return None
            slot = self._changing.claim(key)
        if slot is None and base != handle and self._loader.takes_additions(handle, device):
            first = self._acquire(base, context, settle=False)
            with self._room.changed:
                first.users -= 1
                slot = self._changing.claim(key)
        if slot is None:
            return None
        self._changing.change(slot, context, self._divide)
        with self._room.changed:
            slot.users -= 1
            return self._taken(slot)

    def _bring(self, key: Key, handle: ModelHandle, context: Context, settle: bool = True) -> Slot:
        """Load the model, or move it back from main memory; only one thread does this for a key."""
        device = context.device
        by_parts = self._loader.accelerator(device) is not None
        with self._room.changed:
            slot = self._room.slots.get(key)
            if slot is not None:
                slot.users += 1  # so that making room doesn't drop it
                need = slot.bytes
        if slot is None:
            self._retire_older(key)
            need = self._loader.estimate(handle, device)
        place = HOST if slot is None and by_parts else device
        try:
            with self._room.changed:
                self._room.make_room(place, need, handle.id, strict=not by_parts)
                self._room.coming[key] = (place, need)
            if slot is None:
                slot = self._new(key, handle, self._load(handle, context), device)
            else:
                self._loader.move(slot.loaded, device)
        except BaseException:
            if slot is not None:
                with self._room.changed:
                    slot.users -= 1
            raise
        with self._room.changed:
            self._room.coming[key] = (device, 0)  # it counts as a slot from here on
            self._room.slots[key] = slot
            slot.place = device
            slot.users -= 1
            return self._taken(slot, settle)

    def _new(self, key: Key, handle: ModelHandle, loaded: Any, device: str) -> Slot:
        slot = Slot(key, handle.id, loaded, self._loader.size(loaded), device, device, users=1)
        self._divide(slot)
        return slot

    def _divide(self, slot: Slot) -> None:
        """Give a model on a card its parts, all of them in main memory."""
        accelerator = self._loader.accelerator(slot.home)
        if accelerator is not None:
            from pipelines.models.residency.part import Part

            slot.parts = [
                Part(network, accelerator, lambda part: self._placing.enter(slot, part))
                for network in self._loader.networks(slot.loaded)
            ]
            slot.loaded.residence = Residence(slot, self._placing.offload)

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
        handle, device = key
        with self._room.changed:
            for slot in list(self._room.slots.values()):
                other = slot.key[0]
                older = other.fingerprint != handle.fingerprint
                same = bare(other.replace(fingerprint=handle.fingerprint)) == bare(handle)
                if slot.home == device and older and same:
                    slot.stale = True
                    if not slot.users:
                        self._room.drop(slot)


def _look(manager: weakref.ref[Residency]) -> None:
    """What the timer calls; it keeps no manager, and no models, alive."""
    found = manager()
    if found is not None:
        found._look()
