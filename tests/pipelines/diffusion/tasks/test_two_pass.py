"""Pictures of any size on the starter: reduced, cut, or composed, enlarged and drawn again."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.diffusion.latents.shape import layout
from pipelines.diffusion.samplers.noise import first_noise, generators
from pipelines.diffusion.sampling import from_picture
from pipelines.diffusion.sampling.from_picture import noised
from pipelines.diffusion.sampling.sampling import SamplingOptions
from pipelines.diffusion.tasks import two_pass
from pipelines.diffusion.tasks.image_to_image import limits_of
from pipelines.diffusion.tasks.pieces import grid
from pipelines.diffusion.tasks.pieces import redraw as redrawn
from pipelines.diffusion.tasks.text_to_image import decode_latent
from pipelines.errors import Cancelled, ImageTooLarge, OutOfMemory, SizeUnsuitable
from pipelines.graph.values import Image, Layer, ListValue, Mask, ModelHandle
from pipelines.image import crop, resize
from pipelines.inpaint import Box
from pipelines.nodes.diffusion import TextToImage
from pipelines.nodes.inpaint import ImageToImage
from pipelines.upscale.tiles import weight
from tests.helpers.diffusion_context import DiffusionContext
from tests.helpers.disc import picture

PROMPT = "a red apple on a blue background, flat style"
SMALL = {"steps": 4, "guidance_scale": 4.0, "guidance_rescale": 0.7}


def draw(context, width, height, seed=7, upscaler=None, regions=None, **params):
    inputs = {"model": context.loaded.handle, "prompt": PROMPT, "seed": seed, "upscaler": upscaler}
    inputs["regions"] = regions
    chosen = TextToImage.Params(**{**SMALL, "width": width, "height": height, **params})
    return TextToImage().run(inputs, chosen, context)


def redraw(context, image, seed=7, **params):
    inputs = {"model": context.loaded.handle, "image": image, "prompt": PROMPT, "seed": seed}
    return ImageToImage().run(inputs, ImageToImage.Params(**{**SMALL, **params}), context)


def same(first, second):
    return np.array_equal(first.pixels, second.pixels)


def difference(first, second):
    return float(np.abs(first.as_uint8().astype(float) - second.as_uint8()).mean())


def phases(context):
    return [*dict.fromkeys(report.phase for report in context.reports)]


# --- from a prompt ------------------------------------------------------------------------------------------


def test_a_size_in_range_is_drawn_as_ever(starter):
    auto = draw(starter, 72, 56)
    assert same(auto["image"], draw(starter, 72, 56, sizes="exact", detail=0.9)["image"])
    assert "size_plan" not in auto["image"].info
    assert "denoising" in phases(starter)


def test_a_small_picture_is_the_native_one_reduced(starter):
    drawn = draw(starter, 20, 20)["image"]
    assert same(drawn, resize(draw(starter, 64, 64)["image"], 20, 20))
    assert drawn.info["size_plan"]["mode"] == "reduced"
    assert (drawn.info["width"], drawn.info["height"]) == (20, 20)


def test_a_size_between_multiples_is_cut_from_the_next(starter):
    drawn = draw(starter, 61, 70)
    assert same(drawn["image"], crop(draw(starter, 64, 72)["image"], 1, 1, 61, 70))
    assert drawn["latent"].shape == (1, 4, 18, 16)
    with pytest.raises(SizeUnsuitable):
        draw(starter, 61, 70, sizes="exact")


def test_a_large_picture_has_the_composition_of_the_small_one(starter):
    drawn = draw(starter, 150, 100)
    image = drawn["image"]
    assert (image.width, image.height) == (150, 100)
    assert phases(starter) == ["encoding", "composing 72 × 48", "decoding", "enlarging", "drawing detail"]
    plain = resize(draw(starter, 72, 48)["image"], 150, 100)
    assert 0.5 < difference(image, plain) < 20
    assert same(image, draw(starter, 150, 100)["image"])
    assert not same(image, draw(starter, 150, 100, seed=8)["image"])
    assert difference(draw(starter, 150, 100, detail=0.9)["image"], plain) > difference(image, plain)


def test_it_remembers_both_passes(starter):
    info = draw(starter, 150, 100, detail=0.3)["image"].info
    assert (info["width"], info["height"], info["seed"]) == (150, 100, 7)
    assert info["size_plan"] == {
        "mode": "two_pass", "first_width": 72, "first_height": 48, "factor": 2.0833, "detail": 0.3,
        "enlarged_by": "lanczos",
    }  # fmt: skip


def test_the_latent_is_that_of_the_last_pass(starter):
    drawn = draw(starter, 128, 96)
    decoded = decode_latent(starter.loaded, drawn["latent"], starter)[0]
    assert same(decoded, drawn["image"])


def test_every_picture_of_a_batch_has_two_passes(starter):
    batch = draw(starter, 96, 96, batch=2)
    assert isinstance(batch["image"], ListValue)
    assert list(batch["seed"]) == [7, 8]
    detail = [(report.step, report.total) for report in starter.reports if report.phase == "drawing detail"]
    assert detail == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    assert difference(batch["image"][1], draw(starter, 96, 96, seed=8)["image"]) < 1


def test_previews_have_the_final_shape_in_both_passes(starter):
    draw(starter, 200, 100)
    shapes = {
        report.phase: report.preview.width / report.preview.height
        for report in starter.reports
        if report.preview is not None
    }
    assert shapes.keys() == {"composing 96 × 48", "drawing detail"}
    assert all(abs(shape - 2) < 0.1 for shape in shapes.values())


class WithUpscaler(DiffusionContext):
    """Hands out something that isn't a diffusion model, too, and notes what was used."""

    @contextmanager
    def use(self, handle, context):
        self.used.append(handle.kind)
        yield (
            self.loaded
            if handle.kind == "diffusion"
            else SimpleNamespace(descriptor=SimpleNamespace(scale=2))
        )


