"""Every error a user can meet: one precise class each, with what happened, why, and what to do.

The three sentences are *source texts* with named slots (``"{path}"``); the arguments travel beside them, so
that the studio can translate the text and fill it in afterwards. :class:`ErrorInfo` is the same thing as
plain data: it is what crosses threads and processes.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

_SLOT = re.compile(r"\{([a-z_]+)\}")


def fill(template: str, arguments: Mapping[str, object]) -> str:
    """Put ``arguments`` into the ``{name}`` slots of ``template``; a slot without an argument stays as it is.

    Not :meth:`str.format`: no attribute access, no conversions, no surprises from text a user typed.
    """
    return _SLOT.sub(lambda match: str(arguments.get(match[1], match[0])), template)


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error as data.

    ``what``, ``why`` and ``remedy`` are source texts with named slots; ``arguments`` fills them. ``node`` and
    ``port`` say where it belongs in a graph, ``details`` is for a bug report (a traceback), never needed to
    go on.
    """

    code: str
    what: str
    why: str = ""
    remedy: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    node: str | None = None
    port: str | None = None
    severity: str = "error"
    details: str = ""

    def sentences(self, translate: Callable[[str], str] = str) -> tuple[str, str, str]:
        """What, why and what to do, translated and filled in (an empty one stays empty)."""
        return (
            fill(translate(self.what), self.arguments),
            fill(translate(self.why), self.arguments) if self.why else "",
            fill(translate(self.remedy), self.arguments) if self.remedy else "",
        )

    def text(self, translate: Callable[[str], str] = str) -> str:
        """All three sentences in one line."""
        return " ".join(part for part in self.sentences(translate) if part)

    def at(self, node: str | None, port: str | None = None) -> ErrorInfo:
        """The same error, placed at a node (and a port)."""
        return replace(self, node=node, port=port if port is not None else self.port)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object; the filled-in English ``message`` is added for people and scripts."""
        return {
            "code": self.code,
            "what": self.what,
            "why": self.why,
            "remedy": self.remedy,
            "arguments": dict(self.arguments),
            "node": self.node,
            "port": self.port,
            "severity": self.severity,
            "details": self.details,
            "message": self.text(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ErrorInfo:
        """The inverse of :meth:`to_json`."""
        return cls(**{key: value for key, value in data.items() if key != "message"})


class DiptychError(Exception):
    """Base of all errors with a text for the user. Subclasses set the three source texts; arguments are
    named."""

    what: ClassVar[str] = "Something went wrong."
    why: ClassVar[str] = ""
    remedy: ClassVar[str] = ""

    def __init__(self, *, node: str | None = None, port: str | None = None, **arguments: Any) -> None:
        self.arguments = arguments
        self.node = node
        self.port = port
        super().__init__(self.info().text())

    def info(self, details: str = "") -> ErrorInfo:
        """This error as data."""
        return ErrorInfo(
            type(self).__name__,
            self.what,
            self.why,
            self.remedy,
            self.arguments,
            self.node,
            self.port,
            "error",
            details,
        )


class UnexpectedError(DiptychError):
    """A bug of ours or of a library: the only error whose ``why`` is not ours."""

    what = "The step stopped because of an unexpected error."
    why = "{kind}: {message}"
    remedy = "Try again. If it comes back, copy the diagnostics into a bug report."


def describe(error: BaseException) -> ErrorInfo:
    """Any exception as an :class:`ErrorInfo`, with its traceback in ``details``."""
    details = "".join(traceback.format_exception(error))[-20_000:]
    if isinstance(error, DiptychError):
        return error.info(details)
    if _is_out_of_memory(error):
        device = "this computer" if isinstance(error, MemoryError) else "the device"
        return OutOfMemory(device=device, reason=str(error)[:2_000] or type(error).__name__).info(details)
    return UnexpectedError(kind=type(error).__name__, message=str(error)[:2_000]).info(details)


def _is_out_of_memory(error: BaseException) -> bool:
    """By name, since the libraries whose errors these are must not be imported for it."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"MemoryError", "OutOfMemoryError"}) or "DefaultCPUAllocator" in str(error)


