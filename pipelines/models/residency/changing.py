"""Models that differ by nothing but LoRAs, embeddings and the VAE: one of them in memory is changed into the
next, so that its files aren't read again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pipelines.models.residency.slot import HOST, Key, Slot

if TYPE_CHECKING:
    from pipelines.graph.node import Context
    from pipelines.graph.values import ModelHandle
    from pipelines.models.loading import Loader
    from pipelines.models.residency.room import Room

_NOTHING: Final[tuple[()]] = ()


def bare(handle: ModelHandle) -> ModelHandle:
    """The model itself, without what was added to it."""
    return handle.replace(loras=_NOTHING, embeddings=_NOTHING)


def _but_vae(handle: ModelHandle) -> ModelHandle:
    """The same with whatever VAE: it is small, and opened by itself."""
    return handle.replace(parts=tuple(part for part in handle.parts if part.name != "vae"))


class Changing:
    """Takes models that nobody uses, and changes them."""

    def __init__(self, room: Room, loader: Loader) -> None:
        self._room, self._loader = room, loader

    def claim(self, key: Key) -> Slot | None:
        """An idle model that can become the one of ``key``, under its name and in use from here on; None if
        there is none. The lock is held.

        One without additions is taken first, then the one that was not used for the longest time.
        """
        handle, device = key
        wanted = _but_vae(bare(handle))
        slots = [
            slot
            for slot in self._room.slots.values()
            if slot.home == device and not slot.users and not slot.stale
            and _but_vae(bare(slot.key[0])) == wanted
            and (self._loader.changeable(slot.loaded) or _but_vae(slot.key[0]) == _but_vae(handle))
        ]  # fmt: skip
        if not slots:
            return None
        slot = min(slots, key=lambda slot: (slot.key[0] != bare(handle), slot.used))
        self._renamed(slot, key)
        slot.users += 1
        slot.changing = True
        return slot

    def change(self, slot: Slot, context: Context, divide: Callable[[Slot], None]) -> None:
        """Change a claimed model to what its key says: where it is, if that is enough; else in main memory,
        and give it its parts with ``divide``.

        Raises:
            DiptychError: whatever the loader raises; the model is kept, without any additions.
        """
        handle, device = slot.key
        if self._loader.adjust(slot.loaded, handle):
            with self._room.changed:
                slot.changing = False
            return
        for part in slot.parts:
            part.leave()
            part.close()
        slot.parts = []
        try:
            self._loader.change(slot.loaded, handle, context, self._may_take)
        except BaseException:
            with self._room.changed:
                slot.users -= 1
                left = bare(handle).replace(parts=slot.loaded.handle.parts)
                if self._loader.changeable(slot.loaded) and (left, device) not in self._room.slots:
                    self._renamed(slot, (left, device))
                    self._settled(slot, divide)
                else:
                    self._room.drop(slot)
            raise
        with self._room.changed:
            self._settled(slot, divide)

    def _settled(self, slot: Slot, divide: Callable[[Slot], None]) -> None:
        slot.bytes = self._loader.size(slot.loaded)
        slot.kept = self._loader.kept(slot.loaded)
        slot.changing = False
        divide(slot)

    def _may_take(self, more: int) -> bool:
        """Whether main memory has room for what is to be kept of a model as it was."""
        with self._room.changed:
            held = self._room.bytes_on(HOST)
            return held + more <= self._room.budget(HOST, held)

    def _renamed(self, slot: Slot, key: Key) -> None:
        self._room.slots.pop(slot.key, None)
        slot.key = key
        self._room.slots[key] = slot
