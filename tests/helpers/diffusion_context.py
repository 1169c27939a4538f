"""A context for tests of diffusion: holds a loaded pipeline, notes what is reported, cancels on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline

from pipelines.errors import AssetMissing, ErrorInfo
from pipelines.graph.node import FlagToken
from pipelines.graph.values import Image, ModelHandle
from pipelines.models.loaded import LoadedDiffusion

STARTER = Path(__file__).parents[2] / "resources" / "starter" / "text-to-image"


@dataclass(frozen=True)
class Progress:
    step: int
    total: int
    phase: str
    preview: Image | None
    asked: int | None = None
    moved: int = 0


@dataclass
class DiffusionContext:
    """Implements ``Context`` and ``ModelAccess`` for one loaded model."""

    loaded: LoadedDiffusion
    cache_dir: Path
    node: str = "draw"
    cancel: FlagToken = field(default_factory=FlagToken)
    reports: list[Progress] = field(default_factory=list)
    warnings: list[ErrorInfo] = field(default_factory=list)
    on_progress: Callable[[Progress], None] | None = None
    kept: dict[tuple[object, ...], Any] = field(default_factory=dict)

    @property
    def models(self) -> DiffusionContext:
        return self

    @property
    def device(self) -> str:
        return str(self.loaded.device)

    @property
    def output_dir(self) -> Path:
        return self.cache_dir

    @contextmanager
    def use(self, handle: ModelHandle, context: Any) -> Iterator[LoadedDiffusion]:
        yield self.loaded

    def progress(self, step, total, *, phase="", preview=None, text=None, asked=None, moved=0) -> None:
        report = Progress(step, total, phase, preview, asked, moved)
        self.reports.append(report)
        if self.on_progress is not None:
            self.on_progress(report)

    def warn(self, warning: ErrorInfo) -> None:
        self.warnings.append(warning)

    def path(self, text: str) -> Path:
        return Path(text)

    def asset(self, name: str) -> bytes:
        raise AssetMissing(name=name)

    def provenance(self) -> dict[str, Any]:
        return {}

    def memo(self, key: tuple[object, ...], make: Callable[[], Any]) -> Any:
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    @property
    def denoising(self) -> list[Progress]:
        """Reports of finished steps."""
        return [report for report in self.reports if report.phase == "denoising" and report.step > 0]


def load(path: Path | None = None, dtype: torch.dtype = torch.float32, **card: Any) -> LoadedDiffusion:
    """A pipeline from a folder (the starter by default), on the CPU."""
    folder = path or STARTER
    return wrap(DiffusionPipeline.from_pretrained(folder, dtype=dtype), dtype, folder.name, **card)


def wrap(
    pipeline: Any, dtype: torch.dtype = torch.float32, name: str = "tiny", **card: Any
) -> LoadedDiffusion:
    """A pipeline made elsewhere, as the loader would hand it out."""
    handle = ModelHandle("diffusion", name, f"/nowhere/{name}", "sd1", fingerprint=f"{name}:{dtype}")
    return LoadedDiffusion(handle, pipeline, torch.device("cpu"), dtype, dict(card))
