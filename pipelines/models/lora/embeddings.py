"""Textual inversions: words that the text encoders of a model learn from small files (Gal et al. 2022,
arXiv:2208.01618).

A file has vectors for one word, in the layout of A1111 (``emb_params``, ``string_to_param``), of diffusers
(one tensor, named like the word) or of kohya for two encoders (``clip_l``, ``clip_g``). Each vector becomes a
token of its own in a copy of the tokenizer, and a row of a larger table of embeddings; the tokenizer and the
table that the model came with are kept as they are, and put back.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import EmbeddingUnsuitable, ModelUnreadable
from pipelines.graph.node import Context
from pipelines.models.files.reading import Reader
from pipelines.models.files.safety import check_file
from pipelines.models.loaded import EmbeddingFile
from pipelines.models.probing.embedding_families import MARK, MOST_VECTORS

if TYPE_CHECKING:
    from pathlib import Path

    import torch

_ENCODERS: Final = {"text_encoder": "tokenizer", "text_encoder_2": "tokenizer_2"}
_OF_ENCODERS: Final = {"clip_l": "text_encoder", "clip_g": "text_encoder_2"}
_TOKEN: Final = "<diptych-{file}-{vector}>"


def read_vectors(path: Path, name: str) -> dict[str, torch.Tensor]:
    """The vectors of a file in fp32, count × width: by text encoder where it names those, else under ``""``.

    Raises:
        ModelMissing, ModelUnsafe, ModelFormatUnsupported: see
            :func:`pipelines.models.files.safety.check_file`.
        ModelUnreadable: it is damaged, holds none, or values that are no numbers.
    """
    from safetensors.torch import load_file

    check_file(path, name)
    state = load_file(path)
    found = {encoder: state[key] for key, encoder in _OF_ENCODERS.items() if key in state}
    if not found:
        keys = [key for key in state if key == "emb_params" or "string_to_param" in key]
        keys = keys or (list(state) if len(state) == 1 else [])
        found = {"": state[keys[0]]} if keys else {}
    vectors = {encoder: tensor.float() for encoder, tensor in found.items()}
    vectors = {name: tensor[None] if tensor.ndim == 1 else tensor for name, tensor in vectors.items()}
    for tensor in vectors.values():
        if tensor.ndim != 2 or not 0 < tensor.shape[0] <= MOST_VECTORS or not tensor.isfinite().all():
            raise ModelUnreadable(model=name, reason="Its vectors make no sense.")
    if not vectors:
        raise ModelUnreadable(model=name, reason="It holds no vectors for a word.")
    return vectors


class Words:
    """The words a pipeline was taught, and its text encoders as they were before."""

    def __init__(self, pipeline: Any, model: str) -> None:
        self._pipeline, self._model = pipeline, model
        self._originals: dict[str, Any] = {}
        self._tables: dict[str, torch.nn.Module] = {}
        self._ends: list[tuple[Any, int]] = []
        self._spelled: dict[str, str] = {}

    @property
    def kept(self) -> int:
        """Bytes of the tables that are kept for later."""
        weights = (weight for table in self._tables.values() for weight in table.parameters())
        return sum(weight.numel() * weight.element_size() for weight in weights)

    def change(self, files: Sequence[EmbeddingFile], context: Context, reader: Reader) -> None:
        """Know these words, and none of those before.

        Raises:
            EmbeddingUnsuitable: a file has vectors of another width, or the text encoder takes none.
            ModelMissing, ModelUnsafe, ModelUnreadable: a file.
            Cancelled: between two.
        """
        wanted = []
        for file in files:
            context.cancel.check()
            reader.read([file.path])
            wanted.append((file, self._by_encoder(file, read_vectors(file.path, file.embedding.id))))
        self.restore()
        for number, (file, vectors) in enumerate(wanted):
            count = max(tensor.shape[0] for tensor in vectors.values())
            tokens = [_TOKEN.format(file=number, vector=vector) for vector in range(count)]
            self._spelled[file.embedding.word.casefold()] = "".join(tokens)
        for encoder in _ENCODERS:
            rows: dict[str, torch.Tensor] = {}
            for number, (_, vectors) in enumerate(wanted):
                for vector, row in enumerate(vectors.get(encoder, ())):
                    rows[_TOKEN.format(file=number, vector=vector)] = row
            if rows:
                self._teach(encoder, rows)

    def spelled(self, text: str) -> str:
        """A prompt with its words as the tokens that stand for their vectors."""
        for word, tokens in sorted(self._spelled.items(), key=lambda item: -len(item[0])):
            text = _pattern(word).sub(tokens, text)
        return text

    def unspelled(self, text: str) -> str:
        """The other way round, for what is told of a prompt."""
        for word, tokens in self._spelled.items():
            text = text.replace(tokens, word)
        return re.sub(r"<diptych-\d+-\d+>", "", text)

    def restore(self) -> None:
        """Bring back the tokenizers and the tables of embeddings as they were."""
        for name, tokenizer in self._originals.items():
            setattr(self._pipeline, name, tokenizer)
        for name, table in self._tables.items():
            getattr(self._pipeline, name).set_input_embeddings(table)
        for module, end in self._ends:
            module.eos_token_id = end
        self._originals.clear()
        self._tables.clear()
        self._ends.clear()
        self._spelled.clear()

    def _by_encoder(
        self, file: EmbeddingFile, vectors: Mapping[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """The vectors by the text encoder they are for; by their width where the file doesn't say.

        Raises:
            EmbeddingUnsuitable: no encoder takes them.
        """
        widths = {name: self._width(name) for name in _ENCODERS}
        found: dict[str, torch.Tensor] = {}
        for named, tensor in vectors.items():
            width = tensor.shape[1]
            encoder = named or next((name for name in _ENCODERS if widths[name] == width), "")
            if not encoder or widths.get(encoder) != width:
                fitting = ", ".join(str(width) for width in widths.values() if width)
                reason = f"Its vectors have {width} numbers; this model's have {fitting}."
                if not fitting:
                    reason = "Its text encoder is not a CLIP model."
                raise EmbeddingUnsuitable(embedding=file.embedding.id, model=self._model, reason=reason)
            found[encoder] = tensor
        return found

    def _width(self, encoder: str) -> int:
        """Numbers of a vector; 0 for what is no CLIP model."""
        module = getattr(self._pipeline, encoder, None)
        kind = getattr(getattr(module, "config", None), "model_type", "")
        if module is None or kind not in ("clip_text_model", "clip"):
            return 0
        return int(module.get_input_embeddings().weight.shape[1])

    def _teach(self, name: str, rows: Mapping[str, torch.Tensor]) -> None:
        """Give a text encoder tokens with vectors of their own."""
        import torch
        from tokenizers import AddedToken

        encoder, table = getattr(self._pipeline, name), getattr(self._pipeline, name).get_input_embeddings()
        original = getattr(self._pipeline, _ENCODERS[name])
        tokenizer = copy.deepcopy(original)
        tokenizer.add_tokens(
            [AddedToken(token, normalized=False, lstrip=True, rstrip=True) for token in rows]
        )
        numbers = tokenizer.convert_tokens_to_ids(list(rows))
        old = table.weight
        size = max(old.shape[0], max(numbers) + 1)
        with torch.inference_mode(False), torch.no_grad():
            weight = old.new_zeros(size, old.shape[1])
            weight[: old.shape[0]] = old
            weight[numbers] = torch.stack(list(rows.values())).to(old)
            larger = torch.nn.Embedding(size, old.shape[1], _weight=weight).requires_grad_(False)
        self._originals[_ENCODERS[name]], self._tables[name] = original, table
        setattr(self._pipeline, _ENCODERS[name], tokenizer)
        encoder.set_input_embeddings(larger)
        self._mark_ends(encoder, original)

    def _mark_ends(self, encoder: Any, tokenizer: Any) -> None:
        """Where a text ends, by its end token: older settings make CLIP take the token of the highest number
        for it, which would be one of the words."""
        for module in encoder.modules():
            if getattr(module, "eos_token_id", None) == _OLD_END:
                self._ends.append((module, _OLD_END))
                module.eos_token_id = tokenizer.eos_token_id


_OLD_END: Final = 2
"""What settings say of the end token that were written before transformers knew it."""


def _pattern(word: str) -> re.Pattern[str]:
    """A word in a prompt, alone or with its mark."""
    start = r"(?<!\w)" if word[:1].isalnum() else ""
    end = r"(?!\w)" if word[-1:].isalnum() else ""
    return re.compile(rf"(?:(?<!\w){MARK})?{start}{re.escape(word)}{end}", re.IGNORECASE)
