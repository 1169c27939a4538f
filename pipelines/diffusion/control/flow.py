"""Control networks for Qwen-Image, Sana and Z-Image.

As those for Stable Diffusion 3 they see the picture's latent. Those for Qwen-Image and Sana are ControlNets
(Zhang et al. 2023), copies of the transformer's first blocks. Those for Z-Image go on from the transformer's
own first layers, with a few blocks of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.control.sharing import present
from pipelines.diffusion.latents.shape import layout

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.control.control import Control
    from pipelines.models.loaded import LoadedDiffusion

    Answer = Mapping[str, list[torch.Tensor] | dict[int, torch.Tensor]]

QWEN: Final = "QwenImageControlNetModel"
SANA: Final = "SanaControlNetModel"
Z_IMAGE: Final = "ZImageControlNetModel"
FLOW_NETWORKS: Final = {
    QWEN: "QwenImageTransformer2DModel", SANA: "SanaTransformer2DModel", Z_IMAGE: "ZImageTransformer2DModel",
}  # fmt: skip
"""The classes of diffusers, and the transformer each steers."""
_ADDED: Final = "controlnet_block_samples"
_WIDE: Final = "Its layers are {} numbers wide, those of the model {}."
_CHANNELS: Final = "It takes latents of {} channels, the model has {}."
_PROMPTS: Final = "It reads prompts {} numbers wide, the model {}."


def flow_difference(loaded: LoadedDiffusion, network: Any) -> str:
    """What about a control network doesn't fit a transformer; empty if nothing."""
    wanted, given, found = loaded.pipeline.transformer.config, network.config, layout(loaded)
    match type(network).__name__:
        case "SanaControlNetModel":
            if wanted.guidance_embeds:
                return "The model was distilled to a few steps, which it was not trained for."
            differences = [
                (_WIDE, given.num_attention_heads * given.attention_head_dim,
                 wanted.num_attention_heads * wanted.attention_head_dim),
                (_CHANNELS, given.in_channels, found.channels),
                (_PROMPTS, given.caption_channels, wanted.caption_channels),
            ]  # fmt: skip
        case "ZImageControlNetModel":
            last, blocks = max(given.control_layers_places), wanted.n_layers
            if last >= blocks:
                return f"It adds to block {last + 1}, the model has {blocks}."
            if given.control_in_dim < found.channels:
                return _CHANNELS.format(given.control_in_dim, found.channels)
            differences = [(_WIDE, given.dim, wanted.dim)]
        case _:
            differences = [
                (_WIDE, network.inner_dim, loaded.pipeline.transformer.inner_dim),
                (_CHANNELS, given.in_channels, 4 * found.channels),
                (_PROMPTS, given.joint_attention_dim, wanted.joint_attention_dim),
            ]
    return next((text.format(own, theirs) for text, own, theirs in differences if own != theirs), "")


def flow_picture(network: Any, latent: torch.Tensor) -> torch.Tensor:
    """A picture's latent, 1×C×h×w, as a network for Z-Image takes it: 1×C'×1×h×w.

    Those that can be shown a picture to repaint as well are shown none.
    """
    import torch

    more = int(network.config.control_in_dim) - latent.shape[1]
    return torch.nn.functional.pad(latent, (0, 0, 0, 0, 0, more)).unsqueeze(2)


def flow_answer(
    control: Control, shown: torch.Tensor, asked: Mapping[str, Any], transformer: Any,
    ready: Callable[[Any], Any],
) -> Answer:  # fmt: skip
    """What one network adds at a step, by the argument of the transformer.

    Args:
        shown: what it sees, once for each picture of the batch.
        asked: the step's question to the transformer, by the names of its arguments.
        ready: brings a tensor into the network's precision.
    """
    network, weight = control.called, control.settings.weight
    match type(control.model.model).__name__:
        case "SanaControlNetModel":
            found = network(
                ready(asked["hidden_states"]), encoder_hidden_states=ready(asked["encoder_hidden_states"]),
                encoder_attention_mask=asked.get("encoder_attention_mask"), timestep=asked["timestep"],
                controlnet_cond=shown, conditioning_scale=weight, return_dict=False,
            )[0]  # fmt: skip
            return {_ADDED: [part.to(asked["hidden_states"].dtype) for part in found]}
        case "ZImageControlNetModel":
            present(control.model.model, transformer)
            latents = asked["x"]
            samples = network(
                [ready(latent) for latent in latents], asked["t"],
                [ready(prompt) for prompt in asked["cap_feats"]], list(shown), conditioning_scale=weight,
            )  # fmt: skip
            return {_ADDED: {place: part.to(latents[0].dtype) for place, part in samples.items()}}
    found = network(
        hidden_states=ready(asked["hidden_states"]), controlnet_cond=shown, conditioning_scale=weight,
        encoder_hidden_states=ready(asked["encoder_hidden_states"]),
        encoder_hidden_states_mask=asked.get("encoder_hidden_states_mask"), timestep=asked["timestep"],
        img_shapes=asked["img_shapes"], return_dict=False,
    )  # fmt: skip
    # Among fewer blocks of the transformer than of the network, each is used for a run of neighbours.
    count = len(transformer.transformer_blocks)
    each = -(-count // len(found))
    return {_ADDED: [found[block // each].to(asked["hidden_states"].dtype) for block in range(count)]}
