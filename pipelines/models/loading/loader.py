"""Opening a model: handle in, weights on their device out. What opens each kind is in :mod:`.diffusion`,
:mod:`.language`, :mod:`.upscale` and so on; here is what they have in common.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from pipelines.errors import ModelChanged, ModelUnsuitable
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.catalogue.catalogue import Catalogue, Entry
from pipelines.models.device import BYTES, capabilities, dtype_name, memory
from pipelines.models.loaded import (
    LoadedAdapter,
    LoadedControl,
    LoadedDepth,
    LoadedDetector,
    LoadedDiffusion,
    LoadedInpaint,
    LoadedLanguage,
    LoadedPose,
    LoadedUpscale,
    LoadedVision,
    Network,
    Target,
)
from pipelines.models.parts.files import is_packed, numbers_of, packed_choice, sources_of
from pipelines.models.probing.gguf_language import method_for, room_of
from pipelines.models.quantized.automatic import resolved
from pipelines.models.quantized.quantization import BYTES_PER_NUMBER, check, choices, method_of, methods_of
from pipelines.models.records.hashes import ContentHashes
from pipelines.paths import RESOURCES

if TYPE_CHECKING:
    import torch

    from pipelines.models.loading.additions import Files
    from pipelines.models.lora.adding import Room
    from pipelines.models.residency.accelerator import Accelerator

Loaded = (
    LoadedDiffusion | LoadedLanguage | LoadedUpscale | LoadedControl | LoadedInpaint | LoadedAdapter
    | LoadedVision | LoadedDepth | LoadedPose | LoadedDetector
)  # fmt: skip
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

    def takes_additions(self, handle: ModelHandle, device: str) -> bool:
        """Whether LoRAs and embeddings can be added to the model when it is loaded."""

    def changeable(self, loaded: Any) -> bool:
        """Whether a loaded model can be given other LoRAs and embeddings, and lose those it has."""

    def adjust(self, loaded: Any, handle: ModelHandle) -> bool:
        """Give it the strengths of ``handle``, wherever its weights are; False if more is to be done."""

    def change(self, loaded: Any, handle: ModelHandle, context: Context, room: Room) -> None:
        """Give it the LoRAs and embeddings of ``handle``, while all its weights are in main memory.

        ``room``: whether so many bytes may be taken to keep the weights as they were.
        """

    def kept(self, loaded: Any) -> int:
        """Bytes of the weights that are kept as they were."""


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
        main, named = choices(handle.quantization)
        for method in (main, *named.values()):
            check(method, device, torch)
        accelerator = self.accelerator(device)
        compute = accelerator.compute if accelerator is not None else torch.device(device)
        target = Target(device, compute, torch.device("cpu") if accelerator is not None else compute)
        match handle.kind:
            case "language":
                from pipelines.models.loading.language import load_language

                return load_language(entry, handle, target, context)
            case "control":
                from pipelines.models.loading.control import load_control

                return load_control(entry, handle, target, context, self._configs)
            case "adapter":
                from pipelines.models.loading.adapter import load_adapter

                return load_adapter(entry, handle, target, context)
            case "depth":
                from pipelines.models.loading.depth import load_depth

                return load_depth(entry, handle, target, context)
            case "pose":
                from pipelines.models.loading.seeing import load_pose

                return load_pose(entry, handle, target, context)
            case "detector":
                from pipelines.models.loading.seeing import load_detector

                return load_detector(entry, handle, target, context)
            case "vision":
                from pipelines.models.loading.vision import load_vision

                return load_vision(entry, handle, target, context)
            case "upscale" if entry.weights.is_file():
                from pipelines.models.loading.upscale import load_upscale

                return load_upscale(entry, handle, target, context)
            case "inpaint":
                from pipelines.models.loading.inpaint import load_inpaint

                return load_inpaint(entry, handle, target, context)
            case "diffusion" | "upscale":  # upscalers of diffusers are whole folders
                from pipelines.models.loading.diffusion import load_diffusion

                additions = self._additions(handle)
                loaded = load_diffusion(entry, handle, target, context, self._configs, *additions)
                hashes = self._content_hashes(context.cache_dir)
                loaded.content_hash = partial(hashes.of, entry.fingerprint, Path(entry.info.path))
                return loaded
            case _:
                reason = "It is an addition to another model."
                raise ModelUnsuitable(model=handle.id, reason=reason, task="drawing from a prompt")

    def _content_hashes(self, folder: Path) -> ContentHashes:
        if self._hashes is None:
            self._hashes = ContentHashes(folder)
        return self._hashes

    def _additions(self, handle: ModelHandle) -> Files:
        if not handle.loras and not handle.embeddings:
            return [], []
        from pipelines.models.loading.additions import additions_of

        return additions_of(handle, self._catalogue)

    def takes_additions(self, handle: ModelHandle, device: str) -> bool:
        """Weights that are rounded to FP8 when it is loaded take none afterwards."""
        if handle.kind != "diffusion":
            return False
        return "fp8" not in methods_of(self._resolved(self._entry(handle), handle, device))

    def changeable(self, loaded: Loaded) -> bool:
        """See :attr:`pipelines.models.lora.adding.Additions.fixed`."""
        additions = loaded.additions if isinstance(loaded, LoadedDiffusion) else None
        return additions is not None and not additions.fixed

    def adjust(self, loaded: Loaded, handle: ModelHandle) -> bool:
        """See :func:`pipelines.models.loading.additions.adjust`."""
        from pipelines.models.loading.additions import adjust

        return isinstance(loaded, LoadedDiffusion) and adjust(loaded, handle, self._catalogue)

    def change(self, loaded: Loaded, handle: ModelHandle, context: Context, room: Room) -> None:
        """See :func:`pipelines.models.loading.additions.change`; after a fault, it has none."""
        from pipelines.models.loading.additions import change, strip

        assert isinstance(loaded, LoadedDiffusion)
        try:
            if loaded.handle.parts != handle.parts:
                from pipelines.models.loading.vae import exchange_vae

                exchange_vae(loaded, handle, self._entry(handle), self._configs, context)
            if (loaded.handle.loras, loaded.handle.embeddings) != (handle.loras, handle.embeddings):
                change(loaded, handle, self._additions(handle), context, room)
        except BaseException:
            if self.changeable(loaded):
                strip(loaded)
            raise

    def kept(self, loaded: Loaded) -> int:
        """See :attr:`pipelines.models.lora.adding.Additions.kept`."""
        additions = loaded.additions if isinstance(loaded, LoadedDiffusion) else None
        return additions.kept if additions is not None else 0

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
        each = BYTES[dtype_name(handle.dtype, device, torch)]
        beside = sum(numbers_of(name, path) for name, path in sources_of(handle).items()) * each
        method = method_of(self._resolved(entry, handle, device), "model")
        if is_packed(entry.weights) and (handle.kind != "language" or method == "gguf"):
            return entry.probe.bytes + beside
        if method != "none":
            return int(entry.probe.elements * BYTES_PER_NUMBER[method]) + beside
        return entry.probe.elements * each + beside

    def _resolved(self, entry: Entry, handle: ModelHandle, device: str) -> str:
        """The handle's quantization with what “auto” stands for."""
        choice = handle.quantization
        if is_packed(entry.weights):
            if handle.kind == "language":
                return self._held(entry, handle, device)
            choice = packed_choice(choice, entry)
        if "auto" not in choice:
            return choice
        import torch

        from pipelines.models.forecast.components import components_of

        parts = components_of(entry, sources_of(handle))
        packs = capabilities(device, torch).quantization
        dtype, total = dtype_name(handle.dtype, device, torch), memory(device, torch).total
        return resolved(choice, parts, handle.kind, device=device, total=total, packs=packs, dtype=dtype)

    def _held(self, entry: Entry, handle: ModelHandle, device: str) -> str:
        """How a language model of a GGUF file is held on a device."""
        import torch

        now, dtype = memory(device, torch), dtype_name(handle.dtype, device, torch)
        room = room_of(now.total, now.free + now.used)
        return method_for(handle.quantization, entry.probe.elements, room, dtype)

    def size(self, loaded: Loaded) -> int:
        """Bytes of all parameters, buffers and scales, shared ones once."""
        from pipelines.models.residency.pieces import weights_of

        networks = networks_of(loaded)
        tensors = {id(tensor): tensor for network in networks for tensor in weights_of(network.module)}
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
        """Weights of every kind can wait in main memory, packed ones with their scales."""
        return True


def networks_of(loaded: Loaded) -> list[Network]:
    """The networks a loaded model is made of, by the names they have in its pipeline."""
    import torch

    match loaded:
        case LoadedDiffusion():
            parts = loaded.pipeline.components.items()
        case LoadedUpscale() | LoadedInpaint():
            parts = (("model", loaded.descriptor.model),)
        case _:
            parts = (("model", loaded.model),)
    return [_network(name, part) for name, part in parts if isinstance(part, torch.nn.Module)]


def _network(name: str, module: torch.nn.Module) -> Network:
    """Text encoders read prompts, VAEs make pictures, anything else works in every step.

    A VAE is used by more calls than its forward one, and is small beside what it computes: it comes whole.
    """
    if name.startswith("text_encoder"):
        return Network(name, "encode", module)
    if name.startswith(("vae", "vqvae")):
        return Network(name, "decode", module, divisible=False)
    return Network(name, "main", module)
