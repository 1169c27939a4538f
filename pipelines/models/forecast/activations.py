"""Memory and operations of a pass through a network, from the size of the picture.

Operations are counted (:mod:`.work`). The figures of memory are fitted (:mod:`.fit` has the method and
prints them anew): it grows with the picture's pixels and the network's width, so that one number a family
says it. ``error`` is how far the line was off between 512 and 1024 px; what a card's allocator and its
attention kernels add comes on top, see :data:`ALLOCATOR`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from pipelines.models.forecast.components import Component
from pipelines.models.forecast.known_work import KNOWN
from pipelines.models.forecast.work import Work

TEXT: Final = 512
"""Tokens of a prompt that a transformer reads beside the picture."""
UNET_TEXT: Final = 77
"""The same of a U-Net, whose text encoders are CLIP's."""

ALLOCATOR: Final = 1.15
"""What memory in use grows by in blocks of an allocator; an allowance, not measured on a card."""


@dataclass(frozen=True, slots=True)
class Fit:
    """``bytes`` of 16-bit numbers per px and channel of width (per token and channel, for a transformer).

    ``error``: of ``bytes``, as a share; ``assumed`` where the family itself was not fitted. ``text``: what a
    token of the prompt takes beside one of the picture.
    """

    bytes: float
    error: float = 0.0
    assumed: bool = False
    text: float = 1.0


UNETS: Final[Mapping[str, Fit]] = {
    "sd1": Fit(0.8125),
    "sd2": Fit(0.8125),
    "sdxl": Fit(0.4922),
}
TRANSFORMERS: Final[Mapping[str, Fit]] = {
    "flux": Fit(34.34),
    "sd3": Fit(26.0, text=0.23),
}
CONTROL: Final = 0.16
"""What a ControlNet of U-Nets answers, in bytes of 16-bit numbers per px and channel: counted, not fitted."""
DECODER: Final = Fit(12.0)
"""AutoencoderKL: its last level decides, in bytes per px and channel."""
DECODER_OPERATIONS: Final = 78_000.0
"""Of AutoencoderKL's decoder, per px and channel, where its layers aren't known."""


def fit_of(component: Component, family: str) -> Fit:
    """The figures of a denoiser's family; those of the most alike one for a family that was not fitted."""
    base = family.partition("-")[0]
    if component.convolves:
        found = UNETS.get(base)
        alike = UNETS["sd1" if component.attends else "sdxl"]
        return found or replace(alike, error=0.3, assumed=True)
    found = TRANSFORMERS.get(base)
    return found or replace(TRANSFORMERS["flux"], error=0.3, assumed=True)


def denoiser_bytes(
    component: Component, family: str, pixels: int, batch: int, size: int, read: int = 0
) -> int:
    """Activations of one step for ``batch`` pictures at once, with numbers of ``size`` bytes.

    ``read``: tokens that a transformer reads beside those of a prompt.
    """
    fitted = fit_of(component, family)
    units = pixels if component.convolves else pixels // component.factor**2 + fitted.text * (TEXT + read)
    per_unit = fitted.bytes * component.width * size / 2
    return int(per_unit * units * batch * ALLOCATOR)


def decoder_bytes(component: Component, pixels: int, size: int) -> int:
    """Activations of a VAE that decodes a picture of so many px at once."""
    return int(DECODER.bytes * component.width * pixels * size / 2 * ALLOCATOR)


def control_bytes(component: Component, pixels: int, batch: int, size: int) -> int:
    """What a control model hands to a denoiser, which is there until the end of a step."""
    if component.convolves:
        return int(CONTROL * component.width * pixels * batch * size / 2 * ALLOCATOR)
    answers = max(round((component.elements - component.outside) / max(component.largest, 1)), 1)
    patches = pixels // component.factor**2
    return int(answers * patches * component.width * batch * size * ALLOCATOR)


def tokens(component: Component, pixels: int, read: int = 0) -> int:
    """What a transformer reads: patches of the picture, and the prompt."""
    return pixels // component.factor**2 + TEXT + read


def denoiser_operations(component: Component, family: str, pixels: int, read: int = 0) -> float:
    """Operations (multiplications and additions) of one step for one picture."""
    work, times = work_in(component, family)
    words = UNET_TEXT if len(work.levels) > 1 else TEXT + read
    return work.operations(pixels / component.factor**2, words) * times


def work_in(component: Component, family: str) -> tuple[Work, float]:
    """What a denoiser multiplies, and how many times as much. Where its layers aren't known, it is what its
    family's does (or the most alike one's), in proportion to its size.
    """
    if component.work is not None:
        return component.work, 1.0
    base = family.partition("-")[0]
    unet = "sd1" if component.attends else "sdxl"
    alike = next((name for name in (family, base) if name in KNOWN), unet if component.convolves else "flux")
    elements, work = KNOWN[alike]
    return work, component.elements / elements


def decoder_operations(component: Component, pixels: int) -> float:
    """Operations of decoding a picture."""
    if component.work is not None:
        return component.work.operations(pixels / component.factor**2, 0)
    return DECODER_OPERATIONS * component.width * pixels
