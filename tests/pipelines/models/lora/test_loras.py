"""LoRAs: every layout adds what it says to the weights, the model without them stays as it is, and what
doesn't belong to a model is refused before or while it is read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.diffusion.prompts.encoding import encode
from pipelines.errors import (
    DiptychError,
    ErrorInfo,
    LoraUnsuitable,
    ModelPickled,
    ModelUnreadable,
    ModelUnsuitable,
)
from pipelines.graph.document import Graph, Link, NodeRecord
from pipelines.graph.registry import builtin
from pipelines.graph.values import ModelHandle
from pipelines.metadata.parameters import format_parameters
from pipelines.models.access import Models
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.forecast import Forecaster, Machine
from pipelines.models.loading import CONFIGS, ModelLoader
from pipelines.models.probing.lora_families import fits
from pipelines.models.residency import Residency
from pipelines.nodes.model import LoraNode
from tests.helpers import lora_files, tiny_pipelines
from tests.helpers.diffusion_context import DiffusionContext
from tests.helpers.lora_files import LoraMatrices, attention_lora, written
from tests.helpers.model_files import LoadingContext

Built = tuple[Models, Path, dict[str, LoraMatrices]]
PIPELINES = {"sd1": tiny_pipelines.sd1, "sdxl": tiny_pipelines.sdxl}


class Context(LoadingContext):
    """As a node has one."""

    def __init__(self, models: Models) -> None:
        super().__init__()
        self.models = models
        self.find = models.find
        self.warnings: list[ErrorInfo] = []

    def path(self, text: str) -> Path:
        return Path(text)

    def warn(self, warning: ErrorInfo) -> None:
        self.warnings.append(warning)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Two tiny models, and for each a LoRA of its attention."""
    folder = tmp_path_factory.mktemp("models")
    loras = {}
    for name, make in PIPELINES.items():
        pipeline = make()
        pipeline.save_pretrained(folder / "diffusion" / name)
        loras[name] = attention_lora(pipeline)
    catalogue = Catalogue(default_roots(folder))
    return Models(catalogue, Residency(ModelLoader(catalogue, CONFIGS))), folder, loras


def add(models: Models, handle: ModelHandle, lora: Path | str, **params: Any) -> ModelHandle:
    node = LoraNode()
    return node.run({"model": handle}, node.Params(lora=str(lora), **params), Context(models))["model"]


def weights(models: Models, handle: ModelHandle, context: Any = None) -> dict[tuple[str, str], torch.Tensor]:
    """Copies of all weights, by network and name."""
    with models.use(handle, context or Context(models)) as loaded:
        return {
            (part, name): tensor.clone()
            for part, network in loaded.pipeline.components.items()
            if isinstance(network, torch.nn.Module)
            for name, tensor in network.state_dict().items()
        }


def lora_file(
    built: Built, name: str, family: str = "sd1", layout: Any = lora_files.kohya, **more: Any
) -> Path:
    return written(built[1] / "lora" / f"{name}.safetensors", layout(built[2][family]), **more)


# --- what it does -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "layout", "metadata"),
    [
        ("sd1", "kohya", None), ("sd1", "diffusers", None), ("sd1", "with_settings", lora_files.SETTINGS),
        ("sdxl", "kohya", None), ("sdxl", "with_settings", lora_files.SETTINGS),
    ],
)  # fmt: skip
def test_each_layout_adds_its_matrices_to_the_weights(
    built: Built, family: str, layout: str, metadata: dict[str, str] | None
) -> None:
    models, _, loras = built
    path = lora_file(built, f"{family}-{layout}", family, getattr(lora_files, layout), metadata=metadata)
    handle = models.find("diffusion", family, "fp32")
    plain = weights(models, handle)
    changed = weights(models, add(models, handle, path, strength=0.5, text_strength=0.25))
    assert list(changed) == list(plain)
    for key, before in plain.items():
        strength = 0.5 if key[0] == "unet" else 0.25
        expected = before + strength * loras[family].added[key] if key in loras[family].added else before
        torch.testing.assert_close(changed[key], expected, atol=1e-6, rtol=0)
    again = weights(models, handle)
    assert all(torch.equal(again[key], before) for key, before in plain.items())


@pytest.mark.parametrize("layout", [lora_files.peft, lora_files.old_diffusers])
def test_layouts_of_one_network(built: Built, layout: Any) -> None:
    models, folder, _ = built
    lora = attention_lora(tiny_pipelines.sd1(), 5, "unet")
    path = written(folder / "lora" / f"{layout.__name__}.safetensors", layout(lora))
    handle = models.find("diffusion", "sd1", "fp32")
    plain, changed = weights(models, handle), weights(models, add(models, handle, path))
    for key, added in lora.added.items():
        torch.testing.assert_close(changed[key], plain[key] + added, atol=1e-6, rtol=0)


