"""What a signature is: the tensors that mark one kind of model, and what their presence says.

A signature is tried on a :class:`View`: the tensors of a header below one of the prefixes that programs put
before them. Shapes are matched side by side; ``ANY`` takes every number, and a set its members.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

from pipelines.models.files.header import Header
from pipelines.models.signatures.names import Names, names_in

Kind = Literal[
    "diffusion", "language", "upscale", "inpaint", "control",
    "lora", "embedding", "vae", "text_encoder", "adapter", "vision", "depth",
    "pose", "detector",
]  # fmt: skip
"""``adapter``: T2I-Adapters and IP-Adapters; ``vision``: an encoder of pictures; ``embedding``: textual
inversion; ``detector``: what finds people in a picture, ``pose``: what finds the joints of one."""

ANY: Final = None
Side = int | None | frozenset[int]
Shape = tuple[Side, ...]

_PACKED: Final = (".absmax", ".quant_map")
"""Tensors that bitsandbytes keeps beside a weight whose own shape says nothing any more."""


@dataclass(frozen=True, slots=True)
class Key:
    """A tensor that must be there; ``shape`` None takes any."""

    name: str
    shape: Shape | None = None

    def text(self) -> str:
        """For the user: ``img_in.weight (any × 64)``."""
        if self.shape is None:
            return self.name
        sides = ("any" if side is ANY else _sides(side) for side in self.shape)
        return f"{self.name} ({' × '.join(sides)})"


def _sides(side: Side) -> str:
    return " or ".join(map(str, sorted(side))) if isinstance(side, frozenset) else str(side)


class View:
    """The tensors of a header below a prefix, by their names without it."""

    def __init__(self, header: Header, prefix: str = "") -> None:
        self.header = header
        self.prefix = prefix

    def has(self, name: str) -> bool:
        """Whether there is a tensor of this name."""
        return self.prefix + name in self.header.tensors

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Its shape; None if it isn't there."""
        return self.header.shape(self.prefix + name)

    def side(self, name: str, axis: int, otherwise: int = 0) -> int:
        """One side of a tensor; ``otherwise`` where there is none, or where it is packed."""
        shape = self.shape(name)
        if shape is None or self.packed(name) or not -len(shape) <= axis < len(shape):
            return otherwise
        return shape[axis]

    def packed(self, name: str) -> bool:
        """Whether a tensor is quantized so that its shape isn't that of the weight."""
        return any(self.prefix + name + ending in self.header.tensors for ending in _PACKED)

    def fits(self, key: Key) -> bool:
        """Whether a tensor is there, of the shape that is asked for."""
        shape = self.shape(key.name)
        if shape is None or key.shape is None or self.packed(key.name):
            return shape is not None
        return len(shape) == len(key.shape) and all(map(_side_fits, shape, key.shape))

    @cached_property
    def text(self) -> str:
        """All names below the prefix, each between line ends: a fast way to search among thousands."""
        if not self.prefix:
            return "\n".join(("", *self.header.tensors, ""))
        start = len(self.prefix)
        names = (name[start:] for name in self.header.tensors if name.startswith(self.prefix))
        return "\n".join(("", *names, ""))

    @cached_property
    def names(self) -> Names:
        """The same for looking for many words."""
        return names_in(self.text)

    def holds(self, part: str) -> bool:
        """Whether a name contains ``part``; ``\\n`` in it is the beginning or the end of a name."""
        return self.names.holds(part)

    def count(self, pattern: str) -> int:
        """How many blocks there are: one more than the largest number ``pattern`` finds, or 0.

        ``pattern`` is what stands before the number, such as ``double_blocks.``.
        """
        found = re.findall(rf"\n{re.escape(pattern)}(\d{{1,4}})[._]", self.text)
        return max(map(int, found), default=-1) + 1


def _side_fits(side: int, wanted: Side) -> bool:
    return wanted is ANY or (side in wanted if isinstance(wanted, frozenset) else side == wanted)


@dataclass(frozen=True, slots=True)
class Found:
    """What a signature says of a file that fits it.

    ``problem``: why a model that was recognised can't be used. ``reason``: why it can't be named more
    exactly. ``base``: the family that a LoRA, a control model or an adapter is for. ``native_size``: in px,
    where a tensor tells it.
    """

    kind: Kind | None
    family: str = ""
    variant: str = ""
    base: str = ""
    layout: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    reason: str = ""
    native_size: tuple[int, int] | None = None


Describe = Callable[[View], Found]


@dataclass(frozen=True, slots=True)
class Signature:
    """One kind of model in one layout.

    ``name`` is what a user calls it. ``keys`` must all be there, ``absent`` none of them. ``describe`` reads
    the rest out of the shapes. ``prefixes``: those under which it is looked for.
    """

    name: str
    keys: tuple[Key, ...]
    describe: Describe
    absent: tuple[str, ...] = ()
    prefixes: Collection[str] = ("",)

    def match(self, view: View) -> bool:
        """Whether the tensors of ``view`` fit."""
        return all(map(view.fits, self.keys)) and not any(map(view.has, self.absent))

    def missing(self, view: View) -> list[Key]:
        """The keys that don't fit."""
        return [key for key in self.keys if not view.fits(key)]


def keys(*names: str) -> tuple[Key, ...]:
    """Keys of any shape, by their names."""
    return tuple(map(Key, names))


DENOISER: Final = (
    "",
    "model.diffusion_model.",
    "diffusion_model.",
    "transformer.",
    "unet.",
    "module.",
    "net.",
)
"""Prefixes under which denoisers are kept: bare, in checkpoints (``model.diffusion_model.``), by trainers."""


def parts(view: View) -> tuple[str, ...]:
    """What a file holds beside the denoiser: programs put all in one, under names of their own."""
    text = "\n".join(("", *view.header.tensors))
    held = ["denoiser"]
    if "\nvae." in text or "\nfirst_stage_model." in text:
        held.append("vae")
    if "\ntext_encoders." in text or "\ncond_stage_model." in text or "\nconditioner." in text:
        held.append("text_encoder")
    return tuple(held)


def encoders(view: View) -> tuple[str, ...]:
    """What the text encoders are called that a file holds beside the denoiser (``clip_l``, ``t5xxl``…)."""
    start = "text_encoders."
    found = (name[len(start) :].partition(".") for name in view.header.tensors if name.startswith(start))
    return tuple(sorted({encoder for encoder, _, rest in found if rest}))


def stated(view: View, *words: str) -> bool:
    """Whether the file's own metadata calls it so: some models differ by nothing but their weights."""
    metadata = view.header.metadata
    names = ("modelspec.architecture", "modelspec.title", "modelspec.implementation")
    text = " ".join(metadata.get(name, "") for name in names).casefold()
    return any(word in text for word in words)


def named(family: str, kind: Kind = "diffusion") -> Describe:
    """A description of nothing but the name, for what is recognised and not used."""
    return lambda view: Found(kind, family, layout="original", facts={"parts": parts(view)})
