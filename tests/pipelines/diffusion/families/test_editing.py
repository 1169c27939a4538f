"""Models that edit, tiny and random: what they see of references, and that diffusers' own pipelines draw the
same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInstructPix2PixPipeline, StableDiffusionXLInstructPix2PixPipeline
from diffusers.pipelines.kandinsky5 import pipeline_kandinsky_i2i
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus
from PIL import Image as Pillow

from pipelines.diffusion.families import family_of
from pipelines.diffusion.families.looking import Looking
from pipelines.errors import LayerUnsuitable, ReferenceMissing, TooManyReferences
from pipelines.graph.values import Image, Layer, Mask
from pipelines.models.access import Models
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.libraries import without_notices
from pipelines.models.loaded import LoadedDiffusion
from pipelines.models.loading import ModelLoader
from pipelines.models.residency import Residency
from pipelines.nodes.diffusion import DecodeLatent, EncodePrompt, SampleLatent, TextToImage
from pipelines.nodes.inpaint import ImageToImage, Inpaint
from tests.helpers import tiny_large
from tests.helpers.diffusion_context import DiffusionContext, wrap
from tests.helpers.disc import picture
from tests.helpers.model_files import LoadingContext
from tests.helpers.tiny_editors import EDITORS

SIDE: Final = 64
PROMPT: Final = "make it an apple"
PIX2PIX: Final = frozenset({"sd1-edit", "sdxl-edit"})
ALL: Final = sorted({*EDITORS, "flux2-dev"})
SOME: Final = ["flux-kontext", "kandinsky5-edit", "qwen-image-edit-plus", "sd1-edit"]
"""One of each way to look at a picture."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LoadedDiffusion]:
    """All of them, those made for editing opened as users' folders are."""
    root = tmp_path_factory.mktemp("editors")
    for name, build in EDITORS.items():
        with without_notices():
            build().save_pretrained(root / "diffusion" / name)
    catalogue = Catalogue(default_roots(root))
    access = Models(catalogue, Residency(ModelLoader(catalogue)))
    opened = {"flux2-dev": wrap(tiny_large.flux2(), name="flux2-dev", size_multiple=16)}
    opened["flux2-dev"].handle = opened["flux2-dev"].handle.replace(family="flux2")
    for name in EDITORS:
        with access.use(access.find("diffusion", name, dtype="fp32"), LoadingContext()) as loaded:
            opened[name] = loaded
    for loaded in opened.values():
        loaded.card["native_size"] = (SIDE, SIDE)  # what is so small is drawn as it is
    return opened


