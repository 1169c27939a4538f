"""Poses by a model: people found, their joints placed, and the skeleton drawn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrResNetConfig,
    VitPoseBackboneConfig,
    VitPoseConfig,
    VitPoseForPoseEstimation,
    YolosConfig,
    YolosForObjectDetection,
)

from pipelines.control.people import people_in
from pipelines.control.pose import pose_picture, poses_of
from pipelines.control.skeleton import COLOURS, POINTS, skeletons
from pipelines.errors import DecodeFailed, ModelUnsafe, NobodyFound, PoseModelMissing, UnknownModelFamily
from pipelines.graph.values import Image
from pipelines.models.access import Models
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.loaded import LoadedDetector, LoadedPose
from pipelines.models.loading import ModelLoader
from pipelines.models.residency import Residency
from pipelines.nodes.control import Method, Preprocess
from tests.helpers.disc import picture
from tests.helpers.model_files import LoadingContext

CPU, HALF = torch.device("cpu"), (0.5, 0.5, 0.5)
NAMES = {0: "dog", 1: "person"}


class Context(LoadingContext):
    """A context whose models are those of a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        catalogue = Catalogue(default_roots(folder))
        self.models = Models(catalogue, Residency(ModelLoader(catalogue)))

    def path(self, text: str) -> Path:
        return Path(text)


def vitpose(experts: int = 1, points: int = 17) -> Any:
    backbone = VitPoseBackboneConfig(
        image_size=[32, 24], patch_size=[8, 8], hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        mlp_ratio=2, out_indices=[2], num_experts=experts, part_features=4,
    )  # fmt: skip
    return VitPoseForPoseEstimation(VitPoseConfig(backbone_config=backbone, num_labels=points))


def rt_detr() -> Any:
    backbone = RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8] * 4, depths=[1] * 4, layer_type="basic", out_indices=[2, 3, 4]
    )
    config = RTDetrConfig(
        backbone_config=backbone, encoder_hidden_dim=16, encoder_in_channels=[8] * 3, d_model=16,
        decoder_in_channels=[16] * 3, decoder_layers=1, encoder_ffn_dim=16, decoder_ffn_dim=16,
        encoder_attention_heads=2, decoder_attention_heads=2, num_queries=6, num_denoising=0, id2label=NAMES,
    )  # fmt: skip
    return RTDetrForObjectDetection(config)


def yolos() -> Any:
    config = YolosConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        image_size=[32, 32], patch_size=8, num_detection_tokens=5, use_mid_position_embeddings=False,
        id2label=NAMES,
    )  # fmt: skip
    return YolosForObjectDetection(config)


def saved(model: Any, folder: Path, **settings: Any) -> Path:
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


@pytest.mark.parametrize(
    ("detector", "settings", "experts"),
    [
        (None, {}, 2),
        (rt_detr, {"size": {"height": 64, "width": 64}}, 1),
        (yolos, {"size": 32, "max_size": 64, "do_normalize": True}, 1),
    ],
)
def test_folders_are_found_and_their_models_draw_skeletons(
    tmp_path: Path, detector: Any, settings: Any, experts: int
) -> None:
    torch.manual_seed(0)
    saved(vitpose(experts), tmp_path / "pose" / "joints")
    if detector is not None:
        saved(detector(), tmp_path / "detector" / "finder", **settings)
    context = Context(tmp_path)
    told = {info.id: (info.kind, info.problem) for info in context.models.list()}
    assert told["joints"] == ("pose", "")
    assert detector is None or told["finder"] == ("detector", "")
    params = Preprocess.Params(method=Method.POSE, confidence=0)
    made = Preprocess().run({"image": picture(60, 40)}, params, context)["image"]
    assert made.pixels.shape == (40, 60, 3)
    assert made.pixels.any()
    assert Preprocess.lane_for({"method": "pose"}) == "gpu"
    resources: Any = SimpleNamespace(find=context.models.find, path=context.path)
    known = Preprocess.fingerprint({"method": "pose"}, resources)
    assert context.models.find("pose", "").fingerprint in known
    assert detector is None or context.models.find("detector", "").fingerprint in known


