"""A ControlNet made of a U-Net's own layers and a Control-LoRA's differences, for one drawing.

Nothing of it is multiplied out or copied; see :mod:`pipelines.models.networks.control_lora`.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.control.sharing import cast, present, shallow
from pipelines.models.libraries import import_diffusers
from pipelines.models.networks.control_names import OWN
from pipelines.models.quantized.packed import without_weights

if TYPE_CHECKING:
    import torch

    from pipelines.models.loaded import LoadedDiffusion
    from pipelines.models.networks.control_lora import ControlLora

_SHARED: Final = ("conv_in", "time_embedding", "add_embedding", "down_blocks", "mid_block")
"""The parts of a U-Net that a ControlNet is a copy of."""
_SEES: Final = ("conv_in", "blocks.1", "blocks.3", "blocks.5")
"""The layers that see the picture and whose widths are settings."""


@dataclass(frozen=True, slots=True, eq=False)
class BoundLora:
    """A Control-LoRA with a U-Net: called as a ControlNet is. It computes in the U-Net's precision."""

    lora: ControlLora
    unet: Any
    network: Any
    dtype: torch.dtype

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        present(self.lora, self.unet)
        return self.lora(self.network, *args, **kwargs)


def bind(loaded: LoadedDiffusion, lora: ControlLora) -> BoundLora:
    """The ControlNet of a Control-LoRA that fits (see :func:`lora_difference`)."""
    unet, kind = loaded.pipeline.unet, import_diffusers().ControlNetModel
    known = inspect.signature(kind.__init__).parameters
    config = {name: value for name, value in unet.config.items() if name in known}
    sees = lora.own(OWN[0])
    config["conditioning_embedding_out_channels"] = [
        sees[f"{name}.weight"].shape[0] for name in _SEES if f"{name}.weight" in sees
    ]
    with without_weights():
        network = kind.from_config(config).eval()
    for part in OWN:
        getattr(network, part).load_state_dict(lora.own(part), assign=True)
    network.requires_grad_(False)
    for part in _SHARED:
        if getattr(unet, part, None) is not None:
            setattr(network, part, _joined(getattr(unet, part), part, lora))
    if sees["conv_in.weight"].dtype != loaded.dtype:
        network.controlnet_cond_embedding = cast(network.controlnet_cond_embedding, loaded.dtype)
        network.controlnet_mid_block = cast(network.controlnet_mid_block, loaded.dtype)
        for number, block in enumerate(network.controlnet_down_blocks):
            network.controlnet_down_blocks[number] = cast(block, loaded.dtype)
    return BoundLora(lora, unet, network, loaded.dtype)


def lora_difference(loaded: LoadedDiffusion, lora: ControlLora) -> str:
    """What about a Control-LoRA doesn't fit a U-Net; empty if nothing."""
    unet = loaded.pipeline.unet
    if unet.config.in_channels != 4:
        return f"It goes with models that see 4 channels, this one sees {unet.config.in_channels}."
    last, deepest = lora.weights[f"{OWN[2]}/weight"].shape[0], unet.config.block_out_channels[-1]
    if last != deepest:
        return f"Its deepest layers are {last} channels wide, those of the model {deepest}."
    for place, down in lora.down.items():
        name = place.replace("/", ".")
        try:
            layer = unet.get_submodule(name)
        except AttributeError:
            return f"The model has no layer {name}."
        sides = down.shape[1], lora.up[place].shape[0]
        own = tuple(_side(layer, direction) for direction in ("in", "out"))
        if None not in own and own != sides:
            return f"Its layer {name} is {sides[0]} × {sides[1]}, that of the model {own[0]} × {own[1]}."
    return ""


def _side(layer: Any, direction: str) -> int | None:
    found = getattr(layer, f"{direction}_features", getattr(layer, f"{direction}_channels", None))
    return found if isinstance(found, int) else None


def _joined(module: Any, place: str, lora: ControlLora) -> Any:
    """A part of the U-Net, with what the Control-LoRA says of it; the part itself where that is nothing."""
    from pipelines.models.networks.control_lora import Replaced, Widened

    key, weights = place.replace(".", "/"), lora.replaced(place)
    if key in lora.down:
        return Widened(module, lora.down[key], lora.up[key], weights.get("bias"))
    if weights:
        return Replaced(module, weights)
    inner = {name: _joined(child, f"{place}.{name}", lora) for name, child in module.named_children()}
    if all(inner[name] is child for name, child in module.named_children()):
        return module
    made = shallow(module)
    made._modules.update(inner)
    return made
