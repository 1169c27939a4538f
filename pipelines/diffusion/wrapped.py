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


def wrap_denoiser(pipeline: Any, wrap: Callable[[Any], WrappedDenoiser]) -> None:
    """Let a run's own copy of a pipeline ask what ``wrap`` makes of its denoiser."""
    name = "unet" if getattr(pipeline, "unet", None) is not None else "transformer"
    # Past the pipeline's own __setattr__, which is for components.
    vars(pipeline)[name] = wrap(getattr(pipeline, name))
