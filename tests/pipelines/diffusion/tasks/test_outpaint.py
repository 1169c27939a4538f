"""A picture grows past its edges, on the starter model."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.errors import ImageTooLarge, InvalidParameter
from pipelines.nodes.inpaint import Outpaint
from tests.helpers.disc import picture

PROMPT = "a red ball on a blue background, flat style"
SMALL = {"steps": 4, "guidance_scale": 4.0, "guidance_rescale": 0.7}


def grow(context, image=None, seed=3, **params):
    inputs = {"model": context.loaded.handle, "image": image or picture(), "prompt": PROMPT, "seed": seed}
    return Outpaint().run(inputs, Outpaint.Params(**{**SMALL, **params}), context)


def test_the_picture_keeps_its_pixels_and_what_is_new_is_drawn(starter):
    image = picture()
    drawn = grow(starter, image, left=16, right=32, top=8, bottom=0)["image"]
    assert (drawn.width, drawn.height) == (64 + 16 + 32, 64 + 8)
    inside = drawn.pixels[8:, 16:80]
    reach = 24
    middle = np.s_[reach:, reach : 64 - reach]
    assert np.array_equal(inside[middle], image.pixels[middle])
    new = drawn.pixels[:, -30:].astype(float)
    assert new.std((0, 1)).max() > 1
    assert new.mean((0, 1))[2] > new.mean((0, 1))[0]  # blue, as the picture's edge and the prompt are


@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
def test_each_side_grows_alone(starter, side):
    image = picture(40, 48)
    drawn = grow(starter, image, steps=1, **{side: 24})["image"]
    wide = side in ("left", "right")
    assert (drawn.width, drawn.height) == (40 + 24 * wide, 48 + 24 * (not wide))
    far = {
        "left": np.s_[:, 63:], "right": np.s_[:, :1], "top": np.s_[71:], "bottom": np.s_[:1],
    }[side]  # fmt: skip
    own = {"left": np.s_[:, 39:], "right": np.s_[:, :1], "top": np.s_[47:], "bottom": np.s_[:1]}[side]
    assert np.array_equal(drawn.pixels[far], image.pixels[own])


def test_the_fill_shows_where_little_may_change(starter):
    grey, edge = (grow(starter, right=32, strength=0, fill=fill)["image"] for fill in ("neutral", "border"))
    greyness, hue = (np.ptp(each.pixels[20:40, -8:].astype(float).mean((0, 1))) for each in (grey, edge))
    assert greyness * 2 < hue
    assert edge.pixels[20:40, -8:].astype(float).mean((0, 1))[2] > 150


def test_it_is_the_same_again_and_remembered(starter):
    first, second = (grow(starter, left=8, bottom=16)["image"] for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels)
    story = first.info["inpaint"]
    assert [story[side] for side in ("left", "top", "right", "bottom")] == [8, 0, 0, 16]
    assert story["fill"] == "border"


def test_no_side_and_too_much_are_refused(starter):
    with pytest.raises(InvalidParameter, match="At least one side"):
        grow(starter)
    with pytest.raises(ImageTooLarge):
        grow(starter, picture(20_000, 1), bottom=16_000)
    with pytest.raises(ValueError, match="left"):
        Outpaint.Params(left=-8)


def test_candidates_are_a_batch(starter):
    batch = grow(starter, right=16, batch=2, steps=2)
    assert [image.width for image in batch["image"]] == [80, 80]
    assert list(batch["seed"]) == [3, 4]
