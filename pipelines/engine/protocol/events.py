"""What the engine tells."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from pipelines.engine.protocol.downloads import Downloads, DownloadTold, ModelsJudged, SourceSeen
from pipelines.engine.protocol.parts import (
    PROTOCOL,
    ErrorData,
    ForecastChange,
    ForecastModel,
    ImageRef,
    Message,
    ModelInfo,
    NodeSource,
    NodeStatus,
    RunStatus,
    ValueRef,
    Verdict,
)


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
    upscaling, saving; for a drawing in two passes "composing W × H", enlarging, "drawing detail";
    refining, where another model ends a drawing.

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
    phase: Literal["searching", "hashing", "verifying", "converting", "comparing", "importing"]
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


class ModelImported(Message):
    """``target`` is where it is now; ``already``: one with the same content was there, and nothing was
    done."""

    kind: Literal["model_imported"] = "model_imported"
    request: str
    path: str
    target: str
    already: bool = False


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
    and the most of what is drawn, None where nothing is known yet; ``long``: over two minutes. ``openvino``:
    how many times as fast OpenVINO was measured to be, where that is worth its while and not chosen yet; else
    0."""

    kind: Literal["forecasted"] = "forecasted"
    request: str
    device: str
    memory_bytes: int = 0
    verdict: Verdict
    peak_bytes: int = 0
    seconds: tuple[float, float] | None = None
    long: bool = False
    change: ForecastChange | None = None
    openvino: float = 0.0
    models: tuple[ForecastModel, ...] = ()
    problems: dict[str, str] = {}


class Calibrated(Message):
    kind: Literal["calibrated"] = "calibrated"
    request: str
    device: str


class ResultsKept(Message):
    """Results on disk, and what was deleted of them just now."""

    kind: Literal["results_kept"] = "results_kept"
    request: str
    results: int
    bytes: int
    deleted: int = 0
    deleted_bytes: int = 0


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
    | ModelImported
    | ModelRemoved
    | Duplicates
    | ModelWorkStopped
    | Downloads
    | DownloadTold
    | SourceSeen
    | ModelsJudged
    | Forecasted
    | Calibrated
    | ResultsKept
    | Saved
    | Lost
    | Failure,
    Field(discriminator="kind"),
]
