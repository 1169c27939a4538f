"""Drawing only what a mask shows: the starter for the real thing, tiny models for every family."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from pipelines.diffusion.latents.encode_image import encode_image
from pipelines.diffusion.latents.shape import layout
from pipelines.diffusion.samplers.levels import Level
from pipelines.diffusion.samplers.scheduling import scheduler_config
from pipelines.diffusion.samplers.table import Sampler, availability
from pipelines.diffusion.sampling.differential import Blending, Keeper
from pipelines.diffusion.sizes.passes import DRAWING_DETAIL
from pipelines.errors import Cancelled, MaskEmpty, ModelUnsuitable
from pipelines.graph.values import Image, ListValue, Mask
from pipelines.inpaint.fill import Fill
from pipelines.inpaint.geometry import SizeLimits, plan_crop
from pipelines.metadata import read_metadata, write_image
from pipelines.nodes.diffusion import TextToImage
from pipelines.nodes.inpaint import ImageToImage, Inpaint
from tests.helpers.diffusion_context import DiffusionContext, wrap
from tests.helpers.disc import picture
from tests.helpers.tiny_pipelines import sd1 as tiny_sd1
from tests.helpers.tiny_pipelines import sdxl as tiny_sdxl
from tests.helpers.tiny_pipelines import unet

PROMPT = "a green frog on a blue background, flat style"
SMALL = {"steps": 4, "guidance_scale": 4.0, "guidance_rescale": 0.7}
EXACT = {"grow": 0, "feather": 0, "blend": 0}
"""The mask as it is painted."""


def square(width=64, height=64, value=1.0):
    """A mask with a square in its middle."""
    values = np.zeros((height, width), np.float32)
    values[height // 4 : height - height // 4, width // 4 : width - width // 4] = value
    return Mask(values)


def repaint(context, image=None, mask=None, prompt=PROMPT, seed=3, **params):
    inputs = {
        "model": context.loaded.handle, "image": image or picture(), "mask": mask or square(),
        "prompt": prompt, "seed": seed,
    }  # fmt: skip
    return Inpaint().run(inputs, Inpaint.Params(**{**SMALL, **params}), context)


def changed(first, second):
    """H×W: where any channel differs."""
    return (first.pixels != second.pixels).any(axis=2)


# --- what changes and what doesn't --------------------------------------------------------------------------


@pytest.mark.parametrize("blending", list(Blending))
@pytest.mark.parametrize("fill", list(Fill))
def test_what_is_not_masked_keeps_its_pixels_and_what_is_changes(starter, blending, fill):
    image, mask = picture(), square()
    drawn = repaint(starter, image, mask, blending=blending, fill=fill, steps=8)["image"]
    plan = plan_crop(mask, 1.0, SizeLimits((64, 64), 64, 64 * 64))
    outside = plan.composite.values == 0
    assert plan.box == (0, 0, 64, 64)
    assert outside.sum() > 500
    assert not changed(drawn, image)[outside].any()
    assert changed(drawn, image)[mask.values > 0].mean() > 0.9
    middle = drawn.pixels[28:36, 28:36].astype(float).mean((0, 1))
    assert middle[1] > middle[0] + 30  # green, as the prompt says, where it was red


def test_pixels_outside_the_reach_of_a_small_mask_in_a_large_picture(starter):
    image = picture(400, 300)
    values = np.zeros((300, 400), np.float32)
    values[40:60, 300:330] = 1
    drawn = repaint(starter, image, Mask(values))["image"]
    rows, columns = np.nonzero(changed(drawn, image))
    reach = 60
    assert len(rows)
    assert rows.min() >= 40 - reach
    assert rows.max() < 60 + reach
    assert columns.min() >= 300 - reach
    crop = drawn.info["inpaint"]["crop"]
    assert crop[0] >= 0
    assert crop[0] + crop[2] <= 400
    assert crop[2] < 400


def test_a_region_larger_than_the_model_is_drawn_again_at_its_own_size(starter):
    image, mask = picture(200, 200), square(200, 200)
    once = repaint(starter, image, mask, sizes="exact")["image"]
    phases = {report.phase for report in starter.reports}
    assert DRAWING_DETAIL not in phases
    twice = repaint(starter, image, mask, detail=0.5)["image"]
    assert DRAWING_DETAIL in {report.phase for report in starter.reports}
    assert "detail" not in once.info["inpaint"]
    assert twice.info["inpaint"]["detail"] == 0.5
    assert changed(once, twice)[mask.values > 0].mean() > 0.5
    composite = np.zeros((200, 200), bool)
    plan = plan_crop(mask, 1.0, SizeLimits((64, 64), 64, 64 * 64))
    composite[plan.box.slices] = plan.composite.values > 0
    assert not changed(twice, image)[~composite].any()
    gentle = repaint(starter, image, mask, strength=0.2, detail=0.5)["image"]
    assert gentle.info["inpaint"]["detail"] == 0.2  # never more than the strength that was asked for


@pytest.mark.parametrize("name", ["sd1", "sdxl", "sd3", "flux"])
def test_every_family_inpaints(name, families, tmp_path):
    loaded = wrap(families[name].pipeline, name=name, native_size=(64, 64))
    context = DiffusionContext(loaded, tmp_path)
    drawn = repaint(context, guidance_rescale=0, **EXACT)
    assert changed(drawn["image"], picture())[square().values > 0].mean() > 0.5
    assert not changed(drawn["image"], picture())[square().values == 0].any()
    kept(context, drawn["latent"])


@pytest.mark.parametrize("sampler", list(Sampler))
def test_every_sampler_keeps_the_latents_that_are_not_masked(starter, sampler):
    if sampler in availability(scheduler_config(starter.loaded.pipeline)):
        return
    for blending in Blending:
        for strength in (0.5, 1):
            params = {"sampler": sampler, "blending": blending, "strength": strength, **EXACT}
            drawn = repaint(starter, **params)
            kept(starter, drawn["latent"])
            assert np.array_equal(drawn["image"].pixels, repaint(starter, **params)["image"].pixels)


def kept(context, latent):
    """The latents outside the mask are the picture's own, to the rounding of the model's precision."""
    original = encode_image(context.loaded, picture(), context).tensor()
    factor = layout(context.loaded).factor
    outside = square().values.reshape(64 // factor, factor, 64 // factor, factor).max((1, 3)) == 0
    outside = torch.from_numpy(outside)
    found = latent.tensor()
    assert torch.allclose(found[..., outside], original[..., outside], atol=1e-5)
    assert not torch.allclose(found[..., ~outside], original[..., ~outside], atol=1e-2)


# --- soft masks ---------------------------------------------------------------------------------------------


def test_a_pixel_may_change_from_the_step_that_its_mask_says():
    mask = torch.tensor([[[[0.0, 0.25, 0.5, 0.75, 1.0]]]])
    original, noise = torch.zeros(1, 1, 1, 5), torch.ones(1, 1, 1, 5)
    keeper = Keeper(original, mask, noise, Blending.DIFFERENTIAL)
    drawn = torch.full((1, 1, 1, 5), 7.0)
    seen = [keeper.blend(drawn, done, 4, Level(1, 0.1 * done)).flatten().tolist() for done in range(5)]
    assert [[value == 7 for value in row] for row in seen] == [
        [False, False, False, False, True],
        [False, False, False, True, True],
        [False, False, True, True, True],
        [False, True, True, True, True],
        [False, True, True, True, True],
    ]
    assert seen[2][0] == pytest.approx(0.2)  # the original, with the noise of that step


def test_plain_blending_mixes_by_the_mask_and_ignores_what_is_infinite_elsewhere():
    mask = torch.tensor([[[[0.0, 0.5, 1.0]]]])
    keeper = Keeper(torch.zeros(1, 1, 1, 3), mask, torch.zeros(1, 1, 1, 3), Blending.LATENT)
    drawn = torch.tensor([[[[float("inf"), 8.0, 8.0]]]])
    assert keeper.blend(drawn, 1, 4, Level(1, 0)).flatten().tolist() == [0, 4, 8]


def test_a_gradient_changes_the_picture_gradually(starter):
    image = Image(np.full((64, 64, 3), 128, np.uint8))
    values = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    drawn = repaint(starter, image, Mask(values), steps=16, **EXACT)["image"]
    change = np.abs(drawn.pixels.astype(float) - 128).mean((0, 2)).reshape(4, 16).mean(1)
    assert change[0] < change[1] < change[3]
    assert change[3] > 30
    full = repaint(starter, image, Mask(np.ones((64, 64), np.float32)), steps=16, **EXACT)["image"]
    assert np.abs(full.pixels.astype(float) - 128).mean((0, 2))[:16].mean() > 3 * change[0]


# --- candidates, any size -----------------------------------------------------------------------------------


def test_candidates_are_a_batch_and_each_has_its_seed(starter):
    batch = repaint(starter, batch=3)
    assert isinstance(batch["image"], ListValue)
    assert list(batch["seed"]) == [3, 4, 5]
    alone = repaint(starter, seed=5)["image"]
    assert np.abs(alone.pixels.astype(int) - batch["image"][2].pixels).max() <= 2
    assert not np.array_equal(batch["image"][0].pixels, batch["image"][1].pixels)


def test_a_missing_seed_is_drawn_and_told(starter):
    first = repaint(starter, seed=None, fill="noise", strength=0.6)
    again = repaint(starter, seed=first["seed"], fill="noise", strength=0.6)
    assert np.array_equal(first["image"].pixels, again["image"].pixels)


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (90, 61)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_of_any_size_and_kind(starter, size, channels):
    image = picture(*size, channels)
    mask = square(*size)
    drawn = repaint(starter, image, mask, steps=1)["image"]
    assert drawn.pixels.shape == image.pixels.shape
    assert drawn.pixels.dtype == np.uint8


def test_fine_pictures_stay_fine(starter):
    image = picture(dtype=np.float32)
    drawn = repaint(starter, image, **EXACT)["image"]
    assert drawn.pixels.dtype == np.float32
    assert np.array_equal(drawn.pixels[:16], image.pixels[:16])


def test_a_mask_of_another_size_is_fitted(starter):
    drawn = repaint(starter, picture(), square(32, 32), **EXACT)["image"]
    expected = square().values > 0
    assert changed(drawn, picture())[expected].mean() > 0.9
    assert not changed(drawn, picture())[:14].any()


def test_colours_can_be_matched_at_the_seam(starter):
    plain, matched = (repaint(starter, match_colours=match)["image"] for match in (False, True))
    assert not np.array_equal(plain.pixels, matched.pixels)
    outside = plan_crop(square(), 1.0, SizeLimits((64, 64), 64, 64 * 64)).composite.values == 0
    assert not changed(matched, picture())[outside].any()


# --- models made for inpainting -----------------------------------------------------------------------------


@pytest.fixture(params=["sd1", "sdxl"])
def nine(request, tmp_path):
    """A tiny model whose U-Net sees a mask and a masked picture, and what it saw."""
    pipeline = {"sd1": tiny_sd1, "sdxl": tiny_sdxl}[request.param]()
    config = {**pipeline.unet.config, "in_channels": 9}
    pipeline.register_modules(unet=unet(**{k: v for k, v in config.items() if not k.startswith("_")}))
    context = DiffusionContext(wrap(pipeline, native_size=(64, 64)), tmp_path)
    seen = []
    pipeline.unet.conv_in.register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
    return context, seen


def test_a_model_made_for_inpainting_sees_the_mask_and_what_is_round_it(nine):
    context, seen = nine
    drawn = repaint(context, guidance_rescale=0, batch=2, **EXACT)
    assert [image.pixels.shape for image in drawn["image"]] == [(64, 64, 3)] * 2
    mask = torch.tensor(square().values[4::8, 4::8])
    hidden = picture().pixels / np.float32(255)
    hidden[square().values > 0] = 0.5
    masked = encode_image(context.loaded, Image(hidden.astype(np.float32)), context).tensor()
    assert len(seen) == 4
    for sample in seen:
        assert sample.shape == (4, 9, 8, 8)  # two pictures, with guidance
        assert torch.equal(sample[:, 4], mask.expand(4, -1, -1))
        assert torch.allclose(sample[:, 5:], masked.expand(4, -1, -1, -1), atol=1e-5)
    assert not context.loaded.pipeline.unet._forward_pre_hooks
    outside = square().values == 0
    assert not changed(drawn["image"][0], picture())[outside].any()


def test_a_model_made_for_inpainting_draws_all_of_a_picture_and_none_from_a_prompt_alone(nine):
    context, seen = nine
    inputs = {"model": context.loaded.handle, "image": picture(), "prompt": PROMPT, "seed": 1}
    ImageToImage().run(inputs, ImageToImage.Params(steps=2), context)
    assert all((sample[:, 4] == 1).all() for sample in seen)
    with pytest.raises(ModelUnsuitable, match="repainting"):
        TextToImage().run(inputs, TextToImage.Params(width=64, height=64), context)


# --- faults, and what is remembered -------------------------------------------------------------------------


def test_an_empty_mask_is_refused_before_anything_is_computed(starter):
    with pytest.raises(MaskEmpty):
        repaint(starter, mask=square(value=0.0))
    assert not starter.reports


def test_cancel_takes_effect_inside_a_step(starter):
    network = starter.loaded.pipeline.unet
    reached = []
    start = network.register_forward_pre_hook(lambda *_: starter.cancel.cancel())
    end = network.conv_out.register_forward_hook(lambda *_: reached.append(1))
    try:
        with pytest.raises(Cancelled):
            repaint(starter, steps=40)
    finally:
        start.remove()
        end.remove()
    assert not reached
    assert not network._forward_pre_hooks


@pytest.mark.parametrize(
    "wrong", [{"strength": 2}, {"fill": "magic"}, {"grow": -2}, {"padding": -1}, {"blending": "none"}]
)
def test_params_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Inpaint.Params(**wrong)


def test_a_picture_remembers_its_mask_its_crop_and_every_control(starter):
    info = repaint(starter, strength=0.5, fill="border", padding=8, feather=6, steps=20)["image"].info
    assert info["steps_run"] == "10 of 20"
    story = info["inpaint"]
    assert story["crop"] == [0, 0, 64, 64]
    assert len(story["mask_hash"]) == 64
    assert (story["strength"], story["fill"], story["padding"], story["feather"]) == (0.5, "border", 8, 6)
    assert (story["blending"], story["match_colours"]) == ("differential", False)
    assert {"grow", "blend", "context"} <= set(story)
    other = repaint(starter, mask=square(value=0.9), steps=1)["image"].info["inpaint"]
    assert other["mask_hash"] != story["mask_hash"]


def test_the_file_says_that_it_is_a_composite(starter, tmp_path):
    image = Image(picture().pixels, {"prompt": "a disc", "model": "another", "upscaler": "none of it"})
    drawn = repaint(starter, image, steps=1)["image"]
    assert "upscaler" not in drawn.info
    path = write_image(drawn, tmp_path / "a.png", provenance={"graph": {"nodes": {}}})
    found = read_metadata(path)
    assert found.source_type.endswith("/compositeWithTrainedAlgorithmicMedia")
    assert found.info["inpaint"]["crop"] == [0, 0, 64, 64]
    with Pillow.open(io.BytesIO(path.read_bytes())) as file:
        assert "Denoising strength: 1" in file.text["parameters"]
