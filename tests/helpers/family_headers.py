"""Headers of whole models at true names and shapes, without weights.

Those in diffusers' layout come from ``family_headers.json`` (made of the classes themselves, see
``tests/tools/make_family_headers.py``); those in the original layouts are written down here, one row a kind
of tensor: ``{}`` stands for the number of the block.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

Shapes = dict[str, tuple[int, ...]]
Rows = list[tuple[str, tuple[int, ...], int]]
"""Name, shape, and how many blocks have it; 0 for a name without a number."""

UNET: Final = "model.diffusion_model."


@cache
def _made() -> dict[str, list[Any]]:
    return json.loads((Path(__file__).parent / "family_headers.json").read_text())


def diffusers(name: str) -> Shapes:
    """A network under diffusers' names."""
    shapes: Shapes = {}
    for pattern, shape, *runs in _made()[name]:
        if not runs:
            shapes[pattern] = tuple(shape)
            continue
        for first, last in runs[0]:
            shapes |= {
                pattern.replace("{}", str(number), 1): tuple(shape) for number in range(first, last + 1)
            }
    return shapes


def prefixed(shapes: Shapes, prefix: str = UNET) -> Shapes:
    """The same with something before each name."""
    return {prefix + name: shape for name, shape in shapes.items()}


def _spread(rows: Rows) -> Shapes:
    shapes: Shapes = {}
    for pattern, shape, count in rows:
        for number in range(count) if count else (0,):
            shapes[pattern.format(number)] = shape
    return shapes


def flux(entry: int = 64, guided: bool = True, double: int = 19, single: int = 38) -> Shapes:
    """FLUX.1 by Black Forest Labs; ``entry``: channels that the first layer sees."""
    w = 3072
    rows: Rows = [
        ("img_in.weight", (w, entry), 0), ("img_in.bias", (w,), 0), ("txt_in.weight", (w, 4096), 0),
        ("time_in.in_layer.weight", (w, 256), 0), ("time_in.out_layer.weight", (w, w), 0),
        ("vector_in.in_layer.weight", (w, 768), 0), ("vector_in.out_layer.weight", (w, w), 0),
        *[(f"double_blocks.{{}}.{side}_{name}", shape, double) for side in ("img", "txt") for name, shape in (
            ("mod.lin.weight", (6 * w, w)), ("attn.qkv.weight", (3 * w, w)), ("attn.proj.weight", (w, w)),
            ("attn.norm.query_norm.scale", (128,)), ("attn.norm.key_norm.scale", (128,)),
            ("mlp.0.weight", (4 * w, w)), ("mlp.2.weight", (w, 4 * w)))],
        ("single_blocks.{}.linear1.weight", (7 * w, w), single),
        ("single_blocks.{}.linear2.weight", (w, 5 * w), single),
        ("single_blocks.{}.norm.key_norm.scale", (128,), single),
        ("single_blocks.{}.modulation.lin.weight", (3 * w, w), single),
        ("final_layer.linear.weight", (64, w), 0), ("final_layer.adaLN_modulation.1.weight", (2 * w, w), 0),
    ]  # fmt: skip
    if guided:
        rows += [("guidance_in.in_layer.weight", (w, 256), 0), ("guidance_in.out_layer.weight", (w, w), 0)]
    return _spread(rows)


def flux2(width: int = 6144, context: int = 15360, double: int = 8, single: int = 48) -> Shapes:
    """FLUX.2 by Black Forest Labs: one modulation for all blocks, gated MLPs."""
    w = width
    rows: Rows = [
        ("img_in.weight", (w, 128), 0), ("txt_in.weight", (w, context), 0),
        ("time_in.in_layer.weight", (w, 256), 0),
        ("double_stream_modulation_img.lin.weight", (6 * w, w), 0),
        ("double_stream_modulation_txt.lin.weight", (6 * w, w), 0),
        ("single_stream_modulation.lin.weight", (3 * w, w), 0),
        *[(f"double_blocks.{{}}.{side}_{name}", shape, double) for side in ("img", "txt") for name, shape in (
            ("attn.qkv.weight", (3 * w, w)), ("attn.proj.weight", (w, w)),
            ("attn.norm.key_norm.scale", (128,)), ("mlp.0.weight", (6 * w, w)),
            ("mlp.2.weight", (w, 3 * w)))],
        ("single_blocks.{}.linear1.weight", (9 * w, w), single),
        ("single_blocks.{}.linear2.weight", (w, 4 * w), single),
        ("final_layer.linear.weight", (128, w), 0),
    ]  # fmt: skip
    return _spread(rows)


