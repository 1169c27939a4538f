"""Opening an upscaler: spandrel names the architecture from the tensors themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import ModelUnsuitable, UnknownModelFamily
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.catalogue.catalogue import TASKS, Entry
from pipelines.models.device import resolve_dtype
from pipelines.models.files.reading import Reader, explained
from pipelines.models.loaded import LoadedUpscale, Target
from pipelines.models.quantized.quantization import quantize

if TYPE_CHECKING:
    import torch
    from spandrel import ImageModelDescriptor, MaskedImageModelDescriptor


def load_upscale(entry: Entry, handle: ModelHandle, target: Target, context: Context) -> LoadedUpscale:
    """Open the model of ``entry``; see :meth:`pipelines.models.loading.ModelLoader.load`.

    Raises:
        UnknownModelFamily: spandrel doesn't know the architecture.
        ModelUnsuitable: it isn't a model that turns one picture into a larger one.
    """
    import spandrel

    with explained(handle.id, target.name):
        descriptor = read_descriptor(entry, handle, context)
        if not isinstance(descriptor, spandrel.ImageModelDescriptor):
            reason = "It needs more than one picture as its input."
            raise ModelUnsuitable(model=handle.id, reason=reason, task=TASKS["upscale"])
        context.cancel.check()
        dtype = _dtype(handle, descriptor, target.name)
        descriptor.model.requires_grad_(False)
        descriptor.eval().to(device=target.weights, dtype=dtype)
        if handle.quantization != "none":
            quantize(descriptor.model, handle.quantization, str(target.compute), dtype, target.weights)
    return LoadedUpscale(handle, descriptor, target.compute, dtype)


def read_descriptor(
    entry: Entry, handle: ModelHandle, context: Context
) -> ImageModelDescriptor | MaskedImageModelDescriptor:
    """The model of ``entry`` in main memory, as spandrel opens it.

    Raises:
        UnknownModelFamily: spandrel doesn't know the architecture.
    """
    import spandrel
    from safetensors.torch import load_file

    Reader(entry.probe.bytes, context).read([entry.weights])
    state = spandrel.canonicalize_state_dict(load_file(entry.weights))
    try:
        return spandrel.ModelLoader().load_from_state_dict(state)
    except spandrel.UnsupportedModelError as error:
        reason = "Its tensors fit none of the models that spandrel knows."
        raise UnknownModelFamily(model=handle.id, reason=reason) from error


def _dtype(handle: ModelHandle, descriptor: ImageModelDescriptor, device: str) -> torch.dtype:
    """The handle's precision, as far as the architecture takes it.

    ``auto`` is fp16 on a card and fp32 on a processor: the 8 significant bits of bf16 are too few for a
    picture of 8 bits a channel.
    """
    import torch

    name = ("fp32" if device == "cpu" else "fp16") if handle.dtype == "auto" else handle.dtype
    dtype = resolve_dtype(name, device, torch)
    supported = {torch.float16: descriptor.supports_half, torch.bfloat16: descriptor.supports_bfloat16}
    return dtype if supported.get(dtype, True) else torch.float32
