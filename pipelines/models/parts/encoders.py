"""Which text encoders a family of models is given in files of their own, for the forms that offer them. By
the families' settings alone; no torch import here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from pipelines.errors import DiptychError
from pipelines.models.families.abilities import U_NETS, base_family
from pipelines.models.parts.needed import Need, fits, needs_of
from pipelines.models.probing.probe import Probe
from pipelines.models.probing.single_file import blueprint
from pipelines.paths import RESOURCES

_CONFIGS: Final = RESOURCES / "configs"
_SIZES: Final[Mapping[str, int]] = {"base": 768, "large": 1024, "xl": 2048, "xxl": 4096}
"""Size of a T5, as a catalogue tells it -> its width."""


@lru_cache(maxsize=256)
def encoders_of(family: str, variant: str = "", configs: Path = _CONFIGS) -> tuple[Need, ...]:
    """The text encoders that models of a family are given, in their order. None for U-Nets, whose checkpoints
    hold their own, and for families without settings of ours.
    """
    if base_family(family) in U_NETS:
        return ()
    try:
        plan = blueprint(Probe("diffusion", family, variant=variant), configs)
        needs = needs_of(plan) if plan is not None else ()
    except DiptychError:  # the settings that came with the program can't be read: loading says so
        return ()
    return tuple(need for need in needs if need.sort == "text_encoder" and need.families)


def place_of(encoders: tuple[Need, ...], family: str, variant: str = "") -> Need | None:
    """Which of a model's text encoders a file is, by its family and variant; None if it is none of them. Of
    those of one family in several sizes, the width is only known of T5; loading checks it of the rest.
    """
    width = _SIZES.get(variant, 0)
    probe = Probe("text_encoder", family, variant=variant, facts={"width": width} if width else {})
    return next((need for need in encoders if fits(need, probe)), None)
