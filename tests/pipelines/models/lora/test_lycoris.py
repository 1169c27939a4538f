"""Relatives of LoRA: what each adds is what the libraries that train them compute, whatever the names in the
file are; taken away, the weights are as before, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft.tuners.boft.layer import BOFTLayer
from peft.tuners.loha.layer import make_weight, make_weight_cp
from peft.tuners.lokr.layer import make_kron
from peft.tuners.lokr.layer import make_weight_cp as make_core
from peft.tuners.oft.layer import OFTRotationModule

from pipelines.errors import LoraUnsuitable
from pipelines.graph.values import Lora
from pipelines.models.files.header import read_header
from pipelines.models.loaded import LoraFile
from pipelines.models.lora.adding import Additions
from pipelines.models.probing.probe import probe_file
from tests.helpers import lora_files, tiny_large, tiny_pipelines, tiny_transformers
from tests.helpers.lora_files import CONVOLUTION, ENCODER, LINEAR, NORM, RANK, relative, written
from tests.helpers.model_files import LoadingContext

Place = tuple[str, str]
State = dict[str, torch.Tensor]
CONVOLUTIONS = ("loha", "loha_tucker", "lokr_tucker", "lokr_low", "oft", "dora", "tucker", "ia3_input",
    "glora", "peft_boft",
)  # fmt: skip


@pytest.fixture(scope="module")
def sd1() -> Any:
    return tiny_pipelines.sd1()


@pytest.fixture(scope="module")
def flux() -> Any:
    return tiny_pipelines.flux()


def weight_of(pipeline: Any, place: Place) -> torch.Tensor:
    return getattr(pipeline, place[0]).get_submodule(place[1]).weight


def expected(method: str, weight: torch.Tensor, parts: State, strength: float = 1.0) -> torch.Tensor:
    """The weight with what the libraries' own code adds, or the method's formula where they have none."""
    alpha = float(parts["alpha"]) if "alpha" in parts else None
    out = weight.shape[0]
    match method:
        case "loha":
            added = make_weight(
                *(parts[f"hada_w{n}_{s}"] for n in (1, 2) for s in "ab"), torch.tensor(alpha / RANK)
            )
        case "loha_tucker":
            halves = ((parts[f"hada_t{n}"], parts[f"hada_w{n}_a"], parts[f"hada_w{n}_b"]) for n in (1, 2))
            added = make_weight_cp(*next(halves), *next(halves), torch.tensor(1.0))
        case "lokr":
            added = make_kron(parts["lokr_w1"], parts["lokr_w2"], 1.0)
        case "lokr_low":
            small, large = (parts[f"lokr_w{n}_a"] @ parts[f"lokr_w{n}_b"] for n in (1, 2))
            added = torch.kron(small, large.reshape(out // 4, -1)) * alpha
            if weight.ndim > 2:  # the kernel belongs to the large one
                added = (
                    torch.kron(small[..., None, None], large.reshape(out // 4, -1, *weight.shape[2:])) * alpha
                )
        case "lokr_tucker":
            added = make_kron(
                parts["lokr_w1"], make_core(*(parts[f"lokr_{n}"] for n in ("t2", "w2_a", "w2_b"))), 1.0
            )
        case "ia3" | "ia3_input":
            side = 1 if method == "ia3_input" else 0
            added = weight * parts["weight"].reshape(
                [-1 if axis == side else 1 for axis in range(weight.ndim)]
            )
        case "oft" | "boft":
            return turned(weight, parts, strength)
        case "dylora":
            up, down = (torch.stack([parts[f"{s}_list.{n}"] for n in range(RANK)]) for s in ("up", "down"))
            added = torch.einsum("nor,nri->oi", up, down)
        case "full" | "norm":
            added = parts["diff" if method == "full" else "w_norm"]
        case "dora" | "dora_input":
            down, up = parts["lora_down.weight"].flatten(1), parts["lora_up.weight"].flatten(1)
            changed = weight + (up @ down).reshape(weight.shape) * ((alpha or RANK) / RANK)
            axes = [axis for axis in range(weight.ndim) if axis != (1 if method == "dora_input" else 0)]
            length = torch.linalg.vector_norm(changed, dim=axes, keepdim=True)
            added = parts["dora_scale"].reshape(length.shape) * changed / length - weight
        case "tucker":
            down, up = parts["lora_down.weight"].flatten(1), parts["lora_up.weight"].flatten(1)
            added = make_core(parts["lora_mid.weight"], up.T.contiguous(), down)
        case "peft_oft":
            module = OFTRotationModule(weight.shape[1] // 4, 6, 4, weight.shape[1])
            module.weight.data = parts["oft_R.weight"]
            added = (module.get_weight().detach() @ weight.T).T - weight
        case "glora" | "glora_before":
            names = ("a1", "a2", "b1", "b2") if method == "glora" else ("a2", "a1", "b2", "b1")
            a1, a2, b1, b2 = (parts[f"{name}.weight"] for name in names)
            a1, a2 = a1.flatten(1), a2.flatten(1)
            seen = torch.einsum("oi...,ij->oj...", weight, a1 @ a2)
            added = (seen + (b1.flatten(1) @ b2.flatten(1)).reshape(weight.shape)) * (alpha / RANK)
        case "peft_boft":
            return mixed(weight, parts["boft_R"], parts["boft_s"], strength)
        case _:
            added = weight * (parts["ia3_l"] - 1)
    return weight + strength * added.reshape(weight.shape)


def turned(weight: torch.Tensor, parts: State, strength: float) -> torch.Tensor:
    """By matrices as large as the weight: the blocks along their diagonals, one stage after the other."""
    stages = parts["oft_blocks"] if parts["oft_blocks"].ndim == 4 else parts["oft_blocks"][None]
    skew = stages - stages.transpose(-1, -2)
    if "alpha" in parts:
        skew = skew * min(1.0, float(parts["alpha"]) * weight.shape[0] / float(skew.norm()))
    rows = weight.flatten(1)
    size = stages.shape[-1]
    for number, stage in enumerate(skew):
        eye = torch.eye(size)
        turns = torch.stack([(eye + q) @ torch.linalg.inv(eye - q) for q in stage])
        turns = strength * turns + (1 - strength) * eye
        turns = turns if "rescale" in parts else turns.transpose(1, 2)
        order = torch.arange(len(rows))
        if "rescale" in parts:  # rows that are half a block's width, twice it… apart meet
            apart = 2**number * size // 2
            order = order.reshape(-1, 2, apart).transpose(1, 2).reshape(-1)
        mixed = torch.block_diag(*turns) @ rows[order]
        rows = torch.empty_like(rows).index_copy(0, order, mixed)
    if "rescale" in parts:
        rows = rows * (1 + (parts["rescale"] - 1) * strength)
    return rows.reshape(weight.shape)


def mixed(weight: torch.Tensor, stages: torch.Tensor, scale: torch.Tensor, strength: float) -> torch.Tensor:
    """By PEFT's own rotations and permutations, as matrices as wide as the weight."""
    count, blocks, size, _ = stages.shape
    width = blocks * size
    turns = BOFTLayer.cayley_batch(None, stages.flatten(0, 1)).unflatten(0, (count, blocks))
    turns = strength * turns + (1 - strength) * torch.eye(size)
    rows = weight.flatten(1).T
    for number, stage in enumerate(turns):
        order = BOFTLayer.block_butterfly_perm(None, width, blocks // 2**number, size // 2, count - 1)
        moved = BOFTLayer.perm2mat(None, order)
        rows = moved @ torch.block_diag(*stage) @ moved.T @ rows
    return (rows.T * (1 + (scale - 1) * strength)).reshape(weight.shape)


def cases() -> Iterator[Any]:
    for method in lora_files.METHODS:
        places = [] if method in ("loha_tucker", "lokr_tucker", "norm", "tucker") else [LINEAR]
        places += [CONVOLUTION] if method in CONVOLUTIONS else [NORM] if method == "norm" else []
        for place in places:
            yield pytest.param(method, place, id=f"{method}-{place[1].rpartition('.')[2]}")


def add(pipeline: Any, path: Path, **how: Any) -> Additions:
    """A LoRA file, given to a pipeline."""
    additions = Additions(pipeline, "tiny")
    lora = Lora(
        path.name, str(path), "", how.get("strength", 1.0), how.get("text", 1.0), how.get("blocks", "")
    )
    additions.change([LoraFile(lora, path, path.stem)], [], LoadingContext())
    return additions


@pytest.mark.parametrize(("method", "place"), list(cases()))
def test_each_method_adds_what_it_was_trained_to(sd1: Any, tmp_path: Path, method: str, place: Place) -> None:
    parameter = weight_of(sd1, place)
    before = parameter.detach().clone()
    parts = relative(method, before)
    name = f"lora_unet_{place[1].replace('.', '_')}"
    path = written(tmp_path / "any.safetensors", {f"{name}.{end}": part for end, part in parts.items()})
    assert probe_file(read_header(path)).kind == "lora"
    for strength in (1.0, 0.5):
        additions = add(sd1, path, strength=strength)
        torch.testing.assert_close(parameter, expected(method, before, parts, strength), atol=2e-6, rtol=1e-5)
        assert not torch.equal(parameter, before)
        additions.restore()
        assert torch.equal(parameter, before)


def test_whole_factors_are_scaled_as_settings_beside_the_file_say(sd1: Any, tmp_path: Path) -> None:
    """PEFT's LoKr; LyCORIS has no scale where nothing is of low rank."""
    parameter = weight_of(sd1, LINEAR)
    before = parameter.detach().clone()
    parts = relative("lokr", before)
    del parts["alpha"]
    state = {f"base_model.model.{LINEAR[1]}.{end}": part for end, part in parts.items()}
    path = written(tmp_path / "adapter_model.safetensors", state)
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LOKR", "r": 8, "alpha": 4}')
    additions = add(sd1, path)
    torch.testing.assert_close(parameter, before + 0.5 * make_kron(parts["lokr_w1"], parts["lokr_w2"], 1.0))
    additions.restore()


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.bfloat16])
def test_files_of_fewer_bits(sd1: Any, tmp_path: Path, dtype: torch.dtype) -> None:
    parameter = weight_of(sd1, LINEAR)
    before = parameter.detach().clone()
    state = {f"unet.{LINEAR[1]}.diff": torch.full_like(before, 0.5).to(dtype)}
    additions = add(sd1, written(tmp_path / "small.safetensors", state))
    torch.testing.assert_close(parameter, before + 0.5)
    additions.restore()


