"""Measure models on this computer's card, and print what was foreseen beside it.

    python packaging/gpu_check.py [MODEL…] [--steps 8] [--side PX] [--device auto] [--device-memory 8GiB]

Without a model it draws with the starter. For each: seconds a step, the most memory that was allocated and
reserved, bytes of weights moved in a step, precision and offload. Works on any card torch knows (cuda, xpu,
mps). Without one it says so, and runs the same code on a card that is main memory with a limit: memory and
traffic are exact there, seconds say nothing of a card. Nothing is written but the files that are asked for.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from pipelines.engine.protocol import Message
    from pipelines.graph.document import Graph
    from pipelines.models.access import Models
    from pipelines.models.catalogue.catalogue import Catalogue
    from pipelines.models.forecast import Machine, ModelForecast
    from pipelines.models.residency.fake import FakeDevice

STARTER = "starter/text-to-image"
STREAMED = 0.5
"""The second card of a computer without one has room for this part of the denoiser, if it can do with it."""
WHOLE = 2 * 2**30
"""Bytes of the first one."""


@dataclass
class Card:
    """What is measured on: ``machine`` as forecasts see it; ``fake`` where there is no card."""

    machine: Machine
    fake: FakeDevice | None = None

    @property
    def title(self) -> str:
        """``cuda:0``, or ``1.2 GB of main memory``."""
        return self.machine.device if self.fake is None else f"{_size(self.fake.memory.limit or 0)} pretended"


@dataclass
class Result:
    """One line; bytes, seconds. None where it can't be measured."""

    model: str
    card: str
    precision: str = ""
    offload: str = ""
    step_seconds: float | None = None
    allocated: int | None = None
    reserved: int | None = None
    forecast_peak: int | None = None
    moved: int = 0
    forecast_moved: int | None = None
    seconds: float | None = None
    forecast_seconds: tuple[float, float] | None = None
    problem: str = ""


@dataclass
class Watch:
    """Hears a run: when its steps ended, what moved, and how it went wrong."""

    settle: Callable[[], None]
    steps: list[float] = field(default_factory=list)
    moved: int = 0
    problem: str = ""
    seconds: float = 0.0

    def hear(self, message: Message) -> None:
        """Called in the thread that draws, so that the card can be waited for."""
        from pipelines.engine.protocol import NodeFinished, NodeProgress

        if isinstance(message, NodeProgress) and message.phase == "denoising":
            self.settle()
            self.steps.append(time.perf_counter())
            self.moved = max(self.moved, message.moved_bytes)
        elif isinstance(message, NodeFinished) and message.error is not None:
            self.problem = self.problem or message.error.message or message.error.what
        elif isinstance(message, NodeFinished) and message.node == "draw":
            self.seconds = message.seconds


class Here:
    """Lanes that do their work at once, in the thread that asks."""

    def submit(self, lane: str, work: Callable[[], Any]) -> Future[Any]:
        """See :class:`pipelines.graph.executor.Lanes`."""
        done: Future[Any] = Future()
        try:
            done.set_result(work())
        except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
            done.set_exception(error)
        return done


# --- memory of a card ---------------------------------------------------------------------------------------


class Memory:
    """The most memory a card had in use. Where torch keeps no peak (mps), it is looked at after each step."""

    def __init__(self, card: Card) -> None:
        import torch

        self._torch: Any = torch
        self._card = card
        self._kind = card.machine.device.partition(":")[0]
        self._seen: tuple[int, int] | None = None
        self._module: Any = getattr(torch, self._kind, None) if card.fake is None else None
        self._peaks = self._module is not None and hasattr(self._module, "max_memory_allocated")
        if self._module is not None and self._peaks:
            self._module.reset_peak_memory_stats()

    def settle(self) -> None:
        """Wait for what the card still computes, and look."""
        if self._card.fake is None and self._kind != "cpu":
            self._torch.accelerator.synchronize()
        if self._kind == "mps" and self._module is not None:
            now = int(self._module.current_allocated_memory()), int(self._module.driver_allocated_memory())
            before = self._seen or (0, 0)
            self._seen = max(now[0], before[0]), max(now[1], before[1])

    def peak(self) -> tuple[int | None, int | None]:
        """Bytes allocated and reserved."""
        if self._card.fake is not None:
            return self._card.fake.memory.peak, None
        if self._peaks:
            return int(self._module.max_memory_allocated()), int(self._module.max_memory_reserved())
        return self._seen or (None, None)


# --- one model on one card ----------------------------------------------------------------------------------


