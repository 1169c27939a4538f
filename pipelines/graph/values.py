"""The values that travel along edges. All are immutable, so that a cache entry can't be corrupted by a node.

Text is :class:`str`, Number :class:`float`, Integer and Seed :class:`int`, Boolean :class:`bool`, Choice
:class:`str`. Arrays are set read-only; tensors, which have no such flag, are cloned whenever they are taken
out. No torch import here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from pipelines.errors import ImageTooLarge

if TYPE_CHECKING:
    import torch

MAX_PIXELS = 2**28
"""Largest product of width and height that is allocated without asking."""

_CHUNK = 64
"""Rows that are converted at once."""

Array = npt.NDArray[Any]


def check_size(width: int, height: int, limit: int = MAX_PIXELS) -> None:
    """Raise :class:`ImageTooLarge` before memory is taken, if ``width * height`` exceeds ``limit`` pixels."""
    if width * height > limit:
        raise ImageTooLarge(width=width, height=height, limit=limit // 2**20)


def frozen(array: Array) -> Array:
    """A read-only array with the same content; copied unless nobody else can write to its memory."""
    array = np.ascontiguousarray(array)
    if array.base is not None and (
        array.flags.writeable or getattr(array.base, "flags", array.flags).writeable
    ):
        array = array.copy()
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A picture: ``pixels`` is H×W×C (C = 1 grey, 3 RGB, 4 RGBA straight alpha), uint8 0..255 or float32
    0..1, sRGB.

    ``info`` says how it was made (prompt, seed, sampler…): it follows the picture into its file. Operations
    keep it by using :meth:`with_pixels`.
    """

    pixels: Array
    info: Mapping[str, Any] = field(default_factory=dict)
    colour_space: str = "sRGB"

    def __post_init__(self) -> None:
        pixels = self.pixels[..., None] if self.pixels.ndim == 2 else self.pixels
        if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or pixels.dtype not in (np.uint8, np.float32):
            raise ValueError(
                f"an image is H×W×(1|3|4) of uint8 or float32, not {pixels.shape} of {pixels.dtype}"
            )
        object.__setattr__(self, "pixels", frozen(pixels))
        object.__setattr__(self, "info", MappingProxyType(dict(self.info)))

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def channels(self) -> int:
        return int(self.pixels.shape[2])

    def with_pixels(self, pixels: Array, **info: Any) -> Image:
        """A new picture that keeps this one's history; ``info`` adds to it."""
        return Image(pixels, {**self.info, **info}, self.colour_space)

    def as_float(self) -> Array:
        """H×W×C float32 in 0..1 (read-only where no conversion was needed)."""
        if self.pixels.dtype == np.float32:
            return self.pixels
        return np.divide(self.pixels, np.float32(255), dtype=np.float32)

    def as_uint8(self) -> Array:
        """H×W×C uint8, rounded to nearest (read-only where no conversion was needed)."""
        if self.pixels.dtype == np.uint8:
            return self.pixels
        result = np.empty(self.pixels.shape, np.uint8)
        for start in range(0, self.height, _CHUNK):  # a large picture has no room for copies of the whole
            rows = np.nan_to_num(self.pixels[start : start + _CHUNK])
            np.rint(np.clip(rows, 0, 1, out=rows) * 255, out=rows)
            result[start : start + _CHUNK] = rows
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A soft mask: H×W float32 in 0..1, where 1 means "repaint here"."""

    values: Array

    def __post_init__(self) -> None:
        if self.values.ndim != 2:
            raise ValueError(f"a mask is H×W, not {self.values.shape}")
        values = np.clip(self.values.astype(np.float32, copy=False), 0, 1)
        if np.isnan(values.max(initial=0)):
            values = np.nan_to_num(values)
        object.__setattr__(self, "values", frozen(values))

    @property
    def width(self) -> int:
        return int(self.values.shape[1])

    @property
    def height(self) -> int:
        return int(self.values.shape[0])


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


class Latent:
    """A latent: N×C×h×w float tensor in the model's own scaling, on the CPU; :meth:`tensor` clones it."""

    __slots__ = ("_tensor", "info")

    def __init__(self, tensor: torch.Tensor, info: Mapping[str, Any] | None = None) -> None:
        self._tensor = tensor.detach().to("cpu", copy=True)
        self.info: Mapping[str, Any] = MappingProxyType(dict(info or {}))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._tensor.shape)

    @property
    def nbytes(self) -> int:
        return self._tensor.numel() * self._tensor.element_size()

    def tensor(self) -> torch.Tensor:
        """A copy of the tensor."""
        return self._tensor.clone()


