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
    QwenImageControlNetModel,
    SanaControlNetModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
)
from diffusers.models.controlnets import ZImageControlNetModel
from safetensors.torch import save_file

from pipelines.errors import (
    ControlModelMissing,
    ModelUnreadable,
    ModelUnsafe,
    ModelUnsuitable,
    UnknownModelFamily,
)
from pipelines.models.access import Models
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.families.abilities import why_not
from pipelines.models.files.header import read_header
from pipelines.models.files.reading import Reader
from pipelines.models.loading import CONFIGS, ModelLoader
from pipelines.models.loading.control import _from_single_file
from pipelines.models.probing.probe import probe_file
from pipelines.models.residency import Residency
from pipelines.nodes.model import ControlModelNode
from tests.helpers import family_headers
from tests.helpers import tiny_controls as nets
from tests.helpers import tiny_pipelines as tiny
from tests.helpers.model_files import SD1, SDXL, LoadingContext, sparse
from tests.helpers.original_transformers import original_xlabs

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
        ({**ORIGINAL, "control_model.task_embedding": (6, 320)}, "several kinds"),
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
    weights = network.state_dict() if layout == "diffusers" else nets.original(network)
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
        ({"_class_name": "HunyuanDiT2DControlNetModel"}, UnknownModelFamily),
        ({"auto_map": {"AutoModel": "evil.Net"}}, ModelUnsafe),
    ):
        (folder / "config.json").write_text(json.dumps({**config, **changes}))
        with pytest.raises(error, match=r"HunyuanDiT2DControlNetModel|auto_map"):
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


def test_models_of_other_families_are_offered_the_networks_made_for_them(tmp_path: Path) -> None:
    models = {"qwen-image": "qwen", "sana-1.6b": "sana", "z-image": "z-image", "sana-sprint": ""}
    for name in models:
        sparse(tmp_path / "diffusion" / f"{name}.safetensors", family_headers.diffusers(name))
    before = {info.id: info.unavailable.get("layer:control", "") for info in access(tmp_path).list()}
    assert all("No control model" in before[f"{name}.safetensors"] for name, net in models.items() if net)
    for net in ("qwen", "sana"):
        shapes = family_headers.diffusers(f"controlnet-{net}")
        sparse(tmp_path / "control" / f"{net}.safetensors", shapes)
    sparse(tmp_path / "control" / "z-image.safetensors", {"control_all_x_embedder.2-1.weight": (3840, 132)})
    after = {info.id: info for info in access(tmp_path).list()}
    for name, net in models.items():
        reason = after[f"{name}.safetensors"].unavailable.get("layer:control", "")
        assert reason == ("" if net else "Control models can't steer models of its family.")
        assert not net or after[f"{net}.safetensors"].problem == ""
    assert why_not("control", "sana", "sprint")
    assert not why_not("control", "sana")


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
    if name.startswith("qwen"):
        qwen = {"in_channels": 64, "attention_head_dim": 128, "num_attention_heads": 1}
        inpaint = name.endswith("inpaint")
        network = QwenImageControlNetModel(
            **qwen, num_layers=1, joint_attention_dim=32, extra_condition_channels=4 if inpaint else 0
        )
        return network.eval(), "qwen-image", "inpaint" if inpaint else ""
    if name == "sana":
        heads = {"attention_head_dim": 32, "num_attention_heads": 2, "num_cross_attention_heads": 2}
        heads |= {"cross_attention_head_dim": 32, "cross_attention_dim": 64, "caption_channels": 32}
        return SanaControlNetModel(num_layers=1, **heads).eval(), "sana", ""
    if name.startswith("z-image"):
        later = name == "z-image-2.1"
        z_image = {"dim": 64, "n_heads": 2, "n_kv_heads": 2, "n_refiner_layers": 1}
        network = ZImageControlNetModel(
            control_layers_places=[0, 15], control_refiner_layers_places=[0],
            control_in_dim=33 if later else 16,
            add_control_noise_refiner="control_noise_refiner" if later else None, **z_image,
        )  # fmt: skip
        return nets.saying_something(network), "z-image", "union"
    unet = tiny.unet(block_out_channels=(320, 32), norm_num_groups=32, cross_attention_dim=768)
    return nets.t2i_adapter(unet), "sd1", "t2i"


