"""Changing a loaded pipeline by LoRAs, in place, and back.

What LoRAs add is computed in fp32 and added to the weights, all LoRAs of a layer before it is rounded once;
the layers are as plain as before, so that whatever moves, streams or quantizes weights needs to know nothing
of LoRAs. Nothing is ever subtracted: the weights as they were are kept beside, and put back. Packed weights
(INT8, NF4, GGUF) are never touched: there, LoRAs work beside the layer (:mod:`.beside`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.diffusion.memory import is_out_of_memory
from pipelines.errors import ModelUnreadable
from pipelines.graph.node import Context
from pipelines.models.files.reading import Reader
from pipelines.models.loaded import EmbeddingFile, LoraFile
from pipelines.models.lora.adjusting import Adjusting
from pipelines.models.lora.embeddings import Words
from pipelines.models.lora.planning import Plan, Weight, plan_of
from pipelines.models.lora.sums import Sums
from pipelines.models.quantized.packed_layers import dense_weight
from pipelines.models.records.hashes import digests_of

if TYPE_CHECKING:
    import torch

Room = Callable[[int], bool]
"""Whether so many more bytes of main memory may be taken."""


class Additions:
    """What a pipeline of diffusers in main memory was changed by, and how it was before.

    Args:
        pipeline: with dense weights in any precision, or packed ones.
        model: what to call the model in an error.
    """

    def __init__(self, pipeline: Any, model: str) -> None:
        self._pipeline, self._model = pipeline, model
        self._kept: dict[int, tuple[torch.nn.Parameter, torch.Tensor]] = {}
        self._beside: list[torch.nn.Module] = []
        self._adjusting = Adjusting()
        self.words = Words(pipeline, model)
        self.fixed = False
        """Whether it can't be changed any more, because the weights as they were aren't kept."""

    @property
    def kept(self) -> int:
        """Bytes of the weights that are kept for later."""
        kept = sum(tensor.numel() * tensor.element_size() for _, tensor in self._kept.values())
        return kept + self.words.kept

    def change(
        self,
        loras: Sequence[LoraFile],
        embeddings: Sequence[EmbeddingFile],
        context: Context,
        room: Room = lambda _: True,
    ) -> None:
        """Have these LoRAs, in their order, and these embeddings; nothing of what there was before.

        Args:
            room: asked once, for the bytes of weights that are to be kept. Without them it is :attr:`fixed`.

        Raises:
            LoraUnsuitable, EmbeddingUnsuitable: they don't fit the model.
            ModelMissing, ModelUnsafe, ModelUnreadable: a file.
            Cancelled: between two LoRAs, or two weights.

        After an error, the model is as it was without any.
        """
        if self.fixed:
            raise ValueError("its weights as they were are not kept")
        paths = [*(file.path for file in loras), *(file.path for file in embeddings)]
        reader = Reader(sum(path.stat().st_size for path in paths), context)
        self._take_beside()
        try:
            plan = plan_of(self._pipeline, loras, self._model, context, reader)
            self.words.change(embeddings, context, reader)
            dense = {key: target.weight for key, target in plan.items() if not target.weight.packed}
            keep = room(sum(weight.bytes for key, weight in dense.items() if key not in self._kept))
            for key in [key for key in self._kept if key not in dense]:
                self._put_back(key)
            self._add(plan, loras, context)
            self._adjusting = Adjusting(loras, plan.values())
        except BaseException:
            self.restore()
            raise
        if not keep:
            self.forget()

    def adjust(self, loras: Sequence[LoraFile]) -> bool:
        """Give the LoRAs that are there other strengths at once, wherever the weights are; False if that
        takes more: they are others, or are in dense weights.
        """
        return self._adjusting.to(loras)

    def restore(self) -> None:
        """Bring back the weights, tokenizers and layers as they were, bit for bit."""
        self._take_beside()
        for key in list(self._kept):
            self._put_back(key)
        self.words.restore()

    def forget(self) -> None:
        """Give up the weights as they were, for the memory they take."""
        if self._kept:
            self._kept.clear()
            self.fixed = True

    def _put_back(self, key: int) -> None:
        parameter, tensor = self._kept.pop(key)
        with _changing():
            parameter.data = tensor

    def _take_beside(self) -> None:
        """Let packed layers compute as before."""
        from pipelines.models.lora.beside import take

        self._adjusting = Adjusting()
        while self._beside:
            take(self._beside.pop())

    def _before(self, weight: Weight) -> torch.Tensor:
        """A weight without LoRAs."""
        if weight.packed:
            return dense_weight(weight.layer)
        return self._kept.get(id(weight.parameter), (None, weight.parameter.data))[1]

    def _add(self, plan: Plan, loras: Sequence[LoraFile], context: Context) -> None:
        """Change the weights of a plan; where they are not to be kept, they are until all went well."""
        from pipelines.models.lora.beside import Builder, put

        sums, builder = Sums(self._before), Builder(self._before)
        for key, target in plan.items():
            context.cancel.check()
            parameter = target.weight.parameter
            with _fitting(loras), _changing():
                if target.weight.packed:
                    put(target.weight.layer, builder.beside(target))
                    self._beside.append(target.weight.layer)
                    continue
                original = self._before(target.weight)
                changed = sums.of(target.weight, target.modules).to(original.dtype)
                if not changed.isfinite().all():
                    raise OverflowError(str(original.dtype).removeprefix("torch."))
                self._kept.setdefault(key, (parameter, original))
                parameter.data = changed


@contextmanager
def _fitting(loras: Sequence[LoraFile]) -> Iterator[None]:
    """Tensors that don't fit each other, and numbers that become too large, are faults of the files."""
    try:
        yield
    except OverflowError as error:
        reason = f"With it, weights become too large for {error}."
        raise ModelUnreadable(model=_names(loras), reason=reason) from None
    except (RuntimeError, ValueError, IndexError) as error:
        if is_out_of_memory(error):
            raise
        reason = f"Its tensors don't fit each other ({str(error).strip()[:200]})."
        raise ModelUnreadable(model=_names(loras), reason=reason) from error


def _names(loras: Sequence[LoraFile]) -> str:
    return ", ".join(file.lora.id for file in loras)


@contextmanager
def _changing() -> Iterator[None]:
    """As :func:`pipelines.models.residency.pieces.changing`."""
    import torch

    with torch.inference_mode(False), torch.no_grad():
        yield


def stories_of(loras: Iterable[LoraFile], embeddings: Iterable[EmbeddingFile]) -> dict[str, Any]:
    """What pictures remember of a model's LoRAs and embeddings; nothing where there are none.

    Of a LoRA its name, the hash A1111 knows it by, and strengths; of an embedding its name, hash and word.
    """
    found = [
        {
            "name": file.path.stem, "hash": _hash_of(file.path), "strength": file.lora.strength,
            "text_strength": file.lora.text_strength,
            **({"blocks": file.lora.blocks} if file.lora.blocks else {}),
        }
        for file in loras
    ]  # fmt: skip
    words = [
        {"name": file.path.stem, "hash": _hash_of(file.path), "word": file.embedding.word}
        for file in embeddings
    ]
    return {**({"loras": found} if found else {}), **({"embeddings": words} if words else {})}


def _hash_of(path: Path) -> str:
    """The hash A1111 knows a file by."""
    stat = path.stat()
    return _hashed(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=256)
def _hashed(path: Path, size: int, changed: int) -> str:
    """It takes as long as reading the file; LoRAs come and go with every drawing."""
    return digests_of(path).autov3
