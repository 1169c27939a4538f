"""Whether a drawing fits a device, with what of it there, and how long it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from pipelines.graph.values import Speed
from pipelines.models.device import BYTES
from pipelines.models.families.abilities import IMAGE_GUIDED
from pipelines.models.forecast.activations import (
    TEXT,
    UNET_TEXT,
    control_bytes,
    decoder_bytes,
    decoder_operations,
    denoiser_bytes,
    denoiser_operations,
    work_in,
)
from pipelines.models.forecast.calibration import Calibration
from pipelines.models.forecast.components import Component
from pipelines.models.forecast.loras import NONE, Loras
from pipelines.models.forecast.options import cache_bytes
from pipelines.models.quantized.quantization import PACKED_BYTES, method_of
from pipelines.models.residency.pieces import spread

Verdict = Literal["fits", "offload", "too_large"]
VERDICTS: Final[tuple[Verdict, ...]] = ("fits", "offload", "too_large")
"""From the best to the worst."""

DRIVER: Final = 400 * 2**20
"""What a driver and the libraries take on a card before anything is computed; an allowance."""

REFERENCE: Final = Calibration("", {"fp32": 1e13, "bf16": 4e13, "fp16": 4e13}, 12e9, 1e9)
"""A middling card, to compare ways of running something where nothing was measured."""

USED: Final = (0.9, 0.35)
"""The share of the measured rate of products that networks reach on a card, at best and at worst: an
allowance, not measured."""

USED_ON_PROCESSOR: Final = (0.8, 0.38)
"""The same on a processor, beside :data:`READ` and :data:`CALLED`: U-Nets of 11 and 215 million numbers reach
up to 0.78 in fp32, and 0.44 to 0.59 in bf16."""

READ: Final = (1.0, 3.0)
"""How many times a processor copies the weights in a pass: some kernels read them, others reorder them
first."""

CALLED: Final = (1e-5, 6e-5)
"""Seconds that calling one layer takes, however little it computes."""

UNPACKING: Final = {"none": (1.0, 1.0), "fp8": (1.02, 1.3), "int8": (1.0, 2.0), "nf4": (1.05, 1.6)}
"""How many times as long a step takes with packed weights, at best and at worst; bitsandbytes' own range."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A device: ``memory`` in bytes, ``reserve`` of it kept for others, and ``host`` bytes of main memory.

    ``dtype`` is what “auto” stands for there.
    """

    device: str
    memory: int
    host: int
    dtype: str = "fp16"
    quantization: bool = True
    reserve: int = 0
    calibration: Calibration = field(default_factory=Calibration)
    total: int = 0
    """Bytes of the device, whoever holds them; 0: ``memory`` is all of it."""

    @property
    def room(self) -> int:
        """Bytes for weights and what is computed with them."""
        taken = 0 if self.device == "cpu" else DRIVER
        return max(self.memory - self.reserve - taken, 0)

    @property
    def spare(self) -> int:
        """What the manager of memory leaves free of weights, at least."""
        return max(self.memory // 10, 2**30 if self.device == "cpu" else 2**29)


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is asked of a model: ``pictures`` of ``pixels``, ``at_once`` in a batch, of ``steps`` each.

    ``doubled``: each step is computed with the prompt and without. ``beside``: other networks that work in
    each step (control models), with bytes of a number of theirs. ``regions``: prompts of their own, each of
    which is one more pass a step. ``looked``: px of pictures that a transformer sees beside what it draws;
    ``read``: tokens of them that it reads with the prompt.
    """

    components: tuple[Component, ...]
    family: str
    pixels: int
    steps: int
    pictures: int = 1
    at_once: int = 1
    doubled: bool = True
    beside: tuple[tuple[Component, int], ...] = ()
    file_bytes: int = 0
    speed: Speed = field(default_factory=Speed)
    vae_dtype: str = ""
    """Of the VAE, if it isn't that of the rest."""
    regions: int = 0
    looked: int = 0
    read: int = 0
    loras: Loras = NONE

    @property
    def seen(self) -> int:
        """Pixels that would have as many latent ones if, as usual, 8×8 of them made one."""
        return self._latent(self.pixels)

    @property
    def rows(self) -> int:
        """How many pictures the denoiser sees for each that is drawn."""
        if self.family in IMAGE_GUIDED:
            return 3
        return 2 if self.doubled else 1

    @property
    def steered(self) -> str:
        """What makes a step slower than the prompt alone, as one text; empty if nothing does."""
        counts = {"regions": self.regions, "controls": len(self.beside), "looked": self.looked}
        return ",".join(f"{name}={count}" for name, count in counts.items() if count)

    @property
    def tokened(self) -> int:
        """Pixels as :attr:`seen`, with those of pictures that are looked at."""
        return self.seen + self._latent(self.looked)

    def _latent(self, pixels: int) -> int:
        factor = next((part.factor for part in self.components if part.stage == "decode"), 8)
        return pixels * 64 // factor**2


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a drawing needs in one precision. All in bytes but ``seconds``: the least and the most, for all of
    its pictures with the model in memory; None where nothing was measured.
    """

    verdict: Verdict
    weights: dict[str, int]
    activations: int
    decoding: int
    peak: int
    resident: int
    moved: int
    tiled: bool
    seconds: tuple[float, float] | None
    loading: tuple[float, float] | None
    reason: str = ""
    kept: int = 0
    """In main memory: weights as they were before LoRAs changed them, where there is room."""


def bytes_of(component: Component, dtype: str, quantization: str) -> int:
    """Bytes of a network's weights."""
    if component.packed:
        return component.packed
    method, size, left = method_of(quantization, component.name), BYTES[dtype], component.untouched
    exact = left.exact * ((4 if dtype == "fp16" else size) - size)
    if method == "none":
        return component.elements * size + exact
    as_they_are = left.uncast if method == "fp8" else left.unpacked
    quantized = (component.elements - as_they_are) * PACKED_BYTES[method]
    return int(quantized + as_they_are * size + exact)


