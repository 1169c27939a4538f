"""What computes a denoiser: torch, or OpenVINO on processors, for the drawings of one run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import SettingIgnored
from pipelines.models.openvino import OpenvinoDenoiser
from pipelines.models.quantized.quantization import method_of

if TYPE_CHECKING:
    from pipelines.graph.node import Context
    from pipelines.graph.values import Speed
    from pipelines.models.loaded import LoadedDiffusion

TITLE: Final = "OpenVINO"
_GRAPHS: Final = "openvino"
"""Under which a model keeps its compiled graphs, with the LoRAs that were in its weights then."""


def runtime_refusal(loaded: LoadedDiffusion) -> str:
    """Why a model that OpenVINO could compute here can't be; empty if it can."""
    if method_of(loaded.handle.quantization, "model") != "none":
        return "Its weights are quantized; choose 16 or 32 bits."
    return ""


def without_torch(speed: Speed) -> tuple[Speed, tuple[str, ...]]:
    """What is left of the other settings where torch doesn't compute, and the titles of the others."""
    plain = type(speed)()
    titles = {
        "attention": "Attention", "cache": "The step cache", "channels_last": "Channels last",
        "compile": "Compiling",
    }  # fmt: skip
    ignored = [name for name in titles if getattr(speed, name) != getattr(plain, name)]
    changes: dict[str, Any] = {name: getattr(plain, name) for name in ignored}
    return dataclasses.replace(speed, **changes), tuple(titles[name] for name in ignored)


def choose_runtime(
    loaded: LoadedDiffusion, pipeline: Any, context: Context, steps: int, refusal: str = ""
) -> None:
    """Let a run's own copy of a pipeline ask OpenVINO, where that was chosen and serves this drawing.

    Args:
        steps: of the run, for its progress.
        refusal: why this drawing needs torch's own modules; empty if it doesn't.
    """
    if loaded.runtime != "openvino":
        return

    def ignored(reason: str) -> None:
        warning = SettingIgnored(setting=TITLE, model=loaded.handle.id, reason=reason).info()
        context.warn(dataclasses.replace(warning, severity="warning"))

    if refusal:
        ignored(refusal)
        return
    name = "unet" if getattr(pipeline, "unet", None) is not None else "transformer"
    denoiser = OpenvinoDenoiser(
        getattr(pipeline, name), loaded.dtype, _threads(), _graphs(loaded),
        compiling=lambda: context.progress(0, steps, phase="compiling"),
        told=lambda outcome, reason: ignored(reason),
    )  # fmt: skip
    # Past the pipeline's own __setattr__, which is for components; the copy is the run's own.
    vars(pipeline)[name] = denoiser


def _graphs(loaded: LoadedDiffusion) -> dict[Any, Any]:
    """The graphs compiled of the weights as they are now."""
    changed_by = (loaded.handle.loras, loaded.handle.embeddings)
    known = loaded.memo.get(_GRAPHS)
    if known is None or known[0] != changed_by:
        known = loaded.memo[_GRAPHS] = (changed_by, {})
    graphs: dict[Any, Any] = known[1]
    return graphs


def _threads() -> int:
    import torch

    return torch.get_num_threads()
