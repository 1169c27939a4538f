"""Pictures that a model looks at itself: how many it takes, and what it and its text encoder see of them.

Models that edit see the picture they start from as well: of those that look at one only, it is the one,
unless a reference is connected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipelines.diffusion.families import family_of
from pipelines.diffusion.families.base import NOTHING
from pipelines.diffusion.families.following import WANTED, Following
from pipelines.diffusion.families.looking import Looking, sized
from pipelines.diffusion.latents.encode_image import encode_image, rgb
from pipelines.diffusion.sizes.size_limits import SizeLimits, limits_for
from pipelines.diffusion.steering.followed import check_followed, seen_of_followed, with_start
from pipelines.diffusion.steering.steering import Steering
from pipelines.errors import ControlPictureMissing, LayerUnsuitable, ReferenceMissing, TooManyReferences
from pipelines.graph.values import Image, Layer, ModelHandle
from pipelines.models.families.abilities import needs_reference
from pipelines.models.families.controls import follows_controls

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.sampling.sampling import SamplingOptions
    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion


def check_given(model: ModelHandle, steering: Steering) -> None:
    """What can be said before a model is loaded that is to draw from a prompt and ``steering`` alone.

    Raises:
        ReferenceMissing: it only changes pictures, and there is none.
        ControlPictureMissing: it only draws along a control picture, and there is none.
    """
    if needs_reference(model.family) and not steering.references:
        raise ReferenceMissing(model=model.id, port="references")
    if follows_controls(model.family) and not steering.followed:
        raise ControlPictureMissing(model=model.id, wanted=WANTED[model.family], port="controls")


def check_references(loaded: LoadedDiffusion, steering: Steering) -> None:
    """The same of a loaded model, and whether it takes as many.

    Raises:
        ReferenceMissing, TooManyReferences: as their texts say.
        LayerUnsuitable: it looks at pictures and can't have prompts for regions.
        ControlPictureMissing, TooManyControlPictures: it sees a control picture itself.
    """
    check_followed(loaded, steering)
    family, model = family_of(loaded.pipeline), loaded.handle.id
    if not isinstance(family, Looking):
        return
    if family.needed and not steering.references:
        raise ReferenceMissing(model=model, port="references")
    if (count := len(steering.references)) > family.most:
        raise TooManyReferences(model=model, most=family.most, count=count, port="references")
    if family.one_prompt and steering.regions:
        reason = "It follows one instruction for the whole picture."
        raise LayerUnsuitable(kind="region", layer=steering.regions[0].name, model=model, reason=reason)


def with_picture(loaded: LoadedDiffusion, steering: Steering, image: Image) -> Steering:
    """``steering`` for a model that starts from ``image``: it may look at it itself, or follow its depth."""
    family = family_of(loaded.pipeline)
    if not isinstance(family, Looking) or not family.needed:
        return with_start(loaded, steering, image)
    if steering.references and family.most == 1:
        return steering
    picture = Layer("reference", "picture", image=image)
    return replace(steering, references=(picture, *steering.references))


def for_pieces(loaded: LoadedDiffusion, steering: Steering) -> Steering:
    """``steering`` for a picture that is drawn anew in pieces: none is a place for whole pictures."""
    looks = isinstance(family_of(loaded.pipeline), Looking)
    return replace(steering, references=()) if looks else steering


def shape_of(references: Sequence[Layer], limits: SizeLimits) -> tuple[int, int] | None:
    """The size in the shape of the first reference, of the area the model draws best; None without one."""
    image = references[0].image if references else None
    native = limits.native[0] * limits.native[1]
    return sized(image, native, limits.multiple) if image is not None else None


def read_by(loaded: LoadedDiffusion, references: Sequence[Layer]) -> tuple[Image, ...]:
    """What the text encoder sees of references; nothing for models whose text encoder only reads."""
    family = family_of(loaded.pipeline)
    if not isinstance(family, Looking) or not family.reads_pictures:
        return ()
    native = limits_for(loaded.card).native
    return tuple(family.read(loaded.pipeline, image, native) for image in _pictures(references))


def seen_by(
    loaded: LoadedDiffusion, steering: Steering, width: int, height: int, context: Context
) -> tuple[torch.Tensor, ...]:
    """The latents of references as the denoiser sees them, 1×C×h×w each, or what it sees of the control
    picture; nothing for models that don't look.

    Args:
        width, height: of what is drawn, in px.
    """
    family = family_of(loaded.pipeline)
    if (followed := seen_of_followed(loaded, steering, width, height, context)) is not None:
        return (followed,)
    if not isinstance(family, Looking):
        return ()
    native, given = limits_for(loaded.card).native, _pictures(steering.references)
    shown = (family.seen(loaded.pipeline, image, native, (width, height)) for image in given)
    return tuple(encode_image(loaded, image, context).tensor() for image in shown)


def show(
    loaded: LoadedDiffusion, pipeline: Any, seen: Sequence[torch.Tensor], options: SamplingOptions
) -> Mapping[str, Any]:
    """Let a run's own ``pipeline`` see what :func:`seen_by` gave; more arguments of its call."""
    family = family_of(loaded.pipeline)
    if seen and isinstance(family, Following):
        return family.follow(pipeline, *seen)
    return family.look(pipeline, seen, options) if seen and isinstance(family, Looking) else NOTHING


def _pictures(references: Sequence[Layer]) -> list[Image]:
    return [Image(rgb(layer.image)) for layer in references if layer.image is not None]