def drawing(model: str, steps: int, side: int, catalogue: Catalogue) -> Graph:
    """A picture of the model's own guidance, and size where ``side`` (px) is 0.

    Raises:
        DiptychError: there is no such model, or it can't be used.
    """
    from pipelines.graph.document import Graph, NodeRecord

    entry = catalogue.find("diffusion", model)
    entry.check("diffusion")
    width, height = (side, side) if side else entry.info.native_size or (512, 512)
    scale = entry.info.defaults.get("guidance_scale", 7.0)
    values = {
        "prompt": "a red apple on a table", "steps": steps, "seed": 7, "width": width, "height": height,
        "guidance_scale": scale, "sizes": "exact",
    }  # fmt: skip
    loader = NodeRecord.new("model.diffusion", params={"model": model})
    draw = NodeRecord.new("diffusion.text_to_image", params=values, inputs={"model": ("model", "model")})
    return Graph().with_node("model", loader).with_node("draw", draw)


def check(model: str, steps: int, side: int, card: Card, catalogue: Catalogue) -> Result:
    """Draw twice, and measure: memory over both, the first of which reads the model; time in the second."""
    from pipelines.errors import DiptychError
    from pipelines.graph.registry import builtin
    from pipelines.models.forecast import Forecaster

    result = Result(model, card.title)
    try:
        graph = drawing(model, steps, side, catalogue)
        (made,) = Forecaster(catalogue, builtin()).forecast(graph, card.machine).models
    except DiptychError as error:
        result.problem = str(error)
        return result
    except ValueError:
        result.problem = "nothing can be foreseen of it"
        return result
    _foreseen(result, made)
    models, memory = _models(catalogue, card), Memory(card)
    for again in (False, True):
        watch = Watch(memory.settle)
        # what is read from a file is in main memory: on a pretended card that must not count
        metered: AbstractContextManager[Any] = (
            card.fake.metered() if card.fake is not None and again else nullcontext()
        )
        with metered:
            _draw(graph, models, card, watch)
        if watch.problem:
            break
    _measured(result, made, watch, memory)
    models.free()
    return result


def _draw(graph: Graph, models: Models, card: Card, watch: Watch) -> None:
    from pipelines.engine.exchange import PixelWriter
    from pipelines.engine.job import Job, Services
    from pipelines.engine.protocol import Run
    from pipelines.graph.assets import AssetStore
    from pipelines.graph.cache import Cache
    from pipelines.graph.registry import builtin

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        services = Services(
            builtin(), models, Cache(2**28), Here(), lambda: card.machine.device, folder, folder,
            AssetStore(folder / "assets"), PixelWriter(folder), watch.hear, previews=False,
        )  # fmt: skip
        Job(Run(job="check", graph=graph.dumps().decode()), services).run()


def _models(catalogue: Catalogue, card: Card) -> Models:
    """Models on the card as the engine has them; on a pretended one, with the budget a real one would get."""
    from pipelines.models.access import Models
    from pipelines.models.loading import ModelLoader
    from pipelines.models.residency import Residency, default_budget

    fake, machine = card.fake, card.machine
    if fake is None:
        return Models(catalogue, Residency(ModelLoader(catalogue), default_budget))

    def budget(device: str, held: int) -> int:
        return max(machine.room - machine.spare, 0) if device == fake.name else machine.host

    return Models(catalogue, Residency(ModelLoader(catalogue, accelerators=lambda device: fake), budget))


def _foreseen(result: Result, made: ModelForecast) -> None:
    needs = made.needs
    result.precision = made.dtype if made.quantization == "none" else f"{made.quantization}, {made.dtype}"
    result.forecast_peak, result.forecast_moved = needs.peak, needs.moved
    result.forecast_seconds = needs.seconds


def _measured(result: Result, made: ModelForecast, watch: Watch, memory: Memory) -> None:
    weights = sum(made.needs.weights.values())
    result.problem, result.moved, result.seconds = watch.problem, watch.moved, watch.seconds
    stays = "all of it stays" if made.needs.verdict == "fits" else "the denoiser stays"
    result.offload = f"streams {watch.moved / max(weights, 1):.0%}" if watch.moved else stays
    result.allocated, result.reserved = memory.peak()
    if len(watch.steps) > 1:
        result.step_seconds = (watch.steps[-1] - watch.steps[0]) / (len(watch.steps) - 1)


# --- cards --------------------------------------------------------------------------------------------------


def real_card(device: str) -> Card:
    """A device of this computer, as the engine foresees on it."""
    import torch

    from pipelines import paths
    from pipelines.models.device import capabilities
    from pipelines.models.device import memory as device_memory
    from pipelines.models.forecast import Machine, read_calibration
    from pipelines.models.memory import host_memory

    able, now = capabilities(device, torch), device_memory(device, torch)
    measured = read_calibration(paths.cache_dir(), device)
    return Card(
        Machine(
            device, now.free + now.used, host_memory().total, able.dtype, able.quantization,
            calibration=measured, total=now.total,
        )
    )  # fmt: skip


