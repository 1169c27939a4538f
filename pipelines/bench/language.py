"""The starter text model: tokens a second, as a user gets them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.bench.engine import Drive
from pipelines.bench.report import Row
from pipelines.engine.protocol import Message, NodeProgress
from pipelines.graph.document import Graph, NodeRecord


def measure() -> Iterator[Row]:
    """Median over three texts of 64 tokens, between the first and the last token."""
    with TemporaryDirectory() as folder:
        drive = Drive(Path(folder))
        drive.client.start()
        rates, waits = [], []
        for seed in range(4):
            params = {"prompt": "Tell me about the sea.", "max_tokens": 64, "seed": seed, "temperature": 0.8}
            graph = Graph().with_node("model", NodeRecord.new("model.language"))
            node = NodeRecord.new("language.generate", params=params, inputs={"model": ("model", "model")})
            events = drive.run(graph.with_node("write", node))
            tokens = _tokens(events)
            if len(tokens) > 2:
                (first, start), (last, end) = tokens[0], tokens[-1]
                rates.append((end - start) / (last - first))
                waits.append(first - events[0][0])
        drive.client.close()
    if len(rates) > 1:
        yield Row(
            "language", "starter text model", statistics.median(rates[1:]), "tokens/s", 15, at_least=True
        )
        yield Row("language", "first token, warm", statistics.median(waits[1:]) * 1000, "ms")


def _tokens(events: list[tuple[float, Message]]) -> list[tuple[float, int]]:
    return [
        (when, event.step)
        for when, event in events
        if isinstance(event, NodeProgress) and event.phase == "writing" and event.step > 0
    ]
