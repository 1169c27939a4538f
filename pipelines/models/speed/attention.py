"""Another way to compute attention, for the networks of one model while a run uses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipelines.models.speed.choices import BACKENDS

if TYPE_CHECKING:
    import torch

_CONVOLVING: str = "xformers"
"""The one that U-Nets can use: their own code knows it, the others it doesn't."""


def attention_refusal(network: torch.nn.Module, backend: str) -> str:
    """Why a network can't compute attention in a way that its computer has; empty if it can."""
    if _processors(network):
        return ""
    if hasattr(network, "set_attn_processor"):
        known = backend in (_CONVOLVING, "native")
        return "" if known else "U-Nets compute attention by PyTorch or xFormers."
    return "Its kind of network has only one way to compute attention."


@contextmanager
def attending_by(network: torch.nn.Module, backend: str) -> Iterator[None]:
    """``network`` computes attention by a backend while the block runs.

    diffusers' own switch sets it for every model of the process as well; here it is set where that looks
    first, in the network's processors, which are put back as they were.
    """
    if _processors(network):
        from diffusers.models.attention_dispatch import AttentionBackendName

        chosen, before = AttentionBackendName(BACKENDS[backend]), _processors(network)
        for processor, _ in before:
            processor._attention_backend = chosen
        try:
            yield
        finally:
            for processor, old in before:
                processor._attention_backend = old
        return
    unet: Any = network
    if backend == "native":
        yield
        return
    processors = dict(unet.attn_processors)
    unet.enable_xformers_memory_efficient_attention()
    try:
        yield
    finally:
        unet.set_attn_processor(processors)


def _processors(network: torch.nn.Module) -> list[tuple[Any, Any]]:
    """The processors that may have a backend of their own, with the one each has; shared ones once."""
    found: Iterator[Any] = (getattr(module, "processor", None) for module in network.modules())
    known = {id(each): each for each in found if hasattr(each, "_attention_backend")}
    return [(each, each._attention_backend) for each in known.values()]
