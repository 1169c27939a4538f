"""Taking things out of pictures: what is behind them is plausible, and nothing else changes."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import (
    Cancelled,
    InpaintModelMissing,
    MaskCoversAll,
    MaskEmpty,
    ModelUnsuitable,
    OutOfMemory,
    describe,
)
from pipelines.graph.node import FlagToken
from pipelines.graph.values import Image, Mask, ModelHandle
from pipelines.inpaint.by_model import remove_by_model
from pipelines.inpaint.geometry import MaskSettings
from pipelines.inpaint.remove import Removal, remove
from pipelines.metadata import read_metadata, write_image
from pipelines.models.access import open_models
from pipelines.models.loaded import LoadedInpaint
from pipelines.nodes.remove import RemoveObject
from tests.helpers.diffusion_context import DiffusionContext
from tests.helpers.lama import small_lama

HEIGHT, WIDTH = 240, 320


def disc(height=HEIGHT, width=WIDTH, radius=30, value=1.0):
    values = np.zeros((height, width), np.float32)
    cv2.circle(values, (width // 2, height // 2), radius, value, -1)
    return Mask(values)


def gradient(grain=0.01):
    y, x = np.mgrid[:HEIGHT, :WIDTH] / HEIGHT
    colours = np.dstack([0.2 + 0.4 * x, 0.3 + 0.4 * y, 0.8 - 0.3 * x * y])
    colours += np.random.default_rng(1).normal(0, grain, colours.shape)
    return Image(np.rint(colours.clip(0, 1) * 255).astype(np.uint8))


def checks():
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    colours = np.where((((x // 20) + (y // 20)) % 2)[..., None] > 0, [200, 160, 120], [60, 60, 70])
    return Image(colours.astype(np.uint8))


def with_thing(image, mask, colour=(255, 0, 255)):
    """The picture with something bright where the mask is."""
    pixels = image.pixels.copy()
    pixels[mask.values > 0] = colour[: image.channels]
    return image.with_pixels(pixels)


def error(first, second, mask):
    """Mean difference where the mask is, in 0..255."""
    return np.abs(first.pixels.astype(float) - second.pixels)[mask.values > 0].mean()


def untouched(before, after, mask, reach=40):
    """Every pixel further than ``reach`` from the mask has its bits."""
    near = cv2.dilate((mask.values > 0).astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8)) > 0
    assert after.pixels.dtype == before.pixels.dtype
    assert np.array_equal(before.pixels[~near], after.pixels[~near])


# --- without a model ----------------------------------------------------------------------------------------


def test_a_smooth_background_goes_on_with_its_grain():
    image, mask = gradient(), disc()
    done = remove(with_thing(image, mask), mask)
    assert done.info["removal"]["method"] == "surroundings"
    assert error(done, image, mask) < 4
    untouched(image, done, mask)
    inner = np.s_[100:140, 140:180]
    grain = [
        np.std(part - cv2.blur(part, (7, 7))) for part in (done.as_float()[inner], image.as_float()[inner])
    ]
    assert 0.5 < grain[0] / grain[1] < 2, "a patch without grain shows"


def test_a_pattern_goes_on():
    image, mask = checks(), disc()
    done = remove(with_thing(image, mask), mask)
    assert done.info["removal"]["method"] == "patches"
    assert error(done, image, mask) < 25, "half of all pixels wrong would be 60"
    plain = remove(with_thing(image, mask), mask, Removal.SURROUNDINGS)
    assert error(plain, image, mask) > 40
    untouched(image, done, mask)


def test_a_scratch_is_bridged():
    image = checks()
    values = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.line(values, (20, 30), (300, 200), 1.0, 2)
    mask = Mask(values)
    done = remove(with_thing(image, mask), mask)
    assert done.info["removal"]["method"] == "surroundings"
    assert error(done, image, mask) < 25


def test_no_ghost_is_left_under_a_soft_mask():
    image, mask = gradient(), disc(value=0.3)
    done = remove(with_thing(image, mask), mask)
    assert error(done, image, mask) < 4


@pytest.mark.parametrize("method", [Removal.SURROUNDINGS, Removal.PATCHES])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("deep", [False, True])
def test_channels_and_types_stay(channels, deep, method):
    colour = gradient().pixels
    pixels = np.dstack([colour, np.full((HEIGHT, WIDTH), 255, np.uint8)])[..., :channels]
    image = Image(pixels.astype(np.float32) / np.float32(255) if deep else pixels)
    mask = disc()
    done = remove(with_thing(image, mask, (1, 0, 1, 1) if deep else (255, 0, 255, 255)), mask, method)
    assert done.channels == channels
    assert error(done, image, mask) < (0.1 if deep else 25)
    untouched(image, done, mask)
    if channels == 4:
        assert (done.pixels[..., 3] == image.pixels[..., 3]).all()


def test_what_is_behind_a_sticker_on_nothing_is_nothing():
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    pixels[:40] = (10, 200, 30, 255)
    mask = disc()
    done = remove(with_thing(Image(pixels), mask, (255, 0, 255, 255)), mask)
    assert (done.pixels[..., 3][mask.values > 0] == 0).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 60), st.data())
def test_nothing_changes_past_grow_and_blend(height, width, data):
    values = np.zeros((height, width), np.float32)
    rows = sorted((data.draw(st.integers(0, height)), data.draw(st.integers(0, height))))
    columns = sorted((data.draw(st.integers(0, width)), data.draw(st.integers(0, width))))
    values[rows[0] : rows[1], columns[0] : columns[1]] = data.draw(st.sampled_from([0.01, 0.5, 1]))
    mask, image = Mask(values), Image(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))
    chosen = MaskSettings(grow=2, blend=data.draw(st.sampled_from([0, 3])))
    method = data.draw(st.sampled_from([Removal.AUTO, Removal.SURROUNDINGS, Removal.PATCHES]))
    if not values.any() or values.all():
        with pytest.raises(MaskCoversAll if values.any() else MaskEmpty):
            remove(image, mask, method, chosen)
        return
    done = remove(image, mask, method, chosen)
    away = cv2.distanceTransform((values == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    kept = away > 2 + chosen.blend
    assert np.array_equal(done.pixels[kept], image.pixels[kept])


def test_a_mask_of_another_size_is_resampled():
    image, mask = gradient(), disc(HEIGHT // 2, WIDTH // 2, 15)
    done = remove(with_thing(image, disc()), mask)
    assert error(done, image, disc()) < 4


def test_an_empty_mask_says_what_to_do():
    told = describe(MaskEmpty())
    assert told.code == "MaskEmpty"
    assert "whole image" in told.sentences()[2]
    with pytest.raises(MaskEmpty, match="Paint over what should go"):
        remove(gradient(), Mask(np.zeros((HEIGHT, WIDTH), np.float32)))


# --- with a model -------------------------------------------------------------------------------------------


@pytest.fixture
def models(tmp_path, monkeypatch):
    """The product's models with a LaMa in the folder for it."""
    small_lama(monkeypatch, tmp_path / "models" / "inpaint")
    return open_models(tmp_path / "models")


