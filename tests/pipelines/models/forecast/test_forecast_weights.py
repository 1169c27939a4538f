"""Bytes of quantized networks are foreseen from names and shapes alone, and what settings for speed add."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import FluxTransformer2DModel
from transformers import LlamaConfig, LlamaForCausalLM, T5Config, T5EncoderModel

from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.plan import plan
from pipelines.graph.registry import builtin
from pipelines.graph.values import ModelHandle, Speed
from pipelines.models.forecast.components import Component, component_of
from pipelines.models.forecast.history import Ran
from pipelines.models.forecast.options import described, speed_of
from pipelines.models.forecast.verdict import Assessment, Drawing, Machine, assess, bytes_of
from pipelines.models.quantized.automatic import resolved
from pipelines.models.quantized.quantization import method_of, quantize
from pipelines.models.residency.pieces import weights_of
from pipelines.nodes.model_speed import SpeedNode
from tests.helpers import tiny_pipelines


def t5() -> Any:
    config = T5Config(
        vocab_size=500, d_model=128, d_ff=256, d_kv=32, num_heads=4, num_layers=2,
        feed_forward_proj="gated-gelu",
    )  # fmt: skip
    return T5EncoderModel(config)


def flux() -> Any:
    return FluxTransformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=2, attention_head_dim=16, num_attention_heads=8,
        joint_attention_dim=64, pooled_projection_dim=64, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip


def unet() -> Any:
    return tiny_pipelines.unet(block_out_channels=(64, 128), cross_attention_dim=64)


def words() -> Any:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=900, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4
        )
    )


def shapes_of(network: Any) -> dict[str, tuple[int, ...]]:
    """As in a file, where what is tied is once."""
    return {key: tuple(tensor.shape) for key, tensor in network.named_parameters()}


NETWORKS: dict[str, Callable[[], Any]] = {
    "text_encoder_2": t5, "transformer": flux, "unet": unet, "model": words
}  # fmt: skip


@pytest.mark.parametrize("method", ["fp8", "int8", "nf4"])
@pytest.mark.parametrize("name", NETWORKS)
def test_quantized_weights_take_what_is_foreseen(name: str, method: str) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name]().requires_grad_(False).eval().to(torch.bfloat16)
    shapes = shapes_of(network)
    quantize(network, method, "cpu", torch.bfloat16)
    taken = sum(tensor.numel() * tensor.element_size() for tensor in weights_of(network))
    quantization = f"none,text={method}" if name.startswith("text") else method
    assert bytes_of(component_of(name, shapes, {}), "bf16", quantization) == pytest.approx(taken, rel=0.03)


def test_layers_that_outgrow_16_bits_stay_exact() -> None:
    network = t5().half()
    component = component_of("text_encoder_3", shapes_of(network), {})
    exact = 2 * 128 * 256
    assert component.untouched.exact == exact
    assert bytes_of(component, "fp16", "none") == 2 * component.elements + 2 * exact
    for layer in network.modules():
        if hasattr(layer, "wo"):
            layer.wo.float()  # as transformers opens it
    quantize(network.requires_grad_(False), "nf4", "cpu", torch.float16)
    outputs = [layer.wo.weight for layer in network.modules() if hasattr(layer, "wo")]
    assert {weight.dtype for weight in outputs} == {torch.float32}


def test_auto_has_an_answer_for_each_network() -> None:
    parts = (
        Component("transformer", "main", 12_000_000_000, 0, 0),
        Component("text_encoder", "encode", 120_000_000, 0, 0),
        Component("text_encoder_2", "encode", 4_700_000_000, 0, 0),
    )

    def on(gigabytes: int, quantization: str) -> str:
        return resolved(
            quantization,
            parts,
            "diffusion",
            device="cuda:0",
            total=gigabytes * 2**30,
            packs=True,
            dtype="bf16",
        )

    assert on(48, "auto,text=auto") == "none"
    assert on(12, "auto,text=auto") == "nf4,text_encoder_2=fp8"
    assert on(6, "fp8,text=auto") == "fp8,text_encoder_2=nf4"
    assert on(6, "auto,text=int8") == "fp8,text=int8"
    assert method_of("fp8,text_encoder_2=nf4", "text_encoder_2") == "nf4"
    assert method_of("fp8,text_encoder_2=nf4", "text_encoder") == "none"


# --- settings for speed -------------------------------------------------------------------------------------

PARTS = (
    Component(
        "transformer", "main", 12_000_000_000, 40_000_000, 300_000_000, width=3072, factor=16, convolves=False
    ),
    Component("vae", "decode", 84_000_000, 84_000_000, 0, width=128),
)


def needs(**speed: Any) -> Assessment:
    drawing = Drawing(PARTS, "flux", 1024 * 1024, 28, doubled=False, speed=Speed(**speed))
    return assess(drawing, Machine("cuda:0", 48 * 2**30, 64 * 2**30, "bf16"), "bf16", "none")


def test_what_a_step_cache_keeps_is_counted() -> None:
    plain, first = needs().activations, needs(cache="first_block").activations
    every, slopes = needs(cache="pyramid").activations, needs(cache="taylor").activations
    one = (4096 + 512) * 3072 * 2  # bf16 numbers of all tokens
    assert first - plain == pytest.approx(4 * one * 1.15, rel=0.01)
    assert every - plain == pytest.approx(40 * one * 1.15, rel=0.01)
    assert slopes - plain == pytest.approx(2 * (every - plain), rel=0.01)
    unet = (Component("unet", "main", 2_500_000_000, 0, 0, width=320),)
    drawing = Drawing(unet, "sdxl", 1024 * 1024, 20, speed=Speed(cache="taylor"))
    machine = Machine("cuda:0", 24 * 2**30, 64 * 2**30)
    assert assess(drawing, machine, "fp16", "none") == assess(
        replace(drawing, speed=Speed()), machine, "fp16", "none"
    )


def test_tiles_and_a_more_exact_vae_are_counted() -> None:
    auto, on = needs(), needs(tiling="on")
    assert not auto.tiled
    assert on.tiled
    assert on.decoding == auto.decoding // 9
    drawing = Drawing(PARTS, "flux", 8192 * 8192, 28, doubled=False, speed=Speed(tiling="off"))
    refused = assess(drawing, Machine("cuda:0", 48 * 2**30, 64 * 2**30, "bf16"), "bf16", "none")
    assert (refused.verdict, "without" in refused.reason) == ("too_large", True)
    small = Drawing(PARTS, "flux", 1024 * 1024, 28, doubled=False, vae_dtype="fp32")
    exact = assess(small, Machine("cuda:0", 48 * 2**30, 64 * 2**30, "bf16"), "bf16", "none")
    assert exact.decoding == pytest.approx(2 * auto.decoding, rel=1e-6)
    assert exact.weights["vae"] == 2 * auto.weights["vae"]


def test_times_are_kept_by_what_was_switched_on() -> None:
    assert described(Speed()) == ""
    assert described(Speed(cache="first_block", cache_every=9)) == "cache=first_block"
    assert described(Speed(cache="taylor", cache_every=2, compile=True)) == (
        "cache=taylor,cache_every=2,compile=True"
    )
    plain = Ran("m", "cuda:0", 100, 1, "bf16/none", 20)
    assert plain.kind == '["m", "cuda:0", 100, 1, "bf16/none"]'  # as those that are kept already
    assert replace(plain, speed="compile=True").kind != plain.kind


def test_a_graph_says_how_a_model_is_used() -> None:
    planned = plan(
        Graph()
        .with_node("model", NodeRecord.new("model.diffusion", params={"model": "starter/text-to-image"}))
        .with_node("speed", _speed("model", cache="taylor", cache_every=4))
        .with_node("other", _speed("speed", tiling="on"))
        .with_node("lora", NodeRecord.new("model.lora", inputs={"model": ("other", "model")}))
        .with_node("draw", NodeRecord.new("diffusion.text_to_image", inputs={"model": ("lora", "model")})),
        builtin(),
    )
    assert speed_of(planned.nodes["draw"], planned.nodes) == Speed(tiling="on")  # the last one is what counts
    assert speed_of(planned.nodes["other"], planned.nodes) == Speed(cache="taylor", cache_every=4)
    model = ModelHandle("diffusion", "m", "/m", "flux")
    made = SpeedNode().run({"model": model}, SpeedNode.Params(cache="taylor"), None)["model"]  # type: ignore[arg-type]
    assert made == model.replace(speed=Speed(cache="taylor"))


def _speed(model: str, **params: Any) -> NodeRecord:
    return NodeRecord.new("model.speed", params=params, inputs={"model": (model, "model")})
