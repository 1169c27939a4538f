"""Writing files: whole or not at all, whatever goes wrong, and never over another by accident."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from pipelines.errors import DiskFull, SaveFailed, TextNotSaved
from pipelines.files import atomic_write, sweep_temporary, unique_path

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("data", [b"caf\xc3\xa9", "café", lambda file: file.write(b"caf\xc3\xa9")])
def test_bytes_text_and_writers_are_written(
    tmp_path: Path, data: bytes | str | Callable[[BinaryIO], None]
) -> None:
    path = tmp_path / "new" / "folder" / "x.txt"
    assert atomic_write(path, data) == path
    assert path.read_text("utf-8") == "café"
    assert names(path.parent) == ["x.txt"]


def test_an_existing_file_is_replaced_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    path.chmod(0o640)
    before = path.stat().st_mode
    atomic_write(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode == before


@posix
def test_a_new_file_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        atomic_write(tmp_path / "x", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


@posix
def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    atomic_write(tmp_path / "alias", "new")
    assert (tmp_path / "alias").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_unique_never_replaces(tmp_path: Path) -> None:
    paths = [atomic_write(tmp_path / "a.b.png", str(index), unique=True) for index in range(4)]
    assert [path.name for path in paths] == ["a.b.png", "a.b-2.png", "a.b-3.png", "a.b-4.png"]
    assert [path.read_text() for path in paths] == ["0", "1", "2", "3"]


def test_unique_fits_a_long_name(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 125 + ".png")
    atomic_write(path, "0", unique=True)
    second = atomic_write(path, "1", unique=True)
    assert second.name.endswith("-2.png")
    assert len(second.name.encode()) <= 255


def test_unique_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_arguments: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    paths = [atomic_write(tmp_path / "x", str(index), unique=True) for index in range(3)]
    assert [path.read_text() for path in paths] == ["0", "1", "2"]
    assert names(tmp_path) == ["x", "x-2", "x-3"]


@pytest.mark.parametrize("claim", [False, True])
def test_two_writers_never_get_the_same_name(tmp_path: Path, claim: bool) -> None:
    found: list[Path] = []
    start = threading.Barrier(8)

    def write() -> None:
        start.wait()
        for _ in range(10):
            path = tmp_path / "x.png"
            found.append(unique_path(path) if claim else atomic_write(path, "x", unique=True))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 80
    assert len(names(tmp_path)) == 80


# --- faults ----------------------------------------------------------------------------------------------


def full(_file: BinaryIO) -> None:
    _file.write(b"x" * 1000)
    _file.flush()
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_says_numbers_and_leaves_everything_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(DiskFull) as caught:
        atomic_write(path, full)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["x"]
    assert caught.value.arguments["needed"] == "1.0 kB"
    assert caught.value.arguments["free"] != "0 bytes"


def test_a_disk_that_is_found_full_at_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DiskFull) as caught:
        atomic_write(tmp_path / "x", b"y" * 2_000_000)
    assert caught.value.arguments["needed"] == "2.0 MB"
    assert names(tmp_path) == []


@posix
@pytest.mark.posix
def test_a_limit_on_file_size(tmp_path: Path) -> None:
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from pipelines.errors import SaveFailed\n"
        "from pipelines.files import atomic_write\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        "    atomic_write(Path(sys.argv[1]), b'x' * 1_000_000)\n"
        "except SaveFailed as error:\n"
        "    print(error.arguments['reason'])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x")], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "The file is larger than the disk or the system allows."
    assert names(tmp_path) == []


@pytest.mark.parametrize("unique", [False, True])
def test_a_file_where_a_folder_should_be(tmp_path: Path, unique: bool) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SaveFailed) as caught:
        atomic_write(tmp_path / "file" / "x.png", "x", unique=unique)
    assert "file, not a folder" in caught.value.arguments["reason"]


def test_a_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(SaveFailed):
        atomic_write(tmp_path / "x", "x")
    assert names(tmp_path) == ["x"]


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(SaveFailed) as caught:
        atomic_write(tmp_path / ("x" * 300), "x")
    assert caught.value.arguments["reason"] == "The name is too long."
    assert names(tmp_path) == []


def test_an_unwritable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_more: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SaveFailed) as caught:
        atomic_write(tmp_path / "x", "x")
    assert caught.value.arguments["reason"] == "The folder can't be written to."


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    with pytest.raises(SaveFailed):
        atomic_write(folder / "x", "x")


def test_the_wanted_error_class_is_raised(tmp_path: Path) -> None:
    with pytest.raises(TextNotSaved):
        atomic_write(tmp_path / ("x" * 300), "x", failure=TextNotSaved)


def test_an_error_of_the_writer_itself_passes_and_cleans_up(tmp_path: Path) -> None:
    def broken(file: BinaryIO) -> None:
        file.write(b"half")
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        atomic_write(tmp_path / "x", broken)
    assert names(tmp_path) == []


@posix
@pytest.mark.posix
def test_a_kill_before_the_rename_leaves_the_target_untouched(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from pipelines.files import atomic_write\n"
        "def die(file):\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
        "atomic_write(Path(sys.argv[1]), die)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert run.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    left = [name for name in names(tmp_path) if name != "x"]
    assert len(left) == 1
    assert sweep_temporary(tmp_path) == 0  # it could still be somebody's
    assert sweep_temporary(tmp_path, older_than=0) == 1
    assert names(tmp_path) == ["x"]


def test_the_sweep_takes_only_our_own_old_files(tmp_path: Path) -> None:
    ours = tmp_path / ".diptych-0123456789abcdef.tmp"
    others = [tmp_path / ".diptych-x.tmp", tmp_path / "diptych-0123456789abcdef.tmp", tmp_path / "a.tmp"]
    for path in (ours, *others):
        path.write_text("x")
        os.utime(path, (time.time() - 10_000, time.time() - 10_000))
    assert sweep_temporary(tmp_path) == 1
    assert not ours.exists()
    assert all(path.exists() for path in others)


def test_a_missing_folder_has_nothing_to_sweep(tmp_path: Path) -> None:
    assert sweep_temporary(tmp_path / "none") == 0


def test_a_claim_that_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SaveFailed):
        unique_path(tmp_path / "file" / "x")
