"""From a prompt and a system text to the tokens a model reads: by its chat template, or as plain text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.errors import ChatTemplateFailed, ContextTooLong
from pipelines.graph.node import CancelToken
from pipelines.language.templates import TemplateRefused, render

_CUT: Final = "\ue0c5"
"""A private-use character: where a text of the user must not become a control token; no part of a prompt."""

CHARACTERS_PER_TOKEN: Final = 64
"""A text with more than this many characters for each token the model reads is measured by its beginning."""


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """What the model reads: ``text`` for people, ``ids`` for the model (never empty)."""

    text: str
    ids: tuple[int, ...]


def encode_prompt(
    tokenizer: Any, prompt: str, system: str, *, model: str, limit: int, cancel: CancelToken
) -> EncodedPrompt:
    """Encode a prompt for a model.

    Args:
        tokenizer: a transformers tokenizer.
        prompt: what the user asks; may be empty.
        system: how to answer; put before the prompt where the chat template knows no system message.
        model: its name in an error.
        limit: tokens the model reads at most; longer prompts are refused before they are laid out.
        cancel: polled while a chat template is rendered.

    Raises:
        ContextTooLong: the texts alone have more than ``limit`` tokens.
        ChatTemplateFailed: the chat template is broken, unsafe or endless.
        Cancelled: the user cancelled.
    """
    prompt, system = _plain_text(prompt), _plain_text(system)
    _check_length(tokenizer, system + prompt, model, limit)
    source = chat_template(tokenizer, model)
    if source is None:
        text = f"{system}\n\n{prompt}" if system and prompt else system or prompt
        return EncodedPrompt(text, _never_empty(tokenizer, tokenizer.encode(text)))
    special = tuple(token for token in tokenizer.all_special_tokens if len(token) > 1)
    marked = _laid_out(source, tokenizer, _mark(prompt, special), _mark(system, special), model, cancel)
    ids: list[int] = []
    for piece in marked.split(_CUT):  # cut inside a control token's text, its halves stay text
        ids += tokenizer.encode(piece, add_special_tokens=False)
    return EncodedPrompt(marked.replace(_CUT, ""), _never_empty(tokenizer, ids))


def chat_template(tokenizer: Any, model: str) -> str | None:
    """The template of a tokenizer (the one named ``default`` of several); ``None`` for a base model.

    Raises:
        ChatTemplateFailed: there are several and none is the default.
    """
    if not getattr(tokenizer, "chat_template", None):
        return None
    try:
        return str(tokenizer.get_chat_template())
    except ValueError as error:
        raise ChatTemplateFailed(model=model, reason=f"{str(error)[:300]}") from error


def _laid_out(source: str, tokenizer: Any, prompt: str, system: str, model: str, cancel: CancelToken) -> str:
    """The rendered conversation. Templates without a system role raise an error for one, or leave it out."""
    variables: Mapping[str, str] = {
        name: str(token) for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str)
    }
    user = {"role": "user", "content": prompt}
    if system.strip():
        try:
            text = render(source, [{"role": "system", "content": system}, user], variables, model, cancel)
            if system.strip() in text:
                return text
        except TemplateRefused:
            pass
        user = {"role": "user", "content": f"{system}\n\n{prompt}"}
    try:
        return render(source, [user], variables, model, cancel)
    except TemplateRefused as error:
        raise ChatTemplateFailed(model=model, reason=f"It refuses these messages ({error}).") from error


def _plain_text(text: str) -> str:
    """Without the mark, and without lone surrogates, which no tokenizer takes."""
    return text.replace(_CUT, "").encode("utf-8", "replace").decode("utf-8")


def _mark(text: str, special: tuple[str, ...]) -> str:
    if not special:
        return text
    pattern = "|".join(re.escape(token) for token in sorted(special, key=len, reverse=True))
    return re.sub(pattern, lambda match: match[0][0] + _CUT + match[0][1:], text)


def _check_length(tokenizer: Any, text: str, model: str, limit: int) -> None:
    """Refuse a text that is far too long by its beginning, before time is spent on all of it."""
    measured = text[: limit * CHARACTERS_PER_TOKEN]
    used = len(tokenizer.encode(measured, add_special_tokens=False))
    if len(measured) < len(text):
        used = round(used * len(text) / len(measured))
    if used > limit:
        raise ContextTooLong(model=model, used=used, limit=limit)


def _never_empty(tokenizer: Any, ids: list[int]) -> tuple[int, ...]:
    """A model can't read nothing: an empty prompt is the token that begins (or ends) a text."""
    if ids:
        return tuple(ids)
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return (first if first is not None else 0,)
