"""ControlNet-LLLite in a run: what is added to the input of attentions, for the length of one step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.control.sharing import present

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.control.control import Control
    from pipelines.models.loaded import LoadedDiffusion

    Seen = dict[str, torch.Tensor]

LITE: Final = "ControlLLLite"


def lite_difference(loaded: LoadedDiffusion, network: Any) -> str:
    """What about it doesn't fit a U-Net; empty if nothing."""
    for name, lite in network.places().items():
        try:
            layer = loaded.pipeline.unet.get_submodule(name)
        except AttributeError:
            return f"The model has no layer {name}."
        own, width = lite.down[0].in_features, getattr(layer, "in_features", None)
        if width is not None and width != own:
            return f"Its layer {name} is given {own} numbers, that of the model {width}."
    return ""


@contextmanager
def changing(unet: Any, acting: Sequence[tuple[Control, Seen]]) -> Iterator[None]:
    """Let what ``acting`` networks make of their pictures be added in the block; the model stays as it is.

    Blocks that were compiled know nothing of hooks, and run as they were written.
    """
    compiled = "_compiled_call_impl"
    with ExitStack() as stack:
        for module in unet.modules() if acting else ():
            if vars(module).get(compiled) is not None:
                stack.callback(setattr, module, compiled, vars(module).pop(compiled))
        for control, seen in acting:
            present(control.model.model)
            for name, lite in control.model.model.places().items():
                before = _adding(lite, seen[name], control.settings.weight, control.dtype)
                hook = unet.get_submodule(name).register_forward_pre_hook(before)
                stack.callback(hook.remove)
        yield


def _adding(lite: Any, seen: torch.Tensor, weight: float, dtype: torch.dtype) -> Any:
    def before(_module: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
        tokens, *rest = given
        return (tokens + weight * lite(tokens.to(dtype), seen).to(tokens.dtype), *rest)

    return before
