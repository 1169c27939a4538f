"""What holds for every built-in node type: light to import, and described for people."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pipelines.graph.registry import NodeSchema, builtin

CONTRACT = {
    "text.constant": ("", "text"), "text.join": ("a b", "text"), "number.constant": ("", "value"),
    "number.math": ("a b", "value"), "logic.switch": ("on off", "value"), "list.text": ("", "items"),
    "list.range": ("", "items"), "list.table": ("", ""), "list.collect": ("item_1 item_2", "items count"),
    "list.grid": ("columns rows blocks", "column row block seed column_labels row_labels count"),
    "image.grid": ("images column_labels row_labels captions", "image"), "text.load": ("", "text"),
    "text.save": ("text", "path"),
    "image.folder": ("", "images"), "image.load": ("", "image mask"), "image.save": ("image", "path"),
    "image.preview": ("image", ""), "image.solid": ("", "image"), "image.resize": ("image", "image"),
    "image.crop": ("image", "image"), "image.blend": ("image b mask", "image"),
    "image.adjust": ("image", "image"),
    "model.diffusion": ("", "model"), "model.language": ("", "model"), "model.upscale": ("", "model"),
    "upscale.model": ("model image", "image"), "diffusion.text_to_image": (None, "image latent seed"),
    "diffusion.encode_prompt": (None, "conditioning"), "diffusion.sample": (None, None),
    "diffusion.decode": (None, "image"), "diffusion.encode_image": ("model image", "latent"),
    "diffusion.image_to_image": (
        "model image prompt negative seed regions controls control references adapter upscaler",
        "image latent seed",
    ),
    "diffusion.inpaint": (
        "model image mask prompt negative seed regions controls control references adapter",
        "image latent seed",
    ),
    "diffusion.outpaint": (
        "model image prompt negative seed regions controls control references adapter", "image latent seed"
    ),
    "control.preprocess": ("image", "image"), "control.layer": ("image model layers", "layers"),
    "control.region": ("mask prompt layers", "layers"), "model.control": ("", "model"),
    "control.reference": ("image mask adapter layers", "layers"), "model.adapter": ("", "model"),
    "model.lora": ("model", "model"),
    "upscale.simple": ("image", "image"),
    "upscale.diffusion": (
        "model image prompt negative seed regions controls control references adapter", "image seed"
    ),
    "upscale.diffusion_model": ("model image prompt negative seed", "image seed"),
    "language.generate": ("model prompt system", "text prompt_used"),
}  # fmt: skip


def test_reading_the_schemas_imports_nothing_heavy() -> None:
    code = (
        "import sys, pipelines.nodes\n"
        "from pipelines.graph.registry import builtin\n"
        "[schema.to_json() for schema in builtin()]\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'spandrel', 'cv2', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("type_id", CONTRACT)
def test_the_ports_of_the_contract(type_id: str) -> None:
    inputs, outputs = CONTRACT[type_id]
    schema = builtin()[type_id]
    if inputs is not None:
        assert [port.name for port in schema.inputs({})] == inputs.split()
    if outputs is not None:
        assert [port.name for port in schema.outputs({})] == outputs.split()


@pytest.mark.parametrize("schema", builtin(), ids=lambda schema: schema.id)
def test_every_node_is_described(schema: NodeSchema) -> None:
    assert schema.title
    assert schema.title[0].isupper()
    assert schema.description.endswith(".")
    assert len([param for param in schema.params if param.primary]) <= 4
    for param in schema.params:
        assert param.title[0].isupper(), param.name
        assert param.description.endswith((".", ")")), param.name
        assert "!" not in param.description
    names = [port.name for port in schema.inputs({})] + [param.name for param in schema.params]
    assert len(names) == len(set(names))
    json.dumps(schema.to_json())


@pytest.mark.parametrize("schema", builtin(), ids=lambda schema: schema.id)
def test_defaults_are_valid(schema: NodeSchema) -> None:
    defaults = schema.node.Params()
    assert schema.node.Params.model_validate(defaults.model_dump()) == defaults
