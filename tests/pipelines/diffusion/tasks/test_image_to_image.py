"""A picture and a prompt become pictures: the starter for the real thing, tiny models for every family."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import DPMSolverSinglestepScheduler, PNDMScheduler

from pipelines.diffusion.latents.encode_image import encode_image
from pipelines.diffusion.samplers.levels import LateStart, noised, steps_to_run
from pipelines.diffusion.samplers.scheduling import build, scheduler_config
from pipelines.diffusion.samplers.table import Sampler, Schedule, availability, schedule_availability
from pipelines.diffusion.tasks.text_to_image import decode_latent
from pipelines.errors import (
    Cancelled,
    EncodeFailed,
    ImageTooLarge,
    OutOfMemory,
    SamplerUnavailable,
    ShapeUnsuitable,
    SizeUnsuitable,
)
from pipelines.graph.values import Image, ListValue
from pipelines.nodes.diffusion import TextToImage
from pipelines.nodes.inpaint import EncodeImage, ImageToImage
from tests.helpers.diffusion_context import DiffusionContext, load, wrap
from tests.helpers.disc import picture
from tests.helpers.tiny_pipelines import SD_SCHEDULE
from tests.helpers.tiny_pipelines import sd1 as tiny_sd1

PROMPT = "a green frog on a blue background, flat style"
SMALL = {"steps": 5, "guidance_scale": 4.0, "guidance_rescale": 0.7}


def redraw(context, image=None, prompt=PROMPT, seed=3, **params):
    inputs = {"model": context.loaded.handle, "image": image or picture(), "prompt": prompt, "seed": seed}
    return ImageToImage().run(inputs, ImageToImage.Params(**{**SMALL, **params}), context)


def change(first, second):
    return float(np.abs(first.pixels.astype(float) - second.pixels).mean())


def same(first, second):
    return np.array_equal(first.pixels, second.pixels)


def test_a_strip_is_refused_before_anything_is_drawn(sd1):
    strip = Image(np.zeros((100_000, 1, 3), np.uint8))
    with pytest.raises(ShapeUnsuitable, match="1 × 100000 px"):
        redraw(sd1, strip)
    with pytest.raises(ShapeUnsuitable):
        redraw(sd1, strip, size="image")
    params = TextToImage.Params(**SMALL, width=8192, height=8)
    with pytest.raises(ShapeUnsuitable):
        TextToImage().run({"model": sd1.loaded.handle, "prompt": PROMPT, "seed": 1}, params, sd1)
    assert redraw(sd1, Image(np.zeros((1, 64, 3), np.uint8)))["image"].height == 1


# --- where a run begins -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "strength", "run"),
    [
        (20, 0.6, 12),
        (20, 0, 1),
        (20, 0.01, 1),
        (20, 1, 20),
        (1, 0.5, 1),
        (1, 0, 1),
        (7, 0.5, 4),
        (3, 0.99, 3),
    ],
)
def test_strength_says_how_many_steps_run(steps, strength, run):
    assert steps_to_run(steps, strength) == run


def schedulers(name, families, starter_model):
    """Every scheduler that can be built for a model."""
    own = {
        "pndm": PNDMScheduler(**SD_SCHEDULE, steps_offset=1),
        "singlestep": DPMSolverSinglestepScheduler(**SD_SCHEDULE),
    }
    pipeline = tiny_sd1(own[name]) if name in own else None
    pipeline = pipeline or (starter_model if name == "starter" else families[name]).pipeline
    config = scheduler_config(pipeline)
    for sampler in [Sampler.DEFAULT] if name in own else set(Sampler) - set(availability(config)):
        for schedule in set(Schedule) - set(schedule_availability(sampler, config)):
            yield sampler, schedule, build(sampler, schedule, pipeline, seeds=(1,))


@pytest.mark.parametrize("name", ["starter", "sd1", "sd3", "pndm", "singlestep"])
def test_a_run_begins_at_the_level_of_noise_that_the_library_adds(name, families, starter_model):
    latents, noise = torch.randn(2, 1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    count = 0
    for sampler, schedule, scheduler in schedulers(name, families, starter_model):
        late = LateStart(scheduler, 0.6, lambda: None)
        scheduler.set_timesteps(10)
        add = getattr(scheduler, "scale_noise", None)
        first = scheduler.timesteps[:1]
        expected = add(latents, first, noise) if add else scheduler.add_noise(latents, noise, first)
        ours = noised(latents, noise, late.level(0))
        assert (ours - expected).abs().max() <= 1e-4 * expected.abs().max(), (sampler, schedule)
        assert late.steps == 6
        assert late.level(len(scheduler.timesteps)) == (1, 0)
        assert [late.finished(j) for j in range(len(scheduler.timesteps))][-1] == 6
        count += 1
    assert count


def test_the_second_timestep_of_pndm_stays_the_one_that_is_visited_twice():
    scheduler = PNDMScheduler(**SD_SCHEDULE, skip_prk_steps=True)
    scheduler.set_timesteps(10)
    whole = scheduler.timesteps.tolist()
    late = LateStart(scheduler, 0.5, lambda: None)
    scheduler.set_timesteps(10)
    assert scheduler.timesteps.tolist() == [whole[6], whole[7], whole[7], *whole[8:]]
    assert [late.finished(j) for j in range(6)] == [None, 1, 2, 3, 4, 5]


# --- strength -----------------------------------------------------------------------------------------------


def test_more_strength_changes_more_and_none_hardly_anything(starter):
    image = picture()
    steps = [change(redraw(starter, image, strength=s, steps=10)["image"], image) for s in (0, 0.4, 0.7, 1)]
    assert steps == sorted(steps)
    assert steps[0] < 10
    assert steps[-1] > 3 * steps[0]


def test_full_strength_is_text_to_image_where_nothing_is_left_of_the_picture(starter):
    """The starter begins at pure noise (zero terminal SNR), so the two differ by rounding only."""
    ours = redraw(starter, strength=1.0)
    inputs = {"model": starter.loaded.handle, "prompt": PROMPT, "seed": 3}
    theirs = TextToImage().run(inputs, TextToImage.Params(width=64, height=64, **SMALL), starter)
    difference = (ours["latent"].tensor() - theirs["latent"].tensor()).abs().max()
    assert difference < 0.02


@pytest.mark.parametrize("name", ["sd1", "sdxl", "sd3", "flux"])
def test_every_family_draws_from_a_picture(name, families, tmp_path):
    context = DiffusionContext(families[name], tmp_path)
    plain = {"size": "image", "guidance_rescale": 0}
    drawn = redraw(context, strength=0.6, **plain)
    assert drawn["image"].pixels.shape == (64, 64, 3)
    assert drawn["image"].info["steps_run"] == "3 of 5"
    assert [(report.step, report.total) for report in context.denoising] == [(1, 3), (2, 3), (3, 3)]
    assert {report.asked for report in context.reports if report.phase == "denoising"} == {5}
    kept = redraw(context, strength=0, **plain)["latent"].tensor()
    original = encode_image(context.loaded, picture(), context).tensor()
    noise = redraw(context, strength=1, **plain)["latent"].tensor()
    assert (kept - original).abs().mean() < (noise - original).abs().mean()


@pytest.mark.parametrize("sampler", list(Sampler))
def test_every_sampler_draws_from_a_picture(starter, sampler):
    if sampler in availability(scheduler_config(starter.loaded.pipeline)):
        with pytest.raises(SamplerUnavailable):
            redraw(starter, sampler=sampler)
        return
    image = picture()
    drawn = redraw(starter, image, sampler=sampler, strength=0.5, steps=4)
    assert drawn["latent"].tensor().isfinite().all()
    assert 2 < change(drawn["image"], image) < 70
    assert same(drawn["image"], redraw(starter, image, sampler=sampler, strength=0.5, steps=4)["image"])
    assert change(redraw(starter, image, sampler=sampler, strength=0, steps=16)["image"], image) < 14


@pytest.mark.parametrize(
    "own", [PNDMScheduler(**SD_SCHEDULE, steps_offset=1), DPMSolverSinglestepScheduler(**SD_SCHEDULE)]
)
def test_a_models_own_scheduler_draws_from_a_picture(own, tmp_path):
    context = DiffusionContext(wrap(tiny_sd1(own)), tmp_path)
    for strength in (0, 0.4, 1):
        drawn = redraw(context, strength=strength, size="image", guidance_rescale=0)
        assert drawn["latent"].tensor().isfinite().all()


def test_parameters_reach_the_picture(starter):
    plain = redraw(starter, strength=0.7)["image"]
    for changed in (
        {"prompt": "a red apple"}, {"seed": 4}, {"guidance_scale": 8.0}, {"guidance_rescale": 0.0},
        {"steps": 8}, {"noise": "philox"}, {"variation_seed": 9, "variation_strength": 0.5},
        {"sampler": "euler_a"}, {"schedule": "karras"}, {"strength": 0.9}, {"image": picture(64, 64, 1)},
    ):  # fmt: skip
        assert not same(redraw(starter, **{"strength": 0.7, **changed})["image"], plain), changed


def test_picture_k_of_a_batch_is_the_picture_of_seed_plus_k(starter):
    batch = redraw(starter, batch=2, strength=0.8)
    assert isinstance(batch["image"], ListValue)
    assert list(batch["seed"]) == [3, 4]
    alone = redraw(starter, seed=4, strength=0.8)["image"]
    assert np.abs(alone.pixels.astype(int) - batch["image"][1].pixels).max() <= 2


# --- any picture --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (100, 37), (300, 200)])
def test_pictures_of_any_size_come_back_at_their_own(starter, size):
    image = picture(*size)
    drawn = redraw(starter, image, steps=2, sizes="exact")["image"]
    assert (drawn.width, drawn.height) == size
    assert drawn.info["width"] * drawn.info["height"] <= 64 * 64


def test_the_pictures_own_size_can_be_asked_for(starter):
    drawn = redraw(starter, picture(100, 37), steps=2, size="image")["image"]
    assert (drawn.width, drawn.height) == (100, 37)
    assert (drawn.info["width"], drawn.info["height"]) in ((96, 40), (104, 40))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_grey_transparent_and_fine_pictures(starter, channels, dtype):
    image = picture(channels=channels, dtype=dtype)
    drawn = redraw(starter, image, steps=2)["image"]
    assert drawn.channels == (4 if channels == 4 else 3)
    if channels == 4:
        assert np.array_equal(drawn.pixels[..., 3], image.as_uint8()[..., 3])


def test_too_large_a_picture_is_refused(starter):
    huge = np.broadcast_to(np.zeros(1, np.uint8), (2**15, 2**14, 1))
    with pytest.raises(ImageTooLarge):
        redraw(starter, Image(huge))


# --- encoding -----------------------------------------------------------------------------------------------


def test_an_encoded_picture_decodes_to_itself(starter):
    image = picture()
    latent = EncodeImage().run({"model": starter.loaded.handle, "image": image}, None, starter)["latent"]
    assert latent.shape == (1, 4, 16, 16)
    assert change(decode_latent(starter.loaded, latent, starter)[0], image) < 8


def test_a_picture_is_encoded_once(starter, monkeypatch):
    calls = []
    vae = starter.loaded.pipeline.vae
    original = vae.encode
    monkeypatch.setattr(vae, "encode", lambda pixels: calls.append(1) or original(pixels))
    redraw(starter)
    first = len(calls)
    redraw(starter, seed=9, strength=0.3)
    assert len(calls) == first
    redraw(starter, picture(80))
    assert len(calls) > first


def test_sizes_that_do_not_fit_are_refused_by_the_encoder(starter):
    with pytest.raises(SizeUnsuitable, match="64 × 64"):
        encode_image(starter.loaded, picture(63, 65), starter)


def test_numbers_that_overflow_are_tried_again_in_full_precision(tmp_path, monkeypatch):
    loaded = load(dtype=torch.bfloat16)
    vae = loaded.pipeline.vae
    original, dtypes = vae.encode, []

    def encode(pixels):
        dtypes.append(pixels.dtype)
        found = original(pixels)
        if pixels.dtype != torch.float32 or len(dtypes) > 2:
            found.latent_dist.mean.fill_(float("nan"))
        return found

    monkeypatch.setattr(vae, "encode", encode)
    context = DiffusionContext(loaded, tmp_path)
    assert encode_image(loaded, picture(), context).tensor().isfinite().all()
    assert dtypes == [torch.bfloat16, torch.float32]
    assert vae.dtype == torch.bfloat16
    with pytest.raises(EncodeFailed, match="bfloat16"):
        encode_image(loaded, picture(72), context)


def test_memory_that_runs_out_is_answered_with_tiles(starter, monkeypatch):
    vae = starter.loaded.pipeline.vae
    original = vae.encode

    def encode(pixels):
        if not vae.use_tiling:
            raise torch.OutOfMemoryError("no memory")
        return original(pixels)

    monkeypatch.setattr(vae, "encode", encode)
    assert encode_image(starter.loaded, picture(), starter).tensor().isfinite().all()
    assert not vae.use_tiling

    def never(pixels):
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(vae, "encode", never)
    with pytest.raises(OutOfMemory, match="Encoding the picture"):
        encode_image(starter.loaded, picture(72), starter)


# --- faults, and what stays as it was -----------------------------------------------------------------------


def test_cancel_takes_effect_inside_a_step(starter):
    unet = starter.loaded.pipeline.unet
    reached = []
    start = unet.register_forward_pre_hook(lambda *_: starter.cancel.cancel())
    end = unet.conv_out.register_forward_hook(lambda *_: reached.append(1))
    try:
        with pytest.raises(Cancelled):
            redraw(starter, steps=40)
    finally:
        start.remove()
        end.remove()
    assert not reached
    assert not unet._forward_pre_hooks


def test_a_run_leaves_the_shared_pipeline_as_it_was(starter):
    pipeline = starter.loaded.pipeline
    before = pipeline.scheduler, pipeline.scheduler.timesteps.clone(), set(vars(pipeline))
    redraw(starter, sampler="euler", schedule="karras")
    assert pipeline.scheduler is before[0]
    assert torch.equal(pipeline.scheduler.timesteps, before[1])
    assert set(vars(pipeline)) == before[2]


def test_a_batch_that_does_not_fit_is_drawn_in_halves(starter, monkeypatch):
    pipeline = starter.loaded.pipeline
    original = pipeline.unet.forward
    whole = redraw(starter, batch=2)["image"]

    def forward(sample, *args, **kwargs):
        if len(sample) > 2:
            raise torch.OutOfMemoryError("no memory")
        return original(sample, *args, **kwargs)

    monkeypatch.setattr(pipeline.unet, "forward", forward)
    halves = redraw(starter, batch=2)["image"]
    for first, second in zip(whole, halves, strict=True):
        assert np.abs(first.pixels.astype(int) - second.pixels).max() <= 2


@pytest.mark.parametrize("wrong", [{"strength": -0.1}, {"strength": 1.1}, {"strength": float("nan")}])
def test_strength_is_bounded(wrong):
    with pytest.raises(ValueError, match="strength"):
        ImageToImage.Params(**wrong)


def test_a_picture_remembers_how_it_was_made(starter):
    info = redraw(starter, strength=0.6, steps=20)["image"].info
    assert info["prompt"] == PROMPT
    assert (info["denoising_strength"], info["steps"], info["steps_run"]) == (0.6, 20, "12 of 20")
    assert info["seed"] == 3