def chroma() -> Shapes:
    """Chroma: FLUX.1 without modulation in the blocks, and what takes its place."""
    kept = {name: shape for name, shape in flux(guided=False).items() if "mod" not in name}
    kept = {name: shape for name, shape in kept.items() if not name.startswith(("time_in", "vector_in"))}
    rows: Rows = [
        ("distilled_guidance_layer.in_proj.weight", (5120, 64), 0),
        ("distilled_guidance_layer.layers.{}.in_layer.weight", (5120, 5120), 5),
        ("distilled_guidance_layer.norms.{}.scale", (5120,), 5),
        ("distilled_guidance_layer.out_proj.weight", (3072, 5120), 0),
    ]
    return kept | _spread(rows)


def sd3(blocks: int = 24, width: int = 1536, positions: int = 192, normed: bool = False) -> Shapes:
    """Stable Diffusion 3's transformer, with the other parts of a whole checkpoint."""
    w = width
    rows: Rows = [
        ("x_embedder.proj.weight", (w, 16, 2, 2), 0), ("pos_embed", (1, positions**2, w), 0),
        ("context_embedder.weight", (w, 4096), 0), ("t_embedder.mlp.0.weight", (w, 256), 0),
        ("y_embedder.mlp.0.weight", (w, 2048), 0), ("final_layer.linear.weight", (64, w), 0),
        *[(f"joint_blocks.{{}}.{side}_block.{name}", shape, blocks) for side in ("x", "context")
          for name, shape in (("adaLN_modulation.1.bias", (6 * w,)), ("attn.qkv.weight", (3 * w, w)),
                              ("mlp.fc1.weight", (4 * w, w)), ("mlp.fc2.weight", (w, 4 * w)))],
    ]  # fmt: skip
    if normed:
        rows.append(("joint_blocks.{}.x_block.attn.ln_k.weight", (64,), blocks))
    return prefixed(_spread(rows)) | {
        "first_stage_model.decoder.conv_in.weight": (512, 16, 3, 3),
        "first_stage_model.decoder.up.0.block.0.conv1.weight": (128, 128, 3, 3),
        "text_encoders.clip_l.transformer.text_model.embeddings.position_embedding.weight": (77, 768),
    }


def pixart(sigma: bool = True) -> Shapes:
    """PixArt in the original layout."""
    w = 1152
    rows: Rows = [
        ("x_embedder.proj.weight", (w, 4, 2, 2), 0), ("t_embedder.mlp.0.weight", (w, 256), 0),
        ("t_block.1.weight", (6 * w, w), 0), ("y_embedder.y_proj.fc1.weight", (w, 4096), 0),
        ("blocks.{}.scale_shift_table", (6, w), 28), ("blocks.{}.attn.qkv.weight", (3 * w, w), 28),
        ("blocks.{}.cross_attn.q_linear.weight", (w, w), 28),
        ("blocks.{}.cross_attn.kv_linear.weight", (2 * w, w), 28),
        ("blocks.{}.mlp.fc1.weight", (4 * w, w), 28), ("final_layer.linear.weight", (32, w), 0),
    ]  # fmt: skip
    sized: Rows = [
        ("csize_embedder.mlp.0.weight", (384, 256), 0),
        ("ar_embedder.mlp.0.weight", (384, 256), 0),
    ]
    return _spread(rows if sigma else rows + sized)


def sana() -> Shapes:
    """Sana in the original layout."""
    w = 2240
    return _spread([
        ("x_embedder.proj.weight", (w, 32, 1, 1), 0), ("attention_y_norm.weight", (w,), 0),
        ("y_embedder.y_proj.fc1.weight", (w, 2304), 0), ("t_block.1.weight", (6 * w, w), 0),
        ("blocks.{}.scale_shift_table", (6, w), 20), ("blocks.{}.attn.qkv.weight", (3 * w, w), 20),
        ("blocks.{}.cross_attn.q_linear.weight", (w, w), 20),
        ("blocks.{}.mlp.inverted_conv.conv.weight", (5 * w, w, 1, 1), 20),
    ])  # fmt: skip


