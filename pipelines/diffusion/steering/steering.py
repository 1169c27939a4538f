"""What steers a drawing beside its prompt: regions with prompts of their own, control pictures, references.

A :class:`Steering` holds layers as they are painted, each as large as the picture; :class:`Guides` are the
same for one model and one size, ready to be put before its denoiser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipelines.diffusion.control.control import (
    Control,
    ControlSettings,
    check_control,
    controlled,
    prepare_control,
)
from pipelines.diffusion.control.transformer import mask_channels
from pipelines.diffusion.interrupt import cancellable
from pipelines.diffusion.latents.shape import layout
from pipelines.diffusion.prompts.regions import (
    Question,
    Region,
    RegionalDenoiser,
    prepare_regions,
    region_strength,
)
from pipelines.diffusion.steering.ip_adapter import Adapted, adapt, adapters_of
from pipelines.diffusion.steering.ip_attention import (
    Reference,
    Step,
    attending,
    before_denoiser,
    prepare_references,
)
from pipelines.diffusion.wrapped import wrap_denoiser
from pipelines.errors import ControlModelNotChosen, ControlModelUnsuitable, LayerUnsuitable
from pipelines.graph.values import Array, Image, Layer, Mask, ModelHandle
from pipelines.image import resize
from pipelines.inpaint.box import Box
from pipelines.inpaint.geometry import CropPlan
from pipelines.inpaint.stitch import cut
from pipelines.models.families.controls import (
    ADAPTED,
    CONTROLLED,
    drawn_family,
    follows_controls,
    reads_references,
)

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import CancelToken, Context, Inputs
    from pipelines.models.loaded import LoadedControl, LoadedDiffusion

FAMILIES: Final = CONTROLLED
"""Families whose control models fit no other, known before anything is loaded."""


@dataclass(frozen=True, slots=True, eq=False)
class Steering:
    """Layers that steer a drawing. ``models`` has the control network of each of ``controls``.

    ``references`` are pictures of any size that lead the look: they have no place in the picture, only their
    masks do. ``adapted`` is how an adapter reads each, for models that don't look at them themselves.
    ``followed`` are control layers that the model sees itself.
    """

    regions: tuple[Layer, ...] = ()
    controls: tuple[Layer, ...] = ()
    models: tuple[LoadedControl, ...] = ()
    references: tuple[Layer, ...] = ()
    adapted: tuple[Adapted, ...] = ()
    followed: tuple[Layer, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.regions or self.controls or self.references or self.followed)

    @property
    def has_places(self) -> bool:
        """Whether something belongs to a place of the whole picture."""
        placed = self.regions or self.controls or self.followed
        return bool(placed or any(layer.mask for layer in self.references))

    def changed(self, change: Callable[[Layer], Layer]) -> Steering:
        """The same with every layer changed; of references only the masks."""

        def masked(layer: Layer) -> Layer:
            return change(layer.with_(image=None)).with_(image=layer.image)

        return replace(
            self,
            regions=tuple(map(change, self.regions)),
            controls=tuple(map(change, self.controls)),
            followed=tuple(map(change, self.followed)),
            references=tuple(map(masked, self.references)),
        )

    def cropped(self, box: Box, width: int, height: int) -> Steering:
        """For a part of a picture of ``width`` × ``height`` px."""

        def part(layer: Layer) -> Layer:
            return _mapped(layer, lambda pixels: _fitted(pixels, width, height)[box.slices].copy())

        return self.changed(part)

    def filling(self, mask: Mask) -> Steering:
        """For a picture of which ``mask`` shows what is drawn anew: networks that are shown a mask are shown
        this one, where their layer has none of its own.
        """
        pairs = zip(self.controls, self.models, strict=True)
        controls = (
            layer.with_(mask=mask) if layer.mask is None and mask_channels(model.model) else layer
            for layer, model in pairs
        )
        return replace(self, controls=tuple(controls))

    def cut(self, plan: CropPlan) -> Steering:
        """For the region that is inpainted, as :func:`pipelines.inpaint.stitch.cut` cuts the picture."""

        def part(layer: Layer) -> Layer:
            return _mapped(layer, lambda pixels: cut(Image(_fitted(pixels, *plan.picture)), plan)[0].pixels)

        return self.changed(part)

    def extended(self, width: int, height: int, sides: tuple[int, int, int, int]) -> Steering:
        """For a picture of ``width`` × ``height`` px that grows by ``sides`` (left, top, right, bottom).

        Layers that are as large as the grown picture stay; to others nothing is added on those sides.
        """
        left, top, right, bottom = sides
        grown = (height + top + bottom, width + left + right)

        def larger(pixels: Array) -> Array:
            if pixels.shape[:2] == grown:
                return pixels
            return np.pad(_fitted(pixels, width, height), ((top, bottom), (left, right), (0, 0)))

        return self.changed(lambda layer: _mapped(layer, larger))

    def story(self) -> dict[str, Any]:
        """What a picture remembers of it; names only, no folder of the user's."""
        told: dict[str, Any] = {}
        if self.regions:
            told["regions"] = [
                {
                    "name": layer.name, "prompt": str(layer.info.get("prompt", "")),
                    "weight": region_strength(layer),
                }
                for layer in self.regions
            ]  # fmt: skip
        if self.controls or self.followed:
            told["controls"] = [
                *(_followed_story(layer) for layer in self.followed),
                *(_control_story(*pair) for pair in zip(self.controls, self.models, strict=True)),
            ]
        if self.references:
            adapters = [read.adapter.id for read in self.adapted] or [""] * len(self.references)
            told["references"] = [
                _reference_story(layer, adapter)
                for layer, adapter in zip(self.references, adapters, strict=True)
            ]
        return told