def test_an_upscaler_enlarges_between_the_passes(starter, tmp_path, monkeypatch):
    context = WithUpscaler(starter.loaded, tmp_path)
    context.used, sizes = [], []

    def grey(loaded, image, cancel, progress):
        sizes.append(image.width)
        return Image(np.full((image.height * 2, image.width * 2, 3), 128, np.uint8))

    monkeypatch.setattr(two_pass, "upscale", grey)
    handle = ModelHandle("upscale", "starter/upscaler", "/nowhere", "")
    drawn = draw(context, 200, 200, upscaler=handle, detail=0.1)["image"]
    assert sizes == [64, 128]  # then hardly anything is missing
    assert context.used == ["diffusion", "upscale", "diffusion"]
    assert drawn.info["size_plan"]["enlarged_by"] == "upscaler"
    assert np.abs(drawn.pixels.mean() - 128) < 25


@pytest.mark.parametrize("phase", ["composing 64 × 64", "drawing detail"])
def test_cancel_takes_effect_in_both_passes(starter, phase):
    starter.on_progress = lambda report: starter.cancel.cancel() if report.phase == phase else None
    with pytest.raises(Cancelled):
        draw(starter, 96, 96, steps=30)
    assert starter.reports[-1].phase == phase
    assert starter.reports[-1].step <= 1


def test_too_large_a_picture_is_refused_before_anything_is_drawn(starter):
    with pytest.raises(ImageTooLarge):
        draw(starter, 65_536, 65_536)
    assert not starter.reports


def test_a_second_pass_that_does_not_fit_is_drawn_in_pieces(starter, monkeypatch):
    original = starter.loaded.pipeline.unet.forward
    room, sizes = 18, []

    def forward(sample, *args, **kwargs):
        sizes.append(tuple(sample.shape[-2:]))
        if max(sizes[-1]) > room:
            raise torch.OutOfMemoryError("no memory")
        return original(sample, *args, **kwargs)

    monkeypatch.setattr(starter.loaded.pipeline.unet, "forward", forward)
    image = draw(starter, 96, 96)["image"]
    assert (image.width, image.height) == (96, 96)
    assert sizes[-1] == (16, 16)
    room = 1
    with pytest.raises(OutOfMemory):
        draw(starter, 96, 96)


