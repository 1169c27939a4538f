"""Models are named by tensor names and shapes alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.models.files.header import read_header
from pipelines.models.files.safety import check_folder
from pipelines.models.probing.folders import probe_folder
from pipelines.models.probing.probe import Probe, probe_file
from pipelines.paths import RESOURCES
from tests.helpers.model_files import REFINER, SD1, SD2, SDXL, U, sparse


def probed(tmp_path: Path, shapes: dict[str, tuple[int, ...]], **options: object) -> Probe:
    # A name that lies: it must not matter.
    return probe_file(read_header(sparse(tmp_path / "flux-lora-vae.safetensors", shapes, **options)))


def inpaint(shapes: dict[str, tuple[int, ...]], channels: int = 9) -> dict[str, tuple[int, ...]]:
    return {**shapes, U + "input_blocks.0.0.weight": (320, channels, 3, 3)}


@pytest.mark.parametrize(
    ("shapes", "family"),
    [
        (SD1, "sd1"), (SD2, "sd2"), (SDXL, "sdxl"), (REFINER, "sdxl-refiner"), (inpaint(SD1), "sd1-inpaint"),
        (inpaint(SD2), "sd2-inpaint"), (inpaint(SDXL), "sdxl-inpaint"), (inpaint(SD2, 5), "sd2-depth"),
    ],
)  # fmt: skip
def test_checkpoints(tmp_path: Path, shapes: dict[str, tuple[int, ...]], family: str) -> None:
    probe = probed(tmp_path, shapes)
    assert (probe.kind, probe.family, probe.reason) == ("diffusion", family, "")


@pytest.mark.parametrize(
    ("shapes", "metadata", "prediction"),
    [
        (SD1, {}, "epsilon"),
        (SD2, {}, "v_prediction"),
        (SD2, {"modelspec.prediction_type": "epsilon"}, "epsilon"),
        (inpaint(SD2, 5), {}, "epsilon"),
        (SDXL, {}, "epsilon"),
        (SDXL, {"modelspec.prediction_type": "v"}, "v_prediction"),
        ({**SDXL, "v_pred": (0,), "ztsnr": (0,)}, {}, "v_prediction"),
    ],
)
def test_prediction(tmp_path: Path, shapes: dict, metadata: dict[str, str], prediction: str) -> None:
    probe = probed(tmp_path, shapes, metadata=metadata)
    assert probe.facts["prediction_type"] == prediction
    assert probe.facts["zero_snr"] == ("ztsnr" in shapes)


def test_stated_resolution_is_taken_if_sane(tmp_path: Path) -> None:
    assert probed(tmp_path, SD1, metadata={"modelspec.resolution": "768x512"}).native_size == (768, 512)
    for odd in ("1x1", "999999999999x4", "big", "512", "²x²"):
        assert probed(tmp_path, SD1, metadata={"modelspec.resolution": odd}).native_size is None


@pytest.mark.parametrize("gone", [key for key in SDXL if not key.startswith(U)])
def test_missing_parts_are_named(tmp_path: Path, gone: str) -> None:
    probe = probed(tmp_path, {key: shape for key, shape in SDXL.items() if key != gone})
    assert (probe.family, probe.reason) == ("sdxl", "")
    assert "missing" in probe.problem


COMPACT = {
    "body.0.weight": (64, 3, 3, 3),
    "body.0.bias": (64,),
    "body.1.weight": (64,),
    "body.34.weight": (48, 64, 3, 3),
    "body.34.bias": (48,),
}
RRDB = {
    "conv_first.weight": (64, 3, 3, 3),
    "body.0.rdb1.conv1.weight": (32, 64, 3, 3),
    "conv_body.weight": (64, 64, 3, 3),
    "conv_up1.weight": (64, 64, 3, 3),
    "conv_up2.weight": (64, 64, 3, 3),
    "conv_last.weight": (3, 64, 3, 3),
}
OLD = {
    "model.0.weight": (64, 3, 3, 3),
    "model.1.sub.0.RDB1.conv1.0.weight": (32, 64, 3, 3),
    "model.3.weight": (64, 64, 3, 3),
    "model.6.weight": (64, 64, 3, 3),
    "model.8.weight": (64, 64, 3, 3),
    "model.10.weight": (3, 64, 3, 3),
}
SWIN = "layers.0.residual_group.blocks.0."
SWINIR = {
    SWIN + "norm1.weight": (180,),
    SWIN + "attn.relative_position_index": (64, 64),
    "conv_first.weight": (180, 3, 3, 3),
}


@pytest.mark.parametrize(
    ("shapes", "family", "scale"),
    [
        (COMPACT, "Compact", 4),
        ({f"module.{key}": shape for key, shape in COMPACT.items()}, "Compact", 4),
        (RRDB, "ESRGAN", 4),
        ({**RRDB, "conv_first.weight": (64, 12, 3, 3)}, "ESRGAN", 2),
        (OLD, "ESRGAN", 4),
        (SWINIR, "SwinIR", None),
    ],
)
def test_upscalers(tmp_path: Path, shapes: dict, family: str, scale: int | None) -> None:
    probe = probed(tmp_path, shapes)
    assert (probe.kind, probe.family, probe.facts["scale"]) == ("upscale", family, scale)


@pytest.mark.parametrize(
    ("shapes", "word"),
    [
        ({"lora_unet_x.lora_up.weight": (4, 4)}, "LoRA"),
        ({"control_model.input_blocks.0.0.weight": (4, 4)}, "ControlNet"),
        ({"double_blocks.0.img_attn.norm.key_norm.scale": (128,)}, "FLUX.1 (missing: img_in.weight (3072"),
        (
            {"double_blocks.0.img_attn.norm.key_norm.scale": (4,), "vector_in.in_layer.weight": (3072, 768)},
            "img_attn.norm.key_norm.scale (128)",
        ),
        ({"whatever.weight": (4, 4)}, "whatever.weight"),
        ({}, "none"),
        ({**SD1, U + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 333)}, "no known size"),
        ({**SD1, U + "input_blocks.0.0.weight": (320, 11, 3, 3)}, "11 channels"),
    ],
)
def test_the_unknown_keeps_a_reason(tmp_path: Path, shapes: dict, word: str) -> None:
    probe = probed(tmp_path, shapes)
    assert probe.family == ""
    assert word in probe.reason


def test_folders() -> None:
    folder = RESOURCES / "starter" / "text-to-image"
    probe = probe_folder(folder, check_folder(folder))
    assert (probe.kind, probe.family, probe.native_size, probe.size_multiple) == (
        "diffusion",
        "sd",
        (64, 64),
        8,
    )
    assert probe.facts["prediction_type"] == "v_prediction"
    assert probe.facts["zero_snr"]


@pytest.mark.parametrize(
    ("config", "kind", "word"),
    [
        ({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}, "language", ""),
        ({"architectures": ["BertModel"]}, None, "BertModel"),
        ({}, None, "unnamed"),
        (
            {"architectures": ["LlamaForCausalLM"], "quantization_config": {"quant_method": "gptq"}},
            "language",
            "gptq",
        ),
    ],
)
def test_language_folders(tmp_path: Path, config: dict, kind: str | None, word: str) -> None:
    sparse(tmp_path / "model.safetensors", {"model.embed_tokens.weight": (4, 4)})
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer.json").write_text("{}")
    probe = probe_folder(tmp_path, check_folder(tmp_path))
    assert probe.kind == kind
    assert word in probe.reason
    assert bool(probe.reason) == bool(word)


def test_a_folder_with_only_pickled_weights_says_so(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04K\x01.")
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    assert "safetensors" in probe_folder(tmp_path, check_folder(tmp_path)).reason
