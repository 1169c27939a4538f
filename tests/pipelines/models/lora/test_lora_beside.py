"""LoRAs beside packed weights: what a layer answers is what the same LoRA gives on the unpacked weights, the
packed ones stay as they are, and what works beside them comes and goes with the layer.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import gguf
import pytest
import torch
from diffusers.quantizers.gguf.utils import GGUFLinear, GGUFParameter

from pipelines.errors import ModelUnreadable
from pipelines.graph.values import Lora
from pipelines.models.files.header import read_header
from pipelines.models.loaded import LoraFile
from pipelines.models.lora.adding import Additions
from pipelines.models.lora.memory import kept_bytes, side_bytes
from pipelines.models.quantized.packed_layers import dense_weight, settle
from pipelines.models.quantized.quantization import pack_layer
from pipelines.models.residency.fake import FakeDevice
from pipelines.models.residency.pieces import weights_of
from tests.helpers.fake_card import part_on
from tests.helpers.lora_files import relative, written
from tests.helpers.model_files import LoadingContext

WIDTH = 128
LETTERS = ("to_q", "to_k", "to_v")
PACKINGS = ("int8", "nf4", "Q4_0")


class Attention(torch.nn.Module):
    """Three projections, as every block has them, and a norm."""

    def __init__(self) -> None:
        super().__init__()
        for letter in LETTERS:
            setattr(self, letter, torch.nn.Linear(WIDTH, WIDTH))
        self.norm = torch.nn.LayerNorm(WIDTH)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.norm(inputs + self.to_q(inputs) - self.to_k(inputs) * torch.tanh(self.to_v(inputs)))


class Network(torch.nn.Module):
    """Three blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = torch.nn.ModuleList(Attention() for _ in range(3))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            inputs = block(inputs)
        return inputs


def packed(layer: torch.nn.Linear, packing: str) -> torch.nn.Module:
    if packing in ("int8", "nf4"):
        return pack_layer(layer, packing, "cpu", torch.float32)
    kind = gguf.GGMLQuantizationType[packing]
    new = GGUFLinear(WIDTH, WIDTH, bias=True, compute_dtype=torch.float32)
    numbers = torch.from_numpy(gguf.quants.quantize(layer.weight.detach().numpy(), kind))
    new.weight, new.bias = GGUFParameter(numbers, quant_type=kind), layer.bias
    return new.requires_grad_(False)


def networks(packing: str) -> tuple[Network, Network]:
    """A packed one, and the same with its weights unpacked."""
    torch.manual_seed(1)
    small, dense = Network().requires_grad_(False).eval(), Network().requires_grad_(False).eval()
    for block in small.blocks:
        for letter in LETTERS:
            setattr(block, letter, packed(getattr(block, letter), packing))
    settle(small, torch.device("cpu"))
    for one, other in zip(small.blocks, dense.blocks, strict=True):
        for letter in LETTERS:
            getattr(other, letter).weight.data = dense_weight(getattr(one, letter))
            getattr(other, letter).bias.data = getattr(one, letter).bias.data.float()
        other.norm.load_state_dict(one.norm.state_dict())
    return small, dense


def additions(network: Network) -> Additions:
    return Additions(SimpleNamespace(components={"transformer": network}), "tiny")


def give(added: Additions, *paths: Path, strength: float = 1.0, blocks: str = "") -> None:
    files = [LoraFile(Lora(p.name, str(p), "", strength, strength, blocks), p, p.stem) for p in paths]
    added.change(files, [], LoadingContext())


def low_rank(folder: Path, seed: int = 0) -> Path:
    """Of one block by layers, of another by the one layer that three are in the code of some authors."""
    random = torch.Generator().manual_seed(seed)
    state = {"transformer.blocks.2.norm.diff_b": torch.full((WIDTH,), 0.1)}
    for name, out in (("blocks.0.to_q", WIDTH), ("blocks.0.to_v", WIDTH), ("blocks.1.qkv", 3 * WIDTH)):
        state[f"diffusion_model.{name}.lora_A.weight"] = torch.randn(4, WIDTH, generator=random) * 0.1
        state[f"diffusion_model.{name}.lora_B.weight"] = torch.randn(out, 4, generator=random) * 0.1
    return written(folder / f"low{seed}.safetensors", state)


def of_method(folder: Path, method: str) -> Path:
    """Of a layer, and of three that are one."""
    one, three = torch.empty(WIDTH, WIDTH), torch.empty(3 * WIDTH, WIDTH)
    state = {f"diffusion_model.blocks.0.to_k.{end}": part for end, part in relative(method, one).items()}
    joined = relative(method, three, 1)
    state |= {f"diffusion_model.blocks.2.qkv.{end}": part for end, part in joined.items()}
    return written(folder / f"{method}.safetensors", state)


def close(found: torch.Tensor, expected: torch.Tensor, packing: str) -> None:
    """INT8 rounds what goes into a layer as well, and NF4 is computed in bf16 by some processors."""
    error = float((found - expected).norm() / expected.norm())
    assert error < {"int8": 0.02, "nf4": 0.01}.get(packing, 1e-5), error


