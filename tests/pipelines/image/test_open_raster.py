"""OpenRaster: layers come back as they went, files of others are understood, hostile ones are refused."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from pipelines.errors import (
    DiptychError,
    FileMissing,
    ImageTooLarge,
    OpenRasterTooLarge,
    OpenRasterUnreadable,
    SaveFailed,
)
from pipelines.graph.values import Array, Image
from pipelines.image import decode_image
from pipelines.image.open_raster import OraLayer, OraPicture, merged, recalled, write_open_raster
from pipelines.image.open_raster_reading import read_open_raster
from pipelines.image.png import png_bytes


def noise(height: int, width: int, channels: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def plain(width: int, height: int, colour: tuple[int, ...]) -> Image:
    return Image(np.full((height, width, len(colour)), colour, np.uint8))


def foreign(stack: str, files: dict[str, bytes] | None = None, size: str = 'w="8" h="6"') -> bytes:
    """A file as another program would write it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "image/openraster", zipfile.ZIP_STORED)
        archive.writestr("stack.xml", f"<?xml version='1.0' encoding='UTF-8'?><image {size}>{stack}</image>")
        for name, data in (files or {"a.png": png_bytes(noise(3, 4, 4))}).items():
            archive.writestr(name, data)
    return buffer.getvalue()


texts = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn")) | st.sampled_from("\t\n\r\"'<&>]"), max_size=20
)
pictures = st.builds(
    lambda height, width, channels, seed: Image(noise(height, width, channels, seed)),
    st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 4]), st.integers(0, 99),
)  # fmt: skip
layers = st.builds(
    OraLayer,
    name=texts,
    image=pictures,
    x=st.integers(-20, 20),
    y=st.integers(-20, 20),
    opacity=st.floats(0, 1),
    visible=st.booleans(),
    attributes=st.dictionaries(st.sampled_from(["kind", "prompt", "weight", "start-at"]), texts),
)


@given(layers=st.lists(layers, max_size=4))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_everything_comes_back(layers: list[OraLayer], tmp_path: Path) -> None:
    before = OraPicture(12, 11, tuple(layers))
    after = read_open_raster(write_open_raster(tmp_path / "a.ora", before))
    assert (after.width, after.height, after.warnings) == (12, 11, ())
    assert len(after.layers) == len(layers)
    for one, other in zip(layers, after.layers, strict=True):
        assert np.array_equal(one.image.pixels, other.image.pixels)
        assert (one.name, one.x, one.y, one.opacity, one.visible) == (
            other.name, other.x, other.y, other.opacity, other.visible,
        )  # fmt: skip
        assert one.attributes == other.attributes


def test_soft_masks_keep_sixteen_bits(tmp_path: Path) -> None:
    values = (np.arange(65_536, dtype=np.float32) / np.float32(65_535)).reshape(256, 256)
    mask = OraLayer("Sky", Image(values), attributes={"kind": "region", "prompt": "storm\nclouds"})
    path = write_open_raster(tmp_path / "a.ora", OraPicture(256, 256, (mask,)))
    (back,) = read_open_raster(path).layers
    assert back.is_mask
    assert np.array_equal(np.rint(back.image.as_float()[..., 0] * 65_535), np.rint(values * 65_535))


def test_the_file_is_what_other_programs_expect(tmp_path: Path) -> None:
    photo, mask = plain(300, 600, (10, 20, 30)), Image(np.full((600, 300), 128, np.uint8))
    top = OraLayer("Top", plain(100, 100, (250, 0, 0, 255)), 250, 0, opacity=0.5)
    away = OraLayer("Away", plain(300, 600, (0, 255, 0)), visible=False)
    lines = OraLayer("Lines", plain(300, 600, (0, 0, 255)), attributes={"kind": "control"})
    picture = OraPicture(300, 600, (OraLayer("Photo", photo), top, away, lines, OraLayer("Mask", mask)))
    path = write_open_raster(tmp_path / "a.ora", picture)
    data = path.read_bytes()
    assert data[30:54] == b"mimetypeimage/openraster"
    with zipfile.ZipFile(path) as archive:
        stack = archive.read("stack.xml").decode()
        whole = np.asarray(Pillow.open(io.BytesIO(archive.read("mergedimage.png"))).convert("RGBA"))
        small = Pillow.open(io.BytesIO(archive.read("Thumbnails/thumbnail.png")))
    assert stack.index('name="Mask"') < stack.index('name="Top"') < stack.index('name="Photo"')
    assert [part.split('"')[0] for part in stack.split('visibility="')[1:]] == [
        "hidden", "hidden", "hidden", "visible", "visible",
    ]  # fmt: skip
    assert small.size == (128, 256)
    assert tuple(whole[599, 299]) == (10, 20, 30, 255)  # nothing of the lines, nothing of the mask
    assert tuple(whole[0, 299]) == (130, 10, 15, 255)
    assert np.array_equal(merged(picture).pixels, whole[..., : merged(picture).channels])


