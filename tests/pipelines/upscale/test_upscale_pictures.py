"""Enlarging pictures: channels, factors, tiles, memory that runs out, and cancelling."""

from __future__ import annotations

import os
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spandrel import ModelLoader
from spandrel.architectures.Compact import CompactArch

from pipelines import paths
from pipelines.errors import Cancelled, DiskFull, ImageTooLarge, ModelUnsuitable, OutOfMemory
from pipelines.graph.node import FlagToken
from pipelines.graph.values import Array, Image, ModelHandle
from pipelines.image import resize, rows
from pipelines.models.loaded import LoadedUpscale
from pipelines.upscale import rows as module
from pipelines.upscale import upscale
from pipelines.upscale.memory import bytes_per_pixel, choose_tile
from pipelines.upscale.tiles import count_tiles
from pipelines.upscale.upscaler import count_runs

Usage = namedtuple("Usage", "total used free")
HANDLE = ModelHandle("upscale", "tiny", "tiny.safetensors", "Compact")


class Repeat:
    """Stands for a spandrel descriptor: every pixel becomes a square; ``before`` sees each tile."""

    def __init__(
        self, scale: int = 2, channels: int = 3, before: Callable[[torch.Tensor], None] | None = None
    ) -> None:
        self.scale, self.input_channels, self.output_channels = scale, channels, channels
        self.model = torch.nn.Identity()
        self.sizes: list[tuple[int, int]] = []
        self._before = before

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        assert image.dim() == 4
        assert image.shape[1] == self.input_channels
        if self._before is not None:
            self._before(image)
        self.sizes.append((image.shape[3], image.shape[2]))
        return image.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)


def loaded(descriptor: Any, dtype: torch.dtype = torch.float32) -> LoadedUpscale:
    return LoadedUpscale(HANDLE, descriptor, torch.device("cpu"), dtype)


def noise(height: int, width: int, channels: int = 3, dtype: Any = np.uint8) -> Image:
    """Nothing in it is wholly transparent: the colour of that is not kept."""
    pixels = np.random.default_rng(2).integers(1, 256, (height, width, channels), np.uint8)
    return Image(pixels if dtype is np.uint8 else pixels.astype(np.float32) / 255, {"seed": 1})


def repeated(image: Image, scale: int) -> Array:
    return image.pixels.repeat(scale, 0).repeat(scale, 1)


@pytest.fixture(scope="module")
def compact() -> LoadedUpscale:
    """The starter's architecture, small and with random weights; it sees 10 px around every pixel."""
    torch.manual_seed(0)
    sizes = [(3, 8), *[(8, 8)] * 8, (8, 12)]
    data: dict[str, torch.Tensor] = {}
    for index, (before, after) in enumerate(sizes):
        data[f"body.{2 * index}.weight"] = torch.randn(after, before, 3, 3) / (before * 5) ** 0.5
        data[f"body.{2 * index}.bias"] = torch.zeros(after)
        if index < len(sizes) - 1:
            data[f"body.{2 * index + 1}.weight"] = torch.full((after,), 0.2)
    return loaded(CompactArch().load(data).eval())


# --- channels and types ----------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("model_channels", [1, 3])
def test_every_kind_of_picture_keeps_its_kind(channels: int, dtype: Any, model_channels: int) -> None:
    image = noise(40, 50, channels, dtype)
    result = upscale(loaded(Repeat(2, model_channels)), image)
    assert result.pixels.dtype == dtype
    assert np.allclose(result.pixels.astype(np.float32), repeated(image, 2), atol=1e-5)
    assert not result.pixels.flags.writeable


def test_the_history_says_what_enlarged_it() -> None:
    info = upscale(loaded(Repeat()), noise(8, 8)).info
    assert (info["seed"], info["upscaler"], info["upscale_factor"]) == (1, "tiny", 2.0)


