"""Enlarging with a diffusion model, piece by piece, on the starter; and without any model."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.errors import Cancelled, ImageTooLarge
from pipelines.graph.values import Image
from pipelines.image import resize
from pipelines.metadata.provenance import source_type
from pipelines.nodes.upscale import DiffusionUpscale, SimpleUpscale
from tests.helpers.disc import picture

SMALL = {"steps": 6, "guidance_scale": 4.0, "guidance_rescale": 0.7}


def enlarge(context, image=None, seed=3, **params):
    prompt = "a red ball on a blue background, flat style"
    inputs = {"model": context.loaded.handle, "image": image or picture(), "prompt": prompt, "seed": seed}
    return DiffusionUpscale().run(inputs, DiffusionUpscale.Params(**{**SMALL, **params}), context)


def test_the_picture_is_the_same_only_larger(starter):
    image = picture(75, 50)
    drawn = enlarge(starter, image, strength=0.3)
    large = drawn["image"]
    assert (large.width, large.height) == (150, 100)
    plain = resize(image, 150, 100)
    difference = np.abs(large.pixels.astype(float) - plain.pixels)
    assert 0.5 < difference.mean() < 14
    assert np.array_equal(large.pixels, enlarge(starter, image, strength=0.3)["image"].pixels)
    assert not np.array_equal(large.pixels, enlarge(starter, image, strength=0.3, seed=4)["image"].pixels)


def test_steps_of_all_pieces_are_one_progress(starter):
    enlarge(starter, strength=0.5)
    steps = [(report.step, report.total) for report in starter.denoising]
    assert steps[-1] == (27, 27)  # nine pieces of three steps
    assert steps == sorted(steps)


def test_transparency_and_history_are_kept(starter):
    image = Image(picture(40, 40, 4).pixels, {"prompt": "a disc"})
    large = enlarge(starter, image, strength=0.2)["image"]
    assert large.channels == 4
    assert np.array_equal(large.pixels[..., 3], resize(image, 80, 80).pixels[..., 3])
    assert large.info["prompt"] == "a disc"
    assert (large.info["upscale_factor"], large.info["upscale"]["strength"]) == (2, 0.2)
    photo = enlarge(starter, picture(40, 40), strength=0.2)["image"]
    assert source_type({}, photo.info).endswith("compositeWithTrainedAlgorithmicMedia")


def test_cancel_takes_effect_within_a_step(starter):
    starter.on_progress = lambda report: starter.cancel.cancel() if report.step == 2 else None
    with pytest.raises(Cancelled):
        enlarge(starter, strength=1, steps=40)
    assert starter.denoising[-1].step == 2


def test_too_large_a_result_is_refused_first(starter):
    with pytest.raises(ImageTooLarge):
        enlarge(starter, picture(600, 600), factor=64)
    assert not starter.reports


@pytest.mark.parametrize(
    ("params", "size"),
    [
        ({}, (80, 40)),
        ({"factor": 0.5}, (20, 10)),
        ({"width": 100}, (100, 50)),
        ({"height": 10}, (20, 10)),
        ({"width": 30, "height": 30}, (30, 30)),
        ({"factor": 0.01}, (1, 1)),
    ],
)
def test_plain_resampling_by_factor_or_size(params, size):
    image = picture(40, 20)
    made = SimpleUpscale().run({"image": image}, SimpleUpscale.Params(**params), None)["image"]
    assert (made.width, made.height) == size
