"""A tiny language model with random weights, a tokenizer of bytes, and one that writes what it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from pipelines.graph.values import ModelHandle
from pipelines.models.loaded import LoadedLanguage

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CONTEXT = 600


@pytest.fixture
def tokenizer() -> Any:
    """One token a byte, after three control tokens."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokens = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    made.chat_template = CHATML
    return made


def config(vocabulary: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=vocabulary, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=CONTEXT, bos_token_id=1,
        eos_token_id=2, pad_token_id=0,
    )  # fmt: skip


@pytest.fixture
def tiny(tokenizer: Any) -> LoadedLanguage:
    """A random Llama: nonsense, but the same each time."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = LlamaForCausalLM(config(len(tokenizer))).eval()
        torch.nn.init.normal_(model.lm_head.weight, std=1.0)
    model.generation_config.eos_token_id = None  # random weights would end at random
    model.config.eos_token_id = None
    tokenizer.eos_token = None
    handle = ModelHandle("language", "tiny", "", "llama")
    return LoadedLanguage(handle, model, tokenizer, torch.device("cpu"), torch.float32)


class Scripted:
    """Stands for a model: whatever it reads, it writes the given tokens; ``calls``: the lengths it read."""

    def __init__(self, tokens: Sequence[int], vocabulary: int, value: float = 0.0) -> None:
        self.config = config(vocabulary)
        self.generation_config = SimpleNamespace(eos_token_id=2)
        self.tokens = tuple(tokens)
        self.vocabulary = vocabulary
        self.value = value
        self.calls: list[int] = []
        self._written = 0

    def forward(self, input_ids: torch.Tensor, past_key_values: Any = None, use_cache: bool = True) -> Any:
        self.calls.append(input_ids.shape[1])
        self._written += input_ids.shape[1] == 1
        logits = torch.full((1, input_ids.shape[1], self.vocabulary), self.value)
        logits[0, -1, self.tokens[min(self._written, len(self.tokens) - 1)]] = self.value + 50.0
        return SimpleNamespace(logits=logits)

    __call__ = forward


@pytest.fixture
def scripted(tokenizer: Any) -> Callable[..., LoadedLanguage]:
    """``scripted(tokens)`` or ``scripted(text)``: a loaded model that writes exactly that."""

    def make(script: str | Sequence[int], value: float = 0.0) -> LoadedLanguage:
        tokens = tokenizer.encode(script) if isinstance(script, str) else script
        model = Scripted(tokens, len(tokenizer), value)
        handle = ModelHandle("language", "scripted", "", "llama")
        return LoadedLanguage(handle, model, tokenizer, torch.device("cpu"), torch.float32)

    return make
