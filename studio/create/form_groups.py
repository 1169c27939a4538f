"""The fields of Create, group by group: each function puts its group on the page if the document has it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from pipelines.diffusion.sizes.any_size import SizePlan
from studio.create.form_fields import TEXTS
from studio.create.form_page import FormPage
from studio.create.layer_edits import LayerEdits
from studio.create.model_card import ModelCard
from studio.create.quality import FACTORS, quality_of, steps_for
from studio.graph.picture_layers import REFERENCES
from studio.models.choices import ModelChoices
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.choice_field import ChoiceField
from studio.widgets.field_row import FieldRow
from studio.widgets.number_field import NumberField
from studio.widgets.seed_field import SeedField
from studio.widgets.segmented import Segmented
from studio.widgets.shape_picker import ShapePicker

FROM_PROMPT = "task:text_to_image"
"""What a model can be unfit for (see :mod:`pipelines.models.probing.limits`)."""
_ORDER = ("prompt", "idea")
"""Texts that come first."""


def add_texts(page: FormPage, models: ModelChoices) -> ModelCard | None:
    """Prompt, idea and negative prompt, with the model's examples; gives the card that offers them."""
    binding = page.binding
    names = [name for name in binding.texts() if name not in ("negative", "system")]
    names.sort(key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
    for name in names:
        editor = page.text(name, 4 if len(names) == 1 else 3)
        page.put(page.row(name, editor))
    card = add_examples(page, models) if binding.has("prompt") else None
    if binding.has("negative"):
        row = page.row("negative", page.text("negative", 2), labelled=False)
        page.put_section("negative", tr("Negative prompt"), [row])
        page.on_update(lambda: _show_reason(row))
    return card


def _show_reason(row: FieldRow) -> None:
    """Why a field can't be used, below it; messages of runs are left alone."""
    shown = str(row.property("reason") or "")
    if row.disabled_reason:
        row.show_message(row.disabled_reason, "info")
    elif shown and row.message.text() == shown:
        row.clear_message()
    row.setProperty("reason", row.disabled_reason)


def add_examples(page: FormPage, models: ModelChoices) -> ModelCard:
    """The model's examples below the prompt; the card itself is put where the model is chosen."""
    card = ModelCard(models, page.binding)
    page.put(card.chips)
    card.example_chosen.connect(page.edits.take_example)
    return card


def add_model(
    page: FormPage,
    models: ModelChoices,
    card: ModelCard | None,
    choose_own: Callable[[], object],
    beside: QWidget | None = None,
) -> None:
    """Which model draws, what is wrong with it, and the way to one of one's own; ``beside`` stands at the end
    of its line."""
    binding = page.binding
    if not binding.has("model"):
        return
    field = ChoiceField()
    field.setObjectName("create.model")
    both = QWidget()
    line = QHBoxLayout(both)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(4)
    line.addWidget(field, 1)
    line.addWidget(_own_button(choose_own))
    if beside is not None:
        line.addWidget(beside)
    both.setFocusProxy(field)
    row = page.row("model", both)
    field.setAccessibleName(tr(TEXTS["model"].label))
    page.put(row)
    if card is not None:
        page.put(card)
        card.own_requested.connect(choose_own)

    def show() -> None:
        value = str(binding.value("model") or "")
        models.look_at(value)
        choices = models.choices("diffusion", value)
        if choices != field.choices():
            field.set_choices(choices)
        task = FROM_PROMPT if binding.has("width") else ""
        field.set_unavailable(models.problems(task=task))
        field.set_value(models.listed_value(value))
        _show_problem(row, models.problem_of(value, task=task))

    field.value_changed.connect(page.edits.choose_model)
    page.on_update(show)


def _own_button(choose_own: Callable[[], object]) -> QToolButton:
    own = QToolButton()
    own.setIcon(current_theme().icon("folder"))
    own.setIconSize(QSize(18, 18))
    own.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    own.setToolTip(tr("Use a model of my own…"))
    own.setAccessibleName(tr("Use a model of my own…"))
    own.clicked.connect(choose_own)
    return own


def _show_problem(row: FieldRow, problem: str) -> None:
    """Why the chosen model can't be used, below the field; messages of runs are left alone."""
    shown = str(row.property("problem") or "")
    if problem:
        row.show_message(problem, "error")
    elif shown and row.message.text() == shown:
        row.clear_message()
    row.setProperty("problem", problem)


def add_shape(page: FormPage, models: ModelChoices) -> None:
    """Width and height as one choice of shape, or as a reference has them."""
    if not (page.binding.has("width") and page.binding.has("height")):
        return
    picker = ShapePicker()
    picker.set_ratio(page.settings.values.ratio)
    picker.size_chosen.connect(lambda size: page.edits.set_size(*size))
    picker.ratio_changed.connect(lambda ratio: page.settings.change(ratio=ratio))
    picker.follow_chosen.connect(page.edits.follow_reference)
    references = LayerEdits(page.binding, models, page.values, REFERENCES)
    row = page.row("shape", picker, lockable=True)
    row.reset_requested.connect(lambda: page.edits.reset("width", "height"))
    page.put(row)
    page.on_update(lambda: _show_shape(page, picker, row, references))


def _show_shape(page: FormPage, picker: ShapePicker, row: FieldRow, references: LayerEdits) -> None:
    values, model = page.values, page.values.model
    width, height = values.number("width", 512), values.number("height", 512)
    if model is not None and model.native_size is not None:
        picker.set_model(model.native_size, model.size_multiple)
    plan = page.values.size_plan()
    picker.set_any_size(page.values.draws_any_size())
    picker.set_size(width, height, keep_area=plan is not None and plan.mode != "direct")
    picker.set_hint(_plan_text(plan, page.values.draws_any_size()))
    found, follows = references.layers, values.follows_reference()
    given = found is not None and bool(found.items or found.before)
    picker.set_follow(follows, given and values.can_follow_reference())
    row.set_origin("" if follows else f"{width} × {height} px")
    native = values.default("width"), values.default("height")
    tip = tr("Back to {width} × {height}", width=native[0], height=native[1])
    row.set_resettable((width, height) != native and not follows, tip)


def _plan_text(plan: SizePlan | None, planned: bool) -> str:
    """What happens to a size that the model can't draw as it is; empty if it can."""
    if plan is None or plan.plain:
        return ""
    width, height = plan.first
    if not planned:
        return "" if plan.mode == "direct" else tr("Drawn as it is, beyond what this model draws well")
    if plan.mode == "two_pass":
        return tr("Composed at {width} × {height}, then enlarged and drawn again", width=width, height=height)
    if plan.mode == "reduced":
        return tr("Drawn at {width} × {height}, then reduced", width=width, height=height)
    return tr("Drawn at {width} × {height}, then cut to size", width=width, height=height)


def add_quality(page: FormPage) -> None:
    """Steps as draft, normal or fine."""
    if not page.binding.has("steps"):
        return
    quality = Segmented()
    for value, title in zip(FACTORS, (tr("Draft"), tr("Normal"), tr("Fine")), strict=True):
        quality.add(value, title)
    quality.value_changed.connect(
        lambda value: page.binding.set("steps", steps_for(value, page.values.default_steps()))
    )
    row = page.row("quality", quality, lockable=True)
    row.reset_requested.connect(lambda: page.edits.reset("steps"))
    page.put(row)
    page.on_update(lambda: _show_quality(page, quality, row))


def _show_quality(page: FormPage, quality: Segmented, row: FieldRow) -> None:
    steps, default = page.values.number("steps", 20), page.values.default_steps()
    quality.set_value(quality_of(steps, default))
    for name in FACTORS:
        quality.button(name).setToolTip(tr("{steps} steps", steps=steps_for(name, default)))
    row.set_origin(tr("{steps} steps", steps=steps))
    row.set_resettable(steps != default, tr("Back to {value}", value=default))


def add_count_and_seed(page: FormPage, drawn: Callable[[], int | None]) -> None:
    """How many pictures, and where they start; ``drawn`` is the seed of the last run, shown in grey."""
    binding = page.binding
    line = QHBoxLayout()
    line.setSpacing(12)
    if binding.has("batch"):
        schema = binding.schema("batch")
        count = NumberField(1, minimum=1, maximum=schema.maximum if schema is not None else None)
        count.value_changed.connect(lambda value: binding.set("batch", value))
        count.setObjectName("create.batch")
        page.on_update(lambda: count.set_value(page.values.number("batch", 1)))
        row = page.row("batch", count)
        row.setFixedWidth(current_theme().px(76))
        line.addWidget(row, 0, Qt.AlignmentFlag.AlignTop)
    if binding.has("seed"):
        seed = SeedField()
        seed.value_changed.connect(lambda value: binding.set("seed", value))
        line.addWidget(page.row("seed", seed), 1, Qt.AlignmentFlag.AlignTop)

        def show() -> None:
            value = binding.value("seed")
            seed.set_value(value if isinstance(value, int) else None)
            seed.show_drawn(drawn())

        page.on_update(show)
    if line.count():
        page.put(line)
