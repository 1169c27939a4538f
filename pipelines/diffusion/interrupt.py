"""Cancel inside a step: on a processor a step of a large model can last half a minute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.graph.node import CancelToken


@contextmanager
def cancellable(denoiser: Any, cancel: CancelToken) -> Iterator[None]:
    """Poll ``cancel`` before every block of the denoiser (a ``torch.nn.Module``, or None) in this block.

    The hooks are taken away again, whatever happens: the model is shared with the runs that follow.
    """
    import torch

    def poll(*_: object) -> None:
        cancel.check()

    blocks: list[torch.nn.Module] = []
    for child in denoiser.children() if isinstance(denoiser, torch.nn.Module) else ():
        blocks += list(child) if isinstance(child, torch.nn.ModuleList) else [child]
    hooks = [block.register_forward_pre_hook(poll) for block in blocks]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
