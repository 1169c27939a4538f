"""Control: pictures (line art, depth, a pose…) that a drawing has to follow, read by ControlNets.

ControlNet (Zhang et al. 2023, "Adding Conditional Control to Text-to-Image Diffusion Models"): a trained copy
of the U-Net's encoder sees the picture and the noisy latents; what it answers is added to what the U-Net
hands from its encoder to its decoder. Several are summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipelines.diffusion.encode_image import rgb
from pipelines.diffusion.latents import layout
from pipelines.diffusion.wrapped import WrappedDenoiser
from pipelines.errors import ControlModelUnsuitable, LayerUnsuitable
from pipelines.graph.values import Image, Layer
from pipelines.image import resize

if TYPE_CHECKING:
    import torch

    from pipelines.models.loaded import LoadedControl, LoadedDiffusion

MAX_WEIGHT: Final = 2.0


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """How strongly (0..2) and in which part of the steps (0..1) a control layer steers."""

    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0

    @classmethod
    def of(cls, layer: Layer) -> ControlSettings:
        """The settings of a layer, brought into their ranges."""
        weight, start, end = (
            min(max(float(layer.info.get(name, default)), 0.0), most)
            for name, default, most in (("weight", 1.0, MAX_WEIGHT), ("start", 0.0, 1.0), ("end", 1.0, 1.0))
        )
        return cls(weight, start, end)

    @property
    def does_something(self) -> bool:
        return self.weight > 0 and self.start < self.end

    def acts_at(self, position: float) -> bool:
        """Whether it steers the step that begins after this part of the steps, 0..1."""
        return self.start <= position < self.end


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """A control network and what it is shown: ``picture`` is 1×3×H×W float32 in 0..1."""

    model: LoadedControl
    picture: torch.Tensor
    settings: ControlSettings


def prepare_control(
    loaded: LoadedDiffusion, layer: Layer, model: LoadedControl, width: int, height: int
) -> Control:
    """Bring a control layer's picture to the size that is drawn.

    Raises:
        LayerUnsuitable: the model that draws has no U-Net, or the layer no picture.
        ControlModelUnsuitable: the control model was made for another family.
    """
    import torch

    check_control(loaded, layer, model)
    if layer.image is None:
        reason = "There is no picture on it."
        raise LayerUnsuitable(kind="control", layer=layer.name, model=model.handle.id, reason=reason)
    pixels = rgb(on_black(resize(layer.image, width, height)))
    picture = torch.tensor(pixels.transpose(2, 0, 1)[None])
    return Control(model, picture, ControlSettings.of(layer))


def on_black(image: Image) -> Image:
    """A picture without its transparency: control networks were trained on a black ground."""
    if image.channels != 4:
        return image
    pixels = image.as_float()
    return image.with_pixels(np.ascontiguousarray(pixels[..., :3] * pixels[..., 3:]))


def check_control(loaded: LoadedDiffusion, layer: Layer, control: LoadedControl) -> None:
    """Raise what keeps ``control`` from steering ``loaded``."""
    unet = getattr(loaded.pipeline, "unet", None)
    if unet is None:
        reason = "ControlNets steer models with a U-Net; this one is a transformer."
        raise LayerUnsuitable(kind="control", layer=layer.name, model=loaded.handle.id, reason=reason)
    found = layout(loaded)
    wanted, given = unet.config, control.model.config
    downsampling = 2 ** (len(given.conditioning_embedding_out_channels) - 1)
    differences = (
        ("Its cross-attention is {} numbers wide, that of the model {}.", given.cross_attention_dim,
         wanted.cross_attention_dim),
        ("It takes latents of {} channels, the model has {}.", given.in_channels, found.channels),
        ("Its blocks have {} channels, those of the model {}.", list(given.block_out_channels),
         list(wanted.block_out_channels)),
        ("It has {} layers in a block, the model {}.", given.layers_per_block, wanted.layers_per_block),
        ("It is also told {}, the model {}.", given.addition_embed_type or "nothing",
         wanted.addition_embed_type or "nothing"),
        ("It divides pictures by {}, the model by {}.", downsampling, found.factor),
    )  # fmt: skip
    for text, own, theirs in differences:
        if own != theirs:
            reason = text.format(own, theirs)
            raise ControlModelUnsuitable(control=control.handle.id, model=loaded.handle.id, reason=reason)


class ControlledDenoiser(WrappedDenoiser):
    """A U-Net with what control networks add to it.

    Args:
        scheduler: the run's own; it knows the steps once the run has begun.
    """

    def __init__(self, inner: Any, controls: Sequence[Control], scheduler: Any) -> None:
        super().__init__(inner)
        self._scheduler = scheduler
        self._controls = [
            (control, control.picture.to(control.model.device, control.model.dtype)) for control in controls
        ]

    def __call__(self, sample: torch.Tensor, timestep: Any, *args: Any, **kwargs: Any) -> Any:
        """The denoiser's answer for ``sample`` (B×C×h×w, before any mask is appended) at ``timestep``."""
        position = self._position(timestep)
        answers = [
            self._answer(control, picture, sample, timestep, kwargs)
            for control, picture in self._controls
            if control.settings.acts_at(position)
        ]
        if not answers:
            return self._inner(sample, timestep, *args, **kwargs)
        down = [sum(parts[1:], parts[0]) for parts in zip(*(answer[0] for answer in answers), strict=True)]
        middle = sum((answer[1] for answer in answers[1:]), answers[0][1])
        kwargs = {**kwargs, "down_block_additional_residuals": down, "mid_block_additional_residual": middle}
        return self._inner(sample, timestep, *args, **kwargs)

    def _position(self, timestep: Any) -> float:
        """The part of the steps, 0..1, that is done before the one at ``timestep``."""
        times = [float(time) for time in self._scheduler.timesteps]
        time = float(timestep)
        return times.index(time) / len(times) if time in times else 0.0

    def _answer(
        self, control: Control, picture: torch.Tensor, sample: torch.Tensor, timestep: Any,
        asked: dict[str, Any],
    ) -> tuple[list[torch.Tensor], torch.Tensor]:  # fmt: skip
        """What one network adds to the U-Net's skip connections, and to its middle."""
        network = control.model
        added = {
            name: value.to(network.dtype) for name, value in (asked.get("added_cond_kwargs") or {}).items()
        }
        down, middle = network.model(
            sample.to(network.dtype), timestep,
            encoder_hidden_states=asked["encoder_hidden_states"].to(network.dtype),
            controlnet_cond=picture.expand(len(sample), -1, -1, -1),
            conditioning_scale=control.settings.weight,
            timestep_cond=asked.get("timestep_cond"), added_cond_kwargs=added or None, return_dict=False,
        )  # fmt: skip
        return [part.to(sample.dtype) for part in down], middle.to(sample.dtype)
