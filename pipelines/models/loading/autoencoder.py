"""Opening a VAE from its weights by name: in the original layout or in diffusers', or a tiny one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import ModelUnreadable
from pipelines.models.files.safety import read_json
from pipelines.models.libraries import import_diffusers
from pipelines.models.loading.folder import check_complete, skeleton
from pipelines.models.loading.weights import from_state

if TYPE_CHECKING:
    import torch

_COUNTERS: Final = frozenset({"bn.num_batches_tracked"})
"""What only training counts."""


def open_vae(
    state: Mapping[str, torch.Tensor], settings: Path, file: str, model: str, dtype: torch.dtype
) -> Any:
    """A VAE with these weights.

    Args:
        settings: the folder with its settings, but for those of a tiny one.
        file, model: what to call it, and the model it is of, in an error.

    Raises:
        ModelUnreadable: weights are missing, or of other shapes.
    """
    if any(key.startswith("decoder.layers.") for key in state):
        return _tiny(state, file, dtype)
    config = read_json(settings / "config.json", model)
    changes: dict[str, Any] = {}
    match config["_class_name"]:
        case "AutoencoderKLQwenImage":
            weights = _like_wan(state)
        case "AutoencoderKLFlux2":
            weights, changes = _of_flux2(state, config)
        case name:
            kind = getattr(import_diffusers(), name)
            return from_state(kind, state, settings, dtype, model, "vae")
    network = skeleton(getattr(import_diffusers(), config["_class_name"]), settings, dtype, **changes)
    try:
        missing, _ = network.load_state_dict(weights, strict=False, assign=True)
    except RuntimeError as error:
        if "size mismatch" not in str(error):
            raise
        reason = f"A weight of its vae has another size than its kind has: {str(error)[:300]}"
        raise ModelUnreadable(model=model, reason=reason) from error
    check_complete(model, "vae", set(missing) - _COUNTERS)
    return network.to(dtype).eval()


def _like_wan(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Qwen-Image's VAE has the layers of Wan's, whose original names diffusers converts."""
    import_diffusers()
    from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers

    own = "decoder.conv_in.weight" in state
    weights: dict[str, torch.Tensor] = dict(state) if own else convert_wan_vae_to_diffusers(dict(state))
    return weights


def _of_flux2(
    state: Mapping[str, torch.Tensor], config: Mapping[str, Any]
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """FLUX.2's VAE has the layers of FLUX.1's, whose original names diffusers converts, and a normalisation
    of its latents that has one name everywhere. With it, the settings of one with a narrower decoder.
    """
    import_diffusers()
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

    weights = dict(state)
    if "decoder.up.0.block.0.conv1.weight" in state:
        latents = {name: tensor for name, tensor in state.items() if name.startswith("bn.")}
        named = {_unnested(name): tensor for name, tensor in state.items() if name not in latents}
        weights = {**convert_ldm_vae_checkpoint(named, config), **latents}
    blocks = range(len(config["up_block_types"]))
    names = (f"decoder.up_blocks.{block}.resnets.0.conv1.weight" for block in reversed(blocks))
    widths = [len(weights[name]) for name in names if name in weights]
    same = widths == config["block_out_channels"] or len(widths) < len(blocks)
    return weights, {} if same else {"decoder_block_out_channels": widths}


def _unnested(name: str) -> str:
    """FLUX.2's own code has the layers round the latents within its halves."""
    for half, layer in (("encoder.", "quant_conv."), ("decoder.", "post_quant_conv.")):
        if name.startswith(half + layer):
            return name.removeprefix(half)
    return name


def _tiny(state: Mapping[str, torch.Tensor], file: str, dtype: torch.dtype) -> Any:
    """A tiny autoencoder in diffusers' layout; its decoder's first layer tells the latent channels."""
    channels = int(state["decoder.layers.0.weight"].shape[1])
    network = import_diffusers().AutoencoderTiny(latent_channels=channels)
    missing, _ = network.load_state_dict(state, strict=False, assign=True)
    check_complete(file, "vae", missing)
    tiny: torch.nn.Module = network.to(dtype).eval()
    return tiny