def test_groups_become_their_layers() -> None:
    stack = """<stack x="1" y="2"><layer name="top" src="a.png"/>
      <stack x="10" y="20" opacity="0.5" visibility="hidden">
        <stack opacity="0.5" name="inner"><layer name="deep" src="a.png" x="-3" opacity="0.5"/></stack>
        <layer name="next" src="a.png" visibility="visible"/>
      </stack><layer name="bottom" src="a.png" x="1.6" y="junk" opacity="nan"/></stack>"""
    picture = read_open_raster(foreign(stack))
    found = [(layer.name, layer.x, layer.y, layer.opacity, layer.visible) for layer in picture.layers]
    assert found == [
        ("bottom", 3, 2, 1.0, True),
        ("next", 11, 22, 0.5, False),
        ("deep", 8, 22, 0.125, False),
        ("top", 1, 2, 1.0, True),
    ]
    assert [warning.code for warning in picture.warnings] == ["LayerLooksDifferent"]  # the see-through group


def test_what_is_not_kept_is_told() -> None:
    stack = """<stack><layer name="glow" src="a.png" composite-op="svg:plus"/><layer name="ok" src="a.png"/>
      <layer name="vector" src="b.svg"/><text name="words"/><layer name="gone" src="../a.png"/>
      <layer name="torn" src="c.png"/></stack>"""
    png = png_bytes(noise(30, 30, 3))
    files = {"a.png": png, "b.svg": b"<svg/>" * 9, "c.png": png[: len(png) // 2]}
    picture = read_open_raster(foreign(stack, files))
    assert [layer.name for layer in picture.layers] == ["ok", "glow"]
    told = {warning.arguments["name"]: warning.code for warning in picture.warnings}
    left = dict.fromkeys(("vector", "words", "gone", "torn"), "LayerLeftOut")
    assert told == {"glow": "LayerLooksDifferent", **left}


def test_grey_and_deep_layers_of_others_become_colours() -> None:
    grey, deep = noise(3, 4, 1), (noise(3, 4, 4).astype(np.uint16) * 257)
    stack = '<stack><layer name="g" src="g.png"/><layer name="d" src="d.png"/></stack>'
    below, above = read_open_raster(
        foreign(stack, {"g.png": png_bytes(grey), "d.png": png_bytes(deep)})
    ).layers
    assert np.array_equal(below.image.pixels, noise(3, 4, 4))
    assert np.array_equal(above.image.pixels, grey.repeat(3, axis=2))


def test_what_another_program_forgot_is_recalled(tmp_path: Path) -> None:
    """Saved elsewhere: our attributes are gone, the mask is a white layer, and black was painted into it."""
    values = np.zeros((6, 8), np.uint8)
    values[:, 4:] = 200
    kinds = {"kind": "mask"}
    known = OraPicture(
        8, 6, (OraLayer("Photo", plain(8, 6, (1, 2, 3))), OraLayer("Sky", Image(values), attributes=kinds))
    )
    painted = np.dstack([np.full((6, 8, 3), 255, np.uint8), values])
    painted[0, 4:] = (0, 0, 0, 255)
    stack = (
        '<stack><layer name="new" src="p.png"/><layer name="Sky" src="p.png" visibility="hidden"/></stack>'
    )
    back = recalled(read_open_raster(foreign(stack, {"p.png": png_bytes(painted)})), known)
    sky, new = back.layers
    assert (sky.kind, sky.visible, sky.is_mask, new.kind, new.is_mask) == ("mask", True, True, "", False)
    selected = np.rint(sky.image.as_float()[..., 0] * 255)
    assert np.array_equal(selected[1:], values[1:])
    assert not selected[0].any()


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_open_raster(tmp_path / "a.ora", OraPicture(1, 1, (OraLayer("a", plain(1, 1, (0, 0, 0))),)))
    old = path.read_bytes()
    with pytest.raises(SaveFailed):
        write_open_raster(path, OraPicture(0, 5))
    assert path.read_bytes() == old
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveFailed):
        write_open_raster(tmp_path / "file" / "a.ora", OraPicture(1, 1))


# --- hostile files ---------------------------------------------------------------------------------------


def header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


ONE = '<stack><layer name="a" src="a.png"/></stack>'


@pytest.mark.parametrize(
    "data",
    [
        b"", b"PK\3\4", b"not a zip at all" * 9, foreign(ONE)[:-30], foreign(ONE)[:200],
        foreign(ONE, size=""), foreign(ONE, size='w="-5" h="4"'), foreign(ONE, size='w="1e3" h="4"'),
        foreign(""), foreign("<stack>"),
        foreign(ONE, {"b.png": png_bytes(noise(2, 2, 3))}),
        foreign("<stack>" * 70 + "</stack>" * 70), foreign("<stack>" * 200_000 + "</stack>" * 200_000),
        foreign("<stack>" + '<layer src="a.png"/>' * 1_001 + "</stack>"),
        foreign("<stack/>" + " " * (4 * 2**20)),
    ],
)  # fmt: skip
def test_what_is_broken_is_refused_in_plain_words(data: bytes) -> None:
    with pytest.raises(OpenRasterUnreadable) as caught:
        read_open_raster(data)
    assert caught.value.arguments["reason"].endswith(".")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_definitions_of_entities_are_refused(encoding: str) -> None:
    lol = "<!DOCTYPE image [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]>"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "image/openraster")
        archive.writestr("stack.xml", f'{lol}<image w="1" h="1"><stack name="&b;"/></image>'.encode(encoding))
    with pytest.raises(OpenRasterUnreadable):
        read_open_raster(buffer.getvalue())


