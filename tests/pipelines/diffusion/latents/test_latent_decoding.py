"""Decoding with faults injected: numbers that overflow, memory that runs out."""

from __future__ import annotations

import pytest
import torch

from pipelines.diffusion.latents.decoding import decode
from pipelines.diffusion.latents.shape import from_vae, to_vae
from pipelines.errors import Cancelled, DecodeFailed, OutOfMemory
from tests.helpers import tiny_pipelines
from tests.helpers.diffusion_context import DiffusionContext, wrap


class FaultyDecoder:
    """Stands in front of a VAE's ``decode``: ``faults`` are answers to its first calls."""

    def __init__(self, vae, faults, monkeypatch):
        self.seen = []
        original = vae.decode

        def decode(latents, return_dict=True):
            self.seen.append((vae.dtype, vae.use_tiling))
            fault = faults.pop(0) if faults else None
            if isinstance(fault, Exception):
                raise fault
            decoded = original(latents, return_dict=return_dict)[0]
            return (decoded * float("nan"),) if fault == "nan" else (decoded,)

        monkeypatch.setattr(vae, "decode", decode)


@pytest.fixture
def context(tmp_path):
    return DiffusionContext(wrap(tiny_pipelines.sd1()), tmp_path)


@pytest.fixture
def half(tmp_path):
    pipeline = tiny_pipelines.sd1()
    pipeline.vae.to(torch.bfloat16)
    return DiffusionContext(wrap(pipeline, torch.bfloat16), tmp_path)


def latents(count=1):
    return torch.randn(count, 4, 4, 6, generator=torch.Generator().manual_seed(0))


def test_pictures_are_those_of_the_vae(context):
    (pixels,) = decode(context.loaded, latents(), context)
    with torch.inference_mode():
        expected = context.loaded.pipeline.vae.decode(latents() / 0.18215).sample
    expected = (expected[0].permute(1, 2, 0) / 2 + 0.5).clamp(0, 1) * 255
    assert pixels.shape == (32, 48, 3)
    assert (torch.from_numpy(pixels.copy()).float() - expected).abs().max() <= 0.51


def test_a_decoder_that_overflows_is_tried_again_in_full_precision(half, monkeypatch):
    before = {name: value.clone() for name, value in half.loaded.pipeline.vae.state_dict().items()}
    faulty = FaultyDecoder(half.loaded.pipeline.vae, ["nan"], monkeypatch)
    (pixels,) = decode(half.loaded, latents(), half)
    assert pixels.std() > 0
    assert [dtype for dtype, _ in faulty.seen] == [torch.bfloat16, torch.float32]
    after = half.loaded.pipeline.vae.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_a_decoder_that_overflows_in_full_precision_too_fails_with_the_reason(half, monkeypatch):
    FaultyDecoder(half.loaded.pipeline.vae, ["nan", "nan"], monkeypatch)
    with pytest.raises(DecodeFailed, match="bfloat16"):
        decode(half.loaded, latents(), half)
    assert half.loaded.pipeline.vae.dtype == torch.bfloat16


def test_a_full_precision_decoder_is_not_asked_twice(context, monkeypatch):
    faulty = FaultyDecoder(context.loaded.pipeline.vae, ["nan"], monkeypatch)
    with pytest.raises(DecodeFailed):
        decode(context.loaded, latents(), context)
    assert len(faulty.seen) == 1


def test_latents_that_are_no_numbers_never_become_a_black_picture(context):
    with pytest.raises(DecodeFailed):
        decode(context.loaded, latents() * float("nan"), context)


def test_memory_that_runs_out_is_answered_by_tiles(context, monkeypatch):
    vae = context.loaded.pipeline.vae
    faulty = FaultyDecoder(vae, [torch.OutOfMemoryError("no"), torch.OutOfMemoryError("no")], monkeypatch)
    (pixels,) = decode(context.loaded, latents(), context)
    assert pixels.shape == (32, 48, 3)
    assert [tiled for _, tiled in faulty.seen] == [False, False, True]
    assert not vae.use_tiling


def test_the_processors_own_way_to_run_out_is_known(context, monkeypatch):
    error = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 1 TB")
    faulty = FaultyDecoder(context.loaded.pipeline.vae, [error], monkeypatch)
    decode(context.loaded, latents(), context)
    assert len(faulty.seen) == 2


def test_memory_that_runs_out_on_every_rung_is_a_clear_message(context, monkeypatch):
    FaultyDecoder(context.loaded.pipeline.vae, [torch.OutOfMemoryError("no")] * 4, monkeypatch)
    with pytest.raises(OutOfMemory, match="tiles"):
        decode(context.loaded, latents(), context)
    assert not context.loaded.pipeline.vae.use_tiling


def test_other_errors_are_not_mistaken_for_memory(context, monkeypatch):
    FaultyDecoder(context.loaded.pipeline.vae, [RuntimeError("shapes differ")], monkeypatch)
    with pytest.raises(RuntimeError, match="shapes differ"):
        decode(context.loaded, latents(), context)


def test_cancel_is_polled_between_pictures(context, monkeypatch):
    vae = context.loaded.pipeline.vae
    original = vae.decode
    monkeypatch.setattr(vae, "decode", lambda *a, **k: (context.cancel.cancel(), original(*a, **k))[1])
    with pytest.raises(Cancelled):
        decode(context.loaded, latents(3), context)


@pytest.mark.parametrize(
    "config", [{}, {"shift_factor": 0.1}, {"latents_mean": [1.0] * 4, "latents_std": [2.0] * 4}]
)
def test_the_vaes_own_scaling_goes_both_ways(config):
    vae = tiny_pipelines.vae(**config)
    ours = latents()
    torch.testing.assert_close(from_vae(vae, to_vae(vae, ours)), ours)
    if "shift_factor" in config:
        torch.testing.assert_close(to_vae(vae, ours), ours / 0.18215 + 0.1)
    if "latents_mean" in config:
        torch.testing.assert_close(to_vae(vae, ours), ours * 2 / 0.18215 + 1)