def test_what_can_not_be_used_or_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(PoseModelMissing):
        Preprocess().run({"image": picture()}, Preprocess.Params(method=Method.POSE), Context(tmp_path))
    folder = saved(vitpose(), tmp_path / "pose" / "joints")
    finder = saved(yolos(), tmp_path / "detector" / "finder")
    config = json.loads((folder / "config.json").read_text())
    backbone = {**config["backbone_config"], "model_type": "timm_backbone"}
    for changes, error, words in (
        ({"backbone": "somebody/backbone"}, UnknownModelFamily, "elsewhere"),
        ({"backbone_config": backbone}, UnknownModelFamily, "elsewhere"),
        ({"id2label": {"0": "nose"}}, UnknownModelFamily, "1 points"),
        ({"auto_map": {"AutoModel": "evil.Net"}}, ModelUnsafe, "code"),
    ):
        (folder / "config.json").write_text(json.dumps({**config, **changes}))
        with pytest.raises(error, match=words):
            Context(tmp_path).models.find("pose", "joints")
    config = json.loads((finder / "config.json").read_text())
    (finder / "config.json").write_text(json.dumps({**config, "id2label": {"0": "dog", "1": "cat"}}))
    with pytest.raises(UnknownModelFamily, match="person"):
        Context(tmp_path).models.find("detector", "finder")


# --- people ------------------------------------------------------------------------------------------------


class Answering(torch.nn.Module):
    def __init__(self, **answer: Any) -> None:
        super().__init__()
        self.answer = SimpleNamespace(**{name: torch.tensor(value) for name, value in answer.items()})

    def forward(self, pixel_values: torch.Tensor) -> Any:
        self.shown = pixel_values
        return self.answer


def detector_of(logits: Any, boxes: Any, *, exclusive: bool = False, **settings: int) -> LoadedDetector:
    model = Answering(logits=[logits], pred_boxes=[boxes])
    settings = settings or {"height": 64, "width": 64}
    return LoadedDetector(None, model, CPU, torch.float32, settings, HALF, HALF, 1, exclusive)


LEFT, SAME, RIGHT = [0.25, 0.5, 0.5, 1.0], [0.26, 0.5, 0.5, 1.0], [0.75, 0.5, 0.5, 1.0]


def test_people_are_told_once_the_surest_first_and_nothing_else() -> None:
    logits = [[-9.0, 1.0], [-9.0, 0.5], [-9.0, 2.0], [5.0, -5.0]]
    loaded = detector_of(logits, [LEFT, SAME, RIGHT, [0.5, 0.5, 0.1, 0.1]])
    found = people_in(loaded, picture(80, 40), 0.3, LoadingContext())
    assert found.tolist() == [[40, 0, 80, 40], [0, 0, 40, 40]]
    assert len(people_in(loaded, picture(80, 40), 0.95, LoadingContext())) == 0
    sure = detector_of(
        [[0.0, 2.0, 9.0], [0.0, 9.0, 0.0]], [LEFT, RIGHT], exclusive=True
    )  # the last is nothing
    assert people_in(sure, picture(80, 40), 0.3, LoadingContext()).tolist() == [[40, 0, 80, 40]]
    with pytest.raises(DecodeFailed):
        people_in(detector_of([[0.0, float("nan")]], [LEFT]), picture(), 0.3, LoadingContext())


def test_pictures_are_shown_in_the_size_the_detector_wants() -> None:
    for longest, shape in ((200, (32, 64)), (48, (24, 48))):
        loaded = detector_of([[0.0, 0.0]], [LEFT], shortest=32, longest=longest, multiple=8)
        people_in(loaded, picture(160, 80), 0, LoadingContext())
        assert loaded.model.shown.shape[-2:] == shape


# --- joints ------------------------------------------------------------------------------------------------


