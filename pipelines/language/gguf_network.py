"""Opening a language model in a GGUF file without ever having all of it unpacked that isn't meant to be.

Its tensors are read one by one. Each stays packed, is unpacked, or is unpacked and packed again by
bitsandbytes, before the next is read; transformers' own way unpacks all of them to fp32 first. Names of
tensors are those of gguf's and transformers' tables; which rows are in another order there, they know too.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import ModelUnreadable, ModelUnsuitable
from pipelines.language.prepare import check_sizes, read_tokenizer
from pipelines.models.files.gguf_header import GgufHeader
from pipelines.models.probing.gguf_language import PLAIN, refusal
from pipelines.models.quantized.packed import without_weights
from pipelines.models.quantized.quantization import pack_layer, packs

if TYPE_CHECKING:
    import torch

TASK: Final = "writing text"


@contextmanager
def alone(source: Path) -> Iterator[Path]:
    """The file in a folder of its own: transformers also reads settings that lie beside it.

    Raises:
        OSError: there is no place for a link to it.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "model.gguf"
        try:
            file.symlink_to(source.absolute())
        except OSError:  # Windows has to be told to allow them; a hard link can't leave its volume
            os.link(source, file)
        yield file


def open_gguf(
    source: Path,
    header: GgufHeader,
    method: str,
    dtype: torch.dtype,
    device: str,
    tell: Callable[[int], None],
) -> tuple[Any, Any]:
    """The network of a GGUF file, in main memory, and its tokenizer.

    Args:
        method: ``gguf`` (weights stay packed), ``none`` (all are unpacked), ``int8`` or ``nf4``.
        dtype: what is computed in.
        device: where layers are packed again.
        tell: is told how many bytes of the file were read since the last time; may raise Cancelled.

    Raises:
        ModelUnreadable: settings, names or sizes don't fit each other.
        ModelUnsuitable: its architecture, or the way it is packed, isn't known here.
    """
    network, tokenizer = read_settings(source, header, dtype)
    _Filling(network, header, source, method, dtype, device).run(tell)
    missing = [name for name, tensor in network.named_parameters() if tensor.is_meta]
    if missing:
        raise ModelUnreadable(model=source.name, reason=f"It lacks weights: {', '.join(missing[:3])}.")
    return network.requires_grad_(False).eval(), tokenizer


def read_settings(source: Path, header: GgufHeader, dtype: torch.dtype) -> tuple[Any, Any]:
    """The network of a GGUF file without weights, and its tokenizer; see :func:`open_gguf`."""
    import transformers

    check_sizes(header, source.name)
    if reason := refusal(header.architecture, {tensor.type for tensor in header.tensors.values()}):
        raise ModelUnsuitable(model=source.name, reason=reason, task=TASK)
    with alone(source) as file:
        tokenizer = read_tokenizer(file, header, source.name)
        config = transformers.AutoConfig.from_pretrained(file.parent, gguf_file=file.name)
    with without_weights():
        network = transformers.AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    return network.to(dtype), tokenizer


