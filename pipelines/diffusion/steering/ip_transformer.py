"""References in FLUX.1, for the length of one run: looked at by its attention, or read with the prompt.

IP-Adapters for it come in two kinds. Those by XLabs look from the first blocks, before places count, and what
they see is added to what the whole block makes; those by InstantX look from all blocks, and what they see
goes the way of what the block's own attention gives. FLUX.1 Redux makes tokens of a picture that follow those
of the prompt: how much they count is told to the attention, as the logarithm of the weight.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.wrapped import WrappedDenoiser, position

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.steering.ip_attention import Looked, Reference, Step

FLUX: Final = "FluxTransformer2DModel"
_FIRST: Final = "transformer_blocks."
_LAST: Final = "single_transformer_blocks."


def block_attentions(transformer: Any, enters: str) -> list[str]:
    """Names of the attentions that an adapter looks from, in the order in which adapters number them.

    Args:
        enters: see :data:`pipelines.models.networks.ip_adapter.Enters`; from where it reads the prompt, none
            looks.
    """
    starts: tuple[str, ...] = {"beside": (_FIRST,), "within": (_FIRST, _LAST)}.get(enters, ())
    names = (name.removesuffix(".processor") for name in transformer.attn_processors)
    return [name for name in names if name.startswith(starts)] if starts else []


class ReferenceTransformer(WrappedDenoiser):
    """Tells the attentions of its transformer of each step, and puts tokens of references behind the prompt.

    Args:
        tokens: for each reference 1×T×width, or None for those that are looked at.
    """

    def __init__(
        self, inner: Any, references: Sequence[Reference], scheduler: Any, step: Step,
        tokens: Sequence[torch.Tensor | None],
    ) -> None:  # fmt: skip
        super().__init__(inner)
        self._references, self._scheduler, self._step, self._tokens = references, scheduler, step, tokens
        self._biases: dict[tuple[object, ...], torch.Tensor] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The transformer's answer to a step's question, which comes as named arguments."""
        at, step = position(self._scheduler, kwargs["timestep"]), self._step
        step.pictures = step.following = len(kwargs["hidden_states"])
        step.latent = _places(kwargs["img_ids"])
        step.acting = tuple(
            number for number, each in enumerate(self._references) if each.settings.acts_at(at)
        )
        try:
            return self._inner(*args, **{**kwargs, **self._read(kwargs)})
        finally:
            step.acting = ()

    def _read(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The prompt with the tokens of the references that act, and how much those count."""
        import torch

        read = [
            (self._references[number], tokens)
            for number in self._step.acting
            if (tokens := self._tokens[number]) is not None
        ]
        if not read:
            return {}
        prompt, ids = asked["encoder_hidden_states"], asked["txt_ids"]
        more = [tokens.to(prompt).expand(len(prompt), -1, -1) for _, tokens in read]
        result: dict[str, Any] = {
            "encoder_hidden_states": torch.cat([prompt, *more], dim=1),
            "txt_ids": torch.cat([ids, ids.new_zeros(sum(part.shape[1] for part in more), ids.shape[-1])]),
        }
        if any(map(needs_bias, (reference for reference, _ in read))):
            bias = self._bias(read, prompt)
            told = asked.get("joint_attention_kwargs") or {}
            result["joint_attention_kwargs"] = {**told, "attention_mask": bias}
        return result

    def _bias(self, read: Sequence[tuple[Reference, torch.Tensor]], prompt: torch.Tensor) -> torch.Tensor:
        """1×1×L×L, what is added to the attention of all tokens to all: the prompt's, the references', the
        picture's. What isn't a place of the picture sees a reference as places do on average.
        """
        import torch

        key = (self._step.latent, prompt.shape[1], self._step.acting)
        if key not in self._biases:
            height, width = self._step.latent
            texts = prompt.shape[1] + sum(tokens.shape[1] for _, tokens in read)
            bias = prompt.new_zeros(1, 1, texts + height * width, texts + height * width)
            start = prompt.shape[1]
            for reference, tokens in read:
                counts = _counts(reference, self._step.latent).to(prompt.device) * reference.settings.weight
                column = torch.cat([counts.mean().expand(texts), counts.flatten()]).log()
                bias[0, 0, :, start : start + tokens.shape[1]] = column[:, None].to(prompt.dtype)
                start += tokens.shape[1]
            self._biases = {key: bias}
        return self._biases[key]


def needs_bias(reference: Reference) -> bool:
    """Whether tokens of a reference count otherwise than those of the prompt."""
    return reference.settings.weight != 1 or reference.where is not None


def _places(ids: torch.Tensor) -> tuple[int, int]:
    """Rows and columns of tokens, from where they are: T×3."""
    flat = ids.reshape(-1, ids.shape[-1])
    return int(flat[:, 1].max()) + 1, int(flat[:, 2].max()) + 1


def _counts(reference: Reference, latent: tuple[int, int]) -> torch.Tensor:
    """h×w: how much a reference counts at each place, 0..1."""
    import torch

    if reference.where is None:
        return torch.ones(latent)
    return torch.nn.functional.interpolate(reference.where, latent, mode="area")[0, 0]


def freely_attending(processor: Any) -> Any:
    """A processor of the same kind that lets the library choose what computes: some backends take no bias."""
    free = copy.copy(processor)
    free._attention_backend = None
    return free


class FluxReferenceAttention:
    """A processor for FLUX.1's attention: what ``plain`` gives, and attention over each reference.

    Args:
        looked_at: references, each with whether it is added ``beside`` or ``within``.
    """

    def __init__(self, plain: Any, looked_at: Sequence[tuple[str, Looked]], step: Step) -> None:
        self._plain, self._looked_at, self._step = plain, looked_at, step

    def __call__(
        self, attn: Any, hidden_states: torch.Tensor, encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None, image_rotary_emb: Any = None,
    ) -> Any:  # fmt: skip
        """As the plain processor; of the first blocks with what is added beside as a third part."""
        answer = self._plain(attn, hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb)
        acting = [(way, each) for way, each in self._looked_at if each.number in self._step.acting]
        if not acting:
            return answer
        queries = attn.norm_q(attn.to_q(hidden_states).unflatten(-1, (attn.heads, -1))).transpose(1, 2)
        seen = {way: self._seen(attn, queries, [each for w, each in acting if w == way]) for way, _ in acting}
        if encoder_hidden_states is None:  # a later block, in which the prompt stands before the picture
            return answer + seen["within"]
        drawn, prompt, *beside = answer
        if "within" in seen:
            drawn = drawn + _projected(attn, seen["within"])
        if "beside" in seen:
            beside = [seen["beside"]]
        return (drawn, prompt, *beside)

    def _seen(self, attn: Any, queries: torch.Tensor, looked_at: Sequence[Looked]) -> torch.Tensor:
        """What is seen of some references, B×places×channels."""
        import torch

        attend, parts = torch.nn.functional.scaled_dot_product_attention, []
        for each in looked_at:
            keys, values = (
                part[1:].expand(len(queries), -1, -1).unflatten(-1, (attn.heads, -1)).transpose(1, 2)
                for part in (each.keys, each.values)
            )
            found = attend(queries, keys.to(queries), values.to(queries)).transpose(1, 2).flatten(2)
            mask = each.mask(self._step.latent, math.prod(self._step.latent), found)
            if mask is not None and (rest := found.shape[1] - mask.shape[1]) > 0:
                mask = torch.cat([mask.mean(dim=1, keepdim=True).expand(-1, rest, -1), mask], dim=1)
            parts.append(found * each.weight if mask is None else found * each.weight * mask)
        return sum(parts[1:], parts[0])


def _projected(attn: Any, tensor: torch.Tensor) -> torch.Tensor:
    """Through the attention's last layer without its bias, whatever holds the layer's weights."""
    layer = attn.to_out[0]
    projected: torch.Tensor = layer(tensor) - layer(tensor.new_zeros(1, 1, tensor.shape[-1]))
    return projected
