"""Create's options of speed: how the model computes, each with what it costs and brings."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtWidgets import QLabel

from pipelines.graph.registry import ParamSchema
from pipelines.models.families.abilities import U_NETS, base_family
from pipelines.models.speed.choices import Reason, attention_reasons, compile_reason, runtime_reason
from studio.create.change_edits import ChangeEdits
from studio.create.form_page import FormPage
from studio.engine.forecast_words import speed_text
from studio.graph.model_changes import SPEED, users_of
from studio.models.choices import ModelChoices
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
    times = QLabel()
    times.setObjectName("create.speed.times")
    times.setProperty("role", "hint")
    times.setWordWrap(True)
    section = page.put_section(KEY, tr("Speed"), [*rows, times])
    section.header.setToolTip(tr("How the model computes; most of it costs memory or a little quality."))

    def show() -> None:
        for row in rows:
            row.refresh()
        count = sum(row.is_changed for row in rows)
        section.header.setText(tr("Speed ({number})", number=count) if count else tr("Speed"))
        times.setText(_times(page))
        times.setVisible(bool(times.text()))

    page.on_update(show)


def _times(page: FormPage) -> str:
    """What a picture took in earlier runs, with the settings and without; empty where one isn't known."""
    graph, made = page.binding.graph, page.forecast
    if made is None:
        return ""
    ends = {node for node, port in users_of(graph, page.binding.node_of("model")) if port == "model"}
    drawn = (model for model in made.models if model.node in ends and model.seen and model.plain_seconds)
    found = next(drawn, None)
    if found is None or found.seconds is None or found.plain_seconds is None:
        return ""
    batch = graph.nodes[found.node].params.get("batch", 1)
    pictures = batch if isinstance(batch, int) and batch > 1 else 1
    return speed_text(found.seconds, found.plain_seconds, pictures)


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
            self._edits.branched() if self._edits.changes(SPEED) is None else fixed or self._limit()
        )
        if isinstance(self.editor, ChoiceEditor) and self.param.name == "attention":
            self.editor.field.set_unavailable(self._ways())
        elif isinstance(self.editor, ChoiceEditor) and self.param.name == "runtime":
            self.editor.field.set_unavailable(self._runtimes())

    def _limit(self) -> str:
        """Why an option has no effect with the model, on this computer, or as the others are."""
        name, values = self.param.name, self._page.values
        cache = str(self._edits.speed_value("cache")) if "cache" in self._edits.speed_names else ""
        if name in _BELONG and cache not in _BELONG[name]:
            return tr("It belongs to step caches of another kind than the one chosen.")
        if name == "compile" and self._models.device and (why := compile_reason(self._models.device)):
            return _said(why)
        return values.reason(f"speed:{'cache' if name in _BELONG else name}")

    def _ways(self) -> dict[str, str]:
        """Ways to compute attention that can't be chosen, with the reason."""
        device = self._models.device
        reasons = {name: _said(why) for name, why in attention_reasons(device).items()} if device else {}
        model = self._page.values.model
        if model is not None and base_family(model.family) in U_NETS:
            only = tr("U-Nets compute attention by PyTorch or xFormers.")
            others = [name for name in self.param.choices if name not in _OF_U_NETS]
            reasons |= {name: reasons.get(name) or only for name in others}
        return {name: why for name, why in reasons.items() if why}

    def _runtimes(self) -> dict[str, str]:
        """The same for what computes."""
        device = self._models.device
        why = runtime_reason(device) if device else Reason()
        return {name: _said(why) for name in self.param.choices if name != self.param.default and why}

    def _edited(self, value: Any) -> None:
        self._edits.set_speed(self.param.name, value)

    def _reset(self) -> None:
        self._edits.set_speed(self.param.name, self.param.default)


def _said(why: Reason) -> str:
    """A reason in the user's language."""
    return tr(why.text, **why.arguments) if why else ""
