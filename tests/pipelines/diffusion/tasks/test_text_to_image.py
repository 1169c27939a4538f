"""A prompt becomes a picture, on the starter model: the nodes as a graph runs them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.diffusion.samplers.scheduling import scheduler_config
from pipelines.diffusion.samplers.table import (
    SAMPLERS,
    Sampler,
    Schedule,
    availability,
    schedule_availability,
)
from pipelines.errors import (
    Cancelled,
    ConditioningUnsuitable,
    ImageTooLarge,
    OutOfMemory,
    SamplerUnavailable,
    SizeUnsuitable,
)
from pipelines.graph.registry import Registry
from pipelines.graph.values import Conditioning, ListValue
from pipelines.nodes.diffusion import NODES, DecodeLatent, EncodePrompt, SampleLatent, TextToImage
from tests.helpers.diffusion_context import STARTER, load

RESOURCES = STARTER.parents[1]
PROMPT = "a red apple on a blue background, flat style"
SMALL = {"width": 64, "height": 64, "steps": 3, "guidance_scale": 4.0, "guidance_rescale": 0.7}


def draw(context, prompt=PROMPT, negative="", seed=7, **params):
    inputs = {"model": context.loaded.handle, "prompt": prompt, "negative": negative, "seed": seed}
    return TextToImage().run(inputs, TextToImage.Params(**{**SMALL, **params}), context)


def in_parts(context, prompt=PROMPT, negative: str | None = "", seed=7, clip_skip=1, **params):
    model = context.loaded.handle
    encoded = {
        name: EncodePrompt().run(
            {"model": model, "prompt": text}, EncodePrompt.Params(clip_skip=clip_skip), context
        )["conditioning"]
        for name, text in (("positive", prompt), ("negative", negative))
        if text is not None
    }
    inputs = {"model": model, "seed": seed, **encoded}
    sampled = SampleLatent().run(inputs, SampleLatent.Params(**{**SMALL, **params}), context)
    latents = sampled["latent"] if isinstance(sampled["latent"], ListValue) else [sampled["latent"]]
    return [
        DecodeLatent().run({"model": model, "latent": latent}, DecodeLatent.Params(), context)["image"]
        for latent in latents
    ]


def same(first, second):
    return np.array_equal(first.pixels, second.pixels)


# --- pictures -----------------------------------------------------------------------------------------------


def test_the_picture_shows_what_the_prompt_says(starter):
    pixels = draw(starter, steps=12)["image"].pixels.astype(float)
    corner, middle = pixels[2:10, 2:10].mean((0, 1)), pixels[28:36, 28:36].mean((0, 1))
    assert middle[0] > middle[2] + 60  # red
    assert corner[2] > corner[0] + 60  # on blue


def test_the_same_seed_gives_the_same_picture_bit_for_bit(starter):
    assert same(draw(starter)["image"], draw(starter)["image"])
    assert not same(draw(starter)["image"], draw(starter, seed=8)["image"])


def test_the_picture_is_the_one_the_bare_library_call_makes(starter):
    generator = torch.Generator().manual_seed(7)
    pipeline = starter.loaded.pipeline
    pipeline.set_progress_bar_config(disable=True)
    expected = pipeline(
        PROMPT, negative_prompt="", width=64, height=64, num_inference_steps=3, guidance_scale=4.0,
        guidance_rescale=0.7, generator=generator, output_type="np",
    ).images[0]  # fmt: skip
    ours = draw(starter)["image"].pixels / 255.0
    assert np.abs(ours - expected).max() < 0.01


@pytest.mark.parametrize("sampler", list(Sampler))
def test_every_sampler_draws_with_every_schedule_it_takes(starter, sampler):
    config = scheduler_config(starter.loaded.pipeline)
    if sampler in availability(config):
        with pytest.raises(SamplerUnavailable):
            draw(starter, sampler=sampler)
        return
    for schedule in set(Schedule) - set(schedule_availability(sampler, config)):
        drawn = draw(starter, sampler=sampler, schedule=schedule, steps=2)
        assert drawn["latent"].tensor().isfinite().all(), schedule
        assert drawn["image"].pixels.std() > 10, schedule
        assert drawn["image"].pixels.mean() > 10, schedule
    again = [draw(starter, sampler=sampler, steps=2)["image"] for _ in range(2)]
    assert same(*again)


@pytest.mark.parametrize("sampler", [sampler for sampler, spec in SAMPLERS.items() if spec.stochastic])
def test_fresh_noise_of_a_sampler_comes_from_the_seed_alone(sd1, sampler):
    pictures = []
    for state in (1, 2):
        torch.manual_seed(state)
        pictures.append(draw(sd1, sampler=sampler, guidance_rescale=0)["image"])
    assert same(*pictures)


def test_parameters_reach_the_picture(starter):
    plain = draw(starter)["image"]
    for changed in (
        {"prompt": "a green frog"}, {"negative": "blue"}, {"guidance_scale": 8.0}, {"guidance_rescale": 0.0},
        {"steps": 5}, {"noise": "philox"}, {"variation_seed": 9, "variation_strength": 0.5},
        {"sampler": "euler_a"}, {"schedule": "karras"},
    ):  # fmt: skip
        assert not same(draw(starter, **changed)["image"], plain), changed


def test_guidance_of_one_needs_no_negative_prompt(starter):
    assert same(
        draw(starter, guidance_scale=1.0)["image"],
        draw(starter, guidance_scale=1.0, negative="blue")["image"],
    )


def test_other_shapes_and_half_precision(starter, tmp_path):
    assert draw(starter, width=96, height=32)["image"].pixels.shape == (32, 96, 3)
    starter.loaded = load(dtype=torch.bfloat16)
    half = draw(starter, steps=8)["image"]
    assert half.info["dtype"] == "bfloat16"
    assert half.pixels.std() > 10


# --- seeds and batches --------------------------------------------------------------------------------------


@pytest.mark.parametrize("params", [{}, {"sampler": "dpmpp_sde"}, {"sampler": "euler_a", "noise": "philox"}])
def test_picture_k_of_a_batch_is_the_picture_of_seed_plus_k(starter, params):
    batch = draw(starter, batch=3, **params)
    assert list(batch["seed"]) == [7, 8, 9]
    assert [image.info["seed"] for image in batch["image"]] == [7, 8, 9]
    for seed, image in zip(batch["seed"], batch["image"], strict=True):
        alone = draw(starter, seed=seed, **params)["image"]
        assert np.abs(alone.pixels.astype(int) - image.pixels).max() <= 2


def test_a_batch_makes_lists_and_one_picture_none(starter):
    outputs = TextToImage.output_ports({"batch": 2})
    assert [str(port.type) for port in outputs] == ["list[Image]", "list[Latent]", "list[Seed]"]
    assert [str(port.type) for port in TextToImage.output_ports({})] == ["Image", "Latent", "Seed"]
    assert TextToImage.output_ports({"batch": "many"}) == TextToImage.outputs
    assert all(isinstance(value, ListValue) for value in draw(starter, batch=2).values())


def test_a_missing_seed_is_drawn_and_told(starter):
    first, second = draw(starter, seed=None), draw(starter, seed=None)
    assert 0 <= first["seed"] < 2**64
    assert first["seed"] != second["seed"]
    assert same(draw(starter, seed=first["seed"])["image"], first["image"])


def test_the_largest_seed_works(starter):
    assert list(draw(starter, seed=2**64 - 1, batch=2)["seed"]) == [2**64 - 1, 0]


# --- three parts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [{}, {"negative": "blue"}, {"sampler": "dpmpp_2m_sde", "schedule": "karras"}, {"batch": 2},
     {"guidance_scale": 1}],
)  # fmt: skip
def test_the_three_parts_make_the_same_pixels(starter, params):
    whole = draw(starter, **params)["image"]
    whole = whole if isinstance(whole, ListValue) else [whole]
    parts = in_parts(starter, **params)
    assert all(same(first, second) for first, second in zip(whole, parts, strict=True))
    ours, theirs = (dict(images[0].info) for images in (whole, parts))
    assert ours == theirs | ({"negative": ""} if params.get("guidance_scale") == 1 else {})


def test_without_a_negative_conditioning_nothing_in_particular_is_kept_out(starter):
    assert same(in_parts(starter, negative=None)[0], draw(starter, negative="")["image"])


def test_conditioning_of_another_kind_of_model_is_refused(starter):
    foreign = Conditioning({"prompt_embeds": torch.zeros(1, 77, 768)}, {"width": 768})
    inputs = {"model": starter.loaded.handle, "positive": foreign, "seed": 1}
    with pytest.raises(ConditioningUnsuitable, match="768"):
        SampleLatent().run(inputs, SampleLatent.Params(**SMALL), starter)


# --- what is remembered -------------------------------------------------------------------------------------


def test_a_picture_remembers_how_it_was_made(starter):
    starter.loaded.content_hash = lambda: "0123456789abcdef"
    info = draw(starter, negative="a frame", sampler="dpmpp_2m", schedule="karras")["image"].info
    assert info["prompt"] == PROMPT
    assert info["negative"] == "a frame"
    assert (info["seed"], info["steps"], info["width"], info["height"]) == (7, 3, 64, 64)
    assert (info["guidance_scale"], info["guidance_rescale"]) == (4.0, 0.7)
    assert (info["sampler"], info["schedule"]) == ("dpmpp_2m", "karras")
    assert (info["model_id"], info["dtype"], info["device"]) == ("text-to-image", "float32", "cpu")
    assert info["quantization"] == "none"
    assert info["model_hash"] == "0123456789"
    assert "/nowhere" not in json.dumps(dict(info))  # no folder of the user's, and JSON all through


def test_a_model_given_as_a_path_is_remembered_by_its_name(starter):
    handle = starter.loaded.handle.replace(id=str(Path.cwd() / "models" / "mine.safetensors"))
    starter.loaded = type(starter.loaded)(
        handle, starter.loaded.pipeline, starter.loaded.device, torch.float32
    )
    info = draw(starter)["image"].info
    assert info["model_id"] == info["model"] == "mine.safetensors"


# --- speed of the loop --------------------------------------------------------------------------------------


def test_a_changed_seed_runs_no_text_encoder(starter):
    calls = []
    hook = starter.loaded.pipeline.text_encoder.register_forward_pre_hook(lambda *a: calls.append(1))
    try:
        draw(starter)
        first = len(calls)
        draw(starter, seed=8)
        draw(starter, seed=9, batch=2, steps=4, sampler="euler")
        assert (first, len(calls)) == (2, 2)
        draw(starter, negative="other")
        assert len(calls) == 3
    finally:
        hook.remove()


def test_every_step_is_reported_with_a_preview(starter):
    draw(starter, steps=6)
    assert [(report.step, report.total) for report in starter.denoising] == [(k, 6) for k in range(1, 7)]
    assert all(report.preview.pixels.shape == (16, 16, 3) for report in starter.denoising)
    assert not np.array_equal(*(starter.denoising[k].preview.pixels for k in (0, -1)))
    phases = [report.phase for report in starter.reports]
    assert [*dict.fromkeys(phases)] == ["encoding", "denoising", "decoding"]


@pytest.mark.parametrize("sampler", ["dpm2", "dpmpp_sde"])
def test_two_evaluations_are_one_step(starter, sampler):
    draw(starter, steps=4, sampler=sampler)
    assert [report.step for report in starter.denoising] == [1, 1, 2, 2, 3, 3, 4]
    assert {report.total for report in starter.denoising} == {4}


def test_the_first_preview_already_shows_colours(starter):
    draw(starter, steps=8)
    first = starter.denoising[0].preview.pixels.astype(float)
    assert first[6:10, 6:10].mean((0, 1))[0] > first[0:3, 0:3].mean((0, 1))[0]  # redder in the middle


def test_cancel_takes_effect_within_a_step(starter):
    evaluations = []
    hook = starter.loaded.pipeline.unet.register_forward_pre_hook(lambda *a: evaluations.append(time.time()))
    starter.on_progress = lambda report: starter.cancel.cancel() if report.step == 2 else None
    try:
        with pytest.raises(Cancelled):
            draw(starter, steps=50)
    finally:
        hook.remove()
    assert len(evaluations) == 2


def test_cancel_before_the_run_evaluates_nothing(starter):
    starter.cancel.cancel()
    with pytest.raises(Cancelled):
        draw(starter)
    assert not starter.denoising


def test_a_run_leaves_the_shared_pipeline_as_it_was(starter):
    pipeline = starter.loaded.pipeline
    before = (
        pipeline.scheduler,
        dict(pipeline.config),
        pipeline.scheduler.timesteps.clone(),
        set(vars(pipeline)),
    )
    draw(starter, sampler="euler", schedule="karras")
    assert pipeline.scheduler is before[0]
    assert dict(pipeline.config) == before[1]
    assert torch.equal(pipeline.scheduler.timesteps, before[2])
    assert set(vars(pipeline)) == before[3]
    assert not pipeline.unet._forward_pre_hooks


# --- bad input and faults -----------------------------------------------------------------------------------


def test_sizes_that_do_not_fit_name_the_nearest_that_does(starter):
    with pytest.raises(SizeUnsuitable, match="The nearest that works is 64 × 104") as caught:
        draw(starter, width=63, height=101, sizes="exact")
    assert caught.value.arguments["multiple"] == 8


def test_a_models_own_multiple_counts(starter):
    starter.loaded = type(starter.loaded)(
        starter.loaded.handle, starter.loaded.pipeline, starter.loaded.device, torch.float32,
        {"size_multiple": 64},
    )  # fmt: skip
    with pytest.raises(SizeUnsuitable, match="64"):
        draw(starter, width=72, sizes="exact")


def test_sizes_are_bounded_by_their_product_before_memory_is_taken(starter):
    with pytest.raises(ImageTooLarge):
        draw(starter, width=65_536, height=65_536)


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"steps": 10**9}, {"width": 0}, {"height": 70_000}, {"batch": 0}, {"sampler": "dpm++"},
     {"guidance_scale": float("nan")}, {"guidance_rescale": 1.5}, {"variation_seed": 2**64},
     {"clip_skip": -1}],
)  # fmt: skip
def test_params_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TextToImage.Params(**wrong)


class Fails:
    """Makes the denoiser run out of memory where a batch is larger than ``room`` pictures."""

    def __init__(self, pipeline, room, monkeypatch):
        self.sizes = []
        original = pipeline.unet.forward

        def forward(sample, *args, **kwargs):
            self.sizes.append(len(sample) // 2)
            if len(sample) // 2 > room:
                raise torch.OutOfMemoryError("no")
            return original(sample, *args, **kwargs)

        monkeypatch.setattr(pipeline.unet, "forward", forward)


def test_a_batch_that_does_not_fit_is_drawn_in_halves(starter, monkeypatch):
    whole = draw(starter, batch=5)
    starter.reports.clear()
    faulty = Fails(starter.loaded.pipeline, 1, monkeypatch)
    halves = draw(starter, batch=5)
    assert faulty.sizes[:3] == [5, 2, 1]
    assert list(halves["seed"]) == list(whole["seed"])
    for first, second in zip(whole["image"], halves["image"], strict=True):
        assert np.abs(first.pixels.astype(int) - second.pixels).max() <= 2
    steps = [report.step for report in starter.reports if report.phase == "denoising"]
    assert steps == sorted(steps)
    assert max(steps) == 3


def test_one_picture_that_does_not_fit_is_a_clear_message(starter, monkeypatch):
    Fails(starter.loaded.pipeline, 0, monkeypatch)
    with pytest.raises(OutOfMemory, match="64 × 64"):
        draw(starter)


@pytest.mark.parametrize(("failures", "recovers"), [(1, True), (2, False)])
def test_a_text_encoder_that_does_not_fit_is_tried_with_a_free_cache(
    starter, monkeypatch, failures, recovers
):
    encoder, left = starter.loaded.pipeline.text_encoder, [failures]
    original = encoder.forward

    def forward(*args, **kwargs):
        left[0] -= 1
        if left[0] >= 0:
            raise torch.OutOfMemoryError("no")
        return original(*args, **kwargs)

    monkeypatch.setattr(encoder, "forward", forward)
    if recovers:
        assert draw(starter)["image"].pixels.std() > 10
    else:
        with pytest.raises(OutOfMemory, match="Encoding"):
            draw(starter)


def test_other_failures_of_the_denoiser_stay_what_they_are(starter, monkeypatch):
    def fails(*args, **kwargs):
        raise RuntimeError("a bug")

    monkeypatch.setattr(starter.loaded.pipeline.unet, "forward", fails)
    with pytest.raises(RuntimeError, match="a bug"):
        draw(starter, batch=2)


# --- schema -------------------------------------------------------------------------------------------------


def test_the_schema_has_the_ports_and_params_of_the_contract():
    registry = Registry(*NODES)
    ports = {
        schema.id: ([port.name for port in schema.inputs({})], [port.name for port in schema.outputs({})])
        for schema in registry
    }
    steering = ["regions", "controls", "control", "references", "adapter"]
    assert ports == {
        "diffusion.text_to_image": (
            ["model", "prompt", "negative", "seed", *steering, "upscaler", "refiner"],
            ["image", "latent", "seed"],
        ),
        "diffusion.encode_prompt": (["model", "prompt", "references"], ["conditioning"]),
        "diffusion.sample": (["model", "positive", "negative", "seed", *steering], ["latent", "seed"]),
        "diffusion.decode": (["model", "latent"], ["image"]),
    }
    params = registry["diffusion.text_to_image"].params_by_name
    assert {"width", "height", "steps", "guidance_scale", "guidance_rescale", "sampler", "schedule", "noise",
            "variation_seed", "variation_strength", "clip_skip", "batch", "sizes",
            "detail", "image_guidance_scale", "switch"} == set(params)  # fmt: skip
    assert params["sampler"].choices[:3] == ("default", "euler", "euler_a")
    assert params["sampler"].default == "default"
    assert sum(param.primary for param in params.values()) <= 4
    assert all(param.description for param in params.values())
    assert all(schema.node.lane == "gpu" for schema in registry)


@pytest.mark.parametrize("path", sorted((RESOURCES / "templates").glob("*.json")), ids=lambda path: path.stem)
def test_the_templates_values_are_valid(path):
    for node in json.loads(path.read_text())["nodes"].values():
        if node["type"] == "diffusion.text_to_image":
            inputs = {port.name for port in TextToImage.inputs}
            TextToImage.Params(**{key: value for key, value in node["params"].items() if key not in inputs})
