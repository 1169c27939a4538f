"""The manager of everything that holds weights.

What fits stays. When room is needed, the model that was used longest ago moves to main memory, or goes; one
in use never goes, but on a card its networks make room for each other: text encoders leave when the prompt
is encoded, and a denoiser that doesn't fit keeps as many blocks there as it can and streams the rest. Safe
to use from several threads: a model is read once, whoever asks for it in the meantime waits.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import OutOfMemory
from pipelines.files import bytes_text
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models import memory
from pipelines.models.loading import Loader
from pipelines.models.residency.slot import HOST, Key, Residence, Slot

if TYPE_CHECKING:
    from pipelines.models.loaded import Stage
    from pipelines.models.residency.part import Part

Budget = Callable[[str, int], int]
"""(device, bytes our models hold there) -> bytes they may hold in all."""

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
        self._budget = budget
        self._idle_seconds, self._now = idle_seconds, clock
        self._slots: dict[Key, Slot] = {}
        self._coming: dict[Key, tuple[str, int]] = {}
        self._clock = 0
        self._changed = threading.Condition()
        self._timer: threading.Timer | None = None

    @contextmanager
    def use(self, handle: ModelHandle, context: Context) -> Iterator[Any]:
        """The loaded model on ``context.device``, kept in memory while the block runs.

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
                slot.idle_since = self._now()
                if slot.stale and not slot.users:
                    self._drop(slot)
                self._watch()

    def held(self) -> tuple[Held, ...]:
        """The models in memory, the one used last at the end."""
        with self._changed:
            slots = sorted(self._slots.values(), key=lambda slot: slot.used)
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
        with self._changed:
            idle = [slot for slot in self._slots.values() if not slot.users and slot.idle_since <= until]
            for slot in idle:
                self._drop(slot)
            self._watch()
        total = sum(slot.bytes for slot in idle)
        idle.clear()
        _give_back()
        return total

    def _watch(self) -> None:
        """Look again when the next model will have been idle for long; with the lock held."""
        idle = [slot.idle_since for slot in self._slots.values() if not slot.users]
        if self._timer is not None and self._timer.is_alive():
            return
        if idle and self._idle_seconds < threading.TIMEOUT_MAX:
            seconds = max(min(idle) + self._idle_seconds - self._now(), 1.0)
            self._timer = threading.Timer(seconds, _look, (weakref.ref(self),))
            self._timer.name, self._timer.daemon = "diptych-idle-models", True
            self._timer.start()

    def _look(self) -> None:
        with self._changed:
            self._timer = None
        self.release_idle()

    # --- in and out -----------------------------------------------------------------------------------------

    def _acquire(self, handle: ModelHandle, context: Context) -> Slot:
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

    def _taken(self, slot: Slot) -> Slot:
        self._clock += 1
        slot.used = self._clock
        slot.users += 1
        if slot.parts:
            try:
                self._settle(slot)
            except BaseException:
                slot.users -= 1
                raise
        return slot

    def _bring(self, key: Key, handle: ModelHandle, context: Context) -> Slot:
        """Load the model, or move it back from main memory; only one thread does this for a key."""
        device = context.device
        by_parts = self._loader.accelerator(device) is not None
        with self._changed:
            slot = self._slots.get(key)
            if slot is not None:
                slot.users += 1  # so that making room doesn't drop it
                need = slot.bytes
        if slot is None:
            self._retire_older(key)
            need = self._loader.estimate(handle, device)
        place = HOST if slot is None and by_parts else device
        try:
            with self._changed:
                self._make_room(place, need, handle.id, strict=not by_parts)
                self._coming[key] = (place, need)
            if slot is None:
                slot = self._new(key, handle, self._load(handle, context), device)
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

    def _new(self, key: Key, handle: ModelHandle, loaded: Any, device: str) -> Slot:
        slot = Slot(key, handle.id, loaded, self._loader.size(loaded), device, device, users=1)
        accelerator = self._loader.accelerator(device)
        if accelerator is not None:
            from pipelines.models.residency.part import Part

            slot.parts = [
                Part(network, accelerator, lambda part: self._enter(slot, part))
                for network in self._loader.networks(loaded)
            ]
            loaded.residence = Residence(slot, self._offload)
        return slot

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

    # --- networks on a card ---------------------------------------------------------------------------------

    def _settle(self, slot: Slot) -> None:
        """A run begins: put on the device what fits there as a whole; the lock is held.

        Text encoders come when a prompt is to be encoded, since most often it was encoded before.
        """
        wanted = [part for part in slot.parts if part.stage != "encode" and not part.whole]
        for part in slot.parts:
            part.ceiling = sys.maxsize
            part.planned = False
        need = sum(part.bytes - part.held for part in wanted)
        budget = self._budget(slot.home, self._bytes_on(slot.home))
        self._evict_until(slot.home, need, budget)
        if self._bytes_on(slot.home) + need <= budget:
            for part in wanted:
                self._placed(slot, part, part.bytes)

    def _enter(self, slot: Slot, part: Part) -> None:
        """A network is about to be used: bring it, or what fits of it.

        Raises:
            OutOfMemory: not even its largest blocks fit.
        """
        with self._changed:
            self._clock += 1
            part.used = self._clock
            if part.stage != "encode":
                for other in slot.parts:
                    if other.stage == "encode" and other.held and not other.running:
                        other.leave()
            if part.settled:
                return
            device = slot.home
            budget = self._budget(device, self._bytes_on(device))
            self._evict_until(device, part.bytes - part.held, budget)
            self._yield(slot, part, part.bytes, budget)
            self._yield(slot, part, part.minimum, budget)
            room = budget - self._bytes_on(device) + part.held
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
            _give_back()
            if room <= part.minimum:
                raise OutOfMemory(device=slot.home, reason=f"{name} needs more than is free.")
            room = part.ceiling = max(min(room, part.bytes) // 2, part.minimum)
        raise OutOfMemory(device=slot.home, reason=self._why(slot.home, part.minimum, room, name, slot))

    def _yield(self, slot: Slot, part: Part, wanted: int, budget: int) -> None:
        """Let other networks in use make room, until ``part`` may hold ``wanted`` bytes.

        What computes in the same step gives way to a smaller one only: a denoiser streams beside its control
        network, not the other way round. At the least a part needs, anything else makes room.
        """
        others = [
            (owner is not slot, _STAGES.index(other.stage), other)
            for owner in self._slots.values()
            if owner.home == slot.home
            for other in owner.parts
            if other is not part and other.held and not other.running
        ]
        for _, _, other in sorted(others, key=lambda item: item[:2]):
            short = wanted - part.held - (budget - self._bytes_on(slot.home))
            if short <= 0:
                return
            same = other.stage == part.stage
            if not same or other.bytes > part.bytes or wanted <= part.minimum:
                other.give(short)

    def _offload(self, slot: Slot, stage: Stage) -> bool:
        """See :meth:`pipelines.models.residency.slot.Residence.offload`."""
        with self._changed:
            before = self._bytes_on(slot.home)
            for idle in self._idle_on(slot.home):
                self._evict(idle, slot.home)
            for part in slot.parts:
                if part.stage != stage and not part.running:
                    part.leave()
            if self._bytes_on(slot.home) == before:
                for part in slot.parts:
                    if part.stage == stage and part.held > part.minimum:
                        part.ceiling = max(part.held // 2, part.minimum)
                        part.fit(part.ceiling)
            freed = self._bytes_on(slot.home) < before
        if freed:
            _give_back()
        return freed

    # --- room; all of it with the lock held -----------------------------------------------------------------

    def _make_room(self, device: str, need: int, name: str, *, strict: bool = True) -> None:
        """Evict what is idle until ``need`` bytes are free; where that isn't enough, fail if ``strict``."""
        held = self._bytes_on(device)
        budget = self._budget(device, held)
        self._evict_until(device, need, budget)
        if self._bytes_on(device) + need > budget and strict:
            raise OutOfMemory(device=device, reason=self._why(device, need, budget, name))

    def _evict_until(self, device: str, need: int, budget: int) -> None:
        held = self._bytes_on(device)
        for victim in self._idle_on(device):
            if self._bytes_on(device) + need <= budget:
                break
            self._evict(victim, device)
        if self._bytes_on(device) < held:
            _give_back()

    def _why(self, device: str, need: int, budget: int, name: str, but: Slot | None = None) -> str:
        taken = self._bytes_on(device) if but is None else 0
        room = bytes_text(max(budget - taken, 0))
        busy = ", ".join(
            slot.name
            for slot in self._slots.values()
            if slot.place == device and slot.users and slot is not but
        )
        reason = f"{name} needs {bytes_text(need)}, {room} can be used"
        return f"{reason} beside {busy}." if busy else f"{reason}."

    def _bytes_on(self, device: str) -> int:
        coming = sum(size for place, size in self._coming.values() if place == device)
        return coming + sum(slot.bytes_on(device) for slot in self._slots.values())

    def _idle_on(self, device: str) -> list[Slot]:
        idle = [slot for slot in self._slots.values() if not slot.users and slot.bytes_on(device)]
        return sorted(idle, key=lambda slot: slot.used)

    def _evict(self, slot: Slot, device: str) -> None:
        """Off ``device``: to main memory if it works elsewhere and there is room, else drop."""
        if device == HOST or not self._loader.movable(slot.loaded):
            self._drop(slot)
            return
        need = slot.bytes - slot.bytes_on(HOST) if slot.parts else slot.bytes
        budget = self._budget(HOST, self._bytes_on(HOST))
        for older in self._idle_on(HOST):
            if self._bytes_on(HOST) + need <= budget:
                break
            # A model that works on the processor is not worth less than one that waits.
            if older.home != HOST and older is not slot:
                self._drop(older)
        if self._bytes_on(HOST) + need > budget:
            self._drop(slot)
        elif slot.parts:
            for part in slot.parts:
                part.leave()
        else:
            self._loader.move(slot.loaded, HOST)
            slot.place = HOST

    def _drop(self, slot: Slot) -> None:
        self._slots.pop(slot.key, None)
        if not slot.users:
            for part in slot.parts:
                part.close()
            slot.parts = []
            slot.loaded = None


_STAGES: Final[tuple[Stage, ...]] = ("encode", "decode", "main")
"""In the order in which they make room for others."""


def _look(manager: weakref.ref[Residency]) -> None:
    """What the timer calls; it keeps no manager, and no models, alive."""
    found = manager()
    if found is not None:
        found._look()


def _key(handle: ModelHandle, device: str) -> Key:
    return (
        handle.kind, handle.path, handle.dtype, handle.quantization, device, handle.loras, handle.fingerprint,
    )  # fmt: skip


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
