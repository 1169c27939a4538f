"""LoRA and its kin in every layout in use: which trainer wrote it, what it is, and which family it is for.

The layout is told by the marks in the names; the family by the modules that are changed and by the widths of
what goes into them. All by plain searches in one text of all names: there are hundreds in a file, and
thousands of files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import prod
from typing import Any, Final

from pipelines.models.files.header import Header
from pipelines.models.signatures.base import Found
from pipelines.models.signatures.names import Names, names_in

_DOWN: Final = (
    ".lora_down.weight", ".lora_A.weight", ".lora_A.default.weight", ".lora.down.weight", "_lora.down.weight",
    "_lora1.down.weight", "_lora2.down.weight", ".lora_linear_layer.down.weight", ".hada_w1_b", ".lokr_w1_b",
    ".lora_down", ".lora_A",
)  # fmt: skip
"""The ends of the names of the first matrix, rank × width of what goes into the module."""
_MARKS: Final = (
    "lora", ".hada_w", ".lokr_w", ".oft_", ".boft_R", ".a1.weight", ".diff\n", ".on_input", ".ia3_l",
    ".w_norm", ".up_list.0",
)  # fmt: skip
_OTHER: Final = (
    ".lora_up.weight",
    ".lora_B.weight",
    ".lokr_w1",
    ".lokr_w2",
    ".oft_blocks",
    ".oft_diag",
    ".oft_R.weight",
    ".boft_R",
    ".a1.weight",
    ".diff",
    ".on_input",
    ".ia3_l",
    ".w_norm",
    ".up_list.0",
)
"""The same for methods without such a matrix."""
_ENDS: Final = tuple(f"{ending}\n" for ending in (*_DOWN, *_OTHER))
_LYCORIS: Final = (
    "\nlycoris_", ".hada_w1_b\n", ".lokr_w1\n", ".lokr_w1_b\n", ".oft_blocks\n", ".oft_diag\n",
    ".a1.weight\n", ".diff\n", ".on_input\n",
)  # fmt: skip

_KINDS: Final = (
    (".hada_w1", "loha"), (".lokr_w", "lokr"), (".oft_", "oft"), (".boft_R", "boft"), (".a1.weight", "glora"),
    (".dora_scale", "dora"), ("lora_magnitude_vector", "dora"), (".on_input", "ia3"), (".ia3_l", "ia3"),
    (".lora_", "lora"), (".diff\n", "full"),
)  # fmt: skip

_UNMISTAKABLE: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("chroma", ("distilled_guidance_layer",)),
    ("hidream", ("double_stream_blocks_", "single_stream_blocks_")),
    ("kandinsky5", ("visual_transformer_blocks_", "text_transformer_blocks_")),
    ("hunyuan-video", ("individual_token_refiner",)),
    ("ltx2", ("audio_to_video_attn", "video_to_audio_attn", "_audio_attn1", "audio_patchify")),
    ("flux2", ("to_qkv_mlp_proj", "_ff_context_linear_in", "double_stream_modulation")),
    ("auraflow", ("double_layers_", "single_layers_", "joint_transformer_blocks_")),
    ("sd3", ("joint_blocks_",)),
)
"""Words in the names of modules that one family alone has."""


class _Names:
    """The names of all tensors as text, as they are and with dots turned to underscores as kohya does."""

    def __init__(self, header: Header, names: Names) -> None:
        self.header = header
        self.text = text = names.text
        self.flat = names.flat.text
        self.sample = names if len(text) <= 2 * _SAMPLE else names_in(text[:_SAMPLE] + text[-_SAMPLE:])
        self._flat = names.flat

    def holds(self, *words: str) -> bool:
        """Whether a module's name has one of these words; ``\\n`` is where a name begins."""
        return self._flat.holds(*words)

    def width(self, *words: str) -> int:
        """Width of what goes into a module with one of these words in its name; 0 if there is none."""
        return next(filter(None, map(self._into, self.having(*words))), 0)

    def _into(self, name: str) -> int:
        """Width of what goes into the module of a tensor; 0 if this one doesn't tell."""
        shape = self.header.shape(name) or ()
        if len(shape) < 2:
            return 0
        module, factor, _ = name.partition(".lokr_w")
        if factor:
            sides = [self.header.shape(f"{module}.lokr_w{n}{end}") for n in (1, 2) for end in ("", "_b")]
            return prod(side[1] for side in sides if side is not None and len(side) >= 2)
        if name.endswith((*_DOWN, ".diff")):
            return shape[1]
        if name.endswith((".a1.weight", ".a2.weight")):
            return max(shape[:2])  # the other side is the rank
        if name.endswith(".oft_R.weight"):  # blocks by what is above their diagonals
            return shape[0] * round((1 + (1 + 8 * shape[1]) ** 0.5) / 2)
        return shape[1] * shape[-1] if name.endswith(".boft_R") else 0

    def having(self, *words: str) -> Iterator[str]:
        """The names that have one of the words, as they are in the file."""
        for word in words:
            at = self.flat.find(word) if self.holds(word) else -1
            while at >= 0:
                start, end = self.flat.rfind("\n", 0, at + 1) + 1, self.flat.find("\n", at + 1)
                yield self.text[start:end]
                at = self.flat.find(word, end)


