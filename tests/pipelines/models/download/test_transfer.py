"""One file from servers that drop, lie, crawl and answer nonsense: it arrives as it is, or not at all."""

from __future__ import annotations

import hashlib
import random
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.errors import (
    Cancelled,
    DiskFull,
    DownloadDamaged,
    DownloadDenied,
    DownloadFailed,
    DownloadNotFound,
)
from pipelines.models.download.control import Control, Limits
from pipelines.models.download.part import RemoteFile
from pipelines.models.download.transfer import Transfer
from tests.helpers.file_server import Server

DATA = random.Random(1).randbytes(300_000)
Fetch = Callable[..., Path]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "m.safetensors"


@pytest.fixture
def fetch(server: Server, limits: Limits, target: Path) -> Fetch:
    """``fetch(known=True)``: fetch ``/m``, with its size and digest known beforehand or not."""

    def call(known: bool = True, control: Control | None = None, progress: object = None) -> Path:
        digest = hashlib.sha256(DATA).hexdigest()
        remote = RemoteFile(f"{server.url}/m", "m", *((len(DATA), digest) if known else ()))
        return Transfer(
            remote, target, policy=server.policy(), tokens=lambda host: "", limits=limits,
            control=control or Control(), progress=progress,  # type: ignore[arg-type]
        ).run()  # fmt: skip

    return call


def alone(target: Path) -> bool:
    return list(target.parent.iterdir()) == [target] and target.read_bytes() == DATA


def test_a_file_arrives_whole_and_alone(fetch: Fetch, server: Server, target: Path) -> None:
    server.serve("/m", DATA)
    seen: list[tuple[int, int]] = []
    assert fetch(progress=lambda done, total: seen.append((done, total))) == target
    assert alone(target)
    assert seen[-1] == (len(DATA), len(DATA))


@pytest.mark.parametrize("known", [True, False])
def test_a_dropped_connection_is_gone_on_with(
    fetch: Fetch, server: Server, target: Path, known: bool
) -> None:
    server.serve("/m", DATA, *["drop 50000"] * 4)
    fetch(known)
    assert alone(target)
    assert server.sent == len(DATA)
    assert [asked.headers.get("Range") for asked in server.asked] == [None] + [
        f"bytes={count * 50_000}-" for count in range(1, 5)
    ]
    assert server.asked[1].headers["If-Range"] == '"one"'


def test_another_process_goes_on_where_one_was_killed(fetch: Fetch, server: Server, target: Path) -> None:
    server.serve("/m", DATA)
    control = Control()
    with pytest.raises(Cancelled):
        fetch(control=control, progress=lambda done, total: control.cancel())
    assert not target.exists()
    there = target.with_name("m.safetensors.part").stat().st_size
    assert there > 0
    sent = server.sent
    server.asked.clear()
    if there < len(DATA):
        fetch()
        assert server.asked[0].headers["Range"] == f"bytes={there}-"
        assert server.sent - sent <= len(DATA)
    else:
        fetch()
    assert alone(target)


@pytest.mark.parametrize("fault", ["ignore range", "other tag", "status 416", "status 503", "busy 0"])
def test_a_part_that_the_server_does_not_go_on_with(
    fetch: Fetch, server: Server, target: Path, fault: str
) -> None:
    server.serve("/m", DATA, "drop 100000", fault)
    fetch()
    assert alone(target)


def test_a_part_of_another_version_is_thrown_away(fetch: Fetch, server: Server, target: Path) -> None:
    old = server.serve("/m", bytes(len(DATA)), "drop 100000", "status 404")
    with pytest.raises(DownloadNotFound):
        fetch(known=False)
    assert target.with_name("m.safetensors.part").stat().st_size == 100_000
    server.serve("/m", DATA, tag='"two"')
    fetch(known=False)
    assert alone(target)
    assert old.tag != '"two"'


def test_a_tag_that_lies_is_found_out_by_the_digest(fetch: Fetch, server: Server, target: Path) -> None:
    """The bytes change, the tag doesn't: the digest is wrong once, and all of it is fetched anew."""
    server.serve("/m", bytes(len(DATA)), "drop 100000", "status 404")
    with pytest.raises(DownloadNotFound):
        fetch()
    server.serve("/m", DATA)
    fetch()
    assert alone(target)


