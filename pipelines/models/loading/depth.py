"""Opening a model that estimates depth: a transformers folder that passed the safety check."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pipelines.errors import ModelUnreadable
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.catalogue import Entry
from pipelines.models.device import resolve_dtype
from pipelines.models.libraries import import_transformers
from pipelines.models.loaded import LoadedDepth, Target
from pipelines.models.loading.folder import check_complete, variant_files
from pipelines.models.loading.reading import Reader, explained
from pipelines.models.safety import read_json

_MEAN: Final = (0.485, 0.456, 0.406)
_DEVIATION: Final = (0.229, 0.224, 0.225)
"""Of ImageNet's colours, where a folder doesn't say."""
_MAX_SIDE: Final = 4096


def load_depth(entry: Entry, handle: ModelHandle, target: Target, context: Context) -> LoadedDepth:
    """Open the model of ``entry``; see :meth:`pipelines.models.loading.ModelLoader.load`.

    Raises:
        ModelUnreadable: weights are missing, or its settings make no sense.
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
    told = _told(folder, handle.id)
    settings = _settings(told, model.config, handle.id)
    mean, deviation = (
        tuple(map(float, told.get(name, usual)))
        for name, usual in (("image_mean", _MEAN), ("image_std", _DEVIATION))
    )
    metric = getattr(model.config, "depth_estimation_type", "relative") == "metric"
    return LoadedDepth(handle, model, target.compute, dtype, settings, mean, deviation, metric)


def _told(folder: Path, model: str) -> Mapping[str, Any]:
    """What the folder says of how a picture is to be shown."""
    path = folder / "preprocessor_config.json"
    found = read_json(path, model) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def _settings(told: Mapping[str, Any], config: Any, model: str) -> dict[str, Any]:
    """``height`` and ``width`` in px, what they are a ``multiple`` of, and ``keep_aspect_ratio``.

    Raises:
        ModelUnreadable: they are no sizes.
    """
    backbone = getattr(config, "backbone_config", None)
    patch = int(getattr(config, "patch_size", None) or getattr(backbone, "patch_size", None) or 1)
    size = told.get("size")
    side = int(getattr(config, "image_size", None) or getattr(backbone, "image_size", None) or 384)
    sides = size if isinstance(size, dict) else {"height": size or side, "width": size or side}
    found = {name: sides.get(name, side) for name in ("height", "width")}
    multiple = told.get("ensure_multiple_of") or patch
    if not all(type(value) is int and 1 <= value <= _MAX_SIDE for value in (*found.values(), multiple)):
        raise ModelUnreadable(model=model, reason=f"It wants pictures of {str(size)[:40]} px.")
    keeps = bool(told.get("keep_aspect_ratio"))
    return {**found, "multiple": max(multiple, patch), "keep_aspect_ratio": keeps}
