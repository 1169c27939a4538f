"""Other families than the starter's, tiny and random: Stable Diffusion 1 and XL, Stable Diffusion 3, Flux."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import FlowMatchLCMScheduler, PNDMScheduler

from pipelines.diffusion.samplers.scheduling import scheduler_config
from pipelines.diffusion.samplers.table import Sampler, Schedule, availability, schedule_availability
from pipelines.diffusion.sampling.sampling import denoiser_of
from pipelines.errors import Cancelled, ModelUnsuitable, SizeUnsuitable
from pipelines.graph.values import ListValue
from pipelines.nodes.diffusion import TextToImage
from tests.helpers.diffusion_context import DiffusionContext, wrap
from tests.helpers.tiny_pipelines import SD_SCHEDULE
from tests.helpers.tiny_pipelines import sd1 as tiny_sd1
from tests.helpers.tiny_pipelines import sd3 as tiny_sd3

SIZES = {"sd1": (64, 40), "sdxl": (64, 40), "sd3": (64, 48), "flux": (64, 32)}


@pytest.fixture(params=sorted(SIZES))
def family(request, families, tmp_path):
    return request.param, DiffusionContext(families[request.param], tmp_path)


def draw(name, context, **params):
    width, height = SIZES[name]
    inputs = {"model": context.loaded.handle, "prompt": "a red apple", "negative": "", "seed": 3}
    options = {"width": width, "height": height, "steps": 2, "guidance_scale": 4.0, "sizes": "exact"}
    options |= params
    return TextToImage().run(inputs, TextToImage.Params(**options), context)


def test_a_picture_is_drawn_with_previews(family):
    name, context = family
    drawn = draw(name, context, steps=3)
    width, height = SIZES[name]
    assert drawn["image"].pixels.shape == (height, width, 3)
    assert drawn["latent"].shape[0] == 1
    assert drawn["latent"].shape[2:] == (height // 8, width // 8)
    assert [report.step for report in context.denoising] == [1, 2, 3]
    assert context.denoising[0].preview.pixels.shape == (height // 8, width // 8, 3)
    assert np.array_equal(drawn["image"].pixels, draw(name, context, steps=3)["image"].pixels)


def test_it_is_the_picture_of_the_bare_library_call(family):
    name, context = family
    width, height = SIZES[name]
    pipeline = context.loaded.pipeline
    pipeline.set_progress_bar_config(disable=True)
    expected = pipeline(
        "a red apple", width=width, height=height, num_inference_steps=2, guidance_scale=4.0,
        generator=torch.Generator().manual_seed(3), output_type="np",
    ).images[0]  # fmt: skip
    ours = draw(name, context)["image"].pixels / 255.0
    assert np.abs(ours - expected).max() < 0.01


def test_every_sampler_that_serves_the_family_draws(family):
    name, context = family
    config = scheduler_config(context.loaded.pipeline)
    for sampler in set(Sampler) - set(availability(config)):
        for schedule in {Schedule.DEFAULT, Schedule.BETA} - set(schedule_availability(sampler, config)):
            drawn = draw(name, context, sampler=sampler, schedule=schedule)
            assert drawn["latent"].tensor().isfinite().all(), (sampler, schedule)


@pytest.mark.parametrize("name", ["sd3", "flux"])
@pytest.mark.parametrize("sampler", ["dpmpp_2m_sde", "lcm"])
def test_pipelines_that_hand_on_no_generator_draw_from_the_seed_all_the_same(
    families, name, sampler, tmp_path
):
    context = DiffusionContext(families[name], tmp_path)
    pictures = []
    for state in (0, 1):
        torch.manual_seed(state)
        pictures.append(draw(name, context, sampler=sampler)["image"].pixels)
    assert np.array_equal(*pictures)


def test_a_batch_is_drawn(family):
    name, context = family
    batch = draw(name, context, batch=2)
    assert isinstance(batch["image"], ListValue)
    alone = draw(name, context)["image"]
    assert np.abs(alone.pixels.astype(int) - batch["image"][0].pixels).max() <= 2
    assert not np.array_equal(*(image.pixels for image in batch["image"]))


def test_every_family_can_be_cancelled_at_the_next_step(family):
    name, context = family
    context.on_progress = lambda report: context.cancel.cancel() if report.step == 1 else None
    with pytest.raises(Cancelled):
        draw(name, context, steps=30)
    assert len(context.denoising) == 1


def test_packed_latents_need_twice_the_multiple(families, tmp_path):
    context = DiffusionContext(families["flux"], tmp_path)
    with pytest.raises(SizeUnsuitable, match="multiples of 16"):
        draw("flux", context, height=40)


def test_a_setting_the_family_has_not_is_ignored_with_a_notice(families, tmp_path):
    context = DiffusionContext(families["sd3"], tmp_path)
    draw("sd3", context, guidance_rescale=0.7)
    assert [warning.code for warning in context.warnings] == ["SettingIgnored"]


def test_an_empty_negative_prompt_is_zeros_where_the_model_was_trained_so(families, tmp_path):
    context = DiffusionContext(families["sdxl"], tmp_path)
    assert families["sdxl"].pipeline.config.force_zeros_for_empty_prompt
    seen = []
    hook = families["sdxl"].pipeline.unet.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["encoder_hidden_states"][0].abs().max()),
        with_kwargs=True,
    )
    try:
        draw("sdxl", context)
    finally:
        hook.remove()
    assert float(seen[0]) == 0


def test_a_family_that_encodes_itself_draws_all_the_same(tmp_path, monkeypatch):
    context = DiffusionContext(wrap(tiny_sd1()), tmp_path)
    expected = draw("sd1", context)["image"]
    monkeypatch.setattr("pipelines.diffusion.prompts.encoding._named", lambda pipeline, result: {})
    context.kept.clear()
    assert np.array_equal(draw("sd1", context)["image"].pixels, expected.pixels)


def test_a_distilled_flow_models_own_sampler_is_left_as_it_is(tmp_path):
    pipeline = tiny_sd3()
    pipeline.scheduler = FlowMatchLCMScheduler(shift=3.0)
    context = DiffusionContext(wrap(pipeline), tmp_path)
    assert draw("sd3", context)["latent"].tensor().isfinite().all()


def test_an_extra_evaluation_is_no_extra_step(tmp_path):
    context = DiffusionContext(
        wrap(tiny_sd1(PNDMScheduler(**SD_SCHEDULE, skip_prk_steps=True, steps_offset=1))), tmp_path
    )
    draw("sd1", context, steps=3)
    assert [(report.step, report.total) for report in context.denoising] == [(1, 3), (2, 3), (3, 3), (3, 3)]


def test_a_model_without_latents_is_refused(tmp_path):
    pipeline = tiny_sd1()
    pipeline.vae = None
    with pytest.raises(ModelUnsuitable, match="latent space"):
        draw("sd1", DiffusionContext(wrap(pipeline), tmp_path))


def test_every_family_can_be_cancelled_inside_a_step(family):
    """The denoiser's last block is never reached after a cancel in its first, and no hook stays behind."""
    name, context = family
    denoiser = denoiser_of(context.loaded.pipeline)
    blocks = [module for module in denoiser.modules() if module is not denoiser]
    before = [len(module._forward_pre_hooks) for module in blocks]
    last = list(denoiser.children())[-1]
    reached = []
    start = denoiser.register_forward_pre_hook(lambda *_: context.cancel.cancel())
    end = last.register_forward_hook(lambda *_: reached.append(1))
    try:
        with pytest.raises(Cancelled):
            draw(name, context, steps=30)
    finally:
        start.remove()
        end.remove()
    assert not reached
    assert [len(module._forward_pre_hooks) for module in blocks] == before
