"""How nodes reach models: the catalogue, the loader and the residency manager behind two methods."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from pipelines.engine.protocol import ModelInfo
from pipelines.errors import DiptychError, describe
from pipelines.graph.node import Context
from pipelines.graph.values import Embedding, Lora, ModelHandle, Part
from pipelines.models.catalogue.catalogue import Catalogue, Scan, open_catalogue, searched_roots
from pipelines.models.loading import ModelLoader
from pipelines.models.probing.probe import Kind
from pipelines.models.residency import Held, Residency, default_budget

if TYPE_CHECKING:
    from pipelines.models.residency.accelerator import Accelerator


USE_SECONDS: Final = 60.0
"""A model that is used all the time is noted as used this often."""


class Models:
    """The :class:`pipelines.graph.node.ModelAccess` of the engine. Making one imports no torch."""

    def __init__(self, catalogue: Catalogue, residency: Residency) -> None:
        self._catalogue = catalogue
        self._residency = residency
        self._noted: dict[str, float] = {}

    @property
    def catalogue(self) -> Catalogue:
        """What there is."""
        return self._catalogue

    def find(self, kind: str, model: str, dtype: str = "auto", quantization: str = "none") -> ModelHandle:
        """The handle of a catalogue id or a path; ``""`` is the default model of that kind. Reads headers
        only.

        Raises:
            ModelMissing, StarterTextModelMissing: there is no such model.
            ModelUnsafe, ModelUnreadable, ModelFormatUnsupported, UnknownModelFamily: it can't be opened.
            ModelUnsuitable: it is a model of another kind.

        A model in a single file is given the parts that it lacks, as far as there are any; the rest may be
        given to its handle by hand, and is asked for when it is loaded.
        """
        entry = self._catalogue.find(cast(Kind, kind), model)
        entry.check(cast(Kind, kind))
        info = entry.info
        family = info.base if kind in ("adapter", "embedding") else info.family
        return ModelHandle(
            cast(Any, kind), info.id, info.path, family, dtype, quantization, entry.fingerprint,
            parts=self._catalogue.parts_of(entry).parts,
        )  # fmt: skip

    def with_part(self, model: ModelHandle, kind: str, chosen: str) -> ModelHandle:
        """A model with a VAE or a text encoder of the user's choice instead of the one it had.

        Args:
            kind: ``vae`` or ``text_encoder``.
            chosen: an id or a path.

        Raises:
            PartUnsuitable: the model is made with nothing of this kind. For the rest see :meth:`find`.
        """
        entry = self._catalogue.find("diffusion", model.path)
        other = self._catalogue.find(cast(Kind, kind), chosen)
        other.check(cast(Kind, kind))
        part = self._catalogue.part_of(entry, other)
        kept = [each for each in model.parts if each.name != part.name]
        return model.replace(parts=tuple(sorted((*kept, part), key=lambda each: each.name)))

    def fitting(self, kind: str, facts: Mapping[str, object]) -> ModelHandle | None:
        """The first usable model of a kind of which these facts are true; None if there is none."""
        entry = self._catalogue.fitting(cast(Kind, kind), facts)
        return None if entry is None else self.find(kind, entry.info.path)

    def known(self, kind: str) -> tuple[ModelInfo, ...]:
        """All models of a kind that can be used, as a search finds them now."""
        return tuple(info for info in self.list() if info.kind == kind and not info.problem)

    def use(self, handle: ModelHandle, context: Context) -> AbstractContextManager[Any]:
        """The loaded model while the block runs; see :meth:`pipelines.models.residency.Residency.use`."""
        now = time.time()
        beside: tuple[Lora | Embedding | Part, ...] = (*handle.loras, *handle.embeddings, *handle.parts)
        for path in (handle.path, *(each.path for each in beside)):
            if now - self._noted.get(path, 0.0) > USE_SECONDS:
                self._noted[path] = now
                self._catalogue.index.store_use(path, now)
        return self._residency.use(handle, context)

    def examine(self, path: str) -> ModelInfo:
        """What is told of a model at any path; with its problem if it can't be used, or isn't there."""
        try:
            return self._catalogue.describe(path)
        except (DiptychError, OSError, ValueError) as error:
            problem = " ".join(filter(None, describe(error).sentences()))
            return ModelInfo(kind="diffusion", id=path, title=Path(path).name, path=path, problem=problem)

    def list(self, tell: Callable[[Scan], None] | None = None) -> tuple[ModelInfo, ...]:
        """All models of the catalogue, usable or not; what hasn't changed is not examined again. ``tell``
        hears a few times a second how far the search is."""
        return self._catalogue.scan(tell)

    def search_in(self, models: Path, folders: Sequence[str | Path]) -> None:
        """Look in other folders of the user's from now on; see :func:`open_models`."""
        self._catalogue.search_in(searched_roots(models, folders))

    def held(self) -> tuple[Held, ...]:
        """The models in memory."""
        return self._residency.held()

    def free(self) -> int:
        """Drop every model that isn't in use; returns their bytes."""
        return self._residency.free()


def open_models(models: Path, folders: Sequence[str | Path] = (), reserve: int = 0) -> Models:
    """The models of the program: the starters, the user's folder ``models``, and the ``folders`` they
    added. ``reserve`` bytes of the device are left to other programs.
    """
    catalogue = open_catalogue(models, folders)
    loader = ModelLoader(catalogue, accelerators=lambda device: _accelerator(device, reserve))
    return Models(catalogue, Residency(loader, partial(default_budget, reserve=reserve)))


def _accelerator(device: str, reserve: int) -> Accelerator:
    from pipelines.models.residency.accelerator import open_accelerator

    return open_accelerator(device, reserve)
