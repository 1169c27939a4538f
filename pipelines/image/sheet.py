"""A sheet of pictures in rows and columns, with words round them: a parameter sweep at a glance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from pipelines.graph.values import Image, check_size

FONTS: Final = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "segoeui.ttf", "Arial Unicode.ttf", "Helvetica.ttc",
    "NotoSansCJK-Regular.ttc", "msyh.ttc", "msgothic.ttc", "malgun.ttf", "Hiragino Sans GB.ttc",
)  # fmt: skip
"""Fonts of the usual systems, asked for what the one that comes with Pillow can't write."""
MAX_LINES: Final = 4
_NEVER: Final = "\ue123"
"""Of the private area: drawn as "no such character"."""


@dataclass(frozen=True, slots=True)
class SheetStyle:
    """``gap`` between the cells and ``text_size`` in pixels; ``background`` as #rrggbb; ``largest``: pictures
    with a longer side are shown smaller (0: none is)."""

    gap: int = 8
    text_size: int = 20
    background: str = "#ffffff"
    largest: int = 0

    @property
    def ground(self) -> tuple[int, int, int]:
        red, green, blue = bytes.fromhex(self.background[1:7])
        return red, green, blue

    @property
    def ink(self) -> tuple[int, int, int]:
        """Black or white, whichever is read better on the ground (by brightness, BT.709)."""
        red, green, blue = self.ground
        return (20, 20, 20) if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 128 else (240, 240, 240)


@dataclass(frozen=True, slots=True)
class SheetWords:
    """What is written: above the columns, left of the rows, below each picture, and above all."""

    columns: Sequence[str] = ()
    rows: Sequence[str] = ()
    captions: Sequence[str] = ()
    title: str = ""


class _Text(NamedTuple):
    lines: tuple[str, ...]
    width: int
    height: int


def columns_of(count: int, columns: int, column_labels: int, row_labels: int) -> int:
    """How many columns ``count`` pictures take: as asked, else by the labels, else as square as can be."""
    if columns or column_labels:
        return columns or column_labels
    return math.ceil(count / row_labels) if row_labels else math.ceil(math.sqrt(count))


def sheet(images: Sequence[Image], columns: int, words: SheetWords, style: SheetStyle) -> Image:
    """Lay pictures out, row by row, in cells of the largest one's size, each in the middle of its own.

    Args:
        images: at least one; transparent ones are laid over the ground.
        columns: at least 1; the last row may stay unfinished.

    Returns:
        uint8 RGB; its ``info`` has the labels as ``sheet``.

    Raises:
        ImageTooLarge: before memory is taken.
    """
    return _Sheet(images, columns, words, style).drawn()


