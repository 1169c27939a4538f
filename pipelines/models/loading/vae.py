"""Another VAE for a model that is loaded: nothing else of it is read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.device import resolve_dtype
from pipelines.models.files.reading import Reader, explained
from pipelines.models.libraries import without_notices
from pipelines.models.loaded import LoadedDiffusion
from pipelines.models.loading.part import Parts, read_classes
from pipelines.models.loading.states import VAE, below, read_state
from pipelines.models.parts.files import sources_of
from pipelines.models.probing.single_file import blueprint
from pipelines.models.records.entries import Entry


def exchange_vae(
    loaded: LoadedDiffusion, handle: ModelHandle, entry: Entry, configs: Path, context: Context
) -> None:
    """Give a loaded model, in main memory, the VAE that ``handle`` names, or its own again.

    Raises:
        ModelMissing, ModelChanged, ModelUnsafe, ModelUnreadable, ModelUnsuitable: its file. The model keeps
            the VAE it had then, and loses its LoRAs and embeddings, where they can be taken away.
    """
    import torch

    exact = loaded.dtype
    if handle.vae_dtype != "auto":
        exact = resolve_dtype(handle.vae_dtype, str(loaded.device), torch)
    try:
        with explained(handle.id, "cpu"), without_notices():
            network = _vae(entry, handle, configs, exact, context)
    except BaseException:
        if loaded.additions is not None and not loaded.additions.fixed:
            loaded.additions.restore()
            loaded.handle = loaded.handle.replace(loras=(), embeddings=())
        raise
    loaded.pipeline.register_modules(vae=network.requires_grad_(False).eval())
    halvings = len(getattr(network.config, "block_out_channels", ())) - 1
    if hasattr(loaded.pipeline, "vae_scale_factor") and halvings > 0:
        loaded.pipeline.vae_scale_factor = 2**halvings
    loaded.memo.clear()  # the map of previews is fitted to what a VAE makes of latents
    loaded.handle = loaded.handle.replace(parts=handle.parts)


def _vae(entry: Entry, handle: ModelHandle, configs: Path, dtype: Any, context: Context) -> Any:
    file, source = entry.weights, sources_of(handle).get("vae")
    plan = None if file.is_dir() else blueprint(entry.probe, configs)
    total = sum(path.stat().st_size for path in [source or file] if path.is_file())
    parts = Parts(configs, handle.id, dtype, Reader(total, context))
    if plan is None:
        settings = file / "vae"
        return parts.open("vae", read_classes(file, handle.id)["vae"], source or settings, settings)
    settings = plan.folder / "vae"
    if source is None:
        return parts.vae(below(read_state(file, handle.id), VAE), settings, handle.id)
    return parts.open("vae", plan.parts["vae"][1], source, settings)
