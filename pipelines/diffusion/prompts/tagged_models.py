"""What a prompt names, given to the model that draws it: LoRAs and embeddings, for that drawing. No torch
import.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.prompts.prompt_tags import Tag, TagKind, has_tags, named, read_tags, stem
from pipelines.errors import (
    DiptychError,
    ErrorInfo,
    LoraInNegativePrompt,
    LoraInRegion,
    PromptTagAmbiguous,
    PromptTagUnknown,
    PromptTagUnusable,
)
from pipelines.graph.values import Embedding, Lora, ModelHandle
from pipelines.models.lora.blocks import read_blocks
from pipelines.models.probing import embedding_families
from pipelines.models.probing import lora_families as lora_families

if TYPE_CHECKING:
    from pipelines.engine.protocol import ModelInfo
    from pipelines.graph.node import Context, Resources

KINDS: Final[Mapping[TagKind, str]] = {"lora": "LoRA", "embedding": "embedding"}
_NEAREST: Final = 3


def with_tags(inputs: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """The inputs of a node that draws, with the LoRAs and embeddings of its prompts given to its model.

    What can't be used is told as a warning, and the picture is drawn without it. LoRAs count in the prompt
    alone: elsewhere they would change the whole picture against what is written there.
    """
    model: ModelHandle = inputs["model"]
    prompt, negative = str(inputs.get("prompt") or ""), str(inputs.get("negative") or "")
    regions = [str(layer.info.get("prompt", "")) for layer in inputs.get("regions") or ()]
    if not any(map(has_tags, (prompt, negative, *regions))):
        return inputs
    changed = _Finder(context, model)
    for tag in read_tags(prompt):
        changed.add(tag)
    for error, texts in ((LoraInNegativePrompt, [negative]), (LoraInRegion, regions)):
        for tag in (tag for text in texts for tag in read_tags(text)):
            if tag.kind == "embedding":
                changed.add(tag)
            else:
                changed.warn(error(tag=tag.text).info())
    return {**inputs, "model": changed.model}


def warn_of_tags(text: str, model: ModelHandle, context: Context) -> None:
    """Say of each LoRA in a prompt that is encoded by itself that it isn't used: the model isn't changed
    there."""
    finder = _Finder(context, model)
    for tag in read_tags(text):
        if tag.kind == "lora":
            finder.leave_out(tag, "A prompt that is encoded by itself doesn't change the model.")
        elif not _knows(model, tag):
            finder.leave_out(tag, "A prompt that is encoded by itself teaches the model no words.")


def fingerprint_of_tags(text: str, resources: Resources) -> str:
    """What the key of a drawing must know of the files its prompt names: they may come, go, be replaced."""
    prints = []
    known = _Known(resources)
    for tag in read_tags(text) if has_tags(text) else ():
        try:
            prints.append(_found(tag, known, resources).fingerprint)
        except DiptychError as error:
            prints.append(type(error).__name__)
    return "\n".join(prints)


class _Known:
    """The models of each kind, asked for once."""

    def __init__(self, models: Any) -> None:
        self._models = models
        self._kinds: dict[TagKind, Sequence[ModelInfo]] = {}

    def of(self, kind: TagKind) -> Sequence[ModelInfo]:
        if kind not in self._kinds:
            self._kinds[kind] = self._models.known(kind)
        return self._kinds[kind]


class _Finder:
    """Looks tags up, and gives a model what they name."""

    def __init__(self, context: Context, model: ModelHandle) -> None:
        self._context = context
        self._known = _Known(context.models)
        self.model = model

    def add(self, tag: Tag) -> None:
        """Give the model what a tag names, or say why not."""
        if tag.problem:
            self.leave_out(tag, tag.problem)
            return
        try:
            found = _found(tag, self._known, self._context.models, self.model.family)
            self.model = (_with_lora if tag.kind == "lora" else _with_word)(self.model, found, tag)
        except (PromptTagUnknown, PromptTagAmbiguous) as error:
            self.warn(error.info())
        except DiptychError as error:
            self.leave_out(tag, " ".join(filter(None, error.info().sentences()[:2])))

    def leave_out(self, tag: Tag, reason: str) -> None:
        """Say that a tag isn't used."""
        self.warn(PromptTagUnusable(tag=tag.text, reason=reason).info())

    def warn(self, info: ErrorInfo) -> None:
        """Tell of what isn't used."""
        self._context.warn(dataclasses.replace(info, severity="warning"))


def _knows(model: ModelHandle, tag: Tag) -> bool:
    """Whether a model has the word of a tag already."""
    words = {word.word.casefold() for word in model.embeddings}
    return not words.isdisjoint({tag.text.casefold(), tag.name.casefold()})


def _with_word(model: ModelHandle, found: ModelHandle, tag: Tag) -> ModelHandle:
    if _knows(model, tag):
        return model
    embedding_families.check_fits(found.id, found.family, model.id, model.family)
    word = Embedding(found.id, found.path, found.fingerprint, tag.text)
    return model.replace(embeddings=(*model.embeddings, word))


def _with_lora(model: ModelHandle, found: ModelHandle, tag: Tag) -> ModelHandle:
    lora_families.check_fits(found.id, found.family, model.id, model.family)
    read_blocks(tag.blocks).check(model.family)
    if tag.strength == tag.text_strength == 0:
        return model
    lora = Lora(found.id, found.path, found.fingerprint, tag.strength, tag.text_strength, tag.blocks)
    return model.replace(loras=(*model.loras, lora))


def _found(tag: Tag, known: _Known, models: Any, family: str = "") -> ModelHandle:
    """The model that a tag names, by its id, its file or its title.

    Raises:
        PromptTagUnknown, PromptTagAmbiguous: there is none, or more than one, of the model's family.
        DiptychError: it can't be used.
    """
    infos = known.of(tag.kind)
    found = list(named(infos, tag.name))
    if len(found) > 1 and family:
        found = [info for info in found if lora_families.fits(info.base or info.family, family)] or found
    if not found:
        raise PromptTagUnknown(tag=tag.text, kind=KINDS[tag.kind], nearest=_nearest(infos, tag.name))
    if len(found) > 1:
        names = ", ".join(info.id for info in found[:_NEAREST])
        raise PromptTagAmbiguous(tag=tag.text, kind=KINDS[tag.kind], names=names)
    handle: ModelHandle = models.find(tag.kind, found[0].id)
    return handle


def _nearest(infos: Sequence[ModelInfo], name: str) -> str:
    """A sentence with the names most like one."""
    names = {stem(PurePath(info.path).name).casefold(): stem(PurePath(info.path).name) for info in infos}
    close = difflib.get_close_matches(name.casefold(), names, _NEAREST, 0.4)
    return f"There are {', '.join(names[each] for each in close)}." if close else "None has a name like it."