def identify_lora(header: Header, all_names: Names) -> Found | None:
    """What a LoRA is; None if the file is none. ``all_names``: those of its tensors."""
    if not all_names.holds(*_MARKS) or not all_names.holds(*_ENDS):
        return None
    names = _Names(header, all_names)
    kind = next((kind for mark, kind in _KINDS if names.sample.holds(mark)), "lora")
    base, variant = _base(names)
    if base == "flux" and names.width("img_in_lora_A", "x_embedder_lora_A") == 128:
        kind = "control"  # Black Forest Labs' control LoRAs widen the first layer: it sees a second picture
    facts: dict[str, Any] = {"rank": _rank(names), "text_encoder": _encoder(names), "base_variant": variant}
    reason = "" if base else "It is a LoRA, but changes modules of no family that is known here."
    return Found("lora", base, kind, base, _layout(names), facts, reason=reason)


def _layout(names: _Names) -> str:
    """Who wrote it, as far as the names tell; the trainers' own words for their formats."""
    sample = names.sample
    if sample.holds(*_LYCORIS):
        return "lycoris"
    if sample.holds("_lora1.down", "_lora2.down"):
        return "xlabs"
    if sample.holds("\nlora_transformer_", "\nbundle_emb.", "\nlora_prior_"):
        return "onetrainer"
    if sample.holds("\nlora_unet_", "\nlora_te_", "\nlora_te1_", "\nlora_te2_"):
        return "kohya"
    if sample.holds("\ndiffusion_model."):
        return "ai-toolkit"
    if sample.holds("\ndouble_blocks.", "\nsingle_blocks."):
        return "bfl"
    if sample.holds("\nbase_model.model.", ".lora_A.default."):
        return "peft"
    return "diffusers" if sample.holds("\nunet.", "\ntransformer.", "\ntext_encoder") else "peft"


def _encoder(names: _Names) -> bool:
    marks = ("\nlora_te_", "\nlora_te1_", "\nlora_te2_", "\ntext_encoder", "\nlycoris_te", "\nbundle_emb_")
    return names.holds(*marks)


def _rank(names: _Names) -> int:
    """The smaller side of the first matrix found; 0 where a method has none."""
    for ending in _DOWN:
        at = names.text.find(f"{ending}\n")
        if at >= 0:
            name = names.text[names.text.rfind("\n", 0, at) + 1 : at + len(ending)]
            shape = names.header.shape(name) or ()
            return min(shape[:2]) if len(shape) >= 2 else 0
    return 0


