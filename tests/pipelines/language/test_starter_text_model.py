"""The real starter text model, where it is prepared."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipelines.graph.document import Graph
from pipelines.graph.node import NeverCancelled
from pipelines.graph.values import ModelHandle
from pipelines.language.generation import generate
from pipelines.language.sampling import GenerationParams
from pipelines.language.templates import is_plain
from pipelines.models.loaded import LoadedLanguage
from pipelines.nodes.language import GenerateText, stop_texts
from pipelines.paths import RESOURCES

pytestmark = pytest.mark.starter


@pytest.fixture(scope="module")
def starter(starter_text_model: Path) -> LoadedLanguage:
    model = AutoModelForCausalLM.from_pretrained(starter_text_model, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(starter_text_model)
    handle = ModelHandle("language", "starter", str(starter_text_model), "llama")
    return LoadedLanguage(handle, model, tokenizer, torch.device("cpu"), torch.float32)


def test_it_knows_a_capital_and_ends_its_answer(starter: LoadedLanguage) -> None:
    params = GenerationParams(max_tokens=40, temperature=0)
    result = generate(starter, "What is the capital of France?", "", params, NeverCancelled())
    assert result.text == "The capital of France is Paris."
    assert result.finish_reason == "end"


def test_its_tokenizer(starter: LoadedLanguage) -> None:
    tokenizer = starter.tokenizer
    text = "  two  spaces,\n1234 é 日本語 🦊"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.encode("<|im_start|>user<|im_end|>")[::2] == [1, 2]
    assert tokenizer.tokenize("a  12") == ["a", "ĠĠ", "1", "2"]
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (1, 2)
    assert is_plain(tokenizer.chat_template)


def test_its_card_names_the_licence(starter_text_model: Path) -> None:
    card = json.loads((starter_text_model / "diptych.json").read_text())
    assert card["license"] == "Apache-2.0"
    assert card["title"] == "SmolLM2-135M-Instruct"


def test_the_template_turns_an_idea_into_a_caption_the_starter_knows(starter: LoadedLanguage) -> None:
    graph = Graph.loads((RESOURCES / "templates" / "text_model_writes.json").read_bytes())
    written = dict(graph.nodes["write"].params)
    system = str(written.pop("system"))
    params = GenerateText.Params(**{**written, "seed": 1})
    idea = str(graph.nodes["idea"].params["text"])
    values = params.model_dump(exclude={"seed", "stop"})
    captions = []
    for seed in (1, 2, 3):
        chosen = GenerationParams(**values, seed=seed, stop=stop_texts(params.stop))
        captions.append(generate(starter, idea, system, chosen, NeverCancelled()).text)
    fitting = [text for text in captions if re.fullmatch(r"an? [\w ]+ (on|in|at) [\w ,]+ style", text)]
    assert len(fitting) >= 2, captions
