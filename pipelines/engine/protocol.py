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
Verdict = Literal["fits", "offload", "too_large"]
"""Whether something fits a device: as a whole, with weights that stream, or not at all."""


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

    kind: Literal[
        "diffusion", "language", "upscale", "inpaint", "control",
        "lora", "embedding", "vae", "text_encoder", "adapter", "vision",
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


class FindCached(Message):
    """Ask which nodes of a graph need not run, because their results are there; the answer is
    :class:`CachedNodes`."""

    kind: Literal["find_cached"] = "find_cached"
    request: str
    graph: str
    base: str = ""


class ListNodes(Message):
    kind: Literal["nodes"] = "nodes"
    request: str


class LoadNodes(Message):
    """Look again for nodes from outside, and load what the user agreed to; the answer is
    :class:`OutsideNodes`. ``again``: what failed before is tried once more."""

    kind: Literal["load_nodes"] = "load_nodes"
    request: str
    again: bool = False


class AskPorts(Message):
    """Which ports a node type from outside has with these params; the answer is :class:`Ports`."""

    kind: Literal["ask_ports"] = "ask_ports"
    request: str
    type: str
    params: dict[str, Any] = {}


class ListModels(Message):
    """What hasn't changed since the last time is not examined again."""

    kind: Literal["models"] = "models"
    request: str
    also: tuple[str, ...] = ()
    """Paths of models to examine too, wherever they lie."""


class SetModelFolders(Message):
    """Look for models in these folders of the user's from now on; the answer is :class:`Models`."""

    kind: Literal["set_model_folders"] = "set_model_folders"
    request: str
    folders: tuple[str, ...] = ()


class DescribeModel(Message):
    """What is written in a model's file beside its numbers; the answer is :class:`ModelDescribed`."""

    kind: Literal["describe_model"] = "describe_model"
    request: str
    path: str


class NoteModel(Message):
    """Keep what the user notes of a model; None leaves what there is. Notes belong to its content, so it is
    hashed first; the answer is :class:`ModelTold`."""

    kind: Literal["note_model"] = "note_model"
    request: str
    path: str
    text: str | None = None
    tags: tuple[str, ...] | None = None
    favourite: bool | None = None
    trigger_words: tuple[str, ...] | None = None
    defaults: dict[str, Any] | None = None


class HashModel(Message):
    """Make a model's hashes; ``verify``: anew, and compare them with what they were and should be. The answer
    is :class:`ModelTold`."""

    kind: Literal["hash_model"] = "hash_model"
    request: str
    path: str
    verify: bool = False


class ConvertModel(Message):
    """Write a pickled model as safetensors beside it, running nothing of it; the answer is
    :class:`ModelConverted`."""

    kind: Literal["convert_model"] = "convert_model"
    request: str
    path: str


class RemoveModel(Message):
    """Move a model to the bin, with what lies beside it; the answer is :class:`ModelRemoved`."""

    kind: Literal["remove_model"] = "remove_model"
    request: str
    path: str


class FindDuplicates(Message):
    """Which models' files are the same; those of one size are read. The answer is :class:`Duplicates`."""

    kind: Literal["find_duplicates"] = "find_duplicates"
    request: str


class StopModelWork(Message):
    """End one of these requests; the answer to it is then :class:`ModelWorkStopped`."""

    kind: Literal["stop_model_work"] = "stop_model_work"
    request: str


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


class Forecast(Message):
    """What a graph will need on the device that draws; the answer is :class:`Forecasted`."""

    kind: Literal["forecast"] = "forecast"
    request: str
    graph: str


class Calibrate(Message):
    """Measure how fast the device is, for the seconds of forecasts; the answer is :class:`Calibrated`."""

    kind: Literal["calibrate"] = "calibrate"
    request: str


class FreeMemory(Message):
    kind: Literal["free_memory"] = "free_memory"


class Shutdown(Message):
    kind: Literal["shutdown"] = "shutdown"


Request = Annotated[
    Hello
    | Run
    | Cancel
    | Validate
    | FindCached
    | ListNodes
    | LoadNodes
    | AskPorts
    | ListModels
    | SetModelFolders
    | DescribeModel
    | NoteModel
    | HashModel
    | ConvertModel
    | RemoveModel
    | FindDuplicates
    | StopModelWork
    | Prepare
    | SaveImage
    | Forecast
    | Calibrate
    | FreeMemory
    | Shutdown,
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
    moved_bytes: int = 0
    """Bytes of weights that were fetched for this step, because the model doesn't fit on the device."""


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


class CachedNodes(Message):
    """Answer to :class:`FindCached`: what a run would tell of these nodes. Pictures are thumbnails."""

    kind: Literal["cached_nodes"] = "cached_nodes"
    request: str
    nodes: tuple[NodeFinished, ...] = ()


class Nodes(Message):
    kind: Literal["node_types"] = "node_types"
    request: str
    nodes: tuple[dict[str, Any], ...]


class OutsideNodes(Message):
    """What there is from outside, and the descriptions of the types that can be used (see
    :mod:`pipelines.graph.described`). Also said without a request: when the engine has started."""

    kind: Literal["outside_nodes"] = "outside_nodes"
    request: str = ""
    sources: tuple[NodeSource, ...]
    nodes: tuple[dict[str, Any], ...]


class Ports(Message):
    """``inputs`` and ``outputs`` as in a description; as declared, if the type's own code fails."""

    kind: Literal["ports"] = "ports"
    request: str
    type: str
    params: dict[str, Any] = {}
    inputs: tuple[dict[str, Any], ...]
    outputs: tuple[dict[str, Any], ...]


class Models(Message):
    """The models there are. Also said without a request: when others were found than before.

    A long list comes in several messages of the same request; ``more``: this isn't the last.
    """

    kind: Literal["model_list"] = "model_list"
    request: str
    models: tuple[ModelInfo, ...]
    more: bool = False


class ModelProgress(Message):
    """How far a search (``done`` models so far, ``total`` 0) or work on a model's file is (bytes)."""

    kind: Literal["model_progress"] = "model_progress"
    request: str
    phase: Literal["searching", "hashing", "verifying", "converting", "comparing"]
    path: str = ""
    done: int = 0
    total: int = 0


class ModelTold(Message):
    """What is known of one model now. After a check: what it was ``compared`` with, and the ``fault`` that
    was found, if any."""

    kind: Literal["model_told"] = "model_told"
    request: str
    model: ModelInfo
    checked: bool = False
    compared: tuple[str, ...] = ()
    fault: str = ""


class ModelDescribed(Message):
    """``metadata``: names and texts of the file's header, long ones shortened; ``tensors``: how many."""

    kind: Literal["model_described"] = "model_described"
    request: str
    path: str
    tensors: int = 0
    metadata: dict[str, str] = {}


class ModelConverted(Message):
    """``target`` is the file that was written; ``dropped`` names what was left out of it."""

    kind: Literal["model_converted"] = "model_converted"
    request: str
    path: str
    target: str
    dropped: tuple[str, ...] = ()
    doubtful: int = 0


class ModelRemoved(Message):
    """``files`` are all that went to the bin."""

    kind: Literal["model_removed"] = "model_removed"
    request: str
    path: str
    files: tuple[str, ...]


class Duplicates(Message):
    """Paths of files that are the same, group by group."""

    kind: Literal["duplicates"] = "duplicates"
    request: str
    groups: tuple[tuple[str, ...], ...]


class ModelWorkStopped(Message):
    kind: Literal["model_work_stopped"] = "model_work_stopped"
    request: str


class Forecasted(Message):
    """Answer to :class:`Forecast`. ``memory_bytes`` is what the device has left for it; ``seconds`` the least
    and the most of what is drawn, None where nothing is known yet; ``long``: over two minutes."""

    kind: Literal["forecasted"] = "forecasted"
    request: str
    device: str
    memory_bytes: int = 0
    verdict: Verdict
    peak_bytes: int = 0
    seconds: tuple[float, float] | None = None
    long: bool = False
    change: ForecastChange | None = None
    models: tuple[ForecastModel, ...] = ()
    problems: dict[str, str] = {}


class Calibrated(Message):
    kind: Literal["calibrated"] = "calibrated"
    request: str
    device: str


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
    | CachedNodes
    | Nodes
    | OutsideNodes
    | Ports
    | Models
    | ModelProgress
    | ModelTold
    | ModelDescribed
    | ModelConverted
    | ModelRemoved
    | Duplicates
    | ModelWorkStopped
    | Forecasted
    | Calibrated
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
