"""The texts of every error: what happened and what to do, in plain sentences."""

from __future__ import annotations

import re

import pytest

from pipelines import errors
from pipelines.errors import Cancelled, DiptychError, describe

KINDS = sorted(
    (
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, DiptychError) and kind not in (DiptychError, Cancelled)
    ),
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_says_what_happened_and_what_to_do(kind):
    texts = [kind.what, kind.why, kind.remedy]
    assert kind.what
    assert kind.remedy, "it leaves the user alone"
    for text in filter(None, texts):
        assert not re.search(r"[!]|\bplease\b|\bsorry\b|\boops\b|\binvalid\b", text, re.IGNORECASE)
        assert text.startswith("{") or text[0].isupper() or not text[0].isalpha()
        assert re.search(r"[.}:]$|}[.”]?$", text)
        assert set(re.findall(r"{([^}]*)}", text)) == set(re.findall(r"{([a-z_]+)}", text))


def test_every_error_is_offered_under_its_name():
    assert {kind.__name__ for kind in KINDS} <= set(errors.__all__)
    assert list(errors.__all__) == sorted(errors.__all__, key=lambda name: (name[0].islower(), name))


def test_what_is_unexpected_is_still_a_sentence():
    for error in (ValueError(), KeyError("x"), OSError(5, "Input/output error"), RecursionError("deep")):
        info = describe(error)
        assert "  " not in info.text()
        assert info.remedy
        assert "Traceback" not in info.text()
    assert describe(MemoryError()).code == "OutOfMemory"
