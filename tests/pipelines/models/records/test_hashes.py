"""Content hashes: right, made once, remembered, and never in the way."""

from __future__ import annotations

import hashlib
import time

from pipelines.models.records import hashes
from pipelines.models.records.hashes import ContentHashes, weights_of


def test_a_file_is_known_by_its_own_sha256_and_hashed_once(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights")
    known = hashlib.sha256(b"weights").hexdigest()
    assert ContentHashes(tmp_path).of("print", path) == known
    monkeypatch.setattr(hashes, "sha256_of", lambda files: 1 / 0)
    assert ContentHashes(tmp_path).of("print", path) == known


def test_a_folder_is_known_by_its_weights_in_order(tmp_path):
    (tmp_path / "unet").mkdir()
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "b.safetensors").write_bytes(b"2")
    (tmp_path / "unet" / "a.safetensors").write_bytes(b"1")
    (tmp_path / "config.json").write_bytes(b"{}")
    assert [path.name for path in weights_of(tmp_path)] == ["a.safetensors", "b.safetensors"]
    assert ContentHashes(tmp_path / "cache").of("p", tmp_path) == hashlib.sha256(b"12").hexdigest()


def test_a_large_model_is_hashed_in_the_background(tmp_path, monkeypatch):
    monkeypatch.setattr(hashes, "INLINE_BYTES", 3)
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"large weights")
    store = ContentHashes(tmp_path)
    assert store.of("p", path) == ""
    end = time.monotonic() + 10
    while not (found := store.of("p", path)) and time.monotonic() < end:
        time.sleep(0.01)
    assert found == hashlib.sha256(b"large weights").hexdigest()


def test_what_cannot_be_read_has_no_hash_and_a_broken_store_is_made_anew(tmp_path):
    (tmp_path / "model-hashes.json").write_text("{nonsense")
    store = ContentHashes(tmp_path)
    assert store.of("gone", tmp_path / "gone.safetensors") == ""
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"w")
    assert store.of("p", path)
    assert ContentHashes(tmp_path).of("p", path) == hashlib.sha256(b"w").hexdigest()