def auraflow() -> Shapes:
    """AuraFlow in the original layout."""
    w = 3072
    return _spread([
        ("init_x_linear.weight", (w, 16), 0), ("positional_encoding", (1, 4096, w), 0),
        ("register_tokens", (1, 8, w), 0), ("cond_seq_linear.weight", (w, 2048), 0),
        ("t_embedder.mlp.0.weight", (w, 256), 0), ("modF.1.weight", (2 * w, w), 0),
        *[(f"double_layers.{{}}.attn.{name}.weight", (w, w), 4) for name in
          ("w1q", "w1k", "w1v", "w1o", "w2q", "w2k", "w2v", "w2o")],
        ("single_layers.{}.attn.w1q.weight", (w, w), 32),
        ("single_layers.{}.mlp.c_fc1.weight", (8192, w), 32),
    ])  # fmt: skip


def next_dit(width: int, context: int, blocks: int, modulation: int) -> Shapes:
    """Lumina 2 (modulation 1) and Z-Image (modulation 0) in the original layout."""
    w = width
    return _spread([
        ("x_embedder.weight", (w, 64), 0), ("cap_embedder.0.weight", (context,), 0),
        ("cap_embedder.1.weight", (w, context), 0), ("t_embedder.mlp.0.weight", (1024, 256), 0),
        ("noise_refiner.{}.attention.qkv.weight", (3 * w, w), 2),
        ("context_refiner.{}.attention.qkv.weight", (3 * w, w), 2),
        ("layers.{}.attention.qkv.weight", (3 * w, w), blocks),
        ("layers.{}.attention.out.weight", (w, w), blocks),
        ("layers.{}.feed_forward.w1.weight", (4 * w, w), blocks),
        (f"layers.{{}}.adaLN_modulation.{modulation}.weight", (4 * w, 256), blocks),
        ("final_layer.linear.weight", (64, w), 0),
    ])  # fmt: skip


def wan(width: int, channels: int, blocks: int, pictures: bool = False) -> Shapes:
    """Wan in the original layout."""
    w = width
    rows: Rows = [
        ("patch_embedding.weight", (w, channels, 1, 2, 2), 0), ("text_embedding.0.weight", (w, 4096), 0),
        ("time_embedding.0.weight", (w, 256), 0), ("time_projection.1.weight", (6 * w, w), 0),
        *[(f"blocks.{{}}.{attention}.{name}.weight", (w, w), blocks)
          for attention in ("self_attn", "cross_attn") for name in "qkvo"],
        ("blocks.{}.ffn.0.weight", (2 * w, w), blocks), ("blocks.{}.modulation", (1, 6, w), blocks),
        ("head.modulation", (1, 2, w), 0), ("head.head.weight", (64, w), 0),
    ]  # fmt: skip
    if pictures:
        rows += [("img_emb.proj.0.weight", (1280,), 0), ("blocks.{}.cross_attn.k_img.weight", (w, w), blocks)]
    return _spread(rows)


def ltx(width: int = 2048, blocks: int = 28, sound: bool = False) -> Shapes:
    """LTX-Video in the original layout."""
    w = width
    rows: Rows = [
        ("patchify_proj.weight", (w, 128), 0), ("scale_shift_table", (2, w), 0),
        ("adaln_single.emb.timestep_embedder.linear_1.weight", (w, 256), 0),
        ("caption_projection.linear_1.weight", (w, 4096), 0),
        ("transformer_blocks.{}.scale_shift_table", (6, w), blocks),
        ("transformer_blocks.{}.attn1.to_q.weight", (w, w), blocks),
        ("transformer_blocks.{}.attn2.to_k.weight", (w, w), blocks),
    ]  # fmt: skip
    if sound:
        gate = "av_ca_a2v_gate_adaln_single.emb.timestep_embedder.linear_1.weight"
        rows += [("audio_patchify_proj.weight", (2048, 128), 0), (gate, (w, 256), 0)]
    return _spread(rows)


def lora(modules: dict[str, tuple[int, int]], ends: tuple[str, str], rank: int = 16) -> Shapes:
    """A LoRA that changes ``modules`` (name -> width out and in), with both ends of its matrices' names."""
    shapes: Shapes = {}
    for name, (out, into) in modules.items():
        shapes[name + ends[0]] = (rank, into)
        shapes[name + ends[1]] = (out, rank)
    return shapes
