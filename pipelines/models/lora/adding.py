"""Changing the weights of a loaded pipeline by LoRAs, in place, and back.

What LoRAs add is computed in fp32 and added to the weights, all LoRAs of a layer before it is rounded once;
the layers are as plain as before, so that whatever moves, streams or quantizes weights needs to know nothing
of LoRAs. Nothing is ever subtracted: the weights as they were are kept beside, and put back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipelines.diffusion.memory import is_out_of_memory
from pipelines.errors import ModelUnreadable
from pipelines.graph.node import Context
from pipelines.models.embeddings import Words
from pipelines.models.hashes import digests_of
from pipelines.models.loaded import EmbeddingFile, LoraFile
from pipelines.models.loading.reading import Reader
from pipelines.models.lora.planning import Module, Plan, Target, plan_of

if TYPE_CHECKING:
    import torch

Room = Callable[[int], bool]
"""Whether so many more bytes of main memory may be taken."""


class Additions:
    """What a pipeline of diffusers in main memory was changed by, and how it was before.

    Args:
        pipeline: with dense weights in any precision.
        model: what to call the model in an error.
    """

    def __init__(self, pipeline: Any, model: str) -> None:
        self._pipeline, self._model = pipeline, model
        self._kept: dict[int, tuple[torch.nn.Parameter, torch.Tensor]] = {}
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
        try:
            plan = plan_of(self._pipeline, loras, self._model, context, reader)
            self.words.change(embeddings, context, reader)
            more = sum(target.bytes for key, target in plan.items() if key not in self._kept)
            keep = room(more)
            for key in [key for key in self._kept if key not in plan]:
                self._put_back(key)
            self._add(plan, loras, context, keep)
        except BaseException:
            self.restore()
            raise
        if not keep:
            self.forget()

    def restore(self) -> None:
        """Bring back the weights, tokenizers and layers as they were, bit for bit."""
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

    def _add(self, plan: Plan, loras: Sequence[LoraFile], context: Context, keep: bool) -> None:
        """Change the weights of a plan; where they are not to be kept, they are until all went well."""
        sums = _Sums(lambda parameter: self._kept.get(id(parameter), (None, parameter.data))[1])
        for key, target in plan.items():
            context.cancel.check()
            original = sums.original(target.parameter)
            try:
                with _changing():
                    changed = sums.of(target).to(original.dtype)
            except (RuntimeError, ValueError, IndexError) as error:
                if is_out_of_memory(error):
                    raise
                reason = f"Its tensors don't fit each other ({str(error).strip()[:200]})."
                raise ModelUnreadable(model=_names(loras), reason=reason) from error
            if not changed.isfinite().all():
                precision = str(original.dtype).removeprefix("torch.")
                reason = f"With it, weights become too large for {precision}."
                raise ModelUnreadable(model=_names(loras), reason=reason)
            self._kept.setdefault(key, (target.parameter, original))
            with _changing():
                target.parameter.data = changed


def _names(loras: Sequence[LoraFile]) -> str:
    return ", ".join(file.lora.id for file in loras)


class _Sums:
    """Weights with all that is added to them, in fp32.

    PEFT rounds each product and each sum. In bf16, of the change that three LoRAs of 2 % of the weights make,
    8.3 % are lost that way and 4.8 % this way, which is what one rounding of the exact sum loses (matrices of
    1280 × 1280, rank 16).
    """

    def __init__(self, original: Callable[[torch.nn.Parameter], torch.Tensor]) -> None:
        self.original = original
        self._joined: dict[int, tuple[Module, torch.Tensor]] = {}
        """What modules add that are in several layers, as long as the next of those may be asked for."""

    def of(self, target: Target) -> torch.Tensor:
        """The weight of a target as it becomes."""
        weight = self.original(target.parameter).float()
        total = weight.clone()
        for module, place in target.modules:
            if place.rows is None:
                _add_to(total, module.change.delta(weight, module.strength))
            else:
                total[place.to] += self._delta(module)[place.rows].reshape(len(place.rows), *total.shape[1:])
        return total

    def _delta(self, module: Module) -> torch.Tensor:
        """What a module adds whose rows are in several layers."""
        known = self._joined.get(id(module))
        if known is None:
            if len(self._joined) > _JOINED:
                self._joined.clear()
            weight = self._assembled(module)
            known = self._joined[id(module)] = (module, module.change.delta(weight, module.strength))
        return known[1]

    def _assembled(self, module: Module) -> torch.Tensor:
        """The weight that a module was made for, from the layers that have its rows."""
        import torch

        _, first = module.layers[0]
        weight = torch.zeros(module.change.shape[0], *first.shape[1:])
        for place, parameter in module.layers:
            weight[place.rows] = self.original(parameter).float()[place.to]
        return weight


_JOINED = 8
"""More LoRAs than that on one layer compute what is shared by several more than once."""


def _add_to(total: torch.Tensor, delta: torch.Tensor) -> None:
    """Add to all of a weight, or to the inputs that the LoRA knows of."""
    if delta.numel() == total.numel():
        total += delta.reshape(total.shape)
    else:
        known = delta.reshape(total.shape[0], -1, *total.shape[2:])
        total[:, : known.shape[1]] += known


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
            "name": file.path.stem, "hash": digests_of(file.path).autov3, "strength": file.lora.strength,
            "text_strength": file.lora.text_strength,
            **({"blocks": file.lora.blocks} if file.lora.blocks else {}),
        }
        for file in loras
    ]  # fmt: skip
    words = [
        {"name": file.path.stem, "hash": digests_of(file.path).autov3, "word": file.embedding.word}
        for file in embeddings
    ]
    return {**({"loras": found} if found else {}), **({"embeddings": words} if words else {})}
