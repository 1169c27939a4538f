"""The form of Create as somebody arranged it: fields in their order, and what is put behind “More”."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QWidget

from studio.create.binding import Binding
from studio.create.form_fields import MORE
from studio.create.form_groups import add_count_and_seed, add_examples, add_model, add_quality, add_shape
from studio.create.form_layers import add_layers
from studio.create.form_loras import add_loras
from studio.create.form_more import param_row
from studio.create.form_page import FormPage
from studio.create.form_parts import add_parts
from studio.create.form_refiner import add_refiner
from studio.create.form_speed import add_speed
from studio.create.model_card import ModelCard
from studio.models.choices import ModelChoices
from studio.translate import tr
from studio.widgets.field_row import FieldRow

_FIRST = ("prompt", "idea", "negative", "model", "width", "height", "steps", "batch", "seed")


def usual_order(binding: Binding) -> list[tuple[str, bool]]:
    """Every argument in the order that the form has of itself, and whether it stands behind “More”."""
    names, texts = binding.names, binding.texts()

    def place(name: str) -> tuple[int, int]:
        if name in _FIRST:
            return 0, _FIRST.index(name)
        if name in texts and name != "system":
            return 0, 1
        if binding.is_more(name) is False:
            return 1, 0
        return 2, MORE.index(name) if name in MORE else len(MORE)

    ordered = sorted(names, key=place)
    return [(name, place(name)[0] == 2) for name in ordered]


def add_arranged(
    page: FormPage,
    models: ModelChoices,
    choose_own: Callable[[], object],
    drawn: Callable[[], int | None],
    beside: QWidget | None = None,
) -> ModelCard | None:
    """All fields; gives the card of the model's examples, if there is a prompt. ``beside`` stands beside the
    model."""
    binding = page.binding
    front = [name for name in binding.names if not binding.is_more(name) and binding.has(name)]
    card: ModelCard | None = None
    for name in front:
        if name == "model":
            add_model(page, models, card, choose_own, beside)
            add_loras(page, models)
            add_layers(page, models)
            add_parts(page, models)
            add_refiner(page, models)
        elif name in ("width", "height") and {"width", "height"} <= set(front):
            if "shape" not in page.rows:
                add_shape(page, models)
        elif name == "steps":
            add_quality(page)
        elif name in ("batch", "seed"):
            if name not in page.rows:  # they stand side by side
                add_count_and_seed(page, drawn)
        elif name in binding.texts():
            page.put(page.row(name, page.text(name, 2 if name == "negative" else 3)))
            card = add_examples(page, models) if name == "prompt" else card
        elif (row := param_row(page, name)) is not None:
            page.put(row)
    _add_more(page)
    add_speed(page, models)
    return card


def _add_more(page: FormPage) -> None:
    """What is put there, and the exact values of what is one choice in front."""
    binding = page.binding
    names = [name for name in binding.names if binding.is_more(name) and binding.has(name)]
    names = [name for name in names if name not in page.rows]
    exact = {"shape": ("width", "height"), "quality": ("steps",)}
    names += [name for row, stands_for in exact.items() if row in page.rows for name in stands_for]
    rows: list[FieldRow] = []
    for name in dict.fromkeys(names):
        if name in binding.texts():
            rows.append(page.row(name, page.text(name, 3)))
        elif (row := param_row(page, name)) is not None:
            rows.append(row)
    if rows:
        page.put_section("more", tr("More"), rows)
