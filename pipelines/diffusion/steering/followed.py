"""The control picture of a model that sees it itself: whether there is one, and what the model sees of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipelines.diffusion.control.control import ControlSettings
from pipelines.diffusion.control.unet import control_pixels, on_black
from pipelines.diffusion.families import family_of
from pipelines.diffusion.families.following import Following
from pipelines.diffusion.latents.encode_image import encode_image
from pipelines.diffusion.latents.shape import layout
from pipelines.diffusion.steering.steering import Steering
from pipelines.errors import ControlPictureMissing, SettingIgnored, TooManyControlPictures
from pipelines.graph.values import Image, Layer
from pipelines.image import resize

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion

START: Final = "start"
"""The kind of a control layer that shows what a drawing starts from, as it is."""
_LUMA: Final = (0.299, 0.587, 0.114)
_ESTIMATOR: Final = "depth_estimator"


def check_followed(loaded: LoadedDiffusion, steering: Steering) -> None:
    """Whether a model that sees a control picture itself has one, and no more.

    Raises:
        ControlPictureMissing, TooManyControlPictures: as their texts say.
    """
    family, model = family_of(loaded.pipeline), loaded.handle.id
    if not isinstance(family, Following):
        return
    if not steering.followed:
        raise ControlPictureMissing(model=model, wanted=family.wanted, port="controls")
    if (count := len(steering.followed)) > 1:
        raise TooManyControlPictures(model=model, count=count, port="controls")


def with_start(loaded: LoadedDiffusion, steering: Steering, image: Image) -> Steering:
    """``steering`` for a model that starts from ``image``, whose depth it follows where nothing else is given
    and it follows depth.
    """
    family = family_of(loaded.pipeline)
    if steering.followed or not isinstance(family, Following) or not family.by_depth:
        return steering
    layer = Layer("control", "picture", image=image, info={"control": START})
    return dataclasses.replace(steering, followed=(layer,))


def seen_of_followed(
    loaded: LoadedDiffusion, steering: Steering, width: int, height: int, context: Context
) -> torch.Tensor | None:
    """What the denoiser sees of the control picture, 1×C×h×w float32 on the CPU; None for other models.

    Args:
        width, height: of what is drawn, in px.

    Raises:
        DepthModelMissing: the depth of a picture is wanted, and nothing that finds it is there.
        EncodeFailed; whatever loading a model raises.
    """
    family = family_of(loaded.pipeline)
    if not isinstance(family, Following) or not steering.followed:
        return None
    (layer,) = steering.followed
    assert layer.image is not None
    _warn_of_settings(loaded, layer, context)
    if not family.by_depth:
        return encode_image(loaded, on_black(resize(layer.image, width, height)), context).tensor()
    depth = layer.image
    if layer.info.get("control") == START:
        depth = _depth_of(loaded, depth, context)
    return _scaled(depth, layout(loaded).shape(width, height)[1:])


def _warn_of_settings(loaded: LoadedDiffusion, layer: Layer, context: Context) -> None:
    settings, usual = ControlSettings.of(layer), ControlSettings()
    for name, title in (("weight", "Weight"), ("start", "Start"), ("end", "End")):
        if getattr(settings, name) != getattr(usual, name):
            reason = "It sees the control picture itself, as it was trained to, in all steps."
            ignored = SettingIgnored(setting=title, model=loaded.handle.id, reason=reason)
            context.warn(dataclasses.replace(ignored.info(), severity="warning"))


def _depth_of(loaded: LoadedDiffusion, image: Image, context: Context) -> Image:
    """The depth of a picture by the estimator in the model's own folder, else by the first that is found."""
    from pipelines.control.depth import depth_of

    own = Path(loaded.handle.path) / _ESTIMATOR
    handle = context.models.find("depth", str(own) if own.is_dir() else "")
    with context.models.use(handle, context) as estimator:
        return depth_of(estimator, image, context)


def _scaled(depth: Image, size: tuple[int, ...]) -> torch.Tensor:
    """1×1×h×w in -1..1, the nearest 1 and the farthest -1: as the model was trained, whose code resamples a
    depth without smoothing it.
    """
    import torch

    pixels = control_pixels(depth, depth.width, depth.height)
    grey = (pixels * pixels.new_tensor(_LUMA).view(3, 1, 1)).sum(1, keepdim=True)
    small = torch.nn.functional.interpolate(grey, size, mode="bicubic", align_corners=False)
    low, high = small.amin(), small.amax()
    return 2 * (small - low) / (high - low) - 1 if high > low else torch.zeros_like(small)