def test_opaque_alpha_stays_opaque_without_a_look() -> None:
    pixels = noise(20, 20, 4).pixels.copy()
    pixels[..., 3] = 255
    descriptor = Repeat()
    result = upscale(loaded(descriptor), Image(pixels), tile=64)
    assert (result.pixels[..., 3] == 255).all()
    assert descriptor.sizes == [(28, 28)]  # 4 px of edge on each side


def test_the_colour_of_what_is_invisible_does_not_bleed() -> None:
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:, 8:] = (200, 100, 50, 255)
    seen: list[torch.Tensor] = []
    upscale(loaded(Repeat(before=lambda tile: seen.append(tile.clone()))), Image(pixels), tile=64)
    assert np.allclose(seen[0][0].mean((1, 2)).numpy() * 255, (200, 100, 50), atol=1)


def test_half_precision(compact: LoadedUpscale) -> None:
    seen: list[torch.dtype] = []
    upscale(loaded(Repeat(before=lambda tile: seen.append(tile.dtype)), torch.bfloat16), noise(8, 8), tile=64)
    assert seen == [torch.bfloat16]


# --- factors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "size"), [(0, (40, 28)), (2, (40, 28)), (1, (20, 14)), (1.5, (30, 21)), (4, (80, 56))]
)
def test_any_factor(factor: float, size: tuple[int, int]) -> None:
    result = upscale(loaded(Repeat()), noise(14, 20), factor)
    assert (result.width, result.height) == size


@pytest.mark.parametrize(
    ("scale", "factor", "runs"),
    [(4, 4, 1), (4, 8, 2), (4, 7, 1), (4, 16, 2), (2, 16, 4), (2, 3, 2), (2, 2.5, 1), (4, 0.5, 1), (1, 4, 1)],
)
def test_how_often_the_model_runs(scale: int, factor: float, runs: int) -> None:
    assert count_runs(scale, factor) == runs


def test_a_factor_beyond_the_model_runs_it_again() -> None:
    descriptor = Repeat()
    steps: list[tuple[int, int]] = []
    image = noise(10, 12)
    result = upscale(loaded(descriptor), image, 4, 64, progress=lambda *step: steps.append(step))
    assert np.array_equal(result.pixels, repeated(image, 4))
    assert descriptor.sizes == [(20, 18), (32, 28)]
    assert steps == [(1, 2), (2, 2)]
    assert result.info["upscale_factor"] == 4.0


@pytest.mark.parametrize(
    ("size", "expected"), [((60, 60), (60, 30)), ((100, 20), (40, 20)), ((0, 30), (60, 30)), ((7, 0), (7, 4))]
)
def test_any_size_in_the_proportions_of_the_picture(size: tuple[int, int], expected: tuple[int, int]) -> None:
    result = upscale(loaded(Repeat()), noise(10, 20), size=size)
    assert (result.width, result.height) == expected


def test_a_picture_of_one_pixel(compact: LoadedUpscale) -> None:
    assert upscale(loaded(Repeat()), noise(1, 1)).width == 2
    assert upscale(compact, noise(1, 1), 0.1).width == 1


# --- tiles -----------------------------------------------------------------------------------------------