@pytest.fixture(autouse=True)
def quick_previews(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fitted to one picture, which is enough for a map."""
    monkeypatch.setattr("pipelines.diffusion.latents.preview._PICTURES", 1)


@pytest.fixture(scope="module")
def kept() -> dict[str, dict[tuple[object, ...], Any]]:
    """What was encoded, by model: text encoders take the most of the time."""
    return {}


@pytest.fixture
def opened(
    models: dict[str, LoadedDiffusion], kept: dict[str, dict[tuple[object, ...], Any]], tmp_path: Path
) -> Callable[[str], DiffusionContext]:
    return lambda name: DiffusionContext(models[name], tmp_path, kept=kept.setdefault(name, {}))


def reference(image: Image) -> Layer:
    return Layer("reference", "reference", image=image)


def negative(image: Image) -> Image:
    return Image(np.ascontiguousarray(255 - image.pixels))


def edit(context: DiffusionContext, *pictures: Image, **params: Any) -> Image:
    options = {"width": SIDE, "height": SIDE, "steps": 2, "guidance_scale": 4.0, "sizes": "exact", **params}
    given = {
        "model": context.loaded.handle, "prompt": PROMPT, "negative": "blue", "seed": 3,
        "references": [reference(image) for image in pictures],
    }  # fmt: skip
    image: Image = TextToImage().run(given, TextToImage.Params(**options), context)["image"]
    return image


def same(first: Image, second: Image) -> bool:
    return np.array_equal(first.pixels, second.pixels)


def bare(name: str, pipeline: Any, shown: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, dict[str, Any]]:
    """The pipeline of diffusers that edits with this model, and what its call needs to draw the same."""
    match name:
        case "flux-kontext":
            return pipeline, {"image": shown, "max_area": SIDE * SIDE, "_auto_resize": False}
        case "qwen-image-edit":
            monkeypatch.setattr(
                pipeline_qwenimage_edit, "calculate_dimensions", lambda *_: (SIDE, SIDE, None)
            )
        case "qwen-image-edit-plus":
            monkeypatch.setattr(pipeline_qwenimage_edit_plus, "VAE_IMAGE_SIZE", SIDE**2)
            monkeypatch.setattr(pipeline_qwenimage_edit_plus, "CONDITION_IMAGE_SIZE", 24**2)
        case "sd1-edit":
            parts = pipeline.components
            made = StableDiffusionInstructPix2PixPipeline(**parts, requires_safety_checker=False)
            return made, {"image": shown, "negative_prompt": "blue", "image_guidance_scale": 2.0}
        case "sdxl-edit":
            parts = {part: value for part, value in pipeline.components.items() if value is not None}
            made = StableDiffusionXLInstructPix2PixPipeline(**parts, add_watermarker=False)
            return made, {"image": shown, "negative_prompt": "blue", "image_guidance_scale": 2.0}
        case "kandinsky5-edit":  # its noise has the channels last
            pipeline.resolutions = [(SIDE, SIDE)]
            monkeypatch.setattr(pipeline_kandinsky_i2i, "randn_tensor", _noise_with_channels_last)
            return pipeline, {"image": shown, "negative_prompt": "blue"}
        case _:
            tiny_large.bare(name, pipeline, "blue", SIDE, SIDE)
            return pipeline, {"image": shown}
    return pipeline, {
        "image": shown, "negative_prompt": "blue", "true_cfg_scale": 4.0, "guidance_scale": None,
    }  # fmt: skip


def _noise_with_channels_last(
    shape: tuple[int, ...], generator: torch.Generator, **named: Any
) -> torch.Tensor:
    count, _, height, width, channels = shape
    return torch.randn(count, channels, height, width, generator=generator).permute(0, 2, 3, 1).unsqueeze(1)


@pytest.mark.parametrize("name", ALL)
def test_it_is_the_picture_of_the_bare_library_call(
    name: str, opened: Callable[[str], DiffusionContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = opened(name)
    assert context.loaded.handle.family == name.removesuffix("-plus").removesuffix("-dev")
    ours = edit(context, picture(), image_guidance_scale=2.0)
    assert not context.warnings
    assert not same(ours, edit(context, negative(picture()), image_guidance_scale=2.0))
    pipeline, more = bare(name, context.loaded.pipeline, Pillow.fromarray(picture().pixels), monkeypatch)
    pipeline.set_progress_bar_config(disable=True)
    usual = {
        "prompt": PROMPT, "num_inference_steps": 2, "guidance_scale": 4.0, "output_type": "np",
        "generator": torch.Generator().manual_seed(3), "width": SIDE, "height": SIDE,
    }  # fmt: skip
    if name == "sd1-edit":  # draws as large as the picture
        del usual["width"], usual["height"]
    expected = pipeline(return_dict=False, **{**usual, **more})[0][0]
    assert np.abs(ours.pixels / 255.0 - expected).max() < 0.01


@pytest.mark.parametrize("name", [*SOME, "flux2-dev"])
def test_what_it_starts_from_is_what_it_edits(name: str, opened: Callable[[str], DiffusionContext]) -> None:
    """At full strength nothing but the reference carries the picture over."""
    context = opened(name)
    looks = family_of(context.loaded.pipeline)
    assert isinstance(looks, Looking)

    def redraw(image: Image) -> Image:
        given = {"model": context.loaded.handle, "prompt": PROMPT, "negative": "", "seed": 3, "image": image}
        params = ImageToImage.Params(steps=2, guidance_scale=4.0, strength=1.0)
        drawn: Image = ImageToImage().run(given, params, context)["image"]
        return drawn

    assert same(redraw(picture()), redraw(negative(picture()))) == (not looks.needed)


@pytest.mark.parametrize("name", SOME)
def test_only_what_a_mask_shows_is_edited(name: str, opened: Callable[[str], DiffusionContext]) -> None:
    context = opened(name)
    values = np.zeros((SIDE, SIDE), np.float32)
    values[16:48, 16:48] = 1
    given = {
        "model": context.loaded.handle, "prompt": PROMPT, "seed": 3, "image": picture(), "mask": Mask(values),
    }  # fmt: skip
    params = Inpaint.Params(steps=2, guidance_scale=4.0, grow=0, feather=0, blend=0)
    changed = (Inpaint().run(given, params, context)["image"].pixels != picture().pixels).any(axis=2)
    assert not changed[values == 0].any()
    assert changed[values == 1].mean() > 0.9


@pytest.mark.parametrize("name", sorted(EDITORS))
def test_without_a_reference_it_says_so_before_it_is_loaded(
    name: str, opened: Callable[[str], DiffusionContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = opened(name)
    monkeypatch.setattr(DiffusionContext, "use", lambda *_: pytest.fail("it was loaded"))
    with pytest.raises(ReferenceMissing, match="References"):
        edit(context)


def test_it_looks_at_as_many_as_it_takes(opened: Callable[[str], DiffusionContext]) -> None:
    several, one = opened("qwen-image-edit-plus"), opened("flux-kontext")
    first, second = picture(), negative(picture())
    pictures = [edit(several, *shown) for shown in ((first,), (first, second), (second, first))]
    assert not same(pictures[0], pictures[1])
    assert not same(pictures[1], pictures[2])
    with pytest.raises(TooManyReferences, match="no more than 3"):
        edit(several, *[first] * 4)
    with pytest.raises(TooManyReferences, match="no more than 1"):
        edit(one, first, second)


def test_in_three_nodes_it_is_the_same_picture(opened: Callable[[str], DiffusionContext]) -> None:
    context = opened("qwen-image-edit")
    shown = {"model": context.loaded.handle, "references": [reference(picture())]}
    encoded = [
        EncodePrompt().run({**shown, "prompt": text}, EncodePrompt.Params(), context)["conditioning"]
        for text in (PROMPT, "blue")
    ]
    params = SampleLatent.Params(width=SIDE, height=SIDE, steps=2, guidance_scale=4.0)
    inputs = {**shown, "positive": encoded[0], "negative": encoded[1], "seed": 3}
    latent = SampleLatent().run(inputs, params, context)["latent"]
    drawn = DecodeLatent().run({**shown, "latent": latent}, DecodeLatent.Params(), context)["image"]
    assert same(drawn, edit(context, picture()))


def test_a_model_that_can_do_without_draws_with_and_without(
    opened: Callable[[str], DiffusionContext],
) -> None:
    context = opened("flux2-dev")
    assert not same(edit(context), edit(context, picture()))


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("flux-kontext", (128, 64), (96, 48)), ("flux2-dev", (30, 90), (32, 112)),
        ("sd1-edit", (64, 64), (64, 64)),
    ],
)  # fmt: skip
def test_the_size_can_be_left_to_the_reference(
    name: str, shape: tuple[int, int], expected: tuple[int, int], opened: Callable[[str], DiffusionContext]
) -> None:
    drawn = edit(opened(name), picture(*shape), width=512, height=512, sizes="reference")
    assert (drawn.width, drawn.height) == expected


def test_each_sees_a_reference_in_the_size_it_was_trained_with(
    opened: Callable[[str], DiffusionContext],
) -> None:
    def seen(name: str, width: int, height: int) -> tuple[int, int]:
        pipeline = opened(name).loaded.pipeline
        family = family_of(pipeline)
        assert isinstance(family, Looking)
        shown = family.seen(pipeline, picture(width, height), (1024, 1024), (512, 768))
        return shown.width, shown.height

    assert seen("flux-kontext", 400, 300) == (1184, 880)
    assert seen("qwen-image-edit-plus", 400, 300) == (1184, 896)
    assert seen("flux2-dev", 400, 300) == (400, 288)
    assert seen("flux2-dev", 1100, 1100) == (1024, 1024)
    assert seen("sdxl-edit", 400, 300) == (512, 768)


@pytest.mark.parametrize("name", sorted(PIX2PIX))
def test_how_close_it_keeps_to_the_picture_counts_with_guidance(
    name: str, opened: Callable[[str], DiffusionContext]
) -> None:
    context = opened(name)
    assert not same(edit(context, picture()), edit(context, picture(), image_guidance_scale=3.0))
    assert same(*(edit(context, picture(), guidance_scale=1, image_guidance_scale=scale) for scale in (1, 3)))


def test_one_instruction_is_all_a_u_net_can_follow(opened: Callable[[str], DiffusionContext]) -> None:
    context = opened("sd1-edit")
    region = Layer("region", "left", mask=Mask(np.ones((SIDE, SIDE), np.float32)), info={"prompt": "a house"})
    given = {
        "model": context.loaded.handle, "prompt": PROMPT, "seed": 3, "references": [reference(picture())],
        "regions": [region],
    }  # fmt: skip
    with pytest.raises(LayerUnsuitable, match="one instruction"):
        TextToImage().run(given, TextToImage.Params(width=SIDE, height=SIDE), context)