def assess(drawing: Drawing, machine: Machine, dtype: str, quantization: str) -> Assessment:
    """What a drawing needs on a machine; the manager of memory does as is assumed here."""
    size, exact = BYTES[dtype], drawing.vae_dtype or dtype
    weights = {
        part.name: bytes_of(part, exact if part.stage == "decode" else dtype, quantization)
        for part in drawing.components
    }
    stages: dict[str, list[Component]] = {"encode": [], "main": [], "decode": []}
    for part in drawing.components:
        stages[part.stage].append(part)
    if added := drawing.loras.added(drawing.components, dtype, quantization):
        weights["loras"] = added
    kept = drawing.loras.kept(drawing.components, dtype, quantization)
    main = sum(weights[part.name] for part in stages["main"]) + added
    vae = sum(weights[part.name] for part in stages["decode"])
    beside = sum(part.elements * each for part, each in drawing.beside)
    at_once = drawing.at_once * drawing.rows
    drawn = sum(
        denoiser_bytes(part, drawing.family, drawing.tokened, at_once, size, drawing.read)
        + cache_bytes(part, drawing.speed.cache, drawing.tokened, at_once, size)
        for part in stages["main"]
    )
    drawn += sum(control_bytes(part, drawing.seen, at_once, each) for part, each in drawing.beside)
    decoded = sum(decoder_bytes(part, drawing.pixels, BYTES[exact]) for part in stages["decode"])
    room, spare = machine.room, max(machine.spare, drawn)
    least = sum(least_of(part, weights[part.name]) for part in stages["main"])
    window = max((_window(part, weights[part.name]) for part in stages["main"]), default=0)
    encoders = max((weights[part.name] for part in stages["encode"]), default=0)
    encoders_least = max((least_of(part, weights[part.name]) for part in stages["encode"]), default=0)
    on_cpu = machine.device == "cpu"
    whole = main + beside + vae + (sum(weights[part.name] for part in stages["encode"]) if on_cpu else 0)
    tiled = vae + decoded > room - (main + beside if whole + spare <= room else 0)
    tiled = {"on": True, "off": False}.get(drawing.speed.tiling, tiled)
    decoding = decoded // 9 if tiled else decoded
    reason = ""
    if whole + spare <= room and (on_cpu or encoders + machine.spare <= room):
        verdict: Verdict = "fits"
        resident = main
    elif on_cpu or least + beside + spare > room or min(encoders, encoders_least) + machine.spare > room:
        verdict, resident = "too_large", 0
        reason = "Not even its largest blocks fit, one by one, beside what is computed."
    elif vae + decoding > room:
        verdict, resident = "too_large", 0
        reason = "Decoding the picture needs more than there is, in tiles or without as it is set."
    elif sum(weights.values()) > machine.host:
        verdict, resident = "too_large", 0
        reason = "It doesn't fit into main memory, from which it would be fetched."
    else:
        verdict = "offload"
        resident = _resident(stages["main"], weights, main, room - spare - beside)
    moved = 0 if verdict != "offload" else main - resident
    peak = max(
        resident + (window if moved else 0) + beside + drawn,
        vae + decoding + (main + beside if verdict == "fits" and not tiled else 0),
        _encoding([weights[part.name] for part in stages["encode"]], whole, spare, machine),
    )  # fmt: skip
    if on_cpu:
        peak = sum(weights.values()) + beside + max(drawn, decoding)
        kept = kept if peak + kept <= room else 0
        peak += kept
    elif sum(weights.values()) + beside + kept > machine.host:
        kept = 0
    made = Assessment(
        verdict, weights, drawn, decoding, peak, resident, moved, tiled, None, None, reason, kept
    )
    return _timed(made, drawing, machine, dtype, quantization)


