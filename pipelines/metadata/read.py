"""Reading what a picture says about its making, whoever wrote it, without decoding a pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipelines.errors import FileMissing, GraphFromTheFuture, GraphUnreadable, ImageUnreadable
from pipelines.files import open_file
from pipelines.graph import jsontext
from pipelines.graph.document import Graph
from pipelines.metadata import foreign, xmp
from pipelines.metadata.containers import Box, TextTooLarge, read_box, sniff
from pipelines.metadata.exif import parse_exif
from pipelines.metadata.parameters import Parameters, parse_parameters


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """All that was found.

    ``source`` is who made it: diptych, a1111, comfyui, invokeai, or ``""``. ``provenance`` is our own JSON,
    ``parameters`` A1111's text in its parts, ``comfyui`` has ``prompt`` and ``workflow``, ``invokeai`` its
    JSON. ``info`` says the same under our names (prompt, negative, seed, steps, sampler…), whatever the
    source. ``problems`` are sentences about what was broken and left out.
    """

    format: str
    width: int = 0
    height: int = 0
    source: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    parameters: Parameters | None = None
    comfyui: Mapping[str, Any] = field(default_factory=dict)
    invokeai: Mapping[str, Any] = field(default_factory=dict)
    source_type: str = ""
    orientation: int = 1
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As one JSON object; what is empty is left out."""
        tree = {
            "format": self.format,
            "width": self.width,
            "height": self.height,
            "source": self.source,
            "info": dict(self.info),
            "diptych": dict(self.provenance),
            "parameters": asdict(self.parameters) if self.parameters else None,
            "comfyui": dict(self.comfyui),
            "invokeai": dict(self.invokeai),
            "digital_source_type": self.source_type,
            "problems": list(self.problems),
        }
        return {key: value for key, value in tree.items() if value}


def read_metadata(path: Path) -> ImageMetadata:
    """What the picture at ``path`` carries beside its pixels.

    Raises:
        FileMissing: there is no such file.
        ImageUnreadable: it is no picture we know, can't be read, or carries more than 16 MB of text.
    """
    try:
        with open_file(path) as file:
            if not sniff(file.read(16)):
                raise ImageUnreadable(path=str(path), reason="It is not a picture of a format Diptych reads.")
            file.seek(0)
            box = read_box(file)
    except FileNotFoundError as error:
        raise FileMissing(path=str(path)) from error
    except OSError as error:
        raise ImageUnreadable(path=str(path), reason=f"{error.strerror or error}.") from error
    except TextTooLarge as error:
        raise ImageUnreadable(path=str(path), reason=str(error)) from error
    return _understood(box)


def graph_of(path: Path) -> Graph | None:
    """The graph that made the picture, or None if it carries none.

    Raises:
        FileMissing, ImageUnreadable: as :func:`read_metadata`.
        GraphUnreadable, GraphFromTheFuture: there is one, but it can't be opened.
    """
    tree = read_metadata(path).provenance.get("graph")
    if isinstance(tree, str):
        return Graph.loads(tree, path.name)
    return Graph.from_json(tree, path.name) if isinstance(tree, Mapping) else None


def _understood(box: Box) -> ImageMetadata:
    problems = list(box.problems)
    notes = parse_exif(box.exif)
    packets = [xmp.parse(data) for data in box.xmp if data]
    story = box.texts.get("diptych") or next((found.provenance for found in packets if found.provenance), "")
    provenance = _object(story, "What Diptych wrote into it", problems)
    text = box.texts.get("parameters") or notes.comment
    parameters = parse_parameters(text) if text else None
    comfyui = {
        name: found
        for name, written in foreign.comfyui_texts(box.texts, notes).items()
        if (found := _object(written, f"ComfyUI's {name}", problems))
    }
    invokeai = _object(box.texts.get("invokeai_metadata", ""), "What InvokeAI wrote into it", problems)
    source, info = "", dict[str, Any]()
    if provenance:
        found_info = provenance.get("info")
        source, info = "diptych", dict(found_info) if isinstance(found_info, Mapping) else {}
    elif invokeai:
        source, info = "invokeai", foreign.invokeai_info(invokeai)
    elif parameters and parameters.settings:
        source, info = "a1111", parameters.info()
    elif comfyui:
        source, info = "comfyui", foreign.comfyui_info(comfyui.get("prompt", {}))
    return ImageMetadata(
        box.format,
        box.width,
        box.height,
        source,
        info,
        provenance,
        parameters,
        comfyui,
        invokeai,
        next((found.source_type for found in packets if found.source_type), ""),
        notes.orientation,
        tuple(problems),
    )


def _object(text: str, name: str, problems: list[str]) -> Mapping[str, Any]:
    """A JSON object, or an empty one and a sentence in ``problems``."""
    if not text:
        return {}
    try:
        tree = jsontext.loads(foreign.without_nan(text), name)
    except (GraphUnreadable, GraphFromTheFuture) as error:
        problems.append(error.info().text())
        return {}
    if not isinstance(tree, Mapping):
        problems.append(f"{name} is not a JSON object.")
        return {}
    return tree
