"""Control networks for U-Nets.

ControlNet (Zhang et al. 2023, "Adding Conditional Control to Text-to-Image Diffusion Models"): a trained copy
of the U-Net's encoder sees the picture and the noisy latents; what it answers is added to what the U-Net
hands from its encoder to its decoder. ControlNet Union is one for several kinds of pictures, and is told
which it sees. T2I-Adapter (Mou et al. 2023, "T2I-Adapter: Learning Adapters to Dig out More Controllable
Ability for Text-to-Image Diffusion Models"): a small network sees the picture alone, once; what it answers
is added inside the U-Net's encoder. Control-LoRAs are ControlNets made of the U-Net's own layers
(:mod:`.lora`); ControlNet-LLLite changes what its attentions are given (:mod:`.lite`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipelines.diffusion.control.lite import LITE, changing, lite_difference
from pipelines.diffusion.control.lora import lora_difference
from pipelines.diffusion.latents.encode_image import rgb
from pipelines.diffusion.latents.shape import layout
from pipelines.diffusion.wrapped import WrappedDenoiser, position, unwrapped
from pipelines.graph.values import Image
from pipelines.image import resize

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.control.control import Control
    from pipelines.models.loaded import LoadedDiffusion

T2I: Final = "T2IAdapter"
UNION: Final = "ControlNetUnionModel"
LORA: Final = "ControlLora"
U_NET_NETWORKS: Final = frozenset({"ControlNetModel", UNION, T2I, LORA, LITE})
"""The classes that steer U-Nets: diffusers', and our own."""

_LUMA: Final = (0.299, 0.587, 0.114)


def on_black(image: Image) -> Image:
    """A picture without its transparency: control networks were trained on a black ground."""
    if image.channels != 4:
        return image
    pixels = image.as_float()
    return image.with_pixels(np.ascontiguousarray(pixels[..., :3] * pixels[..., 3:]))


def control_pixels(image: Image, width: int, height: int) -> torch.Tensor:
    """1×3×H×W float32 in 0..1: a control picture at this size."""
    import torch

    return torch.tensor(rgb(on_black(resize(image, width, height))).transpose(2, 0, 1)[None])


