"""Opening a language model: a transformers folder with a causal model and its tokenizer, or a GGUF file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.catalogue.catalogue import Entry
from pipelines.models.device import resolve_dtype
from pipelines.models.files.gguf_header import read_header as read_gguf
from pipelines.models.files.reading import Reader, explained
from pipelines.models.libraries import import_transformers, without_notices
from pipelines.models.loaded import LoadedLanguage, Target
from pipelines.models.loading.diffusion import kept_packed
from pipelines.models.loading.folder import check_complete
from pipelines.models.parts.files import is_packed
from pipelines.models.quantized.packed import without_weights
from pipelines.models.quantized.quantization import quantize

if TYPE_CHECKING:
    import torch


def load_language(entry: Entry, handle: ModelHandle, target: Target, context: Context) -> LoadedLanguage:
    """Open the model of ``entry`` in the handle's precision; see
    :meth:`pipelines.models.loading.ModelLoader.load`.
    """
    import torch

    transformers = import_transformers()
    dtype = resolve_dtype(handle.dtype, target.name, torch)
    reader = Reader(entry.probe.bytes, context)
    folder = str(entry.weights)
    if is_packed(entry.weights):
        return _of_file(entry, handle, target, dtype, reader)
    with explained(handle.id, target.name):
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        kept = kept_packed(entry, handle, target, dtype)
        model = None
        if kept is not None and kept.has("model"):
            reader.read([kept.path("model")])
            model = kept.load("model", lambda: _skeleton(folder, dtype))
        if model is None:
            reader.read(sorted(entry.weights.glob("*.safetensors")))
            model, report = transformers.AutoModelForCausalLM.from_pretrained(
                folder, dtype=dtype, use_safetensors=True, local_files_only=True, trust_remote_code=False,
                output_loading_info=True,
            )  # fmt: skip
            check_complete(handle.id, "network", report["missing_keys"])
            context.cancel.check()
            model.requires_grad_(False).eval()
            numbers = sum(weight.numel() for weight in model.parameters())
            if handle.quantization != "none":
                quantize(model, handle.quantization, str(target.compute), dtype, target.weights)
            if kept is not None:
                kept.keep("model", model, numbers)
        model.to(target.weights)
    return LoadedLanguage(handle, model, tokenizer, target.compute, dtype)


def _of_file(
    entry: Entry, handle: ModelHandle, target: Target, dtype: torch.dtype, reader: Reader
) -> LoadedLanguage:
    """A model in a GGUF file, held as the handle's quantization says: as it is, unpacked, or packed anew."""
    from pipelines.language.gguf_network import open_gguf, read_settings

    file, model = entry.weights, None
    with explained(handle.id, target.name), without_notices():
        header = read_gguf(file)
        kept = kept_packed(entry, handle, target, dtype)
        if kept is not None and kept.has("model"):
            reader.read([kept.path("model")])
            network, tokenizer = read_settings(file, header, dtype)
            model = kept.load("model", lambda: network)
        if model is None:
            place = str(target.compute)
            model, tokenizer = open_gguf(file, header, handle.quantization, dtype, place, reader.count)
            if kept is not None:
                kept.keep("model", model, header.elements)
        model.to(target.weights)
    return LoadedLanguage(handle, model, tokenizer, target.compute, dtype)


def _skeleton(folder: str, dtype: torch.dtype) -> Any:
    """The network in the shapes of its settings, without weights."""
    transformers = import_transformers()
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    with without_weights():
        made = transformers.AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    return made.to(dtype)
