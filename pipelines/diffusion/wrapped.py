"""Standing between a pipeline and its denoiser for one run: the shared model is never changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class WrappedDenoiser:
    """Passes for the denoiser ``inner``: what isn't defined here is answered by that."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._inner(*args, **kwargs)


def unwrapped(denoiser: Any) -> Any:
    """The network itself, below whatever stands before it."""
    while isinstance(denoiser, WrappedDenoiser):
        denoiser = vars(denoiser)["_inner"]
    return denoiser


def position(scheduler: Any, timestep: Any) -> float:
    """The part of a run's steps, 0..1, that is done before the one at ``timestep``.

    Pipelines of flow models divide the time by 1000 before they hand it on.
    """
    times = [float(time) for time in scheduler.timesteps]
    time = float(timestep.flatten()[0] if hasattr(timestep, "flatten") else timestep)
    nearest = min(range(len(times)), key=lambda index: abs(times[index] - time), default=0)
    if times and abs(times[nearest] - time) > abs(times[nearest] - 1000 * time):
        nearest = min(range(len(times)), key=lambda index: abs(times[index] - 1000 * time))
    return nearest / len(times) if times else 0.0


def wrap_denoiser(pipeline: Any, wrap: Callable[[Any], WrappedDenoiser]) -> None:
    """Let a run's own copy of a pipeline ask what ``wrap`` makes of its denoiser."""
    name = "unet" if getattr(pipeline, "unet", None) is not None else "transformer"
    # Past the pipeline's own __setattr__, which is for components.
    vars(pipeline)[name] = wrap(getattr(pipeline, name))
