"""Picture nodes: opening, changing, saving, showing, enlarging."""

from __future__ import annotations

import errno
import os
import re
import sys
import unicodedata
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.errors import (
    Cancelled,
    CropOutside,
    DiskFull,
    FileMissing,
    FolderMissing,
    ImageUnreadable,
    InvalidParameter,
    PathNotAllowed,
    SaveFailed,
)
from pipelines.graph.registry import builtin
from pipelines.graph.values import Image, ListValue, Mask, ModelHandle
from pipelines.image import load_image
from pipelines.metadata import graph_of, read_metadata, write_image
from pipelines.nodes.filenames import TOKENS, picture_path
from pipelines.nodes.io import pictures_in

Run = Callable[..., Any]
INFO = {
    "prompt": "a red/apple: 100%",
    "seed": 42,
    "steps": 16,
    "model": "starter.safetensors",
    "sampler": "euler",
}
NOW = datetime(2026, 1, 31, 14, 5, 9)


def picture(width: int = 6, height: int = 4, channels: int = 3, **info: Any) -> Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)
    return Image(pixels, info or INFO)


# --- making and changing ---------------------------------------------------------------------------------


def test_the_nodes_do_what_they_say(run: Run) -> None:
    image = run("image.solid", {"color": "#ff000080", "width": 5, "height": 3})
    assert image.pixels.shape == (3, 5, 4)
    assert run("image.resize", {"width": 10, "height": 6, "method": "nearest"}, image=image).width == 10
    assert run("image.crop", {"x": 1, "y": 1, "width": 2, "height": 2}, image=image).height == 2
    assert run("image.adjust", {"brightness": 100}, image=image).pixels[0, 0].tolist() == [255, 255, 255, 128]
    assert run("image.size", {}, image=image) == {"width": 5, "height": 3, "size": (5, 3)}
    with pytest.raises(CropOutside):
        run("image.crop", {"x": 4, "y": 0, "width": 2, "height": 2}, image=image)


def test_blending_takes_a_mask_or_none(run: Run) -> None:
    black = run("image.solid", {"color": "#000000", "width": 2, "height": 2})
    white = run("image.solid", {"color": "#ffffff", "width": 2, "height": 2})
    half = Mask(np.array([[0, 1], [0, 1]], np.float32))
    assert (run("image.blend", {}, image=black, b=white).pixels == 255).all()
    assert run("image.blend", {}, image=black, b=white, mask=half).pixels[0, :, 0].tolist() == [0, 255]
    assert run("image.blend", {"opacity": 0.0}, image=black, b=white).pixels.max() == 0


@pytest.mark.parametrize("color", ["red", "#fff", "", "#12345g"])
def test_a_colour_is_checked_before_a_run(color: str) -> None:
    with pytest.raises(ValidationError, match="#rrggbb"):
        builtin()["image.solid"].node.Params(color=color)


# --- opening ---------------------------------------------------------------------------------------------


def test_opening_gives_the_picture_its_mask_and_its_history(run: Run, tmp_path: Path) -> None:
    source = picture(channels=4)
    write_image(source, tmp_path / "x.png")
    found = run("image.load", {"path": "x.png"})
    assert np.array_equal(found["image"].pixels, source.pixels)
    assert np.allclose(found["mask"].values, 1 - source.as_float()[..., 3])
    assert found["image"].info["seed"] == 42
    assert found["image"].info["prompt"] == INFO["prompt"]


def test_without_alpha_the_mask_is_all_zeros(run: Run, tmp_path: Path) -> None:
    write_image(picture(), tmp_path / "x.jpg")
    assert not run("image.load", {"path": "x.jpg"})["mask"].values.any()


def test_a_picture_keeps_its_history_when_saved_again(run: Run, tmp_path: Path) -> None:
    write_image(picture(), tmp_path / "x.webp")
    image = run(
        "image.resize", {"width": 3, "height": 2}, image=run("image.load", {"path": "x.webp"})["image"]
    )
    found = read_metadata(Path(run("image.save", {}, image=image)))
    assert found.info["prompt"] == INFO["prompt"]
    assert found.source_type.endswith("trainedAlgorithmicMedia")


