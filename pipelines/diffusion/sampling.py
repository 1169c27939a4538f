"""Noise -> latents: diffusers' own pipeline call, with our scheduler, our noise, and an eye on every step.

The shared pipeline is never changed: each run has a shallow copy with a scheduler of its own. Steps are
observed, and cancelled, where every family has to pass: in that scheduler's ``step``.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipelines.diffusion.encoding import encode, parameters
from pipelines.diffusion.fill_transformer import show_condition
from pipelines.diffusion.from_picture import PictureRun, StartPicture, conditioned
from pipelines.diffusion.interrupt import cancellable
from pipelines.diffusion.latents import (
    LatentLayout,
    check_picture_size,
    layout,
    made_for_inpainting,
    pack,
    unpack,
)
from pipelines.diffusion.levels import steps_to_run
from pipelines.diffusion.memory import free_cache, is_out_of_memory, tell
from pipelines.diffusion.noise import SEEDS, first_noise, generators
from pipelines.diffusion.samplers import SAMPLERS, NoiseSource, Sampler, Schedule, check
from pipelines.diffusion.scheduling import build, scheduler_config
from pipelines.diffusion.steering import UNSTEERED, Guides, Steering, prepare
from pipelines.diffusion.steps import StepObserver
from pipelines.errors import ConditioningUnsuitable, ModelUnsuitable, OutOfMemory, SettingIgnored

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import Context
    from pipelines.graph.values import Conditioning
    from pipelines.models.loaded import LoadedDiffusion


@dataclasses.dataclass(frozen=True, slots=True)
class SamplingOptions:
    """How to draw. Sizes are in pixels; ``guidance_rescale`` is 0..1 (Lin et al. 2023, section 3.4)."""

    width: int = 512
    height: int = 512
    steps: int = 20
    guidance_scale: float = 7.0
    guidance_rescale: float = 0.0
    sampler: Sampler = Sampler.DEFAULT
    schedule: Schedule = Schedule.DEFAULT
    noise: NoiseSource = NoiseSource.CPU
    variation_seed: int = 0
    variation_strength: float = 0.0


def check_options(loaded: LoadedDiffusion, options: SamplingOptions) -> None:
    """What can be said before anything is computed.

    Raises:
        ModelUnsuitable, SizeUnsuitable, ImageTooLarge, SamplerUnavailable, ScheduleUnavailable: as their
        texts say.
    """
    check_picture_size(loaded, options.width, options.height)
    check(options.sampler, options.schedule, scheduler_config(loaded.pipeline), loaded.handle.id)


def uses_negative(loaded: LoadedDiffusion, guidance_scale: float) -> bool:
    """Whether a negative prompt has an effect: classifier-free guidance, with a scale above 1."""
    takes = parameters(loaded.pipeline.__call__)
    return guidance_scale > 1 and "true_cfg_scale" not in takes and "negative_prompt" in takes


def sample(
    loaded: LoadedDiffusion,
    positive: Conditioning,
    negative: Conditioning | None,
    seeds: Sequence[int],
    options: SamplingOptions,
    context: Context,
    picture: StartPicture | None = None,
    steering: Steering = UNSTEERED,
) -> list[torch.Tensor]:
    """Denoise one latent per seed, from noise alone or from ``picture``, where ``steering`` leads.

    A batch that doesn't fit into memory is drawn in halves: a picture depends on its own seed only.

    Returns:
        For each seed 1×C×h×w float32 on the CPU, in the model's scaling.

    Raises:
        SizeUnsuitable, ImageTooLarge, SamplerUnavailable, ScheduleUnavailable, ConditioningUnsuitable,
        OutOfMemory, Cancelled: as their texts say.
        ModelUnsuitable: it was made for inpainting, and there is no picture.
        LayerUnsuitable, ControlModelUnsuitable: a layer of ``steering`` can't be used with this model.
    """
    check_options(loaded, options)
    if made_for_inpainting(loaded) and (picture is None or picture.condition is None):
        reason = "It was made for repainting a part of a picture, and needs one."
        raise ModelUnsuitable(model=loaded.handle.id, reason=reason, task="drawing from a prompt alone")
    takes = parameters(loaded.pipeline.__call__)
    if options.guidance_rescale > 0 and "guidance_rescale" not in takes:
        reason = "Its pipeline has no such correction."
        ignored = SettingIgnored(setting="Guidance rescale", model=loaded.handle.id, reason=reason)
        context.warn(dataclasses.replace(ignored.info(), severity="warning"))
    if not uses_negative(loaded, options.guidance_scale):
        negative = None
    elif negative is None:
        negative = encode(loaded, "", int(positive.info.get("clip_skip", 1)), context)
    for conditioning in (positive, negative):
        _check_width(loaded, conditioning)
    clip_skip = int(positive.info.get("clip_skip", 1))
    guides = prepare(loaded, steering, clip_skip, options.width, options.height, context)
    return _in_parts_that_fit(loaded, positive, negative, seeds, options, context, picture, guides)


def _in_parts_that_fit(
    loaded: LoadedDiffusion,
    positive: Conditioning,
    negative: Conditioning | None,
    seeds: Sequence[int],
    options: SamplingOptions,
    context: Context,
    picture: StartPicture | None,
    guides: Guides,
) -> list[torch.Tensor]:
    """The whole batch at once; where memory runs out, free the cache, halve the batch, and go on."""
    import torch

    drawn: list[torch.Tensor] = []
    size, freed, offloaded = len(seeds), False, False
    device = str(loaded.device)
    with torch.inference_mode():
        while len(drawn) < len(seeds):
            context.cancel.check()
            part = range(len(drawn), min(len(drawn) + size, len(seeds)))
            try:
                latents = _denoise(
                    loaded, positive, negative, seeds, part, options, context, picture, guides
                )  # fmt: skip
                drawn += list(latents.split(1))
                continue
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Outside the handler: the exception keeps the failed attempt's tensors alive.
            free_cache(device)
            if size == 1 and freed:
                if loaded.residence is None or not loaded.residence.offload("main"):
                    reason = f"Drawing at {options.width} × {options.height} needs more than is free."
                    raise OutOfMemory(device=device, reason=reason)
                offloaded = True
            size, freed = max(1, size // 2), True
    if offloaded:
        tell(context, device, "The picture was drawn with more of the model in main memory.")
    elif size < len(seeds):
        tell(context, device, "The pictures were drawn in smaller batches.")
    return drawn


def _denoise(
    loaded: LoadedDiffusion,
    positive: Conditioning,
    negative: Conditioning | None,
    seeds: Sequence[int],
    part: range,
    options: SamplingOptions,
    context: Context,
    picture: StartPicture | None,
    guides: Guides,
) -> torch.Tensor:
    """The latents of the pictures ``part``: N×C×h×w float32 on the CPU."""
    found = layout(loaded)
    chosen = [seeds[index] for index in part]
    sources = generators(chosen)
    pipeline = copy.copy(loaded.pipeline)
    pipeline.scheduler = build(
        options.sampler, options.schedule, loaded.pipeline, seeds=chosen, model=loaded.handle.id
    )
    pipeline.set_progress_bar_config(disable=True)
    noise = _noise(loaded, found, part, sources, options)
    steps = options.steps
    if picture is not None:
        if picture.noise is not None:
            noise = picture.noise.to(noise).expand_as(noise)
        PictureRun(pipeline, picture, noise, found, options.width, options.height)
        steps = steps_to_run(steps, picture.strength)
    observer = StepObserver(
        loaded, pipeline.scheduler, sources, context, part, len(seeds), steps, options.steps
    )
    observer.attach(lambda tensor: unpack(pipeline, tensor, found, options.width, options.height))
    condition = picture.condition if picture is not None else None
    arguments = {
        **_conditions(loaded, positive, negative, len(chosen)),
        **show_condition(pipeline, condition, found, options.width, options.height),
        "width": options.width,
        "height": options.height,
        "num_inference_steps": options.steps,
        "guidance_scale": options.guidance_scale,
        "guidance_rescale": options.guidance_rescale,
        "eta": 0.0 if options.sampler is Sampler.DEFAULT else SAMPLERS[options.sampler].eta,
        "generator": sources,
        "latents": pack(pipeline, noise, found),
        "output_type": "latent",
        "return_dict": False,
    }
    takes = parameters(pipeline.__call__)
    denoiser = denoiser_of(pipeline)
    appended = None if found.packed else condition
    guided = guides.attached(loaded, pipeline, len(chosen), context.cancel)
    with cancellable(denoiser, context.cancel), conditioned(denoiser, appended), guided:
        result = pipeline(**{name: value for name, value in arguments.items() if name in takes})[0]
    return unpack(pipeline, result, found, options.width, options.height).float().cpu()


def _noise(
    loaded: LoadedDiffusion,
    found: LatentLayout,
    part: range,
    sources: Sequence[torch.Generator],
    options: SamplingOptions,
) -> torch.Tensor:
    """First noise, drawn in float32, in the precision the denoiser computes in."""
    variations = [(options.variation_seed + index) % SEEDS for index in part]
    shape = found.shape(options.width, options.height)
    noise = first_noise(shape, options.noise, sources, variations, options.variation_strength)
    return noise.to(device=loaded.device, dtype=loaded.dtype)


def _conditions(
    loaded: LoadedDiffusion, positive: Conditioning, negative: Conditioning | None, count: int
) -> dict[str, Any]:
    """The conditioning as arguments of the pipeline's call, repeated for a batch."""
    arguments: dict[str, Any] = {}
    for prefix, conditioning in (("", positive), ("negative_", negative)):
        if conditioning is None:
            continue
        tensors = conditioning.tensors()
        if not tensors:
            arguments[f"{prefix}prompt"] = [str(conditioning.info.get("prompt", ""))] * count
        # Stable Diffusion XL was trained with zeros for "nothing unwanted"; its pipeline knows it for None.
        zeros = prefix and not conditioning.info.get("prompt") and _zeros_for_nothing(loaded.pipeline)
        for name, tensor in tensors.items():
            tensor = tensor.zero_() if zeros else tensor
            dtype = loaded.dtype if tensor.is_floating_point() else tensor.dtype
            arguments[prefix + name] = tensor.to(loaded.device, dtype).repeat_interleave(count, dim=0)
    return arguments


def denoiser_of(pipeline: Any) -> Any:
    """The U-Net or transformer of a pipeline; None if it has neither."""
    return getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)


def _zeros_for_nothing(pipeline: Any) -> bool:
    return bool(pipeline.config.get("force_zeros_for_empty_prompt", False))


def _check_width(loaded: LoadedDiffusion, conditioning: Conditioning | None) -> None:
    """Refuse conditioning of another family before the denoiser fails on it."""
    width = int(conditioning.info.get("width", 0)) if conditioning is not None else 0
    denoiser = denoiser_of(loaded.pipeline)
    for name in ("cross_attention_dim", "joint_attention_dim"):
        wanted = getattr(denoiser.config, name, None) if denoiser is not None else None
        if width and isinstance(wanted, int) and wanted != width:
            raise ConditioningUnsuitable(model=loaded.handle.id, found=width, expected=wanted)
