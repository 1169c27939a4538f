"""Control-LoRAs (Stability AI): ControlNets for U-Nets as low-rank differences from the U-Net they steer.

A file has the layers a ControlNet has of its own (those that see the picture, those that answer), and for
others two small matrices whose product is added to the weights of the U-Net's layer of the same place. Here
nothing is multiplied out: a layer answers as the U-Net's does, and the small matrices' answer is added. So a
Control-LoRA fits any U-Net of its size, in any form it is kept in, and takes the memory of its file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from pipelines.models.networks.control_names import OWN, u_net_layer

_LEAST = ("conv_in", "conv_out")


class ControlLora(torch.nn.Module):
    """What a file brings: ``down`` and ``up`` of layers of the U-Net, other ``weights`` as they are.

    Names are diffusers', with ``/`` for ``.``. Called with a network that was built with it (see
    :mod:`pipelines.diffusion.control.lora`), so that it is brought to its device as any other.
    """

    def __init__(self, state: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self.down, self.up, self.weights = (torch.nn.ParameterDict() for _ in range(3))
        for name, tensor in state.items():
            layer, _, kind = name.rpartition(".")
            if not layer:
                continue
            held = {"down": self.down, "up": self.up}.get(kind)
            place = u_net_layer(layer).replace(".", "/")
            if held is not None:
                held[place] = torch.nn.Parameter(tensor, requires_grad=False)
            else:
                self.weights[f"{place}/{kind}"] = torch.nn.Parameter(tensor, requires_grad=False)

    def missing(self) -> list[str]:
        """Names of what a file should have and hasn't: the other of two matrices, layers of its own."""
        first = [f"{OWN[0]}/{layer}" for layer in _LEAST]
        own = (f"{place}/weight" for place in (*first, f"{OWN[1]}/0", OWN[2]))
        return [*(self.down.keys() ^ self.up.keys()), *(name for name in own if name not in self.weights)]

    def replaced(self, place: str) -> dict[str, torch.nn.Parameter]:
        """The weights of one layer, by their names, that stand for the U-Net's own."""
        start = place.replace(".", "/") + "/"
        names = {kind: start + kind for kind in ("weight", "bias")}
        return {kind: self.weights[name] for kind, name in names.items() if name in self.weights}

    def own(self, part: str) -> dict[str, torch.nn.Parameter]:
        """The weights of a part that no U-Net has, by their names in it."""
        start = part + "/"
        return {
            name.removeprefix(start).replace("/", "."): weight
            for name, weight in self.weights.items()
            if name.startswith(start)
        }

    def forward(self, network: Any, *args: Any, **kwargs: Any) -> Any:
        return network(*args, **kwargs)


class Beside(torch.nn.Module):
    """Stands for a ``layer`` of the U-Net. ``own`` weights stay the Control-LoRA's, which moves them."""

    def __init__(self, layer: Any, **own: torch.Tensor | None) -> None:
        super().__init__()
        self.layer = layer
        vars(self)["own"] = own

    def __getattr__(self, name: str) -> Any:
        """What is asked of the layer beside its answer."""
        layer = self._modules["layer"]
        return layer if name == "layer" else getattr(layer, name)

    def brought(self, name: str, like: torch.Tensor) -> Any:
        """One of its own weights in the precision of ``like``, or None."""
        found = vars(self)["own"].get(name)
        return None if found is None else found.to(like.dtype)

    def shifted(self, answer: torch.Tensor) -> torch.Tensor:
        """The layer's answer as if its bias were the own one, if there is one."""
        bias = self.brought("bias", answer)
        if bias is None:
            return answer
        more = bias if self.layer.bias is None else bias - self.layer.bias.to(bias)
        return answer + (more[:, None, None] if answer.ndim == 4 else more)


class Replaced(Beside):
    """A layer (linear, a convolution, a norm) with other weights."""

    def __init__(self, layer: Any, weights: dict[str, torch.nn.Parameter]) -> None:
        super().__init__(layer, **weights)

    def forward(self, given: torch.Tensor, *_: Any) -> torch.Tensor:
        functional, layer, weight = torch.nn.functional, self.layer, self.brought("weight", given)
        if weight is None:
            return self.shifted(layer(given))
        own, bias = self.brought("bias", given), getattr(layer, "bias", None)
        bias = bias if own is None else own
        if isinstance(layer, torch.nn.GroupNorm):
            return functional.group_norm(given, layer.num_groups, weight, bias, layer.eps)
        if isinstance(layer, torch.nn.LayerNorm):
            return functional.layer_norm(given, layer.normalized_shape, weight, bias, layer.eps)
        if given.ndim == 4 and weight.ndim == 4:
            return functional.conv2d(given, weight, bias, layer.stride, layer.padding)
        return functional.linear(given, weight.flatten(1), bias)


class Widened(Beside):
    """A linear layer or convolution to whose answer that of two small matrices is added.

    ``down`` is R×C, or R×C×k×k as the layer's own kernel, ``up`` C'×R.
    """

    def __init__(self, layer: Any, down: torch.Tensor, up: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__(layer, down=down, up=up, bias=bias)

    def forward(self, given: torch.Tensor, *_: Any) -> torch.Tensor:
        functional, layer = torch.nn.functional, self.layer
        down, up = self.brought("down", given), self.brought("up", given)
        answer: torch.Tensor = layer(given)
        if given.ndim == 4:
            kernel = down if down.ndim == 4 else down[..., None, None]
            inner = functional.conv2d(given, kernel, stride=layer.stride, padding=layer.padding)
            more = functional.conv2d(inner, up.flatten(1)[..., None, None])
        else:
            more = functional.linear(functional.linear(given, down.flatten(1)), up.flatten(1))
        return self.shifted(answer + more)
