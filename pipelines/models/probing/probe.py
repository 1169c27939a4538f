"""What kind of model a file is: from tensor names and shapes. Folders are named in :mod:`.folders`.

Never from a file's name. The signatures are in :mod:`pipelines.models.signatures`; what none fits keeps
a reason that says which came closest and what it lacked. No torch import here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from pipelines.models.files.gguf_header import GgufHeader, as_header
from pipelines.models.files.header import Header
from pipelines.models.signatures import Found, Kind
from pipelines.models.signatures.registry import identify, nearest

__all__ = ["Kind", "Probe", "main_dtype", "probe_file", "probe_gguf"]

PROBED_METADATA: Final = (
    "modelspec.prediction_type", "modelspec.resolution", "modelspec.architecture", "modelspec.title",
    "modelspec.implementation",
)  # fmt: skip
"""What a probe takes from a file's free text, beside its tensors."""

_PACKED: Final = ((".quant_state.bitsandbytes__nf4", "NF4"), (".quant_state.bitsandbytes__fp4", "FP4"),
                  (".SCB", "INT8"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found out.

    ``family`` is empty for an unknown model; ``reason`` then says why, in sentences for the user.
    ``problem`` is why a model that was recognised can't be used. ``variant``: which of a family (``dev``,
    ``inpaint``). ``base``: the family that a LoRA, a control model or a VAE is for. ``layout``: whose names
    the tensors have. ``facts``: ``prediction_type``, ``zero_snr``, ``in_channels``, ``scheduler`` (its
    configuration), ``text_encoder`` (its class), ``scale``, ``context``, ``parts``… as far as they are known.
    """

    kind: Kind | None
    family: str = ""
    dtype: str = ""
    elements: int = 0
    bytes: int = 0
    native_size: tuple[int, int] | None = None
    size_multiple: int = 8
    facts: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    variant: str = ""
    base: str = ""
    layout: str = ""
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """What differs from an empty probe."""
        found: dict[str, Any] = {}
        for name, usual in _USUAL.items():
            value = getattr(self, name)
            if value != usual:
                found[name] = value
        return found

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Probe:
        """The probe that :meth:`to_json` wrote; what isn't known is ignored.

        Raises:
            TypeError, ValueError: it was not written by it.
        """
        known = {name: data[name] for name in _USUAL if name in data}
        size = known.get("native_size")
        if size is not None:
            width, height = size
            known["native_size"] = (int(width), int(height))
        return cls(**{"kind": None, **known})


_USUAL: Final = {item.name: getattr(Probe(None), item.name) for item in fields(Probe)}
"""What an empty probe says."""


def probe_file(header: Header) -> Probe:
    """Name the model in a single safetensors file."""
    found = identify(header) or Found(None, reason=_unknown(header))
    return _probe(header, found)


def probe_gguf(gguf: GgufHeader) -> Probe:
    """Name the model in a GGUF file: a denoiser by its tensors, a language model by its architecture."""
    header = as_header(gguf)
    if "token_embd.weight" not in header.tensors:
        return probe_file(header)
    architecture = gguf.architecture
    facts = {
        "context": gguf.number("context_length"), "width": gguf.number("embedding_length"),
        "layers": gguf.number("block_count"),
    }  # fmt: skip
    kind: Kind = "text_encoder" if architecture.startswith("t5") else "language"
    return _probe(header, Found(kind, architecture or "language", layout="gguf", facts=facts))


def _probe(header: Header, found: Found) -> Probe:
    return Probe(
        found.kind, found.family, main_dtype(header), header.elements(), header.file_bytes,
        native_size=_stated_size(header) or found.native_size, facts=found.facts, reason=found.reason,
        variant=found.variant, base=found.base, layout=found.layout, problem=found.problem,
    )  # fmt: skip


def _stated_size(header: Header) -> tuple[int, int] | None:
    """The native size in ModelSpec metadata (``modelspec.resolution``: ``1024x1024``), if it is sane."""
    width, cross, height = header.metadata.get("modelspec.resolution", "").partition("x")
    if not cross or not (width.isdecimal() and height.isdecimal()):
        return None
    size = (int(width[:6]), int(height[:6]))
    return size if all(64 <= side <= 8192 for side in size) else None


def _unknown(header: Header) -> str:
    """Why no signature fits: the closest ones, and what the file has instead."""
    first = ", ".join(sorted(header.tensors)[:3]) or "none"
    close = "; ".join(miss.text() for miss in nearest(header))
    tried = f"closest came {close}" if close else "nothing in it is known"
    return f"Its tensors fit no model that is known here: {tried[:600]}. They begin with: {first[:200]}."


def main_dtype(header: Header) -> str:
    """The type most numbers are kept in, in safetensors' or ggml's spelling; ``NF4``, ``INT8`` if packed."""
    if "U8" in header.numbers or "I8" in header.numbers:
        for ending, name in _PACKED:
            if any(tensor.endswith(ending) for tensor in header.tensors):
                return name
    floats = [name for name in header.numbers if name[0] not in "UIC" and name != "BOOL"]
    return max(floats, key=lambda name: header.numbers[name], default="")
