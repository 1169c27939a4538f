"""What a node gets from ``context.models.use(handle, context)``: a loaded model and what must be known of it.

Plain descriptions; how they are loaded is in :mod:`pipelines.models.loading`, how long they stay in
``residency``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines.graph.values import ModelHandle

if TYPE_CHECKING:
    import torch
    from spandrel import ImageModelDescriptor, MaskedImageModelDescriptor


@dataclass(slots=True)
class LoadedDiffusion:
    """A diffusers pipeline on its device.

    ``pipeline`` has the components of its class (``unet`` or ``transformer``, ``vae``, ``scheduler``, text
    encoders, tokenizers). ``card`` holds the facts of the model: ``native_size`` (w, h), ``size_multiple``,
    ``defaults``.
    """

    handle: ModelHandle
    pipeline: Any
    device: torch.device
    dtype: torch.dtype
    card: dict[str, Any] = field(default_factory=dict)
    memo: dict[str, Any] = field(default_factory=dict)
    """Things fitted once per model (the latent preview's linear map); dropped with the model."""
    content_hash: Callable[[], str] = str
    """The sha256 of its weights; empty while that isn't known yet."""


@dataclass(slots=True)
class LoadedLanguage:
    """A transformers causal language model and its tokenizer, on its device."""

    handle: ModelHandle
    model: Any
    tokenizer: Any
    device: torch.device
    dtype: torch.dtype


@dataclass(slots=True)
class LoadedControl:
    """A ControlNet on its device: diffusers' ``ControlNetModel``."""

    handle: ModelHandle
    model: Any
    device: torch.device
    dtype: torch.dtype


@dataclass(slots=True)
class LoadedUpscale:
    """A spandrel super-resolution model on its device; ``descriptor.scale`` is its factor."""

    handle: ModelHandle
    descriptor: ImageModelDescriptor
    device: torch.device
    dtype: torch.dtype


@dataclass(slots=True)
class LoadedInpaint:
    """A spandrel model that fills gaps in pictures, on its device."""

    handle: ModelHandle
    descriptor: MaskedImageModelDescriptor
    device: torch.device
    dtype: torch.dtype
