"""Models as forms choose among them: which can't be used, and for what."""

from __future__ import annotations

from pipelines.engine.protocol import ModelInfo, Models
from pipelines.models.probing.limits import FROM_PROMPT
from studio.create import form_groups
from studio.models.choices import ModelChoices

REASON = "It was made for repainting."


def test_a_model_that_needs_a_picture_is_greyed_only_where_there_is_none(qapp: object) -> None:
    choices = ModelChoices()
    limits = {FROM_PROMPT: REASON}
    info = ModelInfo(kind="diffusion", id="fill", title="Fill", path="/m/fill", unavailable=limits)
    choices.set_models(Models(request="", models=(info,)))
    assert choices.problems() == {}
    assert choices.problems(task=FROM_PROMPT) == {"fill": REASON}
    assert choices.problem_of("fill") == ""
    assert choices.problem_of("fill", task=FROM_PROMPT) == REASON


def test_the_form_asks_by_the_name_that_the_engine_gives() -> None:
    assert form_groups.FROM_PROMPT == FROM_PROMPT