def _base(names: _Names) -> tuple[str, str]:
    """Family and variant of what is changed, by the most telling words first."""
    if names.holds(*_U_NET):
        return _u_net(names)
    for family, words in _UNMISTAKABLE:
        if names.holds(*words):
            return family, ""
    if names.holds("double_blocks_", "single_blocks_", "single_transformer_blocks_"):
        return _flux(names)
    if names.holds("_img_mlp_", "_txt_mlp_", "_img_mod_", "_txt_mod_"):
        return "qwen-image", ""
    if names.holds("_self_attn_q", "_self_attn_k", "_self_attn_v", "_self_attn_o") and names.holds("blocks_"):
        return "wan", _WAN.get(names.width("self_attn_q", "self_attn_k", "self_attn_v", "self_attn_o"), "")
    if names.holds("layers_0_attention", "layers_1_attention", "layers_0_feed_forward", "noise_refiner_0_"):
        width = names.width("attention_qkv", "attention_to_q", "feed_forward_w1")
        return {3840: "z-image", 2304: "lumina2"}.get(width, ""), ""
    return _plain_blocks(names)


_SAMPLE: Final = 4_096
"""Characters at both ends of all names that show whose they are; every module has the same marks."""
_U_NET: Final = (
    "down_blocks_", "up_blocks_", "input_blocks_", "output_blocks_", "mid_block_", "middle_block_",
)  # fmt: skip
_WAN: Final = {1536: "1.3b", 3072: "5b", 5120: "14b"}


def _flux(names: _Names) -> tuple[str, str]:
    """FLUX.1 has blocks 3072 wide, FLUX.2's are 6144 (dev), 4096 and 3072 (klein): there, the MLP is gated,
    so that more comes out of the layer in front of it.
    """
    width = names.width("img_attn_qkv", "img_attn_to_q", "attn_to_q", "linear1", "qkv_lora1", "add_q_proj")
    variant = {6144: "dev", 4096: "klein-9b"}.get(width, "")
    if not variant and _out(names, "_linear1") == 27_648:
        variant = "klein-4b"
    return ("flux2", variant) if variant else ("flux", "")


def _out(names: _Names, word: str) -> int:
    """Width of what comes out of a module; 0 if it isn't told."""
    for name in names.having(word):
        shape = names.header.shape(name)
        if name.endswith((".lora_up.weight", ".lora_B.weight")) and shape:
            return shape[0]
    return 0


def _u_net(names: _Names) -> tuple[str, str]:
    """By the width of the prompt's embedding; without cross-attention by the second text encoder, by blocks
    that only XL has, or by the first text encoder's width.
    """
    width = names.width("attn2_to_k", "attn2_to_v", "attn2_processor_to_k")
    family = {768: "sd1", 1024: "sd2", 2048: "sdxl", 1280: "sdxl-refiner"}.get(width, "")
    if family:
        return family, ""
    deep = ("transformer_blocks_2_", "transformer_blocks_9_", "input_blocks_8_1", "input_blocks_7_1")
    if names.holds("\nlora_te2_", "\ntext_encoder_2", *deep):
        return "sdxl", ""
    return _by_encoder(names) or "sd1", ""


def _by_encoder(names: _Names) -> str:
    words = ("text_model_encoder_layers_0_self_attn_q_proj", "text_model_encoder_layers_0_mlp_fc1")
    return {768: "sd1", 1024: "sd2"}.get(names.width(*words), "")


def _plain_blocks(names: _Names) -> tuple[str, str]:
    """Plain stacks of transformer blocks share every name; their widths differ."""
    if not names.holds("blocks_0_", "blocks_1_"):
        return _by_encoder(names) if names.holds("\nlora_te", "\ntext_encoder", "text_model_") else "", ""
    added = names.width("add_q_proj", "add_k_proj", "add_v_proj")
    if added:
        deep = added == 3072 and re.search(r"transformer_blocks_(?:[2-5]\d|19)_", names.flat)
        family = "qwen-image" if deep else {1536: "sd3", 2432: "sd3", 3072: "flux"}.get(added, "")
        return family, {1536: "medium", 2432: "3.5-large"}.get(added, "")
    width = names.width("attn1_to_q", "attn1_to_k", "attn1_to_v", "attn_to_q", "attn_to_k", "attn_qkv")
    if width in _WAN and (width != 3072 or "transformer_blocks" not in names.flat):
        return "wan", _WAN[width]
    return {1152: "pixart", 2240: "sana", 2048: "ltx", 4096: "ltx", 3072: "flux"}.get(width, ""), ""
