"""Language models in GGUF files: opened as they are, exact, and never unpacked beyond the room there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, GgufConfig

from pipelines.errors import ModelFormatUnsupported, QuantizationUnavailable
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.registry import builtin
from pipelines.language.gguf_network import open_gguf
from pipelines.language.packed_layers import PackedLinear, unpackable, unpacked
from pipelines.models.access import Models
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.files.gguf_header import read_header
from pipelines.models.forecast import Forecaster, Machine
from pipelines.models.loading import ModelLoader
from pipelines.models.loading import loader as loading
from pipelines.models.memory import Memory
from pipelines.models.probing.gguf_language import PACKED
from pipelines.models.quantized import packed
from pipelines.models.residency import Residency
from pipelines.models.residency.fake import FakeDevice
from pipelines.models.residency.meter import Ledger, Meter
from tests.helpers.fake_card import part_on
from tests.helpers.language_gguf import llama_weights, write_language
from tests.helpers.model_files import LoadingContext

INPUTS = {"input_ids": torch.arange(9)[None]}
GB = 2**30


class RealMemory(Ledger):
    """Counts what has numbers, what is read included; networks are drawn up without any first."""

    def add(self, tensor: torch.Tensor) -> None:
        if not tensor.is_meta:
            super().add(tensor)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> RealMemory:
    ledger, original = RealMemory(), torch.from_numpy

    def read_in(array: Any) -> torch.Tensor:
        made = original(array)
        ledger.add(made)
        return made

    monkeypatch.setattr(torch, "from_numpy", read_in)
    return ledger


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    (root / "language").mkdir()
    large = llama_weights(width=128, inner=512, blocks=6)
    write_language(root / "language" / "q4.gguf", large, "Q4_0")
    write_language(root / "language" / "rwkv.gguf", llama_weights(), "Q8_0", "rwkv6")
    return root


def read(file: Path, method: str, dtype: torch.dtype = torch.float32) -> Any:
    return open_gguf(file, read_header(file), method, dtype, "cpu", lambda count: None)[0]


def answer(network: Any) -> torch.Tensor:
    with torch.inference_mode():
        return network(**INPUTS).logits


def test_they_are_those_that_transformers_unpacks(tmp_path: Path) -> None:
    file = write_language(tmp_path / "model.gguf", llama_weights(), "Q4_0")
    config = GgufConfig(dequantize=True)
    theirs = AutoModelForCausalLM.from_pretrained(
        tmp_path, gguf_file=file.name, dtype=torch.float32, quantization_config=config
    )
    expected = answer(theirs.eval())
    for method in ("none", "gguf"):
        network = read(file, method)
        assert torch.equal(answer(network), expected)
        assert isinstance(network.model.layers[0].mlp.up_proj, PackedLinear) == (method == "gguf")
    difference = (answer(read(file, "int8")) - expected).abs().max()
    assert 0 < difference < 0.1 * expected.abs().max()
    apart = write_language(tmp_path / "apart.gguf", llama_weights(tied=False), "Q5_1")
    assert torch.equal(answer(read(apart, "none")), answer(read(apart, "gguf")))


@pytest.mark.parametrize("kind", sorted(PACKED))
def test_every_packing_is_unpacked_as_gguf_does(kind: str) -> None:
    known = gguf.GGMLQuantizationType[kind]
    block, size = gguf.GGML_QUANT_SIZES[known]
    rows = np.random.default_rng(7).integers(0, 256, (3, 2 * size), dtype=np.uint8)
    expected = torch.from_numpy(gguf.dequantize(rows, known))
    found = unpacked(torch.from_numpy(rows), kind, torch.float32)
    assert unpackable(kind)
    assert found.shape == (3, 2 * block)
    assert torch.allclose(found, expected, rtol=1e-6, equal_nan=True)


def use(folder: Path, method: str, context: LoadingContext | None = None) -> Any:
    catalogue = Catalogue(default_roots(folder))
    access = Models(catalogue, Residency(ModelLoader(catalogue), lambda device, held: 2**40))
    handle = access.find("language", "q4.gguf", dtype="fp32", quantization=method)
    with access.use(handle, context or LoadingContext()) as loaded:
        return loaded


@pytest.mark.parametrize(("free", "method"), [(100 * GB, "none"), (0, "gguf")])
def test_it_is_unpacked_where_there_is_room_and_the_forecast_says_so(
    models: Path, monkeypatch: pytest.MonkeyPatch, counted: RealMemory, free: int, method: str
) -> None:
    header = read_header(models / "language" / "q4.gguf")
    dense, packed_bytes = 4 * header.elements, sum(each.bytes for each in header.tensors.values())
    memory = free or dense * 5 // 4  # two thirds of it are less than the model unpacked
    monkeypatch.setattr(loading, "memory", lambda device, torch: Memory(memory, memory, 0))
    context = LoadingContext()
    with Meter(counted):
        loaded = use(models, "auto", context)
    assert loaded.handle.quantization == method
    if method == "gguf":
        assert packed_bytes <= counted.peak < memory * 2 // 3 < dense
    assert answer(loaded.model).isfinite().all()
    assert loaded.tokenizer.decode(loaded.tokenizer.encode("an a")) == "an a"
    assert context.reports[-1][0] == context.reports[-1][1]
    params = {"model": "q4.gguf", "quantization": "auto", "dtype": "fp32"}
    graph = Graph().with_node("m", NodeRecord.new("model.language", params=params))
    write = NodeRecord.new("language.generate", params={"prompt": "a"}, inputs={"model": ("m", "model")})
    forecaster = Forecaster(Catalogue(default_roots(models)), builtin())
    machine = Machine("cpu", memory, memory, "fp32", total=memory)
    (found,) = forecaster.forecast(graph.with_node("w", write), machine).models
    assert found.quantization == method
    taken = sum(found.needs.weights.values())
    assert taken == (dense if method == "none" else packed_bytes)


def test_what_is_packed_anew_is_kept_beside_it(
    models: Path, monkeypatch: pytest.MonkeyPatch, counted: RealMemory
) -> None:
    original = packed.PackedFiles.__init__
    monkeypatch.setattr(
        packed.PackedFiles, "__init__", lambda self, *given: original(self, *given, kept_from=0)
    )
    with Meter(counted):
        expected = answer(use(models, "nf4").model)
    assert counted.peak < 4 * read_header(models / "language" / "q4.gguf").elements
    (kept,) = (models / "language" / ".diptych" / "q4.gguf").iterdir()
    written = kept.stat().st_mtime_ns
    assert torch.equal(answer(use(models, "nf4").model), expected)
    assert kept.stat().st_mtime_ns == written


def test_packed_layers_stream(models: Path) -> None:
    network = read(models / "language" / "q4.gguf", "gguf")
    expected = answer(network)
    device = FakeDevice(2**30)
    part = part_on(device, network, lambda part: part.minimum)
    with device.metered():
        for _ in range(2):
            before = device.copied_in
            assert torch.equal(answer(network), expected)
        assert device.copied_in - before == part.bytes - part.resident
    assert part.streaming


def test_what_cannot_be_opened_says_so(models: Path) -> None:
    catalogue = Catalogue(default_roots(models))
    problems = {info.id: info.problem for info in catalogue.list()}
    assert problems["q4.gguf"] == ""
    assert "rwkv6" in problems["rwkv.gguf"]
    with pytest.raises(ModelFormatUnsupported, match="rwkv6"):
        catalogue.find("language", "rwkv.gguf").check("language")
    with pytest.raises(QuantizationUnavailable, match="packed already"):
        use(models, "fp8")
