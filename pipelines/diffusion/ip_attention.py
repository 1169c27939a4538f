"""Cross-attention that looks at references as well as at the prompt, for the length of one run.

IP-Adapter (Ye et al. 2023, "IP-Adapter: Text Compatible Image Prompt Adapter for Text-to-Image Diffusion
Models", section 3.2): each cross-attention has keys and values of its own for a picture; what attention over
them gives is added to what it gives over the prompt. Which blocks a style or a composition is taken over by:
InstantStyle (Wang et al. 2024, "InstantStyle: Free Lunch towards Style-Preserving in Text-to-Image
Generation", section 3.3) for SDXL; with Stable Diffusion 1.x the deepest blocks lay out the picture, which
keeps the two less apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines.diffusion.control import ControlSettings
from pipelines.diffusion.ip_adapter import Adapted
from pipelines.diffusion.wrapped import WrappedDenoiser, position
from pipelines.errors import AdapterUnsuitable, LayerUnsuitable
from pipelines.graph.values import Layer

if TYPE_CHECKING:
    import torch

    from pipelines.models.loaded import LoadedDiffusion


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A reference for one model: ``weights`` (0..2) of it in each cross-attention; ``where`` it counts is
    1×1×H×W float32 in 0..1, or everywhere.
    """

    adapted: Adapted
    settings: ControlSettings
    weights: tuple[float, ...]
    where: torch.Tensor | None = None


def prepare_references(
    loaded: LoadedDiffusion, layers: Sequence[Layer], adapted: Sequence[Adapted]
) -> tuple[Reference, ...]:
    """References for one model.

    Raises:
        LayerUnsuitable: it isn't one that adapters work with.
        AdapterUnsuitable: an adapter was made for attention of other sizes.
    """
    import torch

    result = []
    for layer, read in zip(layers, adapted, strict=True):
        _check(loaded, layer, read)
        settings = ControlSettings.of(layer)
        names = cross_attentions(loaded.pipeline.unet)
        leads = str(layer.info.get("leads", "all"))
        weights = tuple(settings.weight * share for share in shares(names, leads, loaded.pipeline.unet))
        where = torch.tensor(layer.mask.values)[None, None] if layer.mask is not None else None
        result.append(Reference(read, settings, weights, where))
    return tuple(result)


def cross_attentions(unet: Any) -> list[str]:
    """Names of a U-Net's cross-attentions, in the order in which adapters number them."""
    return [
        name.removesuffix(".processor") for name in unet.attn_processors if name.endswith("attn2.processor")
    ]


def shares(names: Sequence[str], leads: str, unet: Any) -> list[float]:
    """How much of a reference each cross-attention takes over, 0..1.

    Args:
        leads: all, style or composition.
    """
    if leads == "all":
        return [1.0] * len(names)
    down = sorted({name.split(".")[1] for name in names if name.startswith("down_blocks.")})
    deepest = f"down_blocks.{down[-1]}." if down else "mid_block."
    if unet.config.addition_embed_type == "text_time":  # SDXL
        wanted = f"{deepest}attentions.1." if leads == "composition" else "up_blocks.0.attentions.1."
        return [float(name.startswith(wanted)) for name in names]
    composes = [name.startswith(deepest) for name in names]
    return [float(found == (leads == "composition")) for found in composes]


def _check(loaded: LoadedDiffusion, layer: Layer, read: Adapted) -> None:
    unet = getattr(loaded.pipeline, "unet", None)
    if unet is None or not hasattr(unet, "attn_processors"):
        reason = "Adapters work with models that have a U-Net; this one is a transformer."
        raise LayerUnsuitable(kind="reference", layer=layer.name, model=loaded.handle.id, reason=reason)
    names = cross_attentions(unet)
    reason = ""
    if len(names) != len(read.keys):
        reason = f"It has {len(read.keys)} cross-attentions, the model {len(names)}."
    else:
        for name, keys in zip(names, read.keys, strict=True):
            wanted = unet.get_submodule(name).inner_dim
            if keys.shape[-1] != wanted:
                reason = f"Its attention is {keys.shape[-1]} numbers wide where the model’s is {wanted}."
    if reason:
        raise AdapterUnsuitable(
            adapter=read.adapter.id, model=loaded.handle.id, reason=reason, port="adapter"
        )


@dataclass(slots=True)
class Step:
    """What the attentions have to know of the step that is computed.

    ``following`` of the ``pictures`` follow the prompt, the last ones; the others the negative prompt.
    ``latent``: h and w. ``acting``: numbers of the references that count now.
    """

    pictures: int = 0
    following: int = 0
    latent: tuple[int, int] = (0, 0)
    acting: tuple[int, ...] = ()


class ReferenceDenoiser(WrappedDenoiser):
    """Tells the attentions of its U-Net of each step. ``count`` pictures are drawn at once."""

    def __init__(
        self, inner: Any, references: Sequence[Reference], scheduler: Any, count: int, step: Step
    ) -> None:
        super().__init__(inner)
        self._references, self._scheduler, self._count, self._step = references, scheduler, count, step

    def __call__(self, sample: torch.Tensor, timestep: Any, *args: Any, **kwargs: Any) -> Any:
        """The denoiser's answer for ``sample`` (B×C×h×w) at ``timestep``."""
        at = position(self._scheduler, timestep)
        self._step.pictures, self._step.following = len(sample), min(self._count, len(sample))
        self._step.latent = (sample.shape[-2], sample.shape[-1])
        self._step.acting = tuple(
            number for number, each in enumerate(self._references) if each.settings.acts_at(at)
        )
        try:
            return self._inner(sample, timestep, *args, **kwargs)
        finally:
            self._step.acting = ()


