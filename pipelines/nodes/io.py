"""Nodes that read, save and show pictures."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from pipelines.errors import FolderMissing, ImageUnreadable, InvalidParameter, TooManyItems
from pipelines.files import is_file, sweep_temporary
from pipelines.graph import types
from pipelines.graph.node import (
    Context,
    Input,
    Inputs,
    Node,
    NodeParams,
    Output,
    Outputs,
    Param,
    Resources,
    file_fingerprint,
    steps,
)
from pipelines.graph.types import Mask, Text, list_of
from pipelines.graph.values import MAX_PIXELS, Image, ListValue
from pipelines.image import alpha_mask, load_image
from pipelines.metadata import ImageFormat, read_metadata, write_image
from pipelines.nodes.filenames import TOKENS, picture_path

MAX_FILES: Final = 10_000
_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})
_DIGITS: Final = re.compile(r"(\d+)")


def load_with_history(path: Path) -> Image:
    """The picture at ``path``, with what its file says about its making in ``info``, so that it isn't lost.

    Raises:
        FileMissing, ImageUnreadable, ImageTooLarge: as their texts say.
    """
    image = load_image(path)
    try:
        found = read_metadata(path)
    except ImageUnreadable:  # the pixels could be read: texts beside them that can't are no reason to fail
        return image
    source = {"digital_source_type": found.source_type} if found.source_type else {}
    return image.with_pixels(image.pixels, **{**found.info, **source})


def pictures_in(folder: Path, pattern: str = "*") -> list[Path]:
    """The picture files in ``folder`` whose names match ``pattern`` (``*.png; a?.*``).

    In natural order (2 before 10), whatever the case and however accents are stored.

    Raises:
        FolderMissing: there is no such folder, or it can't be read.
        TooManyItems: more than 10,000.
    """
    patterns = [_folded(part.strip()) for part in pattern.split(";") if part.strip()] or ["*"]
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if is_file(Path(entry.path))]
    except OSError as error:
        raise FolderMissing(path=str(folder)) from error
    chosen = [
        name for name in names
        if Path(name).suffix.lower() in _SUFFIXES and any(fnmatchcase(_folded(name), part) for part in
        patterns)
    ]  # fmt: skip
    if len(chosen) > MAX_FILES:
        raise TooManyItems(count=f"{len(chosen):,}", limit=f"{MAX_FILES:,}")
    return [folder / name for name in sorted(chosen, key=_natural)]


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    """A sorting key where digits count as numbers."""
    parts = _DIGITS.split(_folded(name))
    return (
        *((part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts),
        (False, 0, name),
    )


class LoadImage(Node):
    """Open a picture; its transparency becomes a mask (transparent is repainted)."""

    id, title, category, lane = "image.load", "Open image", "Image", "io"
    outputs = (
        Output("image", types.Image),
        Output("mask", Mask, description="1 where the picture is transparent; 0 everywhere else."),
    )
    preview = "image"

    class Params(NodeParams):
        path: str = Param("", "File", "The picture to open.", widget="file", max_length=4096, primary=True)

    @classmethod
    def fingerprint(cls, params: Mapping[str, Any], resources: Resources) -> str:
        return file_fingerprint(resources.path(str(params.get("path", ""))))

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        if not params.path:
            raise InvalidParameter(title="File", value="empty", reason="Nothing is chosen.", port="path")
        image = load_with_history(context.path(params.path))
        return {"image": image, "mask": alpha_mask(image)}


class ImageFolder(Node):
    """Open all pictures of a folder, in natural order."""

    id, title, category, lane = "image.folder", "Open folder", "Image", "io"
    outputs = (Output("images", list_of(types.Image)),)
    preview = "images"

    class Params(NodeParams):
        folder: str = Param(
            "", "Folder", "Where the pictures are.", widget="folder", max_length=4096, primary=True
        )
        pattern: str = Param(
            "*", "Names", "Which files: * stands for anything, ? for one character; several with ; between.",
            max_length=1000, primary=True,
        )  # fmt: skip

    @classmethod
    def fingerprint(cls, params: Mapping[str, Any], resources: Resources) -> str:
        folder = resources.path(str(params.get("folder", "")))
        try:
            paths = pictures_in(folder, str(params.get("pattern", "*")))
        except (FolderMissing, TooManyItems):
            return f"{folder}:unreadable"
        prints = "\n".join(file_fingerprint(path) for path in paths)
        return hashlib.sha256(f"{folder}\n{prints}".encode("utf-8", "surrogateescape")).hexdigest()

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        if not params.folder:
            raise InvalidParameter(title="Folder", value="empty", reason="Nothing is chosen.", port="folder")
        paths = pictures_in(context.path(params.folder), params.pattern)
        images: list[Image] = []
        pixels = 0
        for index in steps(len(paths), context, phase="opening"):
            images.append(load_with_history(paths[index]))
            pixels += images[-1].width * images[-1].height
            if pixels > MAX_PIXELS:
                limit = f"{MAX_PIXELS // 2**20} million pixels together"
                raise TooManyItems(count=f"{len(paths):,}", limit=limit)
        return {"images": ListValue(images)}


class SaveImage(Node):
    """Save a picture with everything needed to make it again; nothing is overwritten unless you say so."""

    id, title, category, lane = "image.save", "Save image", "Image", "io"
    inputs = (Input("image", types.Image, description="The picture to save."),)
    outputs = (Output("path", Text, "File", "Where it was saved."),)
    saves = True
    preview = "image"

    class Params(NodeParams):
        folder: str = Param(
            "", "Folder", "Where to save it; empty is the folder for pictures.",
            widget="folder", max_length=4096, empty="Folder for pictures", primary=True,
        )  # fmt: skip
        name: str = Param(
            "{date}-{time}-{seed}", "Name",
            "What to call it; these are filled in: " + ", ".join(f"{{{token}}}" for token in TOKENS) + ".",
            max_length=1000, primary=True,
        )  # fmt: skip
        format: ImageFormat = Param(
            "png",
            "Format",
            "PNG keeps every pixel, WebP and JPEG are smaller; JPEG has no transparency.",
            primary=True,
        )
        quality: int = Param(
            95, "Quality", "Of WebP and JPEG; 100 makes WebP lossless.", unit="%", ge=1, le=100, advanced=True
        )
        existing: Literal["keep both", "replace"] = Param(
            "keep both",
            "If it exists",
            "A number is added to the new name, or the old file is replaced.",
            advanced=True,
        )
        depth: Literal["8", "16", "auto"] = Param(
            "8",
            "Bits a channel",
            "16 keeps finer steps, auto keeps them if the picture has them; PNG only.",
            advanced=True,
        )

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        image: Image = inputs["image"]
        folder = context.path(params.folder) if params.folder else context.output_dir
        suffix = ".jpg" if params.format == "jpeg" else f".{params.format}"
        path = picture_path(folder, params.name, suffix, image, datetime.now().astimezone())
        fine = params.depth == "16" or (params.depth == "auto" and image.pixels.dtype != np.uint8)
        bits: Literal[8, 16] = 16 if fine else 8
        context.cancel.check()
        # Once for each folder and engine: what a save left behind that was killed long ago.
        context.memo(("swept", str(path.parent)), lambda: sweep_temporary(path.parent))
        story = context.provenance()
        unique = params.existing == "keep both"
        path = write_image(
            image, path, params.format, story, quality=params.quality, bits=bits, unique=unique,
            cancel=context.cancel,
        )  # fmt: skip
        context.progress(1, 1, phase="saving")
        return {"path": str(path)}


class PreviewImage(Node):
    """Show a picture without saving it."""

    id, title, category = "image.preview", "Show image", "Image"
    inputs = (Input("image", types.Image, description="The picture to show."),)
    preview = "image"

    def run(self, inputs: Inputs, params: Any, context: Context) -> Outputs:
        return {}


NODES = (LoadImage, ImageFolder, SaveImage, PreviewImage)
