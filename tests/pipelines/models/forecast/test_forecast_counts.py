"""A forecast counts whatever a graph gives a model, and every model that a node opens."""

from __future__ import annotations

import copy
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import torch

from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.registry import builtin
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.forecast import Calibration, Forecast, Forecaster, Machine
from pipelines.models.forecast.components import component_of
from pipelines.models.forecast.graphs import BY_PARAMS, LOADERS, PARTS
from pipelines.models.forecast.history import Ran
from pipelines.models.forecast.verdict import DRIVER, Assessment, Drawing, assess
from pipelines.paths import RESOURCES
from tests.helpers import tiny_pipelines, tiny_transformers
from tests.helpers.fake_card import FakeCard, draw
from tests.helpers.family_headers import diffusers, flux, lora
from tests.helpers.model_files import sparse

GB: Final = 2**30
SIDE: Final = 64
CARD: Final = Machine(
    "cuda:0", 80 * GB, 64 * GB, calibration=Calibration("cuda:0", {"fp16": 3e13}, 1e10, 2e9)
)
UPSCALER: Final = {
    f"body.{number}.{what}": shape
    for number, (rows, into) in enumerate(((64, 3), (0, 0), (64, 64), (0, 0), (48, 64)))
    for what, shape in (("weight", (rows, into, 3, 3) if rows else (64,)), ("bias", (rows,)))
    if rows or what == "weight"
}
REDUX: Final = {"redux_up.weight": (12_288, 1152), "redux_down.weight": (4096, 12_288)}
LAMA: Final = {"model.model.1.bn_l.running_mean": (64,), "model.model.1.ffc.convl2l.weight": (64, 4, 7, 7)}
LINES: Final = {
    f"lora_unet_down_blocks_{block}_attentions_0_proj_in": (640 * block, 640 * block) for block in (1, 2)
}
DEPTH: Final = {"backbone.embeddings.cls_token": (1, 1, 384), "head.conv1.weight": (32, 64, 3, 3)}


def numbers(*files: dict[str, tuple[int, ...]]) -> int:
    return sum(math.prod(shape) for shapes in files for shape in shapes.values())


def kind_folder(
    root: Path, kind: str, name: str, architecture: str, shapes: dict[str, Any], **config: Any
) -> None:
    folder = root / kind / name
    sparse(folder / "model.safetensors", shapes)
    (folder / "config.json").write_text(json.dumps({**config, "architectures": [architecture]}))
    (folder / "preprocessor_config.json").write_text("{}")


@pytest.fixture(scope="module")
def forecaster(tmp_path_factory: pytest.TempPathFactory) -> Forecaster:
    root = tmp_path_factory.mktemp("models")
    model = root / "diffusion" / "xl"
    shutil.copytree(RESOURCES / "configs" / "sdxl", model)
    for name in ("tokenizer", "tokenizer_2"):
        shutil.copytree(RESOURCES / "configs" / "clip_tokenizer", model / name)
    parts = {"unet": "sdxl-unet", "vae": "vae-4", "text_encoder": "clip-l", "text_encoder_2": "clip-g"}
    for part, name in parts.items():
        sparse(model / part / "diffusion_pytorch_model.safetensors", diffusers(name))
    said = {"modelspec.title": "FLUX.1 Kontext"}
    sparse(root / "diffusion" / "kontext.safetensors", flux(), metadata=said)
    sparse(root / "diffusion" / "flux.safetensors", flux())
    sparse(root / "adapter" / "redux.safetensors", REDUX)
    sparse(root / "vae" / "tiny.safetensors", diffusers("vae-tiny"))
    sparse(root / "text_encoder" / "t5.safetensors", diffusers("t5-xxl"))
    sparse(root / "control" / "lines.safetensors", diffusers("controlnet-sdxl"))
    sparse(root / "lora" / "style.safetensors", lora(LINES, (".lora_down.weight", ".lora_up.weight")))
    sparse(root / "upscale" / "small.safetensors", UPSCALER)
    sparse(root / "inpaint" / "lama.safetensors", LAMA)
    kind_folder(root, "depth", "near", "DepthAnythingForDepthEstimation", DEPTH, fusion_hidden_size=64)
    words = {"model.embed_tokens.weight": (32_000, 512), "model.layers.0.mlp.up_proj.weight": (1024, 512)}
    kind_folder(root, "language", "words", "LlamaForCausalLM", words, model_type="llama")
    (root / "language" / "words" / "tokenizer.json").write_text("{}")
    return Forecaster(Catalogue(default_roots(root)), builtin())


