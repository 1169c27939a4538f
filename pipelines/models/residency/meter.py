"""Bytes in use, counted tensor by tensor as they are made and dropped; torch itself counts only on cards."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Ledger:
    """Storages in use and their bytes. A storage counts until the last tensor on it is gone."""

    def __init__(self, limit: int | None = None) -> None:
        self.used = 0
        self.peak = 0
        self.limit = limit
        self._known: dict[int, tuple[weakref.ref[Any], int]] = {}
        self._lock = threading.RLock()

    def knows(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor's storage is counted here."""
        return id(tensor.untyped_storage()) in self._known

    def add(self, tensor: torch.Tensor) -> None:
        """Count a tensor's storage, once.

        Raises:
            torch.OutOfMemoryError: with it more than the limit would be in use.
        """
        storage = tensor.untyped_storage()
        key, size = id(storage), storage.nbytes()
        with self._lock:
            if key in self._known or size == 0:
                return
            if self.limit is not None and self.used + size > self.limit:
                raise torch.OutOfMemoryError(
                    f"Tried to allocate {size} bytes; {self.used} of {self.limit} are in use."
                )
            self._known[key] = (weakref.ref(storage, lambda _: self._remove(key)), size)
            self.used += size
            self.peak = max(self.peak, self.used)

    def _remove(self, key: int) -> None:
        with self._lock:
            found = self._known.pop(key, None)
            if found is not None:
                self.used -= found[1]


class Meter(TorchDispatchMode):
    """Counts in a ledger what is computed while it is active; works on the meta device too.

    Args:
        check: is shown the tensors that each operation reads, before it runs.
    """

    def __init__(
        self, ledger: Ledger, check: Callable[[Iterable[torch.Tensor]], None] = lambda _: None
    ) -> None:
        super().__init__()
        self._ledger, self._check = ledger, check

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation, and count what it made."""
        kwargs = kwargs or {}
        if not func.is_view:  # a view reads nothing
            self._check(_tensors((args, kwargs)))
        result = func(*args, **kwargs)
        read = {id(tensor.untyped_storage()) for tensor in _tensors((args, kwargs))}
        for tensor in _tensors(result):
            if id(tensor.untyped_storage()) not in read:  # neither a view nor done in place
                self._ledger.add(tensor)
        return result


def _tensors(values: Any) -> list[torch.Tensor]:
    found, pending = [], [values]
    while pending:
        value = pending.pop()
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, tuple | list):
            pending += value
    return found
