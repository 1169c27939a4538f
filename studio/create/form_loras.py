"""Create's list of LoRAs: those that fit the chosen model can be added, each with a strength and a switch."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Slot

from pipelines.engine.protocol import ModelInfo
from studio.create.addition_list import AdditionList
from studio.create.form_page import FormPage
from studio.create.lora_edits import LoraEdits
from studio.create.lora_row import LoraRow
from studio.create.lora_tags import LoraTags
from studio.graph.loras import LORA, LoraNode
from studio.models.choices import ModelChoices
from studio.translate import tr

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


class LoraList(AdditionList[LoraRow]):
    """The LoRAs between the model and what it feeds, and below them those that the prompt names."""

    def __init__(self, page: FormPage, models: ModelChoices) -> None:
        super().__init__("create.loras", tr("Add a LoRA…"), tr("Add a LoRA of my own…"))
        self._page, self._models = page, models
        self.edits = LoraEdits(page.binding, models)
        self.add.setToolTip(tr("LoRAs that fit the chosen model."))
        self.tags = LoraTags(self.edits)
        self.column.insertWidget(1, self.tags)

    @Slot()
    def refresh(self) -> None:
        """Show the document and the models as they are."""
        items = self.edits.items
        self.show_rows([item.node for item in items or ()], self._row)
        for item in items or ():
            info = self._models.find(item.lora, "lora")
            self.rows[item.node].show_values(item, self.edits.title(item.lora), info, self._fault(item, info))
        fitting = [info for info in self._models.of_kind("lora") if not info.problem and self._fits(info)]
        words = {info.id: ", ".join(info.trigger_words) for info in fitting if info.trigger_words}
        self.offer(
            [(info.id, info.title) for info in fitting],
            tips={id: tr("Trigger words: {words}", words=text) for id, text in words.items()},
        )
        self.add.setEnabled(bool(fitting) and items is not None)
        self.own.setEnabled(items is not None)
        self.tags.refresh(items is not None)
        self.say(self._note(bool(fitting), items is None))

    def add_file(self, value: str) -> None:
        self.edits.add(value)

    def _row(self, node: str) -> LoraRow:
        binding = self._page.binding
        return LoraRow(node, binding.registry, self.edits, binding.has("prompt"))

    def _fits(self, info: ModelInfo) -> bool:
        from pipelines.models.probing.lora_families import fits

        model = self._page.values.model
        return model is None or fits(info.base or info.family, model.family)

    def _fault(self, item: LoraNode, info: ModelInfo | None) -> str:
        """Why one of the list can't be used with the model."""
        if problem := self._models.problem_of(item.lora, "lora"):
            return problem
        return "" if info is None or self._fits(info) else tr("It was made for models of another family.")

    def _note(self, any_fit: bool, branches: bool) -> str:
        if branches:
            return tr("This graph uses its model with and without LoRAs; they are changed there.")
        if any_fit:
            return ""
        if self._models.of_kind("lora"):
            return tr("None of your LoRAs was made for this model.")
        return tr("Put LoRAs into the folder for models, and they are offered here.")
