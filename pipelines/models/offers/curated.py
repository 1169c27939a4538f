"""A short list of open models worth having: where each comes from, what its licence says of the pictures, and
how much memory it takes.

The list is data (``resources/models/curated.json``). Where a licence was read, and when, stands beside it;
one that nobody read is marked (``licence.checked`` is empty), and so is how parameters are known
(``counted_from``); what isn't known is left out. Memory is computed from the number of
parameters: weights only, without what a run needs beside them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.models.pipeline_classes import PIPELINES
from pipelines.paths import RESOURCES

PATH: Final = RESOURCES / "models" / "curated.json"

Precision = Literal["bf16", "int8", "nf4"]
BYTES_PER_PARAMETER: Final[dict[Precision, float]] = {"bf16": 2.0, "int8": 1.05, "nf4": 0.57}
"""Bytes a number, with norms and embeddings that stay in 16 bits and the scales of blocks. Of int8 and nf4
the exact sum depends on the network."""

WORK_BYTES: Final = 1_500_000_000
"""Left for what a run needs beside weights, at about one million pixels."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Licence(_Record):
    """``sell``: whether pictures may be sold, as its text says; ``note`` is the condition. ``checked``: the
    day on which it was read at ``source``, as ``2026-11-24``; empty if nobody did."""

    name: str
    url: str
    sell: Literal["yes", "limited", "see licence"]
    note: str = ""
    checked: str = Field(default="", pattern=r"^(\d{4}-\d\d-\d\d)?$")
    source: str = ""


class Curated(_Record):
    """One model.

    ``source`` is what :meth:`pipelines.models.download.jobs.Downloader.plan` takes. ``parameters`` counts the
    numbers of each part, ``counted_from`` says how they are known. ``steps`` and ``passes`` (2 with guidance)
    are the model's usual ones; ``quality`` is our own order, higher is better. ``gated``: terms must be
    accepted on its page. ``pipeline`` is the class of diffusers that its folder names.
    """

    id: str
    title: str
    kind: Literal["diffusion", "language", "upscale"]
    source: str
    text: str
    licence: Licence
    variant: str = ""
    pipeline: str = ""
    parameters: dict[str, int] = Field(default_factory=dict)
    counted_from: str = ""
    bytes: int | None = None
    steps: int | None = None
    passes: int = 1
    quality: int = 0
    gated: bool = False

    @property
    def download_bytes(self) -> int | None:
        """About how much arrives: what is stated, else 16 bits a number, ``None`` if neither is known."""
        return self.bytes or (2 * sum(self.parameters.values()) or None)

    def weights(self, precision: Precision) -> int:
        """Bytes of all weights: denoiser and text encoders in ``precision``, the VAE in 16 bits."""
        return sum(_bytes(part, count, precision) for part, count in self.parameters.items())

    def peak(self, precision: Precision) -> int:
        """Bytes of weights that must be there at once if the text encoders leave before drawing starts."""
        parts = {part: _bytes(part, count, precision) for part, count in self.parameters.items()}
        encoders = sum(size for part, size in parts.items() if part.startswith("text_encoder"))
        return max(encoders, sum(parts.values()) - encoders)

    @property
    def openable(self) -> bool:
        """Whether this version of Diptych opens it."""
        return not self.pipeline or self.pipeline in PIPELINES

    @property
    def effort(self) -> int:
        """Parameters that are gone through for one picture: what its time grows with."""
        return self.parameters.get("denoiser", 0) * (self.steps or 0) * self.passes


def _bytes(part: str, count: int, precision: Precision) -> int:
    return round(count * BYTES_PER_PARAMETER["bf16" if part == "vae" else precision])


class Suggestion(_Record):
    """A model for this machine: how it would be run. ``offload``: not all of it fits at once, so the text
    encoders leave the card before the drawing starts."""

    label: Literal["Fast", "Balanced", "Best"]
    model: Curated
    precision: Precision
    offload: bool


def curated(path: Path = PATH) -> tuple[Curated, ...]:
    """The list, in its order."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return tuple(Curated.model_validate(entry) for entry in data["models"])


def suggest(
    budget: int,
    models: Iterable[Curated] | None = None,
    *,
    precisions: Collection[Precision] = tuple(BYTES_PER_PARAMETER),
    together: bool = False,
    seconds: Mapping[str, float] | None = None,
) -> tuple[Suggestion, ...]:
    """At most three models that draw and can be opened, for a device with ``budget`` bytes free.

    ``precisions``: those the device can compute with. ``together``: nothing can leave the device before the
    drawing starts, because it is the processor with its main memory. ``seconds``: what a picture takes here,
    by the ids of models; unless it is known of all, their efforts are compared. Each in the highest precision
    that fits.
    *Best* is the one of the highest quality, *Fast* the one of the least time, *Balanced* the best of those
    that take at most the geometric mean of the two. One model is suggested once, under the first of these
    labels that it has.
    """
    known = curated() if models is None else models
    fitting = [
        (model, precision)
        for model in known
        if model.effort
        and model.openable
        and (precision := _precision(model, budget, precisions, together=together))
    ]
    if not fitting:
        return ()
    known_times = seconds or {}
    timed = all(model.id in known_times for model, _ in fitting)
    times = {model.id: known_times[model.id] if timed else float(model.effort) for model, _ in fitting}
    best = max(fitting, key=lambda found: (found[0].quality, -times[found[0].id]))
    fast = min(fitting, key=lambda found: (times[found[0].id], -found[0].quality))
    middle = (times[best[0].id] * times[fast[0].id]) ** 0.5
    between = [found for found in fitting if times[found[0].id] <= middle]
    balanced = max(between or [best], key=lambda found: (found[0].quality, -times[found[0].id]))
    labelled = {"Best": best, "Balanced": balanced, "Fast": fast}
    chosen: dict[str, Suggestion] = {}
    for label, (model, precision) in labelled.items():
        offload = model.weights(precision) + WORK_BYTES > budget
        made = {"label": label, "model": model, "precision": precision, "offload": offload}
        chosen.setdefault(model.id, Suggestion.model_validate(made))
    return tuple(reversed(chosen.values()))


def _precision(
    model: Curated, budget: int, precisions: Collection[Precision], *, together: bool
) -> Precision | None:
    """The highest precision in which it fits, ``None`` if it doesn't."""
    for kind in BYTES_PER_PARAMETER:
        needed = model.weights(kind) if together else model.peak(kind)
        if kind in precisions and needed + WORK_BYTES <= budget:
            return kind
    return None