@pytest.mark.parametrize("packing", PACKINGS)
def test_as_on_the_unpacked_weights_and_gone_without_a_trace(tmp_path: Path, packing: str) -> None:
    small, dense = networks(packing)
    inputs = torch.randn(2, 5, WIDTH, generator=torch.Generator().manual_seed(2))
    names = list(small.state_dict())
    before = [tensor.clone() for tensor in weights_of(small)]
    plain = small(inputs)
    beside, inside = additions(small), additions(dense)
    files = {
        "low": [low_rank(tmp_path)], "two": [low_rank(tmp_path), low_rank(tmp_path, 3)],
        **{name: [of_method(tmp_path, name)] for name in ("loha", "oft", "dora", "glora")},
        "mixed": [low_rank(tmp_path), of_method(tmp_path, "dora")],
    }  # fmt: skip
    for name, paths in files.items():
        for added in (beside, inside):
            give(added, *paths, strength=0.7, blocks="0-1=0.5")
        found = small(inputs)
        close(found, dense(inputs), packing)
        assert (found - plain).norm() > 0.02 * plain.norm(), name
    beside.restore()
    assert beside.kept == 0
    assert list(small.state_dict()) == names
    assert all(torch.equal(one, other) for one, other in zip(weights_of(small), before, strict=True))
    assert torch.equal(small(inputs), plain)


def test_what_works_beside_a_layer_comes_and_goes_with_it(tmp_path: Path) -> None:
    small, _ = networks("Q8_0")
    inputs = torch.randn(1, 3, WIDTH)
    give(additions(small), low_rank(tmp_path), of_method(tmp_path, "oft"))
    found = small(inputs)
    device = FakeDevice(2**30, overlaps=False)
    with torch.inference_mode():
        part = part_on(device, small, lambda part: part.minimum)
        assert part.bytes == sum(tensor.numel() * tensor.element_size() for tensor in weights_of(small))
        for _ in range(2):
            assert torch.equal(small(inputs), found)
    assert part.moved == 2 * (part.bytes - part.resident) > 0
    part.leave()
    part.close()
    assert torch.equal(small(inputs), found)


def test_strengths_change_without_reading_and_not_what_is_in_dense_weights(tmp_path: Path) -> None:
    small, dense = networks("Q8_0")
    inputs = torch.randn(1, 3, WIDTH)
    path = of_method(tmp_path, "loha")
    added, inside = additions(small), additions(dense)
    give(added, path)
    path.rename(path.with_suffix(".gone"))
    other = [LoraFile(Lora(path.name, str(path), "", -0.5, 0.5, ""), path, path.stem)]
    assert added.adjust(other)
    path.with_suffix(".gone").rename(path)
    give(inside, path, strength=-0.5)
    close(small(inputs), dense(inputs), "Q8_0")
    assert not inside.adjust(other)
    give(added, path, low_rank(tmp_path))  # which changes a norm as well
    assert not added.adjust(
        [LoraFile(Lora(p.name, str(p), "", 2.0, 1.0, ""), p, p.stem) for p in (path, low_rank(tmp_path))]
    )


@pytest.mark.parametrize("end", ["lora_B.weight", "dora_scale"])
def test_what_does_not_fit_is_found_before_anything_is_drawn(tmp_path: Path, end: str) -> None:
    small, _ = networks("Q8_0")
    plain = small(torch.ones(1, 1, WIDTH))
    name = "diffusion_model.blocks.0.to_q"
    state = {f"{name}.lora_A.weight": torch.ones(4, WIDTH), f"{name}.lora_B.weight": torch.ones(WIDTH, 4)}
    state[f"{name}.{end}"] = torch.ones(WIDTH, 3) if end == "lora_B.weight" else torch.ones(7)
    with pytest.raises(ModelUnreadable, match="don't fit each other"):
        give(additions(small), low_rank(tmp_path), written(tmp_path / "odd.safetensors", state))
    assert torch.equal(small(torch.ones(1, 1, WIDTH)), plain)


@pytest.mark.parametrize("method", ["", "loha", "lokr_low", "dora", "glora", "full", "oft"])
def test_the_memory_they_take_is_told_by_their_headers(tmp_path: Path, method: str) -> None:
    path = of_method(tmp_path, method) if method else low_rank(tmp_path)
    header = read_header(path)
    small, dense = networks("Q8_0")
    before = sum(tensor.numel() * tensor.element_size() for tensor in weights_of(small))
    inside, beside = additions(dense), additions(small)
    give(inside, path)
    give(beside, path)
    kept = kept_bytes([header, header], 4)
    # Of OFT, one side of a weight isn't told: what is three layers here is taken to be a square.
    assert kept == (WIDTH**2 + 9 * WIDTH**2) * 4 if method == "oft" else inside.kept
    taken = sum(tensor.numel() * tensor.element_size() for tensor in weights_of(small)) - before
    assert abs(taken - side_bytes([header], 4, {"denoiser"})) <= 4096
    assert kept_bytes([header], 4, {"denoiser"}) == 0
    assert beside.kept <= 4 * WIDTH * 4  # shifts, which aren't packed
