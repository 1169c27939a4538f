"""Which LoRA goes with which model, and which can't be used at all: by their probes. No torch import here."""

from __future__ import annotations

from typing import Final

from pipelines.errors import LoraUnsuitable
from pipelines.models.families.facts import family
from pipelines.models.probing.probe import Probe

_CONTROL: Final = "It makes a model follow a second picture, which this version of Diptych can't use yet."
_TUNED: Final = ("-inpaint", "-fill", "-edit", "-kontext", "-control", "-depth")
"""What the families of models are called that were trained further for one task; their LoRAs are shared."""
_ANY_U_NET: Final = frozenset({"sd1", "sd2"})


def problem_of(probe: Probe) -> str:
    """Why a LoRA can't be used, whatever the model; empty if it can."""
    if probe.variant == "control":
        return _CONTROL
    return ""


def fits(base: str, model: str) -> bool:
    """Whether a LoRA for the family ``base`` may be used with a model of the family ``model``.

    A folder of Stable Diffusion's architecture with sizes of its own (``sd``) may take one for 1.x or 2.x:
    there, the sizes of the layers decide when it is opened.
    """
    for ending in _TUNED:
        model = model.removesuffix(ending)
    return base == model or (model == "sd" and base in _ANY_U_NET)


def check_fits(lora: str, base: str, model: str, family_name: str) -> None:
    """Raise :class:`LoraUnsuitable` if a LoRA for ``base`` is to be used with a model of another family.

    Args:
        lora, model: what to call them.
    """
    if not fits(base, family_name):
        made_for, found = family(base).title, family(family_name).title
        reason = f"It was made for {made_for}; this model is {found}."
        raise LoraUnsuitable(lora=lora, model=model, reason=reason, family=found)
