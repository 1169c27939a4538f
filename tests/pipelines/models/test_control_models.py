"""Control models (ControlNets): named by their tensors, opened from folders and files, told to the canvas."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    ControlNetModel,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
)
from safetensors.torch import save_file

from pipelines.errors import (
    ControlModelMissing,
    ModelUnreadable,
    ModelUnsafe,
    ModelUnsuitable,
    UnknownModelFamily,
)
from pipelines.models.access import Models
from pipelines.models.catalogue import Catalogue, default_roots
from pipelines.models.header import read_header
from pipelines.models.loading import CONFIGS, ModelLoader
from pipelines.models.loading.control import _from_single_file
from pipelines.models.loading.reading import Reader
from pipelines.models.probe import probe_file
from pipelines.models.residency import Residency
from pipelines.nodes.model import ControlModelNode
from tests.helpers import tiny_controls as nets
from tests.helpers import tiny_pipelines as tiny
from tests.helpers.model_files import SD1, SDXL, LoadingContext, original_unet, sparse

HINT = "controlnet_cond_embedding.conv_in.weight"
KEYS = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight"
DEEPEST = "down_blocks.2.attentions.1.transformer_blocks.9.attn2.to_k.weight"
LINES = {HINT: (16, 3, 3, 3), KEYS: (640, 768)}
ORIGINAL = {
    "control_model.input_hint_block.0.weight": (16, 3, 3, 3),
    "control_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (640, 768),
}


@pytest.fixture(scope="module")
def network() -> Any:
    """A tiny network with the cross-attention of Stable Diffusion 1."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8, sample_size=8,
        cross_attention_dim=768, attention_head_dim=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )  # fmt: skip
    made = ControlNetModel.from_unet(unet).eval()
    torch.nn.init.normal_(made.controlnet_mid_block.weight)
    return made


def original(network: Any) -> dict[str, torch.Tensor]:
    """Its weights under the names of the original code."""
    own = re.compile(r"controlnet_(down_blocks|mid_block|cond_embedding)\.")
    state = network.state_dict()

    class Rest:
        config = network.config

        def state_dict(self) -> dict[str, torch.Tensor]:
            return {key: tensor for key, tensor in state.items() if not own.match(key)}

    result = {
        key.replace("model.diffusion_model.", "control_model."): tensor
        for key, tensor in original_unet(Rest()).items()
    }
    for key, tensor in state.items():
        name = re.sub(r"controlnet_down_blocks\.(\d+)", r"zero_convs.\1.0", key)
        name = name.replace("controlnet_mid_block", "middle_block_out.0")
        name = name.replace("controlnet_cond_embedding.conv_in", "input_hint_block.0")
        name = name.replace("controlnet_cond_embedding.conv_out", "input_hint_block.14")
        blocks = r"controlnet_cond_embedding\.blocks\.(\d+)"
        name = re.sub(blocks, lambda match: f"input_hint_block.{2 * int(match[1]) + 2}", name)
        if own.match(key):
            result[f"control_model.{name}"] = tensor
    return result


def access(folder: Path, configs: Path = CONFIGS) -> Models:
    catalogue = Catalogue(default_roots(folder))
    return Models(catalogue, Residency(ModelLoader(catalogue, configs)))


def load(models: Models, model: str = "", dtype: str = "fp32") -> Any:
    with models.use(models.find("control", model, dtype), LoadingContext()) as loaded:
        return loaded


# --- what it is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "family"),
    [
        (LINES, "sd1"),
        (ORIGINAL, "sd1"),
        ({name.removeprefix("control_model."): shape for name, shape in ORIGINAL.items()}, "sd1"),
        ({**LINES, KEYS: (640, 1024)}, "sd2"),
        ({**LINES, KEYS: (640, 2048), DEEPEST: (1280, 2048)}, "sdxl"),
    ],
)
def test_control_models_are_named_by_their_tensors(tmp_path: Path, shapes: dict, family: str) -> None:
    probe = probe_file(read_header(sparse(tmp_path / "upscaler.safetensors", shapes)))
    assert (probe.kind, probe.family, probe.reason) == ("control", family, "")


@pytest.mark.parametrize(
    ("shapes", "word"),
    [
        ({**LINES, HINT: (16, 6, 3, 3)}, "6 channels"),
        ({**LINES, KEYS: (640, 333)}, "no known size"),
        ({**LINES, KEYS: (640, 2048)}, "reduced"),
        ({**LINES, "task_embedding": (6, 320)}, "several kinds"),
    ],
)
def test_those_that_can_not_be_used_keep_a_reason(tmp_path: Path, shapes: dict, word: str) -> None:
    probe = probe_file(read_header(sparse(tmp_path / "lines.safetensors", shapes)))
    assert (probe.kind, probe.family) == ("control", "")
    assert word in probe.reason


