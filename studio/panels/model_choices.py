"""Models as Create sees them: which there are, which one counts, and what the chosen one asks of the form."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, Signal, Slot

from pipelines.engine.protocol import ModelInfo, Models
from studio.translate import tr

FAMILY_VALUES: Final = (
    "width", "height", "steps", "guidance_scale", "guidance_rescale", "sampler", "schedule", "clip_skip",
)  # fmt: skip
"""Arguments that a model's family decides, unless they are locked."""
DOES: Final = {
    "diffusion": "This model draws pictures.",
    "language": "This model writes text; it can't draw.",
    "upscale": "This model enlarges pictures; it can't draw.",
    "inpaint": "This model fills gaps in pictures; it can't draw.",
    "control": "This model steers drawings of another one; it can't draw.",
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
        self._examine = examine
        self._asked: set[str] = set()

    @Slot(object)
    def set_models(self, event: Models) -> None:
        """Take over a list from the engine."""
        self.models = event.models
        self.changed.emit()

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
        return [model for model in self.models if model.kind == kind]

    def _known(self, value: str) -> ModelInfo | None:
        """The model of any kind with this id or path."""
        names = {value, str(Path(value).expanduser())} if value else set()
        return next((model for model in self.models if names & {model.id, model.path}), None)

    def find(self, value: str, kind: str = "diffusion") -> ModelInfo | None:
        """The model an argument means: its id, its path, or nothing for the first usable one."""
        models = self.of_kind(kind)
        if not value:
            return next((model for model in models if not model.problem), None)
        names = {value, str(Path(value).expanduser())}
        return next((model for model in models if names & {model.id, model.path}), None)

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
        first = ("", default.title if default is not None else tr("Starter model"))
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
