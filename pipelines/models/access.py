"""How nodes reach models: the catalogue, the loader and the residency manager behind two methods."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast

from pipelines.engine.protocol import ModelInfo
from pipelines.errors import DiptychError, describe
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.catalogue import Catalogue, default_roots
from pipelines.models.loading import ModelLoader
from pipelines.models.probe import Kind
from pipelines.models.residency import Held, Residency


class Models:
    """The :class:`pipelines.graph.node.ModelAccess` of the engine. Making one imports no torch."""

    def __init__(self, catalogue: Catalogue, residency: Residency) -> None:
        self._catalogue = catalogue
        self._residency = residency

    def find(self, kind: str, model: str, dtype: str = "auto", quantization: str = "none") -> ModelHandle:
        """The handle of a catalogue id or a path; ``""`` is the default model of that kind. Reads headers
        only.

        Raises:
            ModelMissing, StarterTextModelMissing: there is no such model.
            ModelUnsafe, ModelUnreadable, ModelFormatUnsupported, UnknownModelFamily: it can't be opened.
            ModelUnsuitable: it is a model of another kind.
        """
        entry = self._catalogue.find(cast(Kind, kind), model)
        entry.check(cast(Kind, kind))
        info = entry.info
        return ModelHandle(info.kind, info.id, info.path, info.family, dtype, quantization, entry.fingerprint)

    def use(self, handle: ModelHandle, context: Context) -> AbstractContextManager[Any]:
        """The loaded model while the block runs; see :meth:`pipelines.models.residency.Residency.use`."""
        return self._residency.use(handle, context)

    def examine(self, path: str) -> ModelInfo:
        """What is told of a model at any path; with its problem if it can't be used, or isn't there."""
        try:
            return self._catalogue.describe(path)
        except (DiptychError, OSError, ValueError) as error:
            problem = " ".join(filter(None, describe(error).sentences()))
            return ModelInfo(kind="diffusion", id=path, title=Path(path).name, path=path, problem=problem)

    def list(self) -> tuple[ModelInfo, ...]:
        """All models of the catalogue, usable or not; what hasn't changed is not examined again."""
        return self._catalogue.list()

    def held(self) -> tuple[Held, ...]:
        """The models in memory."""
        return self._residency.held()

    def free(self) -> int:
        """Drop every model that isn't in use; returns their bytes."""
        return self._residency.free()


def open_models(models: Path, folders: Sequence[str | Path] = ()) -> Models:
    """The models of the program: the starters, the user's folder ``models``, and the ``folders`` they
    added.
    """
    catalogue = Catalogue(default_roots(models, folders))
    return Models(catalogue, Residency(ModelLoader(catalogue)))
