"""Laying a prompt out as a message, for text encoders that were language models.

A model's folder brings a template for that, which is a program; the pipelines here were trained with one
layout each, so that is written out, and no template of a folder ever runs.
"""

from __future__ import annotations

import copy
from typing import Any


class LaidOut:
    """A tokenizer that puts fixed texts round a message, for one call of ``encode_prompt``."""

    def __init__(self, tokenizer: Any, before: str, after: str) -> None:
        self._tokenizer, self._before, self._after = tokenizer, before, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._tokenizer(*arguments, **named)

    def apply_chat_template(self, messages: Any, *, tokenize: bool = False, **named: Any) -> Any:
        """The text of the last message with what belongs round it; its tokens where they are asked for."""
        message = messages[-1]
        if not tokenize:
            return self._before + str(message["content"]) + self._after
        # A batch of conversations, their contents in parts.
        text = self._before + str(message[-1]["content"][0]["text"]) + self._after
        settings = ("padding", "truncation", "max_length", "return_tensors")
        asked = {name: value for name, value in named.items() if name in settings}
        return self._tokenizer([text], add_special_tokens=False, **asked)


def laid_out(pipeline: Any, tokenizer: Any, before: str, after: str) -> Any:
    """A copy of a pipeline whose tokenizer lays messages out so."""
    shallow = copy.copy(pipeline)
    # Past the pipeline's own __setattr__, which would look for the library this class comes from.
    vars(shallow)["tokenizer"] = LaidOut(tokenizer, before, after)
    return shallow


def count(tokenizer: Any, text: str) -> int:
    """How many tokens a text has, without marks of its start and end."""
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])
