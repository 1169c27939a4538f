"""Behind “More”: every other argument of the graph, with an editor made from its schema."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from studio.create.form_fields import FRONT, MORE
from studio.create.form_page import FormPage
from studio.translate import tr
from studio.widgets.field_row import FieldRow
from studio.widgets.number_field import written
from studio.widgets.param_editors import ChoiceEditor, ModelEditor, choice_title, editor_for
from studio.widgets.shapes import nearest

_LOCKABLE = ("guidance_scale", "guidance_rescale", "sampler", "schedule")


def add_chosen(page: FormPage) -> None:
    """What somebody put into the form, in front."""
    binding = page.binding
    shown = {*page.rows, *FRONT, *MORE, "system"}
    for name in binding.names:
        chosen = name not in shown and binding.is_more(name) is False and binding.has(name)
        row = param_row(page, name) if chosen else None
        if row is not None:
            page.put(row)


def add_more(page: FormPage, without: Collection[str] = ()) -> None:
    """The section, if the graph has anything for it; ``without`` stands elsewhere."""
    binding = page.binding
    shown = {*page.rows, *FRONT, "system", *without}
    names = [name for name in MORE if binding.has(name)]
    names += [name for name in binding.names if name not in shown | set(MORE) and binding.has(name)]
    rows = [row for name in names if (row := param_row(page, name)) is not None]
    if binding.has("system"):
        rows.insert(0, page.row("system", page.text("system", 3)))
    if rows:
        page.put_section("more", tr("More"), rows)


def param_row(page: FormPage, name: str) -> FieldRow | None:
    """A row for an argument, with an editor made from its schema; ``None`` for what isn't known."""
    schema = page.binding.schema(name)
    if schema is None:
        return None
    editor = editor_for(schema, [(item, choice_title(item)) for item in schema.choices])
    row = page.row(name, editor, lockable=name in _LOCKABLE)
    row.reset_requested.connect(lambda: page.edits.reset(name))
    editor.value_changed.connect(lambda value: _edited(page, row, name, value))

    def show() -> None:
        value = page.binding.value(name)
        if isinstance(editor, ModelEditor) and schema.dynamic_choices:
            choices, listed = page.values.models_for(schema.dynamic_choices, str(value or ""))
            if choices != editor.field.choices():
                editor.field.set_choices(choices)
            editor.set_value(listed)
        else:
            editor.set_value(value)
        if isinstance(editor, ChoiceEditor):
            editor.field.set_unavailable(page.values.choice_reasons(name), page.values.choice_notes(name))
        _show_state(page, row, name, value)

    page.on_update(show)
    return row


def _show_state(page: FormPage, row: FieldRow, name: str, value: Any) -> None:
    default = page.values.default(name)
    row.set_origin(tr("from the model") if page.values.is_from_model(name) else "")
    number = isinstance(default, int | float) and not isinstance(default, bool)
    plain = written(default) if number else str(default)
    row.set_resettable(value != default, tr("Back to {value}", value=plain))


def _edited(page: FormPage, row: FieldRow, name: str, value: Any) -> None:
    model = page.values.model
    beyond = page.values.draws_any_size()
    if name in ("width", "height") and not beyond and model is not None and value % model.size_multiple:
        multiple = model.size_multiple
        value = nearest(value, value, multiple)[0]
        text = tr(
            "This model draws multiples of {multiple} px: set to {value}.", multiple=multiple, value=value
        )
        row.notice(text)
    else:
        row.clear_message()
    if name in ("width", "height"):
        page.edits.set_side(name, value)
    else:
        page.binding.set(name, value)
    page.show_values()
