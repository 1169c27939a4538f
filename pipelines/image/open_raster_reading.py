"""Reading OpenRaster files, from friends and from anybody: everything is bounded before memory is taken.

Nothing is ever unpacked to the disk; names inside the archive only find entries of the archive. Groups become
the layers in them: what a group says of place, opacity and visibility is passed on to these.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final
from xml.etree import ElementTree

from pipelines.errors import (
    DiptychError,
    ErrorInfo,
    FileMissing,
    LayerLeftOut,
    LayerLooksDifferent,
    OpenRasterTooLarge,
    OpenRasterUnreadable,
)
from pipelines.files import bytes_text, open_file
from pipelines.graph.storage import BROKEN
from pipelines.graph.values import Image, check_size
from pipelines.image.decode import MAX_FILE, decode_image
from pipelines.image.open_raster import (
    MIME,
    NAMESPACE,
    SHOWN,
    VALUES,
    OraLayer,
    OraPicture,
    mask_of_layer,
)
from pipelines.metadata.containers import PNG_MARK

MAX_LAYERS: Final = 1_000
MAX_DEPTH: Final = 64
"""Groups in each other."""
MAX_DIRECTORY: Final = 2**20
"""Bytes of the archive's table of contents: more than ten thousand entries."""
MAX_STACK: Final = 4 * 2**20
"""Bytes of ``stack.xml``."""
MAX_TOTAL: Final = 2**29
"""Pixels of all layers together: 2 GB of memory."""
MAX_OFFSET: Final = 2**24
MAX_WARNINGS: Final = 100
MAX_NAME: Final = 200
"""Characters of a layer's name in messages."""
_OURS: Final = f"{{{NAMESPACE}}}"
_PACKINGS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN: Final = (*BROKEN, ElementTree.ParseError)
"""What Python raises for broken archives and stacks."""


def read_open_raster(source: Path | bytes) -> OraPicture:
    """Read a file (or its content); layers are bottom first, pictures RGB or RGBA uint8, masks as they were.

    What is blended in another way than normal, or can't be read alone, is told in ``warnings``.

    Raises:
        FileMissing, OpenRasterUnreadable: as their texts say.
        ImageTooLarge, OpenRasterTooLarge: the canvas, or all layers together, have too many pixels.
    """
    if isinstance(source, bytes):
        return _read(io.BytesIO(source), "in the clipboard", len(source))
    try:
        size = source.stat().st_size
        with open_file(source) as file:
            return _read(file, str(source), size)
    except FileNotFoundError as error:
        raise FileMissing(path=str(source)) from error
    except OSError as error:
        raise OpenRasterUnreadable(path=str(source), reason=f"{error.strerror or error}.") from error


def _read(file: BinaryIO, name: str, size: int) -> OraPicture:
    if size > MAX_FILE:
        reason = f"The file has {bytes_text(size)}; at most {bytes_text(MAX_FILE)} are read."
        raise OpenRasterUnreadable(path=name, reason=reason)
    try:
        _check_directory(file, size, name)
        with zipfile.ZipFile(file) as archive:
            return _Reader(archive, name).picture()
    except _BROKEN as error:
        words = str(error.args[0] if error.args else error)[:200] or type(error).__name__
        raise OpenRasterUnreadable(path=name, reason=f"It is damaged or cut off ({words}).") from error


def _check_directory(file: BinaryIO, size: int, name: str) -> None:
    """Refuse an archive with a huge table of contents, which Python's reader would take in as a whole.

    Source: PKWARE, *.ZIP File Format Specification*, sections 4.3.14 to 4.3.16.
    """
    file.seek(max(size - 65_557, 0))
    tail = file.read(65_557)
    end = len(tail) - 22
    if end < 0 or tail[end : end + 4] != b"PK\5\6" or tail[-2:] != b"\0\0":
        end = tail.rfind(b"PK\5\6")
    if end < 0 or end + 22 > len(tail):
        reason = "It is not an OpenRaster file, or it is cut off."
        raise OpenRasterUnreadable(path=name, reason=reason)
    length = int.from_bytes(tail[end + 12 : end + 16], "little")
    if end >= 76 and tail[end - 20 : end - 16] == b"PK\6\7":  # the form for archives of more than 4 GB
        length = max(length % 0xFFFFFFFF, int.from_bytes(tail[end - 36 : end - 28], "little"))
    if length > MAX_DIRECTORY:
        reason = (
            f"Its table of contents has {bytes_text(length)}; at most {bytes_text(MAX_DIRECTORY)} are read."
        )
        raise OpenRasterUnreadable(path=name, reason=reason)


