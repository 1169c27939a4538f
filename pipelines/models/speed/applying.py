"""Everything that a handle's speed asks for, applied to a loaded model and taken back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from pipelines.errors import SettingIgnored
from pipelines.models.loaded import LoadedDiffusion
from pipelines.models.speed.attention import attending_by, attention_refusal
from pipelines.models.speed.caching import cache_refusal, caching
from pipelines.models.speed.choices import attention_reasons, compile_reason, runtime_reason
from pipelines.models.speed.compiling import compile_refusal, compiled
from pipelines.models.speed.runtime import TITLE, runtime_refusal, without_torch

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import Context
    from pipelines.graph.values import Speed


@contextmanager
def applied(loaded: Any, speed: Speed, context: Context) -> Iterator[None]:
    """``loaded`` works as ``speed`` says while the block runs, and is as before afterwards.

    What this computer or this model can't do is left out with a warning: the picture is the same, or exacter.
    """
    if not isinstance(loaded, LoadedDiffusion):
        yield
        return
    with ExitStack() as stack:
        for setting, reason in _apply(loaded, speed, context, stack):
            ignored = SettingIgnored(setting=setting, model=loaded.handle.id, reason=reason)
            context.warn(dataclasses.replace(ignored.info(), severity="warning"))
        yield


def _apply(
    loaded: LoadedDiffusion, speed: Speed, context: Context, stack: ExitStack
) -> Iterator[tuple[str, str]]:
    """Apply what can be; settings that can't, and why."""
    device = context.device
    network = _denoiser(loaded)
    if speed.tiling != "auto":
        loaded.tiling = speed.tiling
        stack.callback(setattr, loaded, "tiling", "auto")
    if network is None:
        return
    if speed.runtime != "torch":
        if reason := runtime_reason(device) or runtime_refusal(loaded):
            yield TITLE, reason
        else:
            loaded.runtime = speed.runtime
            stack.callback(setattr, loaded, "runtime", "torch")
            speed, ignored = without_torch(speed)
            yield from ((title, "OpenVINO computes the whole denoiser.") for title in ignored)
    if speed.attention != "auto":
        reason = attention_reasons(device).get(speed.attention, "It is not known here.")
        reason = reason or attention_refusal(network, speed.attention)
        if reason:
            yield f"Attention by {speed.attention}", reason
        else:
            stack.enter_context(attending_by(network, speed.attention))
    if speed.cache != "none":
        if reason := cache_refusal(loaded.pipeline, network):
            yield "The step cache", reason
        else:
            stack.enter_context(caching(network, speed))
    fetched = ""
    if loaded.residence is not None and not loaded.residence.whole("main"):
        fetched = "It doesn't fit the device as a whole, and blocks are fetched for each step."
    if speed.channels_last:
        if reason := _layout_refusal(network) or fetched:
            yield "Channels last", reason
        else:
            stack.enter_context(_channels_last(network))
    if speed.compile:
        first = "compiled blocks" not in loaded.memo
        if reason := compile_reason(device) or compile_refusal(network) or fetched:
            yield "Compiling", reason
        else:
            stack.enter_context(compiled(network, loaded.memo))
            if first:
                context.progress(0, 1, phase="compiling")


def _denoiser(loaded: LoadedDiffusion) -> torch.nn.Module | None:
    for name in ("unet", "transformer"):
        if (network := getattr(loaded.pipeline, name, None)) is not None:
            found: torch.nn.Module = network
            return found
    return None


def _layout_refusal(network: torch.nn.Module) -> str:
    convolves = any(weight.ndim == 4 and weight.shape[-1] > 1 for weight in network.parameters())
    return "" if convolves else "Its denoiser is a transformer; only convolutions gain by it."


@contextmanager
def _channels_last(network: torch.nn.Module) -> Iterator[None]:
    """Weights of convolutions lie channel by channel, as fast kernels read them; the numbers are the same."""
    import torch

    def lay(form: torch.memory_format) -> None:
        with torch.inference_mode(False), torch.no_grad():
            for weight in network.parameters():
                if weight.ndim == 4:
                    weight.data = weight.data.contiguous(memory_format=form)

    lay(torch.channels_last)
    try:
        yield
    finally:
        lay(torch.contiguous_format)