class Cancelled(DiptychError):
    """The user cancelled; not a failure."""

    what = "Cancelled."


# --- documents ----------------------------------------------------------------------------------------------


class GraphUnreadable(DiptychError):
    """The file is not a document of ours."""

    what = "{name} can't be opened."
    why = "{reason}"
    remedy = "Check that it is a Diptych graph (.json or .diptych), or restore an earlier copy."


class GraphFromTheFuture(DiptychError):
    """The format number is higher than this version knows."""

    what = "{name} was made by a newer version of Diptych (format {found}, this version knows {known})."
    remedy = "Update Diptych to run or change it. The file is not touched."


class GraphInvalid(DiptychError):
    """The document has problems that keep the wanted nodes from running."""

    what = "The graph can't run yet: {count} problem(s)."
    why = "{first}"
    remedy = "Open the problem list and fix what it names."


class UnknownNodeType(DiptychError):
    what = "The node type {type} is not known."
    why = "It comes from a newer version or from an extension that is not installed."
    remedy = "Install what provides it, or remove the node. Its settings are kept as they are."


class NodeFromTheFuture(DiptychError):
    what = "{title} was made by a newer version of Diptych (version {found}, this one knows {known})."
    remedy = "Update Diptych to run it. Its settings are kept as they are."


class InvalidParameter(DiptychError):
    what = "{title} can't be {value}."
    why = "{reason}"
    remedy = "Change it to a value in range."


class UnknownParameter(DiptychError):
    what = "{node_title} has no setting called {name}."
    remedy = "Check the spelling; it knows: {known}."


class MissingInput(DiptychError):
    what = "Nothing is connected to {port_title}."
    remedy = "Connect a {type} to it."


class DanglingLink(DiptychError):
    what = "The link to {port_title} comes from a node that isn't there: {source}."
    remedy = "Connect it again, or remove the link."


class UnknownOutput(DiptychError):
    what = "The node {source} has no output called {output}."
    remedy = "Connect {port_title} to one of: {known}."


class UnknownInput(DiptychError):
    what = "There is no input called {name} here."
    remedy = "Remove the link, or connect it to one of: {known}."


class BothLiteralAndLink(DiptychError):
    what = "{port_title} has both a value and a link."
    remedy = "Keep one of them."


class IncompatibleLink(DiptychError):
    what = "{port_title} takes {expected}, but gets {found}."
    remedy = "Connect a {expected} instead."


class CycleFound(DiptychError):
    what = "These nodes feed each other in a circle: {nodes}."
    why = "A node can't run before its own result is there."
    remedy = "Remove one of the links between them."


class UnknownTarget(DiptychError):
    what = "There is no node called {target} to run."
    remedy = "The graph has: {known}."


class BadNodeId(DiptychError):
    what = "{id} is not a usable node id."
    why = "Ids have 1 to 64 letters, digits, underscores, colons or hyphens."
    remedy = "Rename the node in the file."


class UnknownSubgraph(DiptychError):
    what = "There is no subgraph called {name} in this document."
    remedy = "Choose one of: {known}."


class SubgraphRecursion(DiptychError):
    what = "The subgraph {name} contains itself: {path}."
    why = "It would never end."
    remedy = "Remove one of these nodes from the subgraph it is in."


class SubgraphBroken(DiptychError):
    what = "The subgraph {name} can't be used."
    why = "{reason}"
    remedy = "Repair the subgraph, or remove the node that uses it."


class ListLengthMismatch(DiptychError):
    what = "Two lists of different lengths meet: {first} has {first_length} items, {second} {second_length}."
    remedy = "Make them equally long, or give a single value."


class NotExecuted(DiptychError):
    """A node was blocked by a failure upstream."""

    what = "This step could not run."
    why = "A step it needs failed: {source}."
    remedy = "Fix that step and run again."