class _Filling:
    """Puts the tensors of a file into a network without weights."""

    def __init__(
        self,
        network: Any,
        header: GgufHeader,
        source: Path,
        method: str,
        dtype: torch.dtype,
        device: str,
    ) -> None:
        from transformers.modeling_gguf_pytorch_utils import (
            TENSOR_PROCESSORS,
            TensorProcessor,
            get_gguf_hf_weights_map,
        )

        self._network, self._header, self._source = network, header, source
        self._method, self._dtype, self._device = method, dtype, device
        config = network.config.to_dict()
        self._processor = TENSOR_PROCESSORS.get(header.architecture, TensorProcessor)(config=config)
        self._names: dict[str, str] = get_gguf_hf_weights_map(network, self._processor)
        self._output = network.get_output_embeddings()
        self._tied = bool(network.config.tie_word_embeddings)

    def run(self, tell: Callable[[int], None]) -> None:
        """Read and place every tensor."""
        from gguf import GGUFReader

        reader = GGUFReader(self._source)  # maps the file; nothing is read yet
        tell(self._header.file_bytes - sum(tensor.bytes for tensor in self._header.tensors.values()))
        for tensor in reader.tensors:
            tell(self._header.tensors[tensor.name].bytes)
            name = self._names.get(tensor.name)
            if name is not None:
                self._place(name, tensor)
        if self._tied:
            self._tie()

    def _place(self, name: str, tensor: Any) -> None:
        import numpy as np
        import torch

        kind = tensor.tensor_type.name
        # Rows are whole numbers of blocks: changing their order leaves what is packed as it is.
        rows = self._processor.process(weights=tensor.data, name=tensor.name, tensor_key_mapping=self._names,
                                       parsed_parameters={}).weights  # fmt: skip
        values = torch.from_numpy(np.array(rows))
        path, _, leaf = name.rpartition(".")
        layer = self._network.get_submodule(path)
        if kind in PLAIN:
            plain = values if kind != "BF16" else values.view(torch.bfloat16)
            self._set(layer, leaf, plain.to(self._dtype), name)
            return
        rowwise = leaf == "weight" and isinstance(layer, torch.nn.Linear | torch.nn.Embedding)
        if self._method == "gguf" and rowwise:
            self._keep(path, layer, values, kind, name)
            return
        dense = self._unpacked(values, kind)
        self._set(layer, leaf, dense, name)
        quantized = self._method in ("int8", "nf4") and layer is not self._output
        if quantized and leaf == "weight" and packs(layer, self._method):
            self._swap(path, pack_layer(layer, self._method, self._device, self._dtype).to("cpu"))

    def _unpacked(self, values: torch.Tensor, kind: str) -> torch.Tensor:
        """All rows, some at a time: what is unpacked is in fp32 for a moment."""
        import torch

        from pipelines.language.packed_layers import CHUNK, unpacked

        rows = values.reshape(-1, values.shape[-1])
        first = unpacked(rows[:1], kind, self._dtype)
        dense = torch.empty(len(rows), first.shape[-1], dtype=self._dtype)
        step = max(CHUNK // first.shape[-1], 1)
        for start in range(0, len(rows), step):
            dense[start : start + step] = unpacked(rows[start : start + step], kind, self._dtype)
        return dense

    def _keep(self, path: str, layer: Any, values: torch.Tensor, kind: str, name: str) -> None:
        import torch

        from pipelines.language.packed_layers import PackedEmbedding, PackedLinear, row_bytes

        shape = layer.weight.shape
        if tuple(values.shape) != (shape[0], row_bytes(kind, shape[1])):
            raise self._odd(name, values.shape, shape)
        new: Any
        if isinstance(layer, torch.nn.Embedding):
            new = PackedEmbedding(shape[1], kind, values, self._dtype)
        else:
            new = PackedLinear(shape[1], shape[0], kind, values)
            new.bias = layer.bias
        self._swap(path, new)

    def _swap(self, path: str, new: torch.nn.Module) -> None:
        self._network.set_submodule(path, new.eval())

    def _set(self, layer: Any, leaf: str, values: torch.Tensor, name: str) -> None:
        import torch

        old = getattr(layer, leaf, None)
        if old is None or tuple(old.shape) != tuple(values.shape):
            raise self._odd(name, values.shape, getattr(old, "shape", ()))
        setattr(layer, leaf, torch.nn.Parameter(values, requires_grad=False))

    def _tie(self) -> None:
        """The layer that gives words back has the weights of the table."""
        from pipelines.language.packed_layers import PackedEmbedding, PackedLinear

        table = self._network.get_input_embeddings()
        if not isinstance(table, PackedEmbedding):
            self._network.tie_weights()
            return
        output = PackedLinear(table.embedding_dim, table.num_embeddings, table.kind, table.weight.data)
        output.weight = table.weight
        self._network.set_output_embeddings(output.eval())

    def _odd(self, name: str, found: Any, expected: Any) -> ModelUnreadable:
        reason = f"Its {name} has the shape {tuple(found)} instead of {tuple(expected)}."
        return ModelUnreadable(model=self._source.name, reason=reason)
