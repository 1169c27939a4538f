"""Settings survive: a broken file is kept aside, a bad value falls back alone, writing is whole or not at
all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from studio.settings import Settings, SettingsStore, load


def test_what_is_changed_is_read_again(tmp_path: Path, qapp: QApplication) -> None:
    path = tmp_path / "config" / "studio.json"
    store = SettingsStore(path)
    heard: list[int] = []
    store.changed.connect(lambda: heard.append(1))
    store.change(theme="light", locked=("steps",), ratio=(16, 9))
    store.change(theme="light")
    assert heard == [1]
    assert load(path) == store.values
    assert load(path).ratio == (16, 9)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\x00", b'{"theme": ' + b"[" * 100_000])
def test_a_broken_file_is_kept_aside(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "studio.json"
    path.write_bytes(content)
    assert load(path) == Settings()
    assert (tmp_path / "studio-unreadable.json").read_bytes() == content
    assert not path.exists()


def test_a_bad_value_falls_back_alone(tmp_path: Path) -> None:
    path = tmp_path / "studio.json"
    path.write_text(json.dumps({"theme": "purple", "text_scale": 1e9, "device": "cpu", "later": 1}))
    settings = load(path)
    assert settings.device == "cpu"
    assert (settings.theme, settings.text_scale) == ("system", 1.0)


def test_an_unwritable_folder_is_no_failure(tmp_path: Path, qapp: QApplication) -> None:
    (tmp_path / "file").write_text("")
    store = SettingsStore(tmp_path / "file" / "studio.json")
    store.change(theme="dark")
    assert store.values.theme == "dark"


def test_impossible_values_are_refused(qapp: QApplication) -> None:
    store = SettingsStore(None)
    with pytest.raises(ValueError):
        store.change(theme="purple")
    assert store.values == Settings()