def test_bombs_are_refused_by_numbers_before_they_take_memory() -> None:
    with pytest.raises(ImageTooLarge):
        read_open_raster(foreign(ONE, size='w="100000" h="100000"'))
    many = "<stack>" + '<layer src="a.png"/>' * 600 + "</stack>"
    with pytest.raises(OpenRasterTooLarge) as caught:
        read_open_raster(foreign(many, {"a.png": header(1_000, 1_000)}))
    assert caught.value.arguments["pixels"] == 600 * 10**6 // 2**20
    with pytest.raises(OpenRasterUnreadable, match="too many"):
        read_open_raster(foreign(ONE, {"a.png": header(30_000, 10_000)}))  # within the total, not for one
    swollen = foreign(ONE, {"a.png": header(2, 2) + bytes(40 * 2**20)})
    with pytest.raises(OpenRasterUnreadable, match="unpacks to 41"):
        read_open_raster(swollen)


def test_a_second_size_in_a_layer_is_no_way_in() -> None:
    png = png_bytes(noise(2, 2, 4))
    twice = png[:8] + header(1, 1)[8:] + png[8:]
    stack = '<stack><layer src="a.png" name="sly"/><layer src="b.png" name="fair"/></stack>'
    picture = read_open_raster(foreign(stack, {"a.png": twice, "b.png": png}))
    assert [layer.name for layer in picture.layers] == ["fair"]


def test_a_table_of_contents_that_never_ends() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for index in range(10_000):
            archive.writestr(f"{index:060d}", b"")
    with pytest.raises(OpenRasterUnreadable, match="table of contents"):
        read_open_raster(buffer.getvalue())


def test_random_damage_never_gives_another_error(tmp_path: Path) -> None:
    picture = OraPicture(9, 9, (OraLayer("a", Image(noise(9, 9, 4))), OraLayer("b", Image(noise(9, 9, 1)))))
    data = write_open_raster(tmp_path / "a.ora", picture).read_bytes()
    source = np.random.default_rng(5)
    for _ in range(300):
        broken = bytearray(data)
        for at in source.integers(0, len(data), 3):
            broken[at] = source.integers(0, 256)
        try:
            read_open_raster(bytes(broken))
        except DiptychError:
            continue


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        read_open_raster(tmp_path / "none.ora")
    with pytest.raises(OpenRasterUnreadable):
        read_open_raster(tmp_path)


def test_png_of_every_form_is_read_by_the_decoder() -> None:
    for channels, order in ((1, [0]), (2, [0, 0, 0, 1]), (3, [0, 1, 2]), (4, [0, 1, 2, 3])):
        pixels = noise(5, 7, channels)
        assert np.array_equal(decode_image(png_bytes(pixels)).pixels, pixels[..., order])
        deep = np.random.default_rng(2).integers(0, 65_536, (5, 7, channels), np.uint16)
        assert np.array_equal(np.rint(decode_image(png_bytes(deep)).pixels * 65_535), deep[..., order])
    tall = noise(3_000, 700, 4)[:, ::2]  # several bands, and not contiguous
    assert np.array_equal(decode_image(png_bytes(tall)).pixels, tall)