# --- numbers, text, lists -----------------------------------------------------------------------------------


class ArithmeticFailed(DiptychError):
    what = "{left} {operation} {right} has no finite result."
    remedy = "Change one of the numbers."


class TableUnreadable(DiptychError):
    what = "The table {path} can't be read."
    why = "{reason}"
    remedy = "Give a CSV file with a header line, or a JSONL file with one object a line."


class TooManyItems(DiptychError):
    what = "{count} items are too many at once."
    why = "The limit is {limit}, so that memory is never exhausted."
    remedy = "Use fewer, or work in parts."


class ItemMissing(DiptychError):
    what = "There is no item {index} in the list: it has {count}."
    remedy = "Choose a smaller number; the first item is 0, the last is -1."


# --- files --------------------------------------------------------------------------------------------------


class FileMissing(DiptychError):
    what = "{path} is not there."
    remedy = "Choose another file, or put it back."


class ImageUnreadable(DiptychError):
    what = "The image {path} can't be read."
    why = "{reason}"
    remedy = "Open it in another program and save it again, or choose another one."


class ImageTooLarge(DiptychError):
    what = "{width} × {height} pixels are too many."
    why = "The limit is {limit} million pixels, so that memory is never exhausted."
    remedy = "Choose a smaller size."


class SaveFailed(DiptychError):
    what = "The image could not be saved to {path}."
    why = "{reason}"
    remedy = "Choose another folder. The image is kept in memory until then."


class PathNotAllowed(DiptychError):
    what = "{path} leaves the folder it must stay in."
    remedy = "Use a plain name without “..” or a drive."


class DiskFull(DiptychError):
    what = "There is no space left for {path}."
    why = "It needs {needed}, {free} is free."
    remedy = "Free some space or choose another folder. Nothing was lost."


class NothingToSave(DiptychError):
    what = "There is nothing to save."
    remedy = "Run the step before it first."


class GraphNotSaved(SaveFailed):
    what = "The graph could not be saved to {path}."
    remedy = "Save it somewhere else. It stays open, and the file is as it was before."


class TextNotSaved(SaveFailed):
    what = "The text could not be saved to {path}."
    remedy = "Choose another folder. Nothing that was there has changed."


class FolderMissing(DiptychError):
    what = "The folder {path} is not there."
    remedy = "Choose another folder, or put it back."


class TextUnreadable(DiptychError):
    what = "The text {path} can't be read."
    why = "{reason}"
    remedy = "Save it as plain text in UTF-8, or choose another one."


class CropOutside(DiptychError):
    what = "The part of {width} × {height} px at {x}, {y} reaches outside the picture."
    why = "The picture is {image_width} × {image_height} px."
    remedy = "Choose a position and a size inside it."


class SizesDiffer(DiptychError):
    what = "The first picture is {width} × {height} px, {name} is {other_width} × {other_height} px."
    why = "They are laid over each other, so they must have the same size."
    remedy = "Resize or crop one of them first."


# --- models -------------------------------------------------------------------------------------------------


class ModelMissing(DiptychError):
    what = "The model {model} is not on this computer."
    remedy = "Choose another model, or add the folder it is in."


class ModelUnreadable(DiptychError):
    what = "The model {model} can't be opened."
    why = "{reason}"
    remedy = "Download or copy it again."


class ModelUnsafe(DiptychError):
    what = "The model {model} was not opened, because it could run a program."
    why = "{reason}"
    remedy = "Use a safetensors version of it."


class ModelUnsuitable(DiptychError):
    what = "The model {model} can't do this."
    why = "{reason}"
    remedy = "Choose a model made for {task}."


class UnknownModelFamily(DiptychError):
    what = "Diptych doesn't know what kind of model {model} is."
    why = "{reason}"
    remedy = "Choose a Stable Diffusion 1.x or SDXL checkpoint, or a diffusers folder."


class StarterTextModelMissing(DiptychError):
    what = "The starter text model is not installed yet."
    remedy = "Run packaging/start.py once with a network connection, or choose a model of your own."


