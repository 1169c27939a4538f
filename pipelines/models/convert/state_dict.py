"""Which tensors of what was saved are the model, and under which names.

Training programs wrap a model's weights (``state_dict``, ``params_ema``…) and keep the optimizer's state, a
moving average and settings beside them. The names are kept as they are below the wrapper: loaders know a
model by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.models.convert.faults import Refused, TooLarge
from pipelines.models.convert.tensors import Tensor
from pipelines.models.files.header import MAX_TENSORS

MAX_DEPTH: Final = 8
MAX_ITEMS: Final = 1_000_000
"""Values that are looked at: a value may be in many places at once."""
MAX_NAME: Final = 1_024

WRAPPERS: Final = (
    "model_state_dict", "state_dict", "params_ema", "params-ema", "params", "model", "net", "generator",
)  # fmt: skip
"""Names under which programs keep the weights, the preferred first: of a model and its moving average
(``params_ema``), the average is what the model's author gives out."""

_EMBEDDING: Final = "string_to_param"
_AVERAGE: Final = "model_ema."
_DENOISER: Final = "model.diffusion_model."


@dataclass(frozen=True, slots=True)
class StateDict:
    """The tensors to write, by name; ``flags`` are true-or-false values among them, by which some loaders
    tell variants apart. ``dropped`` names what was left out."""

    tensors: Mapping[str, Tensor]
    flags: Mapping[str, bool]
    dropped: tuple[str, ...] = ()


def select(root: Any) -> StateDict:
    """The weights in what was saved.

    Raises:
        Refused: there is no state dict in it.
        TooLarge: there is too much in it.
    """
    if isinstance(root, Tensor):
        raise Refused("a single tensor instead of a model")
    if not isinstance(root, dict):
        raise Refused("something else than a dict of tensors")
    chosen, dropped = _unwrapped(root)
    tensors: dict[str, Tensor] = {}
    flags: dict[str, bool] = {}
    for name, value in _items(chosen):
        if name in tensors or name == "__metadata__":
            raise Refused(f"a tensor called {name[:80]!r} that can't keep its name")
        if isinstance(value, Tensor):
            tensors[name] = value
        elif isinstance(value, bool) and "." not in name:
            flags[name] = value
        else:
            dropped.append(name)
    if any(name.startswith(_DENOISER) for name in tensors):
        averages = [name for name in tensors if name.startswith(_AVERAGE)]
        for name in averages:
            del tensors[name]
        dropped += [_AVERAGE[:-1]] if averages else []
    if not tensors:
        raise Refused("no tensors by name")
    if len(tensors) > MAX_TENSORS:
        raise TooLarge(f"it holds {len(tensors):,} tensors")
    return StateDict(tensors, flags, _shortened(dropped))


def _unwrapped(root: dict[Any, Any]) -> tuple[dict[Any, Any], list[str]]:
    """The innermost dict that is the model, and what stood beside it on the way."""
    dropped: list[str] = []
    for _ in range(MAX_DEPTH):
        embedding = root.get(_EMBEDDING)
        if isinstance(embedding, dict) and len(embedding) == 1:  # a textual inversion as A1111 keeps it
            dropped += [str(key) for key in root if key != _EMBEDDING]
            return {"emb_params": next(iter(embedding.values()))}, dropped
        inner = next((key for key in WRAPPERS if _holds_tensors(root.get(key))), None)
        if inner is None and len(root) == 1 and _holds_tensors(next(iter(root.values()))):
            inner = next(iter(root))
        if inner is None:
            return root, dropped
        dropped += [str(key)[:MAX_NAME] for key in root if key != inner]
        root = root[inner]
    raise TooLarge("its parts lie too deep in one another")


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(item, Tensor | dict) for item in value.values())


def _items(root: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Everything below a dict that isn't a dict, with names joined by dots."""
    pending: list[tuple[str, dict[Any, Any], int]] = [("", root, 0)]
    count = 0
    while pending:
        prefix, current, depth = pending.pop()
        for key, value in current.items():
            count += 1
            if count > MAX_ITEMS or depth > MAX_DEPTH:
                raise TooLarge("it holds too many values, or too deep in one another")
            name = f"{prefix}{key}"
            if len(name) > MAX_NAME:
                raise TooLarge("a name in it is too long")
            if isinstance(value, dict):
                pending.append((f"{name}.", value, depth + 1))
            elif isinstance(key, str):
                yield name, value
            else:
                raise Refused(f"a {type(key).__name__} as the name of a value")


def _shortened(names: list[str]) -> tuple[str, ...]:
    """Distinct names without a part of the ones before the first dot, at most twenty."""
    return tuple(dict.fromkeys(name.split(".")[0][:60] for name in names))[:20]
