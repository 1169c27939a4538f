"""Quantized weights that are kept: made once, exact when they are read, and never those of another file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, T5Config

from pipelines.models.access import Models
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.files.header import read_header
from pipelines.models.loading import ModelLoader
from pipelines.models.quantized import packed
from pipelines.models.quantized.packed_layers import is_packed
from pipelines.models.residency import Residency
from tests.helpers import tiny_pipelines
from tests.helpers.diffusion_context import STARTER
from tests.helpers.model_files import LoadingContext


@pytest.fixture(autouse=True)
def keep_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed.PackedFiles, "__init__", _keeping(packed.PackedFiles.__init__))


def _keeping(original: Any) -> Any:
    return lambda self, *given: original(self, *given, kept_from=0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A Flux whose transformer has layers worth packing, and a language model with tied embeddings."""
    pipeline = tiny_pipelines.flux_fill()
    torch.manual_seed(0)
    config = {**pipeline.transformer.config, "num_attention_heads": 8}
    pipeline.transformer = type(pipeline.transformer).from_config(config)
    pipeline.save_pretrained(tmp_path / "diffusion" / "fill")
    words = LlamaConfig(
        vocab_size=30_522, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        tie_word_embeddings=True,
    )  # fmt: skip
    LlamaForCausalLM(words).save_pretrained(tmp_path / "language" / "words")
    AutoTokenizer.from_pretrained(STARTER / "tokenizer").save_pretrained(tmp_path / "language" / "words")
    return tmp_path


def load(folder: Path, kind: str, model: str, method: str) -> tuple[Any, int]:
    """The model, and how many bytes were read of its files."""
    catalogue = Catalogue(default_roots(folder))
    access = Models(catalogue, Residency(ModelLoader(catalogue), lambda device, held: 2**40))
    context = LoadingContext()
    with access.use(access.find(kind, model, dtype="fp32", quantization=method), context) as loaded:
        return loaded, max(step for step, _, phase in context.reports if phase == "reading")


def answer(loaded: Any) -> torch.Tensor:
    torch.manual_seed(1)
    with torch.inference_mode():
        if not hasattr(loaded, "pipeline"):
            return loaded.model(torch.arange(9)[None]).logits
        network = loaded.pipeline.transformer
        return network(
            torch.randn(1, 12, network.config.in_channels), torch.randn(1, 5, 32), torch.randn(1, 32),
            torch.tensor([0.5]), torch.zeros(12, 3), torch.zeros(5, 3), torch.tensor([3.0]),
        )[0]  # fmt: skip


@pytest.mark.parametrize("method", ["nf4", "int8"])
@pytest.mark.parametrize(("kind", "model"), [("diffusion", "fill"), ("language", "words")])
def test_they_are_read_back_bit_for_bit(folder: Path, kind: str, model: str, method: str) -> None:
    made, whole = load(folder, kind, model, method)
    expected = answer(made)
    (file,) = (folder / kind / ".diptych" / model).iterdir()
    assert read_header(file).metadata["source"] == made.handle.fingerprint
    again, read = load(folder, kind, model, method)
    assert torch.equal(answer(again), expected)
    assert read < whole
    infos = Catalogue(default_roots(folder)).list()
    assert {info.id for info in infos if not info.id.startswith("starter/")} == {"words", "fill"}


def test_those_of_another_file_are_not_used(folder: Path) -> None:
    load(folder, "language", "words", "nf4")
    (file,) = (folder / "language" / ".diptych" / "words").iterdir()
    first = read_header(file).metadata["source"]
    os.utime(folder / "language" / "words" / "model.safetensors", ns=(1, 1))
    made, _ = load(folder, "language", "words", "nf4")
    assert made.handle.fingerprint != first
    assert read_header(file).metadata["source"] == made.handle.fingerprint


