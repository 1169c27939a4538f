"""Times of earlier runs: what is kept of them, and what is foreseen from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.models.forecast import History, Ran
from pipelines.models.forecast.history import EACH, NAME

RAN = Ran("xl", "cuda:0", 1024 * 1024, 1, "fp16/none", 30)


def test_the_median_counts_and_one_slow_run_does_not(tmp_path: Path) -> None:
    history = History(tmp_path)
    assert history.find(RAN) is None
    for seconds in (60.0, 10.0, 11.0, 10.5):
        history.note(RAN, seconds)
    again = History(tmp_path).find(RAN)
    assert again is not None
    assert 9 < again[0] < 10.75 < again[1] < 30


def test_other_steps_are_foreseen_from_those_seen(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.note(RAN, 30.0)
    found = history.find(Ran(RAN.model, RAN.device, RAN.pixels, 1, RAN.precision, 60))
    assert found is not None
    assert found[0] < 60 < found[1]
    assert history.find(Ran(RAN.model, RAN.device, RAN.pixels, 1, "nf4", 30)) is None


def test_the_file_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.models.forecast.history.MOST", 6)
    history = History(tmp_path)
    for number in range(9):
        history.note(Ran(f"model {number}", "cpu", 64, 1, "fp32/none", 4), 1.0)
    for _ in range(EACH + 3):
        history.note(Ran("model 8", "cpu", 64, 1, "fp32/none", 4), 2.0)
    rows = json.loads((tmp_path / NAME).read_text())
    assert len(rows) == 6
    assert max(len(row["seconds"]) for row in rows) == EACH
    assert History(tmp_path).find(Ran("model 0", "cpu", 64, 1, "fp32/none", 4)) is None


@pytest.mark.parametrize(
    "content", ["", "{", '{"a": 1}', '[{"kind": 1}]', '[{"kind": "a", "steps": 1, "seconds": ["x"]}]', "[1]"]
)
def test_a_file_of_another_make_is_one_without_times(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    history = History(tmp_path)
    assert history.find(RAN) is None
    for wrong in (float("nan"), float("inf"), -1.0, 0.0):
        history.note(RAN, wrong)
    assert history.find(RAN) is None
    history.note(RAN, 3.0)
    assert History(tmp_path).find(RAN) is not None
