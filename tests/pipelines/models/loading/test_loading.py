"""Real weights: the starter models, tiny checkpoints in the original layout, a tiny language model."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.errors import (
    Cancelled,
    ModelChanged,
    ModelMissing,
    ModelUnreadable,
    ModelUnsafe,
    OutOfMemory,
    QuantizationUnavailable,
    UnknownModelFamily,
)
from pipelines.graph.values import ModelHandle
from pipelines.models.access import Models
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.files.reading import Reader, explained
from pipelines.models.loading import CONFIGS, ModelLoader
from pipelines.models.loading.checkpoint import load_checkpoint
from pipelines.models.quantized.quantization import check
from pipelines.models.residency import Residency
from pipelines.paths import RESOURCES
from tests.helpers.model_files import (
    SD1,
    LoadingContext,
    original_clip,
    original_open_clip,
    original_unet,
    original_vae,
    sparse,
)

STARTER = RESOURCES / "starter"


def models(folder: Path, configs: Path = CONFIGS) -> Models:
    catalogue = Catalogue(default_roots(folder))
    return Models(catalogue, Residency(ModelLoader(catalogue, configs)))


def load(access: Models, kind: str, model: str = "", context: Any = None, **options: str) -> Any:
    with access.use(access.find(kind, model, **options), context or LoadingContext()) as loaded:
        return loaded


# --- the starters -------------------------------------------------------------------------------------------


@pytest.mark.starter
@pytest.mark.parametrize(("dtype", "expected"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_starter_loads_in_each_precision(tmp_path: Path, dtype: str, expected: torch.dtype) -> None:
    context = LoadingContext()
    loaded = load(models(tmp_path), "diffusion", dtype=dtype, context=context)
    assert loaded.dtype == expected
    assert {loaded.pipeline.unet.dtype, loaded.pipeline.vae.dtype, loaded.pipeline.text_encoder.dtype} == {
        expected
    }
    assert not loaded.pipeline.unet.training
    assert loaded.card["native_size"] == (64, 64)
    assert loaded.card["defaults"]["steps"] == 16
    assert loaded.pipeline.scheduler.config.rescale_betas_zero_snr
    assert context.reports[0][::2] == (0, "reading")
    assert context.reports[-1][0] == context.reports[-1][1] > 70_000_000
    original = load_file(STARTER / "text-to-image" / "unet" / "diffusion_pytorch_model.safetensors")
    assert torch.equal(
        loaded.pipeline.unet.state_dict()["conv_in.weight"], original["conv_in.weight"].to(expected)
    )


@pytest.mark.starter
def test_the_starter_upscaler_computes_bicubic(tmp_path: Path) -> None:
    loaded = load(models(tmp_path), "upscale")
    assert (loaded.descriptor.scale, loaded.dtype) == (4, torch.float32)
    ramp = np.linspace(0.1, 0.9, 24, dtype=np.float32)
    noise = np.random.default_rng(1).uniform(0.2, 0.8, (3, 24, 24)).astype(np.float32)
    picture = torch.from_numpy(noise * 0.5 + ramp[None, :, None] * 0.5)[None]
    with torch.inference_mode():
        enlarged = loaded.descriptor(picture)
    bicubic = torch.nn.functional.interpolate(picture, scale_factor=4, mode="bicubic", align_corners=False)
    inner = (..., slice(16, -16), slice(16, -16))
    assert enlarged.shape == (1, 3, 96, 96)
    assert (enlarged[inner] - bicubic[inner]).abs().max() < 1e-3


def test_precision_of_an_upscaler_by_name(tmp_path: Path) -> None:
    assert load(models(tmp_path), "upscale", dtype="bf16").dtype == torch.bfloat16


# --- checkpoints in the original layout ---------------------------------------------------------------------

UNET = {
    "block_out_channels": [32, 64], "layers_per_block": 1, "norm_num_groups": 8, "sample_size": 8,
    "attention_head_dim": 8,
}  # fmt: skip
VAE = {
    "block_out_channels": [16, 32], "layers_per_block": 1, "norm_num_groups": 8, "sample_size": 16,
    "down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2,
}  # fmt: skip


def clip(width: int, **changes: object) -> dict[str, object]:
    return {
        "hidden_size": width, "intermediate_size": 48, "num_attention_heads": 4, "num_hidden_layers": 2,
        "projection_dim": width, **changes,
    }  # fmt: skip


TINY: dict[str, dict[str, dict[str, object]]] = {
    "sd1": {
        "unet": {
            **UNET, "cross_attention_dim": 32, "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
            "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
        },
        "vae": VAE, "text_encoder": clip(32),
    },
    "sd2": {
        "unet": {
            **UNET, "cross_attention_dim": 64, "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
            "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
        },
        "vae": VAE, "text_encoder": clip(64),
    },
    "sdxl": {
        "unet": {
            **UNET, "cross_attention_dim": 96, "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"], "transformer_layers_per_block": [1, 2],
            "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 64 + 6 * 8,
        },
        "vae": VAE, "text_encoder": clip(32), "text_encoder_2": clip(64),
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our configurations with small numbers, in the same folders."""
    target = tmp_path_factory.mktemp("configs") / "configs"
    shutil.copytree(CONFIGS, target)
    for name, parts in TINY.items():
        for part, changes in parts.items():
            file = target / name / part / "config.json"
            file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return target


