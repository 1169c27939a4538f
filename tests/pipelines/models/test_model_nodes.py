"""The nodes that choose a model: handles, fingerprints, and no weights."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipelines.errors import ModelMissing
from pipelines.graph.registry import Registry
from pipelines.models.access import Models, open_models
from pipelines.nodes.model import NODES, DiffusionModelNode, LanguageModelNode, UpscaleModelNode
from tests.helpers.model_files import SD1, SDXL, sparse


class NodeContext:
    def __init__(self, models: Models, folder: Path) -> None:
        self.models = models
        self.find = models.find
        self._folder = folder

    def path(self, text: str) -> Path:
        return self._folder / text


@pytest.fixture
def context(tmp_path: Path) -> NodeContext:
    sparse(tmp_path / "models" / "diffusion" / "mine.safetensors", SD1)
    return NodeContext(open_models(tmp_path / "models"), tmp_path / "graphs")


def run(node, context: NodeContext, **params: object):
    return node().run({}, node.Params(**params), context)["model"]


def test_the_schema_is_the_contract() -> None:
    registry = Registry(*(node for node in NODES if not node.inputs))
    kinds = ("diffusion", "language", "upscale", "control", "adapter")
    assert {schema.id for schema in registry} == {f"model.{kind}" for kind in kinds}
    for schema in registry:
        assert [str(port.name) for port in schema.outputs({})] == ["model"]
        assert schema.inputs({}) == ()
        assert schema.node.lane in ("io", "cpu")
        model = schema.params_by_name["model"]
        assert (model.default, model.dynamic_choices) == ("", f"models:{schema.id.removeprefix('model.')}")
    assert registry["model.diffusion"].params_by_name["quantization"].choices == (
        "none",
        "auto",
        "fp8",
        "int8",
        "nf4",
    )


def test_a_run_gives_a_handle_and_reads_no_weights(context: NodeContext) -> None:
    handle = run(DiffusionModelNode, context, model="mine.safetensors", dtype="bf16", quantization="int8")
    assert (handle.kind, handle.id, handle.family) == ("diffusion", "mine.safetensors", "sd1")
    assert (handle.dtype, handle.quantization) == ("bf16", "int8")
    assert context.models.held() == ()
    assert run(DiffusionModelNode, context).id == "starter/text-to-image"
    assert run(UpscaleModelNode, context).id == "starter/upscaler"


def test_a_replaced_checkpoint_changes_the_fingerprint(context: NodeContext, tmp_path: Path) -> None:
    params = {"model": "mine.safetensors"}
    before = DiffusionModelNode.fingerprint(params, context)
    assert before == DiffusionModelNode.fingerprint(params, context) != ""
    assert before == run(DiffusionModelNode, context, **params).fingerprint
    replaced = sparse(tmp_path / "models" / "diffusion" / "mine.safetensors", SDXL)
    os.utime(replaced, ns=(5, 5))
    assert DiffusionModelNode.fingerprint(params, context) != before
    assert run(DiffusionModelNode, context, **params).family == "sdxl"


def test_a_relative_path_starts_at_the_document(context: NodeContext, tmp_path: Path) -> None:
    sparse(tmp_path / "graphs" / "near.safetensors", SD1)
    handle = run(DiffusionModelNode, context, model="./near.safetensors")
    assert Path(handle.path) == tmp_path / "graphs" / "near.safetensors"
    assert DiffusionModelNode.fingerprint({"model": "./near.safetensors"}, context) == handle.fingerprint


def test_a_missing_model(context: NodeContext) -> None:
    assert DiffusionModelNode.fingerprint({"model": "gone"}, context) == ""
    with pytest.raises(ModelMissing):
        run(DiffusionModelNode, context, model="gone")
    assert LanguageModelNode.fingerprint({}, context) == ""


@pytest.mark.parametrize("params", [{"dtype": "fp64"}, {"quantization": "int3"}, {"model": "x" * 5_000}])
def test_params_out_of_range(params: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        DiffusionModelNode.Params(**params)
