"""What messages are made of."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

PROTOCOL = 1
"""Raised whenever a message changes in a way an older reader can't understand."""

NodeStatus = Literal["executed", "cached", "failed", "blocked", "skipped", "cancelled"]
RunStatus = Literal["finished", "failed", "cancelled"]
Verdict = Literal["fits", "offload", "too_large"]
"""Whether something fits a device: as a whole, with weights that stream, or not at all."""


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ImageRef(Message):
    """Raw pixels in a file of the run directory: H×W×C uint8 rows without padding. The reader deletes the
    file."""

    file: str
    width: int
    height: int
    channels: int


class ValueRef(Message):
    """What an output holds, small enough for a message: a text or number itself, an image by reference."""

    type: str
    value: Any = None
    """Text, number, boolean, JSON, or the id of a model; for a list its first items; ``None`` for tensors."""
    items: int | None = None
    """Length, if it is a list."""
    images: tuple[ImageRef, ...] = ()
    """Full pictures for targets, thumbnails (longest side 256 px) for others."""
    infos: tuple[dict[str, Any], ...] = ()
    """How each picture was made (prompt, seed, steps…)."""
    sizes: tuple[tuple[int, int], ...] = ()
    """Width and height of each picture itself, whatever the size of its thumbnail."""


class ErrorData(Message):
    """A :class:`pipelines.errors.ErrorInfo` on the wire (see its ``to_json``)."""

    code: str
    what: str
    why: str = ""
    remedy: str = ""
    arguments: dict[str, Any] = {}
    node: str | None = None
    port: str | None = None
    severity: str = "error"
    details: str = ""
    message: str = ""


class ModelInfo(Message):
    """One model of the catalogue."""

    kind: Literal[
        "diffusion", "language", "upscale", "inpaint", "control",
        "lora", "embedding", "vae", "text_encoder", "adapter", "vision", "depth",
        "pose", "detector",
    ]  # fmt: skip
    id: str
    title: str
    path: str
    family: str = ""
    bytes: int = 0
    problem: str = ""
    """Why it can't be used; empty if it can."""
    problem_code: str = ""
    """Which error that is: the name of its class."""
    native_size: tuple[int, int] | None = None
    size_multiple: int = 8
    defaults: dict[str, Any] = {}
    """Values a form should take over when this model is chosen: steps, guidance_scale, guidance_rescale,
    width…"""
    examples: tuple[str, ...] = ()
    card: str = ""
    """A few plain sentences about it."""
    unavailable: dict[str, str] = {}
    """Param name, ``sampler:NAME``, ``layer:control`` or ``layer:region`` -> why it has no effect with it."""
    variant: str = ""
    """Which of its family: ``dev``, ``inpaint``, ``lokr``…"""
    base: str = ""
    """The family that a LoRA, an adapter, a control model or a VAE is for."""
    layout: str = ""
    """Whose names its tensors have: ``original``, ``diffusers``, ``kohya``…"""
    dtype: str = ""
    parameters: int = 0
    """How many numbers it holds."""
    origin: str = ""
    """The program in whose folder it is; empty for our own and the user's."""
    author: str = ""
    licence: str = ""
    base_model: str = ""
    """What it was made from, in its maker's words."""
    trigger_words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    strength: float | None = None
    """The weight its maker recommends for a LoRA."""
    source: str = ""
    """The address of its page."""
    preview: str = ""
    """Path of a picture beside it."""
    sha256: str = ""
    """Hashes of its file; empty until they are made in the background."""
    blake3: str = ""
    autov1: str = ""
    autov3: str = ""
    notes: str = ""
    """What the user wrote of it, wherever it is kept and whatever it is called."""
    user_tags: tuple[str, ...] = ()
    favourite: bool = False
    modified: float = 0.0
    """When its file was written, and when it was used last: seconds since 1970, 0 for unknown."""
    used: float = 0.0


class NodeSource(Message):
    """A file or a package that may bring nodes, as the engine found it.

    ``state``: ``on``, ``new`` (not agreed to), ``changed`` (since it was agreed to) or ``failed``. ``hash``
    is of all of its code, which is in ``files``; ``types`` are the ids of its nodes that can be used.
    """

    source: Literal["file", "package"]
    name: str
    version: str = ""
    hash: str = ""
    state: Literal["on", "new", "changed", "failed"]
    types: tuple[str, ...] = ()
    errors: tuple[ErrorData, ...] = ()
    files: tuple[str, ...] = ()


class ForecastModel(Message):
    """What one node needs of memory, in bytes (see :class:`pipelines.models.forecast.ModelForecast`).

    ``seen``: its seconds are those of earlier runs. ``error``: how far activations may be off, as a share.
    ``plain_seconds``: what earlier runs took without the settings for speed that it has.
    """

    node: str
    model: str
    precision: str
    verdict: Verdict
    reason: str = ""
    weights: dict[str, int] = {}
    activations: int = 0
    decoding: int = 0
    tiled: bool = False
    peak_bytes: int = 0
    moved_bytes: int = 0
    """For each step."""
    seconds: tuple[float, float] | None = None
    seen: bool = False
    plain_seconds: tuple[float, float] | None = None
    error: float = 0.0


class ForecastChange(Message):
    """Params by node that make a graph fit, and what it needs then."""

    params: dict[str, dict[str, Any]]
    verdict: Verdict
    peak_bytes: int
    seconds: tuple[float, float] | None = None


class Settings(Message):
    """What the engine must know of the user's settings."""

    device: str = "auto"
    data_dir: str
    cache_dir: str
    output_dir: str
    model_folders: tuple[str, ...] = ()
    reserve_bytes: int = 0
    """Of the device's memory, kept for other programs."""
    cache_bytes: int = 512 * 2**20
    """Results kept in memory."""
    disk_cache_bytes: int = 0
    """Results kept on disk too, for the next start; 0 keeps none."""
    preview: bool = True
    nodes_dir: str = ""
    """The user's own files of nodes; empty: nothing from outside is looked for."""
    agreements: str = ""
    """The file with what the user agreed to (see :mod:`pipelines.outside.agreements`)."""
    offline: str = ""
    """Why nothing may be downloaded, if so. The engine can't ask its environment: it is offline there."""
    keeps_downloads: bool = True
    """Whether downloads are taken up again at the next start."""
