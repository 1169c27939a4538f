"""Models larger than the device: what stays, what streams, what it costs, and that nothing changes."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from diffusers import FluxTransformer2DModel, SD3Transformer2DModel
from transformers import LlamaConfig, LlamaForCausalLM

from pipelines.errors import Cancelled, OutOfMemory
from pipelines.graph.node import FlagToken
from pipelines.models.quantized.quantization import quantize
from pipelines.models.residency.fake import FakeDevice, NotOnDevice
from pipelines.models.residency.pieces import split
from tests.helpers import tiny_pipelines
from tests.helpers.fake_card import FakeCard, draw, part_on, parts


def flux() -> tuple[Any, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    network = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=3, num_single_layers=5, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8),
    ).eval()  # fmt: skip
    return network, {
        "hidden_states": torch.randn(1, 12, 16), "encoder_hidden_states": torch.randn(1, 5, 32),
        "pooled_projections": torch.randn(1, 32), "timestep": torch.tensor([0.5]),
        "img_ids": torch.zeros(12, 3), "txt_ids": torch.zeros(5, 3),
    }  # fmt: skip


def sd3() -> tuple[Any, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    network = SD3Transformer2DModel(
        sample_size=16, patch_size=2, in_channels=16, num_layers=6, attention_head_dim=8,
        num_attention_heads=4, caption_projection_dim=32, joint_attention_dim=64, pooled_projection_dim=64,
        out_channels=16, pos_embed_max_size=32,
    ).eval()  # fmt: skip
    return network, {
        "hidden_states": torch.randn(1, 16, 8, 8), "encoder_hidden_states": torch.randn(1, 5, 64),
        "pooled_projections": torch.randn(1, 64), "timestep": torch.tensor([10.0]),
    }  # fmt: skip


def unet() -> tuple[Any, dict[str, torch.Tensor]]:
    """It names its blocks in another order than it calls them: the middle one last."""
    torch.manual_seed(0)
    network = tiny_pipelines.unet(block_out_channels=(32, 64), layers_per_block=2)
    return network, {
        "sample": torch.randn(2, 4, 8, 8), "timestep": torch.tensor(10),
        "encoder_hidden_states": torch.randn(2, 7, 32),
    }  # fmt: skip


def llama() -> tuple[Any, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=6, num_attention_heads=4,
        tie_word_embeddings=True,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval(), {"input_ids": torch.arange(9)[None]}


NETWORKS = (flux, sd3, unet, llama)


@pytest.mark.parametrize("overlaps", [True, False])
@pytest.mark.parametrize("make", NETWORKS)
def test_results_are_bit_equal_and_the_traffic_is_what_does_not_stay(
    make: Callable[[], tuple[Any, dict[str, torch.Tensor]]], overlaps: bool
) -> None:
    network, inputs = make()
    with torch.inference_mode():
        expected = network(**inputs)[0]
    device = FakeDevice(2**30, overlaps=overlaps)
    for share in (1.0, 0.7, 0.4, 0.0):
        part = part_on(device, network, lambda part: max(int(part.bytes * share), part.minimum))  # noqa: B023
        with torch.inference_mode(), device.metered():
            for step in range(3):
                before = device.copied_in
                assert torch.equal(network(**inputs)[0], expected)
                moved = device.copied_in - before
                if step:  # the first one also brings what stays
                    assert moved == part.bytes - part.resident
            used = device.memory.used
        assert part.resident <= max(part.bytes * share, part.minimum)
        assert part.resident >= part.bytes * share - part.window - part.bytes / 6 or share == 1.0
        assert part.streaming == (share < 1)
        assert used - part.resident < 100_000
        assert part.moved == (0 if share == 1 else 3 * (part.bytes - part.resident))
        part.leave()
        part.close()
        gc.collect()
        assert device.memory.used == 0
    assert torch.equal(network(**inputs)[0], expected)


def test_the_blocks_that_pass_through_are_at_most_two() -> None:
    network, inputs = flux()
    fixed, blocks = split(network)
    device = FakeDevice(2**30)
    part = part_on(device, network, lambda part: part.minimum)
    assert part.minimum == fixed.bytes + 2 * max(block.bytes for block in blocks)
    with torch.inference_mode():
        network(**inputs)
    assert device.memory.peak <= part.minimum
    with pytest.raises(ValueError, match="needs"):
        part.fit(part.minimum - 1)


def test_what_is_shared_between_blocks_stays() -> None:
    network, _ = llama()
    fixed, blocks = split(network)
    assert fixed.bytes >= network.lm_head.weight.numel() * 4
    assert sum(block.bytes for block in blocks) + fixed.bytes == sum(
        tensor.numel() * tensor.element_size() for tensor in (*network.parameters(), *network.buffers())
    )


def test_a_fake_device_is_as_strict_as_a_real_one() -> None:
    device = FakeDevice(1000)
    weight = torch.nn.Linear(8, 8, bias=False)
    copies = device.copy_in([weight.weight.data])
    assert copies.tensors[0].isnan().all()  # before it is waited for
    with device.metered(), torch.no_grad():
        with pytest.raises(NotOnDevice):
            weight(torch.ones(1, 8))
        copies.wait()
        weight.weight.data = copies.tensors[0]
        weight(torch.ones(1, 8))
        with pytest.raises(torch.OutOfMemoryError):
            torch.ones(256) + 1
    with pytest.raises(torch.OutOfMemoryError):
        device.copy_in([torch.zeros(200)])


def test_a_pass_that_is_cancelled_leaves_nothing_on_the_device() -> None:
    network, inputs = flux()
    device = FakeDevice(2**30)
    part = part_on(device, network, lambda part: part.minimum)
    token = FlagToken()
    token.cancel()
    network.single_transformer_blocks[1].register_forward_pre_hook(lambda *_: token.check())
    with torch.inference_mode(), pytest.raises(Cancelled):
        network(**inputs)
    assert part.running == 0
    part.leave()
    gc.collect()
    assert device.memory.used == 0


# --- the manager --------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def small_heap() -> Iterator[None]:
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(params=["sd1", "sdxl", "sd3", "flux"])
def family(request: pytest.FixtureRequest) -> str:
    return request.param


def test_a_pipeline_draws_the_same_in_any_budget(family: str) -> None:
    make = getattr(tiny_pipelines, family)
    pipeline = make()
    expected = draw(pipeline)
    networks = {n: c for n, c in pipeline.components.items() if isinstance(c, torch.nn.Module)}
    sizes = {n: sum(t.numel() * 4 for t in (*c.parameters(), *c.buffers())) for n, c in networks.items()}
    for room in (sum(sizes.values()) * 2, max(sizes.values()) + 1000):
        bench = FakeCard(room, **{family: make})
        assert torch.equal(bench.draw(family), expected)
        assert bench.device.memory.peak <= room
        assert bench.loader.loads == [family]


def test_text_encoders_leave_when_the_prompt_is_encoded() -> None:
    bench = FakeCard(2**30, sdxl=tiny_pipelines.sdxl)
    with bench.use("sdxl") as loaded:
        found = parts(loaded)
        assert [found[name].whole for name in ("unet", "vae", "text_encoder", "text_encoder_2")] == [
            True, True, False, False
        ]  # fmt: skip
        embeds = loaded.pipeline.encode_prompt("a", device="cpu", do_classifier_free_guidance=False)
        assert found["text_encoder"].whole
        assert found["text_encoder_2"].whole
        names = ("prompt_embeds", "", "pooled_prompt_embeds", "")
        named = {name: value for name, value in zip(names, embeds, strict=True) if name}
        loaded.pipeline.set_progress_bar_config(disable=True)
        loaded.pipeline(**named, height=64, width=64, num_inference_steps=1, guidance_scale=1.0)
        assert not found["text_encoder"].held
        assert not found["text_encoder_2"].held
        assert found["unet"].whole


def test_going_back_to_a_model_reads_nothing_from_the_disk() -> None:
    alone = {name: draw(getattr(tiny_pipelines, name)()) for name in ("sd1", "flux")}
    bench = FakeCard(4_300_000, sd1=tiny_pipelines.sd1, flux=tiny_pipelines.flux)
    for name in ("sd1", "flux", "sd1", "flux"):
        assert torch.equal(bench.draw(name), alone[name])
    assert bench.loader.loads == ["sd1", "flux"]
    assert bench.device.memory.peak <= 4_300_000
    without = FakeCard(4_300_000, 1, sd1=tiny_pipelines.sd1, flux=tiny_pipelines.flux)
    for name in ("sd1", "flux", "sd1"):
        without.draw(name)
    assert without.loader.loads == ["sd1", "flux", "sd1"]


def test_a_language_model_streams_as_well() -> None:
    network, inputs = llama()
    with torch.inference_mode():
        expected = network(**inputs)[0]
    size = sum(t.numel() * 4 for t in (*network.parameters(), *network.buffers()))
    bench = FakeCard(size * 2 // 3, words=lambda: llama()[0])
    with bench.use("words", "language") as loaded, torch.inference_mode():
        assert torch.equal(loaded.model(**inputs)[0], expected)
        assert loaded.residence.streams("main")
        assert loaded.residence.moved == loaded.residence.total - loaded.residence.resident > 0
    assert bench.device.memory.peak <= size * 2 // 3


def test_a_card_too_small_for_the_largest_blocks_is_a_clear_message() -> None:
    bench = FakeCard(2000, sd1=tiny_pipelines.sd1)
    with pytest.raises(OutOfMemory, match=r"sd1 \(text_encoder\) needs"):
        bench.draw("sd1")


def test_memory_that_the_driver_lacks_is_answered_with_fewer_blocks() -> None:
    """Other programs took some since the budget was made."""
    network, inputs = llama()
    with torch.inference_mode():
        expected = network(**inputs)[0]
    bench = FakeCard(2**30, words=lambda: llama()[0])
    bench.device.memory.limit = sum(t.numel() * 4 for t in network.parameters()) - 1
    with bench.use("words", "language") as loaded, torch.inference_mode():
        assert torch.equal(loaded.model(**inputs)[0], expected)
        assert loaded.residence.streams("main")


def test_an_offload_takes_first_what_the_stage_does_not_need() -> None:
    bench = FakeCard(2**30, sd1=tiny_pipelines.sd1)
    with bench.use("sd1") as loaded:
        draw(loaded.pipeline)
        found = parts(loaded)
        assert loaded.residence.offload("main")
        assert not found["vae"].held
        assert found["unet"].whole
        held = [found["unet"].held]
        while loaded.residence.offload("main"):
            held.append(found["unet"].held)
        assert held == sorted(held, reverse=True)
        assert held[-1] <= found["unet"].minimum
        draw(loaded.pipeline)
        assert found["unet"].held <= found["unet"].minimum  # it doesn't grow again in this run
    with bench.use("sd1") as loaded:
        draw(loaded.pipeline)
        assert found["unet"].whole


def test_idle_models_leave_after_a_while() -> None:
    bench = FakeCard(2**30, sd1=tiny_pipelines.sd1, flux=tiny_pipelines.flux)
    bench.draw("sd1")
    bench.now = 500
    bench.draw("flux")
    bench.now = 650
    assert bench.manager.release_idle() > 0
    assert [held.model for held in bench.manager.held()] == ["flux"]
    with bench.use("flux"):
        bench.now = 10_000
        assert bench.manager.release_idle() == 0
    bench.manager.free()
    gc.collect()
    assert bench.device.memory.used == 0


def test_weights_of_8_bits_stream_and_are_computed_with_in_more() -> None:
    network, inputs = flux()
    quantize(network, "fp8", "cpu", torch.float32)
    with torch.inference_mode():
        expected = network(**inputs)[0]
        device = FakeDevice(2**30)
        part = part_on(device, network, lambda part: part.minimum)
        assert part.bytes < 0.5 * sum(4 * weight.numel() for weight in network.parameters())
        for _ in range(2):
            assert torch.equal(network(**inputs)[0], expected)
    assert part.moved == 2 * (part.bytes - part.resident)
    part.leave()
    assert network.transformer_blocks[0].attn.to_q.weight.dtype == torch.float8_e4m3fn
