"""The list of models worth having, and which of them are for a machine."""

from __future__ import annotations

import json

import pytest

from pipelines.models.download.source import AddressSource, HubSource, parse
from pipelines.models.offers import curated as module
from pipelines.models.offers.curated import PATH, WORK_BYTES, Curated, Licence, curated, suggest

FREE = Licence(name="", url="", sell="yes")


def made(name: str, effort: int, quality: int, billions: float = 1.0) -> Curated:
    parts = {part: round(billions * 1e9) for part in ("denoiser", "text_encoder")}
    return Curated(
        id=name, title=name, kind="diffusion", source="a/b", text="", licence=FREE, steps=effort,
        pipeline="StableDiffusionPipeline", parameters=parts, quality=quality,
    )  # fmt: skip


def test_the_list_is_sound() -> None:
    models = curated()
    assert len({model.id for model in models}) == len(models) == len(json.loads(PATH.read_text())["models"])
    assert {model.kind for model in models} == {"diffusion", "language", "upscale"}
    for model in models:
        assert isinstance(parse(model.source), HubSource | AddressSource)
        assert model.licence.url.startswith("https://")
        assert model.licence.sell == "yes" or model.licence.note, (
            f"{model.id} doesn't say under which condition"
        )
        assert bool(model.licence.checked) == model.licence.source.startswith("https://"), model.id
        assert bool(model.parameters) == bool(model.counted_from)
        assert bool(model.steps) == bool(model.quality)


def test_memory_by_precision() -> None:
    model = made("a", 1, 1, billions=2)
    assert model.weights("bf16") == 8e9
    assert model.peak("bf16") == 4e9  # the encoder leaves before
    assert model.weights("nf4") < model.weights("int8") < model.weights("bf16")
    assert model.download_bytes == 8e9


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (1, {}),
        (4, {"Best": "flux2-klein-4b"}),
        (24, {"Fast": "flux2-klein-4b", "Balanced": "z-image-turbo", "Best": "qwen-image"}),
    ],
)
def test_suggestions_for_cards(
    budget: int, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIPELINES", {model.pipeline: None for model in curated()})
    found = {each.label: each for each in suggest(budget * 10**9)}
    for label, name in expected.items():
        assert found[label].model.id == name
    assert len(found) <= 3
    assert bool(found) == bool(expected)
    for each in found.values():
        assert each.model.peak(each.precision) + WORK_BYTES <= budget * 10**9
        assert each.offload == (each.model.weights(each.precision) + WORK_BYTES > budget * 10**9)


def test_labels_are_fast_balanced_and_best() -> None:
    models = [made("slow", 100, 9), made("middle", 8, 7), made("quick", 1, 3), made("poor", 9, 1)]
    assert [(each.label, each.model.id) for each in suggest(10**10, models)] == [
        ("Fast", "quick"), ("Balanced", "middle"), ("Best", "slow"),
    ]  # fmt: skip
    assert [each.label for each in suggest(10**10, models[:1])] == ["Best"]


def test_what_can_not_be_opened_is_not_suggested() -> None:
    model = made("a", 1, 1)
    assert suggest(10**10, [model])
    assert not suggest(10**10, [model.model_copy(update={"pipeline": "UnheardOfPipeline"})])


def test_the_precision_goes_down_before_a_model_is_left_out() -> None:
    models = [made("a", 1, 1, billions=4)]
    assert suggest(10**10, models)[0].precision == "bf16"
    assert suggest(6 * 10**9, models)[0].precision == "int8"
    assert suggest(4 * 10**9, models)[0].precision == "nf4"
    assert suggest(3 * 10**9, models) == ()