class Context(DiffusionContext):
    def __init__(self, models, folder):
        super().__init__(SimpleNamespace(device="cpu"), folder)
        self._models = models

    @property
    def models(self):
        return self._models


def test_lama_is_found_by_its_content_and_used_by_itself(models, tmp_path):
    info = next(info for info in models.list() if info.kind == "inpaint")
    assert (info.id, info.family, info.problem) == ("big-lama.safetensors", "LaMa", "")
    image, mask = with_thing(gradient(), disc()), disc()
    inputs = {"image": image, "mask": mask}
    context = Context(models, tmp_path)
    done = RemoveObject().run(inputs, RemoveObject.Params(), context)["image"]
    assert done.info["removal"]["model"] == "big-lama.safetensors"
    assert (done.pixels != image.pixels).any(axis=2)[mask.values > 0].mean() > 0.9
    untouched(image, done, mask)
    again = RemoveObject().run(inputs, RemoveObject.Params(method="model", model=info.path), context)["image"]
    assert np.array_equal(done.pixels, again.pixels)
    plain = RemoveObject().run(inputs, RemoveObject.Params(method="patches"), context)["image"]
    assert "model" not in plain.info["removal"]
    written = [
        read_metadata(write_image(picture, tmp_path / "a.png", unique=True)) for picture in (done, plain)
    ]
    assert written[0].source_type.endswith("compositeWithTrainedAlgorithmicMedia")
    assert written[1].source_type == ""
    prints = {
        RemoveObject.fingerprint(
            {"method": method}, SimpleNamespace(find=models.find, path=tmp_path.__truediv__)
        )
        for method in ("auto", "model", "patches")
    }
    assert len(prints) == 2, "another model is another picture, where one is used"


