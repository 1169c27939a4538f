"""What would make a drawing fit that doesn't: other weights, fewer pictures at once, a smaller size."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipelines.graph.planned import PlannedNode
from pipelines.models.catalogue.catalogue import Entry
from pipelines.models.device import BYTES
from pipelines.models.forecast.verdict import VERDICTS, Assessment, Drawing, Machine, Verdict, assess, cost
from pipelines.models.quantized.quantization import method_of


@dataclass(frozen=True, slots=True)
class Change:
    """Settings by node that make a node's work fit, and what it needs then."""

    params: Mapping[str, Mapping[str, Any]]
    verdict: Verdict
    peak: int
    seconds: tuple[float, float] | None


def change(
    node: PlannedNode,
    loader: PlannedNode,
    entry: Entry,
    drawing: Drawing,
    machine: Machine,
    now: Assessment,
    dtype: str,
    packed: str,
) -> Change | None:
    """What makes it fit at the least time; something that makes it run at all, if nothing makes it fit."""
    ways: list[tuple[int, float, Change]] = []
    for params, other, precision, packing in _ways(node, loader, entry, drawing, machine, dtype, packed):
        needs = assess(other, machine, precision, packing)
        if VERDICTS.index(needs.verdict) < VERDICTS.index(now.verdict):
            seconds = cost(needs, other, machine, precision, packing) / max(other.pixels, 1)
            made = Change(params, needs.verdict, needs.peak, needs.seconds)
            ways.append((VERDICTS.index(needs.verdict), seconds, made))
    return min(ways, key=lambda way: way[:2])[2] if ways else None


def weightings(
    settings: Collection[str], machine: Machine, drawing: Drawing, dtype: str, packed: str
) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Ways to hold the weights: params of the model's node (of its ``settings``), precision, quantization; as
    it is now first, and with the text encoders in 8 or 4 bits last.
    """
    short = {} if BYTES[dtype] == 2 or machine.dtype == "fp32" else {"dtype": machine.dtype}
    ways: list[tuple[dict[str, Any], str, str]] = [({}, dtype, packed)]
    if short:
        ways.append((short, machine.dtype, packed))
    if machine.quantization and method_of(packed, "model") == "none" and "quantization" in settings:
        text = packed.removeprefix("none")
        ways += [
            ({**short, "quantization": name}, short.get("dtype", dtype), name + text)
            for name in ("fp8", "int8", "nf4")
        ]
    yield from ways
    encodes = any(part.stage == "encode" for part in drawing.components)
    if encodes and "text_quantization" in settings and "," not in packed and machine.device != "mps":
        for name in ("fp8", "nf4") if machine.quantization else ("fp8",):
            for params, precision, packing in ways:
                yield {**params, "text_quantization": name}, precision, f"{packing},text={name}"


def _ways(
    node: PlannedNode,
    loader: PlannedNode,
    entry: Entry,
    drawing: Drawing,
    machine: Machine,
    dtype: str,
    packed: str,
) -> Iterator[tuple[dict[str, dict[str, Any]], Drawing, str, str]]:
    """Settings that could be other, alone and together; those that change the picture come last."""
    precisions = list(weightings(loader.literals, machine, drawing, dtype, packed))
    drawings: list[tuple[dict[str, Any], Drawing]] = [({}, drawing)]
    if drawing.pictures > 1 and "batch" in node.literals:
        drawings.append(({"batch": 1}, replace(drawing, pictures=1, at_once=1)))
    native = entry.info.native_size
    if native and {"width", "height"} <= set(node.literals) and native[0] * native[1] < drawing.pixels:
        size = {"width": native[0], "height": native[1]}
        smaller = replace(drawing, pixels=native[0] * native[1])
        drawings.append((size, smaller))
        if drawing.pictures > 1 and "batch" in node.literals:
            drawings.append(({**size, "batch": 1}, replace(smaller, pictures=1, at_once=1)))
    for of_model, precision, packing in precisions:
        for of_node, other in drawings:
            params = {loader.id: of_model, node.id: of_node}
            chosen = {name: values for name, values in params.items() if values}
            if chosen:
                yield chosen, other, precision, packing