def drawing(model: str = "xl", kind: str = "diffusion.text_to_image", **params: Any) -> Graph:
    values = {"width": 1024, "height": 1024} if kind == "diffusion.text_to_image" else {}
    loader = NodeRecord.new("model.diffusion", params={"model": model})
    values |= {"prompt": "a", "steps": 20, "guidance_scale": 5.0, **params}
    draw = NodeRecord.new(kind, params=values, inputs={"model": ("model", "model")})
    return Graph().with_node("model", loader).with_node("draw", draw)


def between(graph: Graph, kind: str, **params: Any) -> Graph:
    """With a node that changes the model on its way."""
    node = NodeRecord.new(kind, params=params, inputs={"model": ("model", "model")})
    return graph.with_node("change", node).with_link("draw", "model", ("change", "model"))


def with_model(graph: Graph, port: str, kind: str, model: str, output: str = "model", **params: Any) -> Graph:
    graph = graph.with_node("other", NodeRecord.new(kind, params={"model": model, **params}))
    return graph.with_link("draw", port, ("other", output))


def with_layers(graph: Graph, port: str, kind: str, count: int = 1) -> Graph:
    for number in range(count):
        inputs = {"layers": (f"layer{number - 1}", "layers")} if number else {}
        graph = graph.with_node(f"layer{number}", NodeRecord.new(kind, params={"prompt": "b"}, inputs=inputs))
    return graph.with_link("draw", port, (f"layer{count - 1}", "layers"))


def alone(kind: str, **params: Any) -> Graph:
    return Graph().with_node("draw", NodeRecord.new(kind, params=params))


def written(kind: str, node: str, model: str) -> Graph:
    loader = NodeRecord.new(kind, params={"model": model})
    work = NodeRecord.new(node, inputs={"model": ("model", "model")})
    return Graph().with_node("model", loader).with_node("draw", work)


def weights(made: Forecast) -> int:
    return sum(sum(item.needs.weights.values()) for item in made.models)


