"""Create's options of speed: how the model computes, each with what it costs and brings."""

from __future__ import annotations

from typing import Any, Final

from pipelines.graph.registry import ParamSchema
from pipelines.models.abilities import U_NETS, base_family
from pipelines.models.speed.choices import attention_reasons, compile_reason
from studio.graph.model_changes import SPEED
from studio.panels.change_edits import ChangeEdits
from studio.panels.form_page import FormPage
from studio.panels.form_parts import branched
from studio.panels.model_choices import ModelChoices
from studio.translate import tr
from studio.widgets.field_row import FieldRow
from studio.widgets.number_field import written
from studio.widgets.param_editors import ChoiceEditor, choice_title, editor_for

KEY: Final = "speed"
_BELONG: Final = {"cache_threshold": ("first_block",), "cache_every": ("pyramid", "taylor")}
"""Options that say more of some step caches."""
_OF_U_NETS: Final = ("auto", "native", "xformers")
"""Ways to compute attention that U-Nets have."""


def add_speed(page: FormPage, models: ModelChoices) -> None:
    """The section, where the graph has a model that can be told how to compute."""
    edits = ChangeEdits(page.binding, models, page.values)
    if not edits.has(SPEED):
        return
    rows = [SpeedRow(page, edits, models, param) for param in page.binding.registry[SPEED].params]
    section = page.put_section(KEY, tr("Speed"), rows)
    section.header.setToolTip(tr("How the model computes; most of it costs memory or a little quality."))

    def show() -> None:
        for row in rows:
            row.refresh()
        count = sum(row.is_changed for row in rows)
        section.header.setText(tr("Speed ({number})", number=count) if count else tr("Speed"))

    page.on_update(show)


class SpeedRow(FieldRow):
    """One option, with an editor made from its schema."""

    def __init__(self, page: FormPage, edits: ChangeEdits, models: ModelChoices, param: ParamSchema) -> None:
        self._page, self._edits, self._models, self.param = page, edits, models, param
        self.editor = editor_for(param, [(item, choice_title(item)) for item in param.choices])
        super().__init__(tr(param.title), self.editor, tr(param.description))
        self.setObjectName(f"create.speed.{param.name}")
        self.editor.value_changed.connect(self._edited)
        self.editor.noticed.connect(self.notice)
        self.reset_requested.connect(self._reset)

    @property
    def is_changed(self) -> bool:
        """Whether it differs from its default."""
        return bool(self._edits.speed_value(self.param.name) != self.param.default)

    def refresh(self) -> None:
        """Show the document as it is."""
        known = self._edits.speed
        self.editor.set_value(self._edits.speed_value(self.param.name))
        default = self.param.default
        number = isinstance(default, int | float) and not isinstance(default, bool)
        plain = written(default) if number else choice_title(str(default))
        self.set_resettable(self.is_changed, tr("Back to {value}", value=plain))
        linked = known is not None and self.param.name in known.linked
        fixed = tr("Another node of the graph chooses it.") if linked else ""
        self.set_disabled_because(
            branched() if self._edits.changes(SPEED) is None else fixed or self._limit()
        )
        if isinstance(self.editor, ChoiceEditor) and self.param.name == "attention":
            self.editor.field.set_unavailable(self._ways())

    def _limit(self) -> str:
        """Why an option has no effect with the model, on this computer, or as the others are."""
        name, values = self.param.name, self._page.values
        cache = str(self._edits.speed_value("cache")) if "cache" in self._edits.speed_names else ""
        if name in _BELONG and cache not in _BELONG[name]:
            return tr("It belongs to step caches of another kind than the one chosen.")
        if name == "compile" and self._models.device and (why := compile_reason(self._models.device)):
            return tr(why)
        return values.reason(f"speed:{'cache' if name in _BELONG else name}")

    def _ways(self) -> dict[str, str]:
        """Ways to compute attention that can't be chosen, with the reason."""
        device = self._models.device
        reasons = {name: tr(why) for name, why in attention_reasons(device).items()} if device else {}
        model = self._page.values.model
        if model is not None and base_family(model.family) in U_NETS:
            only = tr("U-Nets compute attention by PyTorch or xFormers.")
            others = [name for name in self.param.choices if name not in _OF_U_NETS]
            reasons |= {name: reasons.get(name) or only for name in others}
        return {name: why for name, why in reasons.items() if why}

    def _edited(self, value: Any) -> None:
        self._edits.set_speed(self.param.name, value)

    def _reset(self) -> None:
        self._edits.set_speed(self.param.name, self.param.default)
