"""Memory that runs out, injected where it does in life: each rung is taken in turn, told, and changes nothing
but the time it takes.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.diffusion.latents.decoding import decode_one
from pipelines.diffusion.prompts.encoding import encode
from pipelines.diffusion.sampling.sampling import SamplingOptions, sample
from pipelines.errors import OutOfMemory
from tests.helpers import tiny_pipelines
from tests.helpers.diffusion_context import DiffusionContext, load, wrap
from tests.helpers.fake_card import FakeCard, parts

OPTIONS = SamplingOptions(width=64, height=64, steps=2, guidance_scale=3.0)


@pytest.fixture(autouse=True)
def small_heap() -> Iterator[None]:
    """Collecting garbage takes long where the libraries are imported; what they hold is left out of it."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def card(tmp_path: Path) -> Iterator[DiffusionContext]:
    """A tiny model on a card with room for all of it."""
    bench = FakeCard(2**30, sd1=tiny_pipelines.sd1)
    with bench.use("sd1") as loaded:
        yield DiffusionContext(loaded, tmp_path)


@contextmanager
def failing(network: Any, name: str, times: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The first ``times`` calls of a network's method run out of memory."""
    original, calls = getattr(network, name), [0]

    def fails(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] <= times:
            raise torch.OutOfMemoryError("no memory")
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(network, name, fails)
        yield calls


def latents(context: DiffusionContext) -> torch.Tensor:
    context.kept.clear()  # or the prompt would not be encoded again
    positive = encode(context.loaded, "a red cube", 1, context)
    return sample(context.loaded, positive, None, [7], OPTIONS, context)[0]


def notes(context: DiffusionContext) -> list[str]:
    return [warning.arguments["done"] for warning in context.warnings if warning.code == "MemoryRanOut"]


@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_the_latents_are_bit_equal_on_each_rung_of_drawing(
    card: DiffusionContext, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = latents(card)
    unet, vae = (parts(card.loaded)[name] for name in ("unet", "vae"))
    with failing(card.loaded.pipeline.unet, "forward", times, monkeypatch):
        assert torch.equal(latents(card), expected)
    assert bool(vae.held) == (times == 1)
    assert unet.streaming == (times > 2)
    told = "The picture was drawn with more of the model in main memory."
    assert notes(card) == ([told] if times > 1 else [])
    streamed = unet.bytes - unet.resident if times > 2 else 0
    assert [report.moved for report in card.denoising[-2:]] == [streamed] * 2


def test_drawing_that_fits_on_no_rung_is_a_clear_message(
    card: DiffusionContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with failing(card.loaded.pipeline.unet, "forward", 99, monkeypatch) as calls, pytest.raises(OutOfMemory):
        latents(card)
    assert calls[0] < 12


@pytest.mark.parametrize("times", [1, 2])
def test_a_prompt_is_encoded_alike_on_each_rung(
    card: DiffusionContext, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = encode(card.loaded, "a red cube", 1, card).tensors()["prompt_embeds"]
    card.kept.clear()
    with failing(card.loaded.pipeline.text_encoder, "forward", times, monkeypatch):
        found = encode(card.loaded, "a red cube", 1, card).tensors()["prompt_embeds"]
    assert torch.equal(found, expected)
    assert bool(parts(card.loaded)["unet"].held) == (times == 1)
    assert len(notes(card)) == times - 1


def test_weights_that_the_device_has_no_memory_for_stream(
    card: DiffusionContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At loading: the copy to the device fails."""
    expected = latents(card)
    unet = parts(card.loaded)["unet"]
    unet.leave()
    device = unet._accelerator
    with failing(device, "copy_in", 1, monkeypatch):
        assert torch.equal(latents(card), expected)


@pytest.fixture(scope="module")
def starter_pipeline() -> Any:
    return load().pipeline


@pytest.mark.starter
@pytest.mark.parametrize(
    ("times", "done"),
    [(1, ""), (2, "was done in tiles."), (3, "with everything else off the device."), (4, "in small tiles.")],
)
def test_a_decode_stays_close_on_each_rung(
    tmp_path: Path, starter_pipeline: Any, times: int, done: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = FakeCard(2**30, starter=lambda: starter_pipeline)
    with bench.use("starter") as loaded:
        context = DiffusionContext(loaded, tmp_path)
        picture = smooth(256)
        with torch.inference_mode():
            latent = encoded(loaded, picture)
            expected = decode_one(loaded, latent)
            with failing(loaded.pipeline.vae, "_decode", times, monkeypatch):
                found = decode_one(loaded, latent, context)
        assert bool(parts(loaded)["unet"].held) == (times < 3)
    difference = (found.clamp(-1, 1) - expected.clamp(-1, 1)).pow(2).mean().item()
    assert difference == 0 if times == 1 else 10 * math.log10(4 / difference) >= 35
    assert [note.endswith(done) for note in notes(context)] == ([True] if done else [])
    assert not starter_pipeline.vae.use_tiling
    bench.manager.free()


def smooth(side: int) -> torch.Tensor:
    """1×3×side×side in -1..1: soft colours, and some detail, as pictures have."""
    colours = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(3))
    return torch.nn.functional.interpolate(colours, (side, side), mode="bicubic").clamp(0, 1) * 2 - 1


def encoded(loaded: Any, picture: torch.Tensor) -> torch.Tensor:
    from pipelines.diffusion.latents.shape import from_vae

    return from_vae(loaded.pipeline.vae, loaded.pipeline.vae.encode(picture).latent_dist.mode())


def test_tiles_are_smaller_than_the_picture_whatever_the_vae_would_take(tmp_path: Path) -> None:
    """diffusers' own tiles are as large as what the VAE was trained at: a picture of that size has one."""
    loaded = wrap(tiny_pipelines.sd1())
    sizes: list[tuple[int, ...]] = []
    decoder = loaded.pipeline.vae.decoder
    decoder.register_forward_pre_hook(lambda _, args: sizes.append(tuple(args[0].shape[-2:])))
    original: Callable[..., Any] = loaded.pipeline.vae._decode
    calls = []

    def fails(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) < 3:
            raise torch.OutOfMemoryError("no memory")
        return original(*args, **kwargs)

    vars(loaded.pipeline.vae)["_decode"] = fails
    before = loaded.pipeline.vae.tile_sample_min_size
    with torch.inference_mode():
        decode_one(loaded, torch.randn(1, 4, 32, 32), DiffusionContext(loaded, tmp_path))
    assert max(sizes) <= (16, 16)
    assert len(sizes) > 4
    assert loaded.pipeline.vae.tile_sample_min_size == before
