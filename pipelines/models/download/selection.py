"""Which files of a repository a model needs: settings, tokenizers and one set of safetensors weights.

Never program code, and never pickles where a folder is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

from pipelines.errors import NothingToDownload, PathNotAllowed
from pipelines.files import safe_join
from pipelines.models.download.hub import Listed, Repository
from pipelines.models.files.safety import MAX_FILES, PICKLE_SUFFIXES
from pipelines.paths import RESOURCES

SINGLE_SUFFIXES: Final = frozenset({".safetensors", ".gguf"}) | PICKLE_SUFFIXES - {".pkl", ".pickle"}
"""What may be fetched as one file. A pickle is converted before it is a model."""

INDEX: Final = "model_index.json"
CONFIG: Final = "config.json"
HALF: Final = "fp16"

_SETTINGS: Final = frozenset({".json", ".txt", ".model", ".jinja"})
_LICENCES: Final = frozenset({"license", "licence", "license.md", "license.txt", "notice", "readme.md"})
_USUAL: Final = ("model", "diffusion_pytorch_model")
_UNUSED: Final = frozenset({"safety_checker", "feature_extractor", "image_encoder"})
_WEIGHTS: Final = re.compile(
    r"(?P<stem>.+?)(?:\.(?P<variant>[a-z][a-z0-9_]*))?(?P<shard>-\d{5}-of-\d{5})?\.safetensors"
)
_LIST: Final = re.compile(r".+\.safetensors\.index(?:\.(?P<variant>[a-z0-9_]+))?\.json")


def one_file(repository: Repository, path: str) -> Listed:
    """The file at ``path``.

    Raises:
        NothingToDownload: it isn't there, or nothing that could be opened.
    """
    found = next((file for file in repository.files if file.path == path), None)
    if found is None or PurePosixPath(path).suffix.lower() not in SINGLE_SUFFIXES:
        what = "It is no model file" if found else "It has no file of this name"
        raise NothingToDownload(
            name=f"{repository.name}/{path}", reason=f"{what}; it has: {_offered(repository)}."
        )
    return found


def whole_folder(repository: Repository, variant: str = "") -> tuple[Listed, ...]:
    """The files of a diffusers folder, or of one of transformers.

    Args:
        variant: ``fp16``, or another that the repository has; the plain weights by default, and ``fp16``
            where there are no others.

    Raises:
        NothingToDownload: it is no folder of one model, has no safetensors weights, or names files outside.
    """
    pipeline = repository.has(INDEX)
    if not pipeline and not repository.has(CONFIG):
        reason = f"It is a collection of files; name one of them: {_offered(repository)}."
        raise NothingToDownload(name=repository.name, reason=reason)
    folders: dict[PurePosixPath, list[Listed]] = {}
    for file in repository.files:
        path = PurePosixPath(file.path)
        depth = len(path.parts) - 1
        if depth == 0 or (pipeline and depth == 1 and path.parts[0] not in _UNUSED):
            folders.setdefault(path.parent, []).append(file)
    chosen: list[Listed] = []
    for folder, files in folders.items():
        chosen += (file for file in files if _is_setting(file.path))
        if not pipeline or folder.parts:  # checkpoints beside a pipeline's folders are the same once more
            chosen += _weights(files, variant)
    _check(repository, chosen)
    return tuple(chosen)


def variants_of(repository: Repository) -> tuple[str, ...]:
    """Other sets of weights that a folder has beside the plain ones: ``fp16``, ``ema``…"""
    names = (PurePosixPath(file.path).name for file in repository.files)
    found = {match["variant"] for name in names if (match := _WEIGHTS.fullmatch(name))}
    return tuple(sorted(found - {None}))


def _is_setting(path: str) -> bool:
    name = PurePosixPath(path).name.lower()
    if name.startswith(".") or _LIST.fullmatch(name):
        return False
    return name in _LICENCES or PurePosixPath(name).suffix in _SETTINGS


def _weights(files: Iterable[Listed], variant: str) -> list[Listed]:
    """One set of weights of one folder: of the variant asked for where there is one, whole rather than in
    shards."""
    sets: dict[tuple[str, bool], list[Listed]] = {}
    usual: dict[tuple[str, bool], list[Listed]] = {}
    lists: dict[str, Listed] = {}
    for file in files:
        name = PurePosixPath(file.path).name
        if (listing := _LIST.fullmatch(name)) is not None:
            lists[listing["variant"] or ""] = file
        elif (found := _WEIGHTS.fullmatch(name)) is not None:
            key = (found["variant"] or "", bool(found["shard"]))
            (usual if found["stem"] in _USUAL else sets).setdefault(key, []).append(file)
    sets = usual or sets
    for wanted in dict.fromkeys((variant, "", HALF)):
        for sharded in (False, True):
            if (wanted, sharded) in sets:
                index = [lists[wanted]] if sharded and wanted in lists else []
                return [*sets[wanted, sharded], *index]
    return []


def _check(repository: Repository, chosen: list[Listed]) -> None:
    if not any(file.path.endswith(".safetensors") for file in chosen):
        raise NothingToDownload(name=repository.name, reason="It has no safetensors weights.")
    if len(chosen) > MAX_FILES:
        raise NothingToDownload(name=repository.name, reason=f"It has {len(chosen):,} files.")
    for file in chosen:
        try:
            safe_join(RESOURCES, file.path)
        except PathNotAllowed as error:
            reason = f"It names a file that leads outside: {file.path[:80]}."
            raise NothingToDownload(name=repository.name, reason=reason) from error


def _offered(repository: Repository) -> str:
    names = [
        file.path for file in repository.files
        if PurePosixPath(file.path).suffix.lower() in (".safetensors", ".gguf")
    ]  # fmt: skip
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return (", ".join(names[:12]) or "none") + more
