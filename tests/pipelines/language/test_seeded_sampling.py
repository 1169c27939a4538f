from __future__ import annotations

import pytest
import torch

from pipelines.language.sampling import MAX_SEED, GenerationParams, GumbelNoise, processors

IDS = torch.zeros((1, 1), dtype=torch.long)


def draw(params: GenerationParams, logits: torch.Tensor, count: int = 20) -> list[int]:
    chain = processors(params)
    return [int(chain(IDS, logits.clone()).argmax()) for _ in range(count)]


def test_a_seed_gives_the_same_tokens_whatever_the_global_generator_does() -> None:
    logits = torch.linspace(0, 1, 500)[None]
    torch.manual_seed(1)
    first = draw(GenerationParams(seed=3), logits)
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    assert draw(GenerationParams(seed=3), logits) == first
    assert torch.equal(torch.random.get_rng_state(), before)
    assert draw(GenerationParams(seed=4), logits) != first


@pytest.mark.parametrize("seed", [0, 2**63 - 1, 2**63, MAX_SEED])
def test_all_seeds_of_64_bits_work(seed: int) -> None:
    logits = torch.zeros((1, 500))
    assert draw(GenerationParams(seed=seed), logits) == draw(GenerationParams(seed=seed), logits)


def test_the_last_seed_is_not_the_first() -> None:
    logits = torch.zeros((1, 500))
    assert draw(GenerationParams(seed=MAX_SEED), logits) != draw(GenerationParams(seed=0), logits)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_other_seeds_are_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="seed"):
        GenerationParams(seed=seed)


def test_the_noise_samples_the_softmax() -> None:
    probabilities = torch.tensor([0.1, 0.2, 0.7])
    noise = GumbelNoise(11)
    drawn = torch.tensor([int(noise(IDS, probabilities.log()[None]).argmax()) for _ in range(4000)])
    shares = torch.bincount(drawn, minlength=3) / 4000
    assert torch.allclose(shares, probabilities, atol=0.03)


def test_the_noise_is_finite_for_every_uniform_number() -> None:
    scores = GumbelNoise(0)(IDS, torch.zeros((1, 200_000)))
    assert bool(scores.isfinite().all())


def test_filters_keep_to_their_tokens() -> None:
    logits = torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0]])
    flat = {"temperature": 5.0, "seed": 1}
    assert set(draw(GenerationParams(top_k=2, top_p=1.0, **flat), logits, 200)) == {0, 1}
    assert set(draw(GenerationParams(top_k=0, top_p=0.05, **flat), logits, 50)) == {0}
    assert set(draw(GenerationParams(top_k=0, top_p=1.0, **flat), logits, 400)) == {0, 1, 2, 3, 4}


def test_temperature_zero_takes_the_likeliest_with_any_seed() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0]])
    assert set(draw(GenerationParams(temperature=0, seed=1), logits)) == {1}
    assert set(draw(GenerationParams(temperature=0, seed=2), logits)) == {1}


def test_a_repetition_penalty_makes_used_tokens_less_likely() -> None:
    logits = torch.tensor([[2.0, 1.5, 0.0]])
    assert draw(GenerationParams(temperature=0, repetition_penalty=2.0), logits, 1) == [1]
    assert draw(GenerationParams(temperature=0, repetition_penalty=1.0), logits, 1) == [0]
