"""A1111's text: written under the names its users know, read back in all its spellings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.metadata import Parameters, format_parameters, parse_parameters

INFO = {
    "prompt": "a red apple", "negative": "blurry", "steps": 16, "sampler": "euler_a",
    "schedule": "sgm_uniform", "guidance_scale": 4.5, "seed": 2**64 - 1, "width": 64, "height": 48,
    "model": "starter, early", "clip_skip": 2, "model_hash": "0a1b",
}  # fmt: skip


def test_the_text_as_a1111_users_know_it() -> None:
    assert format_parameters(INFO, 256, 192, "0.1.0") == (
        "a red apple\n"
        "Negative prompt: blurry\n"
        "Steps: 16, Sampler: Euler a, Schedule type: SGM Uniform, CFG scale: 4.5, "
        "Seed: 18446744073709551615, Size: 64x48, Model hash: 0a1b, "
        'Model: "starter, early", Clip skip: 2, Version: Diptych 0.1.0'
    )


def test_the_size_is_the_pictures_own_if_nothing_else_is_known() -> None:
    assert "Size: 256x192" in format_parameters({}, 256, 192)


def test_what_has_no_effect_is_left_out() -> None:
    info = {
        "sampler": "default",
        "schedule": "default",
        "clip_skip": 1,
        "variation_seed": 5,
        "guidance_rescale": 0.0,
    }
    text = format_parameters({**info, "variation_strength": 0.0, "negative": ""}, 1, 1)
    assert text == "\nSize: 1x1, Version: Diptych"
    assert "Variation seed: 5" in format_parameters({**info, "variation_strength": 0.5}, 1, 1)


def test_it_comes_back_under_our_names() -> None:
    info = parse_parameters(format_parameters(INFO, 1, 1)).info()
    assert info == INFO


@pytest.mark.parametrize(
    ("sampler", "ours", "schedule"),
    [("DPM++ 2M Karras", "dpmpp_2m", "karras"), ("Euler a", "euler_a", None), ("Restart", "Restart", None)],
)
def test_old_names_with_the_schedule_in_them(sampler: str, ours: str, schedule: str | None) -> None:
    info = parse_parameters(f"x\nSteps: 1, Sampler: {sampler}, CFG scale: 2, Seed: 3").info()
    assert info["sampler"] == ours
    assert info.get("schedule") == schedule


def test_prompts_of_many_lines() -> None:
    text = "first\n\nsecond: a, b: c\nNegative prompt: bad\nworse\nSteps: 2, Seed: 1, Size: 8x8"
    found = parse_parameters(text)
    assert found.prompt == "first\n\nsecond: a, b: c"
    assert found.negative == "bad\nworse"
    assert found.settings == {"Steps": "2", "Seed": "1", "Size": "8x8"}


def test_quoted_values_keep_their_commas() -> None:
    text = 'x\nSteps: 2, Lora hashes: "a: 1, b: 2", Note: "say \\"hi\\"", Seed: 1'
    settings = parse_parameters(text).settings
    assert settings["Lora hashes"] == "a: 1, b: 2"
    assert settings["Note"] == 'say "hi"'
    assert settings["Seed"] == "1"


@pytest.mark.parametrize("text", ["", "just a prompt", "one: two", "\n\n", "Negative prompt: only this"])
def test_text_without_settings_is_a_prompt(text: str) -> None:
    assert parse_parameters(text).settings == {}


def test_numbers_that_are_none_are_left_out() -> None:
    info = Parameters("x", "", {"Steps": "many", "Seed": "5", "Size": "huge"}).info()
    assert info == {"prompt": "x", "seed": 5}


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    parse_parameters(text).info()


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=80).map(str.strip)


@given(prompt=WORDS, negative=WORDS, model=WORDS, seed=st.integers(0, 2**64 - 1))
def test_any_prompt_comes_back(prompt: str, negative: str, model: str, seed: int) -> None:
    if prompt.startswith("Negative prompt:"):
        return
    info = {"prompt": prompt, "negative": negative, "model": model, "seed": seed, "steps": 3}
    found = parse_parameters(format_parameters(info, 8, 8))
    assert found.prompt == prompt
    assert found.negative == negative
    assert found.settings.get("Model", "") == model
    assert found.info()["seed"] == seed
