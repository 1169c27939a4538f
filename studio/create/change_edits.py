"""What Create does with the nodes that change a model: VAE, embeddings, options of speed; one undo step
each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

from pipelines.engine.protocol import ModelInfo
from pipelines.graph import types
from pipelines.graph.document import Graph
from studio.create.binding import Binding
from studio.create.fitting import fits
from studio.create.model_values import ModelValues
from studio.graph import model_changes
from studio.graph.model_changes import EMBEDDING, SPEED, VAE, ModelChange
from studio.models.choices import ModelChoices
from studio.translate import tr

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

    def chooser(self, kind: str) -> str:
        """The param of a node type that names a file of the catalogue."""
        return model_changes.chooser(self._binding.registry, kind)

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
        title = self.title(self.embedding_of(item), "embedding")
        self._remove(item.node, tr("Remove the embedding {title}", title=title))

    def embedding_of(self, item: ModelChange) -> str:
        """The file of one."""
        return str(item.params.get(self.chooser(EMBEDDING), ""))

    def word(self, item: ModelChange) -> str:
        """What calls an embedding in a prompt: the node's word, the one it is stored under, or its file."""
        value = self.embedding_of(item)
        info = self.info(value, "embedding")
        stored = next((word for word in info.trigger_words if word.startswith("<")), "") if info else ""
        stem = PurePath((info.path if info is not None else value).replace("\\", "/")).stem
        return str(item.params.get(self._word_param(), "")) or stored or stem

    def add_word(self, place: str, word: str) -> None:
        """A word at the end of the prompt or the negative prompt, unless it is there."""
        text = str(self._binding.value(place) or "")
        if word.casefold() not in text.casefold():
            longer = f"{text.rstrip().rstrip(',')}, {word}" if text.strip() else word
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
