"""Step caches: what changes little from one step to the next isn't computed again.

FirstBlockCache compares what a transformer's first block makes with the step before, and takes the rest from
there if little has changed (the idea of TeaCache, Liu et al. 2024, arXiv:2411.19108). Pyramid attention
broadcast takes whole attention layers from an earlier step (Zhao et al. 2024, arXiv:2408.12588); TaylorSeer
continues their values as a polynomial (Liu et al. 2025, arXiv:2503.06923). All are diffusers' own.

What else diffusers has isn't offered: FasterCache is for videos, and MagCache needs ratios that were measured
for the very model.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from pipelines.models.libraries import import_diffusers

if TYPE_CHECKING:
    import torch

    from pipelines.graph.values import Speed

WARM_UP: Final = 3
"""Steps that TaylorSeer computes before it begins to foretell."""

_ONE_CALL: Final = frozenset({"FluxFillPipeline", "Flux2Pipeline"})
"""Pipelines that call their denoiser once a step and tell a cache nothing of it."""


def cache_refusal(pipeline: Any, denoiser: Any) -> str:
    """Why the steps of a pipeline can't be cached; empty if they can.

    A cache has to be told which of a step's passes it sees (with the prompt, or with what to keep out).
    """
    if not hasattr(denoiser, "enable_cache"):
        return "Its denoiser has no step cache."
    if type(pipeline).__name__ in _ONE_CALL or _tells(pipeline):
        return ""
    return "Its pipeline doesn't tell a cache which of a step's passes it sees."


def _tells(pipeline: Any) -> bool:
    try:
        return "cache_context" in inspect.getsource(type(pipeline).__call__)
    except (OSError, TypeError):
        return False


@contextmanager
def caching(denoiser: Any, speed: Speed) -> Iterator[None]:
    """``denoiser`` caches as ``speed`` says while the block runs; its hooks are gone afterwards."""
    with ExitStack() as stack:
        denoiser.enable_cache(_config(denoiser, speed, stack))
        try:
            yield
        finally:
            if denoiser.is_cache_enabled:
                denoiser.disable_cache()


def _config(denoiser: Any, speed: Speed, stack: ExitStack) -> Any:
    diffusers = import_diffusers()
    if speed.cache == "first_block":
        return diffusers.FirstBlockCacheConfig(threshold=speed.cache_threshold)
    if speed.cache == "taylor":
        return diffusers.TaylorSeerCacheConfig(
            cache_interval=speed.cache_every, disable_cache_before_step=WARM_UP
        )
    clock = _Clock(denoiser)
    stack.callback(clock.close)
    return diffusers.PyramidAttentionBroadcastConfig(
        spatial_attention_block_skip_range=speed.cache_every, current_timestep_callback=clock.now
    )


class _Clock:
    """The time of the step that a denoiser computes, 1000..0."""

    def __init__(self, denoiser: torch.nn.Module) -> None:
        self._time = 0.0
        self._hook = denoiser.register_forward_pre_hook(self._see, with_kwargs=True)
        self.close = self._hook.remove

    def _see(self, module: torch.nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        time = kwargs.get("timestep")
        if time is not None:
            value = float(time.flatten()[0])
            self._time = value * 1000 if value <= 1 else value  # flow models are told a share

    def now(self) -> int:
        return int(self._time)


@contextmanager
def fresh_cache(pipeline: Any, denoiser: Any, *, whole: bool) -> Iterator[None]:
    """A drawing begins: a cache has nothing in it from another one, of another size or a failed one.

    Args:
        whole: every step has to be computed in full, since what is cached would be taken for something else
            (regions are drawn by passes of their own, control networks add to what blocks make).
    """
    config = getattr(denoiser, "_cache_config", None)
    if config is None:
        yield
        return
    denoiser._reset_stateful_cache()
    if whole:
        denoiser.disable_cache()
        try:
            yield
        finally:
            denoiser.enable_cache(config)
        return
    with ExitStack() as stack:
        if not _tells(pipeline):
            stack.enter_context(denoiser.cache_context("cond"))
        yield
