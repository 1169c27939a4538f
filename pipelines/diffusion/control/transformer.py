"""Control networks for transformers: Stable Diffusion 3 and FLUX.1; others are in :mod:`.flow`.

They are ControlNets (Zhang et al. 2023): copies of the transformer's first blocks that see the picture's
latent as well; what each of their blocks answers is added after several of the transformer's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipelines.diffusion.control.flow import (
    FLOW_NETWORKS,
    QWEN,
    Z_IMAGE,
    flow_answer,
    flow_difference,
    flow_picture,
)
from pipelines.diffusion.control.unet import control_pixels, on_black
from pipelines.diffusion.latents.encode_image import encode_image
from pipelines.diffusion.latents.shape import layout, pack
from pipelines.diffusion.wrapped import WrappedDenoiser, position, unwrapped
from pipelines.graph.values import Array, Image, Layer
from pipelines.image import resize
from pipelines.models.signatures.controls import MORE_CHANNELS

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.control.control import Control
    from pipelines.diffusion.control.flow import Answer
    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion

SD3: Final = "SD3ControlNetModel"
FLUX: Final = "FluxControlNetModel"
TRANSFORMER_NETWORKS: Final = {
    SD3: "SD3Transformer2DModel", FLUX: "FluxTransformer2DModel", **FLOW_NETWORKS,
}  # fmt: skip
"""The classes of diffusers that steer transformers, and the transformer each steers."""
_FIRST: Final = {"ZImageTransformer2DModel": ("x", "t", "cap_feats")}
"""The arguments that pipelines give by their places, of transformers where that is more than the latents."""
_GUIDANCE: Final = 3.5
"""What a network with guidance is told where the transformer has none (it was trained beside FLUX.1 dev)."""


def transformer_difference(loaded: LoadedDiffusion, network: Any) -> str:
    """What about a control network doesn't fit a transformer; empty if nothing."""
    extra = mask_channels(network)
    if extra > 1:
        return MORE_CHANNELS.format(count=extra)
    if type(network).__name__ in FLOW_NETWORKS:
        return flow_difference(loaded, network)
    transformer, given = loaded.pipeline.transformer, network.config
    wanted = transformer.config
    channels = 4 * layout(loaded).channels if layout(loaded).packed else layout(loaded).channels
    differences = [
        ("Its layers are {} numbers wide, those of the model {}.", network.inner_dim, transformer.inner_dim),
        ("It takes latents of {} channels, the model has {}.", given.in_channels, channels),
        ("It reads prompts {} numbers wide, the model {}.", given.joint_attention_dim or
         wanted.joint_attention_dim, wanted.joint_attention_dim),
    ]  # fmt: skip
    return next((text.format(own, theirs) for text, own, theirs in differences if own != theirs), "")


def mask_channels(network: Any) -> int:
    """How many channels a network is shown beside the latent's: those made for inpainting see a mask."""
    config = getattr(network, "config", None)
    packed = int(getattr(config, "extra_condition_channels", 0) or 0)
    return packed // 4 or int(getattr(config, "extra_conditioning_channels", 0) or 0)


def transformer_picture(
    loaded: LoadedDiffusion, network: Any, layer: Layer, width: int, height: int, context: Context
) -> torch.Tensor:
    """What a network for transformers is shown: the latent of a picture, as the transformer takes latents.

    Three kinds differ: those for FLUX.1 by XLabs see pixels in -1..1; the first ones for Stable Diffusion 3,
    which aren't told the pooled prompt, were trained on latents without the VAE's shift; and those made for
    inpainting see where the picture, black there, is to be drawn anew.
    """
    assert layer.image is not None
    if getattr(network, "input_hint_block", None) is not None:
        return control_pixels(layer.image, width, height) * 2 - 1
    picture = on_black(resize(layer.image, width, height))
    anew = emptied(layer, width, height) if mask_channels(network) else None
    if anew is not None:
        picture = picture.with_pixels(np.where(anew[..., None], 0, picture.as_float()[..., :3]))
    latent = encode_image(loaded, picture, context).tensor()
    if type(network).__name__ == SD3 and network.config.force_zeros_for_pooled_projection and anew is None:
        vae = loaded.pipeline.vae.config
        latent = latent + (vae.shift_factor or 0.0) * vae.scaling_factor
    if type(network).__name__ == Z_IMAGE:
        return flow_picture(network, latent)
    return pack(loaded.pipeline, latent if anew is None else _with_kept(latent, anew), layout(loaded))


def emptied(layer: Layer, width: int, height: int) -> Array:
    """H×W: whether a picture is to be drawn anew there, by its layer's mask or because it is transparent."""
    assert layer.image is not None
    pixels = layer.image.as_float()
    values = 1 - pixels[..., 3:] if pixels.shape[2] == 4 else np.zeros_like(pixels[..., :1])
    found = _over_half(values, width, height)
    return found if layer.mask is None else found | _over_half(layer.mask.values[..., None], width, height)


def _over_half(values: Array, width: int, height: int) -> Array:
    fitted = resize(Image(np.ascontiguousarray(values)), width, height, "bilinear").as_float()
    return np.asarray(fitted[..., 0] > 0.5)


def _with_kept(latent: torch.Tensor, anew: Array) -> torch.Tensor:
    """A latent with one channel more: 1 where the picture is kept."""
    import torch

    mask = torch.tensor(anew)[None, None].to(latent)
    return torch.cat([latent, 1 - torch.nn.functional.interpolate(mask, size=latent.shape[-2:])], dim=1)


def places_of(loaded: LoadedDiffusion, network: Any) -> Any:
    """The transformer's own embedding of places, for networks that have none (those for SD 3.5 large)."""
    if type(network).__name__ != SD3 or network.pos_embed is not None:
        return None
    return network._get_pos_embed_from_transformer(loaded.pipeline.transformer)


