"""Noise -> latents: diffusers' own pipeline call, with our scheduler, our noise, and an eye on every step.

The shared pipeline is never changed: each run has a shallow copy with a scheduler of its own. Steps are
observed, and cancelled, where every family has to pass: in that scheduler's ``step``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.diffusion.control.lite import LITE
from pipelines.diffusion.families import denoiser_of, family_of, parameters
from pipelines.diffusion.interrupt import cancellable
from pipelines.diffusion.latents.shape import (
    LatentLayout,
    check_picture_size,
    layout,
    made_for_inpainting,
    pack,
    unpack,
)
from pipelines.diffusion.memory import free_cache, is_out_of_memory, tell
from pipelines.diffusion.prompts.encoding import encode
from pipelines.diffusion.prompts.regions import Question, rehearsed
from pipelines.diffusion.samplers.levels import steps_to_run
from pipelines.diffusion.samplers.noise import SEEDS, first_noise, generators
from pipelines.diffusion.samplers.scheduling import build, scheduler_config
from pipelines.diffusion.samplers.table import SAMPLERS, NoiseSource, Sampler, Schedule, check
from pipelines.diffusion.sampling.fill_transformer import show_condition
from pipelines.diffusion.sampling.from_picture import PictureRun, StartPicture, conditioned
from pipelines.diffusion.sampling.refine import Handover, Stopped, begin, note, stop_where_due
from pipelines.diffusion.sampling.steps import StepObserver
from pipelines.diffusion.steering.references import check_references, read_by, seen_by, show
from pipelines.diffusion.steering.steering import UNSTEERED, Guides, Steering, prepare
from pipelines.errors import ConditioningUnsuitable, ModelUnsuitable, OutOfMemory, SettingIgnored
from pipelines.models.speed.caching import fresh_cache
from pipelines.models.speed.runtime import choose_runtime

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import Context
    from pipelines.graph.values import Conditioning, Image
    from pipelines.models.loaded import LoadedDiffusion


@dataclasses.dataclass(frozen=True, slots=True)
class SamplingOptions:
    """How to draw. Sizes are in pixels; ``guidance_rescale`` is 0..1 (Lin et al. 2023, section 3.4).

    ``handover``: only a part of the steps is this model's (:mod:`.refine`).
    ``image_guidance_scale``, of 1 or more, is for InstructPix2Pix alone
    (:mod:`pipelines.diffusion.families.pix2pix`).
    """

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
    image_guidance_scale: float = 1.5
    handover: Handover | None = None


def check_options(loaded: LoadedDiffusion, options: SamplingOptions) -> None:
    """What can be said before anything is computed.

    Raises:
        ModelUnsuitable, SizeUnsuitable, ImageTooLarge, SamplerUnavailable, ScheduleUnavailable: as their
        texts say.
    """
    check_picture_size(loaded, options.width, options.height)
    if reason := family_of(loaded.pipeline).size_refusal(loaded.pipeline, options.width, options.height):
        task = f"drawing at {options.width} × {options.height}"
        raise ModelUnsuitable(model=loaded.handle.id, reason=reason, task=task)
    check(options.sampler, options.schedule, scheduler_config(loaded.pipeline), loaded.handle.id)


def uses_negative(loaded: LoadedDiffusion, guidance_scale: float) -> bool:
    """Whether a negative prompt has an effect: classifier-free guidance, with a scale above 1."""
    return family_of(loaded.pipeline).uses_negative(loaded.pipeline, guidance_scale)


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
        ModelUnsuitable: it can't draw from a prompt alone, or from a picture.
        LayerUnsuitable, ControlModelUnsuitable: a layer of ``steering`` can't be used with this model.
        ReferenceMissing, TooManyReferences: it looks at pictures, and at another number of them.
    """
    check_options(loaded, options)
    _check_task(loaded, picture, options)
    check_references(loaded, steering)
    takes = parameters(loaded.pipeline.__call__)
    if options.guidance_rescale > 0 and "guidance_rescale" not in takes:
        reason = "Its pipeline has no such correction."
        ignored = SettingIgnored(setting="Guidance rescale", model=loaded.handle.id, reason=reason)
        context.warn(dataclasses.replace(ignored.info(), severity="warning"))
    if not uses_negative(loaded, options.guidance_scale):
        negative = None
    else:
        negative = _unwanted(loaded, positive, negative, read_by(loaded, steering.references), context)
    for conditioning in (positive, negative):
        _check_width(loaded, conditioning)
    clip_skip = int(positive.info.get("clip_skip", 1))
    guides = prepare(loaded, steering, clip_skip, options.width, options.height, context)
    seen = seen_by(loaded, steering, options.width, options.height, context)
    guides = dataclasses.replace(guides, seen=seen)
    return _in_parts_that_fit(loaded, positive, negative, seeds, options, context, picture, guides)


