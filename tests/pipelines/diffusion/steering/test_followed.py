"""Models that see a control picture themselves: FLUX.1 Control, and Stable Diffusion 2 made for depth."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FluxControlImg2ImgPipeline

from pipelines.errors import ControlPictureMissing, TooManyControlPictures
from pipelines.graph.values import Image, Layer, ListValue, Mask
from pipelines.models.access import Models
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.libraries import without_notices
from pipelines.models.loading import ModelLoader
from pipelines.models.residency import Residency
from pipelines.nodes.diffusion import TextToImage
from pipelines.nodes.inpaint import ImageToImage, Inpaint
from pipelines.nodes.upscale import DiffusionUpscale
from tests.helpers import tiny_followers
from tests.helpers.diffusion_context import DiffusionContext
from tests.helpers.disc import picture
from tests.helpers.model_files import LoadingContext

SIDE = 64
PROMPT = "a red apple"


class FollowingContext(DiffusionContext):
    """A context whose other models are those of the folder."""

    access: Models

    def find(self, *asked: Any, **named: Any) -> Any:
        return self.access.find(*asked, **named)

    def use(self, handle: Any, context: Any) -> Any:
        if handle.kind == "diffusion":
            return super().use(handle, context)
        return self.access.use(handle, LoadingContext())


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], FollowingContext]:
    """Opens a family from a folder as users have it; each once."""
    root, known = tmp_path_factory.mktemp("following"), {}

    def open_family(name: str) -> FollowingContext:
        if name not in known:
            made = {"flux-control": tiny_followers.flux_control, "sd2-depth": tiny_followers.sd2_depth}[name]
            with without_notices():
                made().save_pretrained(root / name / "diffusion" / name)
            catalogue = Catalogue(default_roots(root / name))
            access = Models(catalogue, Residency(ModelLoader(catalogue)))
            with access.use(access.find("diffusion", name, dtype="fp32"), LoadingContext()) as loaded:
                known[name] = loaded, access
            loaded.card["native_size"] = (SIDE, SIDE)
        context = FollowingContext(known[name][0], root)
        context.access = known[name][1]
        return context

    return open_family


@pytest.fixture(autouse=True)
def quick_previews(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fitted to one picture, which is enough for a map."""
    monkeypatch.setattr("pipelines.diffusion.latents.preview._PICTURES", 1)


@pytest.fixture(params=["flux-control", "sd2-depth"])
def context(request: pytest.FixtureRequest, opened: Callable[[str], FollowingContext]) -> FollowingContext:
    return opened(request.param)


def control(seed: int = 1, side: int = SIDE, **info: Any) -> Layer:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 1), np.uint8)
    return Layer("control", f"control {seed}", Image(np.repeat(pixels, 3, axis=2)), None, info)


def draw(context: Any, *layers: Layer, node: Any = TextToImage, inputs: Any = None, **params: Any) -> Any:
    size = {"width": SIDE, "height": SIDE} if node is TextToImage else {}
    given = {
        "model": context.loaded.handle, "prompt": PROMPT, "seed": 3, "controls": ListValue(layers),
        **(inputs or {}),
    }  # fmt: skip
    return node().run(given, node.Params(**{"steps": 2, "guidance_scale": 4.0, **size, **params}), context)


def difference(one: Image, other: Image) -> float:
    return float(np.abs(one.as_float() - other.as_float()).max())


def test_the_picture_of_flux_control_is_that_of_the_bare_library_call(opened: Any) -> None:
    context, layer = opened("flux-control"), control()
    assert context.loaded.handle.family == context.loaded.card["family"] == "flux-control"
    pipeline = copy.copy(context.loaded.pipeline)
    pipeline.set_progress_bar_config(disable=True)
    shown = torch.tensor(layer.image.as_float().transpose(2, 0, 1)[None]) * 2 - 1
    usual = {
        "width": SIDE, "height": SIDE, "guidance_scale": 4.0, "output_type": "np", "control_image": shown,
    }  # fmt: skip
    noise = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(3))
    latents = pipeline._pack_latents(noise, *noise.shape)
    expected = pipeline(PROMPT, num_inference_steps=2, latents=latents, **usual).images[0]
    drawn = draw(context, layer)["image"]
    assert difference(drawn, Image(expected)) < 0.01
    assert difference(drawn, draw(context, control(2))["image"]) > 0.01
    anew = FluxControlImg2ImgPipeline(**pipeline.components)
    anew.set_progress_bar_config(disable=True)
    start = torch.tensor(picture().as_float().transpose(2, 0, 1)[None])
    anew.prepare_latents = _beginning(anew, noise)
    expected = anew(PROMPT, image=start, strength=0.5, num_inference_steps=4, **usual).images[0]
    inputs = {"image": picture()}
    drawn = draw(context, layer, node=ImageToImage, inputs=inputs, strength=0.5, steps=4)["image"]
    assert difference(drawn, Image(expected)) < 0.01