UNSTEERED: Final = Steering()


def _control_story(layer: Layer, model: LoadedControl) -> dict[str, Any]:
    settings = ControlSettings.of(layer)
    return {
        "name": layer.name, "control": str(layer.info.get("control", "")), "weight": settings.weight,
        "start": settings.start, "end": settings.end, "model": PurePath(model.handle.id).name,
    }  # fmt: skip


def _followed_story(layer: Layer) -> dict[str, Any]:
    """The model sees it itself, and knows no weight."""
    return {"name": layer.name, "control": str(layer.info.get("control", ""))}


def _reference_story(layer: Layer, adapter: str) -> dict[str, Any]:
    if not adapter:  # the model looks at it itself, and knows no weight
        return {"name": layer.name}
    settings = ControlSettings.of(layer)
    return {
        "name": layer.name, "leads": str(layer.info.get("leads", "all")), "weight": settings.weight,
        "start": settings.start, "end": settings.end, "adapter": PurePath(adapter).name,
    }  # fmt: skip


def _mapped(layer: Layer, change: Callable[[Array], Array]) -> Layer:
    """A layer whose H×W×C pixels, of image and mask, are changed."""
    image = layer.image and Image(change(layer.image.pixels))
    mask = layer.mask and Mask(change(layer.mask.values[..., None])[..., 0])
    return layer.with_(image=image, mask=mask)


def _fitted(pixels: Array, width: int, height: int) -> Array:
    return resize(Image(pixels), width, height, "bilinear").pixels


@contextmanager
def open_steering(inputs: Inputs, context: Context) -> Iterator[Steering]:
    """The steering that a node was given, its control models loaded while the block runs.

    Control layers without weight, or that steer no step, are left out, and their models not asked for.

    Raises:
        ControlModelNotChosen, ControlModelUnsuitable, AdapterNotChosen, AdapterUnsuitable,
        VisionEncoderMissing: as their texts say.
        Whatever finding and loading a model raises.
    """
    layers, given = tuple(inputs.get("controls") or ()), tuple(inputs.get("control") or ())
    followed: tuple[Layer, ...] = ()
    if follows_controls(inputs["model"].family) and not given:
        own = [layer for layer in layers if not layer.info.get("model")]
        followed = tuple(layer for layer in own if layer.image and ControlSettings.of(layer).does_something)
        layers = tuple(layer for layer in layers if layer.info.get("model"))
    pairs = _models(layers, given, context)
    for _, handle in pairs:
        _check_family(handle, inputs["model"])
    shown = references(inputs)
    adapted: list[Adapted] = []
    if shown and drawn_family(inputs["model"].family) in ADAPTED:
        chosen = adapters_of(shown, tuple(inputs.get("adapter") or ()), context)
        adapted = adapt(chosen, inputs["model"], context)
    with ExitStack() as stack:
        handles = dict.fromkeys(handle for _, handle in pairs)
        loaded = {handle: stack.enter_context(context.models.use(handle, context)) for handle in handles}
        models = tuple(loaded[handle] for _, handle in pairs)
        yield Steering(
            tuple(inputs.get("regions") or ()), tuple(layer for layer, _ in pairs), models, shown,
            tuple(adapted), followed,
        )  # fmt: skip