def _check_task(loaded: LoadedDiffusion, picture: StartPicture | None, options: SamplingOptions) -> None:
    """Refuse what the family can't draw from."""
    if options.handover is not None and options.handover.goes_on:
        return
    ready = picture is not None and (picture.condition is not None or not made_for_inpainting(loaded))
    if reason := family_of(loaded.pipeline).refusal(loaded.pipeline, ready):
        task = "drawing from a picture" if ready else "drawing from a prompt alone"
        raise ModelUnsuitable(model=loaded.handle.id, reason=reason, task=task)


def _unwanted(
    loaded: LoadedDiffusion, positive: Conditioning, negative: Conditioning | None,
    pictures: Sequence[Image], context: Context,
) -> Conditioning:  # fmt: skip
    """What to keep out, encoded as the family's negative prompts are; nothing in particular by default."""
    told = negative.info if negative is not None else positive.info
    again = family_of(loaded.pipeline).negative_apart and not told.get("negative")
    if negative is not None and not again:
        return negative
    text = str(negative.info.get("prompt", "")) if negative is not None else ""
    return encode(loaded, text, int(told.get("clip_skip", 1)), context, negative=True, pictures=pictures)


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
    pipeline = family_of(loaded.pipeline).runner(loaded.pipeline)
    scheduled = options.handover.model(loaded) if options.handover is not None else loaded.pipeline
    new_scheduler = functools.partial(
        build, options.sampler, options.schedule, scheduled, seeds=chosen, model=loaded.handle.id
    )
    pipeline.scheduler = new_scheduler()
    family = family_of(pipeline)
    family.prepare(pipeline, options)
    pipeline.set_progress_bar_config(disable=True)
    noise = _noise(loaded, found, part, sources, options)
    steps = begin(pipeline, options.handover, part, options.steps, found, sources)
    if picture is not None:
        if picture.noise is not None:
            noise = picture.noise.to(noise).expand_as(noise)
        PictureRun(pipeline, picture, noise, found, options.width, options.height)
        steps = steps_to_run(steps, picture.strength)
    observer = StepObserver(
        loaded, pipeline.scheduler, sources, context, part, len(seeds), steps, options.steps
    )
    scale = family.step_scale(pipeline)
    observer.attach(lambda tensor: unpack(pipeline, tensor, found, options.width, options.height) / scale)
    stop_where_due(pipeline.scheduler, options.handover, options.steps)
    condition = picture.condition if picture is not None else None
    conditions = _conditions(loaded, positive, negative, len(chosen))
    arguments = {
        **conditions,
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
        **family.arguments(pipeline, options),
    }
    takes = parameters(pipeline.__call__)
    denoiser = denoiser_of(pipeline)
    arguments |= show(loaded, pipeline, guides.seen, options)
    appended = None if found.packed else condition
    true = negative is not None
    alone = dataclasses.replace(options, guidance_scale=1.0) if true else options
    questions = _questions(loaded, pipeline, new_scheduler, arguments, conditions, guides, alone)
    guided = guides.attached(loaded, pipeline, len(chosen), context.cancel, questions, true)
    cached = fresh_cache(pipeline, denoiser, whole=guides.change_steps)
    choose_runtime(loaded, pipeline, context, options.steps, _needs_torch(appended, guides))
    with cached, cancellable(denoiser, context.cancel), conditioned(denoiser, appended), guided:
        try:
            result = pipeline(**{name: value for name, value in arguments.items() if name in takes})[0]
        except Stopped as stopped:
            assert options.handover is not None
            there = unpack(pipeline, stopped.latents, found, options.width, options.height)
            return note(options.handover, part, there, sources)
    return unpack(pipeline, result, found, options.width, options.height).float().cpu()


