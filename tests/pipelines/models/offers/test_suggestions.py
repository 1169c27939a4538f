"""What to get for a machine: precision, fit and seconds, before anything is downloaded."""

from __future__ import annotations

import pytest

from pipelines.models.forecast.calibration import Calibration
from pipelines.models.forecast.verdict import Machine
from pipelines.models.offers.curated import Curated, Licence, curated
from pipelines.models.offers.suggestions import Judged, judge

MEASURED = Calibration("cuda:0", {"bf16": 8e13}, 12e9, 1e9)


def of(name: str, memory: float, **changes: object) -> Judged:
    values = {"device": "cuda:0", "host": 64 * 10**9, "dtype": "bf16", "calibration": MEASURED} | changes
    machine = Machine(memory=round(memory * 1e9), **values)  # type: ignore[arg-type]
    return next(judged for judged in judge(machine) if judged.model.id == name)


def test_the_precision_goes_down_with_the_card() -> None:
    found = [of("z-image-turbo", memory) for memory in (30, 9, 0.8)]
    assert [judged.precision for judged in found] == ["bf16", "int8", None]
    assert [judged.verdict for judged in found] == ["fits", "fits", "too_large"]
    assert found[0].params == {}
    assert found[1].params == {"quantization": "int8", "text_quantization": "fp8"}
    assert of("sdxl", 3.6).params.get("text_quantization") is None, "its encoders are small"
    assert found[0].seconds is not None
    assert found[2].seconds is None
    assert of("z-image-turbo", 9, quantization=False).precision in (None, "bf16")


def test_without_a_measurement_no_seconds_are_said() -> None:
    assert of("sdxl", 24, calibration=Calibration()).seconds is None
    assert of("real-esrgan-x4", 24).verdict is None, "nobody counted its parameters"


def test_what_nobody_would_wait_for_is_suggested_only_if_nothing_else_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = Licence(name="", url="", sell="yes")
    parts = {"denoiser": 4 * 10**9}
    made = Curated(
        id="a", title="", kind="diffusion", source="a/b", text="", licence=free, parameters=parts, steps=4,
        quality=1,
    )  # fmt: skip
    slow = made.model_copy(update={"id": "slow", "steps": 4_000, "quality": 9})
    machine = Machine("cuda:0", 40 * 10**9, 64 * 10**9, "bf16", calibration=MEASURED)
    assert [each.model.id for each in judge(machine, [made, slow]) if each.label] == ["a"]
    assert [each.model.id for each in judge(machine, [slow]) if each.label] == ["slow"]
    # fewer operations, but far more pixels to attend to: the seconds decide, not the count of operations
    small = made.model_copy(update={
        "id": "small", "pipeline": "StableDiffusionPipeline", "parameters": {"denoiser": 10**9}, "steps": 18,
        "quality": 0,
    })  # fmt: skip
    assert small.effort > made.effort
    labels = {each.label: each.model.id for each in judge(machine, [made, small])}
    assert labels == {"Balanced": "small", "Best": "a"}
    assert len(judge(machine)) == len(curated()), "all others follow"
