"""How strong a LoRA is in each block of a network: the notations in use, read and checked. No torch import.

A list of rules (``IN04=0.5, MID=0, OUT*=1``; ``0-9=0.5`` for transformers) or the numbers alone, 12, 17, 20
or 26 of them, as users of Stable Diffusion know them: which blocks those are is in :data:`LISTS`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pipelines.errors import LoraBlocksUnreadable
from pipelines.models.lora.unet_names import original_name

MAX_LENGTH: Final = 512
"""Characters of a text."""
MOST: Final = 4.0
"""No block is changed more than this many times as strongly, or in the opposite direction."""

Kind = Literal["IN", "MID", "OUT", "BASE", "block"]
Block = tuple[Kind, int]
"""A part of a pipeline: ``IN``, ``MID`` and ``OUT`` of a U-Net, ``BASE`` for the text encoders, ``block`` for
those of a transformer; and which of them."""

_RULE: Final = re.compile(
    r"(?:(?P<all>\*)|(?P<base>BASE)|(?P<mid>MID|M00)|(?P<side>IN|OUT)?"
    r"(?:(?P<every>\*)|(?P<first>\d{1,3})(?:-(?:IN|OUT)?(?P<last>\d{1,3}))?))",
    re.IGNORECASE,
)
_U_NETS: Final = ("sd", "sd1", "sd2", "sdxl")


def _row(kind: Kind, *numbers: int) -> tuple[Block, ...]:
    return tuple((kind, number) for number in numbers)


_BASE: Final = _row("BASE", 0)
_MID: Final = _row("MID", 0)
LISTS: Final[dict[int, tuple[Block, ...]]] = {
    12: (*_BASE, *_row("IN", 4, 5, 7, 8), *_MID, *_row("OUT", *range(6))),
    17: (*_BASE, *_row("IN", 1, 2, 4, 5, 7, 8), *_MID, *_row("OUT", *range(3, 12))),
    20: (*_BASE, *_row("IN", *range(9)), *_MID, *_row("OUT", *range(9))),
    26: (*_BASE, *_row("IN", *range(12)), *_MID, *_row("OUT", *range(12))),
}
"""The blocks that a list of so many numbers is for: with attention only, or all, of SDXL (12, 20) and of
Stable Diffusion 1.x and 2.x (17, 26)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """``value`` for the blocks ``first`` to ``last`` of a kind; of all kinds if that is None."""

    kind: Kind | None
    first: int
    last: int
    value: float
    token: str

    def holds(self, block: Block) -> bool:
        return self.kind is None or (self.kind == block[0] and self.first <= block[1] <= self.last)


@dataclass(frozen=True, slots=True)
class Blocks:
    """What a text says; where two rules hold, the later one counts."""

    rules: tuple[Rule, ...] = ()

    def factor(self, block: Block | None) -> float:
        """What the strength is multiplied with in a block; 1 where nothing is said, and outside of all."""
        if block is None:
            return 1.0
        return next((rule.value for rule in reversed(self.rules) if rule.holds(block)), 1.0)

    def check(self, family: str) -> None:
        """Raise :class:`LoraBlocksUnreadable` if a rule names blocks that models of a family don't have."""
        u_net = family.split("-")[0] in _U_NETS
        for rule in self.rules:
            if rule.kind == "block" and u_net:
                raise _unreadable(rule.token, "names no block of this model; its blocks are IN, MID and OUT")
            if rule.kind in ("IN", "MID", "OUT") and not u_net:
                raise _unreadable(rule.token, "names no block of this model; its blocks are numbered from 0")


def read_blocks(text: str) -> Blocks:
    """The rules in a text; none in an empty one.

    Raises:
        LoraBlocksUnreadable: naming the part that can't be read.
    """
    if len(text) > MAX_LENGTH:
        raise _unreadable(f"{text[:20]}…", f"is longer than {MAX_LENGTH} characters")
    tokens = [token for token in re.split(r"[\s,;]+", text) if token]
    if tokens and not any("=" in token for token in tokens):
        return _listed(tokens)
    return Blocks(tuple(_rule(token) for token in tokens))


def _listed(tokens: Sequence[str]) -> Blocks:
    values = [_number(token, token) for token in tokens]
    blocks = LISTS.get(len(tokens))
    if blocks is None:
        reason = f"is one of {len(tokens)} numbers; there are lists of {', '.join(map(str, LISTS))}"
        raise _unreadable(tokens[-1], reason)
    return Blocks(
        tuple(
            Rule(kind, number, number, value, token)
            for (kind, number), value, token in zip(blocks, values, tokens, strict=True)
        )
    )


def _rule(token: str) -> Rule:
    name, equals, number = token.partition("=")
    found = _RULE.fullmatch(name)
    if not equals or found is None:
        raise _unreadable(token, "is no block with its weight, such as IN04=0.5 or 0-9=0.5")
    value = _number(number, token)
    if found["all"]:
        return Rule(None, 0, 0, value, token)
    if found["base"] or found["mid"]:
        return Rule("BASE" if found["base"] else "MID", 0, 0, value, token)
    kind: Kind = "block"
    if found["side"]:
        kind = "IN" if found["side"].upper() == "IN" else "OUT"
    if found["every"]:
        return Rule(kind, 0, 999, value, token)
    first, last = int(found["first"]), int(found["last"] or found["first"])
    if last < first:
        raise _unreadable(token, "ends before it begins")
    if kind != "block" and last > 11:
        raise _unreadable(token, f"goes too far; the last block is {kind}11")
    return Rule(kind, first, last, value, token)


def _number(text: str, token: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise _unreadable(token, "has no number for its weight") from None
    if not math.isfinite(value) or abs(value) > MOST:
        raise _unreadable(token, f"is beyond ±{MOST:g}")
    return value


def _unreadable(token: str, reason: str) -> LoraBlocksUnreadable:
    return LoraBlocksUnreadable(token=token, reason=reason)


def block_of(network: str, path: str, module: Any) -> Block | None:
    """The block that a layer belongs to; None outside of all blocks.

    Args:
        network, path: the names of the network in its pipeline, and of the layer in it.
        module: the network.
    """
    if network.startswith("text_encoder"):
        return ("BASE", 0)
    if network == "unet":
        original = original_name(path, module) or ""
        place, _, rest = original.partition(".")
        kinds: dict[str, Kind] = {"input_blocks": "IN", "output_blocks": "OUT"}
        if place == "middle_block":
            return ("MID", 0)
        return (kinds[place], int(rest.partition(".")[0])) if place in kinds else None
    stack, _, rest = path.partition(".")
    before = 0
    for name, child in module.named_children():
        if name.endswith("blocks") or name == "layers":
            if name == stack:
                number = rest.partition(".")[0]
                return ("block", before + int(number)) if number.isdigit() else None
            before += len(child) if hasattr(child, "__len__") else 0
    return None
