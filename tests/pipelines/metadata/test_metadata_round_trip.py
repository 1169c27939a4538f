"""What is written into a picture comes back, in every format, and nobody's home folder with it."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from pipelines.errors import DiskFull, SaveFailed
from pipelines.graph.document import Graph
from pipelines.graph.values import Image
from pipelines.image import load_image
from pipelines.metadata import FORMATS, ImageFormat, encode_image, graph_of, read_metadata, write_image
from pipelines.metadata.xmp import GENERATED

INFO = {
    "prompt": 'a red apple, 😀 on "grass": ünï\nsecond line', "negative": "blurry", "seed": 2**64 - 1,
    "steps": 16, "sampler": "dpmpp_2m", "schedule": "karras", "guidance_scale": 4.0, "model": "starter",
    "width": 64, "height": 64,
}  # fmt: skip


def picture(channels: int = 3, **info: Any) -> Image:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, channels), np.uint8)
    return Image(pixels, info or INFO)


def graph(**params: Any) -> dict[str, Any]:
    return {"format": 1, "nodes": {"a": {"params": params, "type": "text.constant", "version": 1}}}


def story(**params: Any) -> dict[str, Any]:
    return {
        "graph": graph(**params), "versions": {"diptych-studio": "0.1.0", "torch": "2.14"}, "device": "cpu",
        "seconds": {"a": 0.25},
    }  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
def test_everything_comes_back(tmp_path: Path, format: ImageFormat) -> None:
    path = write_image(picture(), tmp_path / f"x.{format}", format, story(text="ü 😀 <&>]]>"))
    found = read_metadata(path)
    assert (found.format, found.width, found.height) == (format, 30, 20)
    assert found.source == "diptych"
    assert found.problems == ()
    assert dict(found.info) == INFO
    assert found.source_type == GENERATED
    provenance = found.provenance
    assert provenance["seed"] == 2**64 - 1
    assert provenance["device"] == "cpu"
    assert provenance["versions"]["torch"] == "2.14"
    assert provenance["seconds"] == {"a": 0.25}
    read = graph_of(path)
    assert read is not None
    assert read.nodes["a"].params["text"] == "ü 😀 <&>]]>"
    assert found.parameters is not None
    assert found.parameters.prompt == INFO["prompt"]
    assert found.parameters.settings["Sampler"] == "DPM++ 2M"
    assert found.parameters.settings["Schedule type"] == "Karras"
    assert found.parameters.settings["Seed"] == str(2**64 - 1)
    assert json.loads(json.dumps(found.to_json()))["source"] == "diptych"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("size", [1_000, 100_000, 2_000_000])
def test_large_graphs_come_back_whole(tmp_path: Path, format: ImageFormat, size: int) -> None:
    text = "".join(chr(0x4E00 + index % 5000) for index in range(size // 3))
    path = write_image(picture(), tmp_path / "x", format, story(text=text))
    read = graph_of(path)
    assert read is not None
    assert read.nodes["a"].params["text"] == text
    with Pillow.open(path) as other:  # another program's reader is not put off
        other.load()
        assert other.size == (30, 20)


@given(text=st.text(max_size=200), key=st.text(min_size=1, max_size=20))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_survives(tmp_path: Path, text: str, key: str) -> None:
    for format in FORMATS:
        path = tmp_path / f"x.{format}"
        write_image(picture(prompt=text), path, format, story(**{key: text}), unique=False)
        found = read_metadata(path)
        assert found.problems == ()
        assert found.info["prompt"] == text
        assert found.provenance["graph"]["nodes"]["a"]["params"] == {key: text}


@pytest.mark.parametrize("format", FORMATS)
def test_half_characters_and_what_xml_does_not_have(tmp_path: Path, format: ImageFormat) -> None:
    text = "\ud800 \uffff \0 \x1b \r\n"
    path = write_image(picture(prompt=text), tmp_path / "x", format, story())
    assert read_metadata(path).info["prompt"] == text


def test_numbers_of_the_document_stay_as_written(tmp_path: Path) -> None:
    tree = Graph.loads('{"nodes": {"a": {"type": "x", "params": {"v": 1e5, "w": 1.0, "i": 1}}}}').to_json()
    path = write_image(picture(), tmp_path / "x.png", "png", {"graph": tree})
    read = graph_of(path)
    assert read is not None
    text = read.dumps().decode()
    assert "1e5" in text
    assert "1.0" in text


def test_a_graph_as_text_is_read_too(tmp_path: Path) -> None:
    path = write_image(picture(), tmp_path / "x.png", "png", {"graph": json.dumps(graph(text="a"))})
    read = graph_of(path)
    assert read is not None
    assert "a" in read.nodes


@pytest.mark.parametrize("format", FORMATS)
def test_no_home_folder_gets_into_a_file(
    tmp_path: Path, format: ImageFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home" / "ann"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    told = story(path=str(home / "pictures" / "x.png"), other=f"see {home}", kept=f"{home}etta/x")
    told["graph"]["nodes"]["a"]["params"][str(home / "key")] = home / "value"
    path = write_image(
        picture(prompt="p", model=str(home / "models" / "m.safetensors")), tmp_path / "x", format, told
    )
    params = read_metadata(path).provenance["graph"]["nodes"]["a"]["params"]
    assert params["path"] == str(Path("~") / "pictures" / "x.png")
    assert params["other"] == "see ~"
    assert params["kept"] == f"{home}etta/x"  # another user's folder, not this one's
    del told["graph"]["nodes"]["a"]["params"]["kept"]
    data = encode_image(picture(prompt="p", model=str(home / "m.safetensors")), format, told)
    (tmp_path / "y").write_bytes(data)
    assert "ann" not in json.dumps(read_metadata(tmp_path / "y").to_json())


def test_values_json_does_not_have(tmp_path: Path) -> None:
    told = {"seconds": float("nan"), "count": np.int64(3), "part": np.float32(0.5), "names": ("a", Path("b"))}
    found = read_metadata(write_image(picture(), tmp_path / "x.png", "png", told)).provenance
    assert found["seconds"] == "nan"
    assert (found["count"], found["part"]) == (3, 0.5)
    assert found["names"] == ["a", "b"]


def test_the_digital_source_type_says_only_what_is_so(tmp_path: Path) -> None:
    def kind(info: dict[str, Any], told: dict[str, Any] | None = None) -> str:
        image = Image(np.zeros((4, 4, 3), np.uint8), info)
        return read_metadata(write_image(image, tmp_path / "x.png", "png", told)).source_type.rsplit("/", 1)[
            -1
        ]

    drawn = {"graph": {"nodes": {"a": {"type": "diffusion.text_to_image"}}}}
    assert kind({"prompt": "a"}) == "trainedAlgorithmicMedia"
    assert kind({}, drawn) == "trainedAlgorithmicMedia"
    assert kind({"upscaler": "x"}) == "compositeWithTrainedAlgorithmicMedia"
    assert kind({"digital_source_type": GENERATED}) == "trainedAlgorithmicMedia"
    assert kind({}) == ""


# --- pixels ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("bits", [8, 16])
def test_png_pixels_are_exact(tmp_path: Path, channels: int, bits: Any) -> None:
    image = picture(channels)
    path = write_image(image, tmp_path / "x.png", bits=bits)
    assert np.allclose(load_image(path).as_float(), image.as_float(), atol=1e-6)
    assert load_image(path).pixels.dtype == (np.float32 if bits == 16 else np.uint8)


def test_sixteen_bits_keep_more_than_eight(tmp_path: Path) -> None:
    image = Image(np.linspace(0, 1, 3000, dtype=np.float32).reshape(10, 100, 3))
    path = write_image(image, tmp_path / "x.png", bits=16)
    assert np.abs(load_image(path).pixels - image.pixels).max() < 1e-5


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_webp_at_100_is_exact(tmp_path: Path, channels: int) -> None:
    image = picture(channels)
    read = load_image(write_image(image, tmp_path / "x.webp", quality=100))
    expected = np.repeat(image.pixels, 3, axis=2) if channels == 1 else image.pixels
    assert np.array_equal(read.pixels, expected)


def test_jpeg_puts_what_is_transparent_on_white(tmp_path: Path) -> None:
    pixels = np.zeros((16, 16, 4), np.uint8)
    read = load_image(write_image(Image(pixels), tmp_path / "x.jpg", quality=95))
    assert read.channels == 3
    assert read.pixels.min() > 250


def test_quality_matters(tmp_path: Path) -> None:
    sizes = [
        write_image(picture(), tmp_path / "x.jpg", quality=quality).stat().st_size for quality in (10, 95)
    ]
    assert sizes[0] < sizes[1]


def test_float_pixels_that_are_no_numbers(tmp_path: Path) -> None:
    pixels = np.full((4, 4, 3), np.nan, np.float32)
    for bits in (8, 16):
        assert not load_image(write_image(Image(pixels), tmp_path / "x.png", bits=bits)).pixels.any()


# --- files -----------------------------------------------------------------------------------------------


def test_the_format_goes_by_the_suffix(tmp_path: Path) -> None:
    kinds = {"x.png": "png", "x.JPG": "jpeg", "x.jpeg": "jpeg", "x.webp": "webp", "x": "png", "x.dat": "png"}
    for name, kind in kinds.items():
        assert read_metadata(write_image(picture(), tmp_path / name)).format == kind


def test_nothing_is_overwritten_unless_wanted(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    assert write_image(picture(), path) == path
    assert write_image(picture(), path) == tmp_path / "x-2.png"
    assert write_image(picture(prompt="new"), path, unique=False) == path
    assert read_metadata(path).info["prompt"] == "new"


@pytest.mark.parametrize(("format", "side"), [("webp", 16_384), ("jpeg", 65_501)])
def test_a_side_the_format_does_not_have(tmp_path: Path, format: ImageFormat, side: int) -> None:
    with pytest.raises(SaveFailed, match=str(side)):
        write_image(Image(np.zeros((1, side, 3), np.uint8)), tmp_path / "x", format)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    image = picture()
    with pytest.raises(DiskFull):
        write_image(image, tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert write_image(image, tmp_path / "x.png").exists()  # the picture is still there to be saved


def test_an_unwritable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SaveFailed):
        write_image(picture(), tmp_path / "file" / "x.png")


def test_a_prompt_of_100000_characters(tmp_path: Path) -> None:
    prompt = "ü word " * 15_000
    for format in FORMATS:
        found = read_metadata(write_image(picture(**{**INFO, "prompt": prompt}), tmp_path / "x", format))
        assert found.info["prompt"] == prompt
        assert found.parameters is not None
        assert found.parameters.settings["Seed"] == str(2**64 - 1)
        assert found.parameters.prompt.startswith("ü word ü word")
