"""Previews: close to the decoded picture, bounded, kept on disk, and never in the way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.diffusion.latents import preview
from pipelines.diffusion.latents.preview import MAX_SIDE, preview_matrix, render
from pipelines.graph.values import Part
from pipelines.nodes.diffusion import TextToImage


@pytest.fixture
def fresh(starter):
    starter.loaded.memo.clear()
    return starter


def test_the_map_shows_the_colours_of_the_picture(fresh):
    drawn = TextToImage().run(
        {"model": fresh.loaded.handle, "prompt": "a red apple on a blue background", "seed": 7},
        TextToImage.Params(width=64, height=64, steps=12, guidance_scale=4, guidance_rescale=0.7), fresh,
    )  # fmt: skip
    shown = fresh.denoising[-1].preview.pixels.astype(float)
    pooled = drawn["image"].pixels.astype(float).reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
    assert shown.shape == (16, 16, 3)
    assert np.abs(shown - pooled).mean() < 20
    assert np.corrcoef(shown.ravel(), pooled.ravel())[0, 1] > 0.9


def test_the_map_is_fitted_once_and_read_from_disk_afterwards(fresh, monkeypatch):
    fitted = preview_matrix(fresh.loaded, fresh.cache_dir)
    assert fitted.shape == (5, 3)
    monkeypatch.setattr(preview, "fit", lambda loaded: pytest.fail("fitted again"))
    assert preview_matrix(fresh.loaded, fresh.cache_dir) is fitted
    fresh.loaded.memo.clear()
    np.testing.assert_array_equal(preview_matrix(fresh.loaded, fresh.cache_dir), fitted)


@pytest.mark.parametrize("damage", [b"", b"junk", b"\x93NUMPY\x01\x00"])
def test_a_damaged_file_is_replaced(fresh, damage):
    fitted = preview_matrix(fresh.loaded, fresh.cache_dir)
    (path,) = (fresh.cache_dir / "preview").iterdir()
    path.write_bytes(damage)
    fresh.loaded.memo.clear()
    np.testing.assert_allclose(preview_matrix(fresh.loaded, fresh.cache_dir), fitted, atol=0.2)
    assert np.load(path).shape == (5, 3)


def test_a_map_of_another_shape_or_with_objects_is_not_used(fresh):
    fitted = preview_matrix(fresh.loaded, fresh.cache_dir)
    (path,) = (fresh.cache_dir / "preview").iterdir()
    for wrong in (np.zeros((17, 3), np.float32), np.array([{}], dtype=object)):
        np.save(path, wrong, allow_pickle=True)
        fresh.loaded.memo.clear()
        assert preview_matrix(fresh.loaded, fresh.cache_dir).shape == fitted.shape


def test_a_cache_folder_that_cannot_be_written_costs_nothing_but_time(fresh):
    blocked = fresh.cache_dir / "file"
    blocked.write_text("not a folder")
    assert preview_matrix(fresh.loaded, blocked).shape == (5, 3)


def test_previews_are_bounded_and_batches_become_a_grid():
    matrix = np.ones((5, 3), np.float32)
    assert render(torch.zeros(1, 4, 20, 30), matrix).shape == (20, 30, 3)
    assert render(torch.zeros(3, 4, 20, 30), matrix).shape == (40, 60, 3)
    assert max(render(torch.zeros(1, 4, 1000, 300), matrix).shape) <= MAX_SIDE
    assert render(torch.zeros(1, 4, 2, 2), matrix).dtype == np.uint8


def test_a_grid_keeps_pictures_whole():
    latents = torch.arange(4.0).reshape(4, 1, 1, 1).expand(4, 1, 2, 2) / 4
    shown = render(latents, np.array([[1, 1, 1], [0, 0, 0]], np.float32))
    assert [int(shown[y, x, 0]) for y, x in ((0, 0), (0, 3), (3, 0), (3, 3))] == [0, 64, 128, 191]


def test_values_that_are_no_numbers_are_shown_not_raised():
    assert render(torch.full((1, 4, 2, 2), float("nan")), np.ones((5, 3), np.float32)).shape == (2, 2, 3)


@pytest.mark.parametrize("family", ["sdxl", "sd3", "flux"])
def test_the_map_is_fitted_for_every_family(families, family, tmp_path):
    families[family].memo.clear()
    channels = families[family].pipeline.vae.config.latent_channels
    matrix = preview_matrix(families[family], tmp_path)
    assert matrix.shape == (channels + 1, 3)
    assert np.isfinite(matrix).all()


def test_another_vae_has_a_map_of_its_own(families, tmp_path):
    loaded, own = families["sd1"], families["sd1"].handle
    try:
        for parts in ((), (Part("vae", "other", "/other.safetensors", "2"),)):
            loaded.handle = own.replace(parts=parts)
            loaded.memo.clear()
            preview_matrix(loaded, tmp_path)
    finally:
        loaded.handle = own
        loaded.memo.clear()
    assert len(list((tmp_path / "preview").iterdir())) == 2
