"""Control: pictures (line art, depth, a pose…) that a drawing has to follow, read by networks of their own.

Which networks those are, and what of theirs is added where, is in :mod:`.unet` and
:mod:`.transformer`; several are summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.control.flow import Z_IMAGE
from pipelines.diffusion.control.lora import BoundLora, bind
from pipelines.diffusion.control.sharing import sharing
from pipelines.diffusion.control.transformer import (
    TRANSFORMER_NETWORKS,
    ControlledTransformer,
    emptied,
    mask_channels,
    places_of,
    transformer_difference,
    transformer_picture,
)
from pipelines.diffusion.control.unet import (
    LORA,
    U_NET_NETWORKS,
    ControlledDenoiser,
    u_net_difference,
    u_net_picture,
)
from pipelines.diffusion.wrapped import WrappedDenoiser
from pipelines.errors import ControlModelUnsuitable, LayerUnsuitable
from pipelines.graph.values import Layer

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedControl, LoadedDiffusion

MAX_WEIGHT: Final = 2.0
UNION_MODES: Final = {
    "pose": 0, "depth": 1, "scribble": 2, "lineart": 3, "canny": 3, "normal": 4, "tile": 6,
}  # fmt: skip
"""What a ControlNet Union for SDXL (xinsir) calls the kinds of pictures."""
FLUX_MODES: Final = {"canny": 0, "lineart": 0, "scribble": 0, "tile": 1, "depth": 2, "pose": 4}
"""What union networks for FLUX.1 (InstantX, Shakker Labs) call them; lines of all kinds are one to them."""
_SEVERAL: Final = frozenset({"ControlNetUnionModel", "FluxControlNetModel"})


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
    """A control network and what it is shown.

    ``picture`` is 1×C×H×W float32: a picture in 0..1, or its latent. ``mode`` is which of the kinds it was
    trained on a network for several kinds is shown. ``places``: the embedding of places, of networks that use
    the transformer's. ``bound``: the network together with layers of the model that draws, where it computes
    with those.
    """

    model: LoadedControl
    picture: torch.Tensor
    settings: ControlSettings
    mode: int = 0
    places: Any = None
    bound: Any = None

    @property
    def called(self) -> Any:
        """What answers."""
        return self.model.model if self.bound is None else self.bound

    @property
    def dtype(self) -> torch.dtype:
        """The precision it is asked in."""
        return self.bound.dtype if isinstance(self.bound, BoundLora) else self.model.dtype


def prepare_control(
    loaded: LoadedDiffusion, layer: Layer, model: LoadedControl, width: int, height: int, context: Context
) -> Control:
    """Bring a control layer's picture to the size that is drawn, and to the form its network reads.

    Raises:
        LayerUnsuitable: no network steers the model that draws, this one doesn't know this kind of picture,
            or the layer has none.
        ControlModelUnsuitable: the control model was made for another family.
        Whatever encoding a picture raises.
    """
    check_control(loaded, layer, model)
    if layer.image is None:
        raise _unsuitable(layer, model.handle.id, "There is no picture on it.")
    settings, control = ControlSettings.of(layer), str(layer.info.get("control", ""))
    mode = mode_of(model.model, control)
    if mode is None:
        raise _unsuitable(layer, model.handle.id, f"It wasn't trained on pictures of the kind “{control}”.")
    if is_u_net(loaded):
        picture = u_net_picture(model.model, layer.image, width, height)
        lora = type(model.model).__name__ == LORA
        return Control(model, picture, settings, mode, bound=bind(loaded, model.model) if lora else None)
    if mask_channels(model.model) and not emptied(layer, width, height).any():
        reason = "It fills gaps, and the picture has none: leave transparent what is to be drawn anew."
        raise _unsuitable(layer, model.handle.id, reason)
    picture = transformer_picture(loaded, model.model, layer, width, height, context)
    shared = type(model.model).__name__ == Z_IMAGE
    bound = sharing(model.model, loaded.pipeline.transformer) if shared else None
    return Control(model, picture, settings, mode, places_of(loaded, model.model), bound)


def mode_of(network: Any, control: str) -> int | None:
    """What a network for several kinds of pictures is told of one; 0 for any other network, None if it knows
    none of that kind.
    """
    name = type(network).__name__
    if name not in _SEVERAL:
        return 0
    config = network.config
    if name == "ControlNetUnionModel":
        mode = UNION_MODES.get(control)
        return mode if mode is not None and mode < config.num_control_type else None
    if name == "FluxControlNetModel" and config.num_mode is not None:
        mode = FLUX_MODES.get(control)
        return mode if mode is not None and mode < config.num_mode else None
    return 0


def is_u_net(loaded: LoadedDiffusion) -> bool:
    """Whether a U-Net draws."""
    return getattr(loaded.pipeline, "unet", None) is not None


def check_control(loaded: LoadedDiffusion, layer: Layer, control: LoadedControl) -> None:
    """Raise what keeps ``control`` from steering ``loaded``."""
    kind, reason = type(control.model).__name__, ""
    if is_u_net(loaded):
        if kind not in U_NET_NETWORKS:
            reason = "It steers transformers; the model that draws has a U-Net."
        else:
            reason = u_net_difference(loaded, control.model)
    else:
        transformer = type(getattr(loaded.pipeline, "transformer", None)).__name__
        networks = [network for network, steered in TRANSFORMER_NETWORKS.items() if steered == transformer]
        if not networks:
            raise _unsuitable(layer, loaded.handle.id, "No control model steers a transformer of its kind.")
        if kind in U_NET_NETWORKS:
            what = "The control model steers models with a U-Net; this one is a transformer."
            raise _unsuitable(layer, loaded.handle.id, what)
        if kind not in networks:
            reason = "It was made for another kind of denoiser than this transformer."
        else:
            reason = transformer_difference(loaded, control.model)
    if reason:
        raise ControlModelUnsuitable(control=control.handle.id, model=loaded.handle.id, reason=reason)


def _unsuitable(layer: Layer, model: str, reason: str) -> LayerUnsuitable:
    return LayerUnsuitable(kind="control", layer=layer.name, model=model, reason=reason)


def controlled(inner: Any, controls: Sequence[Control], pipeline: Any) -> WrappedDenoiser:
    """The denoiser of a run's own ``pipeline`` with what control networks add to it."""
    if getattr(pipeline, "unet", None) is not None:
        return ControlledDenoiser(inner, controls, pipeline.scheduler)
    return ControlledTransformer(inner, controls, pipeline)
