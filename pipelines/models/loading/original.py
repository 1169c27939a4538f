"""Denoisers in their makers' names, of families whose names diffusers doesn't convert, or only some of them:
PixArt, Sana and Kandinsky 5.

Names after the code of PixArt (Chen et al. 2023, arXiv:2310.00426; 2024, arXiv:2403.04692), from which that
of Sana was made (Xie et al. 2024, arXiv:2410.10629); Kandinsky 5 has the same names in both layouts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import ModelUnreadable
from pipelines.models.loading.folder import check_complete, skeleton

if TYPE_CHECKING:
    import torch

_MARK: Final = "x_embedder.proj.weight"
"""A weight that the original layouts have, and diffusers' hasn't."""
_COMPUTED: Final = frozenset({"pos_embed", "y_embedder.y_embedding"})
"""Tensors that are computed from the settings, or that nothing but training reads."""
_TRAINED_WITH: Final = ("logvar_linear.",)

_BOTH: Final[Mapping[str, str]] = {
    "blocks.": "transformer_blocks.", "y_embedder.y_proj.fc1.": "caption_projection.linear_1.",
    "y_embedder.y_proj.fc2.": "caption_projection.linear_2.", "final_layer.linear.": "proj_out.",
    "final_layer.scale_shift_table": "scale_shift_table",
}  # fmt: skip
_PIXART: Final[Mapping[str, str]] = {
    **_BOTH, "x_embedder.": "pos_embed.", "t_block.1.": "adaln_single.linear.",
    "t_embedder.mlp.0.": "adaln_single.emb.timestep_embedder.linear_1.",
    "t_embedder.mlp.2.": "adaln_single.emb.timestep_embedder.linear_2.",
    "csize_embedder.mlp.0.": "adaln_single.emb.resolution_embedder.linear_1.",
    "csize_embedder.mlp.2.": "adaln_single.emb.resolution_embedder.linear_2.",
    "ar_embedder.mlp.0.": "adaln_single.emb.aspect_ratio_embedder.linear_1.",
    "ar_embedder.mlp.2.": "adaln_single.emb.aspect_ratio_embedder.linear_2.",
}  # fmt: skip
_SANA: Final[Mapping[str, str]] = {
    **_BOTH, "x_embedder.": "patch_embed.", "t_block.1.": "time_embed.linear.",
    "t_embedder.mlp.0.": "time_embed.emb.timestep_embedder.linear_1.",
    "t_embedder.mlp.2.": "time_embed.emb.timestep_embedder.linear_2.",
    "attention_y_norm.": "caption_norm.",
}  # fmt: skip
_SPRINT: Final[Mapping[str, str]] = {
    **_SANA, "t_embedder.mlp.0.": "time_embed.timestep_embedder.linear_1.",
    "t_embedder.mlp.2.": "time_embed.timestep_embedder.linear_2.",
    "cfg_embedder.mlp.0.": "time_embed.guidance_embedder.linear_1.",
    "cfg_embedder.mlp.2.": "time_embed.guidance_embedder.linear_2.",
}  # fmt: skip
"""How names begin, in the original layout and in diffusers'."""

_WITHIN: Final[Mapping[str, str]] = {
    ".attn.proj.": ".attn1.to_out.0.", ".attn.q_norm.": ".attn1.norm_q.", ".attn.k_norm.": ".attn1.norm_k.",
    ".cross_attn.q_linear.": ".attn2.to_q.", ".cross_attn.proj.": ".attn2.to_out.0.",
    ".cross_attn.q_norm.": ".attn2.norm_q.", ".cross_attn.k_norm.": ".attn2.norm_k.",
    ".mlp.fc1.": ".ff.net.0.proj.", ".mlp.fc2.": ".ff.net.2.",
    ".mlp.inverted_conv.conv.": ".ff.conv_inverted.", ".mlp.depth_conv.conv.": ".ff.conv_depth.",
    ".mlp.point_conv.conv.": ".ff.conv_point.",
}  # fmt: skip
"""What stands within the name of a block's weight."""

