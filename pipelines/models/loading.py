"""Opening a model: handle in, weights on their device out. What opens each kind is in ``load_diffusion``,
``load_language``, ``load_upscale`` and ``load_control``; here is what they have in common.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from pipelines.errors import ModelChanged
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.catalogue import Catalogue, Entry
from pipelines.models.device import BYTES, dtype_name
from pipelines.models.hashes import ContentHashes
from pipelines.models.loaded import (
    LoadedControl,
    LoadedDiffusion,
    LoadedInpaint,
    LoadedLanguage,
    LoadedUpscale,
)
from pipelines.models.quantization import BYTES_PER_NUMBER, check
from pipelines.paths import RESOURCES

if TYPE_CHECKING:
    import torch

Loaded = LoadedDiffusion | LoadedLanguage | LoadedUpscale | LoadedControl | LoadedInpaint
CONFIGS: Final = RESOURCES / "configs"


class Loader(Protocol):
    """What the residency manager needs to know of weights."""

    def load(self, handle: ModelHandle, device: str, context: Context) -> Any:
        """Read the model and put it on ``device``."""

    def estimate(self, handle: ModelHandle, device: str) -> int:
        """Bytes it will take there, from its header alone."""

    def size(self, loaded: Any) -> int:
        """Bytes it does take."""

    def move(self, loaded: Any, device: str) -> None:
        """Move its weights to another device."""

    def movable(self, loaded: Any) -> bool:
        """Whether its weights can wait in main memory."""


class ModelLoader:
    """Opens what the catalogue lists. ``configs`` is where single-file checkpoints find their shapes."""

    def __init__(self, catalogue: Catalogue, configs: Path = CONFIGS) -> None:
        self._catalogue = catalogue
        self._configs = configs
        self._hashes: ContentHashes | None = None

    def load(self, handle: ModelHandle, device: str, context: Context) -> Loaded:
        """Check, read and place a model, with progress in bytes; cancel is polled between the pieces read.

        Raises:
            ModelChanged: the files are others than when the handle was made.
            ModelMissing, ModelUnsafe, ModelUnreadable, UnknownModelFamily: as their texts say.
            QuantizationUnavailable, OutOfMemory: it can't be had this way here.
            Cancelled: the user cancelled.
        """
        import torch

        entry = self._entry(handle)
        check(handle.quantization, device, torch)
        match handle.kind:
            case "language":
                from pipelines.models.load_language import load_language

                return load_language(entry, handle, device, context)
            case "control":
                from pipelines.models.load_control import load_control

                return load_control(entry, handle, device, context, self._configs)
            case "upscale" if entry.weights.is_file():
                from pipelines.models.load_upscale import load_upscale

                return load_upscale(entry, handle, device, context)
            case "inpaint":
                from pipelines.models.load_inpaint import load_inpaint

                return load_inpaint(entry, handle, device, context)
            case "diffusion" | "upscale":  # upscalers of diffusers are whole folders
                from pipelines.models.load_diffusion import load_diffusion

                loaded = load_diffusion(entry, handle, device, context, self._configs)
                hashes = self._content_hashes(context.cache_dir)
                loaded.content_hash = partial(hashes.of, entry.fingerprint, Path(entry.info.path))
                return loaded

    def _content_hashes(self, folder: Path) -> ContentHashes:
        if self._hashes is None:
            self._hashes = ContentHashes(folder)
        return self._hashes

    def _entry(self, handle: ModelHandle) -> Entry:
        entry = self._catalogue.find(handle.kind, handle.id)
        entry.check(handle.kind)
        if handle.fingerprint and entry.fingerprint != handle.fingerprint:
            raise ModelChanged(model=handle.id)
        return entry

    def estimate(self, handle: ModelHandle, device: str) -> int:
        """Bytes of memory for the weights in the handle's precision, from the header's shapes."""
        import torch

        entry = self._entry(handle)
        if handle.quantization != "none":
            return int(entry.probe.elements * BYTES_PER_NUMBER[handle.quantization])
        return entry.probe.elements * BYTES[dtype_name(handle.dtype, device, torch)]

    def size(self, loaded: Loaded) -> int:
        """Bytes of all parameters and buffers, shared ones once."""
        tensors = {
            id(tensor): tensor
            for module in modules_of(loaded)
            for tensor in (*module.parameters(), *module.buffers())
        }
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())

    def move(self, loaded: Loaded, device: str) -> None:
        """Move all weights; ``loaded.device`` follows."""
        import torch

        for module in modules_of(loaded):
            module.to(device)
        loaded.device = torch.device(device)

    def movable(self, loaded: Loaded) -> bool:
        """Quantized weights can't be moved without being unpacked, so they are read again instead."""
        return loaded.handle.quantization == "none"


def modules_of(loaded: Loaded) -> list[torch.nn.Module]:
    """The networks a loaded model is made of."""
    import torch

    match loaded:
        case LoadedDiffusion():
            parts = loaded.pipeline.components.values()
        case LoadedLanguage() | LoadedControl():
            parts = (loaded.model,)
        case LoadedUpscale() | LoadedInpaint():
            parts = (loaded.descriptor.model,)
    return [part for part in parts if isinstance(part, torch.nn.Module)]
