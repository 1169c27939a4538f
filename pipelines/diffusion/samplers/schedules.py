"""Noise levels (sigmas) of each schedule, computed from the published formulas, in float64.

``sigma = sqrt((1 - ᾱ) / ᾱ)`` for the cumulative product ᾱ of a model's training schedule. Sources: Karras et
al. 2022 ("Elucidating the Design Space of Diffusion-Based Generative Models"), eq. 5, rho = 7; the log-linear
spacing known as exponential; Lee et al. 2024 ("Beta Sampling is All You Need"), alpha = beta = 0.6; Lin et
al. 2023 ("Common Diffusion Noise Schedules and Sample Steps are Flawed"), algorithm 1 (zero terminal SNR) and
table 2 (trailing).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.diffusion.samplers.table import Schedule

Floats = npt.NDArray[np.float64]

RHO = 7.0
BETA_SHAPE = 0.6
SMALLEST_ALPHA_BAR = 2.0**-24
"""ᾱ_T of a model with zero terminal SNR: as good as zero, and its sigma (4096) is finite."""


def zero_terminal_snr(alpha_bar: Floats) -> Floats:
    """Shift and scale sqrt(ᾱ) so that the last is zero and the first is kept (Lin et al. 2023, algorithm 1).

    The last is set to :data:`SMALLEST_ALPHA_BAR` instead of zero.
    """
    root = np.sqrt(alpha_bar)
    rescaled: Floats = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    rescaled[-1] = SMALLEST_ALPHA_BAR
    return rescaled


def training_betas(config: Mapping[str, Any]) -> Floats:
    """The variance schedule a model was trained with, before any rescaling, as its configuration says.

    Raises:
        ValueError: a schedule diffusers has no name for.
    """
    if config.get("trained_betas") is not None:
        return np.asarray(config["trained_betas"], dtype=np.float64)
    count = int(config.get("num_train_timesteps", 1000))
    start, end = float(config.get("beta_start", 1e-4)), float(config.get("beta_end", 0.02))
    match config.get("beta_schedule", "linear"):
        case "linear":
            return np.linspace(start, end, count)
        case "scaled_linear":
            return np.linspace(math.sqrt(start), math.sqrt(end), count) ** 2
        case "squaredcos_cap_v2":
            edges = np.cos((np.arange(count + 1) / count + 0.008) / 1.008 * math.pi / 2) ** 2
            return np.minimum(1 - edges[1:] / edges[:-1], 0.999)
        case other:
            raise ValueError(f"unknown beta schedule {other!r}")


def alphas_cumprod(config: Mapping[str, Any]) -> Floats:
    """ᾱ_0 … ᾱ_T of the model, rescaled to zero terminal SNR where its configuration asks for it."""
    alpha_bar = np.asarray(np.cumprod(1 - training_betas(config)), dtype=np.float64)
    return zero_terminal_snr(alpha_bar) if config.get("rescale_betas_zero_snr") else alpha_bar


def betas_of(alpha_bar: Floats) -> Floats:
    """The betas whose ᾱ is ``alpha_bar``: for schedulers that know no rescaling of their own."""
    return np.concatenate([[1 - alpha_bar[0]], 1 - alpha_bar[1:] / alpha_bar[:-1]])


def model_sigmas(config: Mapping[str, Any]) -> Floats:
    """Sigma of every training timestep, ascending."""
    alpha_bar = alphas_cumprod(config)
    return np.sqrt((1 - alpha_bar) / alpha_bar)


def sigma_at(timestep: Floats, levels: Floats) -> Floats:
    """Sigma at fractional timesteps, linear in log sigma between the model's own ``levels``."""
    return np.exp(np.interp(timestep, np.arange(len(levels)), np.log(levels)))


def timestep_at(sigma: Floats, levels: Floats) -> Floats:
    """The inverse of :func:`sigma_at`; outside the model's range it is the nearest end."""
    return np.interp(np.log(sigma), np.log(levels), np.arange(len(levels), dtype=np.float64))


def sigmas(schedule: Schedule, steps: int, levels: Floats) -> Floats:
    """The noise levels of ``steps`` steps, descending, without the final zero.

    Args:
        schedule: any but the model's default.
        steps: at least 1. Beta drops levels it would visit twice, so it may return fewer (as ComfyUI does).
        levels: :func:`model_sigmas` of the model.
    """
    last, low, high = len(levels) - 1, float(levels[0]), float(levels[-1])
    match schedule:
        case Schedule.KARRAS:
            ramp = np.linspace(0, 1, steps)
            return (high ** (1 / RHO) + ramp * (low ** (1 / RHO) - high ** (1 / RHO))) ** RHO
        case Schedule.EXPONENTIAL:
            return np.exp(np.linspace(math.log(high), math.log(low), steps))
        case Schedule.BETA:
            from scipy.special import betaincinv

            quantiles = betaincinv(BETA_SHAPE, BETA_SHAPE, 1 - np.linspace(0, 1, steps, endpoint=False))
            visited = np.rint(quantiles * last).astype(np.int64)
            return levels[visited[np.concatenate([[True], visited[1:] != visited[:-1]])]]
        case Schedule.NORMAL:
            return sigma_at(np.linspace(last, 0, steps), levels)
        case Schedule.SGM_UNIFORM:
            return sigma_at(np.linspace(last, 0, steps + 1)[:-1], levels)
        case Schedule.TRAILING:
            visited = np.rint(np.arange(steps, 0, -1) * (len(levels) / steps)).astype(np.int64) - 1
            return levels[np.clip(visited, 0, last)]
        case Schedule.DEFAULT:
            raise ValueError("the model's default schedule is the scheduler's own")
