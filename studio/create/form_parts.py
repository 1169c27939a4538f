"""Create's choice of parts: another VAE, text encoders, and embeddings with the words that call them."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from studio.create.addition_list import AdditionList, NamedRow
from studio.create.change_edits import ChangeEdits
from studio.create.form_encoders import EncoderList
from studio.create.form_page import FormPage
from studio.graph.model_changes import EMBEDDING, TEXT_ENCODER, VAE, ModelChange
from studio.models.choices import ModelChoices
from studio.translate import tr
from studio.widgets.choice_field import ChoiceField
from studio.widgets.field_row import FieldRow
from studio.widgets.flow import FlowLayout
from studio.widgets.layouts import empty
from studio.widgets.param_editor import tool_button
from studio.widgets.param_editors import ask_for_model

KEY: Final = "parts"


def add_parts(page: FormPage, models: ModelChoices) -> None:
    """The section, where the graph has a model whose parts can be chosen."""
    edits = ChangeEdits(page.binding, models, page.values)
    parts: list[VaeChoice | EncoderList | EmbeddingList] = []
    if edits.has(VAE):
        parts.append(VaeChoice(edits, models))
    encoders = EncoderList(edits, models) if edits.has(TEXT_ENCODER) else None
    if encoders is not None:
        parts.append(encoders)
    if edits.has(EMBEDDING):
        parts.append(EmbeddingList(page, edits, models))
    if not parts:
        return
    section = page.put_section(KEY, tr("VAE and embeddings"), [part.row for part in parts])
    section.header.setToolTip(tr("What turns latents into pixels, and learnt words for the prompt."))

    def show() -> None:
        for part in parts:
            part.refresh()
        listed = (*(edits.changes(TEXT_ENCODER) or ()), *(edits.changes(EMBEDDING) or ()))
        count = (edits.vae is not None) + len(listed)
        title = tr("VAE and embeddings")
        if encoders is not None and encoders.is_offered:
            title = tr("VAE, text encoders and embeddings")
        section.header.setText(f"{title} ({count})" if count else title)

    page.on_update(show)


class VaeChoice:
    """Which VAE decodes: the model's own, or one of the catalogue."""

    def __init__(self, edits: ChangeEdits, models: ModelChoices) -> None:
        self._edits, self._models = edits, models
        self.field = ChoiceField()
        self.field.setObjectName("create.vae")
        self.field.value_changed.connect(self._edits.set_vae)
        own = tool_button("folder", tr("Use a VAE of my own…"))
        both = QWidget()
        line = QHBoxLayout(both)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        line.addWidget(self.field, 1)
        line.addWidget(own)
        both.setFocusProxy(self.field)
        sentence = tr("What turns latents into pixels; tiny ones are fast and coarse.")
        self.row = FieldRow(tr("VAE"), both, sentence)
        self.field.setAccessibleName(tr("VAE"))
        own.clicked.connect(self._choose_own)
        self.row.reset_requested.connect(lambda: self._edits.set_vae(""))

    def refresh(self) -> None:
        """Show the document and the models as they are."""
        known, name = self._edits.vae, self._edits.chooser(VAE)
        value = str(known.params.get(name, "")) if known is not None else ""
        info = self._edits.info(value, "vae")
        choices = [("", tr("The model's own")), *((vae.id, vae.title) for vae in self._models.of_kind("vae"))]
        if value and info is None:
            choices.append((value, self._edits.title(value, "vae")))
        if choices != self.field.choices():
            self.field.set_choices(choices)
        reasons = self._edits.reasons("vae")
        self.field.set_unavailable(reasons)
        self.field.set_value(info.id if info is not None else value)
        linked = known is not None and name in known.linked
        fixed = tr("Another node of the graph chooses it.") if linked else ""
        self.row.set_disabled_because(self._edits.branched() if self._edits.changes(VAE) is None else fixed)
        self.row.set_resettable(bool(value), tr("Back to the model's own"))
        problem = reasons.get(info.id, "") if info is not None else ""
        if problem or self.row.disabled_reason:
            self.row.show_message(problem or self.row.disabled_reason, "error" if problem else "info")
        else:
            self.row.clear_message()

    def _choose_own(self) -> None:
        if path := ask_for_model(self.row):
            self._edits.set_vae(path)


class EmbeddingRow(NamedRow):
    """One embedding: its name, its word to click into the prompt, and the way out."""

    def __init__(self, item: ModelChange, edits: ChangeEdits) -> None:
        super().__init__(lambda: edits.remove_embedding(self.item))
        self.item, self._edits = item, edits
        self._word = ""
        self.words = QWidget()
        self._flow = FlowLayout(self.words)
        self.column.insertWidget(1, self.words)

    def show_values(self, item: ModelChange, fault: str) -> None:
        """Show it as the document has it; ``fault``: why it can't be used."""
        self.item = item
        self.show_name(self._edits.title(self._edits.chosen(item), "embedding"), fault)
        word = self._edits.word(item)
        if word != self._word:
            self._word = word
            self._show_word(word)

    def _show_word(self, word: str) -> None:
        empty(self._flow)
        for place in self._edits.word_places() if word else ():
            chip = QPushButton(word if place == "prompt" else tr("{word} → negative", word=word))
            chip.setProperty("role", "chip")
            chip.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            tip = tr("Add “{word}” to the prompt", word=word)
            if place == "negative":
                tip = tr("Add “{word}” to the negative prompt", word=word)
            chip.setToolTip(tip)
            chip.setAccessibleName(tip)
            chip.clicked.connect(lambda _=False, place=place: self._edits.add_word(place, word))
            self._flow.addWidget(chip)


class EmbeddingList(AdditionList[EmbeddingRow]):
    """The embeddings between the model and what it feeds."""

    def __init__(self, page: FormPage, edits: ChangeEdits, models: ModelChoices) -> None:
        super().__init__("create.embeddings", tr("Add an embedding…"), tr("Add an embedding of my own…"))
        self.row: QWidget = self
        self._page, self._edits, self._models = page, edits, models
        self.name_above(tr("Embeddings — learnt words"))

    def refresh(self) -> None:
        """Show the document and the models as they are."""
        found = self._edits.changes(EMBEDDING)
        items = {item.node: item for item in found or ()}
        self.show_rows(tuple(items), lambda node: EmbeddingRow(items[node], self._edits))
        reasons, limit = self._edits.reasons("embedding"), self._page.values.reason("embeddings")
        for node, item in items.items():
            info = self._edits.info(self._edits.chosen(item), "embedding")
            fault = limit or (reasons.get(info.id, "") if info is not None else "")
            self.rows[node].show_values(item, fault)
        listed = self._models.of_kind("embedding")
        self.offer([(info.id, info.title) for info in listed], reasons)
        reason = self._edits.branched() if found is None else limit
        if not listed and not reason:
            reason = tr("Put embeddings into the folder for models, and they are offered here.")
        self.add.setEnabled(bool(listed) and found is not None and not limit)
        self.own.setEnabled(found is not None and not limit)
        self.add.setToolTip(reason or tr("Learnt words that fit the chosen model."))
        self.say(reason)

    def add_file(self, value: str) -> None:
        self._edits.add_embedding(value)
