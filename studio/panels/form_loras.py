"""Create's list of LoRAs: those that fit the chosen model can be added, each with a strength and a switch."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from pipelines.engine.protocol import ModelInfo
from studio.graph.loras import LORA, LoraNode
from studio.panels.form_page import FormPage
from studio.panels.lora_edits import LoraEdits
from studio.panels.lora_row import LoraRow
from studio.panels.lora_tags import LoraTags
from studio.panels.model_choices import ModelChoices
from studio.translate import tr
from studio.widgets.choice_field import ChoiceField
from studio.widgets.param_editor import tool_button
from studio.widgets.param_editors import ask_for_model

KEY: Final = "loras"


def add_loras(page: FormPage, models: ModelChoices) -> None:
    """The section, where the graph has a model that takes LoRAs."""
    if not page.binding.has("model") or page.binding.registry.get(LORA) is None:
        return
    listed = LoraList(page, models)
    section = page.put_section(KEY, tr("LoRA"), [listed])
    section.header.setToolTip(tr("Small additions to the model: a style, a person, a thing."))

    def show() -> None:
        listed.refresh()
        number = len(listed.rows) + len(listed.edits.tags)
        section.header.setText(tr("LoRA ({number})", number=number) if number else tr("LoRA"))

    page.on_update(show)


class LoraList(QWidget):
    """One row for each LoRA, and below them the field that adds one."""

    def __init__(self, page: FormPage, models: ModelChoices) -> None:
        super().__init__()
        self._page, self._models = page, models
        self.edits = LoraEdits(page.binding, models)
        self.rows: dict[str, LoraRow] = {}
        self.note = QLabel()
        self.note.setProperty("role", "hint")
        self.note.setWordWrap(True)
        self.add = ChoiceField()
        self.add.setObjectName("create.loras")
        self.add.setAccessibleName(tr("Add a LoRA"))
        self.add.setToolTip(tr("LoRAs that fit the chosen model."))
        self.add.value_changed.connect(self._add)
        self.own = tool_button("folder", tr("Add a LoRA of my own…"))
        self.own.clicked.connect(self._add_own)
        self.setFocusProxy(self.add)
        self._list = QVBoxLayout()
        self._list.setSpacing(10)
        self.tags = LoraTags(self.edits)
        line = QHBoxLayout()
        line.setSpacing(4)
        line.addWidget(self.add, 1)
        line.addWidget(self.own)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(self._list)
        layout.addWidget(self.tags)
        layout.addLayout(line)
        layout.addWidget(self.note)

    @Slot()
    def refresh(self) -> None:
        """Show the document and the models as they are."""
        items = self.edits.items
        if [item.node for item in items or ()] != list(self.rows):
            self._make(items or ())
        for item in items or ():
            info = self._models.find(item.lora, "lora")
            self.rows[item.node].show_values(item, self.edits.title(item.lora), info, self._fault(item, info))
        fitting = [info for info in self._models.of_kind("lora") if not info.problem and self._fits(info)]
        self._offer(fitting)
        self.add.setEnabled(bool(fitting) and items is not None)
        self.own.setEnabled(items is not None)
        self.tags.refresh(items is not None)
        self.note.setText(self._words(bool(fitting), items is None))
        self.note.setVisible(bool(self.note.text()))

    def _make(self, items: tuple[LoraNode, ...]) -> None:
        for row in self.rows.values():
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        prompt = self._page.binding.has("prompt")
        self.rows = {
            item.node: LoraRow(item.node, self._page.binding.registry, self.edits, prompt) for item in items
        }
        for row in self.rows.values():
            self._list.addWidget(row)

    def _offer(self, fitting: list[ModelInfo]) -> None:
        choices = [("", tr("Add a LoRA…")), *((info.id, info.title) for info in fitting)]
        if choices != self.add.choices():
            self.add.set_choices(choices)
            words = {info.id: ", ".join(info.trigger_words) for info in fitting if info.trigger_words}
            self.add.set_unavailable(
                {}, {id: tr("Trigger words: {words}", words=text) for id, text in words.items()}
            )
        self.add.set_value("")

    def _fits(self, info: ModelInfo) -> bool:
        from pipelines.models.lora.families import fits

        model = self._page.values.model
        return model is None or fits(info.base or info.family, model.family)

    def _fault(self, item: LoraNode, info: ModelInfo | None) -> str:
        """Why one of the list can't be used with the model."""
        if problem := self._models.problem_of(item.lora, "lora"):
            return problem
        return "" if info is None or self._fits(info) else tr("It was made for models of another family.")

    def _words(self, any_fit: bool, branches: bool) -> str:
        if branches:
            return tr("This graph uses its model with and without LoRAs; they are changed there.")
        if any_fit:
            return ""
        if self._models.of_kind("lora"):
            return tr("None of your LoRAs was made for this model.")
        return tr("Put LoRAs into the folder for models, and they are offered here.")

    @Slot(object)
    def _add(self, value: str) -> None:
        if value:
            self.edits.add(value)
        self.add.set_value("")

    @Slot()
    def _add_own(self) -> None:
        path = ask_for_model(self)
        if path:
            self.edits.add(path)
