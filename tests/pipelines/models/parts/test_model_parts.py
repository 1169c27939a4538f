"""Which parts a model in a single file is given, among the files and folders there are: headers alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipelines.models.access import Models
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.loading import CONFIGS, ModelLoader
from pipelines.models.residency import Residency
from tests.helpers.family_headers import Shapes
from tests.helpers.model_files import sparse

FLUX = {
    "double_blocks.0.img_attn.norm.key_norm.scale": (128,), "img_in.weight": (3072, 64),
    "txt_in.weight": (3072, 4096), "vector_in.in_layer.weight": (3072, 768),
    "guidance_in.in_layer.weight": (3072, 256), "double_blocks.18.img_mod.lin.bias": (18_432,),
    "single_blocks.37.linear2.bias": (3072,),
}  # fmt: skip
T5 = {"shared.weight": (32_128, 4096), "encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)}
CLIP_L = {
    "text_model.embeddings.position_embedding.weight": (77, 768),
    "text_model.encoder.layers.0.self_attn.q_proj.weight": (768, 768),
}
VAE = {
    "decoder.conv_in.weight": (512, 16, 3, 3), "decoder.up.0.block.0.conv1.weight": (128, 128, 3, 3),
    "encoder.conv_in.weight": (128, 3, 3, 3),
}  # fmt: skip
Z_IMAGE = {
    "cap_embedder.1.weight": (3840, 2560), "noise_refiner.0.attention.qkv.weight": (11_520, 3840),
    "layers.0.feed_forward.w1.weight": (10_240, 3840), "layers.0.adaLN_modulation.0.weight": (15_360, 256),
    "layers.29.attention_norm1.weight": (3840,),
}  # fmt: skip
QWEN = {
    "model.embed_tokens.weight": (151_936, 2560), "model.layers.0.self_attn.q_norm.weight": (128,),
    "model.layers.35.self_attn.q_norm.weight": (128,),
}  # fmt: skip


def access(models: Path, *folders: Path) -> Models:
    catalogue = Catalogue(default_roots(models, folders))
    return Models(catalogue, Residency(ModelLoader(catalogue)))


@pytest.fixture
def comfy(tmp_path: Path) -> Path:
    """ComfyUI's folders, with FLUX.1 as most have it."""
    models = tmp_path / "ComfyUI" / "models"
    sparse(models / "unet" / "flux1-dev.safetensors", FLUX)
    sparse(models / "clip" / "t5xxl_fp8_e4m3fn.safetensors", T5, "F16")
    sparse(models / "clip" / "t5xxl_fp16.safetensors", {**T5, "encoder.final_layer_norm.weight": (4096,)})
    sparse(models / "clip" / "clip_l.safetensors", CLIP_L)
    sparse(models / "clip" / "long_clip.safetensors",
           {**CLIP_L, "text_model.embeddings.position_embedding.weight": (248, 768)})  # fmt: skip
    sparse(models / "vae" / "ae.safetensors", VAE)
    sparse(models / "vae" / "sdxl.safetensors", {**VAE, "decoder.conv_in.weight": (512, 4, 3, 3)})
    return models


def chosen(found: Models, model: str) -> dict[str, str]:
    return {part.name: Path(part.path).name for part in found.find("diffusion", model).parts}


def test_the_parts_of_a_denoiser_alone(comfy: Path, tmp_path: Path) -> None:
    found = access(tmp_path / "own", comfy)
    info = next(info for info in found.list() if info.title == "flux1-dev")
    assert (info.problem, info.family) == ("", "flux")
    assert chosen(found, info.path) == {
        "text_encoder": "clip_l.safetensors", "text_encoder_2": "t5xxl_fp16.safetensors",
        "vae": "ae.safetensors",
    }  # fmt: skip