@lru_cache(maxsize=16)
def _named(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


def font_for(text: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font that has every character of ``text``, if there is one here; else the last that was found."""
    found = ImageFont.load_default(size)
    if not isinstance(found, ImageFont.FreeTypeFont):  # a Pillow without FreeType: one size, no more
        return found
    characters = {character for character in text if not character.isspace()}
    for font in (found, *(_named(name, size) for name in FONTS)):
        if font is None:
            continue
        found, never = font, bytes(font.getmask(_NEVER))
        if all(bytes(font.getmask(character)) != never for character in characters):
            return font
    return found


@dataclass
class _Sheet:
    images: Sequence[Image]
    columns: int
    words: SheetWords
    style: SheetStyle
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont = field(init=False)

    def __post_init__(self) -> None:
        words, style = self.words, self.style
        told = [words.title, *words.columns, *words.rows, *words.captions]
        self.font = font_for("".join(told), style.text_size)
        self.line = round(style.text_size * 1.3)
        self.rows = math.ceil(len(self.images) / self.columns)
        sizes = [self._shown_size(image) for image in self.images]
        self.cell_width = max(width for width, _ in sizes)
        self.cell_height = max(height for _, height in sizes)
        self._lay_out()

    def _lay_out(self) -> None:
        """Where the cells begin, and how large the whole is."""
        words, gap, wide = self.words, self.style.gap, self.cell_width
        self.heads = [self._text(text, wide) for text in words.columns[: self.columns]]
        self.sides = [
            self._text(text, max(wide // 2, 8 * self.style.text_size)) for text in words.rows[: self.rows]
        ]
        self.under = [self._text(text, wide) for text in words.captions[: len(self.images)]]
        left = max((text.width for text in self.sides), default=0)
        self.left = gap + (left + gap if left else 0)
        full = self.left + self.columns * (wide + gap)
        self.title = self._text(words.title, full - 2 * gap)
        heights = (self.title.height, max((text.height for text in self.heads), default=0))
        self.top = gap + sum(height + gap for height in heights if height)
        self.head_top = gap + (self.title.height + gap if self.title.height else 0)
        self.tops = [self.top]
        for row in range(self.rows):
            under = self.under[row * self.columns : (row + 1) * self.columns]
            caption = max((text.height for text in under), default=0)
            self.tops.append(self.tops[-1] + self.cell_height + gap + (caption + gap // 2 if caption else 0))
        self.size = full, self.tops[-1]
        check_size(*self.size)

    def drawn(self) -> Image:
        canvas = Pillow.new("RGB", self.size, self.style.ground)
        pen, wide, gap = ImageDraw.Draw(canvas), self.cell_width, self.style.gap
        self._write(pen, self.title, gap, gap, self.size[0] - 2 * gap)
        for column, text in enumerate(self.heads):
            self._write(pen, text, self.left + column * (wide + gap), self.head_top, wide)
        for row, text in enumerate(self.sides):
            middle = self.tops[row] + max(0, self.cell_height - text.height) // 2
            self._write(pen, text, gap, middle, self.left - 2 * gap)
        for index, image in enumerate(self.images):
            row, column = divmod(index, self.columns)
            x, y = self.left + column * (wide + gap), self.tops[row]
            picture = self._picture(image)
            at = x + (wide - picture.width) // 2, y + (self.cell_height - picture.height) // 2
            canvas.paste(
                picture.convert("RGB"), at, picture.getchannel("A") if picture.mode == "RGBA" else None
            )
            if index < len(self.under):
                self._write(pen, self.under[index], x, y + self.cell_height + max(2, gap // 2), wide)
        labels = {"columns": list(self.words.columns), "rows": list(self.words.rows)}
        return Image(np.asarray(canvas), {"sheet": labels})

    # --- pictures --------------------------------------------------------------------------------------

    def _shown_size(self, image: Image) -> tuple[int, int]:
        longest = max(image.width, image.height)
        if not self.style.largest or longest <= self.style.largest:
            return image.width, image.height
        part = self.style.largest / longest
        return max(1, round(image.width * part)), max(1, round(image.height * part))

    def _picture(self, image: Image) -> Pillow.Image:
        pixels = image.as_uint8()
        picture = Pillow.fromarray(pixels[..., 0] if image.channels == 1 else pixels)
        size = self._shown_size(image)
        return picture if size == picture.size else picture.resize(size, Pillow.Resampling.LANCZOS)

    # --- words -----------------------------------------------------------------------------------------

    def _length(self, text: str) -> int:
        return math.ceil(self.font.getlength(text))

    def _text(self, text: str, room: int) -> _Text:
        """A text broken into lines of at most ``room`` pixels; what doesn't fit ends in an ellipsis."""
        if not text.strip():
            return _Text((), 0, 0)
        lines: list[str] = []
        rest = " ".join(text.split())
        while rest and len(lines) < MAX_LINES:
            line = self._line(rest, room)
            rest = rest[len(line) :].lstrip()
            lines.append(line.rstrip())
        if rest:
            lines[-1] = self._cut(lines[-1] + "…", room)
        return _Text(tuple(lines), max(map(self._length, lines)), self.line * len(lines))

    def _line(self, text: str, room: int) -> str:
        """As many whole words as fit; a word that is too long is broken; one character at least."""
        if self._length(text) <= room:
            return text
        low, high = 1, len(text)
        while low < high:  # the longest beginning that fits
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._length(text[:middle]) <= room else (low, middle - 1)
        space = text.rfind(" ", 0, low + 1)
        return text[:space] if space > 0 else text[:low]

    def _cut(self, text: str, room: int) -> str:
        while self._length(text) > room and len(text) > 2:
            text = text[:-2].rstrip() + "…"
        return text

    def _write(self, pen: ImageDraw.ImageDraw, text: _Text, x: int, y: int, room: int) -> None:
        """Lines in the middle of ``room`` pixels."""
        for number, line in enumerate(text.lines):
            at = x + max(0, room - self._length(line)) // 2, y + number * self.line
            pen.text(at, line, fill=self.style.ink, font=self.font)
