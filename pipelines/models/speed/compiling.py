"""Compiled blocks: those that a network repeats are compiled once, in the first step that calls one.

It is waited for, since a step can't be half compiled: the first step takes up to a minute or two, and is said
to. What was compiled is kept with the model, so that the next run begins at once. LoRAs in dense weights need
no other code. Blocks that are fetched for each step are computed as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import torch

COMPILER: Final = "inductor"


def compile_refusal(network: torch.nn.Module) -> str:
    """Why a network can't be compiled block by block; empty if it can."""
    repeated = set(getattr(network, "_repeated_blocks", None) or ())
    if any(type(module).__name__ in repeated for module in network.modules()):
        return ""
    return "Its denoiser has no blocks that are known to repeat."


@contextmanager
def compiled(network: Any, memo: MutableMapping[str, Any]) -> Iterator[None]:
    """The repeated blocks of ``network`` are compiled ones while the block runs.

    Args:
        memo: keeps what was compiled, under the names of the blocks.
    """
    known: dict[str, Any] = memo.setdefault("compiled blocks", {})
    modules = dict(network.named_modules())
    if not known:
        network.compile_repeated_blocks(backend=COMPILER)
        known |= {name: call for name, module in modules.items() if (call := module._compiled_call_impl)}
    for name, call in known.items():
        modules[name]._compiled_call_impl = call
    try:
        yield
    finally:
        uncompile(network)


def uncompile(network: torch.nn.Module) -> None:
    """Let every module compute as it is written again."""
    for module in network.modules():
        if module._compiled_call_impl is not None:
            module._compiled_call_impl = None
