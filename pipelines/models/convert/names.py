"""The names that a plain state dict asks for, and what is made where PyTorch would call them.

Only these are known. Each stands for a function of ours that makes a record, or for nothing that could be
called (kinds of storages, types of numbers); the thing that PyTorch has under the name is never reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pipelines.models.convert.faults import Refused
from pipelines.models.convert.tensors import DTYPES, STORAGES, Tensor, is_count, view


class Name:
    """A name that a pickle asks for and that may be had; never the thing itself."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def fill(target: dict[Any, Any], items: Iterable[tuple[Any, Any]]) -> None:
    """Put pairs into a dict; keys are text, numbers or nothing."""
    for key, value in items:
        # Hashing a tuple of tuples that holds itself over and over may take for ever.
        if not isinstance(key, str | int | float | None):
            raise Refused(f"a dict with a {type(key).__name__} as its key")
        target[key] = value


def _ordered(items: Any = ()) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    if not isinstance(items, list | tuple) or not all(_is_pair(item) for item in items):
        raise Refused("an OrderedDict of something else than pairs")
    fill(made, items)
    return made


def _is_pair(item: object) -> bool:
    return isinstance(item, list | tuple) and len(item) == 2


def _tensor(
    storage: Any,
    offset: Any,
    shape: Any,
    strides: Any,
    grad: Any = False,
    hooks: Any = None,
    more: Any = None,
) -> Tensor:
    if more:
        raise Refused("a tensor that is kept conjugated or negated")
    return view(storage, offset, shape, strides)


def _tensor_of(
    storage: Any, offset: Any, shape: Any, strides: Any, grad: Any, hooks: Any, dtype: Any, more: Any = None
) -> Tensor:
    kind = dtype.text.removeprefix("torch.") if isinstance(dtype, Name) else ""
    if kind not in DTYPES or more:
        raise Refused(f"a tensor of the type {kind or '?'}")
    return view(storage, offset, shape, strides, DTYPES[kind])


def _parameter(data: Any, grad: Any = False, hooks: Any = None) -> Any:
    return data


def _size(sides: Any = ()) -> tuple[int, ...]:
    if not isinstance(sides, list | tuple) or not all(is_count(side) for side in sides):
        raise Refused("a torch.Size of something else than numbers")
    return tuple(sides)


def _device(kind: Any, index: Any = 0) -> str:
    if not isinstance(kind, str):
        raise Refused("a torch.device without a name")
    return kind


NAMES: Final[Mapping[str, Callable[..., Any] | None]] = {
    "collections.OrderedDict": _ordered,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.Size": _size,
    "torch.device": _device,
    **{f"torch.{name}": None for name in (*STORAGES, *DTYPES)},
    **{f"torch.cuda.{name}": None for name in STORAGES},
    "torch.storage.UntypedStorage": None,
}
"""Every name that may be asked for, and what is done where PyTorch would call it: a function of ours."""