def test_shifts_are_added_as_well(sd1: Any, tmp_path: Path) -> None:
    layers = {place: sd1.unet.get_submodule(place[1]) for place in (CONVOLUTION, NORM)}
    before = {place: layer.bias.detach().clone() for place, layer in layers.items()}
    state, added = {}, {}
    for place, method, end in ((CONVOLUTION, "full", "diff_b"), (NORM, "norm", "b_norm")):
        parts = relative(method, layers[place].weight)
        added[place] = parts[end]
        state |= {f"lycoris_unet_{place[1].replace('.', '_')}.{name}": part for name, part in parts.items()}
    additions = add(sd1, written(tmp_path / "shifts.safetensors", state), strength=0.5)
    for place, layer in layers.items():
        torch.testing.assert_close(layer.bias, before[place] + 0.5 * added[place])
    additions.restore()
    assert all(torch.equal(layer.bias, before[place]) for place, layer in layers.items())


def test_names_of_a_u_net_in_the_code_of_its_authors(sd1: Any, tmp_path: Path) -> None:
    """SDXL's trainers use those; each layer has one, whatever the method."""
    names = {
        "conv_in": "input_blocks_0_0", "time_embedding.linear_2": "time_embed_2", "conv_out": "out_2",
        "down_blocks.0.downsamplers.0.conv": "input_blocks_2_0_op",
        "down_blocks.1.resnets.0.time_emb_proj": "input_blocks_3_0_emb_layers_1",
        "down_blocks.1.attentions.0.proj_in": "input_blocks_3_1_proj_in",
        "mid_block.resnets.1.conv2": "middle_block_2_out_layers_3",
        "up_blocks.0.attentions.1.proj_out": "output_blocks_1_1_proj_out",
        "up_blocks.0.upsamplers.0.conv": "output_blocks_1_2_conv",
        "up_blocks.1.resnets.0.conv_shortcut": "output_blocks_2_0_skip_connection",
    }  # fmt: skip
    before = {path: sd1.unet.get_submodule(path).weight.detach().clone() for path in names}
    state = {f"lora_unet_{names[path]}.diff": torch.full_like(weight, 0.5) for path, weight in before.items()}
    additions = add(sd1, written(tmp_path / "names.safetensors", state))
    for path, weight in before.items():
        torch.testing.assert_close(sd1.unet.get_submodule(path).weight, weight + 0.5, msg=path)
    additions.restore()


