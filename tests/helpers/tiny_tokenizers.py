"""Small tokenizers of the classes that pipelines name, made without a network: one token a letter."""

from __future__ import annotations

from typing import Any

from transformers import GemmaTokenizer, LlamaTokenizer, T5Tokenizer

LETTERS = (
    "▁",
    *"etaoinshrdlucmfwypvbgkjqxz",
    *"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    *"0123456789",
    *".,:;<>()'-!?\n",
)


def t5_tokenizer(limit: int = 64) -> Any:
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -2.0) for letter in LETTERS)]
    return T5Tokenizer(vocab=vocab, extra_ids=0, model_max_length=limit)


def gemma_tokenizer() -> Any:
    names = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *LETTERS)
    return GemmaTokenizer(vocab={name: place for place, name in enumerate(names)}, merges=[])


def llama_tokenizer(limit: int = 64) -> Any:
    names = ("<unk>", "<s>", "</s>", *LETTERS)
    vocab = {name: place for place, name in enumerate(names)}
    return LlamaTokenizer(vocab=vocab, merges=[], pad_token="</s>", model_max_length=limit)


VOCABULARY = 96
"""More than any of them has."""
