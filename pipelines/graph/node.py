"""What a node type is: a small class with typed ports, a pydantic model of its params, and :meth:`Node.run`.

Importing this module (and :mod:`pipelines.nodes`) imports no torch, so that the studio can read schemas.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from pipelines.errors import Cancelled, ErrorInfo
from pipelines.graph.types import LITERAL_TYPES, PortType

if TYPE_CHECKING:
    import torch

    from pipelines.engine.protocol import ModelInfo
    from pipelines.graph.values import Image, ModelHandle

Lane = Literal["cpu", "io", "gpu"]
Inputs = Mapping[str, Any]
Outputs = Mapping[str, Any]

REQUIRED: Any = type("Required", (), {"__repr__": lambda _: "REQUIRED"})()
"""Default of an input that must be connected."""


@dataclass(frozen=True, slots=True)
class Input:
    """An input port.

    With a ``default`` it may stay unconnected, and where its type can be written as JSON it takes a literal
    from ``params`` as well. ``lazy``: only evaluated if :meth:`Node.wanted` asks for it.
    """

    name: str
    type: PortType
    title: str = ""
    description: str = ""
    default: Any = REQUIRED
    lazy: bool = False
    multiline: bool = False

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    @property
    def takes_literal(self) -> bool:
        return self.type in LITERAL_TYPES

    @property
    def label(self) -> str:
        return self.title or self.name.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class Output:
    """An output port."""

    name: str
    type: PortType
    title: str = ""
    description: str = ""

    @property
    def label(self) -> str:
        return self.title or self.name.replace("_", " ").capitalize()


class NodeParams(BaseModel):
    """Base of every node's ``Params``."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=False)


def Param(
    default: Any,
    title: str,
    description: str = "",
    *,
    unit: str = "",
    ge: float | None = None,
    le: float | None = None,
    gt: float | None = None,
    lt: float | None = None,
    step: float | None = None,
    max_length: int | None = None,
    widget: str = "",
    choices: str = "",
    empty: str = "",
    advanced: bool = False,
    primary: bool = False,
) -> Any:
    """A field of :class:`NodeParams` with all that the inspector, the CLI and the docs need.

    Args:
        default: the value if the document has none.
        title: sentence case, a noun.
        description: one plain sentence for the tooltip.
        unit: shown behind the number (``px``, ``%``).
        ge, le, gt, lt: the range, checked on validation.
        step: what one notch of a wheel changes.
        max_length: of a text.
        widget: a hint where the type doesn't say enough: ``multiline``, ``slider``, ``color``, ``file``,
        ``folder``,
            ``save``, ``model``, ``seed``.
        choices: the name of a dynamic list (``models:diffusion``, ``models:language``, ``models:upscale``,
            ``models:control``, ``models:lora``).
        empty: what an empty text or 0 stands for, in a few words, where it is not itself ("the model's own").
        advanced: stands behind "More".
        primary: shown on the node itself (at most four are).
    """
    hints = {
        "unit": unit,
        "step": step,
        "widget": widget,
        "choices": choices,
        "empty": empty,
        "advanced": advanced,
        "primary": primary,
    }
    return Field(
        default, title=title, description=description, ge=ge, le=le, gt=gt, lt=lt, max_length=max_length,
        json_schema_extra={key: value for key, value in hints.items() if value},
    )  # fmt: skip


class CancelToken(Protocol):
    """Polled in every loop that can last longer than 100 ms."""

    @property
    def cancelled(self) -> bool: ...

    def check(self) -> None:
        """Raise :class:`pipelines.errors.Cancelled` if the user cancelled."""


class NeverCancelled:
    """A token nobody cancels."""

    cancelled = False

    def check(self) -> None:
        return None


class FlagToken:
    """A token one thread sets and others poll."""

    def __init__(self) -> None:
        self._flag = False

    @property
    def cancelled(self) -> bool:
        return self._flag

    def cancel(self) -> None:
        self._flag = True

    def check(self) -> None:
        if self._flag:
            raise Cancelled()


class ModelAccess(Protocol):
    """How a node reaches models: handles on edges, weights only inside ``with``."""

    def find(self, kind: str, model: str, dtype: str = "auto", quantization: str = "none") -> ModelHandle:
        """The handle of a catalogue id or a path; ``""`` is the default model of that kind.

        Raises:
            ModelMissing, ModelUnsafe, ModelUnreadable, UnknownModelFamily: as their texts say.
        """

    def with_part(self, model: ModelHandle, kind: str, chosen: str) -> ModelHandle:
        """A model with a ``vae`` or ``text_encoder`` of the user's choice instead of the one it had.

        Raises:
            PartUnsuitable: it is made with nothing of this kind.
        """

    def fitting(self, kind: str, facts: Mapping[str, object]) -> ModelHandle | None:
        """The first usable model of a kind of which these facts (of its tensors) are true; None if there is
        none."""

    def known(self, kind: str) -> Sequence[ModelInfo]:
        """All models of a kind that can be used."""

    def use(self, handle: ModelHandle, context: Context) -> AbstractContextManager[Any]:
        """The loaded model, held in memory while the block runs.

        A ``LoadedDiffusion``, ``LoadedLanguage`` or ``LoadedUpscale`` of :mod:`pipelines.models.loaded`.
        """