# --- opening it ---------------------------------------------------------------------------------------------


def test_a_folder_is_opened(tmp_path: Path, network: Any) -> None:
    network.save_pretrained(tmp_path / "control" / "lines")
    models = access(tmp_path)
    info = next(info for info in models.list() if info.kind == "control")
    assert (info.id, info.family, info.problem, info.defaults) == ("lines", "sd1", "", {})
    loaded = load(models)  # the only one is the default
    assert torch.equal(loaded.model.controlnet_mid_block.weight, network.controlnet_mid_block.weight)
    assert not any(weight.requires_grad for weight in loaded.model.parameters())
    assert models.held()[0].bytes == sum(weight.numel() * 4 for weight in network.parameters())
    assert models.find("control", "lines").kind == "control"


@pytest.mark.parametrize("layout", ["diffusers", "original"])
def test_a_single_file_is_opened_after_its_familys_u_net(tmp_path: Path, network: Any, layout: str) -> None:
    weights = network.state_dict() if layout == "diffusers" else original(network)
    (tmp_path / "control").mkdir()
    file = tmp_path / "control" / "lines.safetensors"
    save_file({key: tensor.contiguous() for key, tensor in weights.items()}, file)
    configs = tmp_path / "configs"
    (configs / "sd1" / "unet").mkdir(parents=True)
    unet = {**network.config, "_class_name": "UNet2DConditionModel", "out_channels": 4}
    unet = {key: value for key, value in unet.items() if not key.startswith(("controlnet", "cond"))}
    (configs / "sd1" / "unet" / "config.json").write_text(json.dumps(unet))
    found = load(access(tmp_path, configs), "lines.safetensors").model.state_dict()
    assert all(torch.equal(found[key], tensor) for key, tensor in network.state_dict().items())
    assert load(access(tmp_path, configs), "lines.safetensors", "bf16").model.dtype == torch.bfloat16
    weights.pop(next(key for key in weights if "mid" in key and key.endswith("bias")))
    save_file({key: tensor.contiguous() for key, tensor in weights.items()}, file)
    with pytest.raises(ModelUnreadable, match="missing"):
        load(access(tmp_path, configs), "lines.safetensors")


def test_a_folder_that_is_something_else_or_brings_code_is_refused(tmp_path: Path, network: Any) -> None:
    folder = tmp_path / "control" / "lines"
    network.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    for changes, error in (
        ({"_class_name": "SanaControlNetModel"}, UnknownModelFamily),
        ({"auto_map": {"AutoModel": "evil.Net"}}, ModelUnsafe),
    ):
        (folder / "config.json").write_text(json.dumps({**config, **changes}))
        with pytest.raises(error, match=r"SanaControlNetModel|auto_map"):
            access(tmp_path).find("control", "lines")


def test_where_there_is_none_the_node_says_so(tmp_path: Path) -> None:
    class Context(LoadingContext):
        models, path = access(tmp_path), None

    with pytest.raises(ControlModelMissing):
        ControlModelNode().run({}, ControlModelNode.Params(), Context())
    with pytest.raises(ModelUnsuitable, match="steering"):
        access(tmp_path).find("control", "starter/upscaler")


# --- what the canvas is told --------------------------------------------------------------------------------


def test_models_say_whether_control_layers_can_be_used_with_them(tmp_path: Path) -> None:
    sparse(tmp_path / "diffusion" / "photo.safetensors", SD1)
    sparse(tmp_path / "diffusion" / "large.safetensors", SDXL)
    inpaint = {**SD1, "model.diffusion_model.input_blocks.0.0.weight": (320, 9, 3, 3)}
    sparse(tmp_path / "diffusion" / "fill.safetensors", inpaint)
    before = {info.id: info.unavailable for info in access(tmp_path).list() if info.kind == "diffusion"}
    assert all("layer:control" in limits and "layer:region" not in limits for limits in before.values())
    sparse(tmp_path / "control" / "lines.safetensors", LINES)
    models = access(tmp_path)
    after = {info.id for info in models.list() if "layer:control" in info.unavailable}
    assert after == {"starter/text-to-image", "large.safetensors"}
    elsewhere = sparse(tmp_path / "elsewhere.safetensors", SD1)
    assert "layer:control" not in models.examine(str(elsewhere)).unavailable


# --- other kinds of networks --------------------------------------------------------------------------------


