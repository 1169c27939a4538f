"""One preset as data. Models are named by id and hash, never by a path; unknown fields are kept. No Qt
here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import PresetFromTheFuture, PresetUnreadable
from pipelines.graph import jsontext

FORMAT: Final = 1
MAX_PARTS: Final = 256
"""Changes of a model, or pictures, in one preset."""
MAX_WORDS: Final = 64
"""Trigger words of one LoRA."""
MAX_WORD: Final = 1000
_NAME: Final = 200
Word = Annotated[str, Field(min_length=1, max_length=MAX_WORD)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)


class ModelName(_Part):
    """A model of the catalogue, as it can be found again on another machine."""

    id: str = Field("", max_length=4096)
    title: str = Field("", max_length=1000)
    family: str = Field("", max_length=100)
    sha256: str = Field("", pattern="^([0-9a-f]{64})?$")
    """Of its file; empty while nobody has made it."""


class Change(_Part):
    """One node between the model and what draws: its type, its params, and the files these name, by param.

    ``words`` are those of its trigger words that the prompt had: it has them again when the preset is used.
    """

    type: str = Field(max_length=200)
    params: dict[str, Any] = {}
    models: dict[str, ModelName] = {}
    words: tuple[Word, ...] = Field((), max_length=MAX_WORDS)
    on: bool = True


class SteeringPicture(_Part):
    """A reference or a control picture: the layer's params, how it is made ready (None: as it is), what reads
    it (None: nothing of its own), and the picture's file by its content.
    """

    port: Literal["references", "controls"]
    name: str = Field("", max_length=1000)
    picture: str = Field("", pattern="^([0-9a-f]{64})?$")
    params: dict[str, Any] = {}
    method: dict[str, Any] | None = None
    model: ModelName | None = None
    on: bool = True


class Refiner(_Part):
    """The model that goes on with the last steps, after ``switch`` of them."""

    model: ModelName
    switch: float = Field(0.8, ge=0, le=1)


class Preset(_Part):
    """A model and all that goes with it.

    ``settings`` are the params of the node that chooses the model (precision, quantization), ``drawing``
    those of the nodes that draw, ``values`` the arguments of the graph by name. What is None or missing isn't
    touched when the preset is used.
    """

    format: int = FORMAT
    name: str = Field(min_length=1, max_length=_NAME)
    model: ModelName | None = None
    settings: dict[str, Any] = {}
    changes: tuple[Change, ...] = Field((), max_length=MAX_PARTS)
    pictures: tuple[SteeringPicture, ...] = Field((), max_length=MAX_PARTS)
    refiner: Refiner | None = None
    drawing: dict[str, Any] = {}
    values: dict[str, Any] = {}
    files: dict[str, str] = Field({}, max_length=MAX_PARTS)
    """Its pictures by hash, in base 64: in a file that was exported; ours keep them beside it."""

    def renamed(self, name: str) -> Preset:
        """The same under another name."""
        return self.model_copy(update={"name": name})

    def pictures_used(self) -> frozenset[str]:
        """The hashes of its pictures."""
        return frozenset(item.picture for item in self.pictures if item.picture)

    def dumps(self) -> bytes:
        """Its file."""
        return jsontext.dumps(self.model_dump(mode="json")).encode()


def parse(data: bytes, name: str) -> Preset:
    """A preset from its file; ``name`` is the file's, for messages.

    Raises:
        PresetUnreadable, PresetFromTheFuture: as their texts say.
        GraphUnreadable: it is no JSON.
    """
    found = jsontext.loads(data, name)
    if not isinstance(found, Mapping):
        raise PresetUnreadable(name=name, reason="It is JSON, but no preset.")
    version = found.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise PresetUnreadable(name=name, reason="It doesn't say which format it has.")
    if version > FORMAT:
        raise PresetFromTheFuture(name=name, found=int(version), known=FORMAT)
    try:
        return Preset.model_validate(plain(found))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise PresetUnreadable(name=name, reason=f"Its entry {where} is wrong.") from error


def plain(value: Any) -> Any:
    """JSON as plain objects, without the classes that keep how numbers were written."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(value)
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value
