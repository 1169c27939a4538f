"""Upscalers of diffusers, tiny and random: Stable Diffusion's ×4 and the latent one, ×2."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.diffusion.tasks.upscaler_run import UpscalerRun
from pipelines.errors import Cancelled, ImageTooLarge, InvalidParameter, ModelUnsuitable, OutOfMemory
from pipelines.graph.values import Image, ModelHandle
from pipelines.nodes.upscale import DiffusionModelUpscale, UpscaleImage
from tests.helpers import tiny_pipelines
from tests.helpers.diffusion_context import DiffusionContext, wrap
from tests.helpers.disc import picture

OWN = {
    "x4_upscaler": {"steps": 2, "guidance_scale": 9.0, "noise_level": 20},
    "latent_upscaler": {"steps": 2, "guidance_scale": 1.0},
}
SCALE = {"x4_upscaler": 4, "latent_upscaler": 2}


@pytest.fixture(scope="module")
def models():
    return {
        name: wrap(getattr(tiny_pipelines, name)(), name=name, defaults=defaults)
        for name, defaults in OWN.items()
    }


@pytest.fixture(params=list(OWN))
def context(request, models, tmp_path):
    return DiffusionContext(models[request.param], tmp_path)


@pytest.fixture
def x4(models, tmp_path):
    return DiffusionContext(models["x4_upscaler"], tmp_path)


def scale(context):
    return SCALE[context.loaded.handle.id]


def enlarge(context, image=None, prompt="a disc", seed=3, **params):
    inputs = {"model": context.loaded.handle, "image": image or picture(), "prompt": prompt, "seed": seed}
    return DiffusionModelUpscale().run(inputs, DiffusionModelUpscale.Params(**params), context)


class Seen:
    """What the U-Net was called with, of each step."""

    def __init__(self, network):
        self.calls = []
        self._hook = network.register_forward_pre_hook(self._note, with_kwargs=True)

    def _note(self, _module, args, kwargs):
        self.calls.append((args[0].clone(), kwargs))

    def __enter__(self):
        return self.calls

    def __exit__(self, *_):
        self._hook.remove()


# --- as diffusers does it -----------------------------------------------------------------------------------


def test_it_is_the_picture_of_the_bare_library_call(context):
    pipeline = context.loaded.pipeline
    pipeline.set_progress_bar_config(disable=True)
    image = picture()
    arguments = {"num_inference_steps": 3, "guidance_scale": 5.0, "output_type": "np"}
    source = torch.Generator().manual_seed(3)
    small = torch.tensor(image.as_float().transpose(2, 0, 1)[None])
    if "x4" in context.loaded.handle.id:
        arguments |= {
            "image": small,
            "noise_level": 30,
            "latents": torch.randn(1, 4, 64, 64, generator=source),
        }
        # The field of the latents' noise is drawn first, that of the picture's from what follows.
        arguments["generator"] = source
    else:
        with torch.inference_mode():
            latents = pipeline.vae.encode(small * 2 - 1).latent_dist.mode()
        arguments["image"] = latents * pipeline.vae.config.scaling_factor
        arguments["latents"] = torch.randn(1, 4, 16, 16, generator=source)
    expected = pipeline("a disc", **arguments)
    expected = (expected.images if hasattr(expected, "images") else expected[0])[0]
    level = {"noise_level": 30} if "x4" in context.loaded.handle.id else {}
    drawn = enlarge(context, image, steps=3, guidance_scale=5, **level)["image"].as_float()
    assert drawn.shape == expected.shape
    assert np.abs(drawn - expected).max() < 0.01
    assert drawn.std() > 0.01


def test_the_models_own_values_are_used_and_told(x4):
    drawn = enlarge(x4)
    story = drawn["image"].info["upscale"]
    assert story == {
        "prompt": "a disc", "negative": "", "seed": 3, "steps": 2, "guidance_scale": 9.0, "noise_level": 20,
        "tile": 0,
    }  # fmt: skip
    assert (drawn["image"].info["upscaler"], drawn["image"].info["upscale_factor"]) == ("x4_upscaler", 4.0)
    assert [(report.step, report.total) for report in x4.denoising] == [(1, 2), (2, 2)]
    assert x4.denoising[-1].preview.pixels.shape == (64, 64, 3)
    with pytest.raises(InvalidParameter, match="350"):
        enlarge(x4, noise_level=351)


def test_no_prompt_on_either_side_costs_no_guidance(x4):
    with Seen(x4.loaded.pipeline.unet) as calls:
        enlarge(x4, prompt=" ")
    assert [sample.shape[0] for sample, _ in calls] == [1, 1]
    with Seen(x4.loaded.pipeline.unet) as calls:
        enlarge(x4)
    assert [sample.shape[0] for sample, _ in calls] == [2, 2]


def test_a_noise_level_that_means_nothing_is_said(models, tmp_path):
    context = DiffusionContext(models["latent_upscaler"], tmp_path)
    enlarge(context, noise_level=30)
    assert [warning.code for warning in context.warnings] == ["SettingIgnored"]


# --- any picture, any factor --------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_every_kind_of_picture_keeps_its_kind(context, channels, dtype):
    drawn = enlarge(context, picture(21, 13, channels, dtype=dtype), steps=1)["image"]
    by = scale(context)
    assert drawn.pixels.shape == (13 * by, 21 * by, channels)
    assert drawn.pixels.dtype == dtype
    assert drawn.pixels.max() <= (255 if dtype is np.uint8 else 1)


def test_transparency_is_carried_and_what_it_hides_is_not_seen(x4):
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:, 8:] = (200, 100, 50, 255)
    with Seen(x4.loaded.pipeline.unet) as calls:
        drawn = enlarge(x4, Image(pixels), steps=1, noise_level=0)["image"].pixels
    assert (drawn[:, :18, 3] == 0).all()
    assert (drawn[:, 46:, 3] == 255).all()
    seen = calls[0][0][0, 4:, :16, :16].mean((1, 2)) * 127.5 + 127.5
    assert np.allclose(seen.numpy(), (200, 100, 50), atol=15)  # and not half of it


@pytest.mark.parametrize(
    ("params", "size"),
    [({"factor": 1.5}, (30, 21)), ({"factor": 3}, (60, 42)), ({"width": 50, "height": 50}, (50, 35))],
)
def test_any_factor_and_size(context, params, size):
    drawn = enlarge(context, picture(20, 14), steps=1, **params)["image"]
    assert (drawn.width, drawn.height) == size


def test_one_pixel_and_a_result_too_large(context):
    by = scale(context)
    assert enlarge(context, picture(1, 1), steps=1)["image"].pixels.shape == (by, by, 3)
    with pytest.raises(ImageTooLarge):
        enlarge(context, Image(np.zeros((20_000, 20_000, 1), np.uint8)))
    assert len(context.denoising) == 1


# --- pieces -------------------------------------------------------------------------------------------------


def test_pieces_take_their_noise_from_one_field(context):
    """Where neighbours overlap they begin alike, and all of it changes with the seed alone."""
    image = picture(112, 64)
    with Seen(context.loaded.pipeline.unet) as calls:
        first = enlarge(context, image, tile=64, steps=1, prompt="")["image"]
    assert len(calls) == 2
    left, right = (sample[0] for sample, _ in calls)
    cells, seen = (112, 7) if "x4" in context.loaded.handle.id else (28, 4)
    both = 2 * left.shape[-1] - cells
    assert both > 0
    assert torch.equal(left[:seen, :, -both:], right[:seen, :, :both])
    assert (first.width, first.height) == (112 * scale(context), 64 * scale(context))
    assert np.array_equal(first.pixels, enlarge(context, image, tile=64, steps=1, prompt="")["image"].pixels)
    other = enlarge(context, image, tile=64, steps=1, prompt="", seed=4)["image"]
    assert not np.array_equal(first.pixels, other.pixels)


def test_progress_goes_through_all_pieces(context):
    enlarge(context, picture(112, 64), tile=64)
    assert [(report.step, report.total) for report in context.denoising] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert context.denoising[1].preview.pixels.shape == (64, 112, 3)
    assert not np.array_equal(
        context.denoising[1].preview.pixels[:, :40], context.denoising[3].preview.pixels[:, 72:]
    )


def test_pieces_shrink_where_memory_runs_out_and_the_noise_stays(x4, monkeypatch):
    original, tried = UpscalerRun._drawn, []

    def drawn(run, area):
        tried.append(max(area.width, area.height))
        if tried[-1] > 40:
            raise torch.OutOfMemoryError("out of memory")
        return original(run, area)

    monkeypatch.setattr(UpscalerRun, "_drawn", drawn)
    with Seen(x4.loaded.pipeline.unet) as calls:
        result = enlarge(x4, picture(96, 48), tile=64, steps=1, prompt="")["image"]
    assert (result.width, result.height) == (384, 192)
    assert tried.count(64) == 1  # the second piece starts small
    assert max(tried[1:]) == 32
    field = torch.randn((1, 4, 48, 96), generator=torch.Generator().manual_seed(3))
    assert torch.equal(calls[0][0][0, :4], field[0, :, :32, :32])


def test_memory_that_never_suffices_is_said(x4, monkeypatch):
    def never(run, area):
        raise torch.OutOfMemoryError("Tried to allocate 20 MiB")

    monkeypatch.setattr(UpscalerRun, "_drawn", never)
    with pytest.raises(OutOfMemory, match="20 MiB"):
        enlarge(x4)


# --- cancel, and the other node -----------------------------------------------------------------------------


def test_cancel_takes_effect_inside_a_step_and_leaves_nothing_behind(context):
    network = context.loaded.pipeline.unet
    before = [dict(vars(context.loaded.pipeline)), dict(network._forward_pre_hooks)]
    reached = []
    start = network.register_forward_pre_hook(lambda *_: context.cancel.cancel())
    end = network.conv_out.register_forward_hook(lambda *_: reached.append(1))
    try:
        with pytest.raises(Cancelled):
            enlarge(context, steps=40)
    finally:
        start.remove()
        end.remove()
    assert not reached
    assert [dict(vars(context.loaded.pipeline)), dict(network._forward_pre_hooks)] == before
    modules = [*network.modules(), *context.loaded.pipeline.vae.modules()]
    assert not any(module._forward_pre_hooks for module in modules)


def test_the_plain_node_enlarges_with_it_too_always_alike(context):
    inputs = {"model": context.loaded.handle, "image": picture(40, 24)}
    first, again = (
        UpscaleImage().run(inputs, UpscaleImage.Params(factor=3), context)["image"] for _ in range(2)
    )
    assert (first.width, first.height) == (120, 72)
    assert np.array_equal(first.pixels, again.pixels)
    assert first.info["upscale"]["prompt"] == ""


def test_an_upscaler_that_takes_no_prompt_is_refused(tmp_path):
    class Plain:
        handle = ModelHandle("upscale", "plain", "plain.safetensors", "Compact")
        device = torch.device("cpu")

    with pytest.raises(ModelUnsuitable, match="without a prompt"):
        enlarge(DiffusionContext(Plain(), tmp_path))