def test_a_training_checkpoint_s_names_are_known_too(tmp_path, monkeypatch):
    small_lama(monkeypatch, tmp_path / "inpaint", prefix="generator.")
    models = open_models(tmp_path)
    assert models.find("inpaint", "").family == "LaMa"
    done = RemoveObject().run(
        {"image": gradient(), "mask": disc()}, RemoveObject.Params(), Context(models, tmp_path)
    )
    assert "model" in done["image"].info["removal"]


def test_without_a_model_auto_does_without_and_model_says_so(tmp_path):
    context = Context(open_models(tmp_path), tmp_path)
    inputs = {"image": gradient(), "mask": disc()}
    done = RemoveObject().run(inputs, RemoveObject.Params(), context)["image"]
    assert done.info["removal"]["method"] == "surroundings"
    with pytest.raises(InpaintModelMissing):
        RemoveObject().run(inputs, RemoveObject.Params(method="model"), context)


class FakeLama:
    """Fills with one colour, notes what it sees, and has room for so many pixels."""

    size_requirements = SimpleNamespace(multiple_of=8)

    def __init__(self, room=10**9, colour=0.5):
        self.model, self.seen, self.room, self.colour = torch.nn.Identity(), [], room, colour

    def __call__(self, picture, gap):
        self.seen.append(tuple(picture.shape[2:]))
        if picture.shape[2] * picture.shape[3] > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        assert set(gap.unique().tolist()) == {0.0, 1.0}
        self.model(picture)
        return torch.where(gap > 0, torch.full_like(picture, self.colour), picture)


def loaded(fake):
    handle = ModelHandle("inpaint", "lama", "/nowhere/lama", "LaMa")
    return LoadedInpaint(handle, fake, torch.device("cpu"), torch.float32)


def large():
    return Image(np.full((1200, 1600, 3), 90, np.uint8)), disc(1200, 1600, 300)


def test_a_large_gap_is_filled_at_a_size_the_model_can_and_the_rest_stays():
    image, mask = large()
    fake = FakeLama()
    done = remove_by_model(loaded(fake), image, mask)
    assert all(side % 8 == 0 for side in fake.seen[0])
    assert fake.seen[0][0] * fake.seen[0][1] <= 768 * 768
    assert np.abs(done.pixels[600, 800].astype(int) - 128).max() <= 1
    untouched(image, done, mask)


def test_where_memory_runs_out_it_is_done_smaller_or_said():
    image, mask = large()
    fake = FakeLama(room=200 * 200)
    done = remove_by_model(loaded(fake), image, mask)
    assert len(fake.seen) == 3
    assert np.abs(done.pixels[600, 800].astype(int) - 128).max() <= 1
    with pytest.raises(OutOfMemory):
        remove_by_model(loaded(FakeLama(room=1)), image, mask)


@pytest.mark.parametrize("channels", [1, 4])
def test_a_model_for_colour_fills_grey_and_transparency(channels):
    pixels = np.full((HEIGHT, WIDTH, channels), 90, np.uint8)
    done = remove_by_model(loaded(FakeLama()), Image(pixels), disc())
    assert done.channels == channels
    assert done.pixels[120, 160, 0] in (128, 255)  # straight colour of 0.5 at an opacity of 90/255
    half = pixels.copy()
    half[:60, :, -1] = 0
    done = remove_by_model(loaded(FakeLama()), Image(half), disc())
    assert abs(int(done.pixels[120, 160, -1]) - 128) <= 1


def test_cancel_and_numbers_that_are_none():
    token = FlagToken()
    token.cancel()

    class Stack(FakeLama):
        def __init__(self):
            super().__init__()
            self.model = torch.nn.Sequential(torch.nn.Identity())

    with pytest.raises(Cancelled):
        remove_by_model(loaded(Stack()), gradient(), disc(), cancel=token)
    with pytest.raises(ModelUnsuitable):
        remove_by_model(loaded(FakeLama(colour=float("nan"))), gradient(), disc())
