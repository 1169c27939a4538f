"""Joining paths and cleaning names: nothing from outside leaves its folder or breaks a file system."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import PathNotAllowed
from pipelines.files import MAX_NAME_BYTES, bytes_text, safe_join, sanitise_name

HOSTILE = [
    "..", "../x", "a/../../x", "/etc/passwd", "\\server\\share", "C:\\x", "c:x", "a\0b", "a\nb", "x/CON",
    "nul.txt", "aux", "COM1.png", "lpt¹", "name.", "name ", "a.png:stream", "a/ /b", "..\\x",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_part_is_refused_on_every_system(tmp_path: Path, name: str) -> None:
    with pytest.raises(PathNotAllowed) as caught:
        safe_join(tmp_path, name)
    assert caught.value.arguments["path"] == name


@pytest.mark.parametrize(
    "name", ["a.png", "sub/a.png", "sub\\a.png", "./a", "ünï/😀.png", "console.txt", "..a", "a..b"]
)
def test_a_harmless_part_stays_below_the_base(tmp_path: Path, name: str) -> None:
    assert safe_join(tmp_path, name).is_relative_to(tmp_path)


def test_no_parts_is_the_base(tmp_path: Path) -> None:
    assert safe_join(tmp_path) == tmp_path
    assert safe_join(tmp_path, "", ".") == tmp_path


@given(st.lists(st.text(max_size=20), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_whatever_is_joined_stays_inside_or_is_refused(tmp_path: Path, parts: list[str]) -> None:
    try:
        path = safe_join(tmp_path, *parts)
    except PathNotAllowed:
        return
    assert path.resolve().is_relative_to(tmp_path.resolve())


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need rights there")
class TestLinks:
    def test_a_link_that_leaves_is_refused(self, tmp_path: Path) -> None:
        base = tmp_path / "base"
        base.mkdir()
        (base / "out").symlink_to(tmp_path)
        with pytest.raises(PathNotAllowed):
            safe_join(base, "out", "secret")

    def test_a_link_inside_is_fine(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "alias").symlink_to(tmp_path / "real")
        assert safe_join(tmp_path, "alias/x").name == "x"

    def test_a_link_to_itself_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        with pytest.raises(PathNotAllowed):
            safe_join(tmp_path, "loop", "x")

    def test_a_base_behind_a_link_is_fine(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "alias").symlink_to(tmp_path / "real")
        assert safe_join(tmp_path / "alias", "x") == tmp_path / "alias" / "x"


@given(st.text(max_size=400), st.integers(8, 255))
def test_a_sanitised_name_is_one_portable_name(text: str, limit: int) -> None:
    name = sanitise_name(text, limit)
    assert 0 < len(name.encode()) <= limit
    assert safe_join(Path("/base"), name) == Path("/base") / name
    assert not set(name) & set('/\\:*?"<>|\0')
    assert sanitise_name(name, limit) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a red apple", "a red apple"),
        ("a/b\\c:d", "a_b_c_d"),
        ("...", "untitled"),
        ("", "untitled"),
        ("con", "_con"),
        ("LPT1.png", "_LPT1.png"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("e\u0301", "é"),
        ("a\ud800b", "a_b"),
        ("👩‍🚀", "👩‍🚀"),
    ],
)
def test_examples_of_names(text: str, name: str) -> None:
    assert sanitise_name(text) == name


def test_a_long_name_is_cut_between_characters() -> None:
    name = sanitise_name("ü" * 300)
    assert name == "ü" * (MAX_NAME_BYTES // 2)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (3_200_000, "3.2 MB"), (120_000, "120 kB"), (5e12, "5.0 TB")],
)
def test_bytes_for_people(count: float, text: str) -> None:
    assert bytes_text(count) == text
