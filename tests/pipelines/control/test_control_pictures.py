"""Control pictures: lines and edges, white on black."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.control import edges, line_art, scribble
from pipelines.graph.values import Image
from pipelines.nodes.control import Method, Preprocess

METHODS = (edges, line_art, scribble)


def square(side=256, channels=3, light=230, dark=40):
    """A dark square on a light ground."""
    pixels = np.full((side, side, channels), light, np.uint8)
    quarter = side // 4
    pixels[quarter:-quarter, quarter:-quarter] = dark
    if channels == 4:
        pixels[..., 3] = 255
    return Image(pixels, {"prompt": "a square"})


def white(image):
    return image.pixels[..., 0] > 127


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_outline_is_white_and_the_rest_black(method, channels):
    made = method(square(channels=channels))
    assert (made.pixels.shape, made.pixels.dtype) == ((256, 256, 1), np.uint8)
    lines = white(made)
    border = np.zeros((256, 256), bool)
    border[58:198, 58:198] = True
    border[74:182, 74:182] = False
    assert lines[border].any()
    assert not lines[~border].any()
    assert lines[:, 128].sum() >= 2  # above and below
    assert made.info["prompt"] == "a square"


@pytest.mark.parametrize("method", METHODS)
def test_an_even_picture_and_one_of_a_single_pixel_have_no_lines(method):
    for image in (Image(np.full((40, 30, 3), 0.3, np.float32)), Image(np.zeros((1, 1, 4), np.uint8))):
        assert not method(image).pixels.any()


def test_edges_between_colours_of_one_brightness_are_found():
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, :32], pixels[:, 32:] = (180, 0, 0), (0, 53, 0)
    assert white(edges(Image(pixels)))[:, 30:34].any(axis=1).all()


def test_thresholds_decide_which_edges_are_seen():
    faint = square(light=130, dark=110)
    assert not white(edges(faint)).any()
    assert white(edges(faint, 10, 40)).any()
    assert np.array_equal(edges(faint, 40, 10).pixels, edges(faint, 10, 40).pixels)


def test_scribbles_are_broader_than_line_art_and_leave_out_specks():
    image = square(512)
    pixels = image.pixels.copy()
    pixels[20:22, 20:22] = 0
    image = Image(pixels)
    broad, fine = white(scribble(image)), white(line_art(image))
    assert broad.sum() > 1.5 * fine.sum()
    assert fine[15:27, 15:27].any()
    assert not broad[15:27, 15:27].any()


def test_more_detail_makes_finer_lines():
    coarse, fine = (white(line_art(square(512), detail)).sum() for detail in (0.0, 1.0))
    assert coarse > fine > 0


def test_lines_keep_their_width_in_proportion_to_the_picture():
    small, large = (white(line_art(square(side))).mean() for side in (256, 1024))
    assert small == pytest.approx(large, rel=0.5)


LINES = dict(zip(list(Method)[:3], (line_art, edges, scribble), strict=True))


@pytest.mark.parametrize(("method", "function"), LINES.items())
def test_the_node_derives_them(method, function):
    made = Preprocess().run({"image": square()}, Preprocess.Params(method=method), None)["image"]
    assert np.array_equal(made.pixels, function(square()).pixels)
