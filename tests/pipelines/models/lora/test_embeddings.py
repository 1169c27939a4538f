"""Textual inversions: each layout gives the text encoder its vectors under a word; without them tokenizer and
table are what they were, and what doesn't fit is refused.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.diffusion.prompts.encoding import encode
from pipelines.errors import EmbeddingUnsuitable, ErrorInfo, ModelUnreadable
from pipelines.graph.values import Embedding, ModelHandle
from pipelines.models.files.reading import Reader
from pipelines.models.loaded import EmbeddingFile
from pipelines.models.lora.adding import Additions
from pipelines.models.lora.embeddings import Words
from pipelines.nodes.model import EmbeddingNode
from tests.helpers import tiny_pipelines
from tests.helpers.diffusion_context import DiffusionContext, wrap
from tests.helpers.lora_files import written
from tests.helpers.model_files import LoadingContext

WIDTH = tiny_pipelines.WIDTH
VECTORS = torch.linspace(-3, 3, 3 * WIDTH).reshape(3, WIDTH)


@pytest.fixture(scope="module")
def sd1() -> Any:
    return tiny_pipelines.sd1()


@pytest.fixture(scope="module")
def sdxl() -> Any:
    return tiny_pipelines.sdxl()


def taught(pipeline: Any, path: Path, word: str = "thing") -> Words:
    words = Words(pipeline, "tiny")
    file = EmbeddingFile(Embedding(path.stem, str(path), "", word), path)
    words.change([file], LoadingContext(), Reader(1, LoadingContext()))
    return words


def rows(pipeline: Any, text: str, number: str = "") -> torch.Tensor:
    """The vectors that a text encoder begins with."""
    ids = getattr(pipeline, f"tokenizer{number}")(
        text, add_special_tokens=False, return_tensors="pt"
    ).input_ids
    return getattr(pipeline, f"text_encoder{number}").get_input_embeddings()(ids)[0].detach()


@pytest.mark.parametrize(
    "state",
    [{"emb_params": VECTORS}, {"string_to_param.*": VECTORS}, {"<cat>": VECTORS}, {"<cat>": VECTORS[0]}],
    ids=["a1111", "a1111 converted", "diffusers", "one vector"],
)
def test_each_layout_is_a_word_and_leaves_without_a_trace(
    sd1: Any, tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    tokenizer, table = sd1.tokenizer, sd1.text_encoder.get_input_embeddings()
    plain = rows(sd1, "a red cube")
    before, settings = table.weight.clone(), json.loads(tokenizer.backend_tokenizer.to_str())
    words = taught(sd1, written(tmp_path / "cat.safetensors", state))
    (vectors,) = state.values()
    for prompt in ("a THING, red", "a embedding:thing, red"):
        found = rows(sd1, words.spelled(prompt))
        torch.testing.assert_close(found[1:-2], vectors.reshape(-1, WIDTH), atol=0, rtol=0)
    assert words.spelled("a nothing, things") == "a nothing, things"
    assert torch.equal(rows(sd1, "a red cube"), plain)
    assert words.kept == before.numel() * before.element_size()
    words.restore()
    assert words.kept == 0
    assert sd1.tokenizer is tokenizer
    assert json.loads(tokenizer.backend_tokenizer.to_str()) == settings
    assert sd1.text_encoder.get_input_embeddings() is table
    assert torch.equal(table.weight, before)
    assert words.spelled("a thing") == "a thing"


def test_two_encoders_have_vectors_of_their_own(sdxl: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "xl.safetensors", {"clip_l": VECTORS, "clip_g": -VECTORS[:2]})
    words = taught(sdxl, path)
    spelled = words.spelled("thing")
    torch.testing.assert_close(rows(sdxl, spelled), VECTORS)
    torch.testing.assert_close(rows(sdxl, spelled, "_2")[:2], -VECTORS[:2])
    words.restore()


def test_the_end_of_a_text_is_not_taken_for_a_word(sdxl: Any, tmp_path: Path) -> None:
    """SDXL's settings make CLIP take the highest number for the end; a new word's is higher."""
    encoder = sdxl.text_encoder_2
    marked = [module for module in encoder.modules() if hasattr(module, "eos_token_id")]
    for module in marked:
        module.eos_token_id = 2
    words = taught(sdxl, written(tmp_path / "xl.safetensors", {"clip_l": VECTORS, "clip_g": VECTORS}))
    assert {module.eos_token_id for module in marked} == {sdxl.tokenizer_2.eos_token_id}
    words.restore()
    assert {module.eos_token_id for module in marked} == {2}


def test_a_prompt_is_encoded_with_its_words(sd1: Any, tmp_path: Path) -> None:
    loaded = wrap(sd1)
    loaded.additions = Additions(sd1, "tiny")
    context = DiffusionContext(loaded, tmp_path)
    plain = encode(loaded, "a thing", 1, context).tensors()["prompt_embeds"]
    unknown = encode(loaded, "a embedding:thing", 1, context).tensors()["prompt_embeds"]
    assert torch.equal(unknown, encode(loaded, "a", 1, context).tensors()["prompt_embeds"])
    path = written(tmp_path / "cat.safetensors", {"emb_params": VECTORS})
    embedding = Embedding("cat", str(path), "", "thing")
    loaded.additions.change([], [EmbeddingFile(embedding, path)], LoadingContext())
    loaded.handle = loaded.handle.replace(embeddings=(embedding,))
    changed = encode(loaded, "a thing", 1, context)
    assert not torch.equal(changed.tensors()["prompt_embeds"], plain)
    assert changed.info["prompt"] == "a thing"
    encode(loaded, "a cube, " * 20 + "thing and more", 1, context)
    assert "diptych" not in str(context.warnings[-1].arguments)
    loaded.additions.restore()


@pytest.mark.parametrize(
    ("state", "error", "words"),
    [
        ({"emb_params": torch.ones(2, 7)}, EmbeddingUnsuitable, "7 numbers; this model's have 32"),
        ({"clip_g": torch.ones(2, WIDTH)}, EmbeddingUnsuitable, "32 numbers"),
        ({"emb_params": torch.full((1, WIDTH), float("inf"))}, ModelUnreadable, "no sense"),
        ({"a": torch.ones(1, WIDTH), "b": torch.ones(1, WIDTH)}, ModelUnreadable, "no vectors"),
    ],
)
def test_what_does_not_fit_is_refused(
    sd1: Any, tmp_path: Path, state: dict[str, torch.Tensor], error: type[Exception], words: str
) -> None:
    tokenizer = sd1.tokenizer
    with pytest.raises(error, match=words):
        taught(sd1, written(tmp_path / "any.safetensors", state))
    assert sd1.tokenizer is tokenizer


class Models:
    """A model access that knows one embedding."""

    def __init__(self, path: Path, family: str) -> None:
        self.handle = handle_of(path, family)
        self.models = self
        self.warnings: list[ErrorInfo] = []

    def find(self, kind: str, model: str) -> Any:
        return self.handle

    def path(self, text: str) -> Path:
        return Path(text)


def handle_of(path: Path, family: str) -> Any:

    return ModelHandle("embedding", path.name, str(path), family, fingerprint="f")


@pytest.mark.parametrize(
    ("name", "word", "expected"),
    [("<cat>", "", "<cat>"), ("emb_params", "", "my-cat"), ("<cat>", " mine ", "mine")],
)
def test_the_word_of_a_node(tmp_path: Path, name: str, word: str, expected: str) -> None:
    path = written(tmp_path / "my-cat.safetensors", {name: torch.ones(1, 768)})
    node, model = EmbeddingNode(), handle_of(tmp_path, "sd1").replace(kind="diffusion")
    params = node.Params(embedding=str(path), word=word)
    changed = node.run({"model": model}, params, Models(path, "sd1"))["model"]
    assert [each.word for each in changed.embeddings] == [expected]
    again = node.run({"model": changed}, params, Models(path, "sd1"))["model"]
    assert again == changed
    with pytest.raises(EmbeddingUnsuitable, match="made for Stable Diffusion XL"):
        node.run({"model": model}, params, Models(path, "sdxl"))
    with pytest.raises(EmbeddingUnsuitable, match="read prompts with an encoder that takes none"):
        node.run({"model": model.replace(family="sd3")}, params, Models(path, "sd3"))
