"""The first noise of a picture, from its seed: the same on every device.

``cpu`` draws from torch's CPU generator; ``philox`` computes, on the CPU, what the counter-based generator of
graphics cards would draw (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3", Philox 4x32-10;
normal numbers by Box and Muller 1958, as CUDA's library does).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipelines.diffusion.samplers.table import NoiseSource

if TYPE_CHECKING:
    import torch

Words = npt.NDArray[np.uint32]

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
SEEDS = 2**64


def philox4x32(counter: Words, key: tuple[int, int]) -> Words:
    """Ten rounds of Philox 4x32.

    Args:
        counter: 4×N words.
        key: two words.

    Returns:
        4×N random words.
    """
    c0, c1, c2, c3 = (row.astype(np.uint64) for row in counter)
    k0, k1 = key
    for _ in range(_ROUNDS):
        left, right = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            (right >> _SHIFT) ^ c1 ^ np.uint64(k0),
            right & _LOW,
            (left >> _SHIFT) ^ c3 ^ np.uint64(k1),
            left & _LOW,
        )
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3]).astype(np.uint32)


def philox_normal(seed: int, count: int, offset: int = 0) -> npt.NDArray[np.float32]:
    """``count`` standard normal numbers as CUDA's ``torch.randn`` draws them, number i from subsequence i.

    ``offset`` is how many numbers were drawn before. (Beyond some 10^5 numbers a card's own layout of threads
    shows; the convention that every number has its own subsequence is A1111's, and the same for every card.)
    """
    counter = np.zeros((4, count), dtype=np.uint32)
    counter[0] = offset
    index = np.arange(count, dtype=np.uint64)
    counter[2], counter[3] = index & _LOW, index >> _SHIFT
    words = philox4x32(counter, (seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF))
    uniform = (words[0].astype(np.float64) + 0.5) * 2.0**-32
    angle = (words[1].astype(np.float64) + 0.5) * (2.0**-32 * 2 * np.pi)
    return (np.sqrt(-2 * np.log(uniform)) * np.sin(angle)).astype(np.float32)


def slerp(low: torch.Tensor, high: torch.Tensor, weight: float) -> torch.Tensor:
    """Spherical interpolation of two noises (Shoemake 1985): it keeps their length; 0 gives ``low``."""
    import torch

    if weight <= 0 or weight >= 1:
        return low if weight <= 0 else high
    cosine = torch.dot(low.flatten(), high.flatten()) / (low.norm() * high.norm())
    angle = torch.acos(cosine.clamp(-1, 1))
    if float(angle.sin()) < 1e-4:  # (nearly) the same or opposite direction: the formula divides by zero
        return torch.lerp(low, high, weight)
    return (torch.sin((1 - weight) * angle) * low + torch.sin(weight * angle) * high) / torch.sin(angle)


def batch_seeds(seed: int, count: int) -> tuple[int, ...]:
    """Seeds of a batch: picture k has ``seed + k`` (modulo 2^64)."""
    return tuple((seed + k) % SEEDS for k in range(count))


def generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """One CPU generator a picture."""
    import torch

    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


def first_noise(
    shape: Sequence[int],
    source: NoiseSource,
    sources: Sequence[torch.Generator],
    variation_seeds: Sequence[int],
    variation_strength: float,
) -> torch.Tensor:
    """The noise of a batch.

    Args:
        shape: of one picture's latent (C, h, w).
        source: which generator.
        sources: one generator a picture, freshly seeded; the samplers' own noise goes on from its next
            numbers. (That noise comes from the CPU generator whatever ``source`` is.)
        variation_seeds: one a picture.
        variation_strength: 0 is the seed's noise, 1 the variation seed's.

    Returns:
        N×C×h×w float32 on the CPU.
    """
    import torch

    size = (1, *shape)

    def draw(generator: torch.Generator) -> torch.Tensor:
        drawn = torch.randn(size, generator=generator, dtype=torch.float32)
        if source is NoiseSource.CPU:
            return drawn
        return torch.from_numpy(philox_normal(generator.initial_seed(), drawn.numel())).reshape(size)

    pictures = []
    for generator, variation_seed in zip(sources, variation_seeds, strict=True):
        noise = draw(generator)
        if variation_strength > 0:
            noise = slerp(noise, draw(generators([variation_seed])[0]), variation_strength)
        pictures.append(noise)
    return torch.cat(pictures)