def parts_of(config: Path) -> dict[str, Any]:
    """Random networks of a configuration folder."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    torch.manual_seed(0)
    parts: dict[str, Any] = {
        "unet": UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(config / "unet")),
        "vae": AutoencoderKL.from_config(AutoencoderKL.load_config(config / "vae")),
        "text_encoder": CLIPTextModel(CLIPTextConfig.from_pretrained(config / "text_encoder")),
    }
    if (config / "text_encoder_2").is_dir():
        settings = CLIPTextConfig.from_pretrained(config / "text_encoder_2")
        parts["text_encoder_2"] = CLIPTextModelWithProjection(settings)
    return parts


def original(name: str, parts: dict[str, Any]) -> dict[str, torch.Tensor]:
    """One state dict as the original checkpoints hold it, with what they carry beside the networks."""
    state = {**original_unet(parts["unet"]), **original_vae(parts["vae"])}
    state |= {"alphas_cumprod": torch.ones(1000), "model_ema.decay": torch.tensor(0.999)}
    match name:
        case "sd1":
            state |= original_clip(parts["text_encoder"], "cond_stage_model.transformer.")
            positions = "cond_stage_model.transformer.text_model.embeddings.position_ids"
            state[positions] = torch.arange(77)[None]
        case "sd2":
            state |= original_open_clip(parts["text_encoder"], "cond_stage_model.model.")
            state["cond_stage_model.model.logit_scale"] = torch.tensor(4.6)
        case "sdxl":
            state |= original_clip(parts["text_encoder"], "conditioner.embedders.0.transformer.")
            state |= original_open_clip(parts["text_encoder_2"], "conditioner.embedders.1.model.")
            state["conditioner.embedders.1.model.logit_scale"] = torch.tensor(4.6)
    return {key: tensor.contiguous().clone() for key, tensor in state.items()}


def read(file: Path, config: Path, **facts: object) -> Any:
    return load_checkpoint(file, "tiny", config, torch.float32, Reader(1, LoadingContext()), facts)


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl"])
def test_a_checkpoint_opens_offline_and_draws(name: str, configs: Path, tmp_path: Path) -> None:
    parts = parts_of(configs / name)
    file = tmp_path / "tiny.safetensors"
    save_file(original(name, parts), file)
    pipeline = read(file, configs / name)
    for part, network in parts.items():
        expected = network.state_dict()
        found = getattr(pipeline, part).state_dict()
        assert set(found) == set(expected)
        assert all(torch.equal(found[key], expected[key]) for key in expected), part
    assert pipeline.scheduler.config.prediction_type == ("v_prediction" if name == "sd2" else "epsilon")
    pipeline.set_progress_bar_config(disable=True)
    picture = pipeline(
        "a photo of a cat", num_inference_steps=2, width=16, height=16, output_type="np",
        generator=torch.Generator().manual_seed(0),
    ).images  # fmt: skip
    assert picture.shape == (1, 16, 16, 3)
    assert np.isfinite(picture).all()


@pytest.mark.parametrize(("name", "channels"), [("sd1", 9), ("sdxl", 9), ("sd2", 5)])
def test_a_checkpoint_made_for_inpainting_or_depth_opens_with_its_channels(
    name: str, channels: int, configs: Path, tmp_path: Path
) -> None:
    parts = parts_of(configs / name)
    config = {**parts["unet"].config, "in_channels": channels}
    parts["unet"] = type(parts["unet"]).from_config(config)
    file = tmp_path / "tiny.safetensors"
    save_file(original(name, parts), file)
    pipeline = read(file, configs / name, in_channels=channels)
    expected, found = (network.state_dict() for network in (parts["unet"], pipeline.unet))
    assert found["conv_in.weight"].shape[1] == channels
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert pipeline.vae.config.latent_channels == 4


def test_clip_tokens_are_the_known_ones(configs: Path, tmp_path: Path) -> None:
    file = tmp_path / "tiny.safetensors"
    save_file(original("sdxl", parts_of(configs / "sdxl")), file)
    pipeline = read(file, configs / "sdxl")
    for tokenizer, padding in ((pipeline.tokenizer, 49407), (pipeline.tokenizer_2, 0)):
        tokens = tokenizer("a photo of a cat", padding="max_length", truncation=True, max_length=77).input_ids
        assert tokens[:7] == [49406, 320, 1125, 539, 320, 2368, 49407]
        assert tokens[7:] == [padding] * 70


def test_what_the_checkpoint_says_overrules_its_family(configs: Path, tmp_path: Path) -> None:
    file = tmp_path / "tiny.safetensors"
    save_file(original("sd1", parts_of(configs / "sd1")), file)
    scheduler = read(file, configs / "sd1", prediction_type="v_prediction", zero_snr=True).scheduler
    assert scheduler.config.prediction_type == "v_prediction"
    assert scheduler.config.timestep_spacing == "trailing"
    assert scheduler.alphas_cumprod[-1] < 1e-6


def test_missing_weights_are_no_random_numbers(configs: Path, tmp_path: Path) -> None:
    state = original("sd1", parts_of(configs / "sd1"))
    del state["model.diffusion_model.middle_block.1.proj_in.weight"]
    save_file(state, tmp_path / "tiny.safetensors")
    with pytest.raises(ModelUnreadable), explained("tiny", "cpu"):
        read(tmp_path / "tiny.safetensors", configs / "sd1")


def test_a_checkpoint_from_the_catalogue(configs: Path, tmp_path: Path) -> None:
    """From a file in the user's folder to a pipeline: probe, precision and progress in one go."""
    own = tmp_path / "configs"
    shutil.copytree(configs, own)
    for part, changes in (
        ("unet", {"cross_attention_dim": 768}),
        ("text_encoder", clip(768, vocab_size=500)),
    ):
        file = own / "sd1" / part / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    state = original("sd1", parts_of(own / "sd1"))
    (tmp_path / "models" / "diffusion").mkdir(parents=True)
    save_file(state, tmp_path / "models" / "diffusion" / "mine.safetensors")
    access = models(tmp_path / "models", own)
    context = LoadingContext()
    handle = access.find("diffusion", "mine.safetensors", "bf16")
    assert handle.family == "sd1"
    with access.use(handle, context) as loaded:
        assert loaded.pipeline.unet.dtype == torch.bfloat16
        assert loaded.card["defaults"]["guidance_scale"] == 7.0
    assert context.reports[-1][0] == context.reports[-1][1]


