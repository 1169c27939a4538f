"""What Create does with the nodes that change a model: VAE, text encoders, embeddings, options of speed; one
undo step each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from pipelines.engine.protocol import ModelInfo
from pipelines.graph import types
from pipelines.graph.document import Graph
from studio.create.binding import Binding
from studio.create.fitting import encoder_place, encoders_for, fits
from studio.create.model_values import ModelValues
from studio.create.prompt_words import with_word
from studio.graph import model_changes
from studio.graph.model_changes import EMBEDDING, SPEED, TEXT_ENCODER, VAE, ModelChange
from studio.models.choices import ModelChoices
from studio.translate import tr

if TYPE_CHECKING:
    from pipelines.models.parts.needed import Need

WORD_PLACES: Final = ("prompt", "negative")
"""Arguments that the word of an embedding can be put into."""
MAX_WORD: Final = 100
"""Characters of a word, as the node takes it."""
HALVES: Final = ("encoder", "decoder")
"""Variants of VAEs that are no whole one."""


class ChangeEdits:
    """Reads and writes what stands between the form's model and what it feeds."""

    def __init__(self, binding: Binding, models: ModelChoices, values: ModelValues) -> None:
        self._binding, self._models, self._values = binding, models, values
        self._read: tuple[Graph, tuple[ModelChange, ...] | None] | None = None

    def has(self, kind: str) -> bool:
        """Whether there is such a node type, and a model in the form that it can change."""
        return self._binding.has("model") and self._binding.registry.get(kind) is not None

    def changes(self, kind: str) -> tuple[ModelChange, ...] | None:
        """The nodes of one type; None where they are no list."""
        graph, model = self._binding.graph, self._binding.node_of("model")
        if self._read is None or self._read[0] is not graph:
            source = model_changes.is_source(graph, self._binding.registry, model)
            self._read = graph, model_changes.changes(graph, model) if source else None
        found = self._read[1]
        return None if found is None else tuple(item for item in found if item.type == kind)

    def branched(self) -> str:
        """Why nothing can be put between a model and what it feeds, where they are no list."""
        return tr("This graph uses its model with and without changes; they are set in the graph.")

    def chooser(self, kind: str) -> str:
        """The param of a node type that names a file of the catalogue."""
        return model_changes.chooser(self._binding.registry, kind)

    def chosen(self, item: ModelChange) -> str:
        """The file that one of them names."""
        return str(item.params.get(self.chooser(item.type), ""))

    def info(self, value: str, kind: str) -> ModelInfo | None:
        """What is known of a file; nothing for none."""
        return self._models.find(value, kind) if value else None

    def title(self, value: str, kind: str) -> str:
        """What a file is called."""
        info = self.info(value, kind)
        return info.title if info is not None else PurePath(value.replace("\\", "/")).stem or tr("None")

    def fits(self, info: ModelInfo) -> bool:
        """Whether a file was made for models like the chosen one."""
        model = self._values.model
        return model is None or fits(info, model)

    def reasons(self, kind: str) -> dict[str, str]:
        """Files of a kind that can't be used with the model, with the reason."""
        found = {info.id: self._reason(info) for info in self._models.of_kind(kind)}
        return {id: reason for id, reason in found.items() if reason}

    def _reason(self, info: ModelInfo) -> str:
        if info.problem:
            return tr(info.problem)
        if info.kind == "vae" and info.variant in HALVES:
            return tr("It holds only one half of a VAE; one that encodes and decodes is needed.")
        if info.kind == "text_encoder" and not self.fits(info):
            return tr("This model reads its prompt with another text encoder.")
        return "" if self.fits(info) else tr("It was made for models of another family.")

    def _add(self, kind: str, params: Mapping[str, Any], words: str) -> None:
        binding = self._binding
        graph, _ = model_changes.with_change(
            binding.graph, binding.registry, binding.node_of("model"), kind, params
        )
        binding.replace(graph, words)

    def _remove(self, node: str, words: str) -> None:
        binding = self._binding
        if node in binding.graph.nodes:
            binding.replace(model_changes.without_change(binding.graph, binding.registry, node), words)

    # --- VAE -------------------------------------------------------------------------------------------

    @property
    def vae(self) -> ModelChange | None:
        """What decodes instead of the model's own; the last counts."""
        found = self.changes(VAE)
        return found[-1] if found else None

    def set_vae(self, value: str) -> None:
        """Decode with another VAE; empty: the model's own."""
        known, name = self.vae, self.chooser(VAE)
        if known is None and value:
            self._add(VAE, {name: value}, tr("Choose the VAE {title}", title=self.title(value, "vae")))
        elif known is not None and value:
            words = tr("Choose the VAE {title}", title=self.title(value, "vae"))
            self._binding.replace(self._binding.graph.with_param(known.node, name, value), words)
        elif known is not None:
            self._remove(known.node, tr("Use the model's own VAE"))

    # --- text encoders ---------------------------------------------------------------------------------

    @property
    def encoders(self) -> tuple[Need, ...]:
        """The text encoders that the chosen model is given in files of their own."""
        model = self._values.model
        return encoders_for(model) if model is not None else ()

    def encoder_titles(self) -> dict[str, str]:
        """Which of the model's text encoders the known files are."""
        found = {info.id: self._place(info) for info in self._models.of_kind("text_encoder")}
        return {id: tr(place.title) for id, place in found.items() if place is not None}

    def choose_encoder(self, value: str) -> None:
        """Read the prompt with another text encoder, in place of one that is the same part of the model."""
        name, title = self.chooser(TEXT_ENCODER), self.title(value, "text_encoder")
        words = tr("Choose the text encoder {title}", title=title)
        place = self._place(self.info(value, "text_encoder"))
        same = (
            item for item in self.changes(TEXT_ENCODER) or ()
            if name not in item.linked and self._place(self.info(self.chosen(item), "text_encoder")) is place
        )  # fmt: skip
        known = next(same, None) if place is not None else None
        if known is None:
            self._add(TEXT_ENCODER, {name: value}, words)
        else:
            self._binding.replace(self._binding.graph.with_param(known.node, name, value), words)

    def _place(self, info: ModelInfo | None) -> Need | None:
        """Which of the chosen model's text encoders a file is; None for none, or if it isn't known."""
        model = self._values.model
        return encoder_place(info, model) if info is not None and model is not None else None

    def remove_encoder(self, node: str) -> None:
        """Back to the model's own."""
        record = self._binding.graph.nodes.get(node)
        value = str(record.params.get(self.chooser(TEXT_ENCODER), "")) if record is not None else ""
        title = self.title(value, "text_encoder")
        self._remove(node, tr("Remove the text encoder {title}", title=title))

    # --- embeddings ------------------------------------------------------------------------------------

    def add_embedding(self, value: str) -> None:
        """One more, called by the word that its maker says."""
        title, info = self.title(value, "embedding"), self.info(value, "embedding")
        params = {self.chooser(EMBEDDING): value}
        word = next(iter(info.trigger_words), "") if info is not None else ""
        own = self._word_param()
        if own and 0 < len(word) <= MAX_WORD:
            params[own] = word
        self._add(EMBEDDING, params, tr("Add the embedding {title}", title=title))

    def _word_param(self) -> str:
        """The param of the node that says what calls an embedding."""
        schema, chooser = self._binding.registry[EMBEDDING], self.chooser(EMBEDDING)
        texts = (param.name for param in schema.params if param.type == types.Text)
        return next((name for name in texts if name != chooser), "")

    def remove_embedding(self, item: ModelChange) -> None:
        """Without this one; its word stays in the prompt."""
        title = self.title(self.chosen(item), "embedding")
        self._remove(item.node, tr("Remove the embedding {title}", title=title))

    def word(self, item: ModelChange) -> str:
        """What calls an embedding in a prompt: the node's word, the one it is stored under, or its file."""
        value = self.chosen(item)
        info = self.info(value, "embedding")
        stored = next((word for word in info.trigger_words if word.startswith("<")), "") if info else ""
        stem = PurePath((info.path if info is not None else value).replace("\\", "/")).stem
        return str(item.params.get(self._word_param(), "")) or stored or stem

    def add_word(self, place: str, word: str) -> None:
        """A word at the end of the prompt or the negative prompt, unless it is there."""
        text = str(self._binding.value(place) or "")
        if (longer := with_word(text, word)) != text:
            words = tr("Add “{word}” to the prompt", word=word)
            if place == "negative":
                words = tr("Add “{word}” to the negative prompt", word=word)
            self._binding.set_many({place: longer}, words)

    def word_places(self) -> list[str]:
        """Where words can be put."""
        return [place for place in WORD_PLACES if self._binding.has(place)]

    # --- speed -----------------------------------------------------------------------------------------

    @property
    def speed(self) -> ModelChange | None:
        """The node with options of speed; the last counts."""
        found = self.changes(SPEED)
        return found[-1] if found else None

    @property
    def speed_names(self) -> tuple[str, ...]:
        """The options there are."""
        return tuple(param.name for param in self._binding.registry[SPEED].params)

    def speed_value(self, name: str) -> Any:
        """An option as it is, or its default."""
        default = self._binding.registry[SPEED].params_by_name[name].default
        known = self.speed
        return known.params.get(name, default) if known is not None else default

    def set_speed(self, name: str, value: Any) -> None:
        """Change an option; the node is there while one differs from its default."""
        known, schema = self.speed, self._binding.registry[SPEED]
        words = tr("Change {setting}", setting=tr(schema.params_by_name[name].title))
        if known is None:
            if value != schema.params_by_name[name].default:
                self._add(SPEED, {name: value}, words)
            return
        params = {**schema.defaults, **known.params, name: value}
        plain = all(params[key] == default for key, default in schema.defaults.items())
        if plain and not known.linked and known.on:
            self._remove(known.node, words)
        else:
            self._binding.set_at(known.node, name, value)