class Resources(Protocol):
    """What a fingerprint may look at: files and models, nothing else."""

    def known(self, kind: str) -> Sequence[ModelInfo]:
        """See :meth:`ModelAccess.known`."""

    def path(self, text: str) -> Path:
        """A path as a document writes it (absolute, ``~``, or relative to the document's folder)."""

    def find(self, kind: str, model: str, dtype: str = "auto", quantization: str = "none") -> ModelHandle: ...


class ProgressDetails(TypedDict, total=False):
    """What can be said of progress beside numbers; see :meth:`Context.progress`."""

    phase: str
    preview: Image | None
    text: str | None
    asked: int | None
    moved: int


class Context(Protocol):
    """All a node may use beyond its inputs and params. Nothing is global."""

    node: str
    models: ModelAccess
    cancel: CancelToken
    cache_dir: Path
    output_dir: Path
    """Where saved pictures go if the document doesn't say."""

    @property
    def device(self) -> str:
        """A torch device string: ``cpu``, ``cuda:0``, ``mps``… The first look may import torch."""

    def progress(
        self,
        step: int,
        total: int,
        *,
        phase: str = "",
        preview: Image | None = None,
        text: str | None = None,
        asked: int | None = None,
        moved: int = 0,
    ) -> None:
        """Report that ``step`` of ``total`` units are done; ``text`` is the whole text so far (streaming).

        ``asked`` is how many were asked for, where fewer run: a denoising strength leaves out the first.
        ``moved`` is how many bytes of weights were fetched for it, where the device can't hold them all.
        """

    def warn(self, warning: ErrorInfo) -> None:
        """Show something that is no failure at this node."""

    def path(self, text: str) -> Path:
        """See :meth:`Resources.path`."""

    def asset(self, name: str) -> bytes:
        """Pixels that the document names by their blake3 hash: the bytes of a picture file.

        Raises:
            AssetMissing: they aren't there.
        """

    def provenance(self) -> dict[str, Any]:
        """What to write into a file: ``graph`` (the document as run), ``versions``, ``device``,
        ``seconds``…"""

    def memo(self, key: tuple[object, ...], make: Callable[[], Any]) -> Any:
        """``make()`` once per key, kept in the byte-bounded cache across runs (prompt embeddings)."""


class Node(ABC):
    """A node type. Subclasses are stateless: :meth:`run` gets everything it needs."""

    id: ClassVar[str]
    version: ClassVar[int] = 1
    title: ClassVar[str] = ""
    category: ClassVar[str] = "Other"
    lane: ClassVar[Lane] = "cpu"
    inputs: ClassVar[tuple[Input, ...]] = ()
    outputs: ClassVar[tuple[Output, ...]] = ()
    saves: ClassVar[bool] = False
    """It writes files: its ``path`` output must still exist, unchanged, for a cached result to count."""
    reads: ClassVar[frozenset[str] | None] = None
    """The names that :meth:`fingerprint` looks at, which have to be known first where they come over links;
    None for all params."""
    preview: ClassVar[str] = ""
    """The output shown as the node's thumbnail or text; for a node without one, the input that is shown."""

    class Params(NodeParams):
        """Without params by default."""

    @classmethod
    def lane_for(cls, params: Mapping[str, Any]) -> Lane:
        """Where it runs with these literal params."""
        return cls.lane

    @classmethod
    def input_ports(cls, params: Mapping[str, Any]) -> tuple[Input, ...]:
        """The input ports for these literal params (a template's slots make ports)."""
        return cls.inputs

    @classmethod
    def output_ports(cls, params: Mapping[str, Any]) -> tuple[Output, ...]:
        """The output ports for these literal params (``batch`` > 1 gives a list)."""
        return cls.outputs

    @classmethod
    def wanted(cls, params: Mapping[str, Any]) -> frozenset[str]:
        """Names of the lazy inputs that a run with these (complete) params needs; all of them by default."""
        return frozenset(port.name for port in cls.inputs if port.lazy)

    @classmethod
    def fingerprint(cls, params: Mapping[str, Any], resources: Resources) -> str:
        """What the key must know besides params and inputs: files read, as (path, size, mtime). Errors:
        ``""``."""
        return ""

    @abstractmethod
    def run(self, inputs: Inputs, params: Any, context: Context) -> Outputs:
        """Compute the outputs. Raises :class:`pipelines.errors.DiptychError` with a precise class."""


def file_fingerprint(path: Path) -> str:
    """(path, size, mtime_ns) of a file as text; a missing file has a fingerprint too."""
    try:
        stat = path.stat()
    except OSError:
        return f"{path}:missing"
    return f"{path}:{stat.st_size}:{stat.st_mtime_ns}"


def steps(total: int, context: Context, phase: str = "") -> Iterator[int]:
    """Count to ``total``, polling the cancel token and reporting progress after each unit."""
    for index in range(total):
        context.cancel.check()
        yield index
        context.progress(index + 1, total, phase=phase)


def cpu_generator(seed: int) -> torch.Generator:
    """A CPU generator for ``seed`` in [0, 2^64): the same noise on every device."""
    import torch

    return torch.Generator("cpu").manual_seed(seed)