def test_a_folder_of_the_same_family_comes_first(comfy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own" / "diffusion" / "FLUX.1-schnell"
    shutil.copytree(CONFIGS / "flux", folder)
    for name in ("tokenizer", "tokenizer_2"):
        (folder / name).mkdir()
        (folder / name / "tokenizer_config.json").write_text("{}")
    for part, shapes in (("text_encoder", CLIP_L), ("text_encoder_2", T5), ("vae", VAE)):
        sparse(folder / part / "model.safetensors", shapes)
    sparse(folder / "transformer" / "diffusion_pytorch_model.safetensors", {"x_embedder.bias": (3072,)})
    model = str(comfy / "unet" / "flux1-dev.safetensors")
    parts = access(tmp_path / "own", comfy).find("diffusion", model).parts
    assert {part.name: Path(part.path) for part in parts} == {
        name: folder / name for name in ("text_encoder", "text_encoder_2", "vae")
    }
    config = folder / "vae" / "config.json"  # a VAE on another scale is another model's
    config.write_text(json.dumps({**json.loads(config.read_text()), "scaling_factor": 1.5305}))
    parts = access(tmp_path / "own", comfy).find("diffusion", model).parts
    assert [Path(part.path).name for part in parts if part.name == "vae"] == ["ae.safetensors"]


FLUX_2 = {
    "double_stream_modulation_img.lin.weight": (36_864, 6144), "img_in.weight": (6144, 128),
    "txt_in.weight": (6144, 15_360), "double_blocks.7.img_attn.proj.weight": (1, 1),
    "single_blocks.47.linear2.weight": (1, 1), "guidance_in.in_layer.weight": (6144, 256),
}  # fmt: skip
MISTRAL = {
    "model.embed_tokens.weight": (131_072, 5120), "model.layers.29.input_layernorm.weight": (5120,),
    "tekken_model": (9,),
}  # fmt: skip
LENT = [
    (Z_IMAGE, QWEN, VAE, "Qwen2", "Qwen3ForCausalLM", 151_936, "Qwen2Tokenizer"),
    (FLUX_2, MISTRAL, {**VAE, "decoder.conv_in.weight": (512, 32, 3, 3)}, "Mistral", "MistralForCausalLM",
     131_072, "LlamaTokenizerFast"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "encoder", "vae", "name", "architecture", "words", "cls"), LENT)
def test_a_tokenizer_is_lent_by_a_language_model(
    model: Shapes, encoder: Shapes, vae: Shapes, name: str, architecture: str, words: int, cls: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    own = tmp_path / "own"
    sparse(own / "diffusion" / "model.safetensors", model)
    sparse(own / "text_encoder" / "encoder.safetensors", encoder)
    sparse(own / "vae" / "vae.safetensors", vae)
    found = access(own)
    info = next(info for info in found.list() if info.title == "model")
    assert info.problem_code == "ModelPartMissing"
    assert f"tokenizer ({name})." in info.problem
    for lender, many in (("another", 128_000), ("lender", words)):
        sparse(own / "language" / lender / "model.safetensors", {"model.norm.weight": (1024,)})
        settings = {"architectures": [architecture], "model_type": "any", "vocab_size": many}
        (own / "language" / lender / "config.json").write_text(json.dumps(settings))
        (own / "language" / lender / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": cls}))
        (own / "language" / lender / "tokenizer.json").write_text("{}")
    assert not next(info for info in found.list() if info.title == "model").problem
    assert chosen(found, "model.safetensors") == {
        "text_encoder": "encoder.safetensors", "tokenizer": "lender", "vae": "vae.safetensors",
    }  # fmt: skip


def test_parts_of_a_folder_whose_classes_hold_more(tmp_path: Path) -> None:
    own, folder = tmp_path / "own", tmp_path / "own" / "diffusion" / "FLUX.2-dev"
    sparse(own / "diffusion" / "flux2.safetensors", FLUX_2)
    shutil.copytree(CONFIGS / "flux2", folder)
    for part, shapes in (("text_encoder", MISTRAL), ("transformer", {"x_embedder.bias": (1,)}), ("vae", VAE)):
        sparse(folder / part / "model.safetensors", shapes)
    index, config = folder / "model_index.json", folder / "text_encoder" / "config.json"
    kind = "Mistral3ForConditionalGeneration"
    index.write_text(index.read_text().replace("MistralModel", kind))
    config.write_text(json.dumps({"architectures": [kind], "text_config": json.loads(config.read_text())}))
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer" / "tokenizer_config.json").write_text("{}")
    found = access(own).find("diffusion", "flux2.safetensors").parts
    assert {part.name: Path(part.path) for part in found} == {
        name: folder / name for name in ("text_encoder", "tokenizer", "vae")
    }


def test_a_card_tells_models_of_the_same_shapes_apart(comfy: Path, tmp_path: Path) -> None:
    card = comfy / "unet" / "flux1-dev.diptych.json"
    card.write_text('{"variant": "kontext"}')
    info = next(info for info in access(tmp_path / "own", comfy).list() if info.title == "flux1-dev")
    assert (info.family, info.variant, info.defaults["guidance_scale"]) == ("flux-kontext", "kontext", 2.5)
    card.write_text('{"variant": "fill"}')  # whose first layer is another
    info = next(info for info in access(tmp_path / "own", comfy).list() if info.title == "flux1-dev")
    assert (info.family, info.variant) == ("flux", "dev")
