"""The page of Create's fields: labelled rows one below the other, and sections that fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from PySide6.QtWidgets import QLayout, QVBoxLayout, QWidget

from pipelines.engine.protocol import Forecasted
from studio.create.binding import Binding
from studio.create.form_edits import FormEdits
from studio.create.form_fields import TEXTS
from studio.create.model_values import ModelValues
from studio.settings import SettingsStore
from studio.translate import tr
from studio.widgets.field_row import FieldRow
from studio.widgets.prompt_editor import PromptEditor
from studio.widgets.section import Section

LOCKS = {"shape": ("width", "height"), "quality": ("steps",)}
"""Rows that stand for several arguments; every other row locks the argument of its own name."""
_SPACING = 12
SectionT = TypeVar("SectionT", bound=Section)


class FormPage(QWidget):
    """Made anew whenever the document has other arguments; :meth:`show_values` shows them as they are."""

    def __init__(
        self, binding: Binding, values: ModelValues, edits: FormEdits, settings: SettingsStore
    ) -> None:
        super().__init__()
        self.binding, self.values, self.edits, self.settings = binding, values, edits, settings
        self.rows: dict[str, FieldRow] = {}
        self.sections: dict[str, Section] = {}
        self.forecast: Forecasted | None = None
        """What is known beforehand of the next run."""
        self._updates: list[Callable[[], None]] = []
        self.setProperty("role", "scrolled")
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(16, 14, 16, 8)
        self._column.setSpacing(_SPACING)

    def put(self, item: QWidget | QLayout) -> None:
        """Add something at the bottom."""
        if isinstance(item, QLayout):
            self._column.addLayout(item)
        else:
            self._column.addWidget(item)

    def end(self) -> None:
        """Nothing more comes: keep everything at the top."""
        self._column.addStretch(1)

    def on_update(self, update: Callable[[], None]) -> None:
        """Do this whenever the values are shown anew."""
        self._updates.append(update)

    def show_values(self) -> None:
        """Show the document as it is."""
        for update in self._updates:
            update()

    def show_message(self, name: str, text: str, severity: str) -> bool:
        """A message at a field, which is unfolded; False if there is no such field."""
        row = self.rows.get(name)
        if row is None or row.parent() is None:
            return False
        row.show_message(text, severity)
        for section in self.sections.values():
            if section.isAncestorOf(row):
                section.set_expanded(True)
        return True

    def clear_messages(self) -> None:
        """Take all messages away."""
        for row in self.rows.values():
            row.clear_message()

    def row(self, name: str, field: QWidget, *, lockable: bool = False, labelled: bool = True) -> FieldRow:
        """A labelled field; it isn't put anywhere yet."""
        words = TEXTS.get(name)
        schema = self.binding.schema(name)
        own = tr(words.label) if words else self.binding.title(name)
        label = self.binding.given_title(name) or own
        sentence = tr(words.sentence) if words else tr(schema.description) if schema is not None else ""
        row = FieldRow(label, field, sentence, lockable=lockable, show_label=labelled)
        names = LOCKS.get(name, (name,))
        row.lock_toggled.connect(lambda locked: self.edits.lock(names, locked))
        self.rows[name] = row
        if hasattr(field, "noticed"):
            field.noticed.connect(row.notice)

        def update() -> None:
            row.set_locked(self.edits.is_locked(names))
            row.set_disabled_because(self.values.reason(names[0]))

        self.on_update(update)
        return row

    def text(self, name: str, lines: int) -> PromptEditor:
        """A field for text of several lines."""
        editor = PromptEditor(lines)
        editor.setObjectName(f"create.{name}")

        def typed(text: str) -> None:
            self.rows[name].clear_message()
            self.binding.set(name, text)

        editor.value_changed.connect(typed)
        self.on_update(lambda: editor.set_value(str(self.binding.value(name) or "")))
        return editor

    def put_section(self, key: str, title: str, rows: Sequence[QWidget]) -> Section:
        """Rows that fold; whether they are shown is remembered."""
        return self.fold(Section(title, key), rows)

    def fold(self, section: SectionT, rows: Sequence[QWidget]) -> SectionT:
        """The same for a section that was made elsewhere."""
        key = section.key
        section.set_expanded(key in self.settings.values.open_sections)
        section.content.setSpacing(_SPACING)
        for row in rows:
            section.content.addWidget(row)
        section.toggled.connect(lambda on: self._remember(key, on))
        self.sections[key] = section
        self.put(section)
        return section

    def _remember(self, key: str, expanded: bool) -> None:
        opened = set(self.settings.values.open_sections)
        opened = opened | {key} if expanded else opened - {key}
        self.settings.change(open_sections=tuple(sorted(opened)))
