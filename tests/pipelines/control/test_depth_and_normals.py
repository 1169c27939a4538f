"""Depth by a model, and normals from depth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    DPTConfig,
    DPTForDepthEstimation,
)

from pipelines.control.depth import depth_of, normals_of
from pipelines.errors import DecodeFailed, DepthModelMissing, ModelUnsafe, UnknownModelFamily
from pipelines.graph.values import Image
from pipelines.models.access import Models
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.loaded import LoadedDepth
from pipelines.models.loading import ModelLoader
from pipelines.models.residency import Residency
from pipelines.nodes.control import Method, Preprocess
from tests.helpers.disc import picture
from tests.helpers.model_files import LoadingContext


def depth_anything() -> Any:
    backbone = Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=28, patch_size=14,
        out_indices=[1, 2], apply_layernorm=True, reshape_hidden_states=False,
    )  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, patch_size=14, reassemble_hidden_size=16, reassemble_factors=[2, 1],
        neck_hidden_sizes=[8, 8], fusion_hidden_size=8, head_hidden_size=4,
    )  # fmt: skip
    return DepthAnythingForDepthEstimation(config)


def dpt() -> Any:
    config = DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=32,
        patch_size=8, backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8, readout_type="project", is_hybrid=False,
    )  # fmt: skip
    return DPTForDepthEstimation(config)


class Context(LoadingContext):
    """A context whose models are those of a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        catalogue = Catalogue(default_roots(folder))
        self.models = Models(catalogue, Residency(ModelLoader(catalogue)))

    def path(self, text: str) -> Path:
        return Path(text)


def saved(model: Any, folder: Path, **settings: Any) -> Path:
    torch.manual_seed(1)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (
            depth_anything,
            {"size": {"height": 28, "width": 28}, "ensure_multiple_of": 14, "keep_aspect_ratio": True},
        ),
        (dpt, {}),
    ],
)
def test_a_folder_is_found_and_its_model_tells_depth_and_normals(
    tmp_path: Path, make: Any, settings: Any
) -> None:
    torch.manual_seed(0)
    saved(make(), tmp_path / "depth" / "far", **settings)
    context = Context(tmp_path)
    told = {info.id: info for info in context.models.list() if info.kind == "depth"}
    assert told["far"].problem == ""
    image = picture(60, 40)
    depth, normals = (
        Preprocess().run({"image": image}, Preprocess.Params(method=method), context)["image"]
        for method in (Method.DEPTH, Method.NORMALS)
    )
    assert depth.pixels.shape == (40, 60, 1)
    assert (depth.pixels.min(), depth.pixels.max()) == (pytest.approx(0, abs=0.1), pytest.approx(1, abs=0.1))
    assert normals.pixels.shape == (40, 60, 3)
    assert np.array_equal(normals.pixels, normals_of(depth).pixels)
    assert Preprocess.lane_for({"method": "depth"}) == "gpu"
    assert Preprocess.lane_for({"method": "edges"}) == "cpu"


def test_normals_are_red_to_the_left_green_up_and_blue_in_front() -> None:
    def at(values: Any) -> Any:
        return normals_of(Image(np.asarray(values, np.float32)[..., None])).pixels[16, 16]

    across = np.tile(np.linspace(0, 1, 32), (32, 1))
    flat, left, up = at(np.zeros((32, 32))), at(across), at(across.T)
    assert flat == pytest.approx([0.5, 0.5, 1])
    assert left == pytest.approx([left[0], 0.5, left[2]], abs=1e-3)  # nearer to the right: it faces left
    assert up == pytest.approx([0.5, up[1], up[2]], abs=1e-3)
    assert min(left[0], up[1]) > 0.6
    assert np.linalg.norm(left * 2 - 1) == pytest.approx(1, abs=1e-5)


class Answering(torch.nn.Module):
    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, shown: torch.Tensor) -> Any:
        self.shown = shown
        return type("Answer", (), {"predicted_depth": torch.tensor(self.answer)[None]})


def answering(answer: Any, *, metric: bool = False, keeps: bool = True) -> LoadedDepth:
    settings = {"height": 28, "width": 28, "multiple": 14, "keep_aspect_ratio": keeps}
    cpu, half = torch.device("cpu"), (0.5, 0.5, 0.5)
    return LoadedDepth(None, Answering(answer), cpu, torch.float32, settings, half, half, metric)


def test_near_is_bright_whatever_the_model_measures() -> None:
    near_left = [[4.0, 2.0]], [[1.0, 3.0]]
    for answer, metric in zip(near_left, (False, True), strict=True):
        found = depth_of(answering(answer, metric=metric), picture(), LoadingContext()).pixels[..., 0]
        assert found[:, 0].min() > 0.95
        assert found[:, -1].max() < 0.05
    assert not depth_of(answering([[2.0, 2.0]]), picture(), LoadingContext()).pixels.any()
    with pytest.raises(DecodeFailed):
        depth_of(answering([[float("nan"), 1.0]]), picture(), LoadingContext())


def test_pictures_are_shown_in_the_size_the_model_wants() -> None:
    for keeps, shape in ((True, (28, 56)), (False, (28, 28))):
        loaded = answering([[1.0, 2.0]], keeps=keeps)
        depth_of(loaded, picture(80, 40), LoadingContext())
        assert loaded.model.shown.shape[-2:] == shape


def test_what_can_not_be_used_or_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DepthModelMissing):
        Preprocess().run({"image": picture()}, Preprocess.Params(method=Method.DEPTH), Context(tmp_path))
    folder = saved(dpt(), tmp_path / "depth" / "far")
    config = json.loads((folder / "config.json").read_text())
    for changes, error in (
        ({"backbone": "somebody/backbone"}, UnknownModelFamily),
        ({"auto_map": {"AutoModel": "evil.Net"}}, ModelUnsafe),
    ):
        (folder / "config.json").write_text(json.dumps({**config, **changes}))
        with pytest.raises(error):
            Context(tmp_path).models.find("depth", "far")
