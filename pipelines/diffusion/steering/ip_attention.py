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
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipelines.diffusion.control.control import ControlSettings
from pipelines.diffusion.families import denoiser_of
from pipelines.diffusion.steering.ip_adapter import Adapted
from pipelines.diffusion.steering.ip_transformer import (
    FLUX,
    FluxReferenceAttention,
    ReferenceTransformer,
    block_attentions,
    freely_attending,
    needs_bias,
)
from pipelines.diffusion.wrapped import WrappedDenoiser, position
from pipelines.errors import AdapterUnsuitable, LayerUnsuitable, SettingIgnored
from pipelines.graph.values import Layer

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import Context
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
    loaded: LoadedDiffusion, layers: Sequence[Layer], adapted: Sequence[Adapted], context: Context
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
        names = attentions(loaded.pipeline, read)
        leads = str(layer.info.get("leads", "all"))
        if leads != "all" and read.enters != "cross":
            _warn_of_leads(loaded, context)
            leads = "all"
        weights = tuple(
            settings.weight * share for share in shares(names, leads, denoiser_of(loaded.pipeline))
        )
        where = torch.tensor(layer.mask.values)[None, None] if layer.mask is not None else None
        result.append(Reference(read, settings, weights, where))
    return tuple(result)


def _warn_of_leads(loaded: LoadedDiffusion, context: Context) -> None:
    reason = "Which of its blocks make the style and which the composition isn't known."
    ignored = SettingIgnored(setting="Leads", model=loaded.handle.id, reason=reason)
    context.warn(replace(ignored.info(), severity="warning"))


def attentions(pipeline: Any, read: Adapted) -> list[str]:
    """Names of the attentions that look at a reference, in the order in which its adapter numbers them."""
    unet = getattr(pipeline, "unet", None)
    return block_attentions(pipeline.transformer, read.enters) if unet is None else cross_attentions(unet)


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
    denoiser, u_net = denoiser_of(loaded.pipeline), getattr(loaded.pipeline, "unet", None) is not None
    if not hasattr(denoiser, "attn_processors") or not (u_net or type(denoiser).__name__ == FLUX):
        reason = "Adapters work with models that have a U-Net and with FLUX.1; this is another transformer."
        raise LayerUnsuitable(kind="reference", layer=layer.name, model=loaded.handle.id, reason=reason)
    reason = _difference(loaded.pipeline, read)
    if u_net != (read.enters == "cross"):
        reason = f"It was made for {'FLUX.1' if u_net else 'models that have a U-Net'}."
    if reason:
        raise AdapterUnsuitable(
            adapter=read.adapter.id, model=loaded.handle.id, reason=reason, port="adapter"
        )


def _difference(pipeline: Any, read: Adapted) -> str:
    """What about an adapter doesn't fit the model that draws; empty if nothing."""
    denoiser, names = denoiser_of(pipeline), attentions(pipeline, read)
    if read.tokens is not None:
        own, wanted = read.tokens.shape[-1], denoiser.config.joint_attention_dim
        return f"Its tokens are {own} numbers wide where the model’s are {wanted}." if own != wanted else ""
    if len(names) != len(read.keys):
        return f"It has {len(read.keys)} cross-attentions, the model {len(names)}."
    for name, keys in zip(names, read.keys, strict=True):
        wanted = denoiser.get_submodule(name).inner_dim
        if keys.shape[-1] != wanted:
            return f"Its attention is {keys.shape[-1]} numbers wide where the model’s is {wanted}."
    return ""


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
def attending(pipeline: Any, references: Sequence[Reference], step: Step, device: Any) -> Iterator[None]:
    """Let the attentions of a pipeline's denoiser look at ``references`` in the block.

    The denoiser is shared with other runs: what computed its attention before does so again afterwards,
    whatever happens.
    """
    denoiser, before = denoiser_of(pipeline), {}
    dtype, u_net = denoiser.dtype, getattr(pipeline, "unet", None) is not None
    biased = any(each.adapted.tokens is not None and needs_bias(each) for each in references)
    try:
        for name, numbered in _looking(pipeline, references).items():
            looked_at = [
                (references[index].adapted.enters, Looked.of(references[index], number, index, device, dtype))
                for index, number in numbered
            ]
            attention = denoiser.get_submodule(name)
            before[attention] = plain = attention.processor
            plain = freely_attending(plain) if biased else plain
            attention.set_processor(
                ReferenceAttention([each for _, each in looked_at], step)
                if u_net
                else FluxReferenceAttention(plain, looked_at, step)
            )
        yield
    finally:
        for attention, processor in before.items():
            attention.set_processor(processor)


def _looking(pipeline: Any, references: Sequence[Reference]) -> dict[str, list[tuple[int, int]]]:
    """Names of attentions, with the numbers of references that each looks at and its own in the adapters."""
    found: dict[str, list[tuple[int, int]]] = {}
    for index, each in enumerate(references):
        for number, name in enumerate(attentions(pipeline, each.adapted)):
            if each.weights[number]:
                found.setdefault(name, []).append((index, number))
    return found


def before_denoiser(
    inner: Any, pipeline: Any, references: Sequence[Reference], step: Step, count: int, device: Any
) -> WrappedDenoiser:
    """What stands before the denoiser ``inner`` of a run's own ``pipeline``, and knows of each step."""
    if getattr(pipeline, "unet", None) is not None:
        return ReferenceDenoiser(inner, references, pipeline.scheduler, count, step)
    tokens = [None if (own := each.adapted.tokens) is None else own.to(device) for each in references]
    return ReferenceTransformer(inner, references, pipeline.scheduler, step, tokens)


@dataclass(slots=True, eq=False)
class Looked:
    """One reference in one cross-attention: 2×tokens×channels keys and values, those of nothing first."""

    number: int
    weight: float
    keys: torch.Tensor
    values: torch.Tensor
    where: torch.Tensor | None
    masks: dict[int, torch.Tensor] = field(default_factory=dict)
    """By how many places of the picture there are."""

    @classmethod
    def of(cls, reference: Reference, attention: int, number: int, device: Any, dtype: Any) -> Looked:
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

    def __init__(self, looked_at: Sequence[Looked], step: Step) -> None:
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