def test_pictures_that_can_not_be_opened(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("no picture")
    with pytest.raises(ImageUnreadable):
        run("image.load", {"path": "x.png"})
    with pytest.raises(FileMissing):
        run("image.load", {"path": "none.png"})
    with pytest.raises(InvalidParameter):
        run("image.load", {"path": ""})


def test_a_folder_in_natural_order(run: Run, tmp_path: Path) -> None:
    names = [
        "b10.png",
        "b2.png",
        "B1.PNG",
        "é.png",
        unicodedata.normalize("NFD", "éa.png"),
        "a.jpg",
        "notes.txt",
    ]
    for name in names:
        write_image(picture(), tmp_path / "in" / name, "png")
    (tmp_path / "in" / "folder.png").mkdir()
    ordered = [unicodedata.normalize("NFC", path.name) for path in pictures_in(tmp_path / "in")]
    assert ordered == ["a.jpg", "B1.PNG", "b2.png", "b10.png", "é.png", "éa.png"]
    chosen = [path.name for path in pictures_in(tmp_path / "in", "B*.png; a.*")]
    assert chosen == ["a.jpg", "B1.PNG", "b2.png", "b10.png"]
    assert len(pictures_in(tmp_path / "in", "É*")) == 2
    images = run("image.folder", {"folder": "in", "pattern": "b?.png"})
    assert isinstance(images, ListValue)
    assert len(images) == 2


def test_an_empty_folder_and_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert run("image.folder", {"folder": "in"}) == ListValue()
    with pytest.raises(FolderMissing):
        run("image.folder", {"folder": "none"})
    with pytest.raises(InvalidParameter):
        run("image.folder", {"folder": ""})


def test_a_folder_reports_and_can_be_cancelled(run: Run, context: Any, tmp_path: Path) -> None:
    for index in range(3):
        write_image(picture(), tmp_path / "in" / f"{index}.png")
    run("image.folder", {"folder": "in"})
    assert context.reports == [(1, 3, "opening"), (2, 3, "opening"), (3, 3, "opening")]
    context.cancel.cancel()
    with pytest.raises(Cancelled):
        run("image.folder", {"folder": "in"})


def test_the_keys_change_with_the_files(context: Any, tmp_path: Path) -> None:
    node, folder = builtin()["image.load"].node, builtin()["image.folder"].node
    seen = set()
    for change in (lambda: None, lambda: write_image(picture(), tmp_path / "a.png"),
                   lambda: write_image(picture(9), tmp_path / "a.png", unique=False)):  # fmt: skip
        change()
        seen.add((node.fingerprint({"path": "a.png"}, context), folder.fingerprint({"folder": "."}, context)))
    assert len({load for load, _ in seen}) == len({all_of for _, all_of in seen}) == 3
    before = folder.fingerprint({"folder": ".", "pattern": "a*"}, context)
    write_image(picture(), tmp_path / "b.png")
    assert folder.fingerprint({"folder": ".", "pattern": "a*"}, context) == before
    (tmp_path / "a.png").rename(tmp_path / "a2.png")
    assert folder.fingerprint({"folder": ".", "pattern": "a*"}, context) != before
    assert folder.fingerprint({"folder": "none"}, context)


# --- names -----------------------------------------------------------------------------------------------


def name_of(pattern: str, tmp_path: Path, image: Image | None = None) -> str:
    return picture_path(tmp_path, pattern, ".png", image or picture(), NOW).relative_to(tmp_path).as_posix()


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{date}-{time}-{seed}", "2026-01-31-14-05-09-42.png"),
        ("{prompt}", "a red_apple_ 100%.png"),
        ("{model}_{sampler}_{steps}_{width}x{height}", "starter_euler_16_6x4.png"),
        ("{date}/{seed}", "2026-01-31/42.png"),
        ("{n}", "0001.png"),
        ("apple.PNG", "apple.png"),
        ("v1.5", "v1.5.png"),
        ("", "image.png"),
        ("con", "_con.png"),
        ("a:b*c", "a_b_c.png"),
        ("sub\\x", "sub/x.png"),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, name: str) -> None:
    assert name_of(pattern, tmp_path) == name


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    image = Image(np.zeros((4, 6, 3), np.uint8))
    assert name_of("{date}-{time}-{seed}", tmp_path, image) == "2026-01-31-14-05-09.png"
    assert name_of("{seed}-{model}-x", tmp_path, image) == "x.png"
    assert name_of("{seed}", tmp_path, image) == "image.png"


def test_numbers_count_up(tmp_path: Path) -> None:
    for number in (1, 2, 4):
        (tmp_path / f"a-{number:04}.png").write_text("x")
    assert name_of("a-{n}", tmp_path) == "a-0003.png"