class QuantizationUnavailable(DiptychError):
    what = "{quantization} can't be used here."
    why = "{reason}"
    remedy = "Choose another precision."


class OutOfMemory(DiptychError):
    what = "There is not enough memory on {device}."
    why = "{reason}"
    remedy = "Choose a smaller size, fewer images at a time, or a lower precision."


class ModelFormatUnsupported(DiptychError):
    what = "The model {model} is kept in a format that can't be used here."
    why = "{reason}"
    remedy = "Use a safetensors version of it."


class ModelChanged(DiptychError):
    """The file on the disk is another one than when the run began."""

    what = "The model {model} was replaced while it was about to be used."
    remedy = "Run again; the new file is used then."


class DeviceUnused(DiptychError):
    """A banner, not a failure: a graphics card is there, but the processor draws."""

    what = "{card} is not used; the processor does the work."
    why = "{reason}"
    remedy = "{hint}"


# --- diffusion, language, upscale ---------------------------------------------------------------------------


class SamplerUnavailable(DiptychError):
    what = "The sampler {sampler} can't be used with {model}."
    why = "{reason}"
    remedy = "Choose another sampler; “model default” always works."


class ScheduleUnavailable(DiptychError):
    what = "The schedule {schedule} can't be used with the sampler {sampler}."
    why = "{reason}"
    remedy = "Choose another schedule; “model default” always works."


class SizeUnsuitable(DiptychError):
    what = "{width} × {height} can't be drawn by this model."
    why = "Sides must be multiples of {multiple} px."
    remedy = "The nearest that works is {nearest_width} × {nearest_height}."


class DecodeFailed(DiptychError):
    what = "The picture could not be decoded: it holds values that are no numbers."
    why = "The model overflowed in {dtype}, and again in full precision."
    remedy = "Choose another precision or sampler."


class PromptTooLong(DiptychError):
    """A warning, not a failure."""

    what = "The prompt is longer than the model reads: {used} of {total} tokens are used."
    remedy = "Shorten it, or put what matters first. The rest begins at “{rest}”."


class ContextTooLong(DiptychError):
    what = "The text is too long for {model}: {used} tokens, it reads {limit}."
    remedy = "Shorten it, or ask for fewer new tokens."


class ChatTemplateFailed(DiptychError):
    what = "The chat template of {model} can't be used."
    why = "{reason}"
    remedy = "Choose another model, or get a newer copy of this one."


class LogitsNotFinite(DiptychError):
    what = "The text model stopped: its output holds values that are no numbers."
    why = "The model overflowed in {dtype}."
    remedy = "Choose another precision for it."


class SettingIgnored(DiptychError):
    """A warning, not a failure."""

    what = "{setting} has no effect with {model}."
    why = "{reason}"
    remedy = "Nothing needs to be done; set it back to its default to stop this notice."


class ConditioningUnsuitable(DiptychError):
    what = "This conditioning was encoded for another kind of model than {model}."
    why = "It is {found} numbers wide; this model takes {expected}."
    remedy = "Encode the prompt with the model that draws."


# --- engine -------------------------------------------------------------------------------------------------


class EngineDied(DiptychError):
    what = "The engine stopped in the middle of this run."
    why = "{reason}"
    remedy = "It has been started again; run once more. Everything else is as it was."


class EngineUnavailable(DiptychError):
    what = "The engine can't be started."
    why = "{reason}"
    remedy = "Run packaging/start.py --repair once, then start Diptych again."


class EngineBusy(DiptychError):
    what = "Another Diptych is using {device} ({owner})."
    remedy = "Wait until it is idle, or close it."


class ProtocolError(DiptychError):
    what = "A message between the studio and the engine could not be read."
    why = "{reason}"
    remedy = "Restart Diptych; if it comes back, copy the diagnostics into a bug report."


class WrongUse(DiptychError):
    """The command line was used wrongly (exit code 2)."""

    what = "{reason}"
    remedy = "{hint}"
