"""Opening models that look at a picture: transformers folders that passed the safety check. Here is what
finds people and their poses; what finds depth is in :mod:`.depth`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import ModelUnreadable
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.catalogue.catalogue import Entry
from pipelines.models.device import resolve_dtype
from pipelines.models.files.reading import Reader, explained
from pipelines.models.files.safety import read_json
from pipelines.models.libraries import import_transformers
from pipelines.models.loaded import LoadedDetector, LoadedPose, Target
from pipelines.models.loading.folder import check_complete, variant_files

if TYPE_CHECKING:
    import torch

MAX_SIDE: Final = 4096
"""In px, of what is shown to such a model."""
_MEAN: Final = (0.485, 0.456, 0.406)
_DEVIATION: Final = (0.229, 0.224, 0.225)
"""Of ImageNet's colours, where a folder doesn't say."""
_EXCLUSIVE: Final = frozenset({"DetrForObjectDetection", "YolosForObjectDetection"})
"""Detectors for which a box shows one class or nothing; to the others each class is a question of its own."""
_SHOWN: Final = "preprocessor_config.json"
_SHORTEST: Final = 800
_LONGEST: Final = 1333
_SQUARE: Final = 640


def load_pose(entry: Entry, handle: ModelHandle, target: Target, context: Context) -> LoadedPose:
    """Open what finds the points of a person; see :meth:`pipelines.models.loading.ModelLoader.load`.

    Raises:
        ModelUnreadable: weights are missing, or its settings make no sense.
    """
    model, dtype = open_network(entry, handle, target, context)
    backbone = model.config.backbone_config
    height, width = (_side(side, handle.id) for side in _pair(backbone.image_size))
    mean, deviation = colours(told_by(entry.weights, handle.id), handle.id)
    experts = int(getattr(backbone, "num_experts", 1)) > 1
    return LoadedPose(handle, model, target.compute, dtype, height, width, mean, deviation, experts)


def load_detector(entry: Entry, handle: ModelHandle, target: Target, context: Context) -> LoadedDetector:
    """Open what finds people; see :meth:`pipelines.models.loading.ModelLoader.load`.

    Raises:
        ModelUnreadable: weights are missing, or its settings make no sense.
    """
    model, dtype = open_network(entry, handle, target, context)
    told = told_by(entry.weights, handle.id)
    exclusive = entry.probe.facts["architecture"] in _EXCLUSIVE
    mean, deviation = colours(told, handle.id)
    if not told.get("do_normalize", exclusive):
        mean, deviation = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    return LoadedDetector(
        handle, model, target.compute, dtype, _sizes(told, model.config, exclusive, handle.id),
        mean, deviation, int(entry.probe.facts["person"]), exclusive,
    )  # fmt: skip


def open_network(
    entry: Entry, handle: ModelHandle, target: Target, context: Context
) -> tuple[Any, torch.dtype]:
    """The network of a folder of transformers, of the class its probe names, and its precision.

    Raises:
        ModelUnreadable: weights are missing.
        Cancelled: between two files.
    """
    import torch

    dtype = resolve_dtype(handle.dtype, target.name, torch)
    folder = entry.weights
    reader = Reader(entry.probe.bytes, context)
    with explained(handle.id, target.name):
        files, variant = variant_files(sorted(folder.glob("*.safetensors")))
        reader.read(files)
        kind = getattr(import_transformers(), str(entry.probe.facts["architecture"]))
        model, report = kind.from_pretrained(
            str(folder), dtype=dtype, variant=variant, use_safetensors=True, local_files_only=True,
            output_loading_info=True,
        )  # fmt: skip
        check_complete(handle.id, "network", report["missing_keys"])
        context.cancel.check()
        model.requires_grad_(False).eval().to(target.weights)
    return model, dtype


def told_by(folder: Path, model: str) -> Mapping[str, Any]:
    """What the folder says of how a picture is to be shown, or the feature extractor of its pipeline."""
    path = folder / _SHOWN
    if not path.is_file() and (folder.parent / "model_index.json").is_file():
        path = folder.parent / "feature_extractor" / _SHOWN
    found = read_json(path, model) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def colours(told: Mapping[str, Any], model: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of the colours, of red, green and blue.

    Raises:
        ModelUnreadable: they are no three numbers.
    """
    found: list[tuple[float, ...]] = []
    for name, usual in (("image_mean", _MEAN), ("image_std", _DEVIATION)):
        values = told.get(name) or usual
        fits = isinstance(values, list | tuple) and len(values) == len(usual)
        if not fits or not all(isinstance(value, int | float) and abs(value) < 1e3 for value in values):
            raise ModelUnreadable(model=model, reason=f"Its {name} is {str(values)[:40]}.")
        found.append(tuple(map(float, values)))
    if not all(found[1]):
        raise ModelUnreadable(model=model, reason="Its image_std holds a 0.")
    return found[0], found[1]


def _sizes(told: Mapping[str, Any], config: Any, exclusive: bool, model: str) -> dict[str, int]:
    """``height`` and ``width`` in px; or the ``shortest`` and ``longest`` that a side may be, and what they
    are a ``multiple`` of.
    """
    size = told.get("size")
    if not size:
        size = {"shortest_edge": _SHORTEST} if exclusive else {"height": _SQUARE, "width": _SQUARE}
    if not isinstance(size, dict):  # as older folders say it
        size = {"shortest_edge": size, "longest_edge": told.get("max_size")}
    if "height" in size:
        return {name: _side(size.get(name), model) for name in ("height", "width")}
    patch = getattr(config, "patch_size", None)
    return {
        "shortest": _side(size.get("shortest_edge"), model),
        "longest": _side(size.get("longest_edge") or _LONGEST, model),
        "multiple": _side(_pair(patch)[0], model) if patch else 1,
    }


def _pair(value: Any) -> tuple[Any, Any]:
    """Height and width, where one number may stand for both."""
    pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
    return pair if len(pair) == 2 else (None, None)


def _side(value: Any, model: str) -> int:
    if type(value) is not int or not 1 <= value <= MAX_SIDE:
        raise ModelUnreadable(model=model, reason=f"It wants pictures of {str(value)[:40]} px.")
    return value
