"""LoRAs and embeddings that a prompt names: ``<lora:name:0.8>`` and ``embedding:name``. No torch import.

A1111's notation, and ComfyUI's. A tag is taken out of what is encoded, and the model that draws is given what
it names, for that drawing. ``\\<lora:…>`` is text like any other.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, Literal

from pipelines.errors import LoraBlocksUnreadable
from pipelines.models.lora.blocks import read_blocks

if TYPE_CHECKING:
    from pipelines.engine.protocol import ModelInfo

MOST: Final = 4.0
"""Strengths beyond ± this are refused, as at the node."""
_TAG: Final = re.compile(
    r"(?P<escape>\\)?(?:<lora:(?P<lora>[^<>\n]{1,400})>|(?<!\w)embedding:(?P<embedding>[^\s,()\[\]<>:]{1,200}))",
    re.IGNORECASE,
)

TagKind = Literal["lora", "embedding"]


@dataclasses.dataclass(frozen=True, slots=True)
class Tag:
    """One tag. ``text`` is all of it as written; ``problem`` why its numbers can't be read."""

    kind: TagKind
    text: str
    name: str
    strength: float = 1.0
    text_strength: float = 1.0
    blocks: str = ""
    problem: str = ""


def read_tags(text: str) -> tuple[Tag, ...]:
    """The tags of a prompt in their order.

    Of a LoRA: its name, then the strength, that on the prompt, and the weights of blocks, each after a colon;
    or by name, as ``unet=``, ``te=`` and ``lbw=``.
    """
    return tuple(_tag(found) for found in _TAG.finditer(text) if not found["escape"])


def has_tags(text: str) -> bool:
    """Whether there is anything to be done with a prompt."""
    return ("<lora:" in text or "embedding:" in text) or "<LORA:" in text.upper()


def as_read(text: str, spelled: Callable[[str], str] = str) -> str:
    """A prompt as it is to be encoded: without its LoRAs and the embeddings that the model doesn't know, and
    with what was escaped as it is meant. ``spelled`` puts in what stands for those it knows.
    """
    if not has_tags(text):
        return spelled(text)
    left = spelled(_without(text, "lora"))
    return _TAG.sub(lambda found: found[0].removeprefix("\\"), _without(left, "embedding"))


def without_tag(text: str, tag: Tag) -> str:
    """A prompt without one of its tags, where it is there first."""
    before, found, after = text.partition(tag.text)
    return _tidy(before + after, text) if found else text


def _without(text: str, kind: TagKind) -> str:
    """A text without the tags of a kind."""
    return _tidy(_TAG.sub(lambda found: "" if found[kind] and not found["escape"] else found[0], text), text)


def _tidy(left: str, text: str) -> str:
    """What is left of a text, without the commas that stand between nothing now."""
    if left == text:
        return text
    return re.sub(r"[ \t]{2,}", " ", re.sub(r"(?:[ \t]*,){2,}", ",", left)).strip(" ,\t")


def _tag(found: re.Match[str]) -> Tag:
    if found["embedding"]:
        name = found["embedding"].rstrip(".")
        return Tag("embedding", found[0], name.removesuffix(".safetensors").removesuffix(".pt"))
    name, *parts = found["lora"].split(":")
    name = name.strip()
    if len(name) == 1 and parts and parts[0][:1] in "\\/":  # C:\…
        name, parts = f"{name}:{parts[0]}", parts[1:]
    numbers: list[float] = []
    named: dict[str, float] = {}
    blocks = ""
    for part in (part.strip() for part in parts):
        key, equals, value = part.partition("=")
        if equals and key.lower() in ("unet", "te"):
            number = _number(value)
            named[key.lower()] = number if number is not None else math.nan
        elif equals and key.lower() == "lbw":
            blocks = value
        elif (number := _number(part)) is not None and len(numbers) < 2:
            numbers.append(number)
        elif part:
            blocks = f"{blocks},{part}" if blocks else part
    strength = named.get("unet", numbers[0] if numbers else 1.0)
    text_strength = named.get("te", numbers[1] if len(numbers) > 1 else strength)
    tag = Tag("lora", found[0], name, strength, text_strength, blocks)
    return dataclasses.replace(tag, problem=_problem(tag))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _problem(tag: Tag) -> str:
    if not all(abs(value) <= MOST for value in (tag.strength, tag.text_strength)):  # NaN isn't either
        return f"A strength is a number from −{MOST:g} to {MOST:g}."
    try:
        read_blocks(tag.blocks)
    except LoraBlocksUnreadable as error:
        return error.info().sentences()[1]
    return ""


def named(infos: Sequence[ModelInfo], name: str) -> Iterator[ModelInfo]:
    """The models of a name: by the id, with its suffix or without; else by file or title."""
    wanted = name.replace("\\", "/").casefold()
    exact = [info for info in infos if wanted in (info.id.casefold(), stem(info.id.casefold()))]
    if exact:
        yield from exact
        return
    for info in infos:
        if wanted in (
            stem(PurePath(info.path).name).casefold(),
            info.title.casefold(),
            info.path.casefold(),
        ):
            yield info


def stem(name: str) -> str:
    return name.removesuffix(".safetensors")