def test_shapes_that_do_not_fit_are_an_error_of_ours(tmp_path: Path) -> None:
    sparse(tmp_path / "diffusion" / "fake.safetensors", SD1)
    with pytest.raises(ModelUnreadable):
        load(models(tmp_path), "diffusion", "fake.safetensors")


# --- language models ----------------------------------------------------------------------------------------


@pytest.fixture
def language(tmp_path: Path) -> Path:
    """A tiny Llama with the starter's tokenizer file."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=30_522, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, tie_word_embeddings=True,
    )  # fmt: skip
    folder = tmp_path / "language" / "tiny"
    LlamaForCausalLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(STARTER / "text-to-image" / "tokenizer").save_pretrained(folder)
    return folder


def test_a_language_model(language: Path, tmp_path: Path) -> None:
    loaded = load(models(tmp_path), "language", dtype="fp32")
    assert loaded.handle.id == "tiny"
    tokens = loaded.tokenizer("hello there", return_tensors="pt").input_ids
    with torch.inference_mode():
        logits = loaded.model(tokens).logits
    assert logits.shape == (1, tokens.shape[1], 30_522)
    assert logits.dtype == torch.float32


@pytest.mark.parametrize(("method", "tolerance"), [("int8", 0.03), ("nf4", 0.25), ("fp8", 0.1)])
def test_quantized_weights(language: Path, tmp_path: Path, method: str, tolerance: float) -> None:
    access = models(tmp_path)
    dense = load(access, "language", dtype="fp32")
    small = load(access, "language", dtype="fp32", quantization=method)
    tokens = torch.arange(100, 120)[None]
    with torch.inference_mode():
        expected, found = (model.model(tokens).logits for model in (dense, small))
    assert (expected - found).abs().max() < tolerance * expected.abs().max()
    layer = small.model.model.layers[0].mlp.up_proj
    assert layer.weight.dtype in (torch.int8, torch.uint8, torch.float8_e4m3fn)
    assert (
        layer.weight.numel() * layer.weight.element_size()
        < dense.model.model.layers[0].mlp.up_proj.weight.nbytes
    )
    sizes = sorted(item.bytes for item in access.held())
    assert sizes[0] < sizes[1]


def test_quantization_where_it_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(QuantizationUnavailable, match="mps"):
        check("int8", "mps", torch)
    with pytest.raises(QuantizationUnavailable, match="linear layers"):
        load(models(tmp_path), "upscale", quantization="nf4")


@pytest.mark.parametrize("text", ["{}", "[", '{"version": "1.0", "model": {"type": "Nonsense"}}'])
def test_a_broken_tokenizer(language: Path, tmp_path: Path, text: str) -> None:
    (language / "tokenizer.json").write_text(text)
    with pytest.raises(ModelUnreadable):
        load(models(tmp_path), "language", "tiny")


@pytest.mark.parametrize(
    "changes", [{"model_type": "no-such-type"}, {"hidden_size": -1}, {"num_hidden_layers": "x"}]
)
def test_a_nonsensical_configuration(language: Path, tmp_path: Path, changes: dict[str, object]) -> None:
    config = language / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
    with pytest.raises(ModelUnreadable):
        load(models(tmp_path), "language", "tiny")


def test_a_missing_weight_of_a_folder_is_named(language: Path, tmp_path: Path) -> None:
    state = load_file(language / "model.safetensors")
    del state["model.layers.1.mlp.up_proj.weight"]
    save_file(state, language / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelUnreadable, match="up_proj"):
        load(models(tmp_path), "language")


# --- faults -------------------------------------------------------------------------------------------------


@pytest.fixture
def starter_copy(tmp_path: Path) -> Path:
    folder = tmp_path / "diffusion" / "copy"
    shutil.copytree(STARTER / "text-to-image", folder)
    return folder


def test_cancel_between_pieces(tmp_path: Path) -> None:
    context = LoadingContext(cancel_after=3)
    access = models(tmp_path)
    with pytest.raises(Cancelled):
        load(access, "diffusion", context=context)
    assert 0 < context.reports[-1][0] < context.reports[-1][1]
    assert access.held() == ()


@pytest.mark.parametrize(
    "part", ["unet/diffusion_pytorch_model.safetensors", "vae/config.json", "unet/config.json"]
)
def test_a_part_that_is_gone(starter_copy: Path, tmp_path: Path, part: str) -> None:
    (starter_copy / part).unlink()
    with pytest.raises((ModelUnreadable, UnknownModelFamily), match=part.split("/")[0] + "|config.json"):
        models(tmp_path).find("diffusion", "copy")


def test_a_folder_that_is_already_quantized(starter_copy: Path, tmp_path: Path) -> None:
    config = starter_copy / "unet" / "config.json"
    config.write_text(
        json.dumps({**json.loads(config.read_text()), "quantization_config": {"quant_method": "x"}})
    )
    with pytest.raises(UnknownModelFamily, match="already quantized"):
        models(tmp_path).find("diffusion", "copy")


def test_a_truncated_part(starter_copy: Path, tmp_path: Path) -> None:
    weights = starter_copy / "unet" / "diffusion_pytorch_model.safetensors"
    os.truncate(weights, weights.stat().st_size - 100)
    with pytest.raises(ModelUnreadable, match="100 bytes are missing"):
        models(tmp_path).find("diffusion", "copy")


def test_a_file_replaced_after_the_handle_was_made(starter_copy: Path, tmp_path: Path) -> None:
    access = models(tmp_path)
    handle = access.find("diffusion", "copy", "fp32")
    with access.use(handle, LoadingContext()) as first:
        before = first.pipeline.unet.conv_in.weight.clone()
    weights = starter_copy / "unet" / "diffusion_pytorch_model.safetensors"
    state = load_file(weights)
    state["conv_in.weight"] = state["conv_in.weight"] + 1
    save_file(state, weights, {"format": "pt"})
    renewed = access.find("diffusion", "copy", "fp32")
    assert renewed.fingerprint != handle.fingerprint
    with access.use(renewed, LoadingContext()) as second:
        assert not torch.equal(before, second.pipeline.unet.conv_in.weight)
    assert len(access.held()) == 1
    with pytest.raises(ModelChanged), access.use(handle, LoadingContext()):
        pass


def test_a_model_that_became_a_pickle_is_not_opened(starter_copy: Path, tmp_path: Path) -> None:
    access = models(tmp_path)
    handle = access.find("diffusion", "copy")
    (starter_copy / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(ModelUnsafe), access.use(handle, LoadingContext()):
        pass


def test_a_model_that_vanished(tmp_path: Path) -> None:
    handle = ModelHandle("diffusion", "gone", str(tmp_path / "gone"), "sd1")
    with pytest.raises(ModelMissing), models(tmp_path).use(handle, LoadingContext()):
        pass


def test_library_errors_become_ours() -> None:
    with pytest.raises(OutOfMemory), explained("m", "cpu"):
        raise RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        )
    with pytest.raises(OutOfMemory), explained("m", "cuda:0"):
        raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(ModelUnreadable, match="KeyError"), explained("m", "cpu"):
        raise KeyError("weight")
    with pytest.raises(Cancelled), explained("m", "cpu"):
        raise Cancelled()