_QKV = "lora_unet_double_blocks_0_img_attn_qkv"
_BFL = "diffusion_model.double_blocks.0.img_attn.qkv"
FLUX = {
    "kohya": (f"{_QKV}.lora_down", f"{_QKV}.lora_up"),
    "xlabs": ("double_blocks.0.processor.qkv_lora1.down", "double_blocks.0.processor.qkv_lora1.up"),
    "bfl": (f"{_BFL}.lora_A", f"{_BFL}.lora_B"),
}  # fmt: skip


@pytest.mark.parametrize("layout", FLUX)
def test_layouts_of_flux(tmp_path: Path, layout: str) -> None:
    """One layer of the original code is three here."""
    tiny_pipelines.flux_fill().save_pretrained(tmp_path / "diffusion" / "fill")
    down, up, key = torch.randn(2, 32), torch.randn(96, 2), "transformer_blocks.0.attn.to_{}.weight"
    state = {f"{name}.weight": matrix for name, matrix in zip(FLUX[layout], (down, up), strict=True)}
    path = written(tmp_path / "lora" / "any.safetensors", state)
    catalogue = Catalogue(default_roots(tmp_path))
    models = Models(catalogue, Residency(ModelLoader(catalogue, CONFIGS)))
    handle = models.find("diffusion", "fill", "fp32")
    plain, changed = weights(models, handle), weights(models, add(models, handle, path))
    for letter, part in zip("qkv", up.chunk(3), strict=True):
        place = ("transformer", key.format(letter))
        torch.testing.assert_close(changed[place], plain[place] + part @ down)


def test_several_add_up_in_any_order_and_nothing_is_another_model(built: Built) -> None:
    models, folder, loras = built
    handle = models.find("diffusion", "sd1", "fp32")
    first = lora_file(built, "first")
    other = attention_lora(tiny_pipelines.sd1(), 7, "unet")
    second = written(folder / "lora" / "second.safetensors", lora_files.diffusers(other))
    forth = weights(models, add(models, add(models, handle, first), second, strength=-1.0))
    back = weights(models, add(models, add(models, handle, second, strength=-1.0), first))
    plain = weights(models, handle)
    for key, added in other.added.items():
        torch.testing.assert_close(
            forth[key], plain[key] + loras["sd1"].added[key] - added, atol=1e-5, rtol=0
        )
    for key, value in forth.items():
        torch.testing.assert_close(value, back[key], atol=1e-6, rtol=0)
    assert add(models, handle, first, strength=0) == add(models, handle, "") == handle
    held = len(models.held())
    weights(models, add(models, handle, first, strength=0))
    assert len(models.held()) == held


def test_weights_of_16_bits_are_rounded_once(built: Built) -> None:
    """Of a small change, as real ones are; a rounding after each would lose about twice as much."""
    models, _, loras = built
    handle = plain_handle = models.find("diffusion", "sd1", "bf16")
    path = lora_file(built, "small")
    for _ in range(3):
        handle = add(models, handle, path, strength=0.02)
    plain, changed = weights(models, plain_handle), weights(models, handle)
    lost, once = 0.0, 0.0
    for key, added in loras["sd1"].added.items():
        exact = plain[key].double() + 3 * 0.02 * added
        lost += float((changed[key].double() - exact).square().sum())
        once += float((exact.bfloat16().double() - exact).square().sum())
    assert changed["unet", "conv_in.weight"].dtype == torch.bfloat16
    assert lost < 1.1 * once


def test_a_quantized_model_has_them_too(built: Built) -> None:
    models, _, loras = built
    handle = models.find("diffusion", "sd1", "fp32", "fp8")
    dense = weights(models, handle.replace(quantization="none"))
    changed = weights(models, add(models, handle, lora_file(built, "eight")))
    key = ("unet", "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight")
    assert torch.equal(changed[key], (dense[key] + loras["sd1"].added[key]).to(torch.float8_e4m3fn))


def test_prompts_are_encoded_anew_and_the_picture_remembers(built: Built, tmp_path: Path) -> None:
    models, *_ = built
    handle = models.find("diffusion", "sd1", "fp32")
    with models.use(handle, Context(models)) as loaded:
        context = DiffusionContext(loaded, tmp_path)
        plain = encode(loaded, "a hill", 1, context).tensors()["prompt_embeds"]
    with models.use(add(models, handle, lora_file(built, "hill"), strength=0.8), Context(models)) as loaded:
        assert not torch.equal(encode(loaded, "a hill", 1, context).tensors()["prompt_embeds"], plain)
        told = loaded.card["loras"]
    assert [(lora["name"], lora["strength"], len(lora["hash"])) for lora in told] == [("hill", 0.8, 12)]
    text = format_parameters({"prompt": "a hill", "steps": 3, "loras": told}, 64, 64)
    assert f'Lora hashes: "hill: {told[0]["hash"]}", Lora weights: "hill: 0.8"' in text


# --- what is refused ----------------------------------------------------------------------------------------