def _beginning(pipeline: Any, noise: torch.Tensor) -> Any:
    """diffusers' own, with this noise: it draws its own after encoding the picture by chance."""
    original = pipeline.prepare_latents

    def prepare_latents(image: Any, timestep: Any, *rest: Any) -> Any:
        _, ids = original(image, timestep, *rest)
        latents = pipeline._encode_vae_image(image=image, generator=None)
        started = pipeline.scheduler.scale_noise(latents, timestep, noise)
        return pipeline._pack_latents(started, *started.shape), ids

    return prepare_latents


def test_the_picture_of_a_depth_model_is_that_of_the_bare_library_call(opened: Any) -> None:
    context, layer = opened("sd2-depth"), control()
    assert context.loaded.handle.family == "sd2-depth"
    parts = {name: part for name, part in context.loaded.pipeline.components.items() if name in BARE}
    bare = tiny_followers.sd2_depth().__class__(**parts, depth_estimator=None, feature_extractor=None)
    bare.set_progress_bar_config(disable=True)
    depth = torch.tensor(layer.image.as_float()[None, ..., 0])
    noise = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(3))
    bare.prepare_latents = lambda image, timestep, *_: bare.scheduler.add_noise(
        bare.vae.encode(image).latent_dist.mode() * bare.vae.config.scaling_factor, noise, timestep
    )
    start = torch.tensor(picture().as_float().transpose(2, 0, 1)[None])
    expected = bare(
        PROMPT, image=start, depth_map=depth, strength=0.5, num_inference_steps=4, guidance_scale=4.0,
        output_type="np",
    ).images[0]  # fmt: skip
    inputs = {"image": picture()}
    drawn = draw(context, layer, node=ImageToImage, inputs=inputs, strength=0.5, steps=4)["image"]
    assert difference(drawn, Image(expected)) < 0.01


BARE = frozenset({"vae", "text_encoder", "tokenizer", "unet", "scheduler"})


def test_a_depth_model_finds_the_depth_of_what_it_starts_from(opened: Any) -> None:
    context = opened("sd2-depth")
    own = context.find("depth", str(Path(context.loaded.handle.path) / "depth_estimator"))
    with context.use(own, context) as estimator:
        assert estimator.mean == (0.5, 0.5, 0.5)  # as the model's own feature extractor says
    inputs = {"image": picture()}
    found = draw(context, node=ImageToImage, inputs=inputs)["image"]
    assert found.info["controls"] == [{"name": "picture", "control": "start"}]
    assert difference(found, draw(context, control(), node=ImageToImage, inputs=inputs)["image"]) > 1 / 255


def test_it_is_followed_in_every_task_and_at_any_size(context: FollowingContext) -> None:
    values = np.zeros((SIDE, SIDE), np.float32)
    values[:, :32] = 1
    for node, more in ((Inpaint, {"mask": Mask(values)}), (DiffusionUpscale, {})):
        inputs = {"image": picture(), **more}
        one, other = (
            draw(context, control(seed), node=node, inputs=inputs, steps=1)["image"] for seed in (1, 2)
        )
        assert difference(one, other) > 1 / 255, node
    batch = draw(context, control(1, 32), batch=2, width=2 * SIDE, height=SIDE)["image"]
    assert batch[0].pixels.shape == (SIDE, 2 * SIDE, 3)
    assert difference(*batch) > 1 / 255


def test_what_is_wrong_with_the_control_pictures_is_said(context: FollowingContext) -> None:
    name = context.loaded.handle.id
    with pytest.raises(ControlPictureMissing, match=rf"{name}.*\n?.*depth"):
        draw(context)
    with pytest.raises(TooManyControlPictures, match="2"):
        draw(context, control(1), control(2))
    draw(context, control(weight=0.5))
    assert [warning.arguments["setting"] for warning in context.warnings] == ["Weight"]