@dataclass(frozen=True, slots=True)
class _Place:
    """An element of the stack, with what the groups round it add up to."""

    element: ElementTree.Element
    x: int = 0
    y: int = 0
    opacity: float = 1.0
    visible: bool = True
    depth: int = 0

    @property
    def name(self) -> str:
        return self.element.get("name", "")

    def inside(self, child: ElementTree.Element) -> _Place:
        """The place of a child of this group."""
        return _Place(
            child,
            self.x + _whole(child.get("x")),
            self.y + _whole(child.get("y")),
            self.opacity * _share(child.get("opacity")),
            self.visible and child.get("visibility", "visible") != "hidden",
            self.depth + 1,
        )


@dataclass(slots=True)
class _Reader:
    archive: zipfile.ZipFile
    name: str
    warnings: list[ErrorInfo] = field(default_factory=list)

    def picture(self) -> OraPicture:
        if self.entry("mimetype", 1_000).strip() != MIME.encode():
            raise OpenRasterUnreadable(path=self.name, reason="It is not an OpenRaster file.")
        root = self.stack()
        width, height = (int(root.get(side, "0")) for side in ("w", "h"))
        if root.tag != "image" or width < 1 or height < 1:
            raise OpenRasterUnreadable(path=self.name, reason="It doesn't say how large the picture is.")
        check_size(width, height)
        places = list(self.places(root))
        if len(places) > MAX_LAYERS:
            reason = f"It has {len(places)} layers; at most {MAX_LAYERS} are read."
            raise OpenRasterUnreadable(path=self.name, reason=reason)
        sizes = {index: size for index, place in enumerate(places) if (size := self.size_of(place))}
        total = sum(width * height for width, height in sizes.values())
        if total > MAX_TOTAL:
            pixels, limit = total // 2**20, MAX_TOTAL // 2**20
            raise OpenRasterTooLarge(path=self.name, layers=len(sizes), pixels=pixels, limit=limit)
        read = [self.layer(places[index], *size) for index, size in sizes.items()]
        layers = [layer for layer in reversed(read) if layer is not None]
        if places and not layers:
            raise OpenRasterUnreadable(path=self.name, reason=self.warnings[-1].sentences()[1])
        return OraPicture(width, height, tuple(layers), tuple(self.warnings))

    def stack(self) -> ElementTree.Element:
        text = self.entry("stack.xml", MAX_STACK).decode("utf-8-sig")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            reason = "Its list of layers has definitions of its own, which no picture needs."
            raise OpenRasterUnreadable(path=self.name, reason=reason)
        return ElementTree.fromstring(text)

    def places(self, root: ElementTree.Element) -> Iterator[_Place]:
        """The layers, topmost first, out of their groups."""
        stack = root.find("stack")
        if stack is None:
            raise OpenRasterUnreadable(path=self.name, reason="Its list of layers is missing.")
        waiting = [_Place(root).inside(stack)]
        while waiting:
            place = waiting.pop()
            if place.element.tag == "layer":
                yield place
            elif place.element.tag == "stack":
                if place.depth > MAX_DEPTH:
                    reason = f"Its groups are nested more than {MAX_DEPTH} deep."
                    raise OpenRasterUnreadable(path=self.name, reason=reason)
                self.check_look(place, len(place.element))
                waiting += [place.inside(child) for child in reversed(place.element)]
            elif isinstance(place.element.tag, str):
                self.leave_out(place, f"It is of a kind that isn't read here ({place.element.tag[:40]}).")

    def check_look(self, place: _Place, layers: int = 1) -> None:
        """Tell what of an element's look is not kept."""
        mode = place.element.get("composite-op", "svg:src-over")
        if mode not in ("svg:src-over", ""):
            reason = f"It is blended by {mode[:60]}, which is shown as normal here."
            self.warn(LayerLooksDifferent(name=place.name[:MAX_NAME], reason=reason))
        elif layers > 1 and _share(place.element.get("opacity")) < 1:
            reason = "It is a group that is see-through as a whole; here each layer in it is."
            self.warn(LayerLooksDifferent(name=place.name[:MAX_NAME], reason=reason))

    def leave_out(self, place: _Place, reason: str) -> None:
        self.warn(LayerLeftOut(name=place.name[:MAX_NAME], reason=reason))

    def warn(self, error: DiptychError) -> None:
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(error.info())

    def size_of(self, place: _Place) -> tuple[int, int] | None:
        """Width and height of a layer, from the first bytes of its file alone."""
        source = place.element.get("src", "")
        try:
            with self.archive.open(self.found(source)) as file:
                head = file.read(24)
        except KeyError:
            self.leave_out(place, f"Its pixels ({source[:100]}) are not in the file.")
            return None
        if len(head) < 24 or not head.startswith(PNG_MARK) or head[12:16] != b"IHDR":
            self.leave_out(place, f"Its pixels ({source[:100]}) are not a PNG.")
            return None
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")

    def layer(self, place: _Place, width: int, height: int) -> OraLayer | None:
        """A layer with its pixels; none, and a warning, if these can't be read."""
        element, ours = place.element, _attributes(place.element)
        try:
            check_size(width, height)
            # A PNG unpacks to eight bytes a pixel at most; what is more is no picture.
            data = self.entry(element.get("src", ""), 8 * width * height + height + 2**24)
            image = decode_image(data, element.get("src", ""))
        except (DiptychError, *_BROKEN) as error:
            told = " ".join(error.info().sentences()[:2]) if isinstance(error, DiptychError) else ""
            self.leave_out(place, told or "Its pixels are damaged.")
            return None
        if (image.width, image.height) != (width, height):  # it says two sizes, to slip through the limit
            self.leave_out(place, "Its pixels are damaged.")
            return None
        self.check_look(place)
        is_mask, shown = ours.pop(VALUES, "") == "alpha", ours.pop(SHOWN, "") == "true"
        return OraLayer(
            place.name,
            mask_of_layer(image) if is_mask else _colours(image),
            min(max(place.x, -MAX_OFFSET), MAX_OFFSET),
            min(max(place.y, -MAX_OFFSET), MAX_OFFSET),
            place.opacity,
            place.visible or shown,
            ours,
        )

    def entry(self, name: str, limit: int) -> bytes:
        """The content of an entry, refused by its stated size before a byte is unpacked.

        Python's reader never gives more than that size, whatever the packed data hold.
        """
        entry = self.found(name)
        if entry.file_size > limit:
            reason = f"{name} unpacks to {bytes_text(entry.file_size)}; at most {bytes_text(limit)} are read."
            raise OpenRasterUnreadable(path=self.name, reason=reason)
        return self.archive.read(entry)

    def found(self, name: str) -> zipfile.ZipInfo:
        entry = self.archive.getinfo(name)
        if entry.compress_type not in _PACKINGS:
            raise NotImplementedError("it is packed in a way that isn't read here")
        return entry


def _attributes(element: ElementTree.Element) -> dict[str, str]:
    """Our own attributes of a layer."""
    ours = {key[len(_OURS) :]: text for key, text in element.attrib.items() if key.startswith(_OURS)}
    return {key: text for key, text in ours.items() if key.replace("-", "").isalnum() and key.islower()}


def _colours(image: Image) -> Image:
    """RGB or RGBA, uint8."""
    pixels = image.as_uint8()
    return Image(pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels)


def _whole(text: str | None) -> int:
    """A number of pixels; programs have been seen to write fractions."""
    value = _number(text, 0.0)
    return round(min(max(value, -MAX_OFFSET), MAX_OFFSET))


def _share(text: str | None) -> float:
    return min(max(_number(text, 1.0), 0.0), 1.0)


def _number(text: str | None, default: float) -> float:
    try:
        value = float(text) if text is not None else default
    except ValueError:
        return default
    return value if math.isfinite(value) else default
