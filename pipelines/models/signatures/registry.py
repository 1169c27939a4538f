"""All signatures in the order in which they are tried: what changes a model before the models themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pipelines.models.files.header import Header
from pipelines.models.signatures import (
    adapters,
    autoencoders,
    controls,
    flux,
    lora,
    stable_diffusion,
    text_encoders,
    transformers,
    upscalers,
    video,
)
from pipelines.models.signatures.base import Found, Key, Signature, View
from pipelines.models.signatures.names import first_word

SIGNATURES: Final[tuple[Signature, ...]] = (
    *controls.SIGNATURES, *adapters.SIGNATURES, *stable_diffusion.SIGNATURES, *flux.SIGNATURES,
    *transformers.SIGNATURES, *video.SIGNATURES, *upscalers.SIGNATURES, *autoencoders.SIGNATURES,
    *text_encoders.SIGNATURES,
)  # fmt: skip
_PREFIXES: Final = {prefix: first_word(prefix) for signature in SIGNATURES for prefix in signature.prefixes}
"""Every prefix, and its first word: few files have any of them."""


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A signature that fits in part: its name, and the keys that are missing or of another shape."""

    name: str
    matched: int
    missing: tuple[Key, ...]

    def text(self) -> str:
        """For the user."""
        lacking = ", ".join(key.text() for key in self.missing[:3])
        return f"{self.name} (missing: {lacking})"


def identify(header: Header) -> Found | None:
    """What a file is; None if no signature fits."""
    whole = View(header)
    found = None
    if not whole.has(adapters.IP):  # some of those have LoRAs beside them
        found = lora.identify_lora(header, whole.names) or adapters.lone_embedding(whole)
    if found is not None:
        return found
    views = _views(header, whole)
    for signature in SIGNATURES:
        for prefix in signature.prefixes:
            view = views.get(prefix)
            if view is not None and signature.match(view):
                return signature.describe(view)
    return None


def nearest(header: Header, most: int = 3) -> tuple[NearMiss, ...]:
    """The signatures that fit best in part, the best first; none if no key of any is there."""
    found = sorted(
        _partial(_views(header, View(header))), key=lambda miss: (len(miss.missing), -miss.matched)
    )
    names = dict.fromkeys(miss.name for miss in found)
    return tuple(next(miss for miss in found if miss.name == name) for name in list(names)[:most])


def _partial(views: dict[str, View]) -> Iterator[NearMiss]:
    for signature in SIGNATURES:
        for prefix in signature.prefixes:
            if prefix in views:
                missing = tuple(signature.missing(views[prefix]))
                if len(missing) < len(signature.keys):
                    yield NearMiss(signature.name, len(signature.keys) - len(missing), missing)


def _views(header: Header, whole: View) -> dict[str, View]:
    """One view for each prefix that tensors have."""
    firsts = whole.names.firsts
    views = {
        prefix: View(header, prefix)
        for prefix, first in _PREFIXES.items()
        if prefix and first in firsts and whole.holds(f"\n{prefix}")
    }
    return {"": whole, **views}