@pytest.mark.parametrize("fault", ["wrong bytes", "length 1000", "length 400000"])
def test_what_is_not_as_announced_is_deleted(fetch: Fetch, server: Server, target: Path, fault: str) -> None:
    server.serve("/m", DATA, fault, always=True)
    with pytest.raises(DownloadDamaged):
        fetch()
    assert list(target.parent.iterdir()) == []


def test_more_than_announced_is_not_kept(fetch: Fetch, server: Server, target: Path) -> None:
    server.serve("/m", DATA * 2, "endless", always=True)
    with pytest.raises(DownloadDamaged, match="300,000"):
        fetch()
    assert list(target.parent.iterdir()) == []


def test_an_unknown_length_is_no_obstacle(fetch: Fetch, server: Server, target: Path) -> None:
    server.serve("/m", DATA, "endless", tag=None)
    fetch(known=False)
    assert alone(target)


@pytest.mark.parametrize(
    ("fault", "error", "reason"),
    [
        ("status 404", DownloadNotFound, "404"),
        ("status 403", DownloadDenied, "HF_TOKEN"),
        ("status 401", DownloadDenied, "terms"),
        ("status 400", DownloadFailed, "answered 400"),
        ("status 503", DownloadFailed, "503"),
        ("busy 100000", DownloadFailed, "429"),
        ("busy Wed, 21 Oct 2015 07:28:00 GMT", DownloadFailed, "429"),
        ("drop 0", DownloadFailed, "ended after 0 of"),
        ("crawl", DownloadFailed, "hardly"),
        ("packed", DownloadFailed, "packed"),
        ("status 204", DownloadFailed, "204"),
    ],
)
def test_servers_that_do_not_give_it(
    fetch: Fetch, server: Server, target: Path, fault: str, error: type[Exception], reason: str
) -> None:
    server.serve("/m", DATA, fault, always=True)
    with pytest.raises(error, match=reason):
        fetch()
    assert not target.exists()
    assert len(server.asked) <= 3


def test_a_server_that_is_not_there(fetch: Fetch, server: Server, target: Path, limits: Limits) -> None:
    remote = RemoteFile("http://127.0.0.1:1/m", "m")
    with pytest.raises(DownloadFailed, match="127"):
        Transfer(
            remote, target, policy=server.policy("127.0.0.1:1"), tokens=lambda host: "", limits=limits,
            control=Control(),
        ).run()  # fmt: skip


def test_cancel_does_not_wait_for_a_server_that_hangs(fetch: Fetch, server: Server) -> None:
    server.serve("/m", DATA, "hang")
    control = Control()
    threading.Timer(0.1, control.cancel).start()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        fetch(control=control)
    assert time.monotonic() - start < 1.5


def test_pausing_closes_the_connection_and_goes_on_later(fetch: Fetch, server: Server, target: Path) -> None:
    server.serve("/m", DATA, "hang")
    control = Control()
    thread = threading.Thread(target=fetch, kwargs={"control": control})
    thread.start()
    part = target.with_name("m.safetensors.part")
    _until(lambda: server.sent > 0)
    control.pause()
    time.sleep(0.1)
    assert len(server.asked) == 1
    assert thread.is_alive()
    control.resume()
    thread.join(5)
    assert alone(target)
    assert not part.exists()


def test_a_disk_that_is_too_small(
    fetch: Fetch, server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.serve("/m", DATA)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=64 * 2**20 + 1000))
    with pytest.raises(DiskFull):
        fetch()
    assert not target.exists()


def test_a_note_that_makes_no_sense_begins_anew(fetch: Fetch, server: Server, target: Path) -> None:
    for text in ("", "[]", '{"url": 1}', '{"url": "x", "validator": [], "total": "y"}', "[" * 100_000):
        server.serve("/m", DATA)
        target.with_name("m.safetensors.part").write_bytes(b"x" * 1000)
        target.with_name("m.safetensors.part.json").write_text(text)
        fetch(known=False)
        assert alone(target)


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