def _questions(
    loaded: LoadedDiffusion,
    pipeline: Any,
    new_scheduler: Callable[[], Any],
    arguments: Mapping[str, Any],
    conditions: Mapping[str, Any],
    guides: Guides,
    options: SamplingOptions,
) -> list[Question]:
    """What the denoiser is asked with the prompt of each region.

    Args:
        arguments: of the pipeline's call, ``conditions`` of the whole picture among them.
        options: without guidance, where that asks for what to keep out as well.
    """
    if not guides.regions:
        return []
    takes, count = parameters(pipeline.__call__), len(arguments["generator"])
    others = {name: value for name, value in arguments.items() if name not in conditions}
    others |= {
        "guidance_scale": options.guidance_scale, **family_of(pipeline).arguments(pipeline, options)
    }  # fmt: skip
    questions = []
    for region in guides.regions:
        told = {**others, **_conditions(loaded, region.conditioning, None, count)}
        known = {name: value for name, value in told.items() if name in takes}
        questions.append(rehearsed(pipeline, new_scheduler(), known))
    return questions


def _needs_torch(appended: torch.Tensor | None, guides: Guides) -> str:
    """Why a drawing changes its denoiser's modules, which torch alone would see; empty if it doesn't."""
    if appended is not None:
        return "Models made for inpainting are computed by torch."
    if any(type(control.model.model).__name__ == LITE for control in guides.controls):
        return "Drawings with a ControlNet-LLLite are computed by torch."
    return "Drawings with an IP-Adapter are computed by torch." if guides.references else ""


def _noise(
    loaded: LoadedDiffusion,
    found: LatentLayout,
    part: range,
    sources: Sequence[torch.Generator],
    options: SamplingOptions,
) -> torch.Tensor:
    """First noise, drawn in float32, in the precision the pipeline steps in."""
    variations = [(options.variation_seed + index) % SEEDS for index in part]
    shape = found.shape(options.width, options.height)
    noise = first_noise(shape, options.noise, sources, variations, options.variation_strength)
    full = family_of(loaded.pipeline).full_latents
    return noise.to(device=loaded.device, dtype=noise.dtype if full else loaded.dtype)


def _conditions(
    loaded: LoadedDiffusion, positive: Conditioning, negative: Conditioning | None, count: int
) -> dict[str, Any]:
    """The conditioning as arguments of the pipeline's call, repeated for a batch."""
    arguments: dict[str, Any] = {}
    family = family_of(loaded.pipeline)
    for prefix, conditioning in (("", positive), ("negative_", negative)):
        if conditioning is None:
            continue
        tensors = conditioning.tensors()
        if not tensors:
            arguments[f"{prefix}prompt"] = [
                str(conditioning.info.get("read", conditioning.info.get("prompt", "")))
            ] * count
        # Stable Diffusion XL was trained with zeros for "nothing unwanted"; its pipeline knows it for None.
        zeros = prefix and not conditioning.info.get("prompt") and _zeros_for_nothing(loaded.pipeline)
        for name, tensor in tensors.items():
            tensor = tensor.zero_() if zeros else tensor
            dtype = loaded.dtype if tensor.is_floating_point() else tensor.dtype
            arguments[prefix + name] = family.batched(name, tensor.to(loaded.device, dtype), count)
    return arguments


def _zeros_for_nothing(pipeline: Any) -> bool:
    return bool(pipeline.config.get("force_zeros_for_empty_prompt", False))


def _check_width(loaded: LoadedDiffusion, conditioning: Conditioning | None) -> None:
    """Refuse conditioning of another family before the denoiser fails on it."""
    width = int(conditioning.info.get("width", 0)) if conditioning is not None else 0
    wanted = family_of(loaded.pipeline).width(loaded.pipeline)
    if width and wanted is not None and wanted != width:
        raise ConditioningUnsuitable(model=loaded.handle.id, found=width, expected=wanted)
