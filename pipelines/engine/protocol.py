"""The messages between a client and the engine: typed, frozen, JSON, and never pickled.

Over pipes a message is a frame of four bytes (big-endian length) and that many bytes of UTF-8 JSON (see
:mod:`pipelines.engine.frames`); ``diptych engine --stdio`` speaks the same JSON, one message a line. ``kind``
names the message. Pixels travel in files of the run directory, named by :class:`ImageRef`.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from pipelines.errors import ProtocolError, RequestUnreadable

PROTOCOL = 1
"""Raised whenever a message changes in a way an older reader can't understand."""

NodeStatus = Literal["executed", "cached", "failed", "blocked", "skipped", "cancelled"]
RunStatus = Literal["finished", "failed", "cancelled"]


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


# --- parts
# ---------------------------------------------------------------------------------------------------------


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

    kind: Literal["diffusion", "language", "upscale", "inpaint", "control"]
    id: str
    title: str
    path: str
    family: str = ""
    bytes: int = 0
    problem: str = ""
    """Why it can't be used; empty if it can."""
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


class Settings(Message):
    """What the engine must know of the user's settings."""

    device: str = "auto"
    data_dir: str
    cache_dir: str
    output_dir: str
    model_folders: tuple[str, ...] = ()
    cache_bytes: int = 512 * 2**20
    """Results kept in memory."""
    disk_cache_bytes: int = 0
    """Results kept on disk too, for the next start; 0 keeps none."""
    preview: bool = True


# --- requests
# ------------------------------------------------------------------------------------------------------


class Hello(Message):
    kind: Literal["hello"] = "hello"
    protocol: int = PROTOCOL
    run_dir: str
    settings: Settings


class Run(Message):
    """Run a graph as it is in this message. ``targets`` None: the nodes none of whose outputs is linked."""

    kind: Literal["run"] = "run"
    job: str
    graph: str
    name: str = ""
    targets: tuple[str, ...] | None = None
    base: str = ""
    """Folder that relative paths of the document start from."""
    output_dir: str | None = None
    fresh: bool = False
    """Ignore what is cached."""


class Cancel(Message):
    kind: Literal["cancel"] = "cancel"
    job: str


class Validate(Message):
    kind: Literal["validate"] = "validate"
    request: str
    graph: str
    base: str = ""


class ListNodes(Message):
    kind: Literal["nodes"] = "nodes"
    request: str


class ListModels(Message):
    """What hasn't changed since the last time is not examined again."""

    kind: Literal["models"] = "models"
    request: str
    also: tuple[str, ...] = ()
    """Paths of models to examine too, wherever they lie."""


class Prepare(Message):
    """Import the heavy libraries in the background; the answer is :class:`Device`."""

    kind: Literal["prepare"] = "prepare"


class SaveImage(Message):
    """Save a picture of an earlier run again, elsewhere (a save that failed loses nothing)."""

    kind: Literal["save_image"] = "save_image"
    request: str
    job: str
    node: str
    index: int = 0
    path: str


class FreeMemory(Message):
    kind: Literal["free_memory"] = "free_memory"


class Shutdown(Message):
    kind: Literal["shutdown"] = "shutdown"


Request = Annotated[
    Hello | Run | Cancel | Validate | ListNodes | ListModels | Prepare | SaveImage | FreeMemory | Shutdown,
    Field(discriminator="kind"),
]

# --- events
# --------------------------------------------------------------------------------------------------------


class Ready(Message):
    """The engine takes requests. ``torch`` is empty until it is imported."""

    kind: Literal["ready"] = "ready"
    protocol: int = PROTOCOL
    version: str
    pid: int


class Device(Message):
    """Which device draws, and how it is doing."""

    kind: Literal["device"] = "device"
    device: str
    name: str
    dtype: str
    total_bytes: int = 0
    free_bytes: int = 0
    used_bytes: int = 0
    versions: dict[str, str] = {}
    problem: ErrorData | None = None
    """A card that is there but not used, with reason and remedy."""


class RunStarted(Message):
    kind: Literal["run_started"] = "run_started"
    job: str
    nodes: tuple[str, ...]
    """All nodes the run may touch, in a valid order."""