# --- in pieces ----------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20), st.sampled_from([8, 16]))
def test_the_pieces_of_a_grid_add_up_to_the_whole(width, height, side, multiple):
    cut = grid(width * multiple, height * multiple, side * multiple, multiple)
    pixels, latents = np.zeros((height * multiple, width * multiple)), np.zeros((height, width))
    pieces = list(cut)
    for piece in pieces:
        box = cut.box(piece)
        assert max(box.width, box.height) <= side * multiple
        pixels[box.slices] += weight(piece, multiple)[..., 0]
        latents[Box(*(side // multiple for side in box)).slices] += weight(piece, 1)[..., 0]
    assert len(pieces) == len(cut)
    assert np.abs(pixels - 1).max() < 1e-5
    assert np.abs(latents - 1).max() < 1e-5


def test_pieces_start_from_parts_of_one_noise(starter, monkeypatch):
    """What is added to the latents of each piece is its part of the whole's first noise, bit by bit."""
    added = []
    monkeypatch.setattr(
        from_picture, "noised", lambda *given: added.append(given[1].clone()) or noised(*given)
    )
    options, wide = SamplingOptions(steps=10), 160
    redrawn(starter.loaded, picture(wide, 64), PROMPT, "", 3, 0.01, options, starter, side=64)
    found, cut = layout(starter.loaded), list(grid(wide, 64, 64, limits_of(starter.loaded).multiple))
    whole = first_noise(found.shape(wide, 64), options.noise, generators([3]), [0], 0.0)
    assert len(added) == len(cut) > 2
    for noise, piece in zip(added, cut, strict=True):
        multiple = limits_of(starter.loaded).multiple // found.factor
        part = whole[..., piece.columns.start * multiple : piece.columns.end * multiple]
        assert torch.equal(noise, part.to(starter.loaded.dtype).float())


def test_pieces_keep_the_broad_colours(starter):
    image = picture(128, 128)
    options = SamplingOptions(steps=4, guidance_scale=4.0)
    drawn = redrawn(starter.loaded, image, "a green frog", "", 3, 0.6, options, starter, side=64).image
    for corner in (np.s_[:64, :64], np.s_[64:, 64:]):
        shift = drawn.pixels[corner].mean((0, 1)) - image.pixels[corner].mean((0, 1))
        assert np.abs(shift).max() < 6
    assert difference(drawn, image) > 3


def test_a_region_steers_both_passes(starter):
    values = np.zeros((96, 128), np.float32)
    values[:, 64:] = 1
    layer = Layer("region", "frog", mask=Mask(values), info={"prompt": "a green frog", "weight": 1.0})
    plain = draw(starter, 128, 96)["image"]
    steered = draw(starter, 128, 96, regions=(layer,))["image"]
    change = np.abs(steered.pixels.astype(float) - plain.pixels)
    left, right = change[:, :56].mean(), change[:, 72:].mean()
    assert right > left + 1
    assert steered.info["regions"][0]["prompt"] == "a green frog"


# --- from a picture -----------------------------------------------------------------------------------------


def test_a_large_picture_is_drawn_anew_in_two_passes(starter):
    image = picture(160, 90, 4)
    drawn = redraw(starter, image, strength=0.8)["image"]
    assert (drawn.width, drawn.height, drawn.channels) == (160, 90, 4)
    assert np.array_equal(drawn.pixels[..., 3], image.pixels[..., 3])
    assert drawn.info["size_plan"]["mode"] == "two_pass"
    assert "drawing detail" in phases(starter)
    once = redraw(starter, image, strength=0.8, sizes="exact")["image"]
    assert "size_plan" not in once.info


def test_little_strength_keeps_the_detail_of_a_large_picture(starter):
    image = picture(160, 90)
    fine = Image(image.pixels ^ np.uint8(24) * (np.indices((90, 160)).sum(0) % 2)[..., None].astype(np.uint8))
    drawn = redraw(starter, fine, strength=0.2, batch=2)
    assert list(drawn["seed"]) == [7, 8]
    assert "drawing detail" not in phases(starter)
    assert difference(drawn["image"][0], fine) < difference(
        redraw(starter, fine, strength=0.2, sizes="exact")["image"], fine
    )
    assert (drawn["image"][0].info["width"], drawn["image"][0].info["height"]) == (160, 90)


def test_a_picture_in_range_is_drawn_as_ever(starter):
    image = picture(70, 50)
    assert same(redraw(starter, image)["image"], redraw(starter, image, sizes="exact")["image"])
