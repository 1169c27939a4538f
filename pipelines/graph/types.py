"""Port types: a closed set, with declared conversions between them.

A :class:`PortType` is a name and whether it is a list of such. The conversions that happen at an input port
are listed in :data:`CONVERSIONS`; what they do is in :mod:`pipelines.graph.conversions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class PortType:
    """The type of a port; ``str()`` gives the spelling used in files and messages (``Image``,
    ``list[Image]``)."""

    name: str
    is_list: bool = False

    def __str__(self) -> str:
        return f"list[{self.name}]" if self.is_list else self.name

    @property
    def item(self) -> PortType:
        """The type of one element (itself, if it is not a list)."""
        return PortType(self.name) if self.is_list else self


def list_of(kind: PortType) -> PortType:
    """The list type of ``kind``."""
    return PortType(kind.name, True)


Image: Final = PortType("Image")
Mask: Final = PortType("Mask")
Latent: Final = PortType("Latent")
Text: Final = PortType("Text")
Number: Final = PortType("Number")
Integer: Final = PortType("Integer")
Boolean: Final = PortType("Boolean")
Choice: Final = PortType("Choice")
Size: Final = PortType("Size")
Seed: Final = PortType("Seed")
DiffusionModel: Final = PortType("DiffusionModel")
LanguageModel: Final = PortType("LanguageModel")
UpscaleModel: Final = PortType("UpscaleModel")
ControlModel: Final = PortType("ControlModel")
Adapter: Final = PortType("Adapter")
VAE: Final = PortType("VAE")
Conditioning: Final = PortType("Conditioning")
Stitch: Final = PortType("Stitch")
Layer: Final = PortType("Layer")
Audio: Final = PortType("Audio")
Video: Final = PortType("Video")
Json: Final = PortType("Json")
Any: Final = PortType("Any")

TYPES: Final[dict[str, PortType]] = {
    kind.name: kind
    for kind in (
        Image, Mask, Latent, Text, Number, Integer, Boolean, Choice, Size, Seed, DiffusionModel,
        LanguageModel, UpscaleModel, ControlModel, Adapter, VAE, Conditioning, Stitch, Layer, Audio, Video,
        Json, Any,
    )
}  # fmt: skip

LITERAL_TYPES: Final = frozenset({Text, Number, Integer, Boolean, Choice, Size, Seed, Json})
"""Types whose values can be written into ``params`` as JSON."""

CONVERSIONS: Final[dict[tuple[str, str], str]] = {
    ("Integer", "Number"): "same number",
    ("Number", "Integer"): "rounded to the nearest whole number",
    ("Integer", "Seed"): "as a seed",
    ("Number", "Seed"): "rounded, as a seed",
    ("Seed", "Integer"): "as a number",
    ("Seed", "Number"): "as a number",
    ("Integer", "Text"): "written out",
    ("Number", "Text"): "written out",
    ("Boolean", "Text"): "written out",
    ("Seed", "Text"): "written out",
    ("Choice", "Text"): "its name",
    ("Size", "Text"): "written out",
    ("Json", "Text"): "as JSON",
    ("Text", "Choice"): "by name",
    ("Text", "Number"): "read as a number",
    ("Text", "Integer"): "read as a number",
    ("Text", "Seed"): "read as a number",
    ("Text", "Json"): "as a JSON string",
    ("Boolean", "Integer"): "0 or 1",
    ("Boolean", "Number"): "0 or 1",
    ("Integer", "Boolean"): "on if not 0",
    ("Number", "Boolean"): "on if not 0",
    ("Mask", "Image"): "as a grey picture",
    ("Image", "Mask"): "by brightness",
    ("Image", "Size"): "its size",
}
"""(from, to) -> a few plain words for the wire's tooltip."""


def connects(source: PortType, target: PortType) -> bool:
    """Whether a wire from an output of type ``source`` may end in an input of type ``target``.

    A list into a single-value port maps the node over its items; a single value into a list port is a list of
    one.
    """
    if "Any" in (source.name, target.name) or source.name == target.name:
        return True
    return (source.name, target.name) in CONVERSIONS


def conversion(source: PortType, target: PortType) -> str | None:
    """What happens to a value on its way from ``source`` to ``target`` in plain words; ``None`` if nothing
    does."""
    words = None if source.name == target.name else CONVERSIONS.get((source.name, target.name))
    if source.is_list and not target.is_list and target != Any:
        return f"{words}, once per item" if words else "once per item"
    if target.is_list and not source.is_list and source != Any:
        return f"{words}, as a list of one" if words else "as a list of one"
    return words
