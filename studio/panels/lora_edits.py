"""What Create's list of LoRAs does to the document: each is one undo step on the graph."""

from __future__ import annotations

from typing import Any

from studio.graph.loras import LoraNode, loras, with_lora, without_lora
from studio.panels.binding import Binding
from studio.panels.model_choices import ModelChoices
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

    def add_word(self, word: str) -> None:
        """A trigger word at the end of the prompt, unless it is there."""
        prompt = str(self._binding.value("prompt") or "")
        if word.casefold() not in prompt.casefold():
            text = f"{prompt.rstrip().rstrip(',')}, {word}" if prompt.strip() else word
            self._binding.set_many({"prompt": text}, tr("Add “{word}” to the prompt", word=word))