def pretended_card(memory: int) -> Card:
    """A card of so many bytes that is main memory."""
    import torch

    from pipelines.models.device import capabilities
    from pipelines.models.forecast import Machine
    from pipelines.models.memory import host_memory
    from pipelines.models.residency.fake import FakeDevice

    dtype = capabilities("cpu", torch).dtype
    machine = Machine("fake:0", memory, host_memory().total, dtype, quantization=False)
    return Card(machine, FakeDevice(machine.room))


def small_memory(model: str, catalogue: Catalogue) -> int:
    """Bytes of a card on which part of a model has to stream: of its denoiser, or of a text encoder that can
    do with no less.
    """
    import torch

    from pipelines.models.device import BYTES, capabilities
    from pipelines.models.forecast.components import components_of
    from pipelines.models.forecast.verdict import DRIVER

    size = BYTES[capabilities("cpu", torch).dtype]
    parts = components_of(catalogue.find("diffusion", model))
    main = int(size * STREAMED * sum(part.elements for part in parts if part.stage == "main"))
    least = max((size * (part.outside + part.window) for part in parts if part.stage != "decode"), default=0)
    need = DRIVER + max(main, least)
    return max(need + 2**29, need * 10 // 9) + 2**20


def cards(options: argparse.Namespace, model: str, catalogue: Catalogue) -> Iterator[Card]:
    """The card, or what stands for it."""
    import torch

    from pipelines.cli.forecast import parse_bytes
    from pipelines.models.device import pick

    device = pick(options.device, torch)
    if options.device_memory:
        yield pretended_card(parse_bytes(options.device_memory))
    elif device != "cpu":
        yield real_card(device)
    else:
        yield pretended_card(WHOLE)
        yield pretended_card(small_memory(model, catalogue))


# --- the table ----------------------------------------------------------------------------------------------


def _size(count: int | None) -> str:
    from pipelines.files import bytes_text

    return "?" if count is None else bytes_text(count)


def table(results: Sequence[Result]) -> str:
    """Markdown; what was foreseen stands after what was measured."""
    lines = [
        "| model | card | precision | offload | s/it | allocated | foreseen | reserved | moved a step "
        "| foreseen | seconds | foreseen |",
        "|---|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for item in results:
        if item.problem:
            lines.append(f"| {item.model} | {item.card} | {item.precision} | {item.problem} |{' |' * 8}")
            continue
        step = "?" if item.step_seconds is None else f"{item.step_seconds:.3g}"
        span = item.forecast_seconds
        foreseen = "?" if span is None else f"{span[0]:.3g}–{span[1]:.3g}"
        lines.append(
            f"| {item.model} | {item.card} | {item.precision} | {item.offload} | {step} "
            f"| {_size(item.allocated)} | {_size(item.forecast_peak)} | {_size(item.reserved)} "
            f"| {_size(item.moved)} | {_size(item.forecast_moved)} | {item.seconds or 0:.3g} | {foreseen} |"
        )
    return "\n".join(lines)


def heading(device: str) -> str:
    """What it was measured on."""
    import torch

    from pipelines.models.device import capabilities

    name = capabilities(device, torch).name
    said = f"{device}: {name}, torch {torch.__version__}"
    if device != "cpu":
        return said
    return f"{said}\nThere is no card that torch can use: measured on one that is main memory with a limit."


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 0 if every model could be drawn with."""
    parser = argparse.ArgumentParser(prog="gpu_check.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", nargs="*", help="an id or a path; the starter if none is given")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--side", type=int, default=0, help="px of the picture; the model's own if not given")
    parser.add_argument("--device", default="auto", help="auto, cuda:1, xpu, mps or cpu")
    parser.add_argument("--device-memory", default="", help="pretend a card of this size, as 8GiB")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args(argv)
    from pipelines.cli.arguments import catalogue as open_catalogue
    from pipelines.models.libraries import import_diffusers

    import_diffusers()
    import torch

    from pipelines.models.device import pick

    known = open_catalogue()
    print(heading(pick(options.device, torch)), flush=True)
    results = []
    for model in options.model or [STARTER]:
        for card in cards(options, model, known):
            results.append(check(model, max(options.steps, 2), options.side, card, known))
    print(f"\n{table(results)}")
    if options.json:
        options.json.write_text(json.dumps([asdict(item) for item in results], indent=2), encoding="utf-8")
    return int(any(item.problem for item in results))


if __name__ == "__main__":
    sys.exit(main())
