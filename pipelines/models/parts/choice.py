"""Parts of a model that the user chooses instead of its own: which part a file is, and whether it fits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import PartUnsuitable
from pipelines.graph.values import Part
from pipelines.models.files.safety import read_json
from pipelines.models.parts.files import encoder_beside
from pipelines.models.parts.needed import Need, fits, read_needs
from pipelines.models.parts.search import of_one_scale
from pipelines.models.records.entries import Entry


def folder_needs(folder: Path, model: str) -> tuple[Need, ...]:
    """The parts that a diffusers folder is made of.

    Raises:
        ModelUnreadable: its index or the settings of a part can't be read.
    """
    index = read_json(folder / "model_index.json", model)
    parts = (
        (name, str(value[1]))
        for name, value in sorted(index.items())
        if isinstance(value, list) and len(value) == 2 and value[0] is not None
    )
    return read_needs(folder, tuple(parts))


def chosen_part(model: Entry, made_of: Sequence[Need], chosen: Entry) -> Part:
    """The part of a model that a file or folder is to be, chosen by the user.

    Raises:
        PartUnsuitable: the model is made with nothing of its kind.
    """
    needs = [need for need in made_of if need.sort == chosen.probe.kind]
    for need in needs:
        reason = _unfit(need, chosen)
        if not reason:
            return Part(need.name, chosen.info.id, str(chosen.weights), chosen.fingerprint)
    sort = "VAE" if chosen.probe.kind == "vae" else "text encoder"
    wanted = " or ".join(need.title for need in needs)
    reason = _unfit(needs[0], chosen) if len(needs) == 1 else f"It is made with: {wanted}."
    if not needs:
        reason = f"It is made without a {sort}."
    raise PartUnsuitable(
        part=chosen.info.id, model=model.info.id, reason=reason, wanted=wanted or "no other part"
    )


def _unfit(need: Need, chosen: Entry) -> str:
    """Why a file can't be a part; empty if it can."""
    facts = chosen.probe.facts
    if need.sort != "vae":
        return "" if fits(need, chosen.probe) else f"This model is made with another one, a {need.title}."
    channels = need.facts["latent_channels"]
    found = facts.get("latent_channels", channels)
    whole = facts.get("encoder", True) and chosen.probe.variant != "encoder"
    tiny = chosen.probe.family.startswith("tiny") and chosen.probe.variant == "decoder"
    if not whole and not (tiny and encoder_beside(chosen.weights) is not None):
        return (
            "It holds only one half of a VAE. A tiny one in two files is chosen by that of its decoder, and "
            "its encoder has to lie beside it, called the same but for this word."
        )
    if found != channels:
        return f"Its latents have {found} channels; those of this model have {channels}."
    if chosen.probe.family not in (*need.families, f"tiny-{channels}") or not need.families:
        return f"It is built another way than this model's own, a {need.title}."
    return "" if of_one_scale(need, chosen) else "Its latents are on another scale than this model's."
