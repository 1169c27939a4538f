"""Which parts a model in a single file is given, among the files and folders there are: headers alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipelines.models.access import Models
from pipelines.models.catalogue import Catalogue, default_roots
from pipelines.models.loading import CONFIGS, ModelLoader
from pipelines.models.residency import Residency
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


def test_a_tokenizer_is_lent_by_a_language_model(tmp_path: Path) -> None:
    own = tmp_path / "own"
    sparse(own / "diffusion" / "z-image.safetensors", Z_IMAGE)
    sparse(own / "text_encoder" / "qwen3_4b.safetensors", QWEN)
    sparse(own / "vae" / "ae.safetensors", VAE)
    found = access(own)
    info = next(info for info in found.list() if info.family == "z-image")
    assert info.problem_code == "ModelPartMissing"
    assert "tokenizer (Qwen2)." in info.problem
    lender = own / "language" / "Qwen3-0.6B"
    sparse(lender / "model.safetensors", {"model.norm.weight": (1024,)})
    settings = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": 151_936}
    (lender / "config.json").write_text(json.dumps(settings))
    (lender / "tokenizer_config.json").write_text('{"tokenizer_class": "Qwen2Tokenizer"}')
    (lender / "tokenizer.json").write_text("{}")
    assert not next(info for info in found.list() if info.family == "z-image").problem
    assert chosen(found, "z-image.safetensors") == {
        "text_encoder": "qwen3_4b.safetensors", "tokenizer": "Qwen3-0.6B", "vae": "ae.safetensors",
    }  # fmt: skip
