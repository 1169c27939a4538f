"""Masks as files: no step is lost, the name goes along, and any picture of others gives a mask."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from pipelines.errors import FileMissing, ImageUnreadable, SaveFailed
from pipelines.graph.values import Array, Mask
from pipelines.image.mask_files import read_mask, read_named_mask, write_mask
from pipelines.image.png import png_bytes


def steps(bits: int) -> Mask:
    count = 2**bits
    return Mask((np.arange(count, dtype=np.float32) / np.float32(count - 1)).reshape(16, -1))


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_masks_come_back_to_the_last_step(alpha: bool, bits: int, tmp_path: Path) -> None:
    mask = steps(bits)
    path = write_mask(tmp_path / "m.png", mask, alpha=alpha)
    assert path.read_bytes()[24:26] == bytes([bits, 6 if alpha else 0])
    full = 2**bits - 1
    assert np.array_equal(np.rint(read_mask(path).values * full), np.rint(mask.values * full))


@pytest.mark.parametrize("value", [0.0, 0.25, 1.0])
def test_one_value_everywhere_is_no_trap_for_alpha(value: float, tmp_path: Path) -> None:
    mask = Mask(np.full((3, 4), value, np.float32))
    path = write_mask(tmp_path / "m.png", mask, alpha=True)
    assert read_mask(path).values == pytest.approx(mask.values, abs=1e-5)


@pytest.mark.parametrize("name", ["Sky", "Ärmel – links", "空", "half \ud800 a character\0"])
def test_a_mask_has_a_name(name: str, tmp_path: Path) -> None:
    found = read_named_mask(write_mask(tmp_path / "m.png", steps(8), name)).name
    assert found == " ".join(name.replace("\ud800", "?").replace("\0", " ").split())


def test_a_picture_without_a_name_has_its_file_s(tmp_path: Path) -> None:
    path = tmp_path / "left hand.jpg"
    Pillow.new("L", (8, 8), 200).save(path)
    mask, name = read_named_mask(path)
    assert name == "left hand"
    assert mask.values.mean() == pytest.approx(200 / 255, abs=0.01)


def saved(pixels: Array, tmp_path: Path) -> Path:
    path = tmp_path / "other.png"
    path.write_bytes(png_bytes(pixels))
    return path


def test_pictures_of_others(tmp_path: Path) -> None:
    colour = np.zeros((1, 3, 4), np.uint8)
    colour[0] = [(255, 0, 0, 255), (0, 255, 0, 255), (255, 255, 255, 255)]
    brightness = read_mask(saved(colour, tmp_path)).values[0]
    assert brightness == pytest.approx([0.2126, 0.7152, 1], abs=1e-4)
    colour[0, :, 3] = (0, 51, 255)
    assert read_mask(saved(colour, tmp_path)).values[0] == pytest.approx([0, 0.2, 1], abs=1e-6)
    colour[0, :, 3] = 0
    assert not read_mask(saved(colour, tmp_path)).values.any()  # nothing to be seen selects nothing


def test_faults_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        read_mask(tmp_path / "none.png")
    data = io.BytesIO(b"no picture")
    (tmp_path / "text.png").write_bytes(data.getvalue())
    with pytest.raises(ImageUnreadable):
        read_named_mask(tmp_path / "text.png")
    with pytest.raises(SaveFailed):
        write_mask(tmp_path / "empty.png", Mask(np.zeros((0, 0), np.float32)))
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveFailed):
        write_mask(tmp_path / "file" / "m.png", steps(8))
