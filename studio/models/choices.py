"""Models as Create sees them: which there are, which one counts, and what the chosen one asks of the form."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, Signal, Slot

from pipelines.engine.protocol import Device, ModelInfo, Models
from studio.translate import tr

FAMILY_VALUES: Final = (
    "width", "height", "steps", "guidance_scale", "guidance_rescale", "sampler", "schedule", "clip_skip",
)  # fmt: skip
"""Arguments that a model's family decides, unless they are locked."""
STARTER: Final = "starter/"
"""Ids of models that ship with the program begin with this."""
OPTIONAL: Final = frozenset({"lora"})
"""Kinds of which nothing is used unless one is named."""
DOES: Final = {
    "diffusion": "This model draws pictures.",
    "language": "This model writes text; it can't draw.",
    "upscale": "This model enlarges pictures; it can't draw.",
    "inpaint": "This model fills gaps in pictures; it can't draw.",
    "control": "This model steers drawings of another one; it can't draw.",
    "lora": "This is an addition to another model; it can't draw by itself.",
    "embedding": "These are words for another model; they can't draw by themselves.",
    "vae": "This is a part of a model; it can't draw by itself.",
    "text_encoder": "This is a part of a model; it can't draw by itself.",
    "adapter": "This is an addition to another model; it can't draw by itself.",
    "vision": "This model reads pictures; it can't draw.",
    "depth": "This model tells how far things in a picture are; it can't draw.",
    "pose": "This model finds the joints of people in pictures; it can't draw.",
    "detector": "This model finds people in pictures; it can't draw.",
}
"""Why a model of another kind can't be used, by its own kind."""


class ModelChoices(QObject):
    """The engine's list of models. ``changed`` after a new list.

    ``examine`` asks the engine for a list in which models at further paths are told of too.
    """

    changed = Signal()

    def __init__(
        self,
        parent: QObject | None = None,
        examine: Callable[[tuple[str, ...]], object] | None = None,
    ) -> None:
        super().__init__(parent)
        self.models: tuple[ModelInfo, ...] = ()
        self.device = ""
        """What computes: ``cpu``, ``cuda:0``…; empty until the engine says."""
        self._kinds: dict[str, list[ModelInfo]] = {}
        self._names: dict[tuple[str, str], ModelInfo] = {}
        self._examine = examine
        self._asked: set[str] = set()

    @Slot(object)
    def set_models(self, event: Models) -> None:
        """Take over a list from the engine."""
        self._take(event.models)

    @Slot(object)
    def set_device(self, event: Device) -> None:
        """Take over which device draws."""
        if event.device != self.device:
            self.device = event.device
            self.changed.emit()

    def _take(self, models: tuple[ModelInfo, ...]) -> None:
        """Other models. Forms ask for kinds and names all the time, of lists of thousands."""
        self.models, self._kinds, self._names = models, {}, {}
        for model in models:
            self._kinds.setdefault(model.kind, []).append(model)
            for kind in (model.kind, ""):
                self._names.setdefault((kind, model.id), model)
                self._names.setdefault((kind, model.path), model)
        self.changed.emit()

    def replace(self, model: ModelInfo) -> None:
        """Take over what is known of one model now."""
        old = self._names.get((model.kind, model.path))
        if old is None or old.id != model.id:
            self._take(tuple(model if known.path == model.path else known for known in self.models))
            return
        self.models = tuple(model if known is old else known for known in self.models)
        self._kinds[model.kind] = [model if known is old else known for known in self._kinds[model.kind]]
        for key in ((kind, name) for kind in (model.kind, "") for name in (model.id, model.path)):
            if self._names.get(key) is old:
                self._names[key] = model
        self.changed.emit()

    def drop(self, path: str) -> None:
        """Forget a model that is gone."""
        self._take(tuple(known for known in self.models if known.path != path))

    def look_at(self, value: str) -> bool:
        """Have a model outside the known folders examined. Whether more will be known of it soon."""
        if self._known(value) is not None or not value or not Path(value).expanduser().is_absolute():
            return False
        if self._examine is not None and value not in self._asked:
            self._asked.add(value)
            self._examine((value,))
        return self._examine is not None

    def of_kind(self, kind: str) -> list[ModelInfo]:
        """All models of a kind, usable or not."""
        return self._kinds.get(kind, [])

    def _known(self, value: str) -> ModelInfo | None:
        """The model of any kind with this id or path."""
        return self._named("", value) if value else None

    def _named(self, kind: str, value: str) -> ModelInfo | None:
        return self._names.get((kind, value)) or self._names.get((kind, str(Path(value).expanduser())))

    def find(self, value: str, kind: str = "diffusion") -> ModelInfo | None:
        """The model an argument means: its id, its path, or nothing for the first usable one."""
        if not value and kind in OPTIONAL:
            return None
        if not value:
            return next((model for model in self.of_kind(kind) if not model.problem), None)
        return self._named(kind, value)

    def only_starter(self) -> bool:
        """Whether no other model draws than the one that ships with the program."""
        usable = [model for model in self.of_kind("diffusion") if not model.problem]
        return bool(usable) and all(model.id.startswith(STARTER) for model in usable)

    def problem_of(self, value: str, kind: str = "diffusion", task: str = "") -> str:
        """Why the model an argument names can't be used; empty if it can, or if nothing is known of it."""
        model = self.find(value, kind) or self._known(value)
        if model is None:
            return ""
        if model.kind != kind:
            return tr(DOES[model.kind])
        return tr(model.problem or model.unavailable.get(task, ""))

    def choices(self, kind: str = "diffusion", value: str = "") -> list[tuple[str, str]]:
        """``(value, title)`` for a field; the default first, and ``value`` even if it isn't in the list."""
        models = self.of_kind(kind)
        default = self.find("", kind)
        first = ("", tr("None")) if kind in OPTIONAL else (
            "", default.title if default is not None else tr("Starter model")
        )  # fmt: skip
        listed = [first, *((model.id, model.title) for model in models if model is not default)]
        known = {key for key, _ in listed} | {model.path for model in models}
        if default is not None:
            known.add(default.id)
        if value and value not in known:
            listed.append((value, Path(value).stem or value))
        return listed

    def listed_value(self, value: str, kind: str = "diffusion") -> str:
        """The value under which :meth:`choices` lists a model."""
        model, default = self.find(value, kind), self.find("", kind)
        if model is None:
            return value
        return "" if model is default else model.id

    def problems(self, kind: str = "diffusion", task: str = "") -> dict[str, str]:
        """Models that can't be chosen, with the reason; ``task`` is what they are to do, as
        ``ModelInfo.unavailable`` names it."""
        found = {model.id: model.problem or model.unavailable.get(task, "") for model in self.of_kind(kind)}
        return {id: reason for id, reason in found.items() if reason}


def family_values(model: ModelInfo, locked: Collection[str]) -> dict[str, Any]:
    """The values to take over when ``model`` is chosen."""
    values: dict[str, Any] = {}
    if model.native_size is not None:
        values["width"], values["height"] = model.native_size
    values |= {name: value for name, value in model.defaults.items() if name in FAMILY_VALUES}
    return {name: value for name, value in values.items() if name not in locked}
