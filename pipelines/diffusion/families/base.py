"""What the pipelines of a family of models differ in: how they read a prompt, hold latents and are called.

One instance of each class serves every model of its family and keeps nothing: what it is asked about is
handed to it. The defaults are those of Stable Diffusion, and what the signatures of a pipeline tell.
"""

from __future__ import annotations

import copy
import inspect
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.diffusion.families.scaling import from_vae, to_vae

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.sampling.sampling import SamplingOptions

NOTHING: Mapping[str, Any] = MappingProxyType({})


def parameters(function: Any) -> frozenset[str]:
    """Names of the parameters a pipeline's method takes."""
    return frozenset(inspect.signature(function).parameters)


def denoiser_of(pipeline: Any) -> Any:
    """The U-Net or transformer of a pipeline; None if it has neither."""
    return getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)


@dataclass(frozen=True, slots=True)
class LatentLayout:
    """``channels`` of a latent, one pixel of which is ``factor`` of the picture's; ``packed``: the pipeline
    denoises it as a row of tokens, not as a picture."""

    channels: int
    factor: int
    packed: bool

    def shape(self, width: int, height: int) -> tuple[int, int, int]:
        """C, h, w of one latent for a picture of this size."""
        return self.channels, height // self.factor, width // self.factor


@dataclass(frozen=True, slots=True)
class Tokens:
    """What cuts a prompt: ``limit`` tokens are read, start and end marks and ``before`` included.

    ``before`` are tokens that the pipeline puts before every prompt.
    """

    tokenizer: Any
    limit: int
    before: int = 0


