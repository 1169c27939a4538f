"""Packed weights on the move: the same results wherever they are, and no more of them there than allowed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from pipelines.models.loaded import Network
from pipelines.models.quantized.packed_layers import settle, tensors_of
from pipelines.models.quantized.quantization import quantize
from pipelines.models.residency.fake import FakeDevice
from pipelines.models.residency.part import Part
from pipelines.models.residency.pieces import split
from tests.helpers.fake_card import FakeCard, part_on, parts

METHODS = ("int8", "nf4")
INPUTS = {"input_ids": torch.arange(9)[None]}


@pytest.fixture(autouse=True)
def small_heap() -> Iterator[None]:
    gc.freeze()
    yield
    gc.unfreeze()


def words(method: str, dtype: torch.dtype = torch.bfloat16) -> Any:
    """A language model whose layers are worth packing."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=64, intermediate_size=128, num_hidden_layers=6, num_attention_heads=4
    )
    network = LlamaForCausalLM(config).requires_grad_(False).eval().to(dtype)
    quantize(network, method, "cpu", dtype)
    return network


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("method", METHODS)
def test_they_stream_bit_for_bit(method: str, dtype: torch.dtype) -> None:
    network = words(method, dtype)
    device = FakeDevice(2**30)
    with torch.inference_mode():
        expected = words(method, dtype)(**INPUTS).logits
        for share in (1.0, 0.7, 0.0):
            part = part_on(device, network, lambda part: max(int(part.bytes * share), part.minimum))  # noqa: B023
            with device.metered():
                for step in range(3):
                    before = device.copied_in
                    assert torch.equal(network(**INPUTS).logits, expected)
                    if step:
                        assert device.copied_in - before == part.bytes - part.resident
                assert device.memory.used - part.resident < 20_000
            assert part.resident <= max(part.bytes * share, part.minimum)
            assert part.streaming == (share < 1)
            part.leave()
            part.close()
            gc.collect()
            assert device.memory.used == 0
        assert torch.equal(network(**INPUTS).logits, expected)


@pytest.mark.parametrize("method", METHODS)
def test_all_that_they_compute_with_is_counted(method: str) -> None:
    network = words(method)
    Part(Network("network", "main", network), FakeDevice(2**30), lambda part: None)
    fixed, blocks = split(network)
    kept = [tensor for layer in network.modules() for tensor in tensors_of(layer)]
    assert len(kept) >= 6 * 7  # every layer has scales
    counted = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers(), *kept)}
    total = sum(tensor.numel() * tensor.element_size() for tensor in counted.values())
    assert fixed.bytes + sum(block.bytes for block in blocks) == total


def test_layers_share_their_tables() -> None:
    network = words("nf4")
    settle(network, torch.device("cuda"))
    fixed, blocks = split(network)
    assert sorted(table.numel() for table in fixed.tensors if table.dtype == torch.float32)[:2] == [16, 256]
    assert not any(tensor.numel() == 256 for block in blocks for tensor in block.tensors)


@pytest.mark.parametrize("method", METHODS)
def test_going_back_to_a_packed_model_reads_nothing_from_the_disk(method: str) -> None:
    alone = words(method)
    with torch.inference_mode():
        expected = alone(**INPUTS).logits
    fixed, blocks = split(alone)
    room = (fixed.bytes + sum(block.bytes for block in blocks)) * 3 // 2
    bench = FakeCard(room, first=lambda: words(method), second=lambda: words(method))
    for name in ("first", "second", "first"):
        with bench.use(name, "language") as loaded, torch.inference_mode():
            assert torch.equal(loaded.model(**INPUTS).logits, expected)
            assert parts(loaded)["model"].whole
    assert bench.loader.loads == ["first", "second"]
    assert bench.device.memory.peak <= room