def references(inputs: Inputs) -> tuple[Layer, ...]:
    """The reference layers that a node was given and that do something."""
    layers = tuple(inputs.get("references") or ())
    return tuple(layer for layer in layers if layer.image and ControlSettings.of(layer).does_something)


def _models(
    layers: Sequence[Layer], given: tuple[ModelHandle, ...], context: Context
) -> list[tuple[Layer, ModelHandle]]:
    """The control layers that do something, each with its model: its own, the only one that is connected, or
    that of its place among the layers without one of their own.
    """
    without = [layer for layer in layers if not layer.info.get("model")]
    places = given * len(without) if len(given) == 1 else given
    pairs = []
    for layer in layers:
        if not ControlSettings.of(layer).does_something:
            continue
        if layer.info.get("model"):
            pairs.append((layer, context.models.find("control", str(layer.info["model"]))))
        elif len(places) == len(without):
            place = next(index for index, other in enumerate(without) if other is layer)
            pairs.append((layer, places[place]))
        else:
            reason = (
                f"{len(given)} are connected for {len(without)} layers." if given else "None is connected."
            )
            raise ControlModelNotChosen(layer=layer.name, reason=reason, port="control")
    return pairs


def _check_family(control: ModelHandle, model: ModelHandle) -> None:
    """Refuse a control model of another family before it is loaded."""
    family = drawn_family(model.family)
    if control.family != family and {control.family, family} <= FAMILIES:
        reason = f"It was made for {control.family}, the model is {family}."
        raise ControlModelUnsuitable(control=control.id, model=model.id, reason=reason, port="control")


@dataclass(frozen=True, slots=True, eq=False)
class Guides:
    """Regions, controls and references for one model at one size; tensors are on the CPU."""

    regions: tuple[Region, ...] = ()
    controls: tuple[Control, ...] = ()
    references: tuple[Reference, ...] = ()
    seen: tuple[torch.Tensor, ...] = ()
    """Latents of references that the model looks at itself, or what it sees of a control picture."""

    @property
    def change_steps(self) -> bool:
        """Whether what they add may differ from step to step."""
        return bool(self.regions or self.controls or self.references)

    @contextmanager
    def attached(
        self, loaded: LoadedDiffusion, pipeline: Any, count: int, cancel: CancelToken,
        questions: Sequence[Question] = (), guided: bool = False,
    ) -> Iterator[None]:  # fmt: skip
        """Put them before the denoiser of ``pipeline``, a run's own copy that draws ``count`` pictures.

        Args:
            questions: what the denoiser is asked with the prompt of each region.
            guided: whether it is asked for what to keep out, too.
        """
        with ExitStack() as stack:
            for network in {id(control.model): control.model.model for control in self.controls}.values():
                stack.enter_context(cancellable(network, cancel))
            if self.controls:
                wrap_denoiser(pipeline, lambda inner: controlled(inner, self.controls, pipeline))
            if self.references:
                step = Step()
                stack.enter_context(attending(loaded.pipeline, self.references, step, loaded.device))
                wrap_denoiser(
                    pipeline,
                    lambda inner: before_denoiser(
                        inner, pipeline, self.references, step, count, loaded.device
                    ),
                )
            if self.regions:
                found = layout(loaded)
                wrap_denoiser(
                    pipeline,
                    lambda inner: RegionalDenoiser(
                        inner, self.regions, questions, pipeline, found, count, guided
                    ),
                )
            yield


def prepare(
    loaded: LoadedDiffusion, steering: Steering, clip_skip: int, width: int, height: int, context: Context
) -> Guides:
    """Encode and resample all layers for a drawing of ``width`` × ``height`` px.

    Raises:
        LayerUnsuitable, ControlModelUnsuitable, AdapterUnsuitable: as their texts say.
    """
    if not steering:
        return Guides()
    pairs = list(zip(steering.controls, steering.models, strict=True))
    for layer, model in pairs:  # all of them before anything is computed
        check_control(loaded, layer, model)
    if steering.references and not steering.adapted and not reads_references(loaded.handle.family):
        reason = "Models of its family can't follow references."
        layer = steering.references[0]
        raise LayerUnsuitable(kind="reference", layer=layer.name, model=loaded.handle.id, reason=reason)
    references: tuple[Reference, ...] = ()
    if steering.adapted:
        references = prepare_references(loaded, steering.references, steering.adapted, context)
    regions = prepare_regions(loaded, steering.regions, clip_skip, width, height, context)
    controls = tuple(prepare_control(loaded, layer, model, width, height, context) for layer, model in pairs)
    return Guides(regions, controls, references)
