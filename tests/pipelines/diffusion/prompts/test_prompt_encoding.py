"""Prompts: the same embeddings as the pipeline's own, cached, and honest about what isn't read."""

from __future__ import annotations

import json
import time

import pytest
import torch

from pipelines.diffusion.prompts.encoding import encode, truncation
from pipelines.errors import InvalidParameter


class Calls:
    """Counts the calls of a module."""

    def __init__(self, module):
        self.count = 0
        self._handle = module.register_forward_pre_hook(self._note)

    def _note(self, module, args):
        self.count += 1

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self._handle.remove()


def test_starter_embeddings_are_padded_and_masked_as_in_training(starter):
    pipeline = starter.loaded.pipeline
    ours = encode(starter.loaded, "a red apple", 1, starter).tensors()["prompt_embeds"]
    tokens = pipeline.tokenizer(
        "a red apple", padding="max_length", truncation=True, max_length=32, return_tensors="pt"
    )
    with torch.inference_mode():
        trained = pipeline.text_encoder(tokens.input_ids, attention_mask=tokens.attention_mask)[0]
        unmasked = pipeline.text_encoder(tokens.input_ids)[0]
    assert ours.shape == (1, 32, 384)
    torch.testing.assert_close(ours, trained)
    assert not torch.allclose(ours, unmasked, atol=1e-3)


def test_a_text_is_encoded_once(starter):
    with Calls(starter.loaded.pipeline.text_encoder) as calls:
        first = encode(starter.loaded, "a fox", 1, starter)
        assert encode(starter.loaded, "a fox", 1, starter) is first
        assert calls.count == 1
        encode(starter.loaded, "a wolf", 1, starter)
        assert calls.count == 2


def test_another_precision_is_another_embedding(starter):
    encode(starter.loaded, "a fox", 1, starter)
    half = type(starter.loaded)(
        starter.loaded.handle, starter.loaded.pipeline, starter.loaded.device, torch.bfloat16
    )
    with Calls(starter.loaded.pipeline.text_encoder) as calls:
        encode(half, "a fox", 1, starter)
        assert calls.count == 1


def test_an_empty_prompt_is_fine(starter):
    assert encode(starter.loaded, "", 1, starter).tensors()["prompt_embeds"].isfinite().all()
    assert not starter.warnings


def test_truncation_says_how_much_is_read_and_where_the_rest_begins(starter):
    text = " ".join(["apple"] * 30 + ["zebra"] * 5)
    encode(starter.loaded, text, 1, starter)
    (warning,) = starter.warnings
    assert warning.code == "PromptTooLong"
    assert warning.severity == "warning"
    assert warning.arguments == {"used": 30, "total": 35, "rest": "zebra zebra zebra zebra zebra"}


def test_truncation_is_reported_again_for_a_cached_prompt(starter):
    text = "apple " * 40
    encode(starter.loaded, text, 1, starter)
    encode(starter.loaded, text, 1, starter)
    assert [warning.code for warning in starter.warnings] == ["PromptTooLong"] * 2


def test_half_a_character_is_no_reason_to_fail(starter):
    conditioning = encode(starter.loaded, "a fox \ud83d", 1, starter)
    assert conditioning.info["prompt"] == "a fox ?"


def test_what_is_remembered_is_plain_data(starter):
    info = encode(starter.loaded, "apple " * 40, 1, starter).info
    assert json.loads(json.dumps(dict(info))) == info
    assert info["truncation"]["total"] == 40


def test_a_prompt_that_just_fits_is_no_warning(starter):
    encode(starter.loaded, " ".join(["apple"] * 30), 1, starter)
    assert not starter.warnings


@pytest.mark.parametrize("text", ["a red apple, " * 7700, "x" * 100_000, "\N{RED APPLE}" * 100_000])
def test_a_hundred_thousand_characters_are_read_quickly_and_like_their_beginning(starter, text):
    started = time.monotonic()
    long = encode(starter.loaded, text, 1, starter).tensors()["prompt_embeds"]
    assert time.monotonic() - started < 20  # a hang, not a benchmark
    read, cut = truncation(starter.loaded.pipeline, text)
    if cut is None:  # one word without an end is a single unknown token
        return
    assert cut.total > cut.used == 30
    assert len(read) < 1000
    with torch.inference_mode():
        whole = starter.loaded.pipeline.encode_prompt(text[:2000], "cpu", 1, False)[0]
    torch.testing.assert_close(long, whole)


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_clip_skip_counts_layers_from_the_end(families, family, starter):
    loaded = families[family]
    last, skipped = (
        encode(loaded, "a fox", skip, starter).tensors()["prompt_embeds"][..., :32] for skip in (1, 2)
    )
    tokens = loaded.pipeline.tokenizer("a fox", padding="max_length", max_length=32, return_tensors="pt")
    encoder = loaded.pipeline.text_encoder
    with torch.inference_mode():
        layers = encoder(tokens.input_ids, output_hidden_states=True).hidden_states
        expected = encoder.final_layer_norm(layers[-2]) if family == "sd1" else layers[-3]
        plain = loaded.pipeline.encode_prompt("a fox", device="cpu", num_images_per_prompt=1,
                                              do_classifier_free_guidance=False)[0]  # fmt: skip
    torch.testing.assert_close(skipped, expected)
    torch.testing.assert_close(last, plain[..., :32])
    assert not torch.equal(last, skipped)


def test_clip_skip_beyond_the_layers_is_refused(sd1):
    with pytest.raises(InvalidParameter, match="3 layers"):
        encode(sd1.loaded, "a fox", 4, sd1)


def test_clip_skip_has_no_effect_on_other_encoders_and_says_so(starter):
    plain = encode(starter.loaded, "a fox", 1, starter)
    assert encode(starter.loaded, "a fox", 2, starter) is plain
    assert [warning.code for warning in starter.warnings] == ["SettingIgnored"]


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("sd1", {"prompt_embeds"}),
        ("sdxl", {"prompt_embeds", "pooled_prompt_embeds"}),
        ("sd3", {"prompt_embeds", "pooled_prompt_embeds"}),
        ("flux", {"prompt_embeds", "pooled_prompt_embeds"}),
    ],
)
def test_every_family_is_encoded_by_its_own_pipeline(families, starter, family, names):
    conditioning = encode(families[family], "a fox", 1, starter)
    assert set(conditioning.tensors()) == names
    assert conditioning.info["prompt"] == "a fox"


def test_a_family_without_known_embeddings_hands_on_the_text(sd1, monkeypatch):
    monkeypatch.setattr(type(sd1.loaded.pipeline), "encode_prompt", lambda self, prompt, device: object())
    conditioning = encode(sd1.loaded, "a text only", 1, sd1)
    assert conditioning.tensors() == {}
    assert conditioning.info["prompt"] == "a text only"
