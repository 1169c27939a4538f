"""What Create's list of LoRAs does to the document: each is one undo step on the graph."""

from __future__ import annotations

from typing import Any

from pipelines.diffusion.prompts.prompt_tags import Tag, named, read_tags, without_tag
from pipelines.engine.protocol import ModelInfo
from studio.create.binding import Binding
from studio.create.prompt_words import with_word
from studio.graph.loras import LoraNode, loras, with_lora, without_lora
from studio.models.choices import ModelChoices
from studio.translate import tr


class LoraEdits:
    """Reads and writes the LoRAs between the form's model and what it feeds."""

    def __init__(self, binding: Binding, models: ModelChoices) -> None:
        self._binding, self._models = binding, models

    @property
    def items(self) -> tuple[LoraNode, ...] | None:
        """The LoRAs in their order; None where they are no list."""
        model = self._binding.node_of("model")
        return loras(self._binding.graph, model) if model else ()

    def title(self, lora: str) -> str:
        """What a LoRA is called."""
        info = self._models.find(lora, "lora")
        return info.title if info is not None else lora.replace("\\", "/").rsplit("/", 1)[-1] or tr("None")

    def add(self, lora: str) -> None:
        """One more, as strong as its maker recommends."""
        info = self._models.find(lora, "lora")
        strength = info.strength if info is not None and info.strength is not None else 1.0
        params = {"lora": lora, "strength": max(-4.0, min(4.0, strength))}
        binding = self._binding
        graph, _ = with_lora(binding.graph, binding.registry, binding.node_of("model"), params)
        binding.replace(graph, tr("Add the LoRA {title}", title=self.title(lora)))

    def remove(self, node: str) -> None:
        """Without this one."""
        binding = self._binding
        if (record := binding.graph.nodes.get(node)) is not None:
            words = tr("Remove the LoRA {title}", title=self.title(str(record.params.get("lora", ""))))
            binding.replace(without_lora(binding.graph, binding.registry, node), words)

    def switch(self, node: str, on: bool) -> None:
        """Use this one, or leave it in the list without effect."""
        binding = self._binding
        if (record := binding.graph.nodes.get(node)) is not None:
            title = self.title(str(record.params.get("lora", "")))
            words = (
                tr("Use the LoRA {title}", title=title)
                if on
                else tr("Leave out the LoRA {title}", title=title)
            )
            changed = record.with_mode("active" if on else "bypassed")
            binding.replace(binding.graph.with_node(node, changed), words)

    def set_strength(self, node: str, value: Any) -> None:
        """How strong it is; what is dragged in one go is one step."""
        if node in self._binding.graph.nodes:
            self._binding.set_at(node, "strength", value)

    def set_blocks(self, node: str, value: Any) -> None:
        """How strong it is in single blocks; what is typed in one go is one step."""
        if node in self._binding.graph.nodes:
            self._binding.set_at(node, "blocks", value)

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The LoRAs that the prompt names."""
        return tuple(tag for tag in read_tags(str(self._binding.value("prompt") or "")) if tag.kind == "lora")

    def named(self, tag: Tag) -> ModelInfo | None:
        """What a tag of the prompt names; None if there is none, or more than one."""
        found = list(named(self._models.of_kind("lora"), tag.name))
        return found[0] if len(found) == 1 else None

    def to_row(self, tag: Tag) -> None:
        """A tag of the prompt as one of the list: out of the text, and the same LoRA as a node."""
        info, place = self.named(tag), self._binding.names.get("prompt")
        if info is None or place is None or self._binding.is_linked("prompt"):
            return
        binding = self._binding
        params: dict[str, Any] = {"lora": info.id, "strength": tag.strength}
        if tag.text_strength != tag.strength:
            params["text_strength"] = tag.text_strength
        if tag.blocks:
            params["blocks"] = tag.blocks
        graph, _ = with_lora(binding.graph, binding.registry, binding.node_of("model"), params)
        text = without_tag(str(binding.value("prompt") or ""), tag)
        graph = graph.with_node(place.node, graph.nodes[place.node].with_param(place.param, text))
        binding.replace(graph, tr("Add the LoRA {title}", title=info.title))

    def add_word(self, word: str) -> None:
        """A trigger word at the end of the prompt, unless it is there."""
        prompt = str(self._binding.value("prompt") or "")
        if (text := with_word(prompt, word)) != prompt:
            self._binding.set_many({"prompt": text}, tr("Add “{word}” to the prompt", word=word))