def _encoding(encoders: Sequence[int], whole: int, spare: int, machine: Machine) -> int:
    """Bytes while a prompt is encoded. What fits is put there before, and makes room only if it must."""
    together = sum(encoders) + whole if whole + spare <= machine.room else max(encoders, default=0)
    return min(together, max(machine.room - machine.spare, 0))


def _resident(parts: Sequence[Component], weights: Mapping[str, int], main: int, room: int) -> int:
    """Bytes of what works in each step that stay in ``room``; all of them, where only others have to wait."""
    if main <= room:
        return main
    window = max(_window(part, weights[part.name]) for part in parts)
    left = max(room - window, 0)
    if len(parts) != 1 or not parts[0].blocks:
        return left
    (part,) = parts
    each = weights[part.name] / max(part.elements, 1)
    blocks = [int(size * each) for size in part.blocks]
    fixed = main - sum(blocks)
    return min(fixed + sum(blocks[place] for place in spread(blocks, max(left - fixed, 0))), left)


def least_of(part: Component, whole: int) -> int:
    """The fewest bytes a network of ``whole`` bytes works with: what always stays, and two blocks."""
    return min(whole * (part.outside + part.window) // max(part.elements, 1), whole)


def _window(part: Component, whole: int) -> int:
    """Bytes of the blocks that pass through."""
    return min(whole * part.window // max(part.elements, 1), whole)


def _timed(made: Assessment, drawing: Drawing, machine: Machine, dtype: str, quantization: str) -> Assessment:
    measured = machine.calibration
    seconds = _seconds(made, drawing, measured, dtype, quantization)
    if seconds is None or made.verdict == "too_large":
        return made
    loading = (0.0, drawing.file_bytes / measured.disk) if measured.disk else None
    return replace(made, seconds=seconds, loading=loading)


def cost(made: Assessment, drawing: Drawing, machine: Machine, dtype: str, quantization: str) -> float:
    """Seconds to compare ways by: on this machine if it was measured, else on a middling one."""
    for measured in (machine.calibration, REFERENCE):
        found = _seconds(made, drawing, measured, dtype, quantization)
        if found is not None:
            return sum(found)
    return 0.0


def _seconds(
    made: Assessment, drawing: Drawing, measured: Calibration, dtype: str, quantization: str
) -> tuple[float, float] | None:
    rate = measured.products.get(dtype, 0.0)
    if not rate or not measured.copy:
        return None
    main = [part for part in drawing.components if part.stage == "main"]
    passes = drawing.rows + drawing.regions
    step = passes * sum(
        denoiser_operations(part, drawing.family, drawing.tokened, drawing.read) for part in main
    )
    beside = [part for part, _ in drawing.beside]
    step += passes * sum(denoiser_operations(part, drawing.family, drawing.seen) for part in beside)
    step *= drawing.pictures
    decode = sum(
        decoder_operations(part, drawing.pixels) for part in drawing.components if part.stage == "decode"
    )
    words = UNET_TEXT if any(part.convolves for part in main) else TEXT
    encode = sum(2.0 * part.elements * words for part in drawing.components if part.stage == "encode")
    rest = decode * drawing.pictures + encode
    on_cpu = measured.device == "cpu"
    batches = -(-drawing.pictures // drawing.at_once)
    calls = batches * (1 + drawing.regions)
    layers = calls * sum(work_in(part, drawing.family)[0].layers for part in (*main, *beside))
    weights = sum(made.weights[part.name] for part in main)
    weights += sum(part.elements * each for part, each in drawing.beside)
    read = calls * weights / measured.copy if on_cpu else 0.0
    copied = made.moved * drawing.steps * batches / measured.copy
    shares = USED_ON_PROCESSOR if on_cpu else USED
    best, worst = (
        drawing.steps * (step * times / (rate * share) + read * often + layers * each)
        for times, share, often, each in zip(
            UNPACKING[method_of(quantization, "model")], shares, READ, CALLED, strict=True
        )
    )
    return max(best, copied) + rest / (rate * shares[0]), worst + copied + rest / (rate * shares[1])
