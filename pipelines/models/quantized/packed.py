"""Quantized weights kept beside the original: made once, and read the next time.

A file holds one whole network as bitsandbytes' own state dict has it (packed weights with their scales, and
what isn't packed), as safetensors, in a hidden folder beside the model. Its metadata name the files it was
made of by their fingerprint; made of others, or by another version of the library, it isn't used.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import DiptychError
from pipelines.models.files.header import read_header
from pipelines.models.libraries import import_bitsandbytes
from pipelines.models.quantized.quantization import OUTLIERS, PACKED, method_of

if TYPE_CHECKING:
    import torch

FOLDER: Final = ".diptych"
KEPT_FROM: Final = 500_000_000
"""Numbers of a network from which quantizing takes long enough to keep what it gave."""

_STATE: Final = ".quant_state.bitsandbytes__nf4"
_SCALES: Final = ".SCB"
_FORMAT: Final = ".weight_format"


@dataclass(frozen=True, slots=True)
class PackedFiles:
    """The files kept for one model in one precision.

    ``weights`` is the model's file or folder, ``source`` its fingerprint, ``quantization`` the handle's
    choice, ``dtype`` what is computed in, and ``device`` where networks are put.
    """

    weights: Path
    source: str
    quantization: str
    dtype: str
    device: str
    kept_from: int = KEPT_FROM

    def path(self, part: str) -> Path:
        """Where a network is kept."""
        name = f"{part}.{method_of(self.quantization, part)}-{self.dtype}.safetensors"
        return self.weights.parent / FOLDER / self.weights.name / name

    def _metadata(self, part: str) -> dict[str, str]:
        return {
            "source": self.source,
            "method": method_of(self.quantization, part),
            "dtype": self.dtype,
            "format": "pt",
            "bitsandbytes": importlib.metadata.version("bitsandbytes"),
        }

    def has(self, part: str) -> bool:
        """Whether a network is kept that was made of these very files."""
        if not self.source or method_of(self.quantization, part) not in PACKED:
            return False
        try:
            return read_header(self.path(part)).metadata == self._metadata(part)
        except DiptychError:
            return False

    def load(self, part: str, make: Callable[[], torch.nn.Module]) -> torch.nn.Module | None:
        """A network that is kept, on the device; None if there is none that fits.

        Args:
            make: the network with weights of the meta device and its buffers real.
        """
        if not self.has(part):
            return None
        from safetensors.torch import load_file

        network = make()
        state = load_file(self.path(part))
        try:
            _swap(network, state, self.device, self.dtype)
            _assign(network, state)
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError):
            return None  # not made by this version of the program: it is made again
        if any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers())):
            return None
        network.requires_grad_(False)
        return network.eval().to(self.device)

    def forget(self, part: str) -> None:
        """Remove a file that turned out to be unusable."""
        with contextlib.suppress(OSError):
            self.path(part).unlink(missing_ok=True)

    def keep(self, part: str, network: torch.nn.Module, numbers: int) -> bool:
        """Keep a network that was just quantized and never used, if it is large; no space for it is no fault.

        Args:
            numbers: how many it had before.
        """
        path = self.path(part)
        if not self.source or numbers < self.kept_from or method_of(self.quantization, part) not in PACKED:
            return False
        if not os.access(self.weights.parent, os.W_OK):
            return False
        from safetensors.torch import save_file

        state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
        size = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(path.parent).free < 2 * size:
                return False
            save_file(_alone(state), partial, metadata=self._metadata(part))
            partial.replace(path)
        except (OSError, RuntimeError):
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            return False
        return True


def _alone(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without tensors that share their memory with an earlier one: those are tied again by the network."""
    seen: set[int] = set()
    alone = {}
    for name, tensor in state.items():
        place = tensor.untyped_storage().data_ptr()
        if place not in seen or tensor.numel() == 0:
            alone[name] = tensor
        seen.add(place)
    return alone


def _swap(network: torch.nn.Module, state: dict[str, torch.Tensor], device: str, dtype: str) -> None:
    """Packed layers in place of the linear ones that ``state`` has packed weights for; takes those out."""
    import torch

    nn = import_bitsandbytes().nn
    packed = [name.removesuffix(_STATE).removesuffix(".weight") for name in state if name.endswith(_STATE)]
    scaled = [name.removesuffix(_SCALES) for name in state if name.endswith(_SCALES)]
    for name in (*packed, *scaled):
        layer = network.get_submodule(name)
        weight = state.pop(f"{name}.weight")
        bias = f"{name}.bias" in state
        new: Any
        if name in scaled:
            scales = state.pop(name + _SCALES).to(device)
            state.pop(name + _FORMAT, None)
            new = nn.Linear8bitLt(
                layer.in_features, layer.out_features, bias, has_fp16_weights=False, threshold=OUTLIERS,
                device="meta",
            )  # fmt: skip
            weight = weight.to(device)
            new.weight = nn.Int8Params(
                weight, requires_grad=False, has_fp16_weights=False, CB=weight, SCB=scales
            )
        else:
            start = f"{name}.weight."
            stats = {key: state.pop(key) for key in list(state) if key.startswith(start)}
            stats = {key.removeprefix(start): value for key, value in stats.items()}
            new = nn.Linear4bit(
                layer.in_features, layer.out_features, bias, compute_dtype=getattr(torch, dtype),
                quant_type="nf4", device="meta",
            )  # fmt: skip
            new.weight = nn.Params4bit.from_prequantized(weight, stats, device=device, module=new)
        parent, _, leaf = name.rpartition(".")
        setattr(network.get_submodule(parent), leaf, new)


def _assign(network: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """The rest of the state: parameters and buffers that are kept as they are."""
    import torch

    for name, tensor in state.items():
        parent, _, leaf = name.rpartition(".")
        module = network.get_submodule(parent)
        if leaf in module._parameters:
            old = module._parameters[leaf]
            if old is not None and old.shape != tensor.shape:
                raise ValueError(f"{name} has another shape")
            module._parameters[leaf] = torch.nn.Parameter(tensor, requires_grad=False)
        elif leaf in module._buffers:
            module._buffers[leaf] = tensor
        else:
            raise KeyError(name)
    getattr(network, "tie_weights", lambda: None)()


@contextlib.contextmanager
def without_weights() -> Iterator[None]:
    """Networks that are made in the block have no weights, and buffers that are computed."""
    from accelerate import init_empty_weights

    with init_empty_weights(include_buffers=False):
        yield
