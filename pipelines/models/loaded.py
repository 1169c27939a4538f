"""What a node gets from ``context.models.use(handle, context)``: a loaded model and what must be known of it.

Plain descriptions; how they are loaded is in :mod:`pipelines.models.loading`, how long they stay in
``residency``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pipelines.graph.values import Embedding, Lora, ModelHandle

if TYPE_CHECKING:
    import torch
    from spandrel import ImageModelDescriptor, MaskedImageModelDescriptor

    from pipelines.models.lora.adding import Additions

Stage = Literal["encode", "main", "decode"]
"""When a network is used: to read a prompt, in every step or for every token, or to make a picture of it."""


@dataclass(frozen=True, slots=True)
class Network:
    """One network of a loaded model, as those see it that move weights.

    ``divisible``: its blocks may come and go one by one.
    """

    name: str
    stage: Stage
    module: torch.nn.Module
    divisible: bool = True


@dataclass(frozen=True, slots=True)
class Target:
    """Where a model is opened for: ``name`` decides its precision, ``compute`` is where weights are packed
    and computed with, ``weights`` where the manager of memory wants them first.
    """

    name: str
    compute: torch.device
    weights: torch.device


@dataclass(frozen=True, slots=True)
class LoraFile:
    """A LoRA that is to be added to a model: what the handle says of it, its file, and what it is called."""

    lora: Lora
    path: Path
    title: str


@dataclass(frozen=True, slots=True)
class EmbeddingFile:
    """A textual inversion that a model is to know: what the handle says of it, and its file."""

    embedding: Embedding
    path: Path


class Residence(Protocol):
    """What is known of where a model's weights are, and what can be done where memory runs out."""

    @property
    def moved(self) -> int:
        """Bytes of weights that were fetched only to be computed with, since the model was loaded."""

    @property
    def resident(self) -> int:
        """Bytes of its weights that stay on the device."""

    @property
    def total(self) -> int:
        """Bytes of its weights, wherever they are."""

    def whole(self, stage: Stage) -> bool:
        """Whether all of a stage's networks are on the device."""

    def streams(self, stage: Stage) -> bool:
        """Whether some blocks of a stage's networks are fetched for each step."""

    def offload(self, stage: Stage) -> bool:
        """Take weights off the device for the sake of a stage; False if there is nothing left to take."""


@dataclass(slots=True)
class LoadedDiffusion:
    """A diffusers pipeline on its device.

    ``pipeline`` has the components of its class (``unet`` or ``transformer``, ``vae``, ``scheduler``, text
    encoders, tokenizers). ``card`` holds the facts of the model: ``native_size`` (w, h), ``size_multiple``,
    ``defaults``.
    """

    handle: ModelHandle
    pipeline: Any
    device: torch.device
    dtype: torch.dtype
    card: dict[str, Any] = field(default_factory=dict)
    memo: dict[str, Any] = field(default_factory=dict)
    """Things fitted once per model (the latent preview's linear map); dropped with the model."""
    tiling: str = "auto"
    """Whether the VAE works in tiles: on, off, or auto, where memory runs out."""
    runtime: str = "torch"
    """What computes the denoiser: torch, or openvino."""
    content_hash: Callable[[], str] = str
    """The sha256 of its weights; empty while that isn't known yet."""
    additions: Additions | None = None
    """The LoRAs and embeddings it was changed by, and the weights as they were."""
    residence: Residence | None = None
    """Where its weights are; None where they are in main memory and stay there."""


@dataclass(slots=True)
class LoadedLanguage:
    """A transformers causal language model and its tokenizer, on its device."""

    handle: ModelHandle
    model: Any
    tokenizer: Any
    device: torch.device
    dtype: torch.dtype
    residence: Residence | None = None


@dataclass(slots=True)
class LoadedNetwork:
    """A network on its device, with what every kind of them has."""

    handle: ModelHandle
    model: Any
    device: torch.device
    dtype: torch.dtype
    residence: Residence | None = field(default=None, kw_only=True)
    """Where its weights are; None where they are in main memory and stay there."""


@dataclass(slots=True)
class LoadedControl(LoadedNetwork):
    """A network that reads control pictures, on its device: one of diffusers' ControlNets or T2I-Adapters, a
    Control-LoRA or a ControlNet-LLLite.
    """


@dataclass(slots=True)
class LoadedAdapter(LoadedNetwork):
    """What reads references, on its device: one of :mod:`pipelines.models.networks.ip_adapter`.

    ``sees``: what it takes of an encoder, ``width`` numbers wide
    (:mod:`pipelines.models.networks.picture_encoders`).
    """

    sees: str = "embedding"
    width: int = 0
    memo: dict[str, Any] = field(default_factory=dict)
    """What was made of pictures that were seen lately; dropped with the model."""


@dataclass(slots=True)
class LoadedVision(LoadedNetwork):
    """An encoder of pictures on its device: transformers' ``CLIPVisionModelWithProjection``, or its
    ``SiglipVisionModel``."""


@dataclass(slots=True)
class LoadedDepth(LoadedNetwork):
    """A depth estimator of transformers on its device.

    ``settings`` say how a picture is shown to it: ``height``, ``width`` (px), ``multiple`` and
    ``keep_aspect_ratio``; ``mean`` and ``deviation`` are of its colours. ``metric``: it answers in metres.
    """

    settings: dict[str, Any]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    metric: bool = False


@dataclass(slots=True)
class LoadedPose(LoadedNetwork):
    """What finds the points of a person, on its device: a ViTPose of transformers.

    A person is shown to it in ``height`` × ``width`` px; ``mean`` and ``deviation`` are of the colours.
    ``experts``: it was trained with several collections of pictures, and is told which one is meant.
    """

    height: int
    width: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    experts: bool = False


@dataclass(slots=True)
class LoadedDetector(LoadedNetwork):
    """An object detector of transformers on its device.

    ``settings`` say how a picture is shown to it: ``height`` and ``width`` (px), or the ``shortest`` and
    ``longest`` of its sides and what they are a ``multiple`` of. ``person``: the number of that class;
    ``exclusive``: a box shows one class or nothing, else each class is judged by itself.
    """

    settings: dict[str, int]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    person: int
    exclusive: bool = False


@dataclass(slots=True)
class LoadedUpscale:
    """A spandrel super-resolution model on its device; ``descriptor.scale`` is its factor."""

    handle: ModelHandle
    descriptor: ImageModelDescriptor
    device: torch.device
    dtype: torch.dtype
    residence: Residence | None = None


@dataclass(slots=True)
class LoadedInpaint:
    """A spandrel model that fills gaps in pictures, on its device."""

    handle: ModelHandle
    descriptor: MaskedImageModelDescriptor
    device: torch.device
    dtype: torch.dtype
    residence: Residence | None = None
