"""Prompts -> conditioning, through each family's own ``encode_prompt``; cached by model, precision and text.

One text at a time, so that a changed negative prompt doesn't encode the prompt again. Truncation is reported
with the number of tokens and the words that were not read.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from pipelines.diffusion.families import family_of, parameters
from pipelines.diffusion.families.looking import Looking
from pipelines.diffusion.memory import retried, tell
from pipelines.diffusion.prompts.prompt_tags import as_read
from pipelines.errors import InvalidParameter, PromptTooLong, SettingIgnored
from pipelines.graph.values import Conditioning, Image

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion

REST_LENGTH = 60
"""How much of the unread text is quoted, in characters."""

_MARGIN = 200
"""Characters kept behind the last token read, at most: a cut inside a word could change its tokens."""


@dataclasses.dataclass(frozen=True, slots=True)
class Truncation:
    """``used`` of ``total`` tokens (start and end marks not counted) were read; ``rest`` was not."""

    used: int
    total: int
    rest: str


def encode(
    loaded: LoadedDiffusion, text: str, clip_skip: int, context: Context, *, negative: bool = False,
    pictures: Sequence[Image] = (),
) -> Conditioning:  # fmt: skip
    """The conditioning of one prompt, on the CPU, from the cache if it was encoded before.

    Args:
        text: any length; what the model doesn't read is reported as a warning.
        clip_skip: counted as A1111 does: 1 uses the text encoder's last layer, 2 the one before it.
        negative: whether it is what to keep out, which some families encode otherwise.
        pictures: what the text encoder looks at beside it, in models whose text encoder does.

    Returns:
        Tensors under the names that the pipeline's call takes (``prompt_embeds``, ``pooled_prompt_embeds``…).
        Empty for a family whose embeddings can't be handed back: its pipeline encodes the text itself.

    Raises:
        InvalidParameter: the text encoder has not that many layers.
    """
    text = text.encode("utf-8", "replace").decode()  # half a character would make the tokenizer fail
    skip = _clip_skip(loaded, clip_skip, context)
    handle = loaded.handle
    apart = negative and family_of(loaded.pipeline).negative_apart
    key = (
        "prompt", handle.fingerprint or handle.path, handle.parts, handle.loras, handle.embeddings,
        str(loaded.dtype), handle.quantization, type(loaded.pipeline).__name__, text, skip, apart,
        *(blake3(picture.as_uint8().tobytes()).hexdigest() for picture in pictures),
        *((picture.width, picture.height) for picture in pictures),
    )  # fmt: skip
    conditioning: Conditioning = context.memo(
        key, lambda: _encode(loaded, text, skip, apart, pictures, context)
    )
    if (found := conditioning.info.get("truncation")) is not None:
        warning = PromptTooLong(**found).info()
        context.warn(dataclasses.replace(warning, severity="warning"))
    return conditioning


def truncation(pipeline: Any, text: str) -> tuple[str, Truncation | None]:
    """What is to be encoded of ``text``, and what is not read.

    The text encoder that reads the most decides. The first item is ``text`` without most of what no encoder
    reads, so that a very long text is tokenized only once.
    """
    found = family_of(pipeline).tokens(pipeline)
    tokenizer, limit = found.tokenizer, found.limit - found.before
    if tokenizer is None or len(text.encode()) < limit - 4:  # no token is shorter than a byte
        return text, None
    fast = bool(getattr(tokenizer, "is_fast", False))
    tokens = tokenizer(text, add_special_tokens=False, return_offsets_mapping=fast, verbose=False)
    ids = tokens["input_ids"]
    used = limit - int(tokenizer.num_special_tokens_to_add(pair=False))
    if len(ids) <= used:
        return text, None
    if not fast:
        return text, Truncation(used, len(ids), tokenizer.decode(ids[used : used + 20])[:REST_LENGTH].strip())
    offsets = tokens["offset_mapping"]
    rest = text[offsets[used][0] :][:REST_LENGTH].strip()
    end = min(offsets[used][1] + _MARGIN, len(text))
    space = text.rfind(" ", offsets[used][1], end)
    return text[: space if space > 0 else end], Truncation(used, len(ids), rest)


def clip_layers(pipeline: Any) -> int:
    """Layers of the CLIP text encoder; 0 if the text encoder is none, and CLIP skip means nothing."""
    encoder = getattr(pipeline, "text_encoder", None)
    config: Any = getattr(encoder, "config", None)
    if getattr(config, "model_type", "") not in ("clip_text_model", "clip"):
        return 0
    return int(config.num_hidden_layers) if "clip_skip" in parameters(pipeline.encode_prompt) else 0


def _clip_skip(loaded: LoadedDiffusion, clip_skip: int, context: Context) -> int:
    """Layers to leave out (0 = none)."""
    skip = max(clip_skip, 1) - 1
    if skip == 0:
        return 0
    layers = clip_layers(loaded.pipeline)
    if layers == 0:
        ignored = SettingIgnored(
            setting="CLIP skip", model=loaded.handle.id, reason="Its text encoder is not a CLIP model."
        )
        context.warn(dataclasses.replace(ignored.info(), severity="warning"))
        return 0
    if skip >= layers:
        reason = f"The text encoder of this model has {layers} layers."
        raise InvalidParameter(title="CLIP skip", value=clip_skip, reason=reason)
    return skip


class _ClipLayers:
    """A CLIP text encoder with the ``text_model`` that diffusers looks for and transformers 5 dropped."""

    def __init__(self, encoder: Any) -> None:
        self._encoder = self.text_model = encoder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._encoder(*arguments, **named)


def _with_text_model(pipeline: Any) -> Any:
    shallow = copy.copy(pipeline)
    # Past the pipeline's own __setattr__, which would look for the library this class comes from.
    vars(shallow)["text_encoder"] = _ClipLayers(pipeline.text_encoder)
    return shallow


def _encode(
    loaded: LoadedDiffusion, text: str, skip: int, negative: bool, pictures: Sequence[Image], context: Context
) -> Conditioning:
    import torch

    pipeline = loaded.pipeline
    words = loaded.additions.words if loaded.additions is not None else None
    plain = as_read(text, words.spelled if words is not None else str)
    read, cut = truncation(pipeline, plain)
    if cut is not None and words is not None:
        cut = dataclasses.replace(cut, rest=words.unspelled(cut.rest))
    info: dict[str, Any] = {"prompt": text, "read": plain, "clip_skip": skip + 1, "negative": negative}
    info["width"] = 0
    info["truncation"] = dataclasses.asdict(cut) if cut is not None else None
    if skip and not hasattr(pipeline.text_encoder, "text_model"):
        pipeline = _with_text_model(pipeline)
    if getattr(pipeline, "encode_prompt", None) is None:
        return Conditioning({}, info)
    family = family_of(pipeline)
    with torch.inference_mode():
        result, offloaded = retried(
            lambda: (
                family.encode_seeing(pipeline, read, pictures, loaded.device)
                if pictures and isinstance(family, Looking)
                else family.encode(pipeline, read, loaded.device, skip, negative)
            ),
            str(loaded.device),
            "Encoding the prompt needs more than is free.",
            lambda: loaded.residence is not None and loaded.residence.offload("encode"),
        )
    if offloaded:
        tell(context, str(loaded.device), "The prompt was encoded with more of the model in main memory.")
    tensors = _named(pipeline, result)
    if "prompt_embeds" in tensors:
        info["width"] = int(tensors["prompt_embeds"].shape[-1])
    return Conditioning(tensors, info)


def _named(pipeline: Any, result: Any) -> dict[str, torch.Tensor]:
    """The tensors of ``encode_prompt``'s answer under the names of the pipeline's call; empty if unknown."""
    return family_of(pipeline).named(pipeline, result)