class Spots(torch.nn.Module):
    """Answers with a spot for each point where the picture it is shown is brightest."""

    def forward(self, pixel_values: torch.Tensor) -> Any:
        width = pixel_values.shape[-1]
        top = pixel_values.mean(1).flatten(1).argmax(1)
        x, y = (top % width) * 0.25 * (1 - 1 / 48), torch.div(top, width, rounding_mode="floor") * 63 / 255
        columns, rows = torch.arange(48.0), torch.arange(64.0)[:, None]
        away = (columns - x[:, None, None]) ** 2 + (rows - y[:, None, None]) ** 2
        spots = torch.exp(-away / 8)
        return SimpleNamespace(heatmaps=spots[:, None].repeat(1, len(POINTS), 1, 1))


def spotting() -> LoadedPose:
    return LoadedPose(None, Spots(), CPU, torch.float32, 256, 192, HALF, HALF)


def test_joints_lie_where_they_are_in_each_box() -> None:
    pixels = np.zeros((300, 500, 3), np.float32)
    places = [(137, 90), (402, 211)]
    for x, y in places:
        pixels[y - 3 : y + 4, x - 3 : x + 4] = 0.5
        pixels[y - 1 : y + 2, x - 1 : x + 2] = 0.75
        pixels[y, x] = 1
    boxes = np.array([[60, 20, 220, 280], [330, 150, 480, 290]] * 5, np.float32)
    found = poses_of(spotting(), Image(pixels), boxes, LoadingContext())
    assert found.shape == (10, 17, 3)
    for person, place in zip(found, places * 5, strict=True):
        assert np.abs(person[:, :2] - place).max() < 1.2
        assert person[:, 2].min() > 0.85


class Given:
    """Models that are there already."""

    @contextmanager
    def use(self, handle: Any, context: Any) -> Iterator[Any]:
        yield handle


def test_nobody_is_said_instead_of_a_black_picture() -> None:
    context = LoadingContext()
    context.models = Given()  # type: ignore[attr-defined]
    nobody: Any = detector_of([[0.0, -9.0]], [LEFT])
    somebody: Any = detector_of([[0.0, 9.0]], [LEFT])
    pose: Any = spotting()
    with pytest.raises(NobodyFound):
        pose_picture(picture(), pose, nobody, 0.3, context)
    with pytest.raises(NobodyFound):
        pose_picture(picture(), pose, somebody, 1.0, context)
    assert pose_picture(picture(), pose, somebody, 0.3, context).pixels.any()


# --- skeletons ---------------------------------------------------------------------------------------------


def person(**joints: tuple[float, float]) -> Any:
    found = np.zeros((1, len(POINTS), 3), np.float32)
    for name, place in joints.items():
        found[0, POINTS.index(name.replace("_", " "))] = (*place, 0.9)
    return found


def test_skeletons_have_the_neck_the_colours_and_the_width_control_models_know() -> None:
    joints = {"nose": (256, 100), "right_shoulder": (156, 200), "left_shoulder": (356, 200)}
    drawn = skeletons(person(**joints), 512, 512, 0.3).pixels

    def at(x: int, y: int) -> tuple[int, ...]:
        return tuple(drawn[y, x].tolist())

    assert at(256, 100) == (255, 0, 0)  # the points, in the colours of their numbers
    assert at(256, 200) == (255, 85, 0)
    assert (at(156, 200), at(356, 200)) == ((255, 170, 0), (85, 255, 0))
    assert (at(206, 200), at(306, 200)) == ((153, 0, 0), (153, 51, 0))  # the limbs, dimmer
    assert at(256, 150) == (0, 0, 153)
    assert np.flatnonzero(drawn[:, 206].any(axis=1)).size == pytest.approx(8, abs=1)
    assert not skeletons(person(**joints), 512, 512, 0.95).pixels.any()
    one = skeletons(person(nose=(256, 100), right_shoulder=(156, 200)), 512, 512, 0.3).pixels
    assert not one[200, 256].any()  # no neck between one shoulder and nothing
    large = skeletons(person(nose=(512, 512)), 1024, 1024, 0.3).pixels
    assert np.flatnonzero(large[:, 512].any(axis=1)).size == 17
    assert COLOURS[:3] == ((255, 0, 0), (255, 85, 0), (255, 170, 0))
    assert COLOURS[-1] == (255, 0, 85)
