"""The cache's files: complete or absent, bounded, and believed only if their digest is right."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blake3 import blake3

from pipelines.graph.cache import Cache, Entry
from pipelines.graph.disk_cache import DiskCache
from pipelines.graph.entry import ALIGNMENT, MAGIC, decode, encode
from pipelines.graph.node import file_fingerprint
from pipelines.graph.values import Image, ListValue, Mask, ModelHandle, Size
from tests.helpers.stub_nodes import Bench, graph

KEY, OTHER = bytes(32), b"\x01" * 32
RANDOM = np.random.default_rng(0)


def picture(height: int = 5, width: int = 3, channels: int = 3, kind: str = "uint8") -> Image:
    pixels = RANDOM.integers(0, 255, (height, width, channels), np.uint8)
    return Image(
        pixels if kind == "uint8" else (pixels / 255).astype(np.float32), {"seed": 2**63, "size": (3, 5)}
    )


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Image):
        return bool((one.pixels == other.pixels).all()) and one.pixels.dtype == other.pixels.dtype
    if isinstance(one, Mask):
        return bool((one.values == other.values).all())
    if isinstance(one, ListValue):
        return isinstance(other, ListValue) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)


@pytest.fixture
def disk(tmp_path: Path) -> DiskCache:
    return DiskCache(tmp_path / "results", min_seconds=0)


def files(disk: DiskCache) -> list[Path]:
    return sorted(disk.folder.iterdir())


@pytest.mark.parametrize(
    "value",
    [
        "text 😀 \ud800",
        "",
        7,
        -(10**60),
        2**64 - 1,
        1.5,
        -0.0,
        float("inf"),
        float("nan"),
        True,
        False,
        picture(),
        picture(1, 1, 1),
        picture(7, 5, 4, "float32"),
        Mask(np.linspace(0, 1, 6).reshape(2, 3)),
        ListValue(),
        ListValue(["a", "b"]),
        ListValue([picture(), picture(3, 1, 1), picture(2, 2, 3, "float32")]),
    ],
)
def test_values_come_back_as_they_were(disk: DiskCache, value: Any) -> None:
    disk.put(KEY, Entry({"out": value, "second": "x"}, 2.5, {"/a": "stamp"}, value))
    read = DiskCache(disk.folder).get(KEY)
    assert read is not None
    assert same(value, read.outputs["out"])
    assert same(value, read.shown)
    assert (read.seconds, dict(read.files)) == (2.5, {"/a": "stamp"})


def test_pictures_come_back_read_only_aligned_and_with_their_history(disk: DiskCache) -> None:
    disk.put(KEY, Entry({"a": picture(), "b": picture(7, 5, 3, "float32")}, 1))
    read = disk.get(KEY)
    assert read is not None
    for image in read.outputs.values():
        assert not image.pixels.flags.writeable
        assert image.pixels.flags.aligned
        assert dict(image.info) == {"seed": 2**63, "size": [3, 5]}
    with pytest.raises(ValueError):
        read.outputs["a"].pixels[0, 0] = 1


@pytest.mark.parametrize(
    "value",
    [
        ModelHandle("language", "m", "/m", "llama"), {"a": 1}, [1], None, Size(1, 2), object(),
        ListValue(["x", ModelHandle("language", "m", "/m", "llama")]),
        Image(np.zeros((1, 1, 3), np.uint8), {"made": object()}),
        Image(np.zeros((1, 1, 3), np.uint8), {"rate": float("nan")}),
    ],
)  # fmt: skip
def test_anything_else_is_not_kept(disk: DiskCache, value: Any) -> None:
    disk.put(KEY, Entry({"fine": "x", "out": value}, 1))
    assert disk.get(KEY) is None
    assert files(disk) == []


def test_quick_results_are_not_worth_a_file(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path, min_seconds=0.1)
    disk.put(KEY, Entry({"a": "x"}, 0.05))
    disk.put(OTHER, Entry({"a": "x"}, 0.2))
    assert [path.stem for path in files(disk)] == [OTHER.hex()]


def damage(data: bytes, how: str) -> bytes:
    match how:
        case "empty":
            return b""
        case "short":
            return data[:-1]
        case "long":
            return data + b"\0"
        case "flipped":
            return data[:-70] + bytes([data[-70] ^ 1]) + data[-69:]
        case "magic":
            return b"X" + data[1:]
        case _:
            return os.urandom(len(data))


@pytest.mark.parametrize("how", ["empty", "short", "long", "flipped", "magic", "noise"])
def test_a_damaged_file_is_ignored_and_deleted(disk: DiskCache, how: str) -> None:
    disk.put(KEY, Entry({"image": picture(40, 40)}, 1))
    [path] = files(disk)
    path.write_bytes(damage(path.read_bytes(), how))
    again = DiskCache(disk.folder, min_seconds=0)
    assert again.get(KEY) is None
    assert files(again) == []
    assert again.bytes == 0
    again.put(KEY, Entry({"a": "x"}, 1))
    assert again.get(KEY) is not None


@pytest.mark.parametrize(
    "header",
    [
        b"[]", b"{}", b"5", b"[" * 100_000, b'{"key": null}',
        b'{"key": "KEY", "seconds": 1, "files": {}, "shown": null, "arrays": [],'
        b' "outputs": {"a": ["image", 4, {}, "s"]}}',
        b'{"key": "KEY", "seconds": 1, "files": {}, "shown": null, "arrays": [],'
        b' "outputs": {"a": ["code", 4]}}',
        b'{"key": "KEY", "seconds": 1, "files": {}, "shown": null, "arrays": [], "outputs": []}',
        b'{"key": "KEY", "seconds": 1, "files": {}, "shown": null, "outputs": {},'
        b' "arrays": [{"dtype": "object", "shape": [1]}]}',
        b'{"key": "KEY", "seconds": 1, "files": {}, "shown": null, "outputs": {},'
        b' "arrays": [{"dtype": "uint8", "shape": [-1]}]}',
        b'{"key": "KEY", "seconds": 1, "files": {}, "shown": null, "outputs": {},'
        b' "arrays": [{"dtype": "uint8", "shape": [4294967296, 4294967296]}]}',
        b'{"key": "KEY", "seconds": 1, "files": {}, "shown": null, "outputs": {},'
        b' "arrays": [{"dtype": "uint8", "shape": [1e400]}]}',
        b'{"key": "KEY", "seconds": 1, "files": {}, "shown": null, "outputs": {},'
        b' "arrays": [{"dtype": "uint8", "shape": [99999999999999999999999]}]}',
    ],
)  # fmt: skip
def test_a_forged_header_with_a_right_digest_is_harmless(disk: DiskCache, header: bytes) -> None:
    header = header.replace(b"KEY", KEY.hex().encode())
    header += b" " * (-(48 + len(header)) % ALIGNMENT)
    rest = len(header).to_bytes(8, "little") + header
    disk.put(KEY, Entry({"a": "x"}, 1))
    [path] = files(disk)
    path.write_bytes(MAGIC + blake3(rest).digest() + rest)
    assert disk.get(KEY) is None
    assert files(disk) == []


def test_an_entry_under_another_key_is_refused() -> None:
    data = encode(Entry({"a": "x"}, 1), KEY)
    assert decode(data, KEY).outputs == {"a": "x"}
    with pytest.raises(ValueError):
        decode(data, OTHER)


def test_the_least_recently_used_files_go_first_also_after_a_restart(tmp_path: Path) -> None:
    keys = [bytes([number]) * 32 for number in range(4)]
    one = len(encode(Entry({"image": picture(40, 40)}, 1), keys[0]))
    disk = DiskCache(tmp_path, limit=3 * one + 10, min_seconds=0)
    for number, key in enumerate(keys[:3]):
        disk.put(key, Entry({"image": picture(40, 40)}, 1))
        os.utime(tmp_path / f"{key.hex()}.entry", (number, number))
    assert disk.get(keys[0]) is not None
    disk = DiskCache(tmp_path, limit=3 * one + 10, min_seconds=0)
    disk.put(keys[3], Entry({"image": picture(40, 40)}, 1))
    assert {path.stem for path in files(disk)} == {keys[0].hex(), keys[2].hex(), keys[3].hex()}
    assert disk.bytes <= disk.limit
    smaller = DiskCache(tmp_path, limit=one + 10, min_seconds=0)
    assert [path.stem for path in files(smaller)] == [keys[3].hex()]
    assert smaller.bytes == files(smaller)[0].stat().st_size


def test_an_entry_larger_than_the_limit_is_not_written(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path, limit=500, min_seconds=0)
    disk.put(KEY, Entry({"image": picture(40, 40)}, 1))
    assert files(disk) == []


def test_what_an_interrupted_write_left_is_swept_and_strange_files_stay(tmp_path: Path) -> None:
    (tmp_path / f"{KEY.hex()}.entry-1a2b3c4d").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "mine.entry").write_text("mine too")
    disk = DiskCache(tmp_path, min_seconds=0)
    assert {path.name for path in files(disk)} == {"notes.txt", "mine.entry"}
    assert len(disk) == 0
    disk.put(KEY, Entry({"a": "x"}, 1))
    disk.clear()
    assert {path.name for path in files(disk)} == {"notes.txt", "mine.entry"}


def test_a_full_disk_means_only_that_nothing_is_kept(
    disk: DiskCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    disk.put(KEY, Entry({"a": "x"}, 1))
    assert disk.get(KEY) is None
    assert files(disk) == []


def test_a_folder_that_cannot_be_made_means_only_that_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    disk = DiskCache(tmp_path / "file" / "results", min_seconds=0)
    disk.put(KEY, Entry({"a": "x"}, 1))
    assert disk.get(KEY) is None


@pytest.mark.skipif(
    sys.platform == "win32", reason="POSIX permissions; on Windows the profile folder's apply"
)
def test_the_folder_is_the_users_alone(disk: DiskCache) -> None:
    assert disk.folder.stat().st_mode & 0o077 == 0


def test_the_cache_looks_on_the_disk_and_writes_through(tmp_path: Path) -> None:
    first = Cache(disk=DiskCache(tmp_path / "d", min_seconds=0))
    first.put(KEY, Entry({"a": "x"}, 1))
    second = Cache(disk=DiskCache(tmp_path / "d"))
    assert len(second) == 0
    found = second.get(KEY)
    assert found is not None
    assert found.outputs == {"a": "x"}
    assert len(second) == 1, "it is in memory from now on"
    second.clear()
    assert second.get(KEY) is not None
    second.discard(KEY)
    assert second.get(KEY) is None


def test_a_saved_file_that_changed_makes_its_entry_worthless_on_disk_too(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_text("one")
    disk = DiskCache(tmp_path / "d", min_seconds=0)
    Cache(disk=disk).put(KEY, Entry({"path": str(path)}, 1, {str(path): file_fingerprint(path)}))
    path.write_text("other text")
    assert Cache(disk=disk).get(KEY) is None
    assert files(disk) == []


def test_another_session_runs_nothing_again(bench: Bench) -> None:
    made = graph(
        p=("stub.picture", {"size": 6}), t=("stub.typed", {}, {"image": ("p", "image")}),
        s=("stub.sampler", {"batch": 3, "seed": 4}),
    )  # fmt: skip
    bench.cache = Cache(disk=DiskCache(bench.folder / "d", min_seconds=0))
    first = bench.run(made)
    bench.cache = Cache(disk=DiskCache(bench.folder / "d", min_seconds=0))
    second = bench.run(made)
    assert {node: result.status for node, result in second.items()} == {
        "p": "cached", "t": "executed", "s": "cached",
    }, "JSON results are not kept on disk"  # fmt: skip
    assert same(first["s"].outputs["image"], second["s"].outputs["image"])