class PipelineFamily:
    """The defaults; a family overrides what is otherwise with it.

    Latents travel as N×C×h×w in the model's scaling, whatever the pipeline makes of them.
    """

    embeddings: ClassVar[Mapping[int, str]] = MappingProxyType({})
    """Places in ``encode_prompt``'s answer -> names of the pipeline's call; empty: guessed by how many."""
    widths: ClassVar[tuple[str, ...]] = ("cross_attention_dim", "joint_attention_dim")
    """Settings of the denoiser that say how wide the embeddings of a prompt are."""
    constants: ClassVar[Mapping[str, Any]] = NOTHING
    """Arguments of every call."""
    negative_apart: ClassVar[bool] = False
    """Whether a negative prompt is encoded otherwise than a prompt."""
    full_latents: ClassVar[bool] = False
    """Whether its pipeline steps in float32, whatever precision the denoiser computes in."""
    prompt_first: ClassVar[bool] = False
    """Whether, of pictures denoised for both prompts in one pass, those of the prompt come first."""

    # --- prompts ---

    def encode(self, pipeline: Any, text: str, device: Any, clip_skip: int, negative: bool) -> Any:
        """What the pipeline's ``encode_prompt`` answers to one text.

        Args:
            clip_skip: layers of a CLIP text encoder to leave out; 0 for none.
            negative: whether it is to be used as a negative prompt; see :attr:`negative_apart`.
        """
        known = parameters(pipeline.encode_prompt)
        arguments: dict[str, Any] = {
            "prompt": text,
            "device": device,
            "num_images_per_prompt": 1,
            "do_classifier_free_guidance": False,
            "clip_skip": clip_skip or None,
            **{name: None for name in ("prompt_2", "prompt_3") if name in known},
        }
        return pipeline.encode_prompt(**{name: value for name, value in arguments.items() if name in known})

    def named(self, pipeline: Any, result: Any) -> dict[str, torch.Tensor]:
        """The tensors of that answer under the names of the pipeline's call, each with a first axis for the
        pictures of a batch; empty if they can't be handed back, and the pipeline encodes the text itself.
        """
        import torch

        takes = parameters(pipeline.__call__)
        parts = tuple(result) if isinstance(result, tuple | list) else (result,)
        names = self.embeddings or _guessed(len(parts), takes)
        found = {name: parts[place] for place, name in names.items() if parts[place] is not None}
        usable = all(isinstance(part, torch.Tensor) and name in takes for name, part in found.items())
        return found if usable and (self.embeddings or "prompt_embeds" in found) else {}

    def batched(self, name: str, tensor: torch.Tensor, count: int) -> Any:
        """One of those tensors as the call takes it for ``count`` pictures."""
        return tensor.repeat_interleave(count, dim=0)

    def width(self, pipeline: Any) -> int | None:
        """How wide the embeddings of a prompt must be; None if the denoiser doesn't say."""
        config = getattr(denoiser_of(pipeline), "config", None)
        stated = (getattr(config, name, None) for name in self.widths)
        return next((width for width in stated if isinstance(width, int)), None)

    def tokens(self, pipeline: Any) -> Tokens:
        """The tokenizer that reads the most, which decides what of a prompt is read at all."""
        best = Tokens(None, 0)
        default = None
        if hasattr(pipeline, "encode_prompt"):
            found = inspect.signature(pipeline.encode_prompt).parameters.get("max_sequence_length")
            default = found.default if found is not None and isinstance(found.default, int) else None
        for name in ("tokenizer", "tokenizer_2", "tokenizer_3"):
            tokenizer = getattr(pipeline, name, None)
            if tokenizer is None:
                continue
            limit = min(int(tokenizer.model_max_length), default or sys.maxsize)
            if limit > best.limit:
                best = Tokens(tokenizer, limit)
        return best

    def uses_negative(self, pipeline: Any, guidance_scale: float) -> bool:
        """Whether a negative prompt has an effect: classifier-free guidance, with a scale above 1."""
        takes = parameters(pipeline.__call__)
        return guidance_scale > 1 and "true_cfg_scale" not in takes and "negative_prompt" in takes

    # --- latents ---

    def layout(self, pipeline: Any) -> LatentLayout:
        """The layout of the latents that are drawn; both denoiser and VAE are there."""
        packed = self.packed(pipeline)
        channels = int(denoiser_of(pipeline).config.in_channels) // (4 if packed else 1)
        if self.mask_channels(pipeline):
            channels = self.latent_channels(pipeline)
        return LatentLayout(channels, self.factor(pipeline), packed)

    def latent_channels(self, pipeline: Any) -> int:
        """Channels of what the VAE makes of a picture, as latents travel."""
        return int(pipeline.vae.config.latent_channels)

    def factor(self, pipeline: Any) -> int:
        """How many pixels a side of such a latent pixel stands for."""
        return int(pipeline.vae_scale_factor)

    def packed(self, pipeline: Any) -> bool:
        """Whether 2×2 latent pixels are a token of the pipeline's."""
        return hasattr(pipeline, "_pack_latents") and hasattr(pipeline, "_unpack_latents")

    def mask_channels(self, pipeline: Any) -> int:
        """How many channels of a mask the denoiser sees for each latent pixel; 0: not made for inpainting.

        U-Nets see one; fill transformers, with packed latents, see all the mask's pixels below it.
        """
        denoiser = denoiser_of(pipeline)
        latent = int(getattr(getattr(getattr(pipeline, "vae", None), "config", None), "latent_channels", 0))
        channels = getattr(getattr(denoiser, "config", None), "in_channels", None)
        if not latent or not isinstance(channels, int):
            return 0
        packed = self.packed(pipeline)
        wanted = int(pipeline.vae_scale_factor) ** 2 if packed else 1
        more = channels // (4 if packed else 1) - 2 * latent
        return wanted if more == wanted else 0

    def size_multiple(self, pipeline: Any) -> int:
        """What both sides of a picture must be a multiple of: 8, or more where the latents need it."""
        found = self.layout(pipeline)
        transformer = getattr(pipeline, "transformer", None)
        patch = getattr(transformer.config, "patch_size", 1) if transformer is not None else 1
        side = 2 if found.packed else patch if isinstance(patch, int) else 1
        return math.lcm(8, found.factor * side)

    def pack(self, pipeline: Any, latents: torch.Tensor) -> torch.Tensor:
        """N×C×h×w as the pipeline denoises it."""
        return pipeline._pack_latents(latents, *latents.shape) if self.packed(pipeline) else latents

    def unpack(self, pipeline: Any, latents: torch.Tensor, width: int, height: int) -> torch.Tensor:
        """The inverse of :meth:`pack`, for a picture of this size."""
        if latents.ndim == 4 or not self.packed(pipeline):
            return latents
        return pipeline._unpack_latents(latents, height, width, self.factor(pipeline))

    def step_scale(self, pipeline: Any) -> float:
        """By how much the latents are larger inside the pipeline's loop than before and after it."""
        return 1.0

    # --- the VAE ---

    def encode_pixels(self, vae: Any, pixels: torch.Tensor) -> torch.Tensor:
        """N×3×H×W in -1..1 -> N×C×h×w float32 on the CPU, in the model's scaling, without chance."""
        encoded = vae.encode(pixels)
        for name in ("latents", "latent"):
            if hasattr(encoded, name):
                return from_vae(vae, getattr(encoded, name).float().cpu())
        return from_vae(vae, encoded.latent_dist.mode().float().cpu())

    def decode_latents(self, vae: Any, latents: torch.Tensor, device: Any) -> torch.Tensor:
        """The inverse: float32 latents in the model's scaling -> N×3×H×W, float32 on the CPU."""
        ready = to_vae(vae, latents.float()).to(device=device, dtype=vae.dtype)
        pixels: torch.Tensor = vae.decode(ready, return_dict=False)[0].float().cpu()
        return pixels

    # --- the call ---

    def runner(self, pipeline: Any) -> Any:
        """What one run drives: a copy of the pipeline that shares its parts."""
        return copy.copy(pipeline)

    def arguments(self, pipeline: Any, options: SamplingOptions) -> Mapping[str, Any]:
        """More arguments of the call, beside what all take; those its pipeline doesn't take are left out."""
        return self.constants

    def prepare(self, pipeline: Any, options: SamplingOptions) -> None:
        """Change a run's own copy of the pipeline, whose scheduler is the run's own, too."""

    def size_refusal(self, pipeline: Any, width: int, height: int) -> str:
        """Why it can't draw at a size whose sides are what it needs; empty if it can."""
        return ""

    def refusal(self, pipeline: Any, from_picture: bool) -> str:
        """Why it can't draw from a prompt alone, or from a picture; empty if it can."""
        if self.mask_channels(pipeline) and not from_picture:
            return "It was made for repainting a part of a picture, and needs one."
        return ""


def _guessed(count: int, takes: frozenset[str]) -> Mapping[int, str]:
    """The names by how many results there are.

    Families order them differently: (embeds, negative), (embeds, negative, pooled, negative pooled),
    (embeds, mask, negative, negative mask), (embeds, pooled, positions), (embeds, mask).
    """
    match count:
        case 2 if "prompt_embeds_mask" in takes:
            return {0: "prompt_embeds", 1: "prompt_embeds_mask"}
        case 2:
            return {0: "prompt_embeds"}
        case 3:
            return {0: "prompt_embeds", 1: "pooled_prompt_embeds"}
        case 4 if "pooled_prompt_embeds" in takes:
            return {0: "prompt_embeds", 2: "pooled_prompt_embeds"}
        case 4:
            return {0: "prompt_embeds", 1: "prompt_attention_mask"}
        case _:
            return {}
