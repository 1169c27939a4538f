"""Opening a model that estimates depth: a transformers folder that passed the safety check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.errors import ModelUnreadable
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.catalogue.catalogue import Entry
from pipelines.models.loaded import LoadedDepth, Target
from pipelines.models.loading.seeing import MAX_SIDE, colours, open_network, told_by


def load_depth(entry: Entry, handle: ModelHandle, target: Target, context: Context) -> LoadedDepth:
    """Open the model of ``entry``; see :meth:`pipelines.models.loading.ModelLoader.load`.

    Raises:
        ModelUnreadable: weights are missing, or its settings make no sense.
    """
    model, dtype = open_network(entry, handle, target, context)
    told = told_by(entry.weights, handle.id)
    settings = _settings(told, model.config, handle.id)
    mean, deviation = colours(told, handle.id)
    metric = getattr(model.config, "depth_estimation_type", "relative") == "metric"
    return LoadedDepth(handle, model, target.compute, dtype, settings, mean, deviation, metric)


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
    if not all(type(value) is int and 1 <= value <= MAX_SIDE for value in (*found.values(), multiple)):
        raise ModelUnreadable(model=model, reason=f"It wants pictures of {str(size)[:40]} px.")
    keeps = bool(told.get("keep_aspect_ratio"))
    return {**found, "multiple": max(multiple, patch), "keep_aspect_ratio": keeps}
