"""Previews while a picture forms: latents -> RGB by a linear map, fitted once per VAE.

A VAE's latent is close to a linear function of the colours under it, so least squares on a few synthetic
pictures gives a map that costs one small matrix product a step. Previews have the latents' own resolution
(bounded); enlarging them is the view's job.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from pipelines.diffusion.families import family_of
from pipelines.graph.values import Array

if TYPE_CHECKING:
    import torch

    from pipelines.models.loaded import LoadedDiffusion

Matrix = npt.NDArray[np.float32]
"""(C + 1)×3: latent channels and a constant -> RGB in 0..1."""

MAX_SIDE = 128
"""Longest side of one picture's preview, in pixels."""
_MEMO = "preview_matrix"
_PICTURES = 10
_LATENT_SIDE = 8
_SECONDS = 0.6


def preview_matrix(loaded: LoadedDiffusion, cache_dir: Path) -> Matrix:
    """The linear map of this model's VAE: from memory, from the cache folder, or fitted now."""
    found: Matrix | None = loaded.memo.get(_MEMO)
    if found is None:
        path = _cache_file(loaded, cache_dir)
        found = _read(path, family_of(loaded.pipeline).latent_channels(loaded.pipeline) + 1)
        if found is None:
            found = fit(loaded)
            _write(path, found)
        loaded.memo[_MEMO] = found
    return found


def render(latents: torch.Tensor, matrix: Matrix) -> Array:
    """N×C×h×w latents (model's scaling) -> one H×W×3 uint8 picture; a batch is laid out as a grid."""
    import torch

    side = max(latents.shape[-2:])
    if side > MAX_SIDE:
        stride = math.ceil(side / MAX_SIDE)
        latents = latents[..., ::stride, ::stride]
    weights = torch.from_numpy(matrix).to(latents.device)
    rgb = torch.einsum("nchw,cr->nhwr", latents.float(), weights[:-1]) + weights[-1]
    pixels = (rgb.nan_to_num_(0.0).clamp_(0, 1) * 255).round_().to(torch.uint8).cpu().numpy()
    return _grid(pixels)


def _grid(pixels: Array) -> Array:
    """N×h×w×3 -> one picture, as square as it gets, empty cells black."""
    count, height, width, _ = pixels.shape
    if count == 1:
        return np.ascontiguousarray(pixels[0])
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    canvas = np.zeros((rows, columns, height, width, 3), np.uint8)
    canvas.reshape(-1, height, width, 3)[:count] = pixels
    return np.ascontiguousarray(canvas.transpose(0, 2, 1, 3, 4)).reshape(rows * height, columns * width, 3)


def fit(loaded: LoadedDiffusion) -> Matrix:
    """Fit the map: encode synthetic pictures, and solve for their colours (ridge regression).

    Goes on until it has seen enough pictures or its time is over; one picture is enough for a usable map.
    """
    import torch

    vae, family = loaded.pipeline.vae, family_of(loaded.pipeline)
    factor = family.factor(loaded.pipeline)
    generator = torch.Generator("cpu").manual_seed(0)
    started, inputs, targets = time.monotonic(), [], []
    with torch.inference_mode():
        for _ in range(_PICTURES):
            picture = _synthetic(_LATENT_SIDE * factor, generator)
            scaled = (picture * 2 - 1).to(device=loaded.device, dtype=vae.dtype)
            latent = family.encode_pixels(vae, scaled)
            pooled = torch.nn.functional.adaptive_avg_pool2d(picture, (_LATENT_SIDE, _LATENT_SIDE))
            if torch.isfinite(latent).all():
                inputs.append(latent.permute(0, 2, 3, 1).reshape(-1, latent.shape[1]))
                targets.append(pooled.permute(0, 2, 3, 1).reshape(-1, 3))
            if time.monotonic() - started > _SECONDS:
                break
    if not inputs:
        return _grey(family.latent_channels(loaded.pipeline))
    return _least_squares(torch.cat(inputs).numpy(), torch.cat(targets).numpy())


def _least_squares(inputs: Array, targets: Array) -> Matrix:
    """Ridge regression with an unpenalised constant: few samples and many channels still give a sane map."""
    design = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1).astype(np.float64)
    penalty = np.eye(design.shape[1]) * (1e-3 * len(inputs))
    penalty[-1, -1] = 0.0
    solved = np.linalg.solve(design.T @ design + penalty, design.T @ targets.astype(np.float64))
    return solved.astype(np.float32)


def _grey(channels: int) -> Matrix:
    """Brightness from the mean of all channels, for a VAE that encodes nothing usable in this precision."""
    return np.concatenate([np.full((channels, 3), 0.2 / channels), np.full((1, 3), 0.5)]).astype(np.float32)


def _synthetic(side: int, generator: torch.Generator) -> torch.Tensor:
    """A 1×3×side×side picture in 0..1: soft blobs of colour, plain areas and a little texture."""
    import torch

    cells = int(torch.randint(1, 6, (1,), generator=generator))
    colours = torch.rand(1, 3, cells, cells, generator=generator)
    blobs = torch.nn.functional.interpolate(
        colours, (side, side), mode="bilinear" if torch.rand(1, generator=generator) < 0.5 else "nearest"
    )
    texture = torch.randn(1, 3, side, side, generator=generator) * 0.04
    return (blobs + texture).clamp(0, 1)


def _cache_file(loaded: LoadedDiffusion, cache_dir: Path) -> Path | None:
    """Where the map of these very files is kept; ``None`` for a model without a fingerprint."""
    if not loaded.handle.fingerprint:
        return None
    # A VAE of another file is another map.
    files = (loaded.handle.fingerprint, *(p.fingerprint for p in loaded.handle.parts if p.name == "vae"))
    return cache_dir / "preview" / f"{blake3(' '.join(files).encode()).hexdigest()[:32]}.npy"


def _read(path: Path | None, rows: int) -> Matrix | None:
    if path is None:
        return None
    try:
        matrix = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    usable = matrix.shape == (rows, 3) and matrix.dtype == np.float32 and bool(np.isfinite(matrix).all())
    return matrix if usable else None


def _write(path: Path | None, matrix: Matrix) -> None:
    """Keep the map; a cache that can't be written only costs the fit next time."""
    if path is None:
        return
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.save(file, matrix, allow_pickle=False)
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