ROWS = ("transformer_blocks.0.attn.to_q", "transformer_blocks.0.attn.to_k", "transformer_blocks.0.attn.to_v")
_QKV = ("lora_unet_double_blocks_0_img_attn_qkv", "diffusion_model.double_blocks.0.img_attn.qkv")


@pytest.mark.parametrize("method", ["lokr_low", "oft", "dora"])
@pytest.mark.parametrize("name", _QKV)
def test_one_layer_of_the_original_code_that_is_three_here(
    flux: Any, tmp_path: Path, method: str, name: str
) -> None:
    layers = [flux.transformer.get_submodule(path) for path in ROWS]
    before = [layer.weight.detach().clone() for layer in layers]
    joined = torch.cat(before)
    parts = relative(method, joined)
    path = written(tmp_path / "any.safetensors", {f"{name}.{end}": part for end, part in parts.items()})
    additions = add(flux, path)
    wanted = expected(method, joined, parts).chunk(3)
    for layer, weight in zip(layers, wanted, strict=True):
        torch.testing.assert_close(layer.weight, weight, atol=2e-6, rtol=1e-5)
    additions.restore()
    assert all(torch.equal(layer.weight, weight) for layer, weight in zip(layers, before, strict=True))


def test_encoders_and_transformers_by_the_names_of_each_trainer(flux: Any, tmp_path: Path) -> None:
    """Of one layer each: kohya's, OneTrainer's, LyCORIS', diffusers' and PEFT's own."""
    path = "single_transformer_blocks.0.attn.to_q"
    flat = path.replace(".", "_")
    encoder = ENCODER[1]
    spellings = {
        ("transformer", path): (
            f"transformer.{path}", f"diffusion_model.{path}", f"base_model.model.{path}", path,
            f"lora_transformer_{flat}", f"lora_unet_{flat}", f"lycoris_{flat}",
        ),
        ("text_encoder", encoder): (
            f"text_encoder.text_model.{encoder}", f"text_encoder.{encoder}",
            f"lora_te1_text_model_{encoder.replace('.', '_')}",
        ),
        ("text_encoder_2", "encoder.block.0.layer.0.SelfAttention.q"): (
            "lora_te3_encoder_block_0_layer_0_SelfAttention_q",
            "text_encoder_2.encoder.block.0.layer.0.SelfAttention.q",
        ),
    }  # fmt: skip
    for place, names in spellings.items():
        parameter = weight_of(flux, place)
        before = parameter.detach().clone()
        for name in names:
            additions = add(
                flux, written(tmp_path / "any.safetensors", {f"{name}.diff": torch.ones_like(before)})
            )
            torch.testing.assert_close(parameter, before + 1, msg=name)
            additions.restore()