def test_which_family_takes_which() -> None:
    yes = [
        ("sd1", "sd1"),
        ("sd1", "sd1-inpaint"),
        ("sd2", "sd"),
        ("sdxl", "sdxl-inpaint"),
        ("flux", "flux-fill"),
    ]
    no = [("sdxl", "sd1"), ("sd1", "sdxl"), ("sdxl", "sd"), ("sdxl-refiner", "sdxl"), ("flux2", "flux-fill")]
    assert all(fits(*pair) for pair in yes)
    assert not any(fits(*pair) for pair in no)


def test_one_of_another_family_is_refused_at_the_node(built: Built) -> None:
    models = built[0]
    path = lora_file(built, "large", "sdxl")
    with pytest.raises(
        LoraUnsuitable, match=r"made for Stable Diffusion XL; this model is Stable Diffusion arch"
    ):
        add(models, models.find("diffusion", "sd1"), path)
    assert models.find("lora", "large.safetensors").family == "sdxl"


def test_layers_that_are_not_there(built: Built) -> None:
    models, folder, loras = built
    handle = models.find("diffusion", "sd1", "fp32")
    state = lora_files.diffusers(loras["sd1"])
    gone = {f"unet.down_blocks.9.attn.to_q.lora_{side}.weight": torch.ones(2, 2) for side in "AB"}
    context = Context(models)
    most = written(folder / "lora" / "most.safetensors", state | gone)
    weights(models, add(models, handle, most), context)
    assert [warning.code for warning in context.warnings] == ["LoraPartlyUsed"]
    none = written(folder / "lora" / "none.safetensors", gone)
    wide = {f"unet.{name}.lora_A.weight": torch.ones(2, 99) for name in ("mid_block.attentions.0.proj_in",)}
    wide |= {"unet.mid_block.attentions.0.proj_in.lora_B.weight": torch.ones(16, 2)}
    for path, words in (
        (none, "None of the 1 layers"),
        (written(folder / "lora" / "wide.safetensors", wide), "other sizes"),
    ):
        with pytest.raises(LoraUnsuitable, match=words):
            weights(models, add(models, handle, path))


def test_files_that_can_not_be_used(built: Built) -> None:
    models, folder, loras = built
    handle = models.find("diffusion", "sd1", "fp32")
    broken = {name: tensor * float("nan") for name, tensor in lora_files.diffusers(loras["sd1"]).items()}
    module = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
    glora = {f"{module}.{part}.weight": torch.ones(4, 4) for part in ("a1", "a2", "b1", "b2")}
    pickled = folder / "lora" / "pickled.safetensors"
    pickled.write_bytes(b"\x80\x02c__builtin__\neval\n(U\x0f__import__('os')tR.")
    cases: list[tuple[Path, type[DiptychError], str]] = [
        (written(folder / "lora" / "broken.safetensors", broken), ModelUnreadable, "no numbers"),
        (written(folder / "lora" / "glora.safetensors", glora), LoraUnsuitable, "other sizes"),
        (pickled, ModelPickled, "pickle"),
        (folder / "diffusion" / "sd1", ModelUnsuitable, "drawing"),
    ]
    for path, error, words in cases:
        with pytest.raises(error, match=words):
            weights(models, add(models, handle, path))


def test_settings_in_a_file_import_nothing(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    models, folder, loras = built
    (folder / "lora_canary.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(folder))
    settings = {"unet.r": 2, "unet.lora_alpha": 4, "unet.target_modules": ["to_q"]}
    settings |= {"unet.megatron_core": "lora_canary", "unet.megatron_config": {"a": 1}}
    path = lora_file(
        built,
        "canary",
        layout=lora_files.with_settings,
        metadata={"lora_adapter_metadata": json.dumps(settings)},
    )
    handle = models.find("diffusion", "sd1", "fp32")
    plain, changed = weights(models, handle), weights(models, add(models, handle, path))
    key = ("unet", "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight")
    torch.testing.assert_close(changed[key], plain[key] + loras["sd1"].added[key], atol=1e-6, rtol=0)
    assert "lora_canary" not in sys.modules


def test_a_forecast_looks_past_them(built: Built) -> None:
    """The model behind them is what is counted, once."""
    models, _, _ = built
    loader = NodeRecord.new("model.diffusion", params={"model": "sd1"})
    lora = NodeRecord.new("model.lora", params={"lora": "any"}, inputs={"model": ("model", "model")})
    draw = NodeRecord.new(
        "diffusion.text_to_image", params={"prompt": "a"}, inputs={"model": ("two", "model")}
    )
    graph = Graph().with_node("model", loader).with_node("one", lora).with_node("draw", draw)
    graph = graph.with_node("two", lora.with_input("model", Link("one", "model")))
    found = Forecaster(models.catalogue, builtin()).forecast(
        graph, Machine("cpu", 2**34, 2**34, dtype="fp32")
    )
    assert [(item.node, item.model) for item in found.models] == [("draw", "sd1")]
