"""Opening a language model: a transformers folder with a causal model and its tokenizer."""

from __future__ import annotations

from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.catalogue import Entry
from pipelines.models.device import resolve_dtype
from pipelines.models.libraries import import_transformers
from pipelines.models.load_diffusion import check_complete
from pipelines.models.loaded import LoadedLanguage
from pipelines.models.quantization import quantize
from pipelines.models.reading import Reader, explained


def load_language(entry: Entry, handle: ModelHandle, device: str, context: Context) -> LoadedLanguage:
    """Open the model of ``entry`` in the handle's precision; see
    :meth:`pipelines.models.loading.ModelLoader.load`.
    """
    import torch

    transformers = import_transformers()
    dtype = resolve_dtype(handle.dtype, device, torch)
    reader = Reader(entry.probe.bytes, context)
    folder = str(entry.weights)
    with explained(handle.id, device):
        reader.read(sorted(entry.weights.glob("*.safetensors")))
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        model, report = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, local_files_only=True, trust_remote_code=False,
            output_loading_info=True,
        )  # fmt: skip
        check_complete(handle.id, "network", report["missing_keys"])
        context.cancel.check()
        model.requires_grad_(False).eval()
        if handle.quantization != "none":
            quantize(model, handle.quantization, device, dtype)
        model.to(device)
    return LoadedLanguage(handle, model, tokenizer, torch.device(device), dtype)