@contextmanager
def attending(unet: Any, references: Sequence[Reference], step: Step, device: Any) -> Iterator[None]:
    """Let a U-Net's cross-attentions look at ``references`` in the block.

    The U-Net is shared with other runs: what computed its attention before does so again afterwards, whatever
    happens.
    """
    before = {}
    try:
        for number, name in enumerate(cross_attentions(unet)):
            attention = unet.get_submodule(name)
            looked_at = [
                _Looked.of(each, number, index, device, unet.dtype)
                for index, each in enumerate(references)
                if each.weights[number]
            ]
            if looked_at:
                before[attention] = attention.processor
                attention.set_processor(ReferenceAttention(looked_at, step))
        yield
    finally:
        for attention, processor in before.items():
            attention.set_processor(processor)


@dataclass(slots=True, eq=False)
class _Looked:
    """One reference in one cross-attention: 2×tokens×channels keys and values, those of nothing first."""

    number: int
    weight: float
    keys: torch.Tensor
    values: torch.Tensor
    where: torch.Tensor | None
    masks: dict[int, torch.Tensor] = field(default_factory=dict)
    """By how many places of the picture there are."""

    @classmethod
    def of(cls, reference: Reference, attention: int, number: int, device: Any, dtype: Any) -> _Looked:
        import torch

        read = reference.adapted
        keys = torch.cat([read.empty_keys[attention], read.keys[attention]]).to(device, dtype)
        values = torch.cat([read.empty_values[attention], read.values[attention]]).to(device, dtype)
        return cls(number, reference.weights[attention], keys, values, reference.where)

    def mask(self, latent: tuple[int, int], places: int, like: torch.Tensor) -> torch.Tensor | None:
        """1×places×1: how much it counts at each, averaged over what that covers."""
        import torch

        if self.where is None:
            return None
        if places not in self.masks:
            height, width = latent
            while height * width > places and height * width > 1:
                height, width = (height + 1) // 2, (width + 1) // 2
            small = torch.nn.functional.interpolate(self.where, (height, width), mode="area")
            self.masks[places] = small.flatten(2).transpose(1, 2)[0][None].to(like)
        return self.masks[places]


class ReferenceAttention:
    """A processor for diffusers' ``Attention``: attention over the prompt, and over each reference."""

    def __init__(self, looked_at: Sequence[_Looked], step: Step) -> None:
        self._looked_at, self._step = looked_at, step

    def __call__(
        self, attn: Any, hidden_states: torch.Tensor, encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None, temb: torch.Tensor | None = None,
        *args: Any, **kwargs: Any,
    ) -> torch.Tensor:  # fmt: skip
        """B×places×channels, as the plain processor gives it where no reference counts."""
        import torch

        residual = hidden_states
        if attn.group_norm is not None:
            hidden_states = attn.group_norm(hidden_states.transpose(1, 2)).transpose(1, 2)
        prompt = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        if encoder_hidden_states is not None and attn.norm_cross:
            prompt = attn.norm_encoder_hidden_states(prompt)
        if attention_mask is not None:
            attention_mask = attn.prepare_attention_mask(attention_mask, prompt.shape[1], len(prompt))
            attention_mask = attention_mask.view(len(prompt), attn.heads, -1, attention_mask.shape[-1])
        queries, keys, values = (
            _heads(attn, part) for part in (attn.to_q(hidden_states), attn.to_k(prompt), attn.to_v(prompt))
        )
        attend = torch.nn.functional.scaled_dot_product_attention
        found = _joined(attend(queries, keys, values, attn_mask=attention_mask))
        for each in self._looked_at:
            if each.number in self._step.acting:
                own_keys, own_values = (self._of_batch(part) for part in (each.keys, each.values))
                looked = attend(queries, _heads(attn, own_keys), _heads(attn, own_values))
                more = _joined(looked) * each.weight
                mask = each.mask(self._step.latent, more.shape[1], more)
                found = found + (more if mask is None else more * mask)
        found = attn.to_out[1](attn.to_out[0](found.to(hidden_states.dtype)))
        if attn.residual_connection:
            found = found + residual
        result: torch.Tensor = found / attn.rescale_output_factor
        return result

    def _of_batch(self, part: torch.Tensor) -> torch.Tensor:
        """2×tokens×channels, nothing and a reference -> one for each picture of the batch."""
        import torch

        step = self._step
        empty, full = part[:1], part[1:]
        rest = step.pictures - step.following
        return torch.cat([empty.expand(rest, -1, -1), full.expand(step.following, -1, -1)])


def _heads(attn: Any, tensor: torch.Tensor) -> torch.Tensor:
    """B×N×(heads·d) -> B×heads×N×d."""
    return tensor.unflatten(-1, (attn.heads, -1)).transpose(1, 2)


def _joined(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.transpose(1, 2).flatten(2)
