"""Checks that run before any library opens a model: by content, never by a file's name.

Refused are pickles whatever they are called, Python code, settings that make a library import code
(``auto_map``, ``custom_pipeline``, classes from anywhere but diffusers and transformers), and names or
links that leave the folder.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from pipelines.errors import ModelMissing, ModelUnreadable, ModelUnsafe, PathNotAllowed, UnknownModelFamily
from pipelines.files import open_file, safe_join
from pipelines.models.files.header import Header, read_header
from pipelines.models.pipeline_classes import PIPELINES

MAX_FILES: Final = 2_000
MAX_DEPTH: Final = 6
MAX_JSON: Final = 64 * 2**20
"""Bytes of one JSON file that are read at most; a large tokenizer has about 20 MB."""

CODE_SUFFIXES: Final = frozenset({".py", ".pyc", ".pyd", ".pyw", ".so", ".dll", ".dylib"})
PICKLE_SUFFIXES: Final = frozenset({".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle"})
CODE_SETTINGS: Final = frozenset({"auto_map", "custom_pipeline", "custom_generate", "trust_remote_code"})

LIBRARIES: Final = frozenset({"diffusers", "transformers"})
_OWN_MODULES: Final = frozenset(
    {("stable_diffusion", "StableDiffusionSafetyChecker"), ("flux", "ReduxImageEncoder")}
)
"""Classes that diffusers lists under the module of their pipeline."""

_CLASS_SETTINGS: Final = {
    "tokenizer_class": re.compile(r"\w+(Tokenizer|TokenizerFast|Backend)"),
    "processor_class": re.compile(r"\w+Processor"),
}
"""Settings that name a class, which transformers looks up among everything it has, and what may be named."""


def check_file(path: Path, model: str = "") -> Header:
    """Check a single model file; its header is the proof that it is what it says.

    Raises:
        ModelMissing, ModelUnsafe, ModelFormatUnsupported, ModelUnreadable: see :func:`read_header`.
    """
    header = read_header(path, model)
    if path.suffix.lower() != ".safetensors":
        raise ModelUnreadable(
            model=model or path.name,
            reason=f"It is a safetensors file named “{path.suffix}”. Rename it to .safetensors.",
        )
    return header


def check_folder(folder: Path, model: str = "", roots: Sequence[Path] = ()) -> dict[Path, Header]:
    """Check everything in a model folder: code, links, settings, shard names, classes, and every header.

    Args:
        folder: the model.
        model: what to call it in an error; its folder's name by default.
        roots: folders of models that the user chose: links may lead into them as well.

    Returns:
        The header of each safetensors file, by its path.

    Raises:
        ModelMissing, ModelUnsafe, ModelFormatUnsupported, ModelUnreadable: what is wrong, naming the file.
        UnknownModelFamily: it names a class of a known library that isn't on the list, or is an adapter.
    """
    name = model or folder.name
    headers: dict[Path, Header] = {}
    boundaries = (_boundary(folder), *(root.resolve() for root in roots))
    for path in files_of(folder, name):
        relative = path.relative_to(folder).as_posix()
        if not _is_within(path, boundaries):
            raise ModelUnsafe(model=name, reason=f"{relative} is a link that leaves its folder.")
        suffix = path.suffix.lower()
        if suffix in CODE_SUFFIXES:
            raise ModelUnsafe(model=name, reason=f"It brings program code: {relative}.")
        if suffix == ".safetensors":
            headers[path] = read_header(path, name)
        elif path.name == "adapter_config.json":  # transformers would follow it to a model anywhere
            reason = f"{relative} makes it an adapter of another model, not one by itself."
            raise UnknownModelFamily(model=name, reason=reason)
        elif suffix == ".json":
            _check_settings(folder, path, name)
    return headers


def check_settings(folder: Path, model: str = "") -> None:
    """What of :func:`check_folder` needs no weights: settings that ask for code, and foreign classes.

    Raises:
        ModelMissing, ModelUnsafe, ModelUnreadable, UnknownModelFamily: what is wrong, naming the file.
    """
    name = model or folder.name
    for path in files_of(folder, name):
        if path.suffix.lower() == ".json" and not path.name.endswith(".index.json"):
            _check_settings(folder, path, name)


def _is_within(path: Path, boundaries: Sequence[Path]) -> bool:
    try:
        real = path.resolve()
    except (OSError, RuntimeError):  # a link to itself
        return False
    return any(real.is_relative_to(boundary) for boundary in boundaries)


def _boundary(folder: Path) -> Path:
    """Where links may lead: inside the folder, or inside its repository in a Hugging Face cache
    (``blobs``).
    """
    resolved = folder.resolve()
    if resolved.parent.name == "snapshots" and resolved.parent.parent.name.startswith("models--"):
        return resolved.parent.parent
    return resolved


def files_of(folder: Path, model: str = "") -> Iterator[Path]:
    """Every file below ``folder`` (hidden ones left out), in a fixed order, bounded in number and depth.

    Linked folders count as files, so that a link can't lead the walk outside or in circles.

    Raises:
        ModelMissing, ModelUnreadable: it isn't there, can't be listed, or is too large to be one model.
    """
    name = model or folder.name
    count = 0
    pending = [(folder, 0)]
    while pending:
        current, depth = pending.pop()
        try:
            with os.scandir(current) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except FileNotFoundError as error:
            raise ModelMissing(model=name) from error
        except OSError as error:
            raise ModelUnreadable(model=name, reason=f"{error.strerror or error}.") from error
        for entry in entries:
            if entry.name.startswith("."):
                continue
            count += 1
            if count > MAX_FILES or depth > MAX_DEPTH:
                raise ModelUnreadable(model=name, reason="Its folder holds more than one model can.")
            if entry.is_dir(follow_symlinks=False):
                pending.append((Path(entry.path), depth + 1))
            else:
                yield Path(entry.path)


def read_json(path: Path, model: str) -> Any:
    """A JSON file of a model folder, bounded in size and depth.

    Raises:
        ModelUnreadable: it is missing, too large or no JSON.
    """
    try:
        if path.stat().st_size > MAX_JSON:
            raise ModelUnreadable(model=model, reason=f"{path.name} is too large to be settings.")
        with open_file(path) as file:
            return json.loads(file.read().decode("utf-8"))
    except FileNotFoundError as error:
        raise ModelUnreadable(model=model, reason=f"{path.name} is missing.") from error
    except (OSError, ValueError, RecursionError) as error:
        reason = f"{path.name} can't be read ({str(error)[:200]})."
        raise ModelUnreadable(model=model, reason=reason) from error


def _check_settings(folder: Path, path: Path, name: str) -> None:
    data = read_json(path, name)
    # A vocabulary may well hold the word "auto_map"; only the files that configure classes are searched.
    if path.name not in ("tokenizer.json", "vocab.json", "added_tokens.json"):
        _refuse_code(data, path.name, name)
    if path.name.endswith(".index.json"):
        _check_shards(path, data, name)
    if path.name == "model_index.json" and path.parent == folder:
        _check_classes(data, name)


def _refuse_code(data: Any, file: str, name: str) -> None:
    pending = [data]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            for key, value in item.items():
                if key in CODE_SETTINGS and value:
                    raise ModelUnsafe(model=name, reason=f"{file} asks for code of its own ({key}).")
                allowed = _CLASS_SETTINGS.get(key)
                if allowed and isinstance(value, str) and not allowed.fullmatch(value):
                    raise ModelUnsafe(model=name, reason=f"{file} names {value[:60]!r} as its {key}.")
                if key.endswith("attn_implementation") and isinstance(value, str) and "/" in value:
                    raise ModelUnsafe(model=name, reason=f"{file} asks for code from the network ({key}).")
                pending.append(value)


def _check_shards(path: Path, data: Any, name: str) -> None:
    weights = data.get("weight_map") if isinstance(data, dict) else None
    if not isinstance(weights, dict):
        raise ModelUnreadable(model=name, reason=f"{path.name} names no files.")
    if not path.name.endswith(".safetensors.index.json"):
        return  # the list of a pickled copy, which is never opened
    for shard in sorted({str(value) for value in weights.values()}):
        try:
            target = safe_join(path.parent, shard)
        except PathNotAllowed as error:
            raise ModelUnsafe(model=name, reason=f"{path.name} names a file outside: {shard}.") from error
        if target.parent != path.parent:
            raise ModelUnsafe(model=name, reason=f"{path.name} names a file in another folder: {shard}.")
        if not target.is_file():
            raise ModelUnreadable(model=name, reason=f"The file {shard} is missing.")


def _check_classes(data: Any, name: str) -> None:
    if not isinstance(data, dict) or not isinstance(data.get("_class_name"), str):
        raise ModelUnreadable(model=name, reason="model_index.json names no pipeline.")
    known = PIPELINES.get(data["_class_name"])
    if known is None:
        _refuse_class("pipeline", data["_class_name"], name)
    named: list[tuple[str, Any, Any]] = []
    for component, value in data.items():
        if isinstance(value, list) and not component.startswith("_") and not is_setting(value):
            if len(value) != 2:
                raise ModelUnsafe(model=name, reason=f"model_index.json has an odd entry for {component}.")
            named.append((component, *value))
    for component, library, kind in named:
        if library is None and kind is None:
            continue
        if library not in LIBRARIES and (library, kind) not in _OWN_MODULES:
            reason = f"Its {component} comes from “{library}”, which is neither diffusers nor transformers."
            raise ModelUnsafe(model=name, reason=reason)
        if kind not in known.components:
            _refuse_class(component, kind, name)


def is_setting(value: list[Any]) -> bool:
    """Whether a list in an index is a setting of the pipeline, not a part: numbers alone name no class."""
    return bool(value) and all(isinstance(item, int | float) for item in value)


def _refuse_class(component: str, kind: Any, name: str) -> NoReturn:
    reason = f"Its {component} is a {kind}, which this version of Diptych has no use for."
    raise UnknownModelFamily(model=name, reason=reason)
