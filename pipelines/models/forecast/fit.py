"""How the figures of :mod:`.activations` were found: networks without weights, run on the meta device.

Every tensor that is made is counted while it lives (:class:`pipelines.models.residency.meter.Meter`), at
three sizes; a line through the outer two is the fit, the middle one says how far off it is. Attention is
counted as the fused kernels of graphics cards do it: its answer, and no matrix of all pairs. What an
allocator adds by splitting and rounding isn't in it. :func:`operations` is torch's own count, by which
those of :mod:`.work` are checked.

``python -m pipelines.models.forecast.fit`` prints them anew; takes a minute.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import torch
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from pipelines.models.forecast.activations import Fit
from pipelines.models.forecast.work import Work
from pipelines.models.libraries import import_diffusers
from pipelines.models.residency.meter import Ledger, Meter
from pipelines.paths import RESOURCES

SIDES: Final = (512, 768, 1024)
TEXT: Final = 512
"""Tokens of a prompt, for transformers; U-Nets read 77."""


class _FusedAttention(TorchFunctionMode):
    """Scaled dot-product attention that makes its answer only."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Any other function as it is."""
        if func is torch.nn.functional.scaled_dot_product_attention:
            given = dict(zip(("query", "key", "value"), args, strict=False)) | (kwargs or {})
            query, value = given["query"], given["value"]
            return query.new_empty((*query.shape[:-1], value.shape[-1]))
        return func(*args, **(kwargs or {}))


def peak(run: Callable[[], Any]) -> int:
    """Most bytes that were in use at a time, weights and inputs not counted."""
    ledger = Ledger()
    with torch.inference_mode(), _FusedAttention(), Meter(ledger):
        run()
    return ledger.peak


def operations(run: Callable[[], Any]) -> int:
    """Multiplications and additions of a run."""
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        run()
    return int(counter.get_total_flops())


def fit(run: Callable[[int], Callable[[], Any]], width: int, units: Callable[[int], int]) -> Fit:
    """The line through pictures of :data:`SIDES`.

    Args:
        run: what to do for a picture of a side.
        width: channels of the network.
        units: what memory is counted by, of a picture of a side: its px, or its tokens.
    """
    peaks, counts = [peak(run(side)) for side in SIDES], [units(side) for side in SIDES]
    slope = (peaks[-1] - peaks[0]) / (counts[-1] - counts[0])
    rest = peaks[0] - slope * counts[0]
    error = abs(rest + slope * counts[1] - peaks[1]) / peaks[1]
    return Fit(slope / width, error, text=rest / slope / TEXT)


def _config(family: str, part: str) -> dict[str, Any]:
    return dict(json.loads((RESOURCES / "configs" / family / part / "config.json").read_text()))


def _meta(make: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    with torch.device("meta"):
        return make().to(torch.bfloat16).eval()


def _new(*shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.bfloat16, device="meta")


def unet(family: str) -> Fit:
    """A U-Net of our own configurations."""
    config = _config(family, "unet")
    network = _meta(lambda: import_diffusers().UNet2DConditionModel.from_config(config))
    added = {"text_embeds": _new(1, 1280), "time_ids": _new(1, 6)} if family == "sdxl" else None

    def run(side: int) -> Callable[[], Any]:
        latents = _new(1, config.get("in_channels", 4), side // 8, side // 8)
        text = _new(1, 77, config["cross_attention_dim"])
        return lambda: network(latents, _new(1), text, added_cond_kwargs=added)

    return fit(run, config["block_out_channels"][0], lambda side: side * side)


def decoder(family: str) -> Fit:
    """The decoder of a VAE of our own configurations."""
    config = _config(family, "vae")
    network: Any = _meta(lambda: import_diffusers().AutoencoderKL.from_config(config))

    def run(side: int) -> Callable[[], Any]:
        return lambda: network.decode(_new(1, config.get("latent_channels", 4), side // 8, side // 8))

    return fit(run, config["block_out_channels"][0], lambda side: side * side)


def flux() -> Fit:
    """Flux's transformer; how many layers it has makes no difference to its peak."""
    network = _meta(
        lambda: import_diffusers().FluxTransformer2DModel(
            num_layers=2, num_single_layers=2, guidance_embeds=True
        )
    )

    def run(side: int) -> Callable[[], Any]:
        count = (side // 16) ** 2
        inputs = {
            "hidden_states": _new(1, count, 64), "encoder_hidden_states": _new(1, TEXT, 4096),
            "pooled_projections": _new(1, 768), "timestep": _new(1), "guidance": _new(1),
            "img_ids": _new(count, 3), "txt_ids": _new(TEXT, 3),
        }  # fmt: skip
        return lambda: network(**inputs)

    return fit(run, 3072, lambda side: (side // 16) ** 2)


def sd3() -> Fit:
    """Stable Diffusion 3's transformer at the width of its medium size."""
    network = _meta(
        lambda: import_diffusers().SD3Transformer2DModel(
            num_layers=2, num_attention_heads=24, caption_projection_dim=1536, pos_embed_max_size=192,
            out_channels=16,
        )
    )  # fmt: skip

    def run(side: int) -> Callable[[], Any]:
        inputs = {
            "hidden_states": _new(1, 16, side // 8, side // 8), "encoder_hidden_states": _new(1, TEXT, 4096),
            "pooled_projections": _new(1, 2048), "timestep": _new(1),
        }  # fmt: skip
        return lambda: network(**inputs)

    return fit(run, 1536, lambda side: (side // 16) ** 2)


def fitted() -> Iterator[tuple[str, Fit]]:
    """All of them, by name."""
    for name in ("sd1", "sd2", "sdxl"):
        yield f"{name} U-Net", unet(name)
    yield "sdxl decoder", decoder("sdxl")
    yield "flux", flux()
    yield "sd3", sd3()


def counted() -> Iterator[tuple[str, int, Work]]:
    """Numbers and work of the denoisers of all families that draw pictures."""
    from pipelines.bench.forecast_families import ROWS, components

    for row in ROWS:
        part = next(part for part in components(row) if part.stage == "main")
        if row.frames == 1 and part.work is not None:
            yield f"{row.family} ({row.title})", part.elements, part.work


if __name__ == "__main__":
    for name, found in fitted():
        print(f"{name:12} {found.bytes:8.4f} bytes, text {found.text:.2f}, {found.error:.1%} off")
    for name, elements, work in counted():
        print(f"{name}: {elements:_}, {work}")
