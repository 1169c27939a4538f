"""What the engine is doing with models: searching, hashing, converting… and what came of it.

Made with the window, since a search is said in the status line wherever one is. Requests are remembered until
they are answered; an engine that died answers none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QObject, Signal, Slot

from pipelines.engine.protocol import (
    Duplicates,
    Failure,
    Lost,
    Message,
    ModelConverted,
    ModelDescribed,
    ModelImported,
    ModelProgress,
    ModelRemoved,
    Models,
    ModelTold,
    ModelWorkStopped,
)
from studio.engine.phases import bytes_text
from studio.engine.runs import error_info
from studio.models.choices import ModelChoices
from studio.translate import tr

_WORDS: Final = {
    "hashing": "Making hashes: {size}",
    "verifying": "Checking the file: {size}",
    "converting": "Converting: {size}",
    "comparing": "Comparing files: {size}",
    "importing": "Copying a model: {size}",
}


@dataclass(frozen=True, slots=True)
class Task:
    """One request that isn't answered yet. ``path``: the model it is about, empty for several."""

    request: str
    what: str
    path: str = ""
    words: str = ""
    fraction: float | None = None


class ModelWork(QObject):
    """``changed`` when a task came, went or went on; ``described``, ``told``, ``converted``, ``imported``,
    ``removed`` and ``compared`` carry the engine's message; ``failed`` an error and the task it belongs
    to."""

    changed = Signal()
    described = Signal(object)
    told = Signal(object)
    converted = Signal(object)
    imported = Signal(object)
    removed = Signal(object)
    compared = Signal(object)
    failed = Signal(object, object)

    def __init__(self, bridge: Any, models: ModelChoices, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._models = bridge, models
        self._tasks: dict[str, Task] = {}
        self._search = ""
        bridge.model_answered.connect(self._answered)
        bridge.models_listed.connect(self._listed)
        bridge.failed.connect(self._failed)
        bridge.engine_lost.connect(self._lost)

    # --- asking ----------------------------------------------------------------------------------------

    def note(self, path: str, **notes: Any) -> None:
        """Keep notes of a model."""
        self._begin(self._bridge.note_model(path, **notes), "note", path)

    def hash(self, path: str) -> None:
        """Make a model's hashes."""
        self._begin(self._bridge.hash_model(path), "hash", path)

    def verify(self, path: str) -> None:
        """Read a model through and compare it."""
        self._begin(self._bridge.hash_model(path, verify=True), "verify", path)

    def convert(self, path: str) -> None:
        """Write a pickled model as safetensors."""
        self._begin(self._bridge.convert_model(path), "convert", path)

    def take_in(self, path: str) -> None:
        """Bring a model file into the user's own folder."""
        self._begin(self._bridge.import_model(path), "import", path)

    def remove(self, path: str) -> None:
        """Move a model to the bin."""
        self._begin(self._bridge.remove_model(path), "remove", path)

    def describe(self, path: str) -> None:
        """Ask what is written in a model's file."""
        self._begin(self._bridge.describe_model(path), "describe", path)

    def find_duplicates(self) -> None:
        """Compare all files of the same size."""
        if not self.task("duplicates"):
            self._begin(self._bridge.find_duplicates(), "duplicates")

    def rescan(self) -> None:
        """Look for models again."""
        self._bridge.list_models()

    def stop(self, task: Task) -> None:
        """End a task as soon as it can be ended."""
        self._bridge.stop_model_work(task.request)

    def _begin(self, request: str, what: str, path: str = "") -> None:
        self._tasks[request] = Task(request, what, path)
        self.changed.emit()

    # --- what is going on ------------------------------------------------------------------------------

    def task(self, what: str, path: str = "") -> Task | None:
        """The task of a kind for a model, if there is one."""
        return next((task for task in self._tasks.values() if (task.what, task.path) == (what, path)), None)

    def of(self, path: str) -> list[Task]:
        """Everything that reads a model's file at the moment."""
        long = ("note", "hash", "verify", "convert")
        return [task for task in self._tasks.values() if task.path == path and task.what in long]

    def line(self) -> tuple[str, float | None]:
        """What goes on, for the status line, and the part of it that is done; empty for nothing."""
        for task in self._tasks.values():
            if task.words:
                return task.words, task.fraction
        if self.task("duplicates"):
            return tr("Comparing files"), None
        return self._search, None

    # --- answers ---------------------------------------------------------------------------------------

    @Slot(object)
    def _answered(self, event: Message) -> None:
        if isinstance(event, ModelProgress):
            self._went_on(event)
            return
        self._tasks.pop(str(getattr(event, "request", "")), None)
        match event:
            case ModelTold():
                self._models.replace(event.model)
                self.told.emit(event)
            case ModelDescribed():
                self.described.emit(event)
            case ModelConverted():
                self.converted.emit(event)
                self.rescan()
            case ModelImported():
                self.imported.emit(event)
                self.rescan()
            case ModelRemoved():
                self._models.drop(event.path)
                self.removed.emit(event)
                self.rescan()
            case Duplicates():
                self.compared.emit(event)
            case ModelWorkStopped():
                pass
        self.changed.emit()

    def _went_on(self, event: ModelProgress) -> None:
        task = self._tasks.get(event.request)
        if event.phase == "searching":
            self._search = tr("Looking for models: {count} so far", count=event.done)
        elif task is not None:
            words = tr(_WORDS[event.phase], size=bytes_text(event.done, event.total))
            fraction = event.done / event.total if event.total else None
            self._tasks[event.request] = Task(task.request, task.what, task.path, words, fraction)
        self.changed.emit()

    @Slot(object)
    def _listed(self, event: Models) -> None:
        self._search = ""
        self.changed.emit()

    @Slot(object)
    def _failed(self, event: Failure) -> None:
        task = self._tasks.pop(event.request, None)
        if task is not None:
            self.failed.emit(error_info(event.error), task)
            self.changed.emit()

    @Slot(object)
    def _lost(self, event: Lost) -> None:
        self._tasks.clear()
        self._search = ""
        self.changed.emit()
