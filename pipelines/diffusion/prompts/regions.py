"""Regions: parts of a picture that are drawn after prompts of their own.

MultiDiffusion (Bar-Tal et al. 2023, "MultiDiffusion: Fusing Diffusion Paths for Controlled Image Generation",
section 4.2): at each step the prediction is the mean of the predictions for all prompts, weighted by the
masks. The guidance is linear in it, so only the part that follows the prompts is averaged, and the negative
prompt is asked once. A region costs one more pass of the denoiser a step.

Families hand a prompt to their denoisers in many ways: masks, lengths and places of its tokens belong to it.
None of them is written down here. A run is rehearsed with each region's prompt up to the first question that
its pipeline asks the denoiser; that question is put in every step, with the latents and the time as they are.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.families import family_of
from pipelines.diffusion.latents.shape import LatentLayout, layout, pack
from pipelines.diffusion.prompts.encoding import encode
from pipelines.diffusion.wrapped import WrappedDenoiser, wrap_denoiser
from pipelines.errors import LayerIgnored, LayerUnsuitable
from pipelines.graph.values import Conditioning, Layer

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion

TRANSFORMERS: Final = frozenset(
    {
        "AuraFlowTransformer2DModel", "ChromaTransformer2DModel", "Flux2Transformer2DModel",
        "FluxTransformer2DModel", "HiDreamImageTransformer2DModel", "Kandinsky5Transformer3DModel",
        "Krea2Transformer2DModel", "Lumina2Transformer2DModel", "PixArtTransformer2DModel",
        "QwenImageTransformer2DModel", "SD3Transformer2DModel", "SanaTransformer2DModel",
        "ZImageTransformer2DModel",
    }
)  # fmt: skip
"""Transformers whose pipelines ask for the prompt, and for what to keep out, in one pass or in two."""

_OF_THE_STEP: Final = frozenset(
    {"hidden_states", "sample", "timestep", "timesteps", "timestep_cond", "guidance"}
)
"""Arguments of denoisers that are no part of a prompt; where they aren't named, they are the first two."""


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
    weights = region_weights(used, *layout(loaded).shape(width, height)[1:])
    return tuple(map(Region, encoded, weights.split(1)))


def check_regions(loaded: LoadedDiffusion, layer: Layer) -> None:
    """Raise :class:`LayerUnsuitable` if this model can't have regions."""
    if getattr(loaded.pipeline, "unet", None) is not None:
        return
    if type(getattr(loaded.pipeline, "transformer", None)).__name__ not in TRANSFORMERS:
        reason = "It reads its prompt in a way that allows only one for the whole picture."
        raise LayerUnsuitable(kind="region", layer=layer.name, model=loaded.handle.id, reason=reason)


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


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What a denoiser is asked: its arguments by place and by name."""

    args: tuple[Any, ...]
    named: Mapping[str, Any]

    def at(self, step: Question, rows: slice) -> Question:
        """The same in another step: with ``rows`` of what it is asked there of no prompt."""
        args = tuple(
            _rows(step.args[place], rows) if place < 2 else arg for place, arg in enumerate(self.args)
        )
        of_step = {name: _rows(value, rows) for name, value in step.named.items() if name in _OF_THE_STEP}
        return Question(args, {**self.named, **of_step})


class _Asked(Exception):
    """No error, but the way out of a rehearsal."""

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = question


class _Listener(WrappedDenoiser):
    """Takes the place of a denoiser until it is asked."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise _Asked(Question(args, kwargs))


def rehearsed(pipeline: Any, scheduler: Any, arguments: Mapping[str, Any]) -> Question:
    """What a run's own ``pipeline`` would ask its denoiser first, called with ``arguments`` without guidance.

    Args:
        scheduler: one of the rehearsal's own; nothing of the run's is changed.
    """
    rehearsal = copy.copy(pipeline)
    # Past the pipeline's own __setattr__, which is for components.
    vars(rehearsal)["scheduler"] = scheduler
    wrap_denoiser(rehearsal, _Listener)
    try:
        rehearsal(**arguments)
    except _Asked as asked:
        return asked.question
    raise RuntimeError(f"{type(pipeline).__name__} asked its denoiser nothing.")


class RegionalDenoiser(WrappedDenoiser):
    """Asks a denoiser for the base prompt and for each region's, and answers with the weighted mean.

    Args:
        questions: for each region, what the denoiser is asked with its prompt.
        pipeline: the run's own copy.
        count: how many pictures are drawn at once.
        guided: whether the denoiser is asked for a negative prompt, too: in the same pass, of twice as many
            pictures, or in a pass of its own after the prompt's.
    """

    def __init__(
        self, inner: Any, regions: Sequence[Region], questions: Sequence[Question], pipeline: Any,
        found: LatentLayout, count: int, guided: bool,
    ) -> None:  # fmt: skip
        super().__init__(inner)
        self._count = count
        # U-Nets are asked once: what is kept out is in the same pass, or they were distilled to need none.
        self._turns = guided and getattr(pipeline, "unet", None) is None
        self._asked = 0
        self._first = family_of(pipeline).prompt_first
        self._regions = [
            (question, _for_prediction(region.weight, pipeline, found))
            for region, question in zip(regions, questions, strict=True)
        ]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The denoiser's answer to one step's question, with its part for the prompts averaged."""
        import torch

        result = self._inner(*args, **kwargs)
        told = result[0]
        self._asked += 1
        if self._turns and len(told) == self._count and self._asked % 2 == 0:
            return result
        rows = slice(self._count) if self._first else slice(len(told) - self._count, None)
        step = Question(args, kwargs)
        prediction = told if isinstance(told, torch.Tensor) else torch.stack(list(told))
        base = mean = prediction[rows]
        for question, weight in self._regions:
            asked = question.at(step, rows)
            answer = self._inner(*asked.args, **asked.named)[0]
            there = answer if isinstance(answer, torch.Tensor) else torch.stack(list(answer))
            # What a region doesn't cover stays exact.
            mean = mean + weight.to(base) * (there - base)
        prediction = torch.cat([prediction[: rows.start or 0], mean, prediction[rows.stop or len(told) :]])
        return _answered(result, prediction if isinstance(told, torch.Tensor) else list(prediction))


def _rows(value: Any, rows: slice) -> Any:
    """Some pictures of an argument that has a part for each; others are the same for all."""
    if isinstance(value, list) or getattr(value, "ndim", 0) > 0:
        return value if len(value) == 1 else value[rows]
    return value


def _answered(result: Any, prediction: Any) -> Any:
    """A denoiser's answer with another prediction."""
    if isinstance(result, tuple):
        return (prediction, *result[1:])
    result.sample = prediction
    return result


def _for_prediction(weight: torch.Tensor, pipeline: Any, found: LatentLayout) -> torch.Tensor:
    """1×1×h×w as the denoiser's answers are shaped."""
    return pack(pipeline, weight.expand(-1, found.channels, -1, -1), found) if found.packed else weight
