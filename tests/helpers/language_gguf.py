"""Small language models as llama.cpp writes them into GGUF files, in any packing that gguf can make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
from tokenizers import pre_tokenizers

Weights = dict[str, np.ndarray[Any, Any]]


def vocabulary() -> list[str]:
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    return [*special, *sorted(pre_tokenizers.ByteLevel.alphabet()), "ĠĠ", "an"]


def llama_weights(width: int = 64, inner: int = 128, blocks: int = 3, tied: bool = True) -> Weights:
    random = np.random.default_rng(5)

    def matrix(rows: int, columns: int) -> np.ndarray[Any, Any]:
        return (random.standard_normal((rows, columns)) * 0.1).astype(np.float32)

    found = {
        "token_embd.weight": matrix(len(vocabulary()), width),
        "output_norm.weight": np.ones(width, np.float32),
    }
    if not tied:
        found["output.weight"] = matrix(len(vocabulary()), width)
    for block in range(blocks):
        shapes = {
            "attn_q": (width, width), "attn_k": (width // 2, width), "attn_v": (width // 2, width),
            "attn_output": (width, width), "ffn_gate": (inner, width), "ffn_up": (inner, width),
            "ffn_down": (width, inner),
        }  # fmt: skip
        for name, shape in shapes.items():
            found[f"blk.{block}.{name}.weight"] = matrix(*shape)
        for name in ("attn_norm", "ffn_norm"):
            found[f"blk.{block}.{name}.weight"] = np.ones(width, np.float32)
    return found


def write_language(path: Path, weights: Weights, packing: str = "Q4_0", architecture: str = "llama") -> Path:
    """A model of ``weights``, matrices packed as ggml calls it, vectors in F32; two heads, one for keys."""
    kind = gguf.GGMLQuantizationType[packing]
    width = weights["token_embd.weight"].shape[1]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(128)
    writer.add_embedding_length(width)
    writer.add_block_count(sum(name.endswith("attn_q.weight") for name in weights))
    writer.add_feed_forward_length(weights["blk.0.ffn_gate.weight"].shape[0])
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // 2)
    writer.add_vocab_size(len(vocabulary()))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(vocabulary())
    plain = len(vocabulary()) - 3
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * plain)
    writer.add_token_merges(["Ġ Ġ", "a n"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    for name, values in weights.items():
        if values.ndim == 1:
            writer.add_tensor(name, values)
        else:
            writer.add_tensor(name, gguf.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
