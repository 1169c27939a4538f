"""Create's choice of text encoders: those that read the prompt instead of the model's own."""

from __future__ import annotations

from typing import Final

from PySide6.QtWidgets import QWidget

from studio.create.addition_list import AdditionList, NamedRow
from studio.create.change_edits import ChangeEdits
from studio.graph.model_changes import TEXT_ENCODER, ModelChange
from studio.models.choices import ModelChoices
from studio.translate import tr

KIND: Final = "text_encoder"
"""What catalogue and node call such a file."""


class EncoderList(AdditionList[NamedRow]):
    """The text encoders between the model and what it feeds; hidden where a model's file holds its own."""

    def __init__(self, edits: ChangeEdits, models: ModelChoices) -> None:
        super().__init__("create.encoders", tr("Add a text encoder…"), tr("Add a text encoder of my own…"))
        self.row: QWidget = self
        self._edits, self._models = edits, models
        self.name_above(tr("Text encoders — what reads the prompt"))

    @property
    def is_offered(self) -> bool:
        """Whether the chosen model takes any, or the graph has some."""
        return bool(self._edits.encoders or self._edits.changes(TEXT_ENCODER))

    def refresh(self) -> None:
        """Show the document and the models as they are."""
        self.setVisible(self.is_offered)
        if not self.is_offered:
            return
        found = self._edits.changes(TEXT_ENCODER)
        items = {item.node: item for item in found or ()}
        self.show_rows(tuple(items), lambda node: NamedRow(lambda: self._edits.remove_encoder(node)))
        reasons, titles = self._edits.reasons(KIND), self._edits.encoder_titles()
        for node, item in items.items():
            self._show(self.rows[node], item, {**titles, **reasons})
        listed = self._models.of_kind(KIND)
        self.offer([(info.id, info.title) for info in listed], reasons, titles)
        reason = self._edits.branched() if found is None else self._unwanted()
        self.add.setEnabled(any(info.id not in reasons for info in listed) and not reason)
        self.own.setEnabled(not reason)
        wanted = ", ".join(tr(need.title) for need in self._edits.encoders)
        self.add.setToolTip(reason or tr("This model is made with: {encoders}.", encoders=wanted))
        self.say(reason or ("" if items else tr("Without one, the model's own is found by itself.")))

    def _unwanted(self) -> str:
        """Why the chosen model takes none."""
        return "" if self._edits.encoders else tr("This model's file holds its own text encoders.")

    def _show(self, row: NamedRow, item: ModelChange, notes: dict[str, str]) -> None:
        """One of them: which part of the model it is, or why it can't be."""
        value = self._edits.chosen(item)
        info = self._edits.info(value, KIND)
        note = notes.get(info.id, "") if info is not None else ""
        if self._edits.chooser(TEXT_ENCODER) in item.linked:
            note = tr("Another node of the graph chooses it.")
        row.show_name(self._edits.title(value, KIND), note)

    def add_file(self, value: str) -> None:
        self._edits.choose_encoder(value)
