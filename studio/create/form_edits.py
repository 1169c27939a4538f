"""What Create's fields do to the document: each is one undo step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QObject, Slot

from pipelines.graph.document import Graph
from studio.create.binding import Binding
from studio.create.model_values import ModelValues
from studio.graph.reference_size import with_size_of_reference
from studio.models.choices import ModelChoices, family_values
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
        """Set both sides, and no longer take them from a reference."""
        if self._values.follows_reference():
            self._leave_reference({"width": width, "height": height})
        else:
            self._binding.set_many({"width": width, "height": height}, tr("Change the shape"))

    def set_side(self, name: str, value: int) -> None:
        """The same for one of them, which may be typed digit by digit."""
        if self._values.follows_reference():
            self._leave_reference({name: value})
        else:
            self._binding.set(name, value)

    def _leave_reference(self, sides: Mapping[str, int]) -> None:
        graph = self._sized(False)
        for name, value in sides.items():
            if self._binding.has(name):
                place = self._binding.names[name]
                graph = graph.with_param(place.node, place.param, value)
        self._binding.replace(graph, tr("Change the shape"))

    @Slot(bool)
    def follow_reference(self, follow: bool) -> None:
        """Take the size from the first reference, or from the form again."""
        self._binding.replace(self._sized(follow), tr("Change the shape"))

    def _sized(self, follow: bool) -> Graph:
        binding = self._binding
        return with_size_of_reference(binding.graph, binding.registry, binding.node_of("width"), follow)

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
