from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.graph.node import FlagToken
from pipelines.graph.registry import Registry
from pipelines.graph.types import LanguageModel, Seed, Text
from pipelines.models.loaded import LoadedLanguage
from pipelines.nodes.language import NODES, GenerateText, stop_texts

Make = Callable[..., LoadedLanguage]


class StubContext:
    """A context with one model, that keeps what was reported."""

    def __init__(self, loaded: LoadedLanguage) -> None:
        self.models = self
        self.cancel = FlagToken()
        self.reports: list[tuple[int, int, str, str | None]] = []
        self._loaded = loaded
        self.held = False

    @contextmanager
    def use(self, handle: Any, context: Any) -> Iterator[LoadedLanguage]:
        assert handle == self._loaded.handle
        self.held = True
        yield self._loaded
        self.held = False

    def progress(
        self, step: int, total: int, *, phase: str = "", preview: Any = None, text: str | None = None
    ) -> None:
        assert self.held
        self.reports.append((step, total, phase, text))


def run(loaded: LoadedLanguage, prompt: str = "hi", **params: Any) -> tuple[dict[str, Any], StubContext]:
    context = StubContext(loaded)
    inputs = {"model": loaded.handle, "prompt": prompt, "system": ""}
    outputs = GenerateText().run(inputs, GenerateText.Params(**params), context)  # type: ignore[arg-type]
    return dict(outputs), context


def test_the_ports_and_params_are_the_contract() -> None:
    schema = Registry(*NODES)["language.generate"]
    assert {port.name: port.type for port in schema.inputs({})} == {
        "model": LanguageModel,
        "prompt": Text,
        "system": Text,
    }
    assert [port.name for port in schema.inputs({}) if port.required] == ["model"]
    assert {port.name: port.type for port in schema.outputs({})} == {"text": Text, "prompt_used": Text}
    assert set(schema.params_by_name) == {
        "max_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "seed", "stop",
    }  # fmt: skip
    assert schema.params_by_name["seed"].type == Seed
    assert schema.params_by_name["seed"].optional
    assert sum(param.primary for param in schema.params) <= 4


def test_it_streams_the_text_so_far(scripted: Make) -> None:
    loaded = scripted([*scripted("").tokenizer.encode("a fox"), 2])
    outputs, context = run(loaded, max_tokens=20)
    assert outputs["text"] == "a fox"
    assert "hi" in outputs["prompt_used"]
    writing = [report for report in context.reports if report[2] == "writing"]
    assert [report[3] for report in writing] == ["a", "a ", "a f", "a fo", "a fox", "a fox"]
    assert {report[1] for report in writing} == {20}
    assert context.reports[0][2] == "encoding"


def test_the_seed_decides(tiny: LoadedLanguage) -> None:
    texts = [run(tiny, max_tokens=16, temperature=1.0, seed=seed)[0]["text"] for seed in (1, 1, 2**64 - 1)]
    assert texts[0] == texts[1] != texts[2]


def test_without_a_seed_each_run_is_new(tiny: LoadedLanguage) -> None:
    assert len({run(tiny, max_tokens=16, temperature=1.5)[0]["text"] for _ in range(4)}) > 1


def test_the_stop_param(scripted: Make) -> None:
    loaded = scripted("one\ntwo; three")
    assert run(loaded, max_tokens=12, stop="\\n")[0]["text"] == "one"
    loaded = scripted("one\ntwo; three")
    assert run(loaded, max_tokens=12, stop="zzz\n; ")[0]["text"] == "one\ntwo"
    assert stop_texts("a\n\n\\t\n") == ("a", "\t")


@pytest.mark.parametrize(
    "params",
    [
        {"max_tokens": 0},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_p": 0},
        {"top_p": 1.01},
        {"top_k": -1},
        {"seed": -1},
        {"seed": 2**64},
        {"repetition_penalty": 0},
    ],
)
def test_values_out_of_range_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GenerateText.Params(**params)


def test_the_module_imports_no_torch() -> None:
    code = "import pipelines.nodes.language, sys; sys.exit('torch' in sys.modules)"
    root = Path(__file__).resolve().parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
