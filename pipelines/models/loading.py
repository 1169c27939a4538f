"""Opening a model: handle in, weights on their device out. What opens each kind is in ``load_diffusion``,
``load_language``, ``load_upscale`` and ``load_control``; here is what they have in common.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from pipelines.errors import ModelChanged, ModelUnsuitable
from pipelines.graph.node import Context
from pipelines.graph.values import Lora, ModelHandle
from pipelines.models.automatic import resolved
from pipelines.models.catalogue import Catalogue, Entry
from pipelines.models.device import BYTES, capabilities, dtype_name, memory
from pipelines.models.hashes import ContentHashes
from pipelines.models.loaded import (
    LoadedControl,
    LoadedDiffusion,
    LoadedInpaint,
    LoadedLanguage,
    LoadedUpscale,
    LoraFile,
    Network,
    Target,
)
from pipelines.models.lora_families import check_fits
from pipelines.models.quantization import BYTES_PER_NUMBER, PACKED, check, method_of
from pipelines.paths import RESOURCES

if TYPE_CHECKING:
    import torch

    from pipelines.models.residency.accelerator import Accelerator

Loaded = LoadedDiffusion | LoadedLanguage | LoadedUpscale | LoadedControl | LoadedInpaint
CONFIGS: Final = RESOURCES / "configs"


class Loader(Protocol):
    """What the residency manager needs to know of weights."""

    def accelerator(self, device: str) -> Accelerator | None:
        """What brings a model's networks to ``device`` one by one; None if models are moved as a whole."""

    def load(self, handle: ModelHandle, device: str, context: Context) -> Any:
        """Read the model for ``device``: into main memory if there is an accelerator, else onto it."""

    def networks(self, loaded: Any) -> list[Network]:
        """What a loaded model is made of, where there is an accelerator."""

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

    def __init__(
        self,
        catalogue: Catalogue,
        configs: Path = CONFIGS,
        accelerators: Callable[[str], Accelerator] | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._configs = configs
        self._hashes: ContentHashes | None = None
        self._make = accelerators
        self._accelerators: dict[str, Accelerator] = {}
        self._lock = threading.Lock()

    def accelerator(self, device: str) -> Accelerator | None:
        """The one of a device, made when it is first asked for; the processor has none."""
        if device == "cpu":
            return None
        from pipelines.models.residency.accelerator import open_accelerator

        with self._lock:
            if device not in self._accelerators:
                self._accelerators[device] = (self._make or open_accelerator)(device)
            return self._accelerators[device]

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
        handle = handle.replace(quantization=self._resolved(entry, handle, device))
        for part in ("model", "text_encoder"):
            check(method_of(handle.quantization, part), device, torch)
        accelerator = self.accelerator(device)
        compute = accelerator.compute if accelerator is not None else torch.device(device)
        target = Target(device, compute, torch.device("cpu") if accelerator is not None else compute)
        match handle.kind:
            case "language":
                from pipelines.models.load_language import load_language

                return load_language(entry, handle, target, context)
            case "control":
                from pipelines.models.load_control import load_control

                return load_control(entry, handle, target, context, self._configs)
            case "upscale" if entry.weights.is_file():
                from pipelines.models.load_upscale import load_upscale

                return load_upscale(entry, handle, target, context)
            case "inpaint":
                from pipelines.models.load_inpaint import load_inpaint

                return load_inpaint(entry, handle, target, context)
            case "diffusion" | "upscale":  # upscalers of diffusers are whole folders
                from pipelines.models.load_diffusion import load_diffusion

                loras = [self._lora(lora, handle) for lora in handle.loras]
                loaded = load_diffusion(entry, handle, target, context, self._configs, loras)
                hashes = self._content_hashes(context.cache_dir)
                loaded.content_hash = partial(hashes.of, entry.fingerprint, Path(entry.info.path))
                return loaded
            case "lora":
                reason = "It is an addition to another model."
                raise ModelUnsuitable(model=handle.id, reason=reason, task="drawing from a prompt")

    def _content_hashes(self, folder: Path) -> ContentHashes:
        if self._hashes is None:
            self._hashes = ContentHashes(folder)
        return self._hashes

    def _lora(self, lora: Lora, model: ModelHandle) -> LoraFile:
        """The file of a LoRA, as it was when the handle was made and of the model's family."""
        entry = self._catalogue.find("lora", lora.path)
        entry.check("lora")
        if lora.fingerprint and entry.fingerprint != lora.fingerprint:
            raise ModelChanged(model=lora.id)
        check_fits(lora.id, entry.info.family, model.id, model.family)
        return LoraFile(lora, entry.weights, entry.info.title)

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
        method = method_of(self._resolved(entry, handle, device), "model")
        if method != "none":
            return int(entry.probe.elements * BYTES_PER_NUMBER[method])
        return entry.probe.elements * BYTES[dtype_name(handle.dtype, device, torch)]

    def _resolved(self, entry: Entry, handle: ModelHandle, device: str) -> str:
        """The handle's quantization with what “auto” stands for."""
        if not handle.quantization.startswith("auto"):
            return handle.quantization
        import torch

        from pipelines.models.forecast.components import components_of

        elements = sum(part.elements for part in components_of(entry) if part.stage == "main")
        packs = capabilities(device, torch).quantization
        dtype, total = dtype_name(handle.dtype, device, torch), memory(device, torch).total
        return resolved(
            handle.quantization, elements, handle.kind, device=device, total=total, packs=packs, dtype=dtype
        )

    def size(self, loaded: Loaded) -> int:
        """Bytes of all parameters and buffers, shared ones once."""
        tensors = {
            id(tensor): tensor
            for network in networks_of(loaded)
            for tensor in (*network.module.parameters(), *network.module.buffers())
        }
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())

    def move(self, loaded: Loaded, device: str) -> None:
        """Move all weights; ``loaded.device`` follows."""
        import torch

        for network in networks_of(loaded):
            network.module.to(device)
        loaded.device = torch.device(device)

    def networks(self, loaded: Loaded) -> list[Network]:
        """See :func:`networks_of`."""
        return networks_of(loaded)

    def movable(self, loaded: Loaded) -> bool:
        """Packed weights can't be moved without being unpacked, so they are read again instead."""
        return method_of(loaded.handle.quantization, "model") not in PACKED


def networks_of(loaded: Loaded) -> list[Network]:
    """The networks a loaded model is made of, by the names they have in its pipeline."""
    import torch

    packed = method_of(loaded.handle.quantization, "model") in PACKED
    match loaded:
        case LoadedDiffusion():
            parts = loaded.pipeline.components.items()
        case LoadedLanguage() | LoadedControl():
            parts = (("model", loaded.model),)
        case LoadedUpscale() | LoadedInpaint():
            parts = (("model", loaded.descriptor.model),)
    return [_network(name, part, packed) for name, part in parts if isinstance(part, torch.nn.Module)]


def _network(name: str, module: torch.nn.Module, packed: bool) -> Network:
    """Text encoders read prompts, VAEs make pictures, anything else works in every step.

    A VAE is used by more calls than its forward one, and is small beside what it computes: it comes whole.
    """
    if name.startswith("text_encoder"):
        return Network(name, "encode", module)
    if name.startswith(("vae", "vqvae")):
        return Network(name, "decode", module, divisible=False)
    return Network(name, "main", module, movable=not packed)
