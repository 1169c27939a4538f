"""Which method a module's tensors are of, and so what they do: LoRA and its relatives as LyCORIS and PEFT
write them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pipelines.models.lora.changes import (
    Added,
    Change,
    Decomposed,
    Generalized,
    Hadamard,
    Kronecker,
    LowRank,
    Scaled,
)
from pipelines.models.lora.orthogonal import MOST_TERMS, NEUMANN_TERMS, InputMixed, InputTurned, Turned

if TYPE_CHECKING:
    from pipelines.models.lora.changes import Tensors

_MOST: Final = 1e6
"""No sane alpha is larger."""


def change_of(tensors: Tensors, scale: Any, settings: Mapping[str, Any]) -> dict[str, Change]:
    """What a module's tensors do to its ``weight`` and ``bias``; empty where that isn't known.

    Args:
        scale: gives the factor for a rank.
        settings: of PEFT, for the network.

    Raises:
        KeyError, IndexError, RuntimeError: tensors are missing, or don't fit each other.
    """
    found: dict[str, Change] = {}
    made: Change | None = None
    if "down" in tensors or "up" in tensors:
        made = LowRank(tensors["up"], tensors["down"], scale(tensors["down"].shape[0]), tensors.get("mid"))
        if "up_bias" in tensors:
            found["bias"] = Added(tensors["up_bias"].float() * made.scale)
    elif "embedding_down" in tensors:
        down, up = tensors["embedding_down"], tensors["embedding_up"]
        made = LowRank(down.T, up.T, scale(down.shape[0]))
    elif "hada_w1_b" in tensors:
        made = Hadamard(tensors, scale(tensors["hada_w1_b"].shape[0]))
    elif "lokr_w1" in tensors or "lokr_w1_b" in tensors:
        low = next((tensors[key] for key in ("lokr_w2_b", "lokr_w1_b") if key in tensors), None)
        made = Kronecker(tensors, _whole(settings) if low is None else scale(low.shape[0]))
    elif "oft_blocks" in tensors:
        limit = tensors.get("alpha")
        made = Turned(
            tensors["oft_blocks"], float(limit) if limit is not None else 0.0, tensors.get("rescale")
        )
    elif "oft_r" in tensors:
        given = settings.get("num_cayley_neumann_terms")
        terms = given if isinstance(given, int) and 4 <= given <= MOST_TERMS else NEUMANN_TERMS
        made = InputTurned(tensors["oft_r"], 0 if settings.get("use_cayley_neumann") is False else terms)
    elif "boft_r" in tensors:
        made = InputMixed(tensors["boft_r"], tensors.get("boft_s"))
    elif "glora_a1" in tensors:
        made = _generalized(tensors, scale)
    elif "ia3" in tensors:
        made = Scaled(tensors["ia3"], bool(tensors["on_input"].item()))
    elif "ia3_l" in tensors:
        by = tensors["ia3_l"].float()
        made = Scaled(by - 1, by.ndim > 1 and by.shape[0] == 1 and by.shape[1] != 1)
    elif "diff" in tensors or "w_norm" in tensors:
        made = Added(tensors["diff"] if "diff" in tensors else tensors["w_norm"])
    if made is not None:
        found["weight"] = Decomposed(made, tensors["magnitude"]) if "magnitude" in tensors else made
    for name in ("diff_b", "b_norm"):
        if name in tensors:
            found["bias"] = Added(tensors[name])
    return found


def _generalized(tensors: Tensors, scale: Any) -> Generalized:
    """GLoRA's tensors in either form: LyCORIS once exchanged the numbers of the first and the second. The
    sides tell which are as long as the rank; of a square weight both could be, and the rank is the shorter.
    """
    a1, a2, b1, b2 = (tensors[f"glora_{name}"] for name in ("a1", "a2", "b1", "b2"))
    now = a1.shape[1] == a2.shape[0] == b1.shape[1] == b2.shape[0]
    before = a1.shape[0] == a2.shape[1] == b1.shape[0] == b2.shape[1]
    if before and (not now or a1.shape[0] < a1.shape[1]):
        a1, a2, b1, b2 = a2, a1, b2, b1
    rank = a2.shape[0]
    return Generalized(a1, a2, LowRank(b1, b2, 1.0, tensors.get("glora_bm")), scale(rank))


def _whole(settings: Mapping[str, Any]) -> float:
    """The scale of two whole matrices: LyCORIS has none, PEFT alpha over rank as its settings say."""
    alpha, rank = settings.get("alpha"), settings.get("r")
    if isinstance(alpha, int | float) and isinstance(rank, int) and rank > 0 and 0 < abs(alpha) < _MOST:
        return alpha / rank
    return 1.0
