"""``diptych forecast``: what a graph will need on a device, before anything is loaded."""

from __future__ import annotations

import argparse
import re
from typing import Final

from pipelines import paths
from pipelines.cli.arguments import apply_sets, catalogue, load_graph
from pipelines.cli.session import FAILED, OK, print_json
from pipelines.errors import WrongUse
from pipelines.files import bytes_text
from pipelines.graph.registry import builtin
from pipelines.models.forecast import (
    Forecast,
    History,
    Machine,
    ModelForecast,
    forecast,
    read_calibration,
)

_UNITS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_AMOUNT: Final = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)


def forecast_graph(options: argparse.Namespace) -> int:
    """Print the forecast: 0 it fits, maybe with offload; 1 something is too large."""
    if options.calibrate:
        _calibrate(options)
    graph = apply_sets(load_graph(options.graph), options.set)
    history = None if options.device_memory else History(paths.cache_dir())
    made = forecast(graph, builtin(), catalogue(), machine(options), history)
    if options.json:
        print_json({"graph": options.graph, **made.to_json()})
    else:
        _print(made)
    return FAILED if made.verdict == "too_large" or made.problems else OK


def parse_bytes(text: str) -> int:
    """``8GiB``, ``8 GB`` or ``8000000000`` as a number of bytes. Raises :class:`WrongUse`."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise WrongUse(
            reason=f"{text[:80]} is not an amount of memory.", hint="Write a number and a unit, as in 8GiB."
        )
    number, unit, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** _UNITS[unit.lower()])


def machine(options: argparse.Namespace) -> Machine:
    """The device of this computer, or a card of the memory that was named."""
    from pipelines.models.memory import host_memory

    host = parse_bytes(options.host_memory) if options.host_memory else host_memory().total
    if options.device_memory:
        memory = parse_bytes(options.device_memory)
        measured = read_calibration(paths.cache_dir())
        known = measured if measured.device not in ("", "cpu") else read_calibration(paths.cache_dir(), "-")
        return Machine(
            options.device if options.device != "auto" else "cuda:0", memory, host, calibration=known
        )
    import torch

    from pipelines.models.device import capabilities, pick
    from pipelines.models.device import memory as device_memory

    device = pick(options.device, torch)
    able, now = capabilities(device, torch), device_memory(device, torch)
    measured = read_calibration(paths.cache_dir(), device)
    return Machine(device, now.total, host, able.dtype, able.quantization, calibration=measured)


def _calibrate(options: argparse.Namespace) -> None:
    import torch

    from pipelines.models.device import pick
    from pipelines.models.forecast.calibration import calibrate

    calibrate(pick(options.device, torch), paths.cache_dir())


_WORDS: Final = {"fits": "fits", "offload": "fits with offload", "too_large": "too large"}


def _print(made: Forecast) -> None:
    print(f"{made.machine.device}, {bytes_text(made.machine.memory)}: {_WORDS[made.verdict]}")
    for item in made.models:
        _print_model(item)
    for node, problem in made.problems.items():
        print(f"{node}: {problem}")
    if not made.machine.calibration.device:
        print("Seconds are known after: diptych forecast GRAPH --calibrate")


def _print_model(item: ModelForecast) -> None:
    needs = item.needs
    precision = item.dtype if item.quantization == "none" else f"{item.quantization}, {item.dtype}"
    print(f"{item.node}: {item.model} ({precision}): {_WORDS[needs.verdict]}, peak {bytes_text(needs.peak)}")
    for name, size in needs.weights.items():
        print(f"  {name:22} {bytes_text(size):>10}")
    if needs.activations:
        print(f"  {'activations':22} {bytes_text(needs.activations):>10}  within {item.error:.0%}")
    if needs.decoding:
        print(f"  {'decoding':22} {bytes_text(needs.decoding):>10}{'  in tiles' if needs.tiled else ''}")
    if needs.kept:
        print(f"  {'kept unchanged':22} {bytes_text(needs.kept):>10}  in main memory")
    if needs.moved:
        print(f"  {'moved in each step':22} {bytes_text(needs.moved):>10}")
    if needs.seconds is not None:
        print(f"  {'seconds':22} {needs.seconds[0]:.3g} to {needs.seconds[1]:.3g}")
    if needs.reason:
        print(f"  {needs.reason}")
    if item.change is not None:
        settings = " ".join(
            f"--set {node}.{name}={value}"
            for node, params in item.change.params.items()
            for name, value in params.items()
        )
        print(f"  {_WORDS[item.change.verdict]} with {settings}")
