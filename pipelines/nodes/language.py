"""Nodes that write text. No torch import at module level."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param
from pipelines.graph.types import LanguageModel, Text


def stop_texts(text: str) -> tuple[str, ...]:
    r"""The stop texts of a param: one a line, where ``\n`` and ``\t`` stand for a line break and a tab."""
    lines = (line.replace("\\n", "\n").replace("\\t", "\t") for line in text.splitlines())
    return tuple(line for line in lines if line)


class GenerateText(Node):
    """Answer a prompt with a text model; the text appears while it is written."""

    id, title, category, lane = "language.generate", "Write text", "Language", "gpu"
    inputs = (
        Input("model", LanguageModel, description="The text model that writes."),
        Input(
            "prompt", Text, description="What to write, or the idea to work on.", default="", multiline=True
        ),
        Input(
            "system", Text, "Instructions", "How to answer: tone, form, examples.", default="", multiline=True
        ),
    )
    outputs = (
        Output("text", Text, description="The answer."),
        Output("prompt_used", Text, "Prompt used", "All that the model read, in its own chat format."),
    )
    preview = "text"

    class Params(NodeParams):
        max_tokens: int = Param(
            256, "Longest answer", "The most tokens it writes; a token is about three quarters of a word.",
            unit="tokens", ge=1, le=131_072, primary=True,
        )  # fmt: skip
        temperature: float = Param(
            0.7, "Temperature", "How daring the choice of words is; 0 always takes the likeliest.",
            ge=0, le=5, step=0.05, primary=True,
        )  # fmt: skip
        seed: int | None = Param(
            None,
            "Seed",
            "The same seed gives the same text.",
            ge=0,
            le=2**64 - 1,
            widget="seed",
            primary=True,
        )
        top_p: float = Param(
            0.9, "Top-p", "Choose among the likeliest words that together have this probability.",
            gt=0, le=1, step=0.05, advanced=True,
        )  # fmt: skip
        top_k: int = Param(
            50, "Top-k", "Choose among this many of the likeliest words; 0 for all.",
            ge=0, le=100_000, advanced=True,
        )  # fmt: skip
        repetition_penalty: float = Param(
            1.0, "Repetition penalty", "Above 1, words that were used become less likely.",
            ge=0.5, le=2, step=0.05, advanced=True,
        )  # fmt: skip
        stop: str = Param(
            "", "Stop at", "Texts that end the answer, one a line; \\n stands for a line break.",
            max_length=10_000, widget="multiline", advanced=True,
        )  # fmt: skip

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        from pipelines.language.generation import generate

        total = params.max_tokens
        with context.models.use(inputs["model"], context) as loaded:
            result = generate(
                loaded, inputs["prompt"], inputs["system"], _generation_params(params), context.cancel,
                on_text=lambda text, tokens: context.progress(tokens, total, phase="writing", text=text),
                on_prompt=lambda read, of: context.progress(read, of, phase="encoding"),
            )  # fmt: skip
        return {"text": result.text, "prompt_used": result.prompt_used}


def _generation_params(params: Any) -> Any:
    from pipelines.language.sampling import GenerationParams

    values: Mapping[str, Any] = params.model_dump(exclude={"seed", "stop"})
    # Clients draw the seed and write it down; whoever runs a graph without one gets a new text each time.
    seed = secrets.randbits(64) if params.seed is None else params.seed
    return GenerationParams(**values, seed=seed, stop=stop_texts(params.stop))


NODES = (GenerateText,)
