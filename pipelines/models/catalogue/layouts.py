"""Where other programs keep models: their folders, told by what is in them, and the usual places of some.

What a folder is called is a hint of what is expected there, never a proof: each file is probed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pipelines.errors import DiptychError
from pipelines.files import is_folder, open_file
from pipelines.models.files.safety import read_json

Program = Literal["comfyui", "a1111", "invokeai", "lm-studio", "hugging-face", ""]

EXTRA_PATHS: Final = ("extra_model_paths.yaml", "extra_model_paths.yml")
MAX_YAML: Final = 256 * 1024
MAX_PATHS: Final = 256

_COMFYUI: Final = (
    "checkpoints",
    "diffusion_models",
    "unet",
    "text_encoders",
    "clip_vision",
    "upscale_models",
)
_A1111: Final = ("Stable-diffusion", "ESRGAN", "VAE-approx", "GFPGAN")


@dataclass(frozen=True, slots=True)
class Found:
    """A folder with models. ``prefix`` goes before the ids of what is in it, relative to the folder named."""

    path: Path
    program: Program = ""
    prefix: str = ""


def folders_of(folder: Path) -> tuple[Found, ...]:
    """What is to be searched of a folder that a user added: of a program's own, its models alone.

    The rest of such a folder holds environments, outputs and extensions, with thousands of files.
    """
    program = program_of(folder)
    models = folder / "models"
    if program == "comfyui":
        own = (Found(models, program, "models/"),) if is_folder(models) else (Found(folder, program),)
        return (*own, *(Found(path, program, f"{path.name}/") for path in extra_paths(folder)))
    if program == "a1111":
        places = (Found(models, program, "models/"), Found(folder / "embeddings", program, "embeddings/"))
        return tuple(found for found in places if is_folder(found.path))
    if program == "invokeai":
        return (Found(models, program, "models/"),)
    return (Found(folder, program),)


def program_of(folder: Path) -> Program:
    """Whose folder it is, by what is in it; empty for nobody's."""
    models = folder / "models"
    if any(map(_is_file, (folder / name for name in EXTRA_PATHS))):
        return "comfyui"
    if any(is_folder(models / name) for name in _A1111):
        return "a1111"
    if sum(is_folder(models / name) for name in _COMFYUI) >= 2:
        return "comfyui"
    if sum(is_folder(folder / name) for name in _COMFYUI) >= 2:
        return "comfyui"
    if _is_file(folder / "invokeai.yaml") and is_folder(models):
        return "invokeai"
    if any(name.startswith("models--") for name in _names(folder)):
        return "hugging-face"
    return ""


def extra_paths(folder: Path) -> Iterator[Path]:
    """The folders that ComfyUI's ``extra_model_paths.yaml`` names, those that are there.

    A section has a ``base_path`` and, for each kind of model, one path or several, a line each. Read by a
    parser that makes nothing but plain values, and bounded; what isn't of this form is left out.
    """
    for name in EXTRA_PATHS:
        data = _yaml(folder / name)
        for section in data.values() if isinstance(data, dict) else ():
            yield from _section(section, folder)


def _section(section: Any, folder: Path) -> Iterator[Path]:
    if not isinstance(section, dict):
        return
    stated = section.get("base_path")
    base = Path(os.path.expandvars(stated)).expanduser() if isinstance(stated, str) else folder
    count = 0
    for kind, value in section.items():
        if kind in ("base_path", "is_default", "custom_nodes") or not isinstance(value, str):
            continue
        for line in value.splitlines()[:MAX_PATHS]:
            count += 1
            path = folder / base / line.strip()
            if line.strip() and count <= MAX_PATHS and is_folder(path):
                yield path


def _yaml(path: Path) -> Any:
    try:
        with open_file(path) as file:
            text = file.read(MAX_YAML + 1)
    except OSError:
        return None
    if len(text) > MAX_YAML:
        return None
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def usual_places(environ: Mapping[str, str] = os.environ, home: Path | None = None) -> Iterator[Found]:
    """Folders that other programs have on most computers, those that are there: caches and libraries that are
    theirs alone to change, and hold nothing but models.
    """
    home = home or Path.home()
    for cache in hub_caches(environ, home):
        if is_folder(cache):
            yield Found(cache, "hugging-face", "hugging-face/")
    for library in _lm_studio(home):
        if is_folder(library):
            yield Found(library, "lm-studio", "lm-studio/")
    root = environ.get("INVOKEAI_ROOT", "")
    for place in (Path(root).expanduser() if root else None, home / "invokeai"):
        if place is not None and program_of(place) == "invokeai":
            yield Found(place / "models", "invokeai", "invokeai/")
            return


def suggestions(home: Path | None = None) -> list[Found]:
    """Programs in their usual folders below the user's own, to be offered; adding one is a choice."""
    home = home or Path.home()
    names = ("ComfyUI", "stable-diffusion-webui", "stable-diffusion-webui-forge", "forge")
    places = [base / name for base in (home, home / "Documents", home / "AI") for name in names]
    return [Found(place, program) for place in places if (program := program_of(place))]


def hub_caches(environ: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Where huggingface_hub keeps repositories, by the variables it heeds itself, the strongest first."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environ.get(name):
            return (Path(environ[name]).expanduser(),)
    base = environ.get("HF_HOME")
    if base:
        return (Path(base).expanduser() / "hub",)
    cache = environ.get("XDG_CACHE_HOME")
    return ((Path(cache).expanduser() if cache else home / ".cache") / "huggingface" / "hub",)


def _lm_studio(home: Path) -> tuple[Path, ...]:
    """LM Studio's library: where its settings say, else where it was put first and where it is put now."""
    try:
        settings = read_json(home / ".lmstudio" / "settings.json", "LM Studio")
    except DiptychError:
        settings = None
    stated = settings.get("downloadsFolder") if isinstance(settings, dict) else None
    if isinstance(stated, str) and stated:
        return (Path(stated).expanduser(),)
    return (home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except OSError:
        return []