class ControlledTransformer(WrappedDenoiser):
    """A transformer with what control networks add to it. ``pipeline`` is the run's own."""

    def __init__(self, inner: Any, controls: Sequence[Control], pipeline: Any) -> None:
        super().__init__(inner)
        self._scheduler = pipeline.scheduler
        self._transformer = unwrapped(inner)
        self._known: dict[int, tuple[Any, Answer]] = {}
        self._controls = [
            (control, control.picture.to(control.model.device, control.model.dtype)) for control in controls
        ]
        self._places = {
            id(control): control.places.to(control.model.device, control.model.dtype)
            for control in controls
            if control.places is not None
        }

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The transformer's answer to a step's question."""
        first = _FIRST.get(type(self._transformer).__name__, ("hidden_states",))
        asked = {**dict(zip(first, args, strict=False)), **kwargs}
        # Z-Image counts its time from the noise on.
        time = 1000 * (1 - asked["t"]) if "t" in asked else asked["timestep"]
        at = position(self._scheduler, time)
        answers = [
            self._answered(control, picture, asked)
            for control, picture in self._controls
            if control.settings.acts_at(at)
        ]
        return self._inner(*args, **{**kwargs, **_joined(answers)})

    def _answered(self, control: Control, picture: torch.Tensor, asked: dict[str, Any]) -> Answer:
        """The answer of one network. Those for Qwen-Image are asked with the prompt alone; what they say then
        holds for the negative prompt, too, which comes with the same latents."""
        latents = asked.get("hidden_states")
        if type(control.model.model).__name__ != QWEN:
            return self._answer(control, picture, asked)
        known = self._known.get(id(control))
        if known is None or known[0] is not latents:
            known = self._known[id(control)] = (latents, self._answer(control, picture, asked))
        return known[1]

    def _answer(self, control: Control, picture: torch.Tensor, asked: dict[str, Any]) -> Answer:
        """What one network adds, by the argument of the transformer: a tensor for each of its blocks."""
        network = control.model.model
        latents = asked["x"] if "x" in asked else asked["hidden_states"]

        def ready(value: Any) -> Any:
            return value.to(control.model.dtype) if value is not None and value.is_floating_point() else value

        shown = picture.expand(len(latents), *picture.shape[1:])
        if type(network).__name__ in FLOW_NETWORKS:
            return flow_answer(control, shown, asked, self._transformer, ready)
        common = {
            "timestep": asked["timestep"], "controlnet_cond": shown,
            "conditioning_scale": control.settings.weight, "return_dict": False,
        }  # fmt: skip
        prompt, pooled = ready(asked["encoder_hidden_states"]), ready(asked["pooled_projections"])
        if type(network).__name__ == SD3:
            places = self._places.get(id(control))
            found = network(
                hidden_states=ready(latents) if places is None else places(ready(latents)),
                encoder_hidden_states=None if network.config.joint_attention_dim is None else prompt,
                pooled_projections=pooled * (not network.config.force_zeros_for_pooled_projection), **common,
            )[0]  # fmt: skip
            count = len(self._inner.transformer_blocks)
            return {"block_controlnet_hidden_states": _spread(found, count, latents)}
        return self._flux_answer(control, shown, asked, {"prompt": prompt, "pooled": pooled, **common})

    def _flux_answer(
        self, control: Control, shown: torch.Tensor, asked: dict[str, Any], told: dict[str, Any]
    ) -> Answer:
        import torch

        network, latents = control.model.model, asked["hidden_states"]
        guidance = None
        if network.config.guidance_embeds:
            guidance = asked.get("guidance")
            guidance = shown.new_full((len(latents),), _GUIDANCE) if guidance is None else guidance
        mode = None
        if network.union:
            mode = torch.full((len(latents), 1), control.mode, dtype=torch.long, device=shown.device)
        # A model made for filling sees more in each token; the network the latents alone.
        double, single = network(
            hidden_states=latents[..., : network.config.in_channels].to(control.model.dtype),
            encoder_hidden_states=told.pop("prompt"), pooled_projections=told.pop("pooled"),
            txt_ids=asked["txt_ids"], img_ids=asked["img_ids"], guidance=guidance, controlnet_mode=mode,
            **told,
        )  # fmt: skip
        repeats = network.input_hint_block is not None
        parts = {
            "controlnet_block_samples": (double, len(self._inner.transformer_blocks)),
            "controlnet_single_block_samples": (single, len(self._inner.single_transformer_blocks)),
        }
        return {
            name: _spread(found, count, latents, repeats=repeats)
            for name, (found, count) in parts.items()
            if found is not None
        }


def _spread(
    found: Sequence[torch.Tensor], count: int, like: torch.Tensor, *, repeats: bool = False
) -> list[torch.Tensor]:
    """One tensor for each of the transformer's ``count`` blocks: each is used for a run of neighbours, or all
    of them in turn; so that the answers of networks of different depths can be summed."""
    each = -(-count // len(found))
    places = (block % len(found) if repeats else block // each for block in range(count))
    return [found[place].to(like.dtype) for place in places]


def _joined(answers: Sequence[Answer]) -> dict[str, Any]:
    """The sums of what networks add. One that adds to fewer blocks adds nothing to the others."""
    joined: dict[str, Any] = {}
    for answer in answers:
        for name, parts in answer.items():
            before = joined.get(name)
            joined[name] = parts if before is None else _sum(before, parts)
    return joined


def _sum(one: Any, other: Any) -> Any:
    if isinstance(one, Mapping):
        shared = {place: one[place] + other[place] for place in one.keys() & other.keys()}
        return {**one, **other, **shared}
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    return [a + b for a, b in zip(longer, shorter, strict=False)] + longer[len(shorter) :]
