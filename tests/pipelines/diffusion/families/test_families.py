"""Every family that draws, tiny and random: saved as a folder, found, opened, and run in each task it has."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch

from pipelines.diffusion.families import denoiser_of, family_of, parameters
from pipelines.diffusion.latents.encode_image import encode_image
from pipelines.diffusion.prompts.encoding import encode
from pipelines.diffusion.samplers.scheduling import scheduler_config
from pipelines.diffusion.samplers.table import Sampler, availability
from pipelines.diffusion.sampling.sampling import uses_negative
from pipelines.errors import Cancelled, ModelUnsuitable
from pipelines.graph.values import Image, Layer, ListValue, Mask
from pipelines.inpaint.geometry import SizeLimits, plan_crop
from pipelines.models.access import Models
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.families.class_names import of_pipeline
from pipelines.models.libraries import without_notices
from pipelines.models.loaded import LoadedDiffusion
from pipelines.models.loading import ModelLoader
from pipelines.models.residency import Residency
from pipelines.nodes.diffusion import EncodePrompt, SampleLatent, TextToImage
from pipelines.nodes.inpaint import ImageToImage, Inpaint
from tests.helpers import tiny_large, tiny_transformers
from tests.helpers.diffusion_context import DiffusionContext, wrap
from tests.helpers.disc import picture
from tests.helpers.fake_card import FakeCard
from tests.helpers.model_files import LoadingContext

FAMILIES_BUILT: Final[Mapping[str, Callable[[], Any]]] = {
    "sd3": tiny_transformers.sd3,
    "sd3-t5": tiny_transformers.sd3_t5,
    "flux-dev": tiny_transformers.flux_dev,
    "flux-schnell": tiny_transformers.flux_schnell,
    "chroma": tiny_transformers.chroma,
    "pixart-alpha": tiny_transformers.pixart_alpha,
    "pixart-sigma": tiny_transformers.pixart_sigma,
    "auraflow": tiny_transformers.auraflow,
    "sana": tiny_transformers.sana,
    "sana-sprint": tiny_transformers.sana_sprint,
    "lumina2": tiny_transformers.lumina2,
    **tiny_large.BUILT,
}
"""What makes a tiny pipeline of each family that draws from a prompt, a picture, and what a mask shows."""

DISTILLED: Final = frozenset({"flux-dev", "flux-schnell", "sana-sprint"}) | tiny_large.DISTILLED
"""Those whose guidance, if they have any, needs no negative prompt."""

VARIANTS: Final = frozenset({"sd3", "flux-schnell", "pixart-alpha"})
"""Those that differ from another in what is loaded alone: opened and drawn with, and no more."""

SIDE: Final = 64
PROMPT: Final = "a red apple"
OTHER: Final = "a blue house, and a dog"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], LoadedDiffusion]:
    """Opens a family as users' folders are; each once."""
    root = tmp_path_factory.mktemp("families")
    opened: dict[str, LoadedDiffusion] = {}

    def open_family(name: str) -> LoadedDiffusion:
        if name not in opened:
            with without_notices():
                FAMILIES_BUILT[name]().save_pretrained(root / name / "diffusion" / name)
            catalogue = Catalogue(default_roots(root / name))
            access = Models(catalogue, Residency(ModelLoader(catalogue)))
            handle = access.find("diffusion", name, dtype="fp32")
            with access.use(handle, LoadingContext()) as loaded:
                opened[name] = loaded
            loaded.card["listed"] = dict(loaded.card)
            loaded.card["native_size"] = (SIDE, SIDE)  # what is so small is drawn as it is
        return opened[name]

    return open_family


