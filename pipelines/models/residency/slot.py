"""One model in memory, and what a loaded model knows of where its weights are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pipelines.graph.values import ModelHandle, Speed

if TYPE_CHECKING:
    from pipelines.models.loaded import Stage
    from pipelines.models.residency.part import Part

HOST: Final = "cpu"
Key = tuple[ModelHandle, str]
"""A model as it was asked for, and the device it works on."""


@dataclass(slots=True, eq=False)
class Slot:
    """One model in memory. ``home`` is the device it works on, ``place`` where its weights are now.

    A model with ``parts`` is brought and taken network by network; ``place`` is its home then.
    """

    key: Key
    name: str
    loaded: Any
    bytes: int
    home: str
    place: str
    users: int = 0
    used: int = 0
    idle_since: float = 0.0
    stale: bool = False
    changing: bool = False
    """Whether it is on its way from one set of LoRAs to another; nobody else takes it until then."""
    kept: int = 0
    """Bytes of main memory that hold its weights as they were without LoRAs."""
    parts: list[Part] = field(default_factory=list)
    speed: Speed = field(default_factory=Speed)
    """What is switched on for those that compute with it now."""
    workers: list[int] = field(default_factory=list)
    """Their threads."""
    switched: ExitStack = field(default_factory=ExitStack)
    """Switches it off again."""

    def bytes_on(self, device: str) -> int:
        """What it takes of a device's memory."""
        return self._own_bytes(device) + (self.kept if device == HOST else 0)

    def _own_bytes(self, device: str) -> int:
        if not self.parts:
            return self.bytes if self.place == device else 0
        if device == HOST:
            return sum(part.host_bytes for part in self.parts)
        return sum(part.held for part in self.parts) if device == self.home else 0


class Residence:
    """What those that compute with a model may ask of the manager: see :attr:`LoadedDiffusion.residence`."""

    def __init__(self, slot: Slot, offload: Callable[[Slot, Stage], bool]) -> None:
        self._slot, self._offload = slot, offload

    @property
    def moved(self) -> int:
        """Bytes of weights that were fetched to be computed with, and let go again, since it was loaded."""
        return sum(part.moved for part in self._slot.parts)

    @property
    def resident(self) -> int:
        """Bytes of its weights that stay on the device."""
        return sum(part.resident for part in self._slot.parts)

    @property
    def total(self) -> int:
        """Bytes of its weights, wherever they are."""
        return sum(part.bytes for part in self._slot.parts)

    def whole(self, stage: Stage) -> bool:
        """Whether all of a stage's networks are on the device."""
        return all(part.whole for part in self._slot.parts if part.stage == stage)

    def streams(self, stage: Stage) -> bool:
        """Whether some blocks of a stage's networks are fetched for each step."""
        return any(part.streaming for part in self._slot.parts if part.stage == stage)

    def offload(self, stage: Stage) -> bool:
        """Memory ran out in a stage: take weights off the device, first those it doesn't need.

        Returns:
            Whether there were any; False means that nothing more can be had this way.
        """
        return self._offload(self._slot, stage)