@given(st.integers(20, 260), st.integers(20, 260), st.integers(112, 200), st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tiled_equals_untiled(compact: LoadedUpscale, height: int, width: int, tile: int, seed: int) -> None:
    """Everywhere but at the edge of the picture, where the border is all that a model sees beyond it."""
    pixels = np.random.default_rng(seed).random((height, width, 3), np.float32)
    whole = upscale(compact, Image(pixels), tile=512).pixels
    assert whole.std() > 0.05  # there is something to get wrong
    difference = np.abs(upscale(compact, Image(pixels), tile=tile).pixels - whole)
    assert difference.max() <= 1 / 255


def test_tiles_are_as_large_as_wanted_and_counted() -> None:
    descriptor = Repeat()
    steps: list[tuple[int, int]] = []
    upscale(
        loaded(descriptor), noise(100, 130), tile=64, progress=lambda done, total: steps.append((done, total))
    )
    assert set(descriptor.sizes) == {(64, 64)}
    assert steps == [(index + 1, len(descriptor.sizes)) for index in range(len(descriptor.sizes))]


def test_progress_counts_the_tiles_of_alpha_too() -> None:
    steps: list[tuple[int, int]] = []
    upscale(
        loaded(Repeat()),
        noise(100, 130, 4),
        tile=64,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps[-1][0] == steps[-1][1] == len(steps)


def test_cancelling_stops_before_the_next_tile() -> None:
    token = FlagToken()
    descriptor = Repeat(before=lambda _tile: token.cancel())
    with pytest.raises(Cancelled):
        upscale(loaded(descriptor), noise(100, 130), tile=64, cancel=token)
    assert len(descriptor.sizes) == 1


def test_cancelling_stops_within_a_tile() -> None:
    """A large model takes minutes for one: the next of its layers is not begun."""
    token = FlagToken()
    first, second = torch.nn.Conv2d(3, 3, 3, padding=1), torch.nn.Conv2d(3, 3, 3, padding=1)
    ran: list[str] = []

    def cancel(*_: object) -> None:
        ran.append("first")
        token.cancel()

    first.register_forward_hook(cancel)
    second.register_forward_hook(lambda *_: ran.append("second"))
    descriptor = Repeat(1)
    descriptor.model = torch.nn.Sequential(torch.nn.Sequential(first, torch.nn.ReLU(), second))
    hooks = [len(layer._forward_pre_hooks) for layer in descriptor.model.modules()]
    descriptor._before = descriptor.model
    with pytest.raises(Cancelled):
        upscale(loaded(descriptor), noise(100, 130), tile=256, cancel=token)
    assert ran == ["first"]
    assert [len(layer._forward_pre_hooks) for layer in descriptor.model.modules()] == hooks


# --- memory ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_tiles_shrink_when_memory_runs_out_and_the_work_goes_on(error: BaseException) -> None:
    """The third tile is the first that doesn't fit: what was done before it is not done again."""
    calls: list[int] = []

    def sometimes(tile: torch.Tensor) -> None:
        calls.append(tile.shape[2])
        if len(calls) >= 3 and max(tile.shape[2:]) > 70:
            raise error

    image = noise(200, 300)
    descriptor = Repeat(before=sometimes)
    result = upscale(loaded(descriptor), image, tile=128)
    assert np.array_equal(result.pixels, repeated(image, 2))
    assert descriptor.sizes[:2] == [(128, 128)] * 2
    assert max(max(size) for size in descriptor.sizes[2:]) == 64
    assert calls.count(128) == 3  # two that fitted, one that failed; the rest starts small


def test_parts_of_a_tile_that_are_done_are_not_done_again() -> None:
    """Memory runs out in the third tile, and again in the second part of it: the first part counts."""
    done: list[int] = []
    failed: list[int] = []

    def sometimes(tile: torch.Tensor) -> None:
        side = max(tile.shape[2:])
        if (len(done) == 2 and side > 70) or (len(done) == 3 and side > 40):
            failed.append(side)
            raise torch.OutOfMemoryError("CUDA out of memory")
        done.append(side)

    image = noise(200, 300)
    result = upscale(loaded(Repeat(before=sometimes)), image, tile=128)
    assert np.array_equal(result.pixels, repeated(image, 2))
    assert failed == [128, 64]
    parts = {side: count_tiles(128, 128, side) for side in (64, 32)}
    in_third = 1 + (parts[64] - 1) * count_tiles(64, 64, 32)
    assert len(done) == 2 + in_third + 3 * parts[32]
    assert done.count(64) == 1


def test_memory_that_never_suffices_is_said() -> None:
    def never(_tile: torch.Tensor) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")

    with pytest.raises(OutOfMemory, match="20 MiB"):
        upscale(loaded(Repeat(before=never)), noise(100, 100), tile=64)


def test_another_error_is_not_taken_for_memory() -> None:
    def broken(_tile: torch.Tensor) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="multiplied"):
        upscale(loaded(Repeat(before=broken)), noise(8, 8), tile=64)


def test_the_tile_is_chosen_by_memory(compact: LoadedUpscale, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.models import device
    from pipelines.models.memory import Memory

    cost = bytes_per_pixel(compact)
    assert cost >= 8 * 4  # the activations of one layer
    sizes = {}
    for free in (1, 2 * cost * 100**2, 1e15):
        monkeypatch.setattr(device, "memory", lambda *_arguments, free=free: Memory(int(free), int(free), 0))
        sizes[free] = choose_tile(compact, 4000, 3000)
    assert list(sizes.values()) == [32, 96, 256]
    assert choose_tile(compact, 20, 10) == 20
    assert not any(module._forward_hooks for module in compact.descriptor.model.modules())


# --- large results ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_large_result_is_in_a_file_that_nobody_sees(
    dtype: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = noise(200, 130, 4, dtype)
    expected = upscale(loaded(Repeat()), image, 3, 64).pixels
    monkeypatch.setattr(rows, "IN_MEMORY", 1000)
    result = upscale(loaded(Repeat()), image, 3, 64, folder=tmp_path / "cache")
    assert isinstance(result.pixels.base, np.memmap)
    assert not result.pixels.flags.writeable
    assert np.array_equal(result.pixels, expected)
    if os.name == "posix":
        assert not list((tmp_path / "cache").iterdir())


def test_a_disk_without_room_is_told_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "IN_MEMORY", 1000)
    monkeypatch.setattr(rows.shutil, "disk_usage", lambda _folder: Usage(1, 1, 0))
    descriptor = Repeat()
    with pytest.raises(DiskFull):
        upscale(loaded(descriptor), noise(100, 100), tile=64, folder=tmp_path)
    assert descriptor.sizes == []


def test_wide_pictures_have_low_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of tiles is never larger than its share of memory, however wide the picture is."""
    monkeypatch.setattr(module, "MAX_STRIP", 1000 * 2 * 2 * 3 * 4 * 40)
    descriptor = Repeat()
    image = noise(100, 992)
    assert np.array_equal(upscale(loaded(descriptor), image, tile=96).pixels, repeated(image, 2))
    assert {size[1] for size in descriptor.sizes} == {40}
    assert max(size[0] for size in descriptor.sizes) == 96


# --- what can't be done ----------------------------------------------------------------------------------


def test_a_result_that_is_too_large_is_refused_first() -> None:
    descriptor = Repeat(16)
    with pytest.raises(ImageTooLarge):
        upscale(loaded(descriptor), noise(1200, 1200))
    assert descriptor.sizes == []


def test_a_model_for_something_else() -> None:
    with pytest.raises(ModelUnsuitable):
        upscale(loaded(Repeat(channels=4)), noise(8, 8))


def test_numbers_that_overflow_are_no_black_picture() -> None:
    def poison(tile: torch.Tensor) -> None:
        tile.fill_(float("nan"))

    with pytest.raises(ModelUnsuitable, match="no numbers"):
        upscale(loaded(Repeat(before=poison)), noise(8, 8), tile=64)


@pytest.mark.starter
def test_the_starter_is_as_good_as_bicubic() -> None:
    folder = paths.RESOURCES / "starter" / "upscaler"
    descriptor = ModelLoader().load_from_file(folder / "upscaler_4x.safetensors").float().eval()
    rows, columns = np.mgrid[0:64, 0:64].astype(np.float32)
    smooth = 0.5 + 0.4 * np.sin(rows / 6)[..., None] * np.cos(columns / 9)[..., None] * np.ones(3, np.float32)
    image = Image(smooth.astype(np.float32))
    result = upscale(loaded(descriptor), image)
    expected = resize(image, 256, 256, "bicubic").pixels
    assert np.abs(result.pixels - expected)[16:-16, 16:-16].max() < 0.02
