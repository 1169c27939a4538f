"""Regions: parts of a picture that are drawn after prompts of their own.

MultiDiffusion (Bar-Tal et al. 2023, "MultiDiffusion: Fusing Diffusion Paths for Controlled Image Generation",
section 4.2): at each step the prediction is the mean of the predictions for all prompts, weighted by the
masks. The guidance is linear in it, so only the part that follows the prompts is averaged, and the negative
prompt is asked once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.encoding import encode
from pipelines.diffusion.latents import LatentLayout, layout, pack
from pipelines.diffusion.wrapped import WrappedDenoiser
from pipelines.errors import LayerIgnored, LayerUnsuitable
from pipelines.graph.values import Conditioning, Layer

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion

TRANSFORMERS: Final = frozenset({"SD3Transformer2DModel", "FluxTransformer2DModel"})
"""Transformers that take nothing of a prompt but its embeddings, and are asked once a step."""

_EMBEDDINGS: Final = frozenset({"prompt_embeds", "pooled_prompt_embeds"})


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Region:
    """An encoded prompt and how much it counts: ``weight`` is 1×1×h×w float32 in 0..1, for latents."""

    conditioning: Conditioning
    weight: torch.Tensor


def region_strength(layer: Layer) -> float:
    """How much a region's prompt counts where its mask is 1: 0..1."""
    return min(max(float(layer.info.get("weight", 1.0)), 0.0), 1.0)


def prepare_regions(
    loaded: LoadedDiffusion, layers: Sequence[Layer], clip_skip: int, width: int, height: int,
    context: Context,
) -> tuple[Region, ...]:  # fmt: skip
    """Encode the prompts of region layers and bring their masks to the latents of a picture of this size.

    Regions that say nothing or show nothing are reported as warnings and left out.

    Raises:
        LayerUnsuitable: the model can't be asked for several prompts in one step.
    """
    used = [layer for layer in layers if region_strength(layer) > 0 and _says_something(layer, context)]
    if not used:
        return ()
    check_regions(loaded, used[0])
    encoded = [encode(loaded, str(layer.info["prompt"]), clip_skip, context) for layer in used]
    for layer, conditioning in zip(used, encoded, strict=True):
        if not set(conditioning.tensors()) or set(conditioning.tensors()) - _EMBEDDINGS:
            raise _unsuitable(loaded, layer)
    weights = region_weights(used, *layout(loaded).shape(width, height)[1:])
    return tuple(map(Region, encoded, weights.split(1)))


def check_regions(loaded: LoadedDiffusion, layer: Layer) -> None:
    """Raise :class:`LayerUnsuitable` if this model can't have regions."""
    if getattr(loaded.pipeline, "unet", None) is not None:
        return
    if type(getattr(loaded.pipeline, "transformer", None)).__name__ not in TRANSFORMERS:
        raise _unsuitable(loaded, layer)


def _unsuitable(loaded: LoadedDiffusion, layer: Layer) -> LayerUnsuitable:
    reason = "It reads its prompt in a way that allows only one for the whole picture."
    return LayerUnsuitable(kind="region", layer=layer.name, model=loaded.handle.id, reason=reason)


def _says_something(layer: Layer, context: Context) -> bool:
    if not str(layer.info.get("prompt", "")).strip():
        reason, hint = "It has no prompt.", "Write what it is to show, or leave the layer out."
    elif layer.mask is None or not layer.mask.values.any():
        reason, hint = "Nothing is painted on it.", "Paint where its prompt counts, or leave the layer out."
    else:
        return True
    ignored = LayerIgnored(kind="region", layer=layer.name, reason=reason, hint=hint)
    context.warn(dataclasses.replace(ignored.info(), severity="warning"))
    return False


def region_weights(layers: Sequence[Layer], height: int, width: int) -> torch.Tensor:
    """R×1×h×w float32: each region's share of the prediction; what is left of 1 is the base prompt's.

    Masks are averaged over each latent pixel, so that soft edges stay soft; where regions overlap by more
    than 1, they share.
    """
    import torch

    planes = [
        torch.nn.functional.interpolate(
            torch.tensor(layer.mask.values)[None, None] * region_strength(layer), (height, width), mode="area"
        )
        for layer in layers
        if layer.mask is not None
    ]
    weights = torch.cat(planes)
    return weights / weights.sum(dim=0, keepdim=True).clamp(min=1)


class RegionalDenoiser(WrappedDenoiser):
    """Asks a denoiser for the base prompt and for each region's, and answers with the weighted mean.

    Args:
        pipeline: the run's own copy.
        count: how many pictures are drawn at once. With guidance the denoiser sees twice as many, those that
            follow the prompt last.
    """

    def __init__(
        self, inner: Any, regions: Sequence[Region], pipeline: Any, found: LatentLayout, count: int
    ) -> None:
        super().__init__(inner)
        self._count = count
        self._regions = [
            (region.conditioning.tensors(), _for_prediction(region.weight, pipeline, found))
            for region in regions
        ]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The denoiser's answer (a tuple) to one step's question, with its part for the prompts averaged."""
        import torch

        result = self._inner(*args, **kwargs)
        prediction = result[0]
        base = mean = prediction[-self._count :]
        for tensors, weight in self._regions:
            asked = self._asked(tensors, args, kwargs, len(prediction))
            there = self._inner(*asked[0], **asked[1])[0]
            # What a region doesn't cover stays exact.
            mean = mean + weight.to(base) * (there - base)
        return (torch.cat([prediction[: -self._count], mean]), *result[1:])

    def _asked(
        self, tensors: dict[str, torch.Tensor], args: tuple[Any, ...], kwargs: dict[str, Any], total: int
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The question of a step without what guidance adds to it, and with another prompt."""

        def part(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: part(item) for name, item in value.items()}
            batched = getattr(value, "ndim", 0) > 0 and len(value) == total > self._count
            return value[-self._count :] if batched else value

        named: dict[str, Any] = {name: part(value) for name, value in kwargs.items()}
        named["encoder_hidden_states"] = self._repeated(
            tensors["prompt_embeds"], named["encoder_hidden_states"]
        )
        if "pooled_prompt_embeds" in tensors:
            place, name = named, "pooled_projections"
            if name not in named:  # Stable Diffusion XL
                place, name = named["added_cond_kwargs"], "text_embeds"
            place[name] = self._repeated(tensors["pooled_prompt_embeds"], place[name])
        return tuple(part(value) for value in args), named

    def _repeated(self, tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        return tensor.to(like).repeat_interleave(self._count, dim=0)


def _for_prediction(weight: torch.Tensor, pipeline: Any, found: LatentLayout) -> torch.Tensor:
    """1×1×h×w as the denoiser's answers are shaped."""
    return pack(pipeline, weight.expand(-1, found.channels, -1, -1), found) if found.packed else weight
