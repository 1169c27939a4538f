"""Writing text with a causal language model, token by token, with the text so far after each.

Our own loop over the model and its key-value cache rather than transformers' ``generate``: it is no slower,
and a long prompt is read in pieces between which the user can cancel.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from transformers import DynamicCache

from pipelines.errors import ContextTooLong, LogitsNotFinite, ModelUnsuitable
from pipelines.graph.node import CancelToken
from pipelines.language.chat import encode_prompt
from pipelines.language.decoding import IncrementalDecoder, StopTexts
from pipelines.language.sampling import GenerationParams, processors
from pipelines.models.loaded import LoadedLanguage

PREFILL: Final = 256
"""Tokens of a prompt that are read between two looks at the cancel token."""

DEFAULT_CONTEXT: Final = 2048
"""Tokens a model reads if its config doesn't say."""

FinishReason = Literal["end", "stop", "length"]
OnText = Callable[[str, int], None]
OnPrompt = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """What was written.

    Attributes:
        text: the answer, without stop texts and control tokens.
        prompt_used: the whole text the model read, its chat template included.
        tokens: how many tokens were written.
        finish_reason: the model ended its answer, a stop text came, or ``max_tokens`` were written.
        tokens_per_second: of the writing, without the reading of the prompt; 0 for a single token.
    """

    text: str
    prompt_used: str
    tokens: int
    finish_reason: FinishReason
    tokens_per_second: float


@torch.inference_mode()
def generate(
    loaded: LoadedLanguage,
    prompt: str,
    system: str,
    params: GenerationParams,
    cancel: CancelToken,
    on_text: OnText | None = None,
    on_prompt: OnPrompt | None = None,
) -> GenerationResult:
    """Answer ``prompt``.

    Args:
        loaded: the model.
        prompt: what the user asks (laid out by the model's chat template, if it has one).
        system: how to answer; may be empty.
        params: how to sample, and when to end.
        cancel: polled before every token and every piece of the prompt.
        on_text: called after each token with the whole text so far and the number of tokens. Each text begins
            with the one before; the last one is the result.
        on_prompt: called with how many of how many tokens of the prompt were read.

    Raises:
        ContextTooLong: the prompt and ``max_tokens`` together are more than the model reads.
        ModelUnsuitable: the model is no causal language model with a key-value cache.
        ChatTemplateFailed: see :func:`pipelines.language.chat.encode_prompt`.
        LogitsNotFinite: the model overflowed.
        Cancelled: the user cancelled.
    """
    _check_suitable(loaded)
    limit = context_limit(loaded.model.config)
    encoded = encode_prompt(
        loaded.tokenizer, prompt, system, model=loaded.handle.id, limit=limit, cancel=cancel
    )
    needed = len(encoded.ids) + params.max_tokens
    if needed > limit:
        raise ContextTooLong(model=loaded.handle.id, used=needed, limit=limit)
    writer = _Writer(loaded, params, encoded.ids)
    writer.read(cancel, on_prompt)
    return writer.write(cancel, on_text, encoded.text)


def context_limit(config: Any) -> int:
    """How many tokens a model reads and writes in all, by its config."""
    text = config.get_text_config(decoder=True)
    for name in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
        value = getattr(text, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return DEFAULT_CONTEXT


def end_tokens(loaded: LoadedLanguage) -> frozenset[int]:
    """The tokens with which the model ends an answer."""
    found: set[int] = set()
    generation = getattr(loaded.model, "generation_config", None)
    for source in (generation, loaded.model.config, loaded.tokenizer):
        value = getattr(source, "eos_token_id", None)
        found.update([value] if isinstance(value, int) else value or ())
    return frozenset(found)


def _check_suitable(loaded: LoadedLanguage) -> None:
    arguments = inspect.signature(loaded.model.forward).parameters
    if getattr(loaded.model.config, "is_encoder_decoder", False) or "past_key_values" not in arguments:
        reason = "It doesn't write one token after another with a key-value cache."
        raise ModelUnsuitable(model=loaded.handle.id, reason=reason, task="writing text")


class _Writer:
    """One text in the making: the model's cache, the tokens so far and the next token's logits."""

    def __init__(self, loaded: LoadedLanguage, params: GenerationParams, prompt: tuple[int, ...]) -> None:
        self._loaded = loaded
        self._params = params
        self._prompt = prompt
        self._ids = torch.tensor([prompt], dtype=torch.long)
        self._logits = torch.empty(0)
        self._cache = DynamicCache(config=loaded.model.config)
        self._chain = processors(params)
        # The logits of every token of a long prompt would take more memory than the model.
        arguments = inspect.signature(loaded.model.forward).parameters
        self._options: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in arguments else {}

    def _forward(self, ids: torch.Tensor) -> None:
        output = self._loaded.model(
            input_ids=ids.to(self._loaded.device),
            past_key_values=self._cache,
            use_cache=True,
            **self._options,
        )
        self._logits = output.logits[:, -1].to("cpu", torch.float32)

    def read(self, cancel: CancelToken, on_prompt: OnPrompt | None) -> None:
        """Fill the cache with the prompt."""
        total = len(self._prompt)
        for start in range(0, total, PREFILL):
            cancel.check()
            self._forward(self._ids[:, start : start + PREFILL])
            if on_prompt is not None:
                on_prompt(min(start + PREFILL, total), total)

    def _next(self) -> int:
        """The next token. Scores are computed on the CPU, so that a seed means the same on every device."""
        if bool(self._logits.isnan().any()):
            dtype = str(self._loaded.dtype).removeprefix("torch.")
            raise LogitsNotFinite(dtype=dtype)
        token = self._chain(self._ids, self._logits).argmax(dim=-1, keepdim=True)
        self._ids = torch.cat([self._ids, token], dim=1)
        return int(token)

    def write(self, cancel: CancelToken, on_text: OnText | None, prompt_used: str) -> GenerationResult:
        """Write until the answer ends."""
        ends = end_tokens(self._loaded)
        decoder, stops = IncrementalDecoder(self._loaded.tokenizer), StopTexts(self._params.stop)
        reason: FinishReason = "length"
        count, found = 0, None
        started = time.perf_counter()
        while count < self._params.max_tokens:
            cancel.check()
            if count:
                self._forward(self._ids[:, -1:])
            token = self._next()
            count += 1
            if token in ends:
                reason = "end"
                break
            text = decoder.push(token)
            found = stops.find(text)
            if found is not None:
                break
            if on_text is not None:
                on_text(stops.shown(text), count)
        seconds = time.perf_counter() - started
        text = decoder.finish()
        found = stops.find(text)
        if found is not None:
            text, reason = text[:found], "stop"
        if on_text is not None:
            on_text(text, count)
        rate = (count - 1) / seconds if count > 1 and seconds > 0 else 0.0
        return GenerationResult(text, prompt_used, count, reason, rate)
