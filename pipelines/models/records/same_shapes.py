"""Models that differ from others by nothing but their weights: what is said beside the file tells them apart.

FLUX.1 Kontext has every shape of FLUX.1 dev, Qwen-Image-Edit those of Qwen-Image. A card of ours may name
the variant (``"variant": "edit"``); what other programs note of a file's base model may, too. No torch import
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pipelines.models.probing.probe import Probe

_FAMILIES: Final[Mapping[tuple[str, str], str]] = {
    ("flux", "kontext"): "flux-kontext",
    ("qwen-image", "edit"): "qwen-image-edit",
    ("qwen-image", "plus"): "qwen-image-edit",
}
"""Family and variant of a model that is told apart -> the family it is of."""

_WORDS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "flux": (("kontext", "kontext"),),
    "qwen-image": (("edit-plus", "plus"), ("2509", "plus"), ("2511", "plus"), ("edit", "edit")),
}
"""Family -> words in what is noted of a base model, and the variant each stands for; the telling ones first.
"""


def told_apart(probe: Probe, variant: str, noted: str) -> Probe:
    """The probe of a model with the family and variant that are said of it, where its shapes allow these.

    Args:
        variant: what a card says; empty for none.
        noted: what is noted of its base model, in free words.
    """
    allowed = probe.facts.get("same_shapes", ())
    if not allowed:
        return probe
    plain = noted.casefold().replace(" ", "-")
    words = (found for word, found in _WORDS.get(probe.family, ()) if word in plain)
    which = variant.casefold() or next(words, "")
    if which not in allowed:
        return probe
    facts = dict(probe.facts)
    del facts["same_shapes"]
    if "2511" in plain:
        facts["zero_cond"] = True
    return replace(
        probe, family=_FAMILIES.get((probe.family, which), probe.family), variant=which, facts=facts
    )
