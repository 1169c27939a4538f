"""Files that a handle names beside its model's own, and models that are packed in theirs. No torch import
here.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.errors import ModelChanged, ModelMissing, QuantizationUnavailable
from pipelines.files import is_there
from pipelines.graph.values import ModelHandle
from pipelines.models.files.gguf_header import read_header as read_gguf
from pipelines.models.files.header import read_header
from pipelines.models.quantized.quantization import TITLES
from pipelines.models.records.entries import Entry
from pipelines.models.records.known import fingerprint


def sources_of(handle: ModelHandle) -> dict[str, Path]:
    """Where each part of a handle is, by its name: a file, or the folder of this part.

    Raises:
        ModelMissing: it isn't there any more.
        ModelChanged: it is another one than when the handle was made.
    """
    found: dict[str, Path] = {}
    for part in handle.parts:
        path = Path(part.path)
        if not is_there(path):
            raise ModelMissing(model=part.id)
        if part.fingerprint and fingerprint(path) != part.fingerprint:
            raise ModelChanged(model=part.id)
        found[part.name] = path
    return found


def encoder_beside(decoder: Path) -> Path | None:
    """The other half of a tiny VAE whose decoder has a file of its own: it is called the same, but for this
    word; None if it isn't there.
    """
    other = decoder.with_name(decoder.name.replace("decoder", "encoder"))
    return other if other != decoder and other.is_file() else None


def bytes_beside(handle: ModelHandle) -> int:
    """Bytes of the files of a handle's parts, as :func:`sources_of` finds them; raises as that."""
    weights = {name: path for name, path in sources_of(handle).items() if not name.startswith("tokenizer")}
    files = (
        file
        for path in weights.values()
        for file in ([path] if path.is_file() else path.glob("*.safetensors"))
    )
    return sum(file.stat().st_size for file in files)


def is_packed(weights: Path) -> bool:
    """Whether the weights of a model are packed in its file, and stay so."""
    return weights.suffix.lower() == ".gguf"


def packed_choice(quantization: str, entry: Entry) -> str:
    """A handle's quantization for a model whose denoiser is packed already: “auto” is as it is.

    Raises:
        QuantizationUnavailable: another method was asked for.
    """
    main, sign, rest = quantization.partition(",")
    if main not in ("auto", "none"):
        reason = f"The model {entry.info.id} is packed already, as {entry.probe.dtype} (GGUF)."
        raise QuantizationUnavailable(quantization=TITLES.get(main, main), reason=reason)
    return f"none{sign}{rest}"


def numbers_of(name: str, path: Path) -> int:
    """How many numbers the weights of a part hold, from headers alone; 0 for a tokenizer.

    Raises:
        DiptychError: a header can't be read.
    """
    if name.startswith("tokenizer"):
        return 0
    if is_packed(path):
        return read_gguf(path).elements
    files = [path] if path.is_file() else sorted(path.glob("*.safetensors"))
    plain = [file for file in files if ".fp16" not in file.name]
    return sum(read_header(file).elements() for file in plain or files if file.suffix == ".safetensors")