def other(name: str) -> tuple[Any, str, str]:
    """A network with heads as wide as real ones, its family and variant."""
    if name == "sd3":
        sd3 = {**tiny.sd3().transformer.config, "attention_head_dim": 64, "num_attention_heads": 1}
        sd3 |= {"caption_projection_dim": 64, "joint_attention_dim": 4096}
        return nets.sd3_net(SD3Transformer2DModel.from_config(sd3)), "sd3", ""
    if name == "flux-union":
        flux = {**tiny.flux().transformer.config, "attention_head_dim": 128, "num_attention_heads": 1}
        flux |= {"axes_dims_rope": (16, 56, 56), "joint_attention_dim": 4096, "in_channels": 64}
        return nets.flux_net(FluxTransformer2DModel.from_config(flux), num_mode=6), "flux", "union"
    unet = tiny.unet(block_out_channels=(320, 32), norm_num_groups=32, cross_attention_dim=768)
    return nets.t2i_adapter(unet), "sd1", "t2i"


@pytest.mark.parametrize("name", ["flux-union", "sd3", "t2i"])
def test_folders_and_files_of_other_networks_are_opened(tmp_path: Path, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network, family, variant = other(name)
    network.save_pretrained(tmp_path / "control" / "folder")
    state = {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
    save_file(state, tmp_path / "control" / "file.safetensors")
    models = access(tmp_path)
    told = {info.id: info for info in models.list() if info.kind == "control"}
    assert {id: (info.family, info.variant, info.problem) for id, info in told.items()} == {
        "folder": (family, variant, ""), "file.safetensors": (family, variant, ""),
    }  # fmt: skip
    for model in told:
        found = load(models, model).model
        assert type(found) is type(network)
        assert all(torch.equal(found.state_dict()[key], tensor) for key, tensor in state.items())
    state.pop(next(key for key in state if key.endswith("bias")))
    save_file(state, tmp_path / "control" / "file.safetensors")
    with pytest.raises(ModelUnreadable, match="missing"):
        load(access(tmp_path), "file.safetensors")


def test_a_t2i_adapter_in_its_original_layout_is_the_same(tmp_path: Path) -> None:
    unet = tiny.unet(
        block_out_channels=(320, 32, 32, 32), norm_num_groups=32, attention_head_dim=8,
        down_block_types=("DownBlock2D",) * 4, up_block_types=("UpBlock2D",) * 4,
    )  # fmt: skip
    network = nets.t2i_adapter(unet, blocks=2)
    state = network.state_dict()
    names = {}
    for key in state:
        bare = key.removeprefix("adapter.")
        bare = re.sub(
            r"body\.(\d+)\.resnets\.(\d+)\.",
            lambda found: f"body.{2 * int(found[1]) + int(found[2])}.", bare,
        )  # fmt: skip
        names[key] = re.sub(r"body\.(\d+)\.in_conv", lambda found: f"body.{2 * int(found[1])}.in_conv", bare)
    (tmp_path / "control").mkdir()
    save_file(
        {names[key]: value.contiguous() for key, value in state.items()},
        tmp_path / "control" / "sketch.safetensors",
    )
    models = access(tmp_path)
    assert models.find("control", "sketch.safetensors").family == "sd1"
    found = load(models, "sketch.safetensors").model
    picture = torch.rand(1, 3, 64, 64)
    for one, other in zip(found(picture), network(picture), strict=True):
        assert torch.allclose(one, other)


def test_a_union_for_sdxl_is_opened_after_its_familys_u_net(tmp_path: Path) -> None:
    unet = tiny.sdxl().unet
    network = nets.union_net(unet)
    (tmp_path / "configs" / "sdxl" / "unet").mkdir(parents=True)
    (tmp_path / "configs" / "sdxl" / "unet" / "config.json").write_text(
        json.dumps({**unet.config, "_class_name": "UNet2DConditionModel"})
    )
    file = tmp_path / "union.safetensors"
    save_file({key: tensor.contiguous() for key, tensor in network.state_dict().items()}, file)
    probe = replace(probe_file(read_header(file)), family="sdxl", variant="union", reason="")
    reader = Reader(1, LoadingContext())
    found = _from_single_file(file, probe, "union", tmp_path / "configs", torch.float32, reader)
    assert all(torch.equal(found.state_dict()[key], tensor) for key, tensor in network.state_dict().items())
    wide = {**LINES, "task_embedding": (6, 320), KEYS: (640, 2048), DEEPEST: (1280, 2048)}
    sure = probe_file(read_header(sparse(tmp_path / "wide.safetensors", wide)))
    assert (sure.family, sure.variant, sure.reason) == ("sdxl", "union", "")
