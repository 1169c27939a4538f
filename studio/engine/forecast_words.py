"""What a forecast says, in a few plain words. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pipelines.engine.protocol import ForecastChange, Forecasted, ForecastModel
from studio.engine.phases import duration_text, memory_text
from studio.translate import tr

_VERDICTS: Final = {"fits": "fits", "offload": "fits with offload", "too_large": "too large"}
_ICONS: Final = {"fits": ("good", "good"), "offload": ("info", "warn"), "too_large": ("warning", "bad")}
_WEIGHTS: Final = {
    "fp8": "Use 8-bit weights", "int8": "Use 8-bit weights (INT8)", "nf4": "Use 4-bit weights",
}  # fmt: skip
_TEXT_WEIGHTS: Final = {
    "fp8": "Use 8-bit weights to read the prompt", "nf4": "Use 4-bit weights to read the prompt",
}  # fmt: skip
FAMILIAR: Final = 1.15
"""A range whose ends are closer than this is said as one number."""


def short(made: Forecasted) -> str:
    """``fits · about 12–20 s``: for the status line."""
    parts = [tr(_VERDICTS[made.verdict])]
    if made.seconds is not None and made.verdict != "too_large":
        parts.append(tr("about {time}", time=range_text(*made.seconds)))
    return " · ".join(parts)


def icon(made: Forecasted) -> tuple[str, str]:
    """An icon and its hue; a run that takes long is marked as such."""
    if made.long and made.verdict == "fits":
        return "clock", "warn"
    return _ICONS[made.verdict]


def range_text(least: float, most: float) -> str:
    """``12–20 s``, ``2–4 min``, ``1 h 10 min``: no more exact than is known."""
    if most <= max(least, 1.0) * FAMILIAR:
        return duration_text((least + most) / 2)
    if most < 90:
        low, high = max(1, round(least)), max(1, round(most))
        return tr("{low}–{high} s", low=low, high=high) if low < high else tr("{seconds} s", seconds=high)
    if least >= 60 and most < 3 * 3600:
        low, high = round(least / 60), round(most / 60)
        if low < high:
            return tr("{low}–{high} min", low=low, high=high)
    return tr("{low} to {high}", low=_about(least), high=_about(most))


def _about(seconds: float) -> str:
    """A time within a range: seconds say nothing beside minutes."""
    if 600 <= seconds < 3570:
        return tr("{minutes} min", minutes=round(seconds / 60))
    return duration_text(seconds)


def facts(made: Forecasted, titles: Mapping[str, str]) -> list[str]:
    """Lines for whoever wants to know more; ``titles``: what models are called, by id."""
    room = tr(
        "At most {peak} of {memory} at a time",
        peak=memory_text(made.peak_bytes),
        memory=memory_text(made.memory_bytes),
    )
    lines = [room]
    for model in made.models:
        lines.append(f"{titles.get(model.model, model.model)} ({model.precision})")
        lines += [f"    {line}" for line in _of_model(model)]
    return lines


def _of_model(model: ForecastModel) -> Iterable[str]:
    weights = sum(model.weights.values())
    if max(model.activations, model.decoding):
        yield tr("weights {weights}, work {work}", weights=memory_text(weights), work=_work(model))
    else:
        yield tr("weights {weights}", weights=memory_text(weights))
    if model.moved_bytes:
        yield tr("{size} moved a step", size=memory_text(model.moved_bytes))
    if model.tiled:
        yield tr("decoded in tiles")
    if model.reason:
        yield tr(model.reason)
    if model.seconds is not None:
        yield tr("time as in earlier runs") if model.seen else tr("time computed, not seen yet")
    if model.plain_seconds is not None:
        yield tr("without the settings for speed: {time}", time=range_text(*model.plain_seconds))


def _work(model: ForecastModel) -> str:
    size = memory_text(max(model.activations, model.decoding))
    if not model.error:
        return size
    return tr("{size} (within {percent} %)", size=size, percent=round(model.error * 100))


def speed_text(seconds: tuple[float, float], plain: tuple[float, float], pictures: int = 1) -> str:
    """``About 1.9 s, 3.1 s without``: what ``pictures`` took with settings for speed and without, said of one
    of them."""
    time, without = (_each((least + most) / 2 / pictures) for least, most in (seconds, plain))
    if pictures > 1:
        return tr("About {time} a picture, {without} without", time=time, without=without)
    return tr("About {time}, {without} without", time=time, without=without)


def _each(seconds: float) -> str:
    """Short times to a tenth, so that two of them can be compared."""
    return tr("{seconds} s", seconds=f"{seconds:.1f}") if seconds < 10 else duration_text(seconds)


def openvino_text(times: float) -> str:
    """``Use OpenVINO: about 2.1 times as fast here``."""
    return tr("Use OpenVINO: about {times} times as fast here", times=f"{times:.1f}")


def change_text(change: ForecastChange) -> str:
    """What a click does, and what comes of it: ``Use 8-bit weights · fits``."""
    done = list(dict.fromkeys(step for params in change.params.values() for step in _steps(params)))
    parts = [", ".join(done), tr(_VERDICTS[change.verdict])]
    if change.seconds is not None:
        parts.append(tr("about {time}", time=range_text(*change.seconds)))
    return " · ".join(parts)


def _steps(params: Mapping[str, Any]) -> Iterable[str]:
    if "quantization" in params:
        name = str(params["quantization"])
        yield tr(_WEIGHTS.get(name, "Use other weights"))
    if "text_quantization" in params:
        yield tr(_TEXT_WEIGHTS.get(str(params["text_quantization"]), "Use other weights to read the prompt"))
    if "dtype" in params:
        yield tr("Use numbers of 16 bits")
    if {"width", "height"} <= set(params):
        yield tr("Draw {width} × {height}", width=params["width"], height=params["height"])
    if "batch" in params:
        yield tr("Draw one picture at a time")