_JOINED = {
    "flux2": ("diffusion_model.double_blocks.0.img_attn.qkv", "transformer_blocks.0.attn.to_{}"),
    "z_image": ("diffusion_model.layers.0.attention.qkv", "layers.0.attention.to_{}"),
    "qwen_image": ("lora_unet_transformer_blocks_0_attn_to_q", "transformer_blocks.0.attn.to_{}"),
    "sd3": ("transformer.transformer_blocks.0.attn.to_q", "transformer_blocks.0.attn.to_{}"),
    "pixart_sigma": (
        "base_model.model.transformer_blocks.0.attn1.to_q",
        "transformer_blocks.0.attn1.to_{}",
    ),
    "pixart_alpha": ("lora_transformer_transformer_blocks_0_attn2_to_q", "transformer_blocks.0.attn2.to_{}"),
}


@pytest.mark.parametrize("family", _JOINED)
def test_each_family_of_transformers_by_the_names_its_trainers_write(tmp_path: Path, family: str) -> None:
    homes = {"sd3": tiny_pipelines, "pixart_sigma": tiny_transformers, "pixart_alpha": tiny_transformers}
    pipeline = getattr(homes.get(family, tiny_large), family)()
    name, path = _JOINED[family]
    letters = "qkv" if name.endswith("qkv") else "q"
    weights = [pipeline.transformer.get_submodule(path.format(letter)).weight for letter in letters]
    before = [weight.detach().clone() for weight in weights]
    joined = torch.cat(before)
    down, up = torch.randn(2, joined.shape[1]), torch.randn(joined.shape[0], 2)
    state = {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
    additions = add(pipeline, written(tmp_path / "any.safetensors", state), strength=0.5)
    torch.testing.assert_close(torch.cat(weights), joined + 0.5 * up @ down)
    additions.restore()
    assert all(torch.equal(weight, plain) for weight, plain in zip(weights, before, strict=True))


def test_what_does_not_fit_leaves_the_weights_alone(sd1: Any, tmp_path: Path) -> None:
    before = {name: weight.clone() for name, weight in sd1.unet.state_dict().items()}
    good = f"lora_unet_{LINEAR[1].replace('.', '_')}"
    bad = "lora_unet_mid_block_attentions_0_proj_in"
    cases: tuple[tuple[State, str], ...] = (
        ({f"{bad}.lokr_w1": torch.ones(3, 4), f"{bad}.lokr_w2": torch.ones(4, 4)}, "other sizes"),
        ({f"{bad}.hada_w1_b": torch.ones(2, 16)}, "can't be read"),
        ({f"lora_unet_nowhere_{n}.diff": torch.ones(4, 4) for n in range(9)}, "Only 1 of the 10"),
    )
    for state, words in cases:
        path = written(tmp_path / "any.safetensors", {f"{good}.diff": torch.ones(16, 16)} | state)
        with pytest.raises(LoraUnsuitable, match=words):
            add(sd1, path)
        assert all(torch.equal(sd1.unet.state_dict()[name], weight) for name, weight in before.items())


def test_blocks_have_strengths_of_their_own(sd1: Any, flux: Any, tmp_path: Path) -> None:
    paths = {
        "down_blocks.1.resnets.0.conv1": 0.5,
        "mid_block.resnets.0.conv1": 0.0,
        "up_blocks.0.resnets.1.conv1": 2.0,
    }
    before = {path: sd1.unet.get_submodule(path).weight.detach().clone() for path in paths}
    state = {f"unet.{path}.diff": torch.ones_like(weight) for path, weight in before.items()}
    state[f"text_encoder.{ENCODER[1]}.diff"] = torch.ones(32, 32)
    encoder = weight_of(sd1, ENCODER).detach().clone()
    file = written(tmp_path / "u.safetensors", state)
    additions = add(sd1, file, strength=0.5, blocks="BASE=3, IN03=0.5 MID=0; OUT*=1, OUT01=2")
    for path, factor in paths.items():
        torch.testing.assert_close(sd1.unet.get_submodule(path).weight, before[path] + 0.5 * factor, msg=path)
    torch.testing.assert_close(weight_of(sd1, ENCODER), encoder + 3)
    additions.restore()
    stacks = ("transformer_blocks.0.attn.to_q", "single_transformer_blocks.0.attn.to_q")
    weights = [flux.transformer.get_submodule(path).weight for path in stacks]
    plain = [weight.detach().clone() for weight in weights]
    state = {f"transformer.{path}.diff": torch.ones_like(w) for path, w in zip(stacks, plain, strict=True)}
    additions = add(flux, written(tmp_path / "t.safetensors", state), blocks="*=0, 1-9=0.25")
    assert torch.equal(weights[0], plain[0])
    torch.testing.assert_close(weights[1], plain[1] + 0.25)
    additions.restore()
    assert torch.equal(weights[1], plain[1])
