"""LoRAs and embeddings in a prompt: read in the notations in use, found by name, given to the model for that
drawing, taken out of the text; what can't be used is a warning, not a failure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.diffusion.prompts.prompt_tags import Tag, as_read, read_tags
from pipelines.diffusion.prompts.tagged_models import fingerprint_of_tags, warn_of_tags, with_tags
from pipelines.engine.protocol import ModelInfo
from pipelines.errors import ErrorInfo, ModelMissing
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.keys import key_for, needed_values
from pipelines.graph.plan import plan
from pipelines.graph.registry import builtin
from pipelines.graph.values import Embedding, Layer, ModelHandle
from pipelines.nodes.canvas import Canvas
from pipelines.nodes.control import RegionLayer
from pipelines.nodes.diffusion import TextToImage

MODEL = ModelHandle("diffusion", "m", "/m", "sd1")


def info(kind: Any, id: str, base: str = "sd1", title: str = "") -> ModelInfo:
    family = base if kind == "lora" else "textual-inversion"
    return ModelInfo(
        kind=kind, id=id, title=title or Path(id).stem, path=f"/models/{id}", family=family, base=base
    )


LISTED = (
    info("lora", "Pixel Art.safetensors", title="Pixels for all"),
    info("lora", "xl/Pixel Art.safetensors", "sdxl"),
    info("lora", "styles/ink.safetensors"), info("lora", "people/ink.safetensors"),
    info("lora", "v1:2.safetensors"), info("lora", "only-xl.safetensors", "sdxl"),
    info("embedding", "bad-hands.safetensors"), info("embedding", "xl-hands.safetensors", "sdxl"),
)  # fmt: skip


class Models:
    """Knows what is listed, and notes the warnings of a node."""

    def __init__(self, mark: str = "f") -> None:
        self.mark = mark
        self.models = self
        self.warnings: list[ErrorInfo] = []
        self.searches = 0

    def known(self, kind: str) -> list[ModelInfo]:
        self.searches += 1
        return [each for each in LISTED if each.kind == kind]

    def find(self, kind: str, model: str) -> ModelHandle:
        found = next((each for each in LISTED if each.id == model), None)
        if found is None:
            raise ModelMissing(model=model)
        return ModelHandle(found.kind, found.id, found.path, found.base, fingerprint=f"{self.mark}:{model}")

    def warn(self, warning: ErrorInfo) -> None:
        self.warnings.append(warning)

    @property
    def told(self) -> str:
        assert all(warning.severity == "warning" for warning in self.warnings)
        return " | ".join(warning.text() for warning in self.warnings)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("<lora:ink>", ("ink", 1.0, 1.0, "")), ("<LORA: ink :0.8>", ("ink", 0.8, 0.8, "")),
        ("<lora:ink:0.8:-0.5>", ("ink", 0.8, -0.5, "")),
        ("<lora:ink:te=0.5:unet=1.5>", ("ink", 1.5, 0.5, "")),
        ("<lora:ink:0.8:IN04=0.5,MID=0>", ("ink", 0.8, 0.8, "IN04=0.5,MID=0")),
        ("<lora:ink:1:0:lbw=0,0,0,0,1,1,1,1,0,0,0,0>", ("ink", 1.0, 0.0, "0,0,0,0,1,1,1,1,0,0,0,0")),
    ],
)  # fmt: skip
def test_the_notations_in_use(text: str, tag: tuple[Any, ...]) -> None:
    name, strength, text_strength, blocks = tag
    assert read_tags(f"a {text} b") == (Tag("lora", text, name, strength, text_strength, blocks),)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a cat, <lora:ink:0.8>, red", "a cat, red"), ("<lora:ink> a cat", "a cat"),
        ("a cat <lora:ink>", "a cat"),
        (r"a \<lora:ink> b", "a <lora:ink> b"), ("a <lora:> b < c", "a <lora:> b < c"),
        ("a, embedding:nothing, b", "a, b"), (r"\embedding:x", "embedding:x"),
        ("my embedding: a", "my embedding: a"), ("a ,b, ", "a ,b, "),
    ],
)  # fmt: skip
def test_what_is_encoded_of_a_prompt(text: str, read: str) -> None:
    assert as_read(text) == read
    assert as_read("a <lora:cat> cat", lambda rest: rest.replace("cat", "<t>")) == "a <t>"


def test_a_prompt_changes_the_model_for_its_drawing() -> None:
    context = Models()
    prompt = (
        "a <lora:pixel art:0.5> cat <lora:Styles/INK:1:0:MID=0>, embedding:bad-hands.pt <lora:pixels for all>"
    )
    inputs = {"model": MODEL, "prompt": prompt, "negative": "embedding:bad-hands", "seed": 3}
    changed = with_tags(inputs, context)
    assert not context.warnings
    model = changed["model"]
    assert [(lora.id, lora.strength, lora.text_strength, lora.blocks) for lora in model.loras] == [
        ("Pixel Art.safetensors", 0.5, 0.5, ""), ("styles/ink.safetensors", 1.0, 0.0, "MID=0"),
        ("Pixel Art.safetensors", 1.0, 1.0, ""),
    ]  # fmt: skip
    assert {word.word for word in model.embeddings} == {"embedding:bad-hands.pt", "embedding:bad-hands"}
    assert {name: value for name, value in changed.items() if name != "model"} == {
        name: value for name, value in inputs.items() if name != "model"
    }
    assert context.searches == 2
    untouched = {"model": MODEL, "prompt": "a cat"}
    assert with_tags(untouched, context) is untouched


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("<lora:pixl>", "no such LoRA. There are Pixel Art."), ("<lora:zzz>", "None has a name like it."),
        ("<lora:ink:2>", "more than one LoRA. The name fits styles/ink.safetensors, people/ink.safetensors."),
        ("<lora:only-xl>", "made for Stable Diffusion XL"), ("<lora:pixel art:9>", "from −4 to 4"),
        ("<lora:pixel art:nan>", "from −4 to 4"), ("<lora:pixel art:1:IN99=1>", "“IN99=1” goes too far"),
        ("<lora:pixel art:1:0-9=1>", "names no block of this model"),
        ("embedding:bad-hand", "no such embedding. There are bad-hands"),
        ("embedding:xl-hands", "made for Stable"),
    ],
)  # fmt: skip
def test_what_can_not_be_used_is_a_warning(prompt: str, words: str) -> None:
    context = Models()
    assert with_tags({"model": MODEL, "prompt": f"a {prompt}"}, context)["model"] == MODEL
    assert prompt in context.told
    assert words in context.told


def test_elsewhere_than_in_the_prompt_a_lora_is_left_out() -> None:
    context = Models()
    region = Layer("region", info={"prompt": "<lora:pixel art>"})
    inputs = {"model": MODEL, "prompt": "", "negative": "<lora:pixel art>", "regions": [region]}
    assert with_tags(inputs, context)["model"] == MODEL
    assert "the negative prompt" in context.told
    assert "a region" in context.told
    context.warnings.clear()
    taught = MODEL.replace(embeddings=(Embedding("e", "/e", "", "bad-hands"),))
    warn_of_tags("<lora:pixel art> embedding:bad-hands embedding:other", taught, context)
    assert [warning.arguments["tag"] for warning in context.warnings] == [
        "<lora:pixel art>",
        "embedding:other",
    ]


@pytest.mark.parametrize("port", ["prompt", "negative"])
def test_a_prompt_that_another_node_writes_is_looked_at_before_its_picture_is(port: str) -> None:
    """A LoRA that was replaced would be drawn with as it was otherwise."""
    written = NodeRecord.new("text.constant", params={"text": "embedding:bad-hands"})
    draw = NodeRecord.new("diffusion.text_to_image", params={"steps": 3}, inputs={port: ("written", "text")})
    planned = plan(Graph().with_node("written", written).with_node("draw", draw), builtin()).nodes["draw"]
    assert needed_values(planned) == (port,)

    def key(text: str, mark: str) -> bytes:
        values = {**planned.literals, port: text}
        return key_for(planned, [port], {"written": b"the same"}, values, Models(mark), "")

    assert key("embedding:bad-hands", "old") != key("embedding:bad-hands", "new")
    assert key("a cat", "old") == key("a cat", "new")


def test_the_files_of_a_prompt_are_part_of_its_key() -> None:
    models = Models()
    key = TextToImage.fingerprint({"prompt": "<lora:pixel art> <lora:gone>"}, models)
    assert key == "f:Pixel Art.safetensors\nPromptTagUnknown"
    assert "f:bad-hands.safetensors" in fingerprint_of_tags("embedding:bad-hands", models)
    layers = [{"kind": "region", "prompt": "embedding:bad-hands"}]
    assert Canvas.fingerprint({"layers": layers}, models) == "f:bad-hands.safetensors"
    assert RegionLayer.fingerprint({"prompt": "embedding:bad-hands"}, models) == "f:bad-hands.safetensors"
    assert TextToImage.fingerprint({"prompt": "a cat"}, models) == TextToImage.fingerprint({}, models) == ""
