"""What Create's fields do to the document: each is one undo step."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Slot

from studio.panels.binding import Binding
from studio.panels.model_choices import ModelChoices, family_values
from studio.panels.model_values import ModelValues
from studio.settings import SettingsStore
from studio.translate import tr


class FormEdits(QObject):
    """Writes through the binding; what the user locked stays."""

    def __init__(
        self,
        binding: Binding,
        models: ModelChoices,
        values: ModelValues,
        settings: SettingsStore,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._binding, self._models, self._values, self._settings = binding, models, values, settings
        self._awaited = ""
        """A model that was chosen before anything was known of it."""
        models.changed.connect(self._models_changed)

    @Slot(object)
    def choose_model(self, value: str) -> None:
        """Set the model and, as the same undo step, what its family asks for, except what is locked.

        A model that isn't in the list is examined first; its family's values come when it is known.
        """
        self._awaited = value if self._models.look_at(value) else ""
        self._take(value)

    def _take(self, value: str) -> None:
        model = self._models.find(value)
        values = {}
        if model is not None and not model.problem:
            values = family_values(model, self._settings.values.locked)
        title = model.title if model is not None else value
        text = tr("Choose the model {title}", title=title)
        self._binding.set_many({"model": value, **values}, text, merge=f"model {value}")

    @Slot()
    def _models_changed(self) -> None:
        value = self._awaited
        if not value or self._models.find(value) is None:
            return
        self._awaited = ""
        # another may have been chosen since, or the choice undone
        if self._binding.value("model") == value:
            self._take(value)

    def take_example(self, text: str) -> None:
        """Use an example as the prompt."""
        self._binding.set_many({"prompt": text}, tr("Use an example"))

    def set_size(self, width: int, height: int) -> None:
        """Set both sides."""
        self._binding.set_many({"width": width, "height": height}, tr("Change the shape"))

    def reset(self, *names: str) -> None:
        """Back to what the model or the schema says."""
        values = {name: self._values.default(name) for name in names}
        self._binding.set_many(values, tr("Back to the default"))

    def is_locked(self, names: Sequence[str]) -> bool:
        """Whether all of these keep their value when another model is chosen."""
        return all(name in self._settings.values.locked for name in names)

    def lock(self, names: Sequence[str], locked: bool) -> None:
        """Keep these values when another model is chosen, or let them go."""
        before = set(self._settings.values.locked)
        self._settings.change(locked=tuple(sorted(before | set(names) if locked else before - set(names))))
