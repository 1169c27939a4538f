"""References for models that don't look at pictures themselves: read by an adapter, once for a whole run.

What the adapter makes of a picture, keys and values of attentions or tokens of the prompt, doesn't change
from step to step and is small. So neither the adapter nor the encoder it looks through is there while the
model draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from blake3 import blake3

from pipelines.diffusion.interrupt import cancellable
from pipelines.errors import AdapterNotChosen, AdapterUnsuitable, VisionEncoderMissing
from pipelines.graph.values import Array, Image, Layer, ModelHandle
from pipelines.image import crop, resize
from pipelines.models.families.controls import drawn_family
from pipelines.models.networks.picture_encoders import encoder_text, facts_wanted

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedAdapter, LoadedVision

MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
DEVIATION: Final = (0.26862954, 0.26130258, 0.27577711)
"""Of the colours of the pictures that CLIP was trained on (Radford et al. 2021)."""
_HALF: Final = (0.5, 0.5, 0.5)
"""What SigLIP takes for both (Zhai et al. 2023)."""
_OWN_ENCODER: Final = "image_encoder"
_KEPT: Final = 64 * 2**20
"""Bytes of keys and values, of the pictures seen last, that stay with an adapter."""


@dataclass(frozen=True, slots=True, eq=False)
class Adapted:
    """A reference as an adapter reads it, on the CPU.

    For each attention 1×tokens×channels keys and values, and those of a picture that shows nothing, for the
    negative prompt; or ``tokens`` that follow those of the prompt, 1×tokens×width. ``enters``: see
    :data:`pipelines.models.networks.ip_adapter.Enters`; empty where there are tokens.
    """

    adapter: ModelHandle
    keys: tuple[torch.Tensor, ...] = ()
    values: tuple[torch.Tensor, ...] = ()
    empty_keys: tuple[torch.Tensor, ...] = ()
    empty_values: tuple[torch.Tensor, ...] = ()
    enters: str = "cross"
    tokens: torch.Tensor | None = None

    @property
    def nbytes(self) -> int:
        parts = [*self.keys, *self.values, *self.empty_keys, *self.empty_values]
        if self.tokens is not None:
            parts.append(self.tokens)
        return sum(tensor.numel() * tensor.element_size() for tensor in parts)


def adapters_of(
    layers: Sequence[Layer], given: Sequence[ModelHandle], context: Context
) -> list[tuple[Layer, ModelHandle]]:
    """Each reference with its adapter: its own, the only one that is connected, or that of its place among
    the references without one of their own.

    Raises:
        AdapterNotChosen: none, or not as many as there are references.
        Whatever finding a model raises.
    """
    without = [layer for layer in layers if not layer.info.get("adapter")]
    places = list(given) * len(without) if len(given) == 1 else list(given)
    if without and len(places) != len(without):
        count = f"{len(given)} are connected for {len(without)} references."
        raise AdapterNotChosen(
            layer=without[0].name, reason=count if given else "None is connected.", port="adapter"
        )
    left = iter(places)
    return [
        (layer, context.models.find("adapter", str(layer.info["adapter"])))
        if layer.info.get("adapter") else (layer, next(left))
        for layer in layers
    ]  # fmt: skip


def adapt(layers: Sequence[tuple[Layer, ModelHandle]], model: ModelHandle, context: Context) -> list[Adapted]:
    """Let adapters read references; the models are in memory only while they do.

    Raises:
        AdapterUnsuitable: one was made for another family than ``model``'s.
        VisionEncoderMissing: what it looks through isn't there.
        Whatever loading a model raises; Cancelled.
    """
    family = drawn_family(model.family)
    for _, handle in layers:
        if handle.family != family:
            reason = f"It was made for {handle.family or 'another family'}, the model is {model.family}."
            raise AdapterUnsuitable(adapter=handle.id, model=model.id, reason=reason, port="adapter")
    found: dict[int, Adapted] = {}
    for handle in dict.fromkeys(handle for _, handle in layers):
        with context.models.use(handle, context) as loaded:
            for place, (layer, used) in enumerate(layers):
                if used == handle and layer.image is not None:
                    found[place] = _adapted(loaded, layer.image, context)
    return [found[place] for place in sorted(found)]


def _adapted(loaded: LoadedAdapter, image: Image, context: Context) -> Adapted:
    context.cancel.check()
    pixels = opaque(image)
    key = blake3(pixels.tobytes(), derive_key_context=f"reference {pixels.shape}").hexdigest()
    if key not in loaded.memo:
        context.progress(0, 1, phase="reading the reference")
        made = _read(loaded, pixels, context)
        loaded.memo[key] = made
        while sum(kept.nbytes for kept in loaded.memo.values()) > _KEPT:
            del loaded.memo[next(iter(loaded.memo))]
        return made
    result: Adapted = loaded.memo[key]
    return result


def opaque(image: Image) -> Array:
    """H×W×3 float32 in 0..1; what is transparent is white, as on the pages the encoder learned from."""
    pixels = np.clip(np.nan_to_num(image.as_float()), 0, 1)
    if image.channels == 1:
        return np.repeat(pixels, 3, axis=2)
    if image.channels == 3:
        return pixels
    return np.ascontiguousarray(pixels[..., :3] * pixels[..., 3:] + (1 - pixels[..., 3:]))


def _read(loaded: LoadedAdapter, pixels: Array, context: Context) -> Adapted:
    import torch

    handle = _encoder(loaded, context)
    if handle is None:
        encoder = encoder_text(loaded.sees, loaded.width)
        raise VisionEncoderMissing(adapter=loaded.handle.id, encoder=encoder, port="adapter")
    # Not around the loading: weights made in inference mode could never be moved.
    with context.models.use(handle, context) as vision, torch.inference_mode():
        seen = _seen(vision, loaded.sees, pixels, context)
    with torch.inference_mode(), cancellable(loaded.model, context.cancel):
        made = loaded.model(seen.to(loaded.device, loaded.dtype))
    if isinstance(made, torch.Tensor):
        return Adapted(loaded.handle, enters="", tokens=made[:1].cpu())
    parts = [[tensor.split(1) for tensor in part] for part in made]
    (keys, empty_keys), (values, empty_values) = (
        (tuple(pair[0].cpu() for pair in part), tuple(pair[1].cpu() for pair in part)) for part in parts
    )
    return Adapted(loaded.handle, keys, values, empty_keys, empty_values, loaded.model.enters)


def _encoder(loaded: LoadedAdapter, context: Context) -> ModelHandle | None:
    """What it looks through: the encoder in its own folder, else one of those there are."""
    own = Path(loaded.handle.path) / _OWN_ENCODER
    if own.is_dir():
        return context.models.find("vision", str(own))
    return context.models.fitting("vision", facts_wanted(loaded.sees, loaded.width))


def _seen(vision: LoadedVision, sees: str, pixels: Array, context: Context) -> torch.Tensor:
    """What the encoder sees of a picture, and of one without anything: 2×width, or 2×patches×width. Of each
    patch alone, it is the picture's only.

    With hidden states "nothing" is a picture of mean colour, with an embedding it is zeros: so adapters were
    trained (Ye et al. 2023, section 3.3).
    """
    import torch

    side, siglip = int(vision.model.config.image_size), sees in ("pooled", "patches")
    shown = resize(Image(pixels), side, side, "bicubic").as_float() if siglip else squared(pixels, side)
    picture = torch.tensor(shown.transpose(2, 0, 1)[None])
    colours = (_HALF, _HALF) if siglip else (MEAN, DEVIATION)
    mean, deviation = (torch.tensor(part).view(3, 1, 1) for part in colours)
    picture = ((picture - mean) / deviation).to(vision.device, vision.dtype)
    with ExitStack() as stack:
        stack.enter_context(cancellable(vision.model, context.cancel))
        if sees == "hidden":
            both = torch.cat([picture, torch.zeros_like(picture)])
            hidden: Any = vision.model(both, output_hidden_states=True).hidden_states[-2]
            return torch.as_tensor(hidden)
        answer = vision.model(picture)
    if sees == "patches":
        return torch.as_tensor(answer.last_hidden_state)
    embedding: torch.Tensor = answer.pooler_output if siglip else answer.image_embeds
    return torch.cat([embedding, torch.zeros_like(embedding)])


def squared(pixels: Array, side: int) -> Array:
    """The middle of a picture as ``side`` × ``side`` px, as CLIP is shown pictures."""
    height, width = pixels.shape[:2]
    scale = side / min(height, width)
    size = (max(side, round(width * scale)), max(side, round(height * scale)))
    image = resize(Image(pixels), *size, "bicubic")
    return crop(image, (size[0] - side) // 2, (size[1] - side) // 2, side, side).as_float()
