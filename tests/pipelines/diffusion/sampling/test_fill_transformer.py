"""Transformers made for filling, driven through diffusers' own pipeline: a tiny random Flux Fill."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.diffusion.samplers.scheduling import scheduler_config
from pipelines.diffusion.samplers.table import Sampler, availability
from pipelines.errors import Cancelled, ModelUnsuitable
from pipelines.graph.values import ListValue, Mask
from pipelines.inpaint.geometry import SizeLimits, plan_crop
from pipelines.nodes.diffusion import TextToImage
from pipelines.nodes.inpaint import ImageToImage, Inpaint, Outpaint
from tests.helpers.diffusion_context import DiffusionContext, wrap
from tests.helpers.disc import picture
from tests.helpers.tiny_pipelines import flux_fill

PROMPT = "a green frog"
EXACT = {"grow": 0, "feather": 0, "blend": 0}


@pytest.fixture(scope="module")
def model():
    pipeline = flux_fill()
    # The posterior without chance, as ours is: then the bare call's masked latents are the same.
    channels = pipeline.vae.config.latent_channels
    with torch.no_grad():
        pipeline.vae.quant_conv.weight[channels:] = 0
        pipeline.vae.quant_conv.bias[channels:] = -100
    return wrap(pipeline, native_size=(64, 64), size_multiple=16)


@pytest.fixture
def context(model, tmp_path):
    return DiffusionContext(model, tmp_path)


@pytest.fixture
def seen(model):
    """What the transformer saw at each step: B×tokens×channels."""
    found = []
    hook = model.pipeline.transformer.x_embedder.register_forward_pre_hook(
        lambda _, args: found.append(args[0].clone())
    )
    yield found
    hook.remove()


def square():
    values = np.zeros((64, 64), np.float32)
    values[16:48, 16:48] = 1
    return Mask(values)


def inputs(context, seed=3, **more):
    return {"model": context.loaded.handle, "image": picture(), "prompt": PROMPT, "seed": seed, **more}


def fill(context, mask=None, seed=3, **params):
    given = inputs(context, seed, mask=mask or square())
    return Inpaint().run(given, Inpaint.Params(**{"steps": 3, "guidance_scale": 30, **params}), context)


def changed(first, second):
    return (first.pixels != second.pixels).any(axis=2)


def test_it_is_the_picture_of_the_bare_library_call(context):
    pipeline = context.loaded.pipeline
    pipeline.set_progress_bar_config(disable=True)
    values = np.zeros((64, 64), np.float32)
    values[20:41, 9:50] = 1  # no edge of it is an edge of a latent pixel
    expected = pipeline(
        PROMPT, image=torch.tensor(picture().as_float().transpose(2, 0, 1)[None]),
        mask_image=torch.tensor(values)[None, None], width=64, height=64, num_inference_steps=3,
        guidance_scale=30.0, output_type="np",
        latents=pipeline._pack_latents(
            torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(3)), 1, 4, 8, 8
        ),
    ).images[0]  # fmt: skip
    drawn = fill(context, Mask(values), **EXACT)["image"].as_float()
    inside = values > 0
    assert np.abs(drawn - expected)[inside].max() < 0.01
    assert np.abs(drawn - picture().as_float())[inside].mean() > 0.05


def test_the_transformer_sees_the_mask_pixel_by_pixel_and_grey_under_it(context, seen):
    values = np.zeros((64, 64), np.float32)
    values[3:60, 5:41] = 0.6
    fill(context, Mask(values), batch=2, steps=1, **EXACT)
    (tokens,) = seen
    assert tokens.shape == (2, 16, 16 + 16 + 256)
    # Token (0, 0) covers 16×16 px: 2×2 latent pixels, each with its own 8×8 px of the mask.
    first = tokens[0, 0, 32:].reshape(8, 8, 2, 2).permute(2, 0, 3, 1).reshape(16, 16)
    assert np.array_equal(first.numpy(), values[:16, :16] > 0)
    hidden = picture().as_float().copy()
    hidden[values > 0] = 0.5
    vae = context.loaded.pipeline.vae
    with torch.inference_mode():
        latents = vae.encode(torch.tensor(hidden.transpose(2, 0, 1)[None]) * 2 - 1).latent_dist.mode()
    latents = (latents - vae.config.shift_factor) * vae.config.scaling_factor
    packed = context.loaded.pipeline._pack_latents(latents, 1, 4, 8, 8)
    assert torch.allclose(tokens[:, :, 16:32], packed.expand(2, -1, -1), atol=1e-5)


def test_what_is_not_masked_keeps_its_pixels_and_the_file_says_what_drew(context):
    drawn = fill(context)["image"]
    plan = plan_crop(square(), 1.0, SizeLimits((64, 64), 64, 64 * 64, 16))
    outside = plan.composite.values == 0
    assert outside.sum() > 300
    assert not changed(drawn, picture())[outside].any()
    assert changed(drawn, picture())[square().values > 0].mean() > 0.9
    assert drawn.info["inpaint"]["pipeline"] == "FluxFillPipeline"
    assert drawn.info["guidance_scale"] == 30


def test_a_batch_is_drawn_and_each_picture_has_its_own_seed(context):
    batch = fill(context, batch=2)
    assert isinstance(batch["image"], ListValue)
    assert list(batch["seed"]) == [3, 4]
    alone = fill(context, seed=4)["image"]
    assert np.abs(alone.pixels.astype(int) - batch["image"][1].pixels).max() <= 2
    assert np.array_equal(fill(context, seed=4)["image"].pixels, alone.pixels)
    assert not np.array_equal(batch["image"][0].pixels, batch["image"][1].pixels)


def test_steps_are_reported_with_previews_and_less_strength_runs_fewer(context):
    drawn = fill(context, steps=4, strength=0.5)
    assert [(report.step, report.total) for report in context.denoising] == [(1, 2), (2, 2)]
    assert all(report.preview.pixels.shape == (8, 8, 3) for report in context.denoising)
    assert drawn["image"].info["steps_run"] == "2 of 4"


def test_every_sampler_of_the_family_fills(context):
    config = scheduler_config(context.loaded.pipeline)
    for sampler in set(Sampler) - set(availability(config)):
        for strength in (0.5, 1):
            drawn = fill(context, sampler=sampler, strength=strength, **EXACT)
            assert drawn["latent"].tensor().isfinite().all(), sampler


def test_cancel_takes_effect_inside_a_step_and_leaves_nothing_behind(context):
    network = context.loaded.pipeline.transformer
    reached = []
    start = network.register_forward_pre_hook(lambda *_: context.cancel.cancel())
    end = network.proj_out.register_forward_hook(lambda *_: reached.append(1))
    try:
        with pytest.raises(Cancelled):
            fill(context, steps=40)
    finally:
        start.remove()
        end.remove()
    assert not reached
    assert not any(module._forward_pre_hooks for module in network.modules())
    assert "prepare_mask_latents" not in vars(context.loaded.pipeline)


def test_it_outpaints_and_draws_a_whole_picture_anew(context, seen):
    params = Outpaint.Params(left=16, steps=1, **EXACT)
    larger = Outpaint().run(inputs(context), params, context)["image"]
    assert (larger.width, larger.height) == (80, 64)
    assert np.array_equal(larger.pixels[:, 16:], picture().pixels)
    seen.clear()
    ImageToImage().run(inputs(context), ImageToImage.Params(steps=1), context)
    assert (seen[0][..., 32:] == 1).all()


def test_it_draws_nothing_from_a_prompt_alone(context):
    with pytest.raises(ModelUnsuitable, match="repainting"):
        TextToImage().run(inputs(context), TextToImage.Params(width=64, height=64), context)
