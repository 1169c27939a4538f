"""Reading pictures of other programs, damaged ones, and ones made to do harm."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from pipelines.errors import FileMissing, GraphFromTheFuture, GraphUnreadable, ImageUnreadable
from pipelines.graph.values import Image
from pipelines.metadata import FORMATS, encode_image, graph_of, read_metadata, write_image
from pipelines.metadata.exif import build_exif, parse_exif

INFO = {"seed": 1, "steps": 2, "model": "m"}
PARAMETERS = (
    "a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7, Seed: 5, "
    "Size: 512x768, Model hash: abc, Model: dreamy"
)
COMFYUI = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 42, "steps": 20, "cfg": 8.0, "sampler_name": "euler_ancestral", "scheduler": "karras",
            "denoise": 1.0, "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0],
        },
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "v1-5.safetensors"}},
    "6": {"class_type": "ConditioningCombine", "inputs": {"a": ["8", 0]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "bad", "clip": ["4", 1]}},
    "8": {"class_type": "CLIPTextEncode", "inputs": {"text": "a castle", "clip": ["4", 1]}},
}  # fmt: skip


def blank() -> Pillow.Image:
    return Pillow.new("RGB", (12, 8), (10, 20, 30))


def png(path: Path, *, zip: bool = False, **texts: str) -> Path:
    info = PngInfo()
    for key, text in texts.items():
        info.add_text(key, text, zip=zip)
    blank().save(path, "PNG", pnginfo=info)
    return path


def raw_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(path: Path, chunk: bytes) -> Path:
    buffer = io.BytesIO()
    blank().save(buffer, "PNG")
    data = buffer.getvalue()
    path.write_bytes(data[:33] + chunk + data[33:])
    return path


# --- other programs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("zip", [False, True])
def test_a1111_in_png(tmp_path: Path, zip: bool) -> None:
    found = read_metadata(png(tmp_path / "x.png", zip=zip, parameters=PARAMETERS))
    assert found.source == "a1111"
    assert found.info["prompt"] == "a cat"
    assert found.info["negative"] == "dog"
    assert found.info["sampler"] == "euler_a"
    assert found.info["schedule"] == "karras"
    assert (found.info["width"], found.info["height"], found.info["seed"]) == (512, 768, 5)
    assert graph_of(tmp_path / "x.png") is None


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_a1111_in_exif(tmp_path: Path, format: str) -> None:
    for code in ("utf-16-be", "utf-16-le"):
        exif = Pillow.Exif()
        exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + PARAMETERS.encode(code)
        blank().save(tmp_path / "x", format, exif=exif)
        assert read_metadata(tmp_path / "x").info["prompt"] == "a cat"


def test_text_that_is_utf8_where_latin1_belongs(tmp_path: Path) -> None:
    chunk = raw_chunk(b"tEXt", b"parameters\0" + PARAMETERS.replace("cat", "kätzchen 猫").encode())
    assert read_metadata(png_with(tmp_path / "x.png", chunk)).info["prompt"] == "a kätzchen 猫"


def test_comfyui_in_png(tmp_path: Path) -> None:
    path = png(tmp_path / "x.png", prompt=json.dumps(COMFYUI), workflow='{"nodes": [], "scale": NaN}')
    found = read_metadata(path)
    assert found.source == "comfyui"
    assert found.comfyui["workflow"] == {"nodes": [], "scale": None}
    assert found.info == {
        "seed": 42, "steps": 20, "guidance_scale": 8.0, "sampler": "euler_a", "schedule": "karras",
        "denoising_strength": 1.0, "prompt": "a castle", "negative": "bad", "model": "v1-5.safetensors",
    }  # fmt: skip


def test_comfyui_in_webp(tmp_path: Path) -> None:
    exif = Pillow.Exif()
    exif[0x010F] = "workflow:" + json.dumps({"nodes": []})
    exif[0x0110] = "prompt:" + json.dumps(COMFYUI)
    blank().save(tmp_path / "x.webp", "WEBP", exif=exif)
    found = read_metadata(tmp_path / "x.webp")
    assert found.info["prompt"] == "a castle"
    assert found.comfyui["workflow"] == {"nodes": []}


def test_a_comfyui_graph_that_goes_in_circles(tmp_path: Path) -> None:
    nodes: dict[str, Any] = {
        "1": {"class_type": "KSampler", "inputs": {"positive": ["2", 0], "seed": [9, 0]}}
    }
    nodes["2"] = {"class_type": "X", "inputs": {"a": ["3", 0]}}
    nodes["3"] = {"class_type": "X", "inputs": {"a": ["2", 0], "b": ["none", 0], "c": [[], 0]}}
    assert read_metadata(png(tmp_path / "x.png", prompt=json.dumps(nodes))).info == {}


def test_invokeai(tmp_path: Path) -> None:
    data = {
        "positive_prompt": "a boat", "seed": 9, "cfg_scale": 7.5, "scheduler": "dpmpp_2m",
        "model": {"name": "sdxl", "hash": "x"}, "width": 1024, "height": 1024,
    }  # fmt: skip
    found = read_metadata(png(tmp_path / "x.png", invokeai_metadata=json.dumps(data)))
    assert found.source == "invokeai"
    assert found.info["prompt"] == "a boat"
    assert found.info["model"] == "sdxl"
    assert found.info["guidance_scale"] == 7.5


def test_a_picture_that_says_nothing(tmp_path: Path) -> None:
    for format in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
        blank().save(tmp_path / "x", format)
        found = read_metadata(tmp_path / "x")
        assert found.source == ""
        assert found.problems == ()
        assert graph_of(tmp_path / "x") is None


def test_a_renamed_picture_is_known_by_its_content(tmp_path: Path) -> None:
    path = write_image(Image(np.zeros((4, 4, 3), np.uint8), {"prompt": "p"}), tmp_path / "x.png", "webp")
    assert read_metadata(path).format == "webp"
    assert read_metadata(path).info["prompt"] == "p"


# --- harm and damage -------------------------------------------------------------------------------------


def test_a_text_of_60_mb_is_refused_with_its_size(tmp_path: Path) -> None:
    path = png_with(tmp_path / "x.png", raw_chunk(b"tEXt", b"parameters\0" + b"x" * 60_000_000))
    with pytest.raises(ImageUnreadable, match=r"60\.0 MB"):
        read_metadata(path)


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_a_text_that_unpacks_to_60_mb_is_refused(tmp_path: Path, kind: bytes) -> None:
    head = b"parameters\0\0" if kind == b"zTXt" else b"parameters\0\1\0\0\0"
    path = png_with(tmp_path / "x.png", raw_chunk(kind, head + zlib.compress(b"x" * 60_000_000)))
    with pytest.raises(ImageUnreadable, match="at most"):
        read_metadata(path)


def test_many_texts_are_bounded_together(tmp_path: Path) -> None:
    chunk = raw_chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 6_000_000))
    with pytest.raises(ImageUnreadable, match="at most"):
        read_metadata(png_with(tmp_path / "x.png", chunk * 3))


def test_a_length_that_promises_2_gb(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    png(path)
    path.write_bytes(path.read_bytes()[:33] + struct.pack(">I", 2**31 - 1) + b"tEXtparameters\0")
    with pytest.raises(ImageUnreadable, match=r"2\.1 GB"):
        read_metadata(path)


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_that_is_cut_off_keeps_its_story(tmp_path: Path, format: Any) -> None:
    """The story stands before the pixels in PNG and JPEG; WebP has it at the end."""
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    data = encode_image(Image(noise, {"prompt": "p"}), format, {"graph": {"nodes": {}}})
    path = tmp_path / "x"
    path.write_bytes(data[: len(data) // 2])
    found = read_metadata(path)
    if format == "webp":
        assert found.problems == ("The file is cut off.",)
    else:
        assert found.info["prompt"] == "p"


@pytest.mark.parametrize("format", FORMATS)
def test_any_cut_and_any_damage_is_survived(tmp_path: Path, format: Any) -> None:
    data = encode_image(
        Image(np.zeros((8, 8, 3), np.uint8), {"prompt": "p" * 50}), format, {"graph": {"nodes": {}}}
    )
    path, source = tmp_path / "x", np.random.default_rng(1)
    for length in range(16, len(data), 13):
        path.write_bytes(data[:length])
        read_metadata(path)
    for _ in range(150):
        broken = bytearray(data)
        for at in source.integers(12, len(data), 3):
            broken[at] = source.integers(0, 256)
        path.write_bytes(bytes(broken))
        with contextlib.suppress(ImageUnreadable):
            read_metadata(path)


def test_a_damaged_text_is_told_and_left_out(tmp_path: Path) -> None:
    chunk = bytearray(raw_chunk(b"tEXt", b"parameters\0" + PARAMETERS.encode()))
    chunk[30] ^= 1
    found = read_metadata(png_with(tmp_path / "x.png", bytes(chunk)))
    assert found.parameters is None
    assert found.problems == ("A text in it is damaged.",)


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1, "a": 2}', "[" * 100_000])
def test_our_json_broken_is_told_and_left_out(tmp_path: Path, text: str) -> None:
    found = read_metadata(png(tmp_path / "x.png", diptych=text, parameters=PARAMETERS))
    assert len(found.problems) == 1
    assert found.source == "a1111"


def test_a_graph_that_can_not_be_opened(tmp_path: Path) -> None:
    with pytest.raises(GraphFromTheFuture):
        graph_of(png(tmp_path / "x.png", diptych='{"graph": {"format": 99, "nodes": {}}}'))
    with pytest.raises(GraphUnreadable):
        graph_of(png(tmp_path / "x.png", diptych='{"graph": {"nodes": 3}}'))
    assert graph_of(png(tmp_path / "x.png", diptych='{"graph": null}')) is None


def test_xml_that_blows_up_is_not_read(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", bomb)
    blank().save(tmp_path / "x.png", "PNG", pnginfo=info)
    found = read_metadata(tmp_path / "x.png")
    assert found.source_type == ""
    assert found.source == ""


def test_an_extended_packet_with_a_piece_missing(tmp_path: Path) -> None:
    data = encode_image(Image(np.zeros((8, 8, 3), np.uint8), {**INFO, "prompt": "p" * 150_000}), "jpeg")
    mark = b"http://ns.adobe.com/xmp/extension/\0"
    at = data.index(mark) - 4
    length = struct.unpack(">H", data[at + 2 : at + 4])[0]
    (tmp_path / "x.jpg").write_bytes(data[:at] + data[at + 2 + length :])
    found = read_metadata(tmp_path / "x.jpg")
    assert found.provenance == {}
    assert found.source == "a1111"


def test_what_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    for data in (b"", b"hello", b"\x80\x04\x95pickle"):
        path.write_bytes(data)
        with pytest.raises(ImageUnreadable):
            read_metadata(path)
    with pytest.raises(ImageUnreadable):
        read_metadata(tmp_path)
    with pytest.raises(FileMissing):
        read_metadata(tmp_path / "none.png")


# --- exif ------------------------------------------------------------------------------------------------


def test_exif_that_points_outside_or_at_itself() -> None:
    for data in (
        b"",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\1\0",
    ):
        assert parse_exif(data).comment == ""
    assert parse_exif(build_exif("ü 😀")).comment == "ü 😀"
    assert parse_exif(build_exif("")).comment == ""