_FUSED: Final[Mapping[str, tuple[str, ...]]] = {
    ".attn.qkv.": (".attn1.to_q.", ".attn1.to_k.", ".attn1.to_v."),
    ".cross_attn.kv_linear.": (".attn2.to_k.", ".attn2.to_v."),
}
"""Weights that are one in the original layout, their rows one below the other."""

CONVERTED: Final = frozenset(
    {"PixArtTransformer2DModel", "SanaTransformer2DModel", "Kandinsky5Transformer3DModel"}
)
"""Classes of denoisers whose names are converted here."""


def converted(cls: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """The weights of a denoiser under diffusers' names; as they are if those are theirs already.

    Args:
        cls: one of :data:`CONVERTED`.
    """
    if _MARK not in state:
        return dict(state)
    sprint = "cfg_embedder.mlp.0.weight" in state
    names = _PIXART if cls == "PixArtTransformer2DModel" else _SPRINT if sprint else _SANA
    found: dict[str, Any] = {}
    for name, tensor in state.items():
        if name not in _COMPUTED and not name.startswith(_TRAINED_WITH):
            found |= _renamed(name, tensor, names)
    return found


def _renamed(name: str, tensor: Any, names: Mapping[str, str]) -> dict[str, Any]:
    start = next((start for start in names if name.startswith(start)), "")
    name = names.get(start, "") + name[len(start) :]
    for old, parts in _FUSED.items():
        if old in name:
            pieces = tensor.chunk(len(parts), dim=0)
            return {name.replace(old, part): piece for part, piece in zip(parts, pieces, strict=True)}
    within = next((old for old in _WITHIN if old in name), "")
    return {name.replace(within, _WITHIN[within]) if within else name: tensor}


def load_original(
    kind: Any, state: Mapping[str, Any], settings: Path, dtype: torch.dtype, model: str, part: str,
    packed: bool = False, **changes: Any,
) -> Any:  # fmt: skip
    """A denoiser of :data:`CONVERTED` from weights in the original layout or in diffusers'.

    Args:
        settings: the folder with its settings; ``changes`` replace some of them.
        packed: some weights are those of a GGUF file, and stay as they are.

    Raises:
        ModelUnreadable: weights are missing, of other shapes, or have no place in a network of this kind.
    """
    import torch

    weights = converted(kind.__name__, state)
    exact = frozenset(getattr(kind, "_keep_in_fp32_modules", None) or ())
    # What such a class computes beside its weights stays exact as well.
    network = skeleton(kind, settings, torch.float32 if exact else dtype, **changes)
    if packed:
        from diffusers.quantizers.gguf.utils import _replace_with_gguf_linear

        _replace_with_gguf_linear(network, dtype, weights)
    wanted = dict(network.named_parameters())
    check_complete(model, part, set(wanted) - set(weights))
    for name, tensor in weights.items():
        if name not in wanted:
            reason = f"Its {part} has a weight that its kind has no place for, {name}."
            raise ModelUnreadable(model=model, reason=reason)
        if _shape(tensor) != wanted[name].shape:
            sizes = f"{tuple(_shape(tensor))} instead of {tuple(wanted[name].shape)}"
            reason = f"A weight of its {part} has another size than its kind has: {name}, {sizes}."
            raise ModelUnreadable(model=model, reason=reason)
        if not hasattr(tensor, "quant_type"):
            kept = torch.float32 if exact.intersection(name.split(".")) else dtype
            tensor = torch.nn.Parameter(tensor.to(kept), requires_grad=False)
        place, _, leaf = name.rpartition(".")
        setattr(network.get_submodule(place), leaf, tensor)
    return network.eval()


def _shape(tensor: Any) -> Any:
    """The shape of a weight, packed or not."""
    return getattr(tensor, "quant_shape", tensor.shape)
