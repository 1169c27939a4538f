"""Presets as files of the profile, one each, with their pictures beside them. For worker threads."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines import paths
from pipelines.errors import DiptychError, ErrorInfo, PresetMissing, PresetUnreadable
from pipelines.files import atomic_write, open_file, sanitise_name, unique_path
from pipelines.graph.assets import AssetStore, asset_name
from studio.pictures.picture_files import to_bin
from studio.presets.preset import Preset, SteeringPicture, parse

SUFFIX: Final = ".json"
EXPORTED: Final = ".diptych-preset.json"
MAX_BYTES: Final = 2**28
"""Of a file that is imported, pictures included."""
MAX_PICTURE: Final = 2**26
"""Bytes of one picture."""
MAX_LISTED: Final = 2_000


@dataclass(frozen=True, slots=True)
class Kept:
    """One file: the preset, or why it can't be read."""

    path: Path
    preset: Preset | None = None
    error: ErrorInfo | None = None

    @property
    def name(self) -> str:
        """What to call it."""
        return self.preset.name if self.preset is not None else self.path.stem


def default_folder() -> Path:
    """Where this profile keeps its presets."""
    return paths.config_dir() / "presets"


class PresetStore:
    """The presets below ``folder``; any thread may use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pictures = AssetStore(folder / "pictures")

    def all(self) -> list[Kept]:
        """Every preset by name, those that can't be read too."""
        try:
            files = sorted(self.folder.glob(f"*{SUFFIX}"))[:MAX_LISTED]
        except OSError:
            return []
        found = [self._kept(path) for path in files if path.is_file()]
        return sorted(found, key=lambda kept: (kept.preset is None, kept.name.casefold()))

    def _kept(self, path: Path) -> Kept:
        try:
            return Kept(path, self.read(path))
        except DiptychError as error:
            return Kept(path, error=error.info())

    def read(self, path: Path) -> Preset:
        """A preset of a file.

        Raises:
            PresetMissing, PresetUnreadable, PresetFromTheFuture, GraphUnreadable: as their texts say.
        """
        try:
            with open_file(path) as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise PresetMissing(name=path.stem) from error
        if len(data) > MAX_BYTES:
            raise PresetUnreadable(name=path.name, reason="It is larger than any preset.")
        return parse(data, path.name)

    def picture(self, name: str) -> str:
        """The path of a picture by its hash; empty if it isn't there or was changed."""
        try:
            self._pictures.get(name)
        except DiptychError:
            return ""
        return str(self._pictures.path(name))

    # --- changes ---------------------------------------------------------------------------------------

    def find(self, name: str) -> Path | None:
        """The file of a preset by its name."""
        wanted = name.strip().casefold()
        return next(
            (kept.path for kept in self.all() if kept.preset and kept.name.casefold() == wanted), None
        )

    def save(self, preset: Preset, files: Mapping[int, str]) -> Path:
        """Keep a preset, in place of one of the same name; ``files`` are those of its pictures by place.

        A picture that can't be read is kept by its name alone.

        Raises:
            DiskFull, SaveFailed: it could not be kept.
        """
        pictures = tuple(
            self._with_file(item, files.get(place, "")) for place, item in enumerate(preset.pictures)
        )
        whole = preset.model_copy(update={"pictures": pictures, "files": {}})
        known = self.find(preset.name)
        extra = (self.read(known).model_extra or {}) if known is not None else {}
        whole = Preset.model_validate({**extra, **whole.model_dump()})
        return atomic_write(known or self._free(preset.name), whole.dumps())

    def _with_file(self, item: SteeringPicture, file: str) -> SteeringPicture:
        if not file:
            return item
        try:
            with open_file(Path(file)) as opened:
                data = opened.read(MAX_PICTURE + 1)
        except OSError:
            return item
        if len(data) > MAX_PICTURE:
            return item
        return item.model_copy(update={"picture": self._pictures.put(data)})

    def _free(self, name: str) -> Path:
        return unique_path(self.folder / f"{sanitise_name(name, fallback='preset')}{SUFFIX}")

    def rename(self, path: Path, name: str) -> Path:
        """Another name for a preset; its file stays what it is called."""
        return atomic_write(path, self.read(path).renamed(name.strip()).dumps())

    def delete(self, path: Path) -> None:
        """Move a preset to the system's bin; its pictures stay, others may use them, and it may come back."""
        to_bin(str(path))

    # --- other machines --------------------------------------------------------------------------------

    def export(self, path: Path, target: Path) -> Path:
        """A preset with its pictures in one file for others."""
        preset = self.read(path)
        files = {}
        for name in sorted(preset.pictures_used()):
            try:
                files[name] = base64.b64encode(self._pictures.get(name)).decode("ascii")
            except DiptychError:
                continue
        return atomic_write(target, preset.model_copy(update={"files": files}).dumps())

    def take_in(self, source: Path) -> Path:
        """A preset of somebody else's, under a name of its own.

        Raises:
            PresetUnreadable: a picture in it isn't what its name says.
        """
        preset = self.read(source)
        for name, text in preset.files.items():
            try:
                data = base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError) as error:
                raise PresetUnreadable(name=source.name, reason="A picture in it is damaged.") from error
            if asset_name(data) != name:
                raise PresetUnreadable(name=source.name, reason="A picture in it isn't what its name says.")
            self._pictures.put(data)
        name, number = preset.name, 2
        while self.find(name) is not None:
            name, number = f"{preset.name} {number}", number + 1
        whole = preset.model_copy(update={"name": name, "files": {}})
        return atomic_write(self._free(name), whole.dumps())
