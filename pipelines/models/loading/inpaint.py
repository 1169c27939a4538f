"""Opening a model that fills gaps in pictures (LaMa): spandrel names it from the tensors themselves."""

from __future__ import annotations

from pipelines.errors import ModelUnsuitable
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.catalogue.catalogue import TASKS, Entry
from pipelines.models.files.reading import explained
from pipelines.models.loaded import LoadedInpaint, Target
from pipelines.models.loading.upscale import read_descriptor


def load_inpaint(entry: Entry, handle: ModelHandle, target: Target, context: Context) -> LoadedInpaint:
    """Open the model of ``entry``; see :meth:`pipelines.models.loading.ModelLoader.load`.

    Always in 32 bits, whatever the handle says: LaMa's Fourier transforms know no shorter numbers.

    Raises:
        UnknownModelFamily: spandrel doesn't know the architecture.
        ModelUnsuitable: it isn't a model that fills a gap in a colour picture.
    """
    import spandrel
    import torch

    with explained(handle.id, target.name):
        descriptor = read_descriptor(entry, handle, context)
        if not isinstance(descriptor, spandrel.MaskedImageModelDescriptor):
            reason = "It takes no mask."
            raise ModelUnsuitable(model=handle.id, reason=reason, task=TASKS["inpaint"])
        channels = descriptor.input_channels, descriptor.output_channels
        if channels != (3, 3):
            reason = f"It takes {channels[0]} channels and gives {channels[1]}."
            raise ModelUnsuitable(model=handle.id, reason=reason, task=TASKS["inpaint"])
        context.cancel.check()
        descriptor.model.requires_grad_(False)
        descriptor.eval().to(device=target.weights, dtype=torch.float32)
    return LoadedInpaint(handle, descriptor, target.compute, torch.float32)