@pytest.fixture(autouse=True)
def quick_previews(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fitted to one picture, which is enough for a map."""
    monkeypatch.setattr("pipelines.diffusion.latents.preview._PICTURES", 1)


@pytest.fixture(params=sorted(FAMILIES_BUILT.keys() - VARIANTS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def kept() -> dict[str, dict[tuple[object, ...], Any]]:
    """What was encoded, by family: text encoders take the most of the time."""
    return {}


@pytest.fixture
def context(
    name: str,
    models: Callable[[str], LoadedDiffusion],
    kept: dict[str, dict[tuple[object, ...], Any]],
    tmp_path: Path,
) -> DiffusionContext:
    return DiffusionContext(models(name), tmp_path, kept=kept.setdefault(name, {}))


def given(context: DiffusionContext, prompt: str, **more: Any) -> dict[str, Any]:
    return {"model": context.loaded.handle, "prompt": prompt, "negative": "", "seed": 3, **more}


def draw(context: DiffusionContext, prompt: str = PROMPT, negative: str = "", **params: Any) -> Any:
    options = {"width": SIDE, "height": SIDE, "steps": 2, "guidance_scale": 4.0, "sizes": "exact", **params}
    inputs = given(context, prompt, negative=negative)
    return TextToImage().run(inputs, TextToImage.Params(**options), context)


def same(first: Image, second: Image) -> bool:
    return np.array_equal(first.pixels, second.pixels)


@pytest.mark.parametrize("name", sorted(FAMILIES_BUILT))
def test_it_is_found_opened_and_draws_what_the_prompt_says(name: str, context: DiffusionContext) -> None:
    loaded = context.loaded
    named = of_pipeline(type(loaded.pipeline).__name__)
    assert named is not None
    assert loaded.card["family"] == loaded.handle.family == named.family
    width, height = loaded.card["listed"]["native_size"]
    assert width % loaded.card["size_multiple"] == height % loaded.card["size_multiple"] == 0
    drawn = draw(context)
    found = family_of(loaded.pipeline).layout(loaded.pipeline)
    assert drawn["image"].pixels.shape == (SIDE, SIDE, 3)
    assert drawn["latent"].shape == (1, *found.shape(SIDE, SIDE))
    assert [(report.step, report.total) for report in context.denoising] == [(1, 2), (2, 2)]
    assert context.denoising[0].preview is not None
    assert context.denoising[0].preview.pixels.shape[:2] == found.shape(SIDE, SIDE)[1:]
    assert same(drawn["image"], draw(context)["image"])
    assert not same(drawn["image"], draw(context, "a blue house")["image"])
    assert not context.warnings


def test_it_is_the_picture_of_the_bare_library_call(name: str, context: DiffusionContext) -> None:
    pipeline = context.loaded.pipeline
    pipeline.set_progress_bar_config(disable=True)
    takes = parameters(pipeline.__call__)
    more: dict[str, Any] = {
        key: value for key, value in family_of(pipeline).constants.items() if key in takes
    }
    if name in tiny_large.BUILT:
        more |= tiny_large.bare(name, pipeline, "blue", SIDE, 2 * SIDE)
    elif name not in DISTILLED:
        more["negative_prompt"] = "blue"
    usual = {
        "width": SIDE, "height": 2 * SIDE, "num_inference_steps": 2, "guidance_scale": 4.0,
        "generator": torch.Generator().manual_seed(3), "output_type": "np", "return_dict": False,
    }  # fmt: skip
    expected = pipeline(prompt=PROMPT, **{**usual, **more})[0][0]
    ours = draw(context, negative="blue", height=2 * SIDE)["image"].pixels / 255.0
    assert np.abs(ours - expected).max() < 0.01


def test_a_negative_prompt_counts_with_true_guidance_alone(name: str, context: DiffusionContext) -> None:
    plain, unwanted = draw(context)["image"], draw(context, negative="blue")["image"]
    assert same(plain, unwanted) == (name in DISTILLED)
    assert uses_negative(context.loaded, 4.0) == (name not in DISTILLED)
    assert not uses_negative(context.loaded, 1.0)


def test_in_three_nodes_it_is_the_same_picture(name: str, context: DiffusionContext) -> None:
    """An encoded prompt doesn't know yet whether it will be one to keep out."""
    handle = context.loaded.handle
    encoded = [
        EncodePrompt().run({"model": handle, "prompt": text}, EncodePrompt.Params(), context)["conditioning"]
        for text in (PROMPT, "blue")
    ]
    inputs = {"model": handle, "positive": encoded[0], "negative": encoded[1], "seed": 3}
    params = SampleLatent.Params(width=SIDE, height=SIDE, steps=2, guidance_scale=4.0)
    latent = SampleLatent().run(inputs, params, context)["latent"]
    assert torch.equal(latent.tensor(), draw(context, negative="blue")["latent"].tensor())


def test_a_batch_has_a_seed_each_and_guidance_1_asks_once(name: str, context: DiffusionContext) -> None:
    asked: list[int] = []
    denoiser = denoiser_of(context.loaded.pipeline)
    hook = denoiser.register_forward_pre_hook(lambda *_: asked.append(1))
    try:
        batch = draw(context, batch=2, guidance_scale=1)
    finally:
        hook.remove()
    assert len(asked) == 2
    assert list(batch["seed"]) == [3, 4]
    alone = draw(context, guidance_scale=1)["image"]
    assert np.abs(alone.pixels.astype(int) - batch["image"][0].pixels).max() <= 2
    assert not same(*batch["image"])


def test_a_picture_is_drawn_anew_as_far_as_its_strength_says(context: DiffusionContext) -> None:
    def redraw(strength: float, steps: int) -> Any:
        params = ImageToImage.Params(steps=steps, guidance_scale=4.0, strength=strength)
        return ImageToImage().run(given(context, PROMPT, image=picture()), params, context)

    half, little = redraw(0.5, 4), redraw(0.02, 50)
    assert half["image"].info["steps_run"] == "2 of 4"
    assert half["image"].pixels.shape == (SIDE, SIDE, 3)
    assert same(half["image"], redraw(0.5, 4)["image"])
    original = encode_image(context.loaded, picture(), context).tensor()
    distances = [(drawn["latent"].tensor() - original).abs().mean() for drawn in (little, half)]
    assert distances[0] < 0.5 * distances[1]


def test_only_what_a_soft_mask_shows_is_repainted(context: DiffusionContext) -> None:
    values = np.zeros((SIDE, SIDE), np.float32)
    values[8:56, 8:40] = np.linspace(1, 0.1, 32)
    params = Inpaint.Params(steps=2, guidance_scale=4.0, strength=1.0)
    drawn = Inpaint().run(given(context, PROMPT, image=picture(), mask=Mask(values)), params, context)
    multiple = context.loaded.card["size_multiple"]
    plan = plan_crop(Mask(values), 1.0, SizeLimits((SIDE, SIDE), SIDE, SIDE * SIDE, multiple))
    changed = (drawn["image"].pixels != picture().pixels).any(axis=2)
    assert not changed[plan.composite.values == 0].any()
    assert changed[values == 1].mean() > 0.9


def test_what_the_mask_keeps_stays_in_the_latents(context: DiffusionContext) -> None:
    """To the last step, whatever its pipeline makes of the sampler's answers."""
    values = np.zeros((2 * SIDE, 2 * SIDE), np.float32)
    values[:, :SIDE] = 1
    exact = {"grow": 0, "feather": 0, "blend": 0}
    params = Inpaint.Params(steps=2, guidance_scale=4.0, strength=1.0, sizes="exact", **exact)
    image = picture(2 * SIDE, 2 * SIDE)
    context.loaded.card["native_size"] = (2 * SIDE, 2 * SIDE)
    try:
        drawn = Inpaint().run(given(context, PROMPT, image=image, mask=Mask(values)), params, context)
    finally:
        context.loaded.card["native_size"] = (SIDE, SIDE)
    original = encode_image(context.loaded, image, context).tensor()
    half = original.shape[-1] // 2
    torch.testing.assert_close(drawn["latent"].tensor()[..., half:], original[..., half:])
    assert not torch.allclose(drawn["latent"].tensor()[..., :half], original[..., :half], atol=1e-3)


def test_samplers_of_each_kind_draw(context: DiffusionContext) -> None:
    """Two evaluations a step, fresh noise, a solver's own schedule: those of them that serve the family."""
    config = scheduler_config(context.loaded.pipeline)
    for sampler in {Sampler.HEUN, Sampler.DPMPP_2M_SDE, Sampler.LCM} - set(availability(config)):
        assert draw(context, sampler=sampler)["latent"].tensor().isfinite().all(), sampler


def test_a_single_step_is_enough(context: DiffusionContext) -> None:
    assert draw(context, steps=1)["latent"].tensor().isfinite().all()


def test_cancel_takes_effect_inside_a_step(context: DiffusionContext) -> None:
    denoiser = denoiser_of(context.loaded.pipeline)
    reached: list[int] = []
    start = denoiser.register_forward_pre_hook(lambda *_: context.cancel.cancel())
    end = list(denoiser.children())[-1].register_forward_hook(lambda *_: reached.append(1))
    try:
        with pytest.raises(Cancelled):
            draw(context, steps=30)
    finally:
        start.remove()
        end.remove()
    assert not reached


def test_a_region_has_a_prompt_of_its_own_and_what_is_outside_stays(context: DiffusionContext) -> None:
    """In one step, after which nothing of it has spread; one that says what all does changes nothing."""

    def latents(prompt: str, *regions: Layer, batch: int = 1) -> torch.Tensor:
        size = {"width": SIDE, "height": SIDE, "sizes": "exact", "steps": 1, "guidance_scale": 4.0}
        inputs = given(context, prompt, negative="blue", regions=ListValue(regions))
        latent = TextToImage().run(inputs, TextToImage.Params(**size, batch=batch), context)["latent"]
        first: torch.Tensor = (latent[0] if batch > 1 else latent).tensor()
        return first

    plain, alone = latents(PROMPT), latents(OTHER)
    half, difference = SIDE // 2, float((alone - plain).abs().max())
    upper, corner = _region(OTHER, np.s_[:half]), _region(PROMPT, np.s_[half:, :half])
    steered = latents(PROMPT, upper, corner, batch=2)
    close = min(1e-4, difference / 20)
    assert difference > 1e-4
    half = plain.shape[2] // 2
    torch.testing.assert_close(steered[:, :, half:], plain[:, :, half:], atol=close, rtol=1e-6)
    torch.testing.assert_close(steered[:, :, :half], alone[:, :, :half], atol=close, rtol=1e-6)


def _region(prompt: str, place: Any) -> Layer:
    values = np.zeros((SIDE, SIDE), np.float32)
    values[place] = 1
    return Layer("region", prompt, mask=Mask(values), info={"prompt": prompt, "weight": 1.0})


def test_what_is_not_read_of_a_long_prompt_is_told(context: DiffusionContext) -> None:
    encode(context.loaded, "apple " * 2000, 1, context)
    (warning,) = context.warnings
    assert warning.code == "PromptTooLong"
    read = family_of(context.loaded.pipeline).tokens(context.loaded.pipeline)
    assert 0 < warning.arguments["used"] <= read.limit - read.before


def test_the_third_text_encoder_may_be_left_away(
    models: Callable[[str], LoadedDiffusion], tmp_path: Path
) -> None:
    """Folders of Stable Diffusion 3 are kept without their largest part."""
    shutil.copytree(models("sd3-t5").handle.path, tmp_path / "diffusion" / "small")
    for part in ("text_encoder_3", "tokenizer_3"):
        shutil.rmtree(tmp_path / "diffusion" / "small" / part)
    catalogue = Catalogue(default_roots(tmp_path))
    access = Models(catalogue, Residency(ModelLoader(catalogue)))
    with access.use(access.find("diffusion", "small", dtype="fp32"), LoadingContext()) as loaded:
        assert loaded.pipeline.text_encoder_3 is loaded.pipeline.tokenizer_3 is None
        assert draw(DiffusionContext(loaded, tmp_path))["latent"].tensor().isfinite().all()


@pytest.mark.parametrize("name", ["auraflow", "chroma", "lumina2"])
def test_blocks_that_do_not_fit_are_fetched_for_each_step(name: str, tmp_path: Path) -> None:
    with without_notices():
        whole = getattr(tiny_transformers, name)(layers=6)
    weights = {part: _bytes(network) for part, network in whole.components.items()}
    card = FakeCard(int(0.75 * weights["transformer"]), **{name: lambda: copy.deepcopy(whole)})
    expected = draw(DiffusionContext(wrap(whole, name=name), tmp_path))
    with card.use(name) as loaded:
        drawn = draw(DiffusionContext(loaded, tmp_path))
        assert loaded.residence.moved > 0
    assert torch.equal(drawn["latent"].tensor(), expected["latent"].tensor())
    assert weights["transformer"] > card.device.memory.peak


def _bytes(part: Any) -> int:
    tensors = part.state_dict().values() if isinstance(part, torch.nn.Module) else ()
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def test_a_distilled_klein_is_not_guided(models: Callable[[str], LoadedDiffusion], tmp_path: Path) -> None:
    context = DiffusionContext(models("flux2-klein"), tmp_path)
    pipeline = context.loaded.pipeline
    unguided = draw(context, negative="blue", guidance_scale=1)["image"]
    pipeline.register_to_config(is_distilled=True)
    try:
        assert not uses_negative(context.loaded, 4.0)
        assert same(draw(context, negative="blue")["image"], unguided)
    finally:
        pipeline.register_to_config(is_distilled=False)


def test_a_size_that_a_transformer_has_no_room_for_is_refused(
    models: Callable[[str], LoadedDiffusion], tmp_path: Path
) -> None:
    context = DiffusionContext(models("hidream"), tmp_path)
    assert draw(context, width=SIDE, height=4 * SIDE)["image"].height == 4 * SIDE
    with pytest.raises(ModelUnsuitable, match="megapixels"):
        draw(context, width=2 * SIDE, height=4 * SIDE)
