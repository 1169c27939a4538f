"""Create's choice of a refiner: the model that goes on with the last steps, and when it takes over."""

from __future__ import annotations

from typing import Any, Final

from pipelines.engine.protocol import ModelInfo
from pipelines.graph.registry import ParamSchema
from studio.create.form_page import FormPage
from studio.graph.model_changes import chain, is_source
from studio.graph.refiner import PORT, SWITCH, Refining, refined_nodes, refining, with_refiner
from studio.models.choices import ModelChoices
from studio.translate import tr
from studio.widgets.choice_field import ChoiceField
from studio.widgets.field_row import FieldRow
from studio.widgets.param_editors import editor_for

KEY: Final = "refiner"
_REFINERS: Final = ("sdxl-refiner", "sdxl")
"""Families of models that can go on with drawings of SDXL, the best first."""


def add_refiner(page: FormPage, models: ModelChoices) -> None:
    """The section, where the graph has a node that can hand over."""
    param = _switch_of(page)
    if not page.binding.has("model") or param is None:
        return
    chosen = RefinerChoice(page, models, param)
    section = page.put_section(KEY, tr("Refiner"), [chosen.row, chosen.switch_row])
    section.header.setToolTip(tr("A second model that goes on with the last steps."))

    def show() -> None:
        chosen.refresh()
        section.header.setText(tr("Refiner (1)") if chosen.model else tr("Refiner"))

    page.on_update(show)


def _switch_of(page: FormPage) -> ParamSchema | None:
    """When nodes of the graph hand over to a refiner; None if none can."""
    kinds = (page.binding.registry.get(record.type) for record in page.binding.graph.nodes.values())
    able = (
        kind for kind in kinds if kind is not None and any(port.name == PORT for port in kind.node.inputs)
    )
    return next((kind.params_by_name[SWITCH] for kind in able if SWITCH in kind.params_by_name), None)


class RefinerChoice:
    """A field for the model, and one for the moment."""

    def __init__(self, page: FormPage, models: ModelChoices, param: ParamSchema) -> None:
        self._page, self._models = page, models
        self.model = ""
        self.field = ChoiceField()
        self.field.setObjectName("create.refiner")
        self.field.value_changed.connect(self.choose)
        self.row = FieldRow(tr("Model"), self.field, tr("Which model goes on with the last steps."))
        self.field.setAccessibleName(tr("Refiner"))
        self.row.reset_requested.connect(lambda: self.choose(""))
        self._usual = param.default
        self.switch = editor_for(param)
        self.switch_row = FieldRow(tr(param.title), self.switch, tr(param.description))
        self.switch.value_changed.connect(self._switch_changed)
        self.switch_row.reset_requested.connect(lambda: self._switch_changed(self._usual))

    @property
    def draws(self) -> tuple[str, ...]:
        """The nodes that hand over."""
        graph, registry = self._page.binding.graph, self._page.binding.registry
        model = self._page.binding.node_of("model")
        if not is_source(graph, registry, model) or chain(graph, model) is None:
            return ()
        return refined_nodes(graph, registry, model)

    def refresh(self) -> None:
        """Show the document and the models as they are."""
        draws = self.draws
        known = refining(self._page.binding.graph, draws)
        shown = known or Refining()
        self.model = shown.model
        usable = [info for info in self._models.of_kind("diffusion") if info.family in _REFINERS]
        usable.sort(key=lambda info: _REFINERS.index(info.family))
        choices = [("", tr("None")), *((info.id, info.title) for info in usable)]
        info = self._models.find(shown.model) if shown.model else None
        value = info.id if info is not None else shown.model
        if value and value not in dict(choices):
            choices.append((value, info.title if info is not None else value))
        if choices != self.field.choices():
            self.field.set_choices(choices)
        self.field.set_unavailable({info.id: tr(info.problem) for info in usable if info.problem})
        self.field.set_value(value)
        reason = self._reason(known is None, usable)
        self.row.set_disabled_because("" if shown.model and known is not None else reason)
        self.row.set_resettable(bool(shown.model), tr("Back to none"))
        if reason:
            self.row.show_message(reason, "error" if shown.model else "info")
        else:
            self.row.clear_message()
        self._show_switch(draws, shown)

    def _reason(self, fixed: bool, usable: list[ModelInfo]) -> str:
        if fixed:
            return tr("What refines this drawing is set in the graph; it is changed there.")
        if why := self._page.values.reason("refiner"):
            return why
        return "" if usable else tr("No refiner was found; add the refiner of Stable Diffusion XL.")

    def _show_switch(self, draws: tuple[str, ...], shown: Refining) -> None:
        binding = self._page.binding
        record = binding.graph.nodes[draws[0]] if draws else None
        value = record.params.get(SWITCH, self._usual) if record is not None else self._usual
        self.switch.set_value(value)
        linked = record is not None and SWITCH in record.inputs
        why = tr("Another node of the graph chooses it.") if linked else ""
        self.switch_row.set_disabled_because(why if shown.model else tr("There is no refiner."))
        self.switch_row.set_resettable(value != self._usual, tr("Back to {value}", value=self._usual))

    # --- edits -----------------------------------------------------------------------------------------

    def choose(self, value: str) -> None:
        """Let this model go on with the last steps; empty: none."""
        binding, draws = self._page.binding, self.draws
        if refining(binding.graph, draws) is None:
            return
        info = self._models.find(value) if value else None
        title = info.title if info is not None else value
        words = tr("Choose the refiner {title}", title=title) if value else tr("Draw without a refiner")
        binding.replace(with_refiner(binding.graph, binding.registry, draws, value), words)

    def _switch_changed(self, value: Any) -> None:
        for draw in self.draws:
            self._page.binding.set_at(draw, SWITCH, value)