COUNTED: Final[dict[str, tuple[Callable[[], Graph], Callable[[], Graph], int]]] = {
    "model.vae": (
        lambda: between(drawing(), "model.vae", vae="tiny.safetensors"), drawing,
        numbers(diffusers("vae-tiny")) - numbers(diffusers("vae-4")),
    ),
    "model.text_encoder": (
        lambda: between(drawing("kontext.safetensors"), "model.text_encoder", text_encoder="t5.safetensors"),
        lambda: drawing("kontext.safetensors"), 0,  # it was found by itself
    ),
    "model.control": (
        lambda: with_model(drawing(), "control", "model.control", "lines.safetensors"), drawing, 0
    ),
    "model.upscale": (
        lambda: with_model(drawing(width=4096), "upscaler", "model.upscale", "small.safetensors"),
        lambda: drawing(width=4096), numbers(UPSCALER),
    ),
    "model.upscale, not needed": (
        lambda: with_model(drawing(), "upscaler", "model.upscale", "small.safetensors"), drawing, 0
    ),
    "upscale.model": (
        lambda: written("model.upscale", "upscale.model", "small.safetensors"), Graph, numbers(UPSCALER)
    ),
    "model.language": (
        lambda: written("model.language", "language.generate", "words"), Graph, 32_000 * 512 + 1024 * 512
    ),
    "image.remove": (  # in full precision
        lambda: alone("image.remove"), lambda: alone("image.remove", method="surroundings"), 2 * numbers(LAMA)
    ),
    "control.preprocess": (
        lambda: alone("control.preprocess", method="depth"), lambda: alone("control.preprocess"),
        numbers(DEPTH),
    ),
    "diffusion.decode": (
        lambda: drawing(kind="diffusion.decode"), Graph, numbers(diffusers("vae-4"))
    ),
    "diffusion.encode_prompt": (
        lambda: drawing(kind="diffusion.encode_prompt"), Graph,
        numbers(diffusers("clip-l"), diffusers("clip-g")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTED)
def test_what_a_node_opens_is_counted(name: str, forecaster: Forecaster) -> None:
    made, without, count = COUNTED[name]
    with_it, plain = forecaster.forecast(made(), CARD), forecaster.forecast(without(), CARD)
    assert not with_it.problems
    assert weights(with_it) - weights(plain) == 2 * count


def test_control_models_are_there_in_every_step(forecaster: Forecaster) -> None:
    graph, _, _ = COUNTED["model.control"]
    (steered,), (plain,) = (
        forecaster.forecast(made.with_param("draw", "steps", 100), CARD).models
        for made in (graph(), drawing())  # so many that decoding is next to nothing
    )
    whole = 2 * numbers(diffusers("controlnet-sdxl"))
    assert steered.needs.peak - plain.needs.peak == pytest.approx(whole, rel=0.25)
    assert steered.needs.activations > plain.needs.activations
    assert steered.needs.seconds[0] > 1.3 * plain.needs.seconds[0]


def test_loras_are_kept_once_and_run_beside_packed_weights(forecaster: Forecaster) -> None:
    def with_lora(prompt: str = "a", **precision: str) -> Any:
        graph = between(drawing(prompt=prompt), "model.lora", lora="style.safetensors")
        for name, value in precision.items():
            graph = graph.with_param("model", name, value)
        return forecaster.forecast(graph, CARD).models[0].needs

    changed = 640**2 + 1280**2
    assert with_lora().kept == 2 * changed
    assert with_lora("a <lora:style:0.5>").kept == 2 * changed
    assert forecaster.forecast(drawing(prompt="a <lora:style:0.5>"), CARD).models[0].needs.kept == 2 * changed
    assert with_lora(quantization="fp8").kept == 0
    packed = with_lora(quantization="nf4")
    assert (packed.kept, packed.weights["loras"]) == (0, 2 * 16 * 2 * (640 + 1280))
    on_cpu = Machine("cpu", 80 * GB, 80 * GB)
    graph = between(drawing(), "model.lora", lora="style.safetensors")
    (more,), (plain,) = (forecaster.forecast(each, on_cpu).models for each in (graph, drawing()))
    assert more.needs.peak - plain.needs.peak == 2 * changed


def test_pictures_that_are_looked_at_lengthen_what_a_transformer_reads(forecaster: Forecaster) -> None:
    def needs(count: int, kind: str = "diffusion.text_to_image") -> Any:
        graph = drawing("kontext.safetensors", kind, guidance_scale=2.5)
        graph = with_layers(graph, "references", "control.reference", count) if count else graph
        return forecaster.forecast(graph, CARD).models[0].needs

    none, one = needs(0), needs(1)
    assert one.activations / none.activations == pytest.approx((2 * 4096 + 512) / (4096 + 512), rel=0.01)
    assert one.seconds[0] > 1.9 * none.seconds[0]
    assert needs(0, "diffusion.image_to_image").activations == one.activations  # the picture that is changed


def test_tokens_that_an_adapter_adds_are_read_with_the_prompt(forecaster: Forecaster) -> None:
    plain = with_layers(drawing("flux.safetensors"), "references", "control.reference", 2)
    graph = with_model(plain, "adapter", "model.adapter", "redux.safetensors")
    (more,), (less,) = forecaster.forecast(graph, CARD).models, forecaster.forecast(plain, CARD).models
    tokens = 4096 + 512
    assert more.needs.activations / less.needs.activations == pytest.approx(
        (tokens + 2 * 729) / tokens, rel=0.01
    )
    assert more.needs.weights["adapter_other"] == 2 * numbers(REDUX)


def test_each_region_is_one_more_pass(forecaster: Forecaster) -> None:
    plain, two = drawing(), with_layers(drawing(), "regions", "control.region", 2)
    (first,), (second,) = forecaster.forecast(plain, CARD).models, forecaster.forecast(two, CARD).models
    assert second.needs.activations == first.needs.activations
    assert second.needs.seconds[0] == pytest.approx(2 * first.needs.seconds[0], rel=0.1)
    assert first.ran.kind != second.ran.kind  # their times are kept apart
    canvas = [
        {"id": "a", "kind": "region", "asset": "0" * 64, "prompt": "b"},
        {"id": "b", "kind": "region", "asset": "0" * 64, "prompt": " "},
        {"id": "c", "kind": "image", "asset": "0" * 64},
    ]
    painted = plain.with_node("paint", NodeRecord.new("image.canvas", params={"layers": canvas}))
    painted = painted.with_link("draw", "regions", ("paint", "regions"))
    assert forecaster.forecast(painted, CARD).models[0].ran.steered == "regions=1"


# --- beside runs --------------------------------------------------------------------------------------------


def larger(pipeline: Any) -> Any:
    """With a denoiser of several blocks, larger than the text encoders."""
    torch.manual_seed(0)
    if hasattr(pipeline, "unet"):
        config = {name: value for name, value in pipeline.unet.config.items() if name[0] != "_"}
        config |= {"block_out_channels": (32, 64), "layers_per_block": 2, "norm_num_groups": 8}
        pipeline.register_modules(unet=type(pipeline.unet)(**config).eval())
    else:
        config = {name: value for name, value in pipeline.transformer.config.items() if name[0] != "_"}
        config |= {"num_layers": 4, "num_single_layers": 8, "num_attention_heads": 4}
        pipeline.register_modules(transformer=type(pipeline.transformer)(**config).eval())
    return pipeline


@pytest.mark.parametrize("make", [tiny_pipelines.sd1, tiny_pipelines.sdxl, tiny_transformers.flux_dev])
def test_the_verdict_turns_where_a_run_begins_to_fetch_and_says_how_much(make: Callable[[], Any]) -> None:
    whole = larger(make())
    parts = tuple(
        component_of(name, {key: tuple(value.shape) for key, value in network.state_dict().items()}, {})
        for name, network in whole.components.items()
        if isinstance(network, torch.nn.Module)
    )
    drawing = Drawing(parts, "sd1", SIDE * SIDE, 1)
    bytes_there = sum(4 * part.elements for part in parts if part.stage != "encode")

    def at(room: int) -> Assessment:
        machine = Machine("cuda:0", room + DRIVER + 2**29, GB)  # what the manager leaves free is beside
        return assess(drawing, machine, "fp32", "none")

    assert [at(room).verdict for room in (bytes_there, bytes_there - 1)] == ["fits", "offload"]
    for room in (bytes_there, bytes_there - 1, bytes_there * 17 // 20):
        card, needs = FakeCard(room, tiny=lambda: copy.deepcopy(whole)), at(room)
        with card.use("tiny") as loaded:
            draw(loaded.pipeline, steps=1)
            assert all(map(loaded.residence.whole, ("main", "decode"))) == (needs.verdict == "fits")
            assert loaded.residence.moved == needs.moved


def test_every_node_that_opens_a_model_is_known() -> None:
    """A new kind of node that has models must be counted, too."""
    kinds = {"DiffusionModel", "LanguageModel", "UpscaleModel", "ControlModel", "Adapter"}
    makes, names = set(), set()
    for schema in builtin():
        if kinds & {port.type.name for port in schema.outputs(schema.defaults)}:
            makes.add(schema.id)
        if any(param.dynamic_choices.startswith("models:") for param in schema.params_by_name.values()):
            names.add(schema.id)
    assert makes == names - BY_PARAMS | {"model.speed"}
    assert names == {*LOADERS, *PARTS, *BY_PARAMS, "model.lora", "model.embedding"} - {"model.inpaint"}
    assert Ran("m", "cpu", 1, 1, "", 1).kind == '["m", "cpu", 1, 1, ""]'
