"""Control networks for transformers: Stable Diffusion 3 and FLUX.1.

They are ControlNets (Zhang et al. 2023): copies of the transformer's first blocks that see the picture's
latent as well; what each of their blocks answers is added after several of the transformer's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.control_unet import control_pixels, on_black
from pipelines.diffusion.encode_image import encode_image
from pipelines.diffusion.latents import layout, pack
from pipelines.diffusion.wrapped import WrappedDenoiser, position
from pipelines.graph.values import Image
from pipelines.image import resize

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.control import Control
    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion

SD3: Final = "SD3ControlNetModel"
FLUX: Final = "FluxControlNetModel"
TRANSFORMER_NETWORKS: Final = {SD3: "SD3Transformer2DModel", FLUX: "FluxTransformer2DModel"}
"""The classes of diffusers that steer transformers, and the transformer each steers."""
_GUIDANCE: Final = 3.5
"""What a network with guidance is told where the transformer has none (it was trained beside FLUX.1 dev)."""


def transformer_difference(loaded: LoadedDiffusion, network: Any) -> str:
    """What about a control network doesn't fit a transformer; empty if nothing."""
    transformer, given = loaded.pipeline.transformer, network.config
    wanted = transformer.config
    channels = 4 * layout(loaded).channels if layout(loaded).packed else layout(loaded).channels
    differences = [
        ("Its layers are {} numbers wide, those of the model {}.", network.inner_dim, transformer.inner_dim),
        ("It takes latents of {} channels, the model has {}.", given.in_channels, channels),
        ("It reads prompts {} numbers wide, the model {}.", given.joint_attention_dim or
         wanted.joint_attention_dim, wanted.joint_attention_dim),
    ]  # fmt: skip
    extra = getattr(given, "extra_conditioning_channels", 0)
    if extra:
        return f"It is shown {extra} channels beside the picture, as those made for inpainting are."
    return next((text.format(own, theirs) for text, own, theirs in differences if own != theirs), "")


def transformer_picture(
    loaded: LoadedDiffusion, network: Any, image: Image, control: str, width: int, height: int,
    context: Context,
) -> torch.Tensor:  # fmt: skip
    """What a network for transformers is shown: the latent of a picture, as the transformer takes latents.

    Two kinds differ: those for FLUX.1 by XLabs see pixels in -1..1, and the first ones for Stable Diffusion
    3, which aren't told the pooled prompt, were trained on latents without the VAE's shift.
    """
    if getattr(network, "input_hint_block", None) is not None:
        return control_pixels(image, width, height) * 2 - 1
    picture = on_black(resize(image, width, height))
    latent = encode_image(loaded, picture, context).tensor()
    if type(network).__name__ == SD3 and network.config.force_zeros_for_pooled_projection:
        vae = loaded.pipeline.vae.config
        latent = latent + (vae.shift_factor or 0.0) * vae.scaling_factor
    return pack(loaded.pipeline, latent, layout(loaded))


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
        self._controls = [
            (control, control.picture.to(control.model.device, control.model.dtype)) for control in controls
        ]
        self._places = {
            id(control): control.places.to(control.model.device, control.model.dtype)
            for control in controls
            if control.places is not None
        }

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The transformer's answer to a step's question, which comes as named arguments."""
        at = position(self._scheduler, kwargs["timestep"])
        answers = [
            self._answer(control, picture, kwargs)
            for control, picture in self._controls
            if control.settings.acts_at(at)
        ]
        return self._inner(*args, **{**kwargs, **_joined(answers)})

    def _answer(
        self, control: Control, picture: torch.Tensor, asked: dict[str, Any]
    ) -> dict[str, list[torch.Tensor]]:
        """What one network adds, by the argument of the transformer: a tensor for each of its blocks."""
        network, latents = control.model.model, asked["hidden_states"]

        def ready(value: Any) -> Any:
            return value.to(control.model.dtype) if value is not None and value.is_floating_point() else value

        shown = picture.expand(len(latents), *picture.shape[1:])
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
    ) -> dict[str, list[torch.Tensor]]:
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


def _joined(answers: Sequence[dict[str, list[torch.Tensor]]]) -> dict[str, list[torch.Tensor]]:
    joined: dict[str, list[torch.Tensor]] = {}
    for answer in answers:
        for name, parts in answer.items():
            before = joined.get(name)
            joined[name] = parts if before is None else [a + b for a, b in zip(before, parts, strict=True)]
    return joined