def u_net_picture(network: Any, image: Image, width: int, height: int) -> torch.Tensor:
    """1×C×H×W float32 in 0..1, or -1..1 for ControlNet-LLLite: what a network for U-Nets is shown."""
    if type(network).__name__ == LITE:
        return control_pixels(image, width, height) * 2 - 1
    if type(network).__name__ != T2I:
        return control_pixels(image, width, height)
    divisor = int(network.config.downscale_factor)  # it takes blocks of so many pixels a side into channels
    picture = control_pixels(image, -(-width // divisor) * divisor, -(-height // divisor) * divisor)
    if network.config.in_channels == 1:
        picture = (picture * picture.new_tensor(_LUMA).view(3, 1, 1)).sum(1, keepdim=True)
    return picture


def u_net_difference(loaded: LoadedDiffusion, network: Any) -> str:
    """What about a control network doesn't fit a model with a U-Net; empty if nothing."""
    if type(network).__name__ == LORA:
        return lora_difference(loaded, network)
    if type(network).__name__ == LITE:
        return lite_difference(loaded, network)
    wanted, given, found = loaded.pipeline.unet.config, network.config, layout(loaded)
    blocks = list(wanted.block_out_channels)
    if type(network).__name__ == T2I:
        own = list(given.channels)[: len(blocks)]
        same = own == blocks[: len(own)]
        return "" if same else f"Its blocks have {own} channels, those of the model {blocks}."
    downsampling = 2 ** (len(given.conditioning_embedding_out_channels) - 1)
    differences = (
        ("Its cross-attention is {} numbers wide, that of the model {}.", given.cross_attention_dim,
         wanted.cross_attention_dim),
        ("It takes latents of {} channels, the model has {}.", given.in_channels, found.channels),
        ("Its blocks have {} channels, those of the model {}.", list(given.block_out_channels), blocks),
        ("It has {} layers in a block, the model {}.", given.layers_per_block, wanted.layers_per_block),
        ("It is also told {}, the model {}.", given.addition_embed_type or "nothing",
         wanted.addition_embed_type or "nothing"),
        ("It divides pictures by {}, the model by {}.", downsampling, found.factor),
    )  # fmt: skip
    return next((text.format(own, theirs) for text, own, theirs in differences if own != theirs), "")


class ControlledDenoiser(WrappedDenoiser):
    """A U-Net with what control networks add to it.

    Args:
        scheduler: the run's own; it knows the steps once the run has begun.
    """

    def __init__(self, inner: Any, controls: Sequence[Control], scheduler: Any) -> None:
        super().__init__(inner)
        self._scheduler = scheduler
        self._controls = [
            (control, control.picture.to(control.model.device, control.dtype)) for control in controls
        ]
        self._features: dict[int, Any] = {}

    def __call__(self, sample: torch.Tensor, timestep: Any, *args: Any, **kwargs: Any) -> Any:
        """The denoiser's answer for ``sample`` (B×C×h×w, before any mask is appended) at ``timestep``."""
        at = position(self._scheduler, timestep)
        acting = [pair for pair in self._controls if pair[0].settings.acts_at(at)]
        adapters = [pair for pair in acting if type(pair[0].model.model).__name__ == T2I]
        lites = [pair for pair in acting if type(pair[0].model.model).__name__ == LITE]
        answers = [
            self._answer(control, picture, sample, timestep, kwargs)
            for control, picture in acting
            if type(control.model.model).__name__ not in (T2I, LITE)
        ]
        kwargs = dict(kwargs)
        if answers:
            kwargs["down_block_additional_residuals"] = _summed(answer[0] for answer in answers)
            kwargs["mid_block_additional_residual"] = sum(
                (answer[1] for answer in answers[1:]), answers[0][1]
            )
        if adapters:  # a list of its own for each call: the U-Net takes from it
            kwargs["down_intrablock_additional_residuals"] = [
                part.to(sample).expand(len(sample), -1, -1, -1)
                for part in _summed(self._seen(*pair) for pair in adapters)
            ]
        with changing(unwrapped(self._inner), [(pair[0], self._found(*pair)) for pair in lites]):
            return self._inner(sample, timestep, *args, **kwargs)

    def _seen(self, control: Control, picture: torch.Tensor) -> list[torch.Tensor]:
        """What a T2I-Adapter adds for its picture."""
        return [part * control.settings.weight for part in self._found(control, picture)]

    def _found(self, control: Control, picture: torch.Tensor) -> Any:
        """What a network makes of its picture alone, which is the same at each step."""
        if id(control) not in self._features:
            self._features[id(control)] = control.model.model(picture)
        return self._features[id(control)]

    def _answer(
        self, control: Control, picture: torch.Tensor, sample: torch.Tensor, timestep: Any,
        asked: dict[str, Any],
    ) -> tuple[list[torch.Tensor], torch.Tensor]:  # fmt: skip
        """What one network adds to the U-Net's skip connections, and to its middle."""
        network, dtype = control.model.model, control.dtype
        added = {name: value.to(dtype) for name, value in (asked.get("added_cond_kwargs") or {}).items()}
        shown: Any = picture.expand(len(sample), -1, -1, -1)
        more: dict[str, Any] = {"controlnet_cond": shown, "conditioning_scale": control.settings.weight}
        if type(network).__name__ == UNION:
            kinds = picture.new_zeros(len(sample), network.config.num_control_type)
            kinds[:, control.mode] = 1
            more = {
                "controlnet_cond": [shown], "conditioning_scale": [control.settings.weight],
                "control_type": kinds, "control_type_idx": [control.mode],
            }  # fmt: skip
        down, middle = control.called(
            sample.to(dtype), timestep, encoder_hidden_states=asked["encoder_hidden_states"].to(dtype),
            timestep_cond=asked.get("timestep_cond"), added_cond_kwargs=added or None, return_dict=False,
            **more,
        )  # fmt: skip
        return [part.to(sample.dtype) for part in down], middle.to(sample.dtype)


def _summed(answers: Any) -> list[torch.Tensor]:
    return [sum(parts[1:], parts[0]) for parts in zip(*answers, strict=True)]