class RunWaiting(Message):
    """The device is used by another program of ours; the run goes on when that is idle."""

    kind: Literal["run_waiting"] = "run_waiting"
    job: str
    device: str
    owner: str


class NodeStarted(Message):
    kind: Literal["node_started"] = "node_started"
    job: str
    node: str


class NodeProgress(Message):
    """``step`` of ``total`` units; ``phase`` a word: reading, encoding, denoising, decoding, writing,
    upscaling, saving; for a drawing in two passes "composing W × H", enlarging, "drawing detail".

    ``unit`` says what is counted: step, token, tile, byte. ``rate`` is units a second, ``seconds_left`` the
    estimate. ``asked`` is how many steps were asked for, where a denoising strength lets only ``total`` run.
    """

    kind: Literal["node_progress"] = "node_progress"
    job: str
    node: str
    step: int
    total: int
    phase: str = ""
    unit: str = "step"
    rate: float | None = None
    seconds_left: float | None = None
    item: int = 0
    items: int = 1
    preview: ImageRef | None = None
    text: str | None = None
    asked: int | None = None


class NodeWarning(Message):
    kind: Literal["node_warning"] = "node_warning"
    job: str
    node: str
    warning: ErrorData


class NodeFinished(Message):
    kind: Literal["node_finished"] = "node_finished"
    job: str
    node: str
    status: NodeStatus
    seconds: float = 0.0
    error: ErrorData | None = None
    outputs: dict[str, ValueRef] = {}
    stored_bytes: int = 0


class RunFinished(Message):
    kind: Literal["run_finished"] = "run_finished"
    job: str
    status: RunStatus
    seconds: float
    nodes: dict[str, NodeStatus] = {}
    errors: tuple[ErrorData, ...] = ()
    result: dict[str, Any] = {}
    """The entry of ``run --json`` for this graph (DESIGN, Contracts)."""


class Problems(Message):
    """Answer to :class:`Validate`: every problem at once."""

    kind: Literal["problems"] = "problems"
    request: str
    problems: tuple[ErrorData, ...]


class Nodes(Message):
    kind: Literal["node_types"] = "node_types"
    request: str
    nodes: tuple[dict[str, Any], ...]


class Models(Message):
    kind: Literal["model_list"] = "model_list"
    request: str
    models: tuple[ModelInfo, ...]


class Saved(Message):
    kind: Literal["saved"] = "saved"
    request: str
    path: str = ""
    error: ErrorData | None = None


class Lost(Message):
    """Said by the client, not by the engine: its process ended. ``restarting``: it will be there again."""

    kind: Literal["lost"] = "lost"
    error: ErrorData
    restarting: bool = True


class Failure(Message):
    """A request that could not be served at all (``request`` is its job or request id, where it has one)."""

    kind: Literal["failure"] = "failure"
    request: str = ""
    error: ErrorData


Event = Annotated[
    Ready
    | Device
    | RunStarted
    | RunWaiting
    | NodeStarted
    | NodeProgress
    | NodeWarning
    | NodeFinished
    | RunFinished
    | Problems
    | Nodes
    | Models
    | Saved
    | Lost
    | Failure,
    Field(discriminator="kind"),
]

_requests: TypeAdapter[Any] = TypeAdapter(Request)
_events: TypeAdapter[Any] = TypeAdapter(Event)


def read_request(data: bytes | str) -> Any:
    """A request from its JSON. Raises :class:`RequestUnreadable`."""
    try:
        return _requests.validate_json(data)
    except ValidationError as error:
        raise RequestUnreadable(reason=_first_fault(error)) from error


def read_event(data: bytes | str) -> Any:
    """An event from its JSON. Raises :class:`ProtocolError`."""
    try:
        return _events.validate_json(data)
    except ValidationError as error:
        raise ProtocolError(reason=_first_fault(error)) from error


def _first_fault(error: ValidationError) -> str:
    """Where a message breaks, in one sentence."""
    fault = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}."[:500] if place else f"{fault['msg']}."[:500]


def write(message: Message) -> bytes:
    """A message as JSON in one line. Half characters, which UTF-8 can't say (file names may have them),
    become question marks."""
    try:
        return message.model_dump_json().encode()
    except PydanticSerializationError:
        return json.dumps(message.model_dump(), ensure_ascii=False, default=str).encode("utf-8", "replace")
