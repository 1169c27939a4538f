"""How large a tile may be: what a pixel costs in this model, against the memory that is free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pipelines.models import device as devices

if TYPE_CHECKING:
    from pipelines.models.loaded import LoadedUpscale

MIN_TILE: Final = 32
"""Smaller tiles are nearly all overlap."""
_LARGEST: Final = {"cpu": 256}
"""Larger tiles gain nothing on a processor, and a cancel waits for the end of a tile."""
_LARGEST_ON_GPU: Final = 1024
_SHARE: Final = 0.5
"""Of the free memory: the rest is for other programs and for what the estimate misses."""
_LIVE_TENSORS: Final = 4
"""Activations as large as the largest that live at once: input, output, a skip, workspace."""
_PROBE: Final = 32


def bytes_per_pixel(loaded: LoadedUpscale) -> float:
    """Bytes of working memory per input pixel, measured while a tiny picture runs through."""
    import torch

    largest = 0

    def look(_module: Any, _inputs: Any, output: Any) -> None:
        nonlocal largest
        if isinstance(output, torch.Tensor):
            largest = max(largest, output.numel() * output.element_size())

    descriptor = loaded.descriptor
    hooks = [module.register_forward_hook(look) for module in descriptor.model.modules()]
    try:
        shape = (1, descriptor.input_channels, _PROBE, _PROBE)
        with torch.inference_mode():
            descriptor(torch.full(shape, 0.5, device=loaded.device, dtype=loaded.dtype))
    finally:
        for hook in hooks:
            hook.remove()
    return max(largest * _LIVE_TENSORS / _PROBE**2, 1.0)


def choose_tile(loaded: LoadedUpscale, height: int, width: int) -> int:
    """Side of the tiles in input pixels for ``height`` × ``width``: a multiple of 8 that fits."""
    import torch

    longest = max(height, width)
    largest = _LARGEST.get(loaded.device.type, _LARGEST_ON_GPU)
    if longest <= MIN_TILE:
        return longest
    free = devices.memory(str(loaded.device), torch).free
    side = int((free * _SHARE / bytes_per_pixel(loaded)) ** 0.5) if free else largest
    return max(MIN_TILE, min(side, largest) // 8 * 8)