@pytest.mark.parametrize("damage", [b"", b"not a model", None])
def test_a_damaged_file_is_made_again(folder: Path, damage: bytes | None) -> None:
    expected = answer(load(folder, "language", "words", "nf4")[0])
    (file,) = (folder / "language" / ".diptych" / "words").iterdir()
    good = file.read_bytes()
    file.write_bytes(good[:-100] if damage is None else damage)
    assert torch.equal(answer(load(folder, "language", "words", "nf4")[0]), expected)
    assert len(file.read_bytes()) == len(good)


def test_a_folder_that_cannot_be_written_costs_nothing(folder: Path) -> None:
    (folder / "language" / ".diptych").write_text("in the way")
    made, _ = load(folder, "language", "words", "nf4")
    assert answer(made).isfinite().all()


def test_text_encoders_have_a_choice_of_their_own(folder: Path) -> None:
    dense, _ = load(folder, "diffusion", "fill", "none")
    small, _ = load(folder, "diffusion", "fill", "none,text=fp8")
    kinds = {
        name: {weight.dtype for weight in getattr(small.pipeline, name).parameters()}
        for name in ("transformer", "vae", "text_encoder", "text_encoder_2")
    }
    assert kinds["transformer"] == kinds["vae"] == {torch.float32}
    assert torch.float8_e4m3fn in kinds["text_encoder"] & kinds["text_encoder_2"]
    with torch.inference_mode():
        expected, found = (
            loaded.pipeline.text_encoder_2(torch.arange(200, 220)[None])[0] for loaded in (dense, small)
        )
    assert (expected - found).abs().max() < 0.2 * expected.abs().max()
    both, _ = load(folder, "diffusion", "fill", "auto,text=fp8")
    assert both.handle.quantization == "none,text=fp8"  # there is room for the rest as it is


def test_packed_text_encoders_are_kept_as_well(folder: Path) -> None:
    """What their layers can't be packed by stays, and so does what T5 computes exactly."""
    pipeline = tiny_pipelines.flux_fill()
    config = {**pipeline.text_encoder_2.config.to_dict(), "d_ff": 128, "d_model": 64, "d_kv": 16}
    pipeline.text_encoder_2 = type(pipeline.text_encoder_2)(T5Config(**config)).eval()
    pipeline.save_pretrained(folder / "diffusion" / "fill")
    made, _ = load(folder, "diffusion", "fill", "none,text=nf4")
    encoder = made.pipeline.text_encoder_2
    layer = encoder.encoder.block[0].layer[-1].DenseReluDense
    assert is_packed(layer.wi)
    assert not is_packed(layer.wo)
    assert not is_packed(made.pipeline.transformer)
    with torch.inference_mode():
        expected = encoder(torch.arange(200, 220)[None])[0]
    kept = {file.name for file in (folder / "diffusion" / ".diptych" / "fill").iterdir()}
    assert "text_encoder_2.nf4-float32.safetensors" in kept
    again, _ = load(folder, "diffusion", "fill", "none,text=nf4")
    with torch.inference_mode():
        assert torch.equal(again.pipeline.text_encoder_2(torch.arange(200, 220)[None])[0], expected)


def test_a_vae_has_a_precision_of_its_own(folder: Path) -> None:
    exact = AutoencoderKL.from_pretrained(
        folder / "diffusion" / "fill", subfolder="vae"
    ).decoder.conv_in.weight
    catalogue = Catalogue(default_roots(folder))
    access = Models(catalogue, Residency(ModelLoader(catalogue), lambda device, held: 2**40))
    handle = access.find("diffusion", "fill", dtype="bf16")
    for chosen, expected in (("auto", torch.bfloat16), ("fp32", torch.float32)):
        with access.use(handle.replace(vae_dtype=chosen), LoadingContext()) as loaded:
            assert loaded.pipeline.transformer.dtype == torch.bfloat16
            assert loaded.pipeline.vae.dtype == expected
            if chosen == "fp32":  # as in the file, not rounded on the way
                assert torch.equal(loaded.pipeline.vae.decoder.conv_in.weight, exact)
