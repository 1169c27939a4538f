"""What LoRAs take of memory beside a model, from their headers alone: weights kept as they were, and what
works beside packed ones. No torch import here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from math import prod
from typing import Final, Literal

from pipelines.models.files.header import Header, TensorFacts
from pipelines.models.lora.weights import name_of

Side = Literal["denoiser", "text"]
"""Which networks a module of a LoRA is for: the one that draws, or the text encoders."""

_TEXT: Final = re.compile(
    r"(?:lora|lycoris)_(?:prior_)?te\d?_|text_encoder|(?:base_model\.model\.)?text_model[._]"
)
_STARTS: Final = re.compile(
    r"^(?:base_model\.model\.|model\.diffusion_model\.|diffusion_model\.|transformer\.|unet\."
    r"|lora_unet_|lora_transformer_|lycoris_unet_|lycoris_)"
)


def kept_bytes(headers: Iterable[Header], each: int, packed: Collection[Side] = ()) -> int:
    """Bytes of main memory that hold the weights which LoRAs change, as they were.

    Where a method doesn't tell one side of a weight (OFT, (IA)³), the weight is taken to be a square.

    Args:
        headers: of all the LoRAs of a model: what several change is kept once.
        each: bytes of a number of the model's dense weights.
        packed: what has packed weights (INT8, NF4, GGUF): those stay as they are, and nothing is kept.
    """
    largest: dict[str, int] = {}
    for header in headers:
        for module, tensors in _modules(header).items():
            if side_of(module) not in packed:
                name = _STARTS.sub("", module).replace(".", "_")
                shapes = {kind: facts.shape for kind, facts in tensors.items()}
                largest[name] = max(largest.get(name, 0), sum(_numbers(shapes)))
    return each * sum(largest.values())


def side_bytes(headers: Iterable[Header], each: int, packed: Collection[Side]) -> int:
    """Bytes of the device that the matrices of LoRAs take beside packed weights, with which they move.

    Args:
        each: bytes of a number that is computed with. Methods that need the weight itself keep their tensors
            as they are in the file.
    """
    total = 0
    for header in headers:
        for module, tensors in _modules(header).items():
            if side_of(module) in packed:
                plain = {"down", "up"} <= tensors.keys() <= {"down", "up", "alpha"}
                total += sum(
                    facts.elements * (each if plain else max(facts.bytes // max(facts.elements, 1), 2))
                    for facts in tensors.values()
                )
    return total


def side_of(module: str) -> Side:
    """What a module of a file is for, by its name there."""
    return "text" if _TEXT.match(module) else "denoiser"


def _modules(header: Header) -> Mapping[str, dict[str, TensorFacts]]:
    """The tensors of each module, by what they are."""
    found: dict[str, dict[str, TensorFacts]] = {}
    for key in header.tensors:
        named = name_of(key, header.tensors)
        if named is not None:
            module, kind, _ = named
            found.setdefault(module, {})[kind] = header.tensors[key]
    return found


def _numbers(shapes: Mapping[str, tuple[int, ...]]) -> Iterator[int]:
    """How many numbers the weight has, and the shift, that a module's tensors change."""
    for kind in ("diff", "w_norm", "diff_b", "b_norm", "up_bias"):
        if kind in shapes:
            yield prod(shapes[kind])
    if "down" in shapes and "up" in shapes:
        down, up = shapes["down"], shapes["up"]
        kernel = shapes["mid"][2:] if "mid" in shapes else down[2:]
        yield up[0] * prod(down[1:2]) * prod(kernel)
    elif "embedding_down" in shapes and "embedding_up" in shapes:
        yield shapes["embedding_down"][-1] * shapes["embedding_up"][0]
    elif "hada_w1_a" in shapes and "hada_w1_b" in shapes:
        first, second, core = shapes["hada_w1_a"], shapes["hada_w1_b"], shapes.get("hada_t1")
        yield first[0] * prod(second[1:]) if core is None else first[1] * second[1] * prod(core[2:])
    elif any(kind.startswith("lokr_w") for kind in shapes):
        yield _factor(shapes, 1) * _factor(shapes, 2)
    elif "glora_a1" in shapes and "glora_b2" in shapes:
        # In either form: the longer side is the layer's, the shorter one is the rank.
        rows = max(shapes.get("glora_b1", (0,))[0], shapes["glora_b2"][0])
        yield max(shapes["glora_a1"][:2]) * rows * prod(shapes["glora_b2"][2:])
    else:
        yield _square(shapes)


def _factor(shapes: Mapping[str, tuple[int, ...]], number: int) -> int:
    """Numbers of one factor of a Kronecker product."""
    if f"lokr_w{number}" in shapes:
        return prod(shapes[f"lokr_w{number}"])
    first, second = shapes.get(f"lokr_w{number}_a", ()), shapes.get(f"lokr_w{number}_b", ())
    core = shapes.get(f"lokr_t{number}")
    if not first or not second:
        return 0
    return first[0] * prod(second[1:]) if core is None else first[1] * second[1] * prod(core[2:])


def _square(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Of a method that tells one side of the weight: that side squared."""
    for kind in ("oft_blocks", "boft_r"):
        if kind in shapes:
            return int((shapes[kind][-3] * shapes[kind][-1]) ** 2)
    if "oft_r" in shapes:
        blocks, numbers = shapes["oft_r"]
        return int((blocks * round((1 + (1 + 8 * numbers) ** 0.5) / 2)) ** 2)
    return max((prod(shapes[kind]) ** 2 for kind in ("ia3", "ia3_l") if kind in shapes), default=0)
