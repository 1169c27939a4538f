"""A refiner goes on with what SDXL's base model began, and works from pictures by itself."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionXLImg2ImgPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from pipelines.diffusion.families import family_of
from pipelines.diffusion.families.refiner import BEAUTY, PLAIN
from pipelines.diffusion.sampling.refine import Handover
from pipelines.errors import Cancelled, ModelUnsuitable
from pipelines.models.access import Models
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.files.reading import Reader
from pipelines.models.loaded import LoadedDiffusion
from pipelines.models.loading import CONFIGS, ModelLoader
from pipelines.models.loading.checkpoint import load_checkpoint
from pipelines.models.residency import Residency
from pipelines.nodes.diffusion import TextToImage
from pipelines.nodes.inpaint import ImageToImage
from tests.helpers.diffusion_context import DiffusionContext, wrap
from tests.helpers.disc import picture
from tests.helpers.model_files import LoadingContext, original_open_clip, original_unet, original_vae
from tests.helpers.tiny_refiner import sdxl_refiner


@dataclass
class TwoModels(DiffusionContext):
    """A context with a base model and a refiner; notes when each is in use."""

    second: LoadedDiffusion | None = None
    used: list[str] = field(default_factory=list)

    @contextmanager
    def use(self, handle, context):
        self.used.append(f"+{handle.family}")
        yield self.second if handle.family == "sdxl-refiner" else self.loaded
        self.used.append(f"-{handle.family}")


def named(pipeline, family):
    loaded = wrap(pipeline, name=family, native_size=(64, 64))
    loaded.handle = loaded.handle.replace(family=family)
    return loaded


@pytest.fixture(scope="module")
def refiner():
    return named(sdxl_refiner(), "sdxl-refiner")


@pytest.fixture
def context(families, refiner, tmp_path):
    return TwoModels(named(families["sdxl"].pipeline, "sdxl"), tmp_path, second=refiner)


def draw(context, refined=True, **params):
    inputs = {
        "model": context.loaded.handle, "prompt": "a field", "seed": 3,
        "refiner": context.second.handle if refined else None,
    }  # fmt: skip
    settings = {"width": 64, "height": 64, "steps": 5, "guidance_scale": 4.0, **params}
    return TextToImage().run(inputs, TextToImage.Params(**settings), context)


def test_a_refiner_takes_over_at_a_share_of_the_steps_and_the_base_model_has_left(context):
    told = []
    embedding, asked = context.second.pipeline.unet.add_embedding, []
    hook = embedding.register_forward_pre_hook(lambda _, given: told.append(given))
    base = context.loaded.pipeline.unet.register_forward_pre_hook(lambda *_: asked.append(1))
    drawn = draw(context, switch=0.6)
    hook.remove(), base.remove()
    assert (len(asked), len(told)) == (3, 2)
    assert context.used == ["+sdxl", "-sdxl", "+sdxl-refiner", "-sdxl-refiner"]
    info = drawn["image"].info
    assert (info["refiner"], info["refiner_switch"], info["model"]) == ("sdxl-refiner", 0.6, "sdxl")
    plain = draw(context, refined=False)["latent"].tensor()
    assert torch.equal(plain, draw(context, switch=1.0)["latent"].tensor())
    refined = drawn["latent"].tensor()
    assert not torch.allclose(plain, refined, atol=1e-2)
    assert torch.equal(refined, draw(context, switch=0.6)["latent"].tensor())
    phases = [report.phase for report in context.reports if report.step]
    assert "refining" in phases


@pytest.mark.parametrize(
    ("sampler", "exact"),
    [("euler", True), ("euler_a", True), ("heun", True), ("ddim", True), ("dpmpp_2m", False)],
)
def test_with_the_same_model_for_both_parts_the_steps_are_those_of_one(sampler, exact, context, families):
    """Multistep samplers begin anew with the second model."""
    context.second = named(families["sdxl"].pipeline, "sdxl")
    whole, halves = (draw(context, refined=refined, sampler=sampler, switch=0.5) for refined in (False, True))
    same = torch.allclose(whole["latent"].tensor(), halves["latent"].tensor(), atol=1e-4)
    assert same == exact
    assert halves["latent"].tensor().isfinite().all()


def test_each_of_a_batch_is_handed_over(context):
    together, alone = draw(context, batch=2)["latent"], draw(context)["latent"]
    assert torch.allclose(together[0].tensor(), alone.tensor(), atol=5e-3)
    assert not torch.allclose(together[1].tensor(), alone.tensor(), atol=1e-2)


def test_both_have_a_step_at_least():
    assert [Handover(share).first_steps(10) for share in (0.0, 0.04, 0.5, 0.99)] == [1, 1, 5, 9]


def test_models_that_can_not_go_on_are_refused_before_anything_is_loaded(context):
    context.second.handle, kept = context.second.handle.replace(family="sd1"), context.second.handle
    try:
        with pytest.raises(ModelUnsuitable, match="sd1"):
            draw(context)
    finally:
        context.second.handle = kept
    context.loaded.handle = context.loaded.handle.replace(family="sd1")
    with pytest.raises(ModelUnsuitable, match="drawings of SDXL"):
        draw(context)
    assert context.used == []


def test_cancel_in_the_second_part(context):
    def stop(report):
        if report.phase == "refining" and report.step:
            context.cancel.cancel()

    context.on_progress = stop
    with pytest.raises(Cancelled):
        draw(context, steps=8, switch=0.3)


# --- by itself ----------------------------------------------------------------------------------------------


def test_a_refiner_draws_from_a_picture_told_a_score_and_not_from_a_prompt_alone(refiner, tmp_path):
    context = DiffusionContext(refiner, tmp_path)
    told = []
    projection = refiner.pipeline.unet.add_time_proj
    hook = projection.register_forward_pre_hook(lambda _, given: told.append(given[0]))
    params = ImageToImage.Params(steps=2, guidance_scale=4.0, strength=0.5)
    inputs = {"model": refiner.handle, "image": picture(), "prompt": "a field", "seed": 1}
    drawn = ImageToImage().run(inputs, params, context)["image"]
    hook.remove()
    assert drawn.pixels.shape == picture().pixels.shape
    assert told[0].view(2, 5).tolist() == [[64, 64, 0, 0, PLAIN], [64, 64, 0, 0, BEAUTY]]
    params = TextToImage.Params(steps=1, width=64, height=64)
    with pytest.raises(ModelUnsuitable, match="refines"):
        TextToImage().run({"model": refiner.handle, "prompt": ""}, params, context)
    assert "_get_add_time_ids" not in vars(refiner.pipeline)


def test_a_folder_of_a_refiner_is_opened(refiner, tmp_path):
    folder = tmp_path / "models" / "diffusion" / "refiner"
    parts = {**refiner.pipeline.components, "requires_aesthetics_score": True, "add_watermarker": False}
    StableDiffusionXLImg2ImgPipeline(**parts).save_pretrained(folder)
    assert json.loads((folder / "model_index.json").read_text())["requires_aesthetics_score"]
    catalogue = Catalogue(default_roots(tmp_path / "models"))
    entry = catalogue.find("diffusion", "refiner")
    assert (entry.info.family, entry.info.problem) == ("sdxl-refiner", "")
    models = Models(catalogue, Residency(ModelLoader(catalogue)))
    with models.use(models.find("diffusion", "refiner", "fp32"), LoadingContext()) as loaded:
        assert type(family_of(loaded.pipeline)).__name__ == "Refiner"
        assert loaded.pipeline.text_encoder is None


def test_a_single_file_of_a_refiner_is_opened(tmp_path):
    config = tmp_path / "configs" / "sdxl-refiner"
    shutil.copytree(CONFIGS / "sdxl-refiner", config)
    shutil.copytree(CONFIGS / "clip_tokenizer", config.parent / "clip_tokenizer")
    small = {"block_out_channels": [16, 32, 32, 32], "layers_per_block": 1, "norm_num_groups": 8}
    tiny = {
        "unet": {
            **small, "attention_head_dim": 8, "cross_attention_dim": 64, "transformer_layers_per_block": 1,
            "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 64 + 5 * 8,
        },
        "vae": small,
        "text_encoder_2": {
            "hidden_size": 64, "intermediate_size": 48, "num_attention_heads": 4, "num_hidden_layers": 2,
            "projection_dim": 64,
        },
    }  # fmt: skip
    for part, changes in tiny.items():
        file = config / part / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(config / "unet"))
    vae = AutoencoderKL.from_config(AutoencoderKL.load_config(config / "vae"))
    encoder = CLIPTextModelWithProjection(CLIPTextConfig.from_pretrained(config / "text_encoder_2"))
    state = {**original_unet(unet), **original_vae(vae)}
    state |= original_open_clip(encoder, "conditioner.embedders.0.model.")
    save_file(
        {name: tensor.contiguous().clone() for name, tensor in state.items()},
        tmp_path / "refiner.safetensors",
    )
    reader = Reader(1, LoadingContext())
    pipeline = load_checkpoint(tmp_path / "refiner.safetensors", "tiny", config, torch.float32, reader, {})
    assert type(family_of(pipeline)).__name__ == "Refiner"
    for part, network in (("unet", unet), ("vae", vae), ("text_encoder_2", encoder)):
        found = getattr(pipeline, part).state_dict()
        assert all(torch.equal(found[key], tensor) for key, tensor in network.state_dict().items()), part
    assert pipeline.text_encoder is None
    assert not pipeline.config.force_zeros_for_empty_prompt
