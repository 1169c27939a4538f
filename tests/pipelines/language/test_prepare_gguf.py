from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipelines.errors import DiskFull, ModelUnreadable
from pipelines.graph.node import NeverCancelled
from pipelines.graph.values import ModelHandle
from pipelines.language import prepare as preparing
from pipelines.language.generation import generate
from pipelines.language.sampling import GenerationParams
from pipelines.models.loaded import LoadedLanguage

pytestmark = pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")

WIDTH, INNER, BLOCKS, HEADS = 64, 96, 2, 2
TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] }}"
    "{{ '<|im_end|>\n' }}{% endfor %}"
)


def tokens() -> list[str]:
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    return [*special, *alphabet, "ĠĠ", "an"]


def weights() -> dict[str, np.ndarray[Any, Any]]:
    random = np.random.default_rng(5)

    def matrix(rows: int, columns: int) -> np.ndarray[Any, Any]:
        return (random.standard_normal((rows, columns)) * 0.1).astype(np.float32)

    found = {
        "token_embd.weight": matrix(len(tokens()), WIDTH),
        "output_norm.weight": np.ones(WIDTH, np.float32),
    }
    for block in range(BLOCKS):
        shapes = {
            "attn_q": (WIDTH, WIDTH), "attn_k": (WIDTH // 2, WIDTH), "attn_v": (WIDTH // 2, WIDTH),
            "attn_output": (WIDTH, WIDTH), "ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH),
            "ffn_down": (WIDTH, INNER),
        }  # fmt: skip
        for name, shape in shapes.items():
            found[f"blk.{block}.{name}.weight"] = matrix(*shape)
        for name in ("attn_norm", "ffn_norm"):
            found[f"blk.{block}.{name}.weight"] = np.ones(WIDTH, np.float32)
    return found


def write_gguf(path: Path, tensors: dict[str, np.ndarray[Any, Any]], **changes: Any) -> Path:
    """A tiny model as llama.cpp writes one: matrices in Q8_0, vectors in F32."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_string("general.license", "apache-2.0")
    writer.add_organization("Nobody")
    writer.add_context_length(128)
    writer.add_embedding_length(changes.get("embedding_length", WIDTH))
    writer.add_block_count(changes.get("block_count", BLOCKS))
    writer.add_feed_forward_length(changes.get("feed_forward_length", INNER))
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(1)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    vocabulary = tokens()
    writer.add_vocab_size(len(vocabulary))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(vocabulary)
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (len(vocabulary) - 3))
    writer.add_token_merges(["Ġ Ġ", "a n"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(changes.get("eos", 2))
    writer.add_pad_token_id(2)
    writer.add_chat_template(TEMPLATE)
    for name, values in tensors.items():
        if values.ndim == 1:
            writer.add_tensor(name, values)
        else:
            packed = gguf.quantize(values, gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(name, packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "Tiny-Instruct.Q8_0.gguf", weights())


@pytest.fixture(scope="module")
def prepared(source: Path) -> Path:
    said: list[str] = []
    target = source.parent / "models" / "Tiny-Instruct"
    assert preparing.prepare(source, target, said.append) == target
    assert said[0].startswith("Tiny-Instruct.Q8_0.gguf")
    assert "ready" in said[-1]
    return target


def test_the_folder_is_complete_and_alone(prepared: Path) -> None:
    names = {file.name for file in prepared.iterdir()}
    assert names == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json", "diptych.json",
    }  # fmt: skip
    assert [file.name for file in prepared.parent.iterdir()] == ["Tiny-Instruct"]
    config = json.loads((prepared / "config.json").read_text())
    assert "quantization_config" not in config
    assert config["dtype"] == "float16"
    assert str(prepared.parent.parent) not in "".join(
        file.read_text() for file in prepared.iterdir() if file.suffix == ".json"
    )


def test_the_weights_are_those_of_the_file(prepared: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(prepared, dtype=torch.float32)
    for name, ours in (
        ("token_embd.weight", model.model.embed_tokens.weight),
        ("blk.1.ffn_down.weight", model.model.layers[1].mlp.down_proj.weight),
        ("blk.0.attn_v.weight", model.model.layers[0].self_attn.v_proj.weight),
    ):
        packed = gguf.quantize(weights()[name], gguf.GGMLQuantizationType.Q8_0)
        exact = gguf.dequantize(packed, gguf.GGMLQuantizationType.Q8_0)
        assert np.allclose(ours.detach().numpy(), exact, rtol=2**-10, atol=1e-6)


def test_the_tokenizer_keeps_texts_and_control_tokens(prepared: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(prepared)
    text = "banana  12 é 🦊\n"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.encode("<|im_start|><|im_end|>") == [1, 2]
    assert tokenizer.chat_template == TEMPLATE
    assert tokenizer.model_max_length == 128
    # digits are cut off before anything else, so both spaces stay together
    assert tokenizer.tokenize("a  1") == ["a", "ĠĠ", "1"]


def test_the_folder_writes_text(prepared: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(prepared, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(prepared)
    loaded = LoadedLanguage(
        ModelHandle("language", "tiny", str(prepared), "llama"),
        model,
        tokenizer,
        torch.device("cpu"),
        torch.float32,
    )
    result = generate(loaded, "hi", "", GenerationParams(max_tokens=8, temperature=0), NeverCancelled())
    assert 1 <= result.tokens <= 8
    assert "<|im_start|>user\nhi<|im_end|>" in result.prompt_used


def test_the_card_says_what_it_is(prepared: Path) -> None:
    card = json.loads((prepared / preparing.CARD).read_text())
    assert card["title"] == "Tiny-Instruct"
    assert card["license"] == "Apache-2.0"
    assert "Nobody" in card["text"]


def test_preparing_again_replaces_the_folder(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    (target / "left over").write_text("old")
    preparing.prepare(source, target, lambda _: None)
    assert not (target / "left over").exists()
    assert (target / "model.safetensors").exists()
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    "change", [{"block_count": 10**6}, {"embedding_length": 2**20}, {"feed_forward_length": 2**20}]
)
def test_settings_that_contradict_the_tensors_are_refused(tmp_path: Path, change: dict[str, int]) -> None:
    path = write_gguf(tmp_path / "hostile.gguf", weights(), **change)
    with pytest.raises(ModelUnreadable):
        preparing.prepare(path, tmp_path / "out", lambda _: None)
    assert [entry.name for entry in tmp_path.iterdir()] == ["hostile.gguf"]


def test_a_missing_tensor_is_refused(tmp_path: Path) -> None:
    tensors = weights()
    del tensors["blk.1.ffn_up.weight"]
    path = write_gguf(tmp_path / "broken.gguf", tensors)
    with pytest.raises(ModelUnreadable):
        preparing.prepare(path, tmp_path / "out", lambda _: None)
    assert not (tmp_path / "out").exists()


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    tensors = weights()
    tensors["output_norm.weight"] = np.full(WIDTH, np.nan, np.float32)
    path = write_gguf(tmp_path / "broken.gguf", tensors)
    with pytest.raises(ModelUnreadable, match="no numbers"):
        preparing.prepare(path, tmp_path / "out", lambda _: None)
    assert not (tmp_path / "out").exists()


def test_a_failure_leaves_the_old_folder(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    (target / "config.json").write_text("{}")
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(source.read_bytes()[:-100])
    with pytest.raises(ModelUnreadable, match="truncated"):
        preparing.prepare(broken, target, lambda _: None)
    assert (target / "config.json").read_text() == "{}"


def test_a_full_disk_is_said_before_anything_is_written(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr(preparing.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(DiskFull, match=r"1\.0 kB"):
        preparing.prepare(source, tmp_path / "out", lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_large_weights_are_kept_in_a_wider_type(tmp_path: Path) -> None:
    tensors = weights()
    tensors["output_norm.weight"][0] = 1e5
    path = write_gguf(tmp_path / "wide.gguf", tensors)
    preparing.prepare(path, tmp_path / "out", lambda _: None)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "bfloat16"


def test_the_command(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "no.gguf").write_bytes(struct.pack("<4sI", b"GGUF", 9) + bytes(100))
    assert preparing.main([str(tmp_path / "no.gguf"), str(tmp_path / "out")]) == 1
    assert "version 9" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        preparing.main([str(source)])
    assert caught.value.code == 2