class Conditioning:
    """Encoded prompts: named tensors (``prompt_embeds`` B×T×D, …) on the CPU; :meth:`tensors` clones them."""

    __slots__ = ("_tensors", "info")

    def __init__(self, tensors: Mapping[str, torch.Tensor], info: Mapping[str, Any] | None = None) -> None:
        self._tensors = {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
        self.info: Mapping[str, Any] = MappingProxyType(dict(info or {}))

    @property
    def nbytes(self) -> int:
        return sum(tensor.numel() * tensor.element_size() for tensor in self._tensors.values())

    def tensors(self) -> dict[str, torch.Tensor]:
        """Copies of the tensors."""
        return {name: tensor.clone() for name, tensor in self._tensors.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Stitch:
    """All that is needed to paste a part that was drawn anew back into its picture.

    Args:
        original: the whole picture.
        box: x, y, width, height of the part, in pixels of the picture; the masks have this size.
        work: the size it is drawn at; the part fills ``content`` of it, from the top left corner.
        denoise: how much each pixel may change.
        composite: how the drawn part is laid over the picture; nothing changes where it is 0.
        info: what the picture remembers of it (crop, settings, the mask's hash).
    """

    original: Image
    box: tuple[int, int, int, int]
    work: Size
    content: Size
    denoise: Mask
    composite: Mask
    info: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "info", MappingProxyType(dict(self.info)))

    @property
    def nbytes(self) -> int:
        arrays = (self.original.pixels, self.denoise.values, self.composite.values)
        return sum(int(array.nbytes) for array in arrays)


LayerKind = Literal["control", "region", "reference", "image", "paint", "mask"]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One layer of a canvas, as large as the canvas is.

    A ``control`` layer has an image (white on black, or whatever its control model reads) and in ``info``
    ``control`` (lineart, scribble, canny, depth, pose…), ``weight`` (0..2), ``start`` and ``end`` (0..1, the
    part of the steps it steers), and where it has one of its own ``model``. A ``region`` layer has a mask,
    and in ``info`` its ``prompt`` and ``weight`` (0..1). A ``reference`` layer has an image of any size whose
    look is to be followed, maybe a mask that says where, and in ``info`` ``leads`` (all, style, composition),
    ``weight``, ``start`` and ``end`` as a control layer, and where it has one of its own ``adapter``.
    """

    kind: LayerKind
    name: str = ""
    image: Image | None = None
    mask: Mask | None = None
    info: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in get_args(LayerKind):
            raise ValueError(f"a layer is one of {', '.join(get_args(LayerKind))}, not {self.kind}")
        object.__setattr__(self, "info", MappingProxyType(dict(self.info)))

    @property
    def nbytes(self) -> int:
        image = int(self.image.pixels.nbytes) if self.image is not None else 0
        return image + (int(self.mask.values.nbytes) if self.mask is not None else 0)

    def with_(self, **changes: Any) -> Layer:
        """A copy with ``changes``."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Lora:
    """A LoRA that a model is to be changed by: which file, and how strongly.

    ``strength`` is for the network that removes the noise, ``text_strength`` for the text encoders; 1 is as
    it was trained, below 0 does the opposite. ``fingerprint`` changes when the file does.
    """

    id: str
    path: str
    fingerprint: str
    strength: float = 1.0
    text_strength: float = 1.0
    blocks: str = ""
    """What each block's strength is multiplied with; see :func:`pipelines.models.lora.blocks.read_blocks`."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """A textual inversion that a model's text encoders are to know: which file, and the ``word`` in a prompt
    that stands for it. ``fingerprint`` changes when the file does.
    """

    id: str
    path: str
    fingerprint: str
    word: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a model that comes from a file of its own, or from another model's folder.

    ``name`` is the one it has in a pipeline of diffusers (``vae``, ``text_encoder_2``, ``tokenizer_2``);
    ``path`` a file, or the folder of this part alone; ``id`` what to call it; ``fingerprint`` changes when
    the files do.
    """

    name: str
    id: str
    path: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Speed:
    """How a model is to be made faster; see :mod:`pipelines.models.speed`.

    ``attention`` auto, or a name of :data:`pipelines.models.speed.choices.BACKENDS`; ``cache`` none,
    first_block, pyramid or taylor, with the share of change below which a step is taken from the one before
    (first_block) or the number of steps of which one is computed (the others); ``tiling`` of the VAE auto, on
    or off; ``runtime`` torch, or openvino on processors.
    """

    attention: str = "auto"
    cache: str = "none"
    cache_threshold: float = 0.1
    cache_every: int = 3
    channels_last: bool = False
    compile: bool = False
    tiling: str = "auto"
    runtime: str = "torch"


@dataclass(frozen=True, slots=True)
class ModelHandle:
    """A model on an edge: what it is and where, never the weights (those belong to the residency manager).

    ``kind`` is diffusion, language, upscale, control, inpaint or, of a file that changes another model, lora,
    vae, text_encoder, embedding or adapter (``family`` of those is the one they were made for), or vision,
    what adapters look through, depth, pose or detector. ``dtype`` auto, fp32, bf16 or fp16; ``quantization``
    none, auto, fp8, int8 or nf4; ``fingerprint`` changes when the files do. ``loras`` change the model, in
    this order: another handle is another model to everything that keeps results. ``parts`` are those that
    its own file lacks, or that were chosen instead of its own; one of each name.
    """

    kind: Literal[
        "diffusion", "language", "upscale", "control", "inpaint",
        "lora", "vae", "text_encoder", "embedding", "adapter", "vision", "depth",
        "pose", "detector",
    ]  # fmt: skip
    id: str
    path: str
    family: str
    dtype: str = "auto"
    quantization: str = "none"
    fingerprint: str = ""
    loras: tuple[Lora, ...] = ()
    parts: tuple[Part, ...] = ()
    embeddings: tuple[Embedding, ...] = ()
    vae_dtype: str = "auto"
    """Precision of the VAE: fp32, bf16 or fp16; “auto” is that of the rest."""
    speed: Speed = field(default_factory=Speed)
    """What is done to a loaded model for the time it is used; its weights are the same."""

    def replace(self, **changes: Any) -> ModelHandle:
        """A copy with ``changes``."""
        return replace(self, **changes)


class ListValue(tuple[Any, ...]):
    """A list on an edge. Its own class, so that a JSON array is never mistaken for one."""

    __slots__ = ()

    def __new__(cls, items: Iterable[Any] = ()) -> ListValue:
        return super().__new__(cls, items)


def nbytes(value: Any) -> int:
    """Bytes a value holds in memory, for the cache's limit (a small constant for scalars)."""
    match value:
        case ListValue():
            return 64 + sum(nbytes(item) for item in value)
        case Image():
            return int(value.pixels.nbytes) + 256
        case Mask():
            return int(value.values.nbytes) + 128
        case Latent() | Conditioning() | Stitch() | Layer():
            return value.nbytes + 256
        case str():
            return 64 + len(value) * 2
        case dict():
            return 64 + sum(nbytes(key) + nbytes(item) for key, item in value.items())
        case list() | tuple():
            return 64 + sum(nbytes(item) for item in value)
        case _:
            return 64
