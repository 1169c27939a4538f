"""Which textual inversion goes with which model: by their probes. No torch import here."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pipelines.errors import EmbeddingUnsuitable
from pipelines.models.families.facts import family
from pipelines.models.files.header import read_header
from pipelines.models.probing.lora_families import fits as fits_family

MARK: Final = "embedding:"
"""What may stand before the word in a prompt, and must where nothing else says that it is one."""
MOST_VECTORS: Final = 256
"""A prompt has room for far fewer."""
MAX_WORD: Final = 100
"""Characters of a word."""


_CLIP: Final = frozenset({"sd1", "sd2", "sdxl"})
"""Families whose text encoders are all CLIP: another one would read nonsense where the word stands."""


def fits(base: str, model: str) -> bool:
    """Whether an embedding for the family ``base`` may be used with a model of the family ``model``."""
    return base in _CLIP and fits_family(base, model)


def own_word(path: Path) -> str:
    """The word a file is for: its own, where its only tensor is named by it, or its name.

    Raises:
        ModelMissing, ModelUnsafe, ModelUnreadable: see :func:`pipelines.models.files.header.read_header`.
    """
    tensors = read_header(path).tensors
    token = next(iter(tensors)) if len(tensors) == 1 else ""
    return token if token.startswith("<") and len(token) <= MAX_WORD else path.stem[:MAX_WORD]


def check_fits(embedding: str, base: str, model: str, family_name: str) -> None:
    """Raise :class:`EmbeddingUnsuitable` if an embedding for ``base`` is to be used with another family, or
    with one whose prompts are read by more than CLIP."""
    if base not in _CLIP:
        reason = f"Models of the family {family(base).title} read prompts with an encoder that takes none."
        raise EmbeddingUnsuitable(embedding=embedding, model=model, reason=reason)
    if not fits(base, family_name):
        made_for, found = family(base).title, family(family_name).title
        reason = f"It was made for {made_for}; this model is {found}."
        raise EmbeddingUnsuitable(embedding=embedding, model=model, reason=reason)
