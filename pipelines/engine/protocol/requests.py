"""What a client asks of the engine."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from pipelines.engine.protocol.downloads import (
    JudgeModels,
    ListDownloads,
    LookAtSource,
    SetOffline,
    StartDownload,
    SteerDownload,
)
from pipelines.engine.protocol.parts import PROTOCOL, Message, Settings


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


class ImportModel(Message):
    """Bring a model file into the user's own folder, with what lies beside it; the answer is
    :class:`ModelImported`."""

    kind: Literal["import_model"] = "import_model"
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
    """Measure how fast the device is, for the seconds of forecasts; the answer is :class:`Calibrated`.
    ``quick``: for a moment, and only if nothing is known yet."""

    kind: Literal["calibrate"] = "calibrate"
    request: str
    quick: bool = False


class KeepResults(Message):
    """Keep at most ``limit`` bytes of results on disk from now on (0: none, and those that are there go;
    None: as until now); ``clear``: delete those that are there. The answer is :class:`ResultsKept`."""

    kind: Literal["keep_results"] = "keep_results"
    request: str
    limit: int | None = None
    clear: bool = False


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
    | ImportModel
    | RemoveModel
    | FindDuplicates
    | StopModelWork
    | ListDownloads
    | LookAtSource
    | StartDownload
    | SteerDownload
    | SetOffline
    | JudgeModels
    | Prepare
    | SaveImage
    | Forecast
    | Calibrate
    | KeepResults
    | FreeMemory
    | Shutdown,
    Field(discriminator="kind"),
]
