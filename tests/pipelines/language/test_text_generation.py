from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from pipelines.errors import Cancelled, ContextTooLong, LogitsNotFinite, ModelUnsuitable
from pipelines.graph.node import FlagToken, NeverCancelled
from pipelines.language.generation import PREFILL, GenerationResult, context_limit, generate
from pipelines.language.sampling import GenerationParams, processors
from pipelines.models.loaded import LoadedLanguage

GREEDY = GenerationParams(max_tokens=24, temperature=0)
Make = Callable[..., LoadedLanguage]


def write(loaded: LoadedLanguage, params: GenerationParams, prompt: str = "hello") -> GenerationResult:
    return generate(loaded, prompt, "", params, NeverCancelled())


def peer(loaded: LoadedLanguage, prompt_used: str, count: int, **options: Any) -> str:
    """What transformers' own loop writes."""
    ids = loaded.tokenizer(prompt_used, add_special_tokens=False, return_tensors="pt")
    with torch.inference_mode():
        out = loaded.model.generate(
            **ids, max_new_tokens=count, min_new_tokens=count, do_sample=False, pad_token_id=0, **options
        )
    return str(loaded.tokenizer.decode(out[0, ids.input_ids.shape[1] :], skip_special_tokens=True))


def same(ours: str, theirs: str) -> bool:
    """Equal, but for characters that are incomplete at the very end."""
    return ours == theirs.rstrip("\ufffd")


def test_greedy_is_what_transformers_writes(tiny: LoadedLanguage) -> None:
    result = write(tiny, GREEDY)
    assert result.tokens == 24
    assert result.finish_reason == "length"
    assert same(result.text, peer(tiny, result.prompt_used, 24))


def test_a_prompt_read_in_pieces_gives_the_same_text(tiny: LoadedLanguage) -> None:
    result = write(tiny, GREEDY, "a long prompt " * 35)
    assert len(tiny.tokenizer.encode(result.prompt_used)) > 2 * PREFILL - 30
    assert same(result.text, peer(tiny, result.prompt_used, 24))


def test_sampling_is_what_transformers_writes_with_the_same_processors(tiny: LoadedLanguage) -> None:
    params = GenerationParams(max_tokens=24, temperature=1.3, seed=5, repetition_penalty=1.2)
    result = write(tiny, params)
    assert same(result.text, peer(tiny, result.prompt_used, 24, logits_processor=processors(params)))