OTHERS = (
    "flux-union", "sd3", "t2i", "qwen-image", "qwen-image-inpaint", "sana", "z-image", "z-image-2.1",
)  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
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
        facts = ("control_layers_places", "add_control_noise_refiner", "extra_condition_channels")
        assert [found.config.get(fact) for fact in facts] == [network.config.get(fact) for fact in facts]
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


def test_a_network_by_xlabs_in_its_own_layout_is_the_same(tmp_path: Path) -> None:
    flux = {**tiny.flux().transformer.config, "attention_head_dim": 128, "num_attention_heads": 1}
    flux |= {"axes_dims_rope": (16, 56, 56), "joint_attention_dim": 4096, "in_channels": 64}
    network = nets.flux_net(
        FluxTransformer2DModel.from_config(flux), num_single_layers=0, guidance_embeds=True,
        conditioning_embedding_channels=16, patch_size=2, in_channels=64,
    )  # fmt: skip
    (tmp_path / "control").mkdir()
    save_file(original_xlabs(network), tmp_path / "control" / "canny.safetensors")
    models = access(tmp_path)
    handle = models.find("control", "canny.safetensors")
    assert (handle.family, models.list()[0].problem) == ("flux", "")
    found = load(models, "canny.safetensors").model
    assert found.config.patch_size == 2
    state = found.state_dict()
    assert all(torch.equal(state[key], tensor) for key, tensor in network.state_dict().items())


def test_a_control_lora_is_opened_by_itself_and_takes_no_more_than_its_file(tmp_path: Path) -> None:
    unet = tiny.unet(layers_per_block=2, cross_attention_dim=768)
    file = tmp_path / "control" / "sketch.safetensors"
    file.parent.mkdir()
    state, _ = nets.control_lora(unet)
    save_file(state, file)
    models = access(tmp_path)
    info = next(info for info in models.list() if info.kind == "control")
    assert (info.family, info.variant, info.problem) == ("sd1", "control-lora", "")
    assert "conv_in" in load(models).model.down
    assert models.held()[0].bytes == sum(tensor.nbytes for tensor in state.values())
    state.pop(next(name for name in state if name.endswith(".up")))
    save_file(state, file)
    with pytest.raises(ModelUnreadable, match="missing"):
        load(access(tmp_path))


def test_a_lllite_is_named_by_its_deepest_attention_and_opened(tmp_path: Path) -> None:
    folder = tmp_path / "control"
    folder.mkdir()
    state = nets.lllite(1280)
    deepest = "lllite_unet_middle_block_1_transformer_blocks_9_attn1_to_q"
    given = {name.replace("lllite_unet_middle_block_1_transformer_blocks_0_attn2_to_q", deepest): tensor
             for name, tensor in state.items()}  # fmt: skip
    save_file(given, folder / "canny.safetensors")
    strange = {"lllite_unet_input_blocks_1_0_in_layers_2.down.0.weight": torch.zeros(3, 320, 1, 1)}
    save_file({**given, **strange}, folder / "convolutions.safetensors")
    models = access(tmp_path)
    told = {info.id: info for info in models.list() if info.kind == "control"}
    assert (told["canny.safetensors"].family, told["canny.safetensors"].problem) == ("sdxl", "")
    assert "in_layers_2" in told["convolutions.safetensors"].problem
    lites = load(models, "canny.safetensors").model.places()
    assert [lite.stride for lite in lites.values()] == [16, 16]
    assert "mid_block.attentions.0.transformer_blocks.9.attn1.to_q" in lites
    given.pop(f"{deepest}.up.0.bias")
    save_file(given, folder / "canny.safetensors")
    with pytest.raises(ModelUnreadable, match="missing"):
        load(access(tmp_path), "canny.safetensors")


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