def test_a_token_that_does_not_exist_names_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter) as caught:
        name_of("{date}-{colour}", tmp_path)
    assert "{colour}" in str(caught.value)
    assert all(f"{{{token}}}" in str(caught.value) for token in TOKENS)
    description = next(param for param in builtin()["image.save"].params if param.name == "name").description
    assert all(f"{{{token}}}" in description for token in TOKENS)


@pytest.mark.parametrize("pattern", ["../x", "a/../../x", "/etc/x", "\\\\server\\x"])
def test_a_name_never_leaves_its_folder(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(PathNotAllowed):
        name_of(pattern, tmp_path)


@given(prompt=st.text(max_size=300), model=st.text(max_size=50))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_hostile_values_stay_one_name(tmp_path: Path, prompt: str, model: str) -> None:
    image = Image(np.zeros((1, 1, 3), np.uint8), {"prompt": prompt, "model": model, "seed": "../../{n}"})
    path = picture_path(tmp_path, "{prompt}{model}{seed}", ".png", image, NOW)
    assert path.parent == tmp_path
    assert len(path.name.encode()) <= 255
    assert path.suffix == ".png"


# --- saving and showing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "suffix"), [("png", ".png"), ("webp", ".webp"), ("jpeg", ".jpg")])
def test_saving_writes_the_story_and_never_over_another(
    run: Run, context: Any, format: str, suffix: str
) -> None:
    paths = [Path(run("image.save", {"name": "x", "format": format}, image=picture())) for _ in range(2)]
    assert [path.name for path in paths] == [f"x{suffix}", f"x-2{suffix}"]
    assert paths[0].parent == context.output_dir
    assert read_metadata(paths[0]).info["seed"] == 42
    assert graph_of(paths[1]) is not None


def test_saving_into_a_folder_of_the_documents(run: Run, tmp_path: Path) -> None:
    path = Path(run("image.save", {"folder": "out", "name": "{date}/x"}, image=picture()))
    assert path.parent.parent == tmp_path / "out"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", path.parent.name)


def test_sixteen_bits(run: Run) -> None:
    path = Path(run("image.save", {"depth": "16"}, image=picture()))
    assert load_image(path).pixels.dtype == np.float32


def test_a_picture_that_can_not_be_saved_is_still_there(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    image = picture()
    with pytest.raises(SaveFailed, match="kept in memory"):
        run("image.save", {"folder": "file"}, image=image)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DiskFull):
            run("image.save", {}, image=image)
    assert list((tmp_path / "pictures").iterdir()) == []
    assert Path(run("image.save", {}, image=image)).exists()


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX links")
def test_a_link_in_the_folder_that_leads_out(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "out").symlink_to(tmp_path)
    with pytest.raises(PathNotAllowed):
        run("image.save", {"name": "out/x"}, image=picture())


def test_what_saves_or_shows_shows_its_input(run: Run) -> None:
    """Also after a failure: a picture that could not be saved is still there to be saved elsewhere."""
    assert run("image.preview", {}, image=picture()) == {}
    for type_id in ("image.preview", "image.save"):
        assert builtin()[type_id].node.preview == "image"


# --- enlarging -------------------------------------------------------------------------------------------


class Twice:
    """Stands for a spandrel descriptor."""

    scale, input_channels, output_channels = 2, 3, 3

    def __init__(self) -> None:
        import torch

        self.model = torch.nn.Identity()

    def __call__(self, image: Any) -> Any:
        return image.repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_enlarging(run: Run, context: Any) -> None:
    import torch

    from pipelines.models.loaded import LoadedUpscale

    handle = ModelHandle("upscale", "twice", "twice", "Compact")
    context.loaded = LoadedUpscale(handle, Twice(), torch.device("cpu"), torch.float32)  # type: ignore[arg-type]
    image = run("upscale.model", {}, model=handle, image=picture())
    assert np.array_equal(image.pixels, picture().pixels.repeat(2, 0).repeat(2, 1))
    assert context.reports[-1] == (1, 1, "upscaling")
    assert run("upscale.model", {"factor": 3.0, "tile": 64}, model=handle, image=picture()).width == 18
    context.cancel.cancel()
    with pytest.raises(Cancelled):
        run("upscale.model", {}, model=handle, image=picture())