def test_seeds(tiny: LoadedLanguage) -> None:
    texts = [write(tiny, GenerationParams(max_tokens=24, seed=seed)).text for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_what_is_streamed_only_grows_and_ends_as_the_result(tiny: LoadedLanguage) -> None:
    seen: list[tuple[str, int]] = []
    params = GenerationParams(max_tokens=60, temperature=1.5, seed=9)
    result = generate(
        tiny, "hi", "", params, NeverCancelled(), lambda text, count: seen.append((text, count))
    )
    texts = [text for text, _ in seen]
    assert all(after.startswith(before) for before, after in pairwise(texts))
    assert seen[-1] == (result.text, 60)
    assert [count for _, count in seen[:-1]] == list(range(1, 61))


def test_characters_of_several_tokens_arrive_whole(scripted: Make) -> None:
    seen: list[str] = []
    params = GenerationParams(max_tokens=40)
    text = "é日本 🦊 ok"
    result = generate(
        scripted([*scripted("").tokenizer.encode(text), 2]), "", "", params, NeverCancelled(),
        lambda shown, _: seen.append(shown),
    )  # fmt: skip
    assert result.text == text
    assert result.finish_reason == "end"
    assert not any("\ufffd" in shown for shown in seen)


def test_a_character_that_is_cut_off_by_the_end_is_left_out(scripted: Make) -> None:
    result = write(scripted("ab🦊"), GenerationParams(max_tokens=4))
    assert result.text == "ab"
    assert result.finish_reason == "length"


@pytest.mark.parametrize(
    ("stop", "text"),
    [(("\n\n",), "one two\nthree"), (("two",), "one "), (("\n\n", "three"), "one two\n"), (("zzz",), None)],
)
def test_stop_texts_split_over_tokens(scripted: Make, stop: tuple[str, ...], text: str | None) -> None:
    seen: list[str] = []
    whole = "one two\nthree\n\nfour"
    loaded = scripted([*scripted("").tokenizer.encode(whole), 2])
    params = GenerationParams(max_tokens=40, stop=stop)
    result = generate(loaded, "", "", params, NeverCancelled(), lambda shown, _: seen.append(shown))
    assert result.text == (whole if text is None else text)
    assert result.finish_reason == ("end" if text is None else "stop")
    assert all(result.text.startswith(shown) for shown in seen)
    assert seen[-1] == result.text


def test_a_stop_text_ends_the_writing(scripted: Make) -> None:
    loaded = scripted("abc. def ghi")
    assert write(loaded, GenerationParams(max_tokens=40, stop=(". ",))).tokens == 5


def test_the_end_token_ends_and_is_not_shown(scripted: Make) -> None:
    loaded = scripted([*scripted("").tokenizer.encode("fox"), 2, 5, 5])
    result = write(loaded, GenerationParams(max_tokens=40))
    assert (result.text, result.finish_reason, result.tokens) == ("fox", "end", 4)


def test_cancel_takes_effect_at_the_next_token(scripted: Make) -> None:
    loaded, token = scripted("abcdefghijklmnop"), FlagToken()

    def cancel_at_three(_: str, count: int) -> None:
        if count == 3:
            token.cancel()

    with pytest.raises(Cancelled):
        generate(loaded, "", "", GenerationParams(max_tokens=100), token, cancel_at_three)
    assert loaded.model.calls.count(1) == 2  # the third token came of the second call; none after it


def test_cancel_takes_effect_while_a_long_prompt_is_read(scripted: Make) -> None:
    loaded, token = scripted("abc"), FlagToken()
    read: list[tuple[int, int]] = []

    def cancel_at_once(done: int, total: int) -> None:
        read.append((done, total))
        token.cancel()

    with pytest.raises(Cancelled):
        generate(loaded, "x" * 400, "", GenerationParams(max_tokens=5), token, None, cancel_at_once)
    assert loaded.model.calls == [PREFILL]
    assert read[0][0] == PREFILL < read[0][1]


def test_a_prompt_that_leaves_no_room_is_refused_with_numbers(tiny: LoadedLanguage) -> None:
    limit = context_limit(tiny.model.config)
    with pytest.raises(ContextTooLong) as caught:
        write(tiny, GenerationParams(max_tokens=limit), "hello")
    assert caught.value.arguments["limit"] == limit
    assert caught.value.arguments["used"] > limit


@pytest.mark.parametrize("length", [100_000, 20_000_000])
def test_an_endless_prompt_is_refused_at_once(tiny: LoadedLanguage, length: int) -> None:
    started = time.monotonic()
    with pytest.raises(ContextTooLong) as caught:
        write(tiny, GREEDY, "a" * length)
    assert caught.value.arguments["used"] == length  # a token a byte
    assert time.monotonic() - started < 5


def test_logits_that_are_no_numbers_are_an_error(scripted: Make) -> None:
    with pytest.raises(LogitsNotFinite):
        write(scripted("abc", value=float("nan")), GREEDY)


def test_a_model_of_another_kind_is_unsuitable(tiny: LoadedLanguage) -> None:
    tiny.model = T5ForConditionalGeneration(
        T5Config(vocab_size=300, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    )
    with pytest.raises(ModelUnsuitable):
        write(tiny, GREEDY)


def test_nothing_is_trained(tiny: LoadedLanguage) -> None:
    for parameter in tiny.model.parameters():
        parameter.requires_grad_(True)
    write(tiny, GREEDY)
    assert all(parameter.grad is None for parameter in tiny.model.parameters())
